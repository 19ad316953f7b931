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
    void *buf;                  /* see pipeline_item_buffer() */
    bool is_behind;             /* its turn is over, its work is not */
    int parts, part_ret;        /* under way, see pipeline_begin_part(); the first error of those done */
    Coroutine *waiter;          /* for the last of them */
} PipelineItem;

typedef int coroutine_fn PipelineFunc(Pipeline *pipe, PipelineItem *item);

struct Pipeline {
    int workers;                /* 1..PIPELINE_WORKERS_MAX */
    size_t buffer_bytes;
    /* Fills in offset, bytes and kind. Returns: 1, 0 when there are no more, -errno. May yield. */
    PipelineFunc *next;
    /* Returns: 0 or -errno, which ends the whole run. May yield. */
    PipelineFunc *work;
    void *opaque;
    /*< private >*/
    CoMutex take_lock;
    GMutex lock;                /* guards the queues and counts below; never contended: one thread */
    CoQueue turns, room;        /* wait for their turn; for fewer items that are behind */
    uint64_t next_turn, write_turn;
    int running, ret;
    int64_t behind;             /* bytes of items that are */
    void *buffers[PIPELINE_WORKERS_MAX];    /* not in use, the one used last on top */
    int buffer_count;
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
/*
 * Runs @entry in a coroutine of its own, and returns when that has ended or waits for something:
 * what the item writes then begins in order, without each waiting for the one before. With many
 * parts under way, or without memory for a coroutine, it returns when @entry has ended.
 * @opaque: may be on the stack, if @entry copies it before it waits. @entry calls
 * pipeline_end_part() at last. Returns: the first error of parts that have ended, or 0.
 */
int coroutine_fn pipeline_begin_part(PipelineItem *item, CoroutineEntry *entry, void *opaque);
void pipeline_end_part(PipelineItem *item, int ret);
/* Returns, when all parts have ended: 0 or the first error. */
int coroutine_fn pipeline_wait_parts(PipelineItem *item);

/* A buffer of buffer_bytes for the item, got when first asked for; NULL without memory. */
void *pipeline_item_buffer(PipelineItem *item);

#endif
