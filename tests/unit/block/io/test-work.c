/* SPDX-License-Identifier: MIT */
#include "io-driver.h"
#include "util/patience.h"

typedef struct WkState {
    BlockDriverState *bs;
    BdrvWorkKind kind;
    GThread *ran_in;
    bool is_done;
} WkState;

static int wk_note_thread(void *opaque)
{
    ((WkState *)opaque)->ran_in = g_thread_self();
    return -ENODEV;
}

static void coroutine_fn wk_entry(void *opaque)
{
    WkState *s = opaque;

    g_assert_cmpint(bdrv_co_run_work(s->bs, s->kind, wk_note_thread, s), ==, -ENODEV);
    s->is_done = true;
}

/* Whether the work ran in this thread, by a blocking call or beside the thread's loop. */
static bool wk_runs_here(BlockDriverState *bs, BdrvWorkKind kind, bool is_blocking)
{
    WkState s = { .bs = bs, .kind = kind };

    if (is_blocking) {
        bdrv_run_co(wk_entry, &s);
    } else {
        coroutine_enter(coroutine_create(wk_entry, &s));
        aio_context_poll_until(aio_context_ensure(), &s.is_done);
    }
    return s.ran_in == g_thread_self();
}

static void test_kinds(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, "driver=mem", BLK_O_RDWR);
    BlockDriverState *bs = blk->root->bs;

    aio_context_ensure();
    g_assert_true(wk_runs_here(bs, BDRV_WORK_CACHED_WRITE, true));
    g_assert_false(wk_runs_here(bs, BDRV_WORK_CACHED_WRITE, false));
    g_assert_false(wk_runs_here(bs, BDRV_WORK_IO, true));
    g_assert_false(wk_runs_here(bs, BDRV_WORK_CPU, true));
    g_assert_true(wk_runs_here(bs, BDRV_WORK_BULK_WRITE, true));
    g_assert_false(wk_runs_here(bs, BDRV_WORK_BULK_WRITE, false));
    patience_begin();
    g_assert_true(wk_runs_here(bs, BDRV_WORK_CACHED_WRITE, false));
    g_assert_true(wk_runs_here(bs, BDRV_WORK_BULK_WRITE, false));
    patience_overlap_begin();
    g_assert_true(wk_runs_here(bs, BDRV_WORK_CACHED_WRITE, false));
    g_assert_false(wk_runs_here(bs, BDRV_WORK_BULK_WRITE, false));
    patience_overlap_end();
    g_assert_true(wk_runs_here(bs, BDRV_WORK_BULK_WRITE, false));
    patience_end();
    g_assert_false(wk_runs_here(bs, BDRV_WORK_CACHED_WRITE, false));
    blk_unref(blk);
    cairn_context_unref(ctx);
}

static void test_buffer(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, "driver=mem,mem-align=4096", BLK_O_RDWR);

    for (size_t bytes = 0; bytes < 10000; bytes = bytes * 2 + 1) {
        void *buf = bdrv_buffer_alloc(blk->root->bs, bytes);

        g_assert_nonnull(buf);
        g_assert_cmpint((uintptr_t)buf % 4096, ==, 0);
        memset(buf, 1, bytes);
        bdrv_buffer_free(buf);
    }
    bdrv_buffer_free(NULL);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/work/cached-write/stays-in-a-thread-that-waits", test_kinds);
    g_test_add_func("/work/buffer/is-aligned", test_buffer);
    return g_test_run();
}
