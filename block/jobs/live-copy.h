/* SPDX-License-Identifier: MIT */
/*
 * A copy of a disk that is in use: all of it once, then again what was written meanwhile, until the
 * rest is so small that requests may wait for it.
 */
#ifndef BLOCK_JOBS_LIVE_COPY_H
#define BLOCK_JOBS_LIVE_COPY_H

#include "block/jobs/copy.h"
#include "block/jobs/job.h"

typedef struct LiveCopy {
    BlockJob *job;              /* whose pace and progress it is */
    BlockBackend *source;       /* the job's; not owned */
    BlockCopy copy;
    BdrvDirty *dirty;           /* what has been written since it was copied */
    int64_t scan;               /* where the next such range is looked for */
} LiveCopy;

/* Outside coroutines. On failure nothing is to be cleared. */
bool live_copy_init(LiveCopy *live, BlockJob *job, BlockBackend *source, BlockBackend *target,
                    RunsScope scope, GError **error);
/*
 * Copies until little is left. @wait: then keeps up, with the job in state READY, until it is asked
 * to complete.
 */
bool coroutine_fn live_copy_co_run(LiveCopy *live, bool wait, GError **error);
/*
 * The rest, and a flush of the target, inside a drain of the whole context. Fails also where something of the source
 * is lost: then nobody is to do without the source.
 */
bool live_copy_catch_up(LiveCopy *live, GError **error);
/* Outside coroutines, before the backends go. */
void live_copy_clear(LiveCopy *live);

#endif
