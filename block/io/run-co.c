/* SPDX-License-Identifier: MIT */
/*
 * Blocking forms: each runs the coroutine's form and serves the thread's AioContext until it has
 * ended. No turn of a GLib main loop is taken, and a request that never waits costs a switch of
 * stacks only.
 */
#include "block/block-int.h"
#include "util/patience.h"

typedef struct RunCo {
    CoroutineEntry *entry;
    void *opaque;
    bool is_done;               /* only this thread's AioContext runs the coroutine */
} RunCo;

static void coroutine_fn run_co_entry(void *opaque)
{
    RunCo *r = opaque;

    r->entry(r->opaque);
    r->is_done = true;
}

void bdrv_run_co(CoroutineEntry *entry, void *opaque)
{
    AioContext *aio = aio_context_ensure();
    RunCo r = { .entry = entry, .opaque = opaque };

    g_assert(!coroutine_in());
    patience_begin();
    coroutine_enter(coroutine_create(run_co_entry, &r));
    aio_context_poll_until(aio, &r.is_done);
    patience_end();
}

/* ---- of a child ----------------------------------------------------------- */

typedef struct RunChild {
    BdrvChild *child;
    BlockDriverState *bs;
    int64_t offset, bytes;
    void *buf;
    int flags;
    bool exact;
    PreallocMode prealloc;
    GError **error;
    int64_t ret;
} RunChild;

static void coroutine_fn run_pread(void *opaque)
{
    RunChild *r = opaque;

    r->ret = bdrv_co_pread(r->child, r->offset, r->bytes, r->buf);
}

int bdrv_pread(BdrvChild *child, int64_t offset, int64_t bytes, void *buf)
{
    RunChild r = { .child = child, .offset = offset, .bytes = bytes, .buf = buf };

    bdrv_run_co(run_pread, &r);
    return r.ret;
}

static void coroutine_fn run_pwrite(void *opaque)
{
    RunChild *r = opaque;

    r->ret = bdrv_co_pwrite(r->child, r->offset, r->bytes, r->buf, r->flags);
}

int bdrv_pwrite(BdrvChild *child, int64_t offset, int64_t bytes, const void *buf, int flags)
{
    RunChild r = {
        .child = child, .offset = offset, .bytes = bytes, .buf = (void *)buf, .flags = flags,
    };

    bdrv_run_co(run_pwrite, &r);
    return r.ret;
}

static void coroutine_fn run_flush(void *opaque)
{
    RunChild *r = opaque;

    r->ret = bdrv_co_flush_bs(r->bs);
}

int bdrv_flush_bs(BlockDriverState *bs)
{
    RunChild r = { .bs = bs };

    bdrv_run_co(run_flush, &r);
    return r.ret;
}

int bdrv_flush(BdrvChild *child)
{
    return bdrv_flush_bs(child->bs);
}

static void coroutine_fn run_getlength(void *opaque)
{
    RunChild *r = opaque;

    r->ret = bdrv_co_getlength_bs(r->bs);
}

int64_t bdrv_getlength(BdrvChild *child)
{
    RunChild r = { .bs = child->bs };

    bdrv_run_co(run_getlength, &r);
    return r.ret;
}

static void coroutine_fn run_truncate(void *opaque)
{
    RunChild *r = opaque;

    r->ret = bdrv_co_truncate(r->child, r->bytes, r->exact, r->prealloc, r->error);
}

bool bdrv_truncate(BdrvChild *child, int64_t bytes, bool exact, PreallocMode prealloc,
                   GError **error)
{
    RunChild r = {
        .child = child, .bytes = bytes, .exact = exact, .prealloc = prealloc, .error = error,
    };

    bdrv_run_co(run_truncate, &r);
    return r.ret;
}
