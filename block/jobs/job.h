/* SPDX-License-Identifier: MIT */
/*
 * What every background job is: a coroutine that works, then steps that change the graph.
 *
 * 1. run() works in the AioContext of the thread that started the job. finish() follows if it
 *    succeeded, clean() in any case: both outside coroutines, under the control lock.
 * 2. A job holds its images by backends of its own (is_job): they stay at their nodes whatever
 *    replaces those, and wait in drains like everyone's.
 */
#ifndef BLOCK_JOBS_JOB_H
#define BLOCK_JOBS_JOB_H

#include "block/block-int.h"
#include "block/jobs/control.h"

typedef struct JobDriver {
    size_t instance_size;       /* of a struct that begins with BlockJob */
    bool coroutine_fn (*run)(BlockJob *job, GError **error);
    bool (*finish)(BlockJob *job, GError **error);      /* NULL: nothing */
    void (*clean)(BlockJob *job);
} JobDriver;

struct BlockJob {
    const JobDriver *drv;
    CairnContext *ctx;          /* owned reference */
    AioContext *aio;            /* owned reference; of the thread that started it */
    JobControl control;
    gint refs;
    gint state;                 /* atomic: BlockJobState */
    gint completing;            /* atomic bool: block_job_complete() was called */
    GError *error;              /* of the end; NULL: success */
    BlockJobDoneFunc *done;
    void *opaque;
    bool is_done;               /* for whoever polls in the job's thread */
};

/* A job that does not run yet; block_job_unref() takes it back, job_start() sets it going. */
BlockJob *job_new(CairnContext *ctx, const JobDriver *drv, const BlockJobOptions *options);
void job_start(BlockJob *job);

/* Whether the job is to end by its last step now. */
bool job_is_completing(BlockJob *job);

/* Between them, inside drain_all_begin(), requests of @blk run while all others wait. */
void job_backend_exempt_begin(BlockBackend *blk);
void job_backend_exempt_end(BlockBackend *blk);

/* ---- chains ---- */

/* The layer below that a file or node name means; NULL name: the next one. NULL with @error. */
BlockDriverState *job_find_base(BlockDriverState *top, const char *name, GError **error);
/* The layer below, filters passed; NULL: none. */
BlockDriverState *job_backing_of(BlockDriverState *bs);
/* Bytes, or -errno; outside coroutines. */
int64_t job_length_of(BlockDriverState *bs);
/* How many layers stand above @base. */
int job_depth_of(BlockDriverState *top, BlockDriverState *base);
/* The backing edges from @top down to @base (NULL: all) stay as they are, and share everything, until thawed. */
bool job_freeze_chain(BlockDriverState *top, BlockDriverState *base, GError **error);
void job_thaw_chain(BlockDriverState *top, BlockDriverState *base);

#endif
