/* SPDX-License-Identifier: MIT */
/*
 * Pace and progress of jobs.
 *
 * The limit of the rate is kept by two counts of bytes: what has been asked for, and what time has
 * allowed of it. A piece waits until as much is allowed as was asked for up to its end. Waits are
 * cut into short sleeps, so that cancelling and another rate take effect soon.
 */
#include "block/jobs/control.h"

#include <errno.h>

#define CONTROL_SLEEP_US 50000
#define CONTROL_STEPS 10000             /* reports of progress, at most */

bool job_control_is_cancelled(JobControl *control)
{
    return g_atomic_int_get(&control->cancelled);
}

/* Counts what the time since the last look allows. Returns: the rate. */
static int64_t control_allow(JobControl *control)
{
    int64_t rate = __atomic_load_n(&control->rate, __ATOMIC_RELAXED);
    int64_t now = g_get_monotonic_time();

    control->allowed += 1e-6 * (double)(now - control->allowed_at_us) * (double)rate;
    if (!rate || control->allowed > control->asked) {
        control->allowed = control->asked;      /* no limit; or idle time, which is not saved up */
    }
    control->allowed_at_us = now;
    return rate;
}

int coroutine_fn job_control_pace(JobControl *control, int64_t bytes)
{
    int64_t rate = __atomic_load_n(&control->rate, __ATOMIC_RELAXED) ? control_allow(control) : 0;
    double end = control->asked + (double)bytes;

    if (rate) {
        control->asked = end;
    }
    while (rate && control->allowed < end && !job_control_is_cancelled(control)) {
        double wait_us = 1e6 * (end - control->allowed) / (double)rate;

        co_sleep_ns((int64_t)MIN(wait_us + 1, CONTROL_SLEEP_US) * 1000);
        rate = control_allow(control);
    }
    return job_control_is_cancelled(control) ? -ECANCELED : 0;
}

int job_control_advance(JobControl *control, int64_t bytes)
{
    int64_t done = __atomic_add_fetch(&control->done, bytes, __ATOMIC_RELAXED);
    int64_t total = __atomic_load_n(&control->total, __ATOMIC_RELAXED);

    if (control->progress
        && (done >= total || done - control->reported >= total / CONTROL_STEPS)) {
        control->reported = done;
        if (!control->progress(done, total, control->opaque)) {
            g_atomic_int_set(&control->cancelled, 1);
        }
    }
    return job_control_is_cancelled(control) ? -ECANCELED : 0;
}

void job_control_add_total(JobControl *control, int64_t bytes)
{
    __atomic_add_fetch(&control->total, bytes, __ATOMIC_RELAXED);
}
