/* SPDX-License-Identifier: MIT */
/*
 * What steers a job while it runs (cancel, rate) and what it tells (progress). The setters may be
 * called on any thread.
 */
#ifndef BLOCK_JOBS_CONTROL_H
#define BLOCK_JOBS_CONTROL_H

#include <cairn/job.h>

typedef struct JobControl {
    gint cancelled;             /* atomic bool */
    int64_t rate;               /* atomic (__atomic_*): bytes a second; 0: no limit */
    int64_t done, total;        /* atomic (__atomic_*): bytes; total may grow */
    JobProgressFunc *progress;  /* may be NULL */
    void *opaque;
    /*< private: of the job's thread >*/
    int64_t reported;
    double asked, allowed;      /* bytes under the limit, and how many of them time has allowed */
    int64_t allowed_at_us;      /* when that was counted; monotonic */
} JobControl;

/* Waits until @bytes may be copied. Returns: 0, or -ECANCELED. */
int coroutine_fn job_control_pace(JobControl *control, int64_t bytes);

/* @bytes more are done. Returns: 0, or -ECANCELED if the job is to end. */
int job_control_advance(JobControl *control, int64_t bytes);

/* There is more to do than was thought. */
void job_control_add_total(JobControl *control, int64_t bytes);

bool job_control_is_cancelled(JobControl *control);

#endif
