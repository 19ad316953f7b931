/* SPDX-License-Identifier: MIT */
/*
 * Pace and progress of jobs.
 *
 * The limit of the rate is kept by a clock that runs ahead with each piece copied: a piece waits
 * until the clock has come. A rate that changes holds from the next piece on, a wait is cut into
 * short sleeps so that cancelling takes effect soon.
 */
#include "block/jobs/control.h"

#include <errno.h>

#define CONTROL_SLEEP_US 50000
#define CONTROL_STEPS 10000             /* reports of progress, at most */

bool job_control_is_cancelled(JobControl *control)
{
    return g_atomic_int_get(&control->cancelled);
}

int coroutine_fn job_control_pace(JobControl *control, int64_t bytes)
{
    int64_t rate = __atomic_load_n(&control->rate, __ATOMIC_RELAXED);
    int64_t now = rate ? g_get_monotonic_time() : 0;

    if (rate) {
        control->pace_us = MAX(control->pace_us, now) + (int64_t)(1e6 * bytes / rate);
    }
    for (int64_t due = control->pace_us; rate && due > now; now = g_get_monotonic_time()) {
        if (job_control_is_cancelled(control)) {
            break;
        }
        co_sleep_ns(MIN(due - now, CONTROL_SLEEP_US) * 1000);
        rate = __atomic_load_n(&control->rate, __ATOMIC_RELAXED);
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
