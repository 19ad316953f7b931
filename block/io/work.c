/* SPDX-License-Identifier: MIT */
/*
 * Worker threads for drivers. The pools are the context's, made when first used.
 *
 * A write to the page cache is a copy, cheaper than handing it to a worker, whose processor would
 * have to fetch the data from this one's cache: but now and then the kernel makes it wait for the
 * disk. So it is handed over where the thread's loop serves others, and done at once in a thread
 * that waits for it anyway. A copy that has a processor to spare reads on while another thread, one
 * for all, writes: several at once would wait for each other in the kernel, which locks the file.
 */
#include "block/block-int.h"
#include "util/patience.h"

#define WORK_IO_THREADS 64

/* The pool in *@slot. Two threads may make one at once: the second gives its own up. */
static WorkerPool *work_pool(WorkerPool **slot, int threads)
{
    WorkerPool *pool = g_atomic_pointer_get(slot);

    if (!pool) {
        WorkerPool *made = worker_pool_new(threads);

        if (!g_atomic_pointer_compare_and_exchange(slot, NULL, made)) {
            worker_pool_free(made);
        }
        pool = g_atomic_pointer_get(slot);
    }
    return pool;
}

/* NULL: to be done at once. */
static WorkerPool *work_pool_of(CairnContext *ctx, BdrvWorkKind kind)
{
    bool is_write = kind == BDRV_WORK_CACHED_WRITE || kind == BDRV_WORK_BULK_WRITE;

    if (kind == BDRV_WORK_CPU) {
        return work_pool(&ctx->cpu_pool, g_get_num_processors());
    }
    if (is_write && patience_is_had()) {
        return kind == BDRV_WORK_BULK_WRITE && patience_overlaps() ? work_pool(&ctx->copy_pool, 1)
                                                                   : NULL;
    }
    return work_pool(&ctx->io_pool, WORK_IO_THREADS);
}

int coroutine_fn bdrv_co_run_work(BlockDriverState *bs, BdrvWorkKind kind,
                                  int (*func)(void *opaque), void *opaque)
{
    WorkerPool *pool = work_pool_of(bs->priv->ctx, kind);

    return pool ? worker_pool_co_run(pool, func, opaque) : func(opaque);
}
