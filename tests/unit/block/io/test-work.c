/* SPDX-License-Identifier: MIT */
#include "io-driver.h"
#include "util/cutils.h"
#include "util/patience.h"
#include "util/sanitizer.h"

#include <malloc.h>

#ifdef WITH_ASAN
#define WK_KEPT 0               /* buffers, of any number that was freed */
#else
#define WK_KEPT 4
#endif

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

/* Of those above 64 KiB some are kept: found again by whom they suit, and let go with the context. */
static void test_kept_buffers(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, "driver=mem,mem-align=512", BLK_O_RDWR);
    BlockDriverState *bs = blk->root->bs;
    void *bufs[16], *again;

    for (int i = 0; i < 16; i++) {
        bufs[i] = bdrv_buffer_alloc(bs, 128 * KiB + i);
        memset(bufs[i], i, 128 * KiB + i);
    }
    for (int i = 0; i < 16; i++) {
        bdrv_buffer_free(bufs[i]);
    }
    for (int i = 0; i < 16; i++) {      /* each once, whether kept or new, of the size asked for */
        size_t bytes = i % 2 ? 100 * KiB : 128 * KiB + 100 * i;

        bufs[i] = bdrv_buffer_alloc(bs, bytes);
        g_assert_cmpint((uintptr_t)bufs[i] % 512, ==, 0);
        g_assert_cmpuint(malloc_usable_size(bufs[i]), >=, bytes);
        memset(bufs[i], i, bytes);
        for (int k = 0; k < i; k++) {
            g_assert_true(bufs[k] != bufs[i]);
        }
    }
    for (int i = 0; i < 16; i++) {
        g_assert_cmpint(((uint8_t *)bufs[i])[100 * KiB - 1], ==, i);
        bdrv_buffer_free(bufs[i]);
    }
    again = bdrv_buffer_alloc(bs, 64 * KiB - 1);        /* too small for one of them */
    g_assert_cmpuint(malloc_usable_size(again), <, 128 * KiB);
    bdrv_buffer_free(again);
    g_assert_cmpint(bdrv_buffers_drop(), ==, WK_KEPT);
    g_assert_cmpint(bdrv_buffers_drop(), ==, 0);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/work/cached-write/stays-in-a-thread-that-waits", test_kinds);
    g_test_add_func("/work/buffer/is-aligned", test_buffer);
    g_test_add_func("/work/kept-buffers/suit-and-belong-to-one", test_kept_buffers);
    return g_test_run();
}
