/* SPDX-License-Identifier: MIT */
/*
 * Several coroutines that work through one sequence of items: each takes the next item, works on
 * it, and takes another. All run in the calling thread's AioContext; items are taken in order, one
 * taker at a time.
 */
#ifndef BLOCK_JOBS_PIPELINE_H
#define BLOCK_JOBS_PIPELINE_H

#include "block/block-int.h"

#define PIPELINE_WORKERS_MAX 16

typedef struct Pipeline Pipeline;

/* What one worker has in hand. */
typedef struct PipelineItem {
    Pipeline *pipe;
    uint64_t turn;              /* 0, 1, 2...: the order of taking */
    int64_t offset, bytes;
    int kind;                   /* the job's own */
    void *buf;                  /* the worker's, see pipeline_item_buffer() */
} PipelineItem;

struct Pipeline {
    int workers;                /* 1..PIPELINE_WORKERS_MAX */
    size_t buffer_bytes;
    /* Fills in offset, bytes and kind. Returns: 1, 0 when there are no more, -errno. May yield. */
    int coroutine_fn (*next)(Pipeline *pipe, PipelineItem *item);
    /* Returns: 0 or -errno, which ends the whole run. May yield. */
    int coroutine_fn (*work)(Pipeline *pipe, PipelineItem *item);
    void *opaque;
    /*< private >*/
    CoMutex take_lock;
    GMutex lock;                /* guards the queue below; never contended: one thread */
    CoQueue turns;
    uint64_t next_turn, write_turn;
    int running, ret;
    bool is_at_end;
    Coroutine *waiter;          /* pipeline_co_run()'s, once it waits for the last worker */
};

/* Returns: 0, or the first error. The first is for outside coroutines. */
int pipeline_run(Pipeline *pipe);
int coroutine_fn pipeline_co_run(Pipeline *pipe);

/*
 * Waits until all earlier items have passed pipeline_end_turn(). Returns: -ECANCELED if the run has
 * failed.
 */
int coroutine_fn pipeline_wait_turn(PipelineItem *item);
void pipeline_end_turn(PipelineItem *item);

/* The worker's buffer of buffer_bytes, made when first asked for; NULL without memory. */
void *pipeline_item_buffer(PipelineItem *item);

#endif
