/* SPDX-License-Identifier: MIT */
/*
 * The pipeline of the copying and comparing jobs.
 *
 * 1. The first error stops it: no item is taken after it, waits for a turn end, and its value is
 *    the run's.
 * 2. A worker that never has to wait works on alone; the others start as soon as it waits. So where
 *    all is answered from memory one buffer is used, which stays in the processor's cache.
 * 3. For the same reason a buffer is taken that was used last, and no item while several are still
 *    being written whose turn is over.
 */
#include "block/jobs/pipeline.h"

#include <errno.h>
#include <stdlib.h>

/* A page: what direct I/O asks for. Where a node wants more, its requests are copied once more. */
#define PIPELINE_ALIGNMENT 4096
#define PIPELINE_BEHIND_MAX 3   /* buffers full: one is written, one waits for that, one comes back */
#define PIPELINE_PARTS_MAX 8    /* of one item under way */

static void pipeline_fail(Pipeline *pipe, int ret)
{
    if (!pipe->ret) {
        pipe->ret = ret;
    }
    g_mutex_lock(&pipe->lock);
    co_queue_restart_all(&pipe->turns);
    co_queue_restart_all(&pipe->room);
    g_mutex_unlock(&pipe->lock);
}

/* What it counts for in pipe->behind: zeros that are not in a buffer may be longer than one. */
static int64_t pipeline_item_weight(const PipelineItem *item)
{
    return MIN(item->bytes, (int64_t)item->pipe->buffer_bytes);
}

/*
 * Until another item would not be more than PIPELINE_BEHIND_MAX buffers full; items that were taken
 * before do not wait for that. At once in a job without buffers.
 */
static void coroutine_fn pipeline_wait_room(Pipeline *pipe)
{
    int64_t most = (PIPELINE_BEHIND_MAX - 1) * (int64_t)pipe->buffer_bytes;

    g_mutex_lock(&pipe->lock);
    while (!pipe->ret && pipe->behind > most) {
        co_queue_wait_thread(&pipe->room, &pipe->lock);
    }
    g_mutex_unlock(&pipe->lock);
}

/* Returns: whether @item has been filled in. */
static bool coroutine_fn pipeline_take(Pipeline *pipe, PipelineItem *item)
{
    CO_MUTEX_GUARD(&pipe->take_lock);
    int ret;

    pipeline_wait_room(pipe);
    if (pipe->ret || pipe->is_at_end) {
        return false;
    }
    ret = pipe->next(pipe, item);
    if (ret < 0) {
        pipeline_fail(pipe, ret);
    }
    pipe->is_at_end = ret == 0;
    if (ret > 0) {
        item->turn = pipe->next_turn++;
    }
    return ret > 0;
}

static void pipeline_item_done(PipelineItem *item)
{
    Pipeline *pipe = item->pipe;

    if (item->buf) {
        pipe->buffers[pipe->buffer_count++] = item->buf;
    }
    if (item->is_behind) {
        g_mutex_lock(&pipe->lock);
        pipe->behind -= pipeline_item_weight(item);
        co_queue_restart_all(&pipe->room);
        g_mutex_unlock(&pipe->lock);
    }
    *item = (PipelineItem) { .pipe = pipe };
}

static void coroutine_fn pipeline_worker(void *opaque)
{
    Pipeline *pipe = opaque;
    PipelineItem item = { .pipe = pipe };

    while (pipeline_take(pipe, &item)) {
        int ret = pipe->work(pipe, &item);

        if (ret < 0) {
            pipeline_fail(pipe, ret);
        }
        pipeline_item_done(&item);
    }
    if (--pipe->running == 0 && pipe->waiter) {
        aio_co_wake(pipe->waiter);
    }
}

int coroutine_fn pipeline_co_run(Pipeline *pipe)
{
    co_mutex_init(&pipe->take_lock);
    g_mutex_init(&pipe->lock);
    co_queue_init(&pipe->turns);
    co_queue_init(&pipe->room);
    pipe->running = 1;          /* this one: it waits for the others */
    for (int i = 0; i < pipe->workers; i++) {
        Coroutine *co = i == 0 ? coroutine_create(pipeline_worker, pipe)
                               : coroutine_try_create(pipeline_worker, pipe);

        if (!co) {
            break;              /* fewer do it, too */
        }
        pipe->running++;
        coroutine_enter(co);
    }
    if (--pipe->running) {
        pipe->waiter = coroutine_self();
        coroutine_yield();
    }
    while (pipe->buffer_count) {
        free(pipe->buffers[--pipe->buffer_count]);
    }
    co_mutex_destroy(&pipe->take_lock);
    g_mutex_clear(&pipe->lock);
    return pipe->ret;
}

static void coroutine_fn pipeline_entry(void *opaque)
{
    pipeline_co_run(opaque);
}

int pipeline_run(Pipeline *pipe)
{
    bdrv_run_co(pipeline_entry, pipe);
    return pipe->ret;
}

int coroutine_fn pipeline_wait_turn(PipelineItem *item)
{
    Pipeline *pipe = item->pipe;

    g_mutex_lock(&pipe->lock);
    while (!pipe->ret && pipe->write_turn != item->turn) {
        co_queue_wait_thread(&pipe->turns, &pipe->lock);
    }
    g_mutex_unlock(&pipe->lock);
    return pipe->ret ? -ECANCELED : 0;
}

void pipeline_end_turn(PipelineItem *item)
{
    Pipeline *pipe = item->pipe;

    g_mutex_lock(&pipe->lock);
    pipe->write_turn = item->turn + 1;
    pipe->behind += pipeline_item_weight(item);
    item->is_behind = true;
    co_queue_restart_all(&pipe->turns);
    g_mutex_unlock(&pipe->lock);
}

int coroutine_fn pipeline_begin_part(PipelineItem *item, CoroutineEntry *entry, void *opaque)
{
    Coroutine *co = item->parts < PIPELINE_PARTS_MAX ? coroutine_try_create(entry, opaque) : NULL;

    item->parts++;
    if (co) {
        coroutine_enter(co);
    } else {
        entry(opaque);          /* begun and ended, too */
    }
    return item->part_ret;
}

void pipeline_end_part(PipelineItem *item, int ret)
{
    if (!item->part_ret) {
        item->part_ret = ret;
    }
    if (--item->parts == 0 && item->waiter) {
        aio_co_wake(item->waiter);
    }
}

int coroutine_fn pipeline_wait_parts(PipelineItem *item)
{
    if (item->parts > 0) {
        item->waiter = coroutine_self();
        coroutine_yield();
    }
    return item->part_ret;
}

void *pipeline_item_buffer(PipelineItem *item)
{
    Pipeline *pipe = item->pipe;

    if (!item->buf && pipe->buffer_count) {
        item->buf = pipe->buffers[--pipe->buffer_count];
    }
    if (!item->buf && posix_memalign(&item->buf, PIPELINE_ALIGNMENT, pipe->buffer_bytes) != 0) {
        return NULL;
    }
    return item->buf;
}
