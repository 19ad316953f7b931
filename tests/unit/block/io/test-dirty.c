/* SPDX-License-Identifier: MIT */
/* Marks of what has changed. */
#include "mem-driver.h"

#define KB 1024LL
#define STEP (64 * KB)

typedef struct DirtyFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    BdrvDirty *dirty;
} DirtyFixture;

static void setup(DirtyFixture *f, gconstpointer data)
{
    f->ctx = test_context_new();
    f->blk = test_open_opts(f->ctx, "driver=mem,node-name=m,size=9M", BLK_O_RDWR | BLK_O_UNMAP);
    f->dirty = bdrv_dirty_new(f->blk->root->bs, 9 * KB * KB - 512);
    g_assert_nonnull(f->dirty);
}

static void teardown(DirtyFixture *f, gconstpointer data)
{
    bdrv_dirty_free(f->dirty);
    g_assert_null(f->blk->root->bs->priv->dirty);
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

static void assert_next(DirtyFixture *f, int64_t from, int64_t offset, int64_t bytes)
{
    int64_t found = -1, length = -1;

    g_assert_true(bdrv_dirty_take(f->dirty, from, &found, &length));
    g_assert_cmpint(found, ==, offset);
    g_assert_cmpint(length, ==, bytes);
}

static void assert_none(DirtyFixture *f)
{
    int64_t offset, bytes;

    g_assert_false(bdrv_dirty_take(f->dirty, 0, &offset, &bytes));
    g_assert_cmpint(bdrv_dirty_bytes(f->dirty), ==, 0);
}

static void test_every_kind_of_write(DirtyFixture *f, gconstpointer data)
{
    uint8_t buf[1024] = { 1 };

    assert_none(f);
    g_assert_cmpint(blk_pwrite(f->blk, STEP - 512, 1024, buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f->blk, 5 * STEP, 1, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(f->blk, 7 * STEP, 2 * STEP), ==, 0);
    g_assert_cmpint(blk_pread(f->blk, 20 * STEP, 1024, buf), ==, 0);
    g_assert_cmpint(bdrv_dirty_bytes(f->dirty), ==, 5 * STEP);
    assert_next(f, 0, 0, 2 * STEP);
    assert_next(f, 0, 5 * STEP, STEP);
    assert_next(f, 6 * STEP, 7 * STEP, 2 * STEP);
    assert_none(f);
}

static void test_runs_cross_words(DirtyFixture *f, gconstpointer data)
{
    bdrv_dirty_mark(f->blk->root->bs, 60 * STEP, 70 * STEP);
    assert_next(f, 0, 60 * STEP, 70 * STEP);
    bdrv_dirty_mark(f->blk->root->bs, 127 * STEP, 1);
    bdrv_dirty_mark(f->blk->root->bs, 127 * STEP, 1);
    g_assert_cmpint(bdrv_dirty_bytes(f->dirty), ==, STEP);
    assert_next(f, 127 * STEP, 127 * STEP, STEP);
    assert_none(f);
}

static void test_end(DirtyFixture *f, gconstpointer data)
{
    bdrv_dirty_mark(f->blk->root->bs, 9 * KB * KB - 1, 100);
    assert_none(f);
    bdrv_dirty_mark(f->blk->root->bs, 9 * KB * KB - 1024, 2048);
    assert_next(f, 0, 143 * STEP, STEP - 512);
    assert_none(f);
}

static void test_taking_goes_forward(DirtyFixture *f, gconstpointer data)
{
    int64_t offset, bytes;

    bdrv_dirty_mark(f->blk->root->bs, 3 * STEP, 1);
    g_assert_false(bdrv_dirty_take(f->dirty, 3 * STEP + 1, &offset, &bytes));
    g_assert_cmpint(bdrv_dirty_bytes(f->dirty), ==, STEP);
    assert_next(f, 3 * STEP, 3 * STEP, STEP);
}

static void *mark_often(void *opaque)
{
    BlockDriverState *bs = opaque;

    for (int i = 0; i < 20000; i++) {
        bdrv_dirty_mark(bs, (i % 140) * STEP, STEP);
    }
    return NULL;
}

static void test_threads(DirtyFixture *f, gconstpointer data)
{
    GThread *threads[2];
    int64_t offset, bytes;

    for (int i = 0; i < 2; i++) {
        threads[i] = g_thread_new("marker", mark_often, f->blk->root->bs);
    }
    for (int i = 0; i < 2000; i++) {
        bdrv_dirty_take(f->dirty, 0, &offset, &bytes);
    }
    for (int i = 0; i < 2; i++) {
        g_thread_join(threads[i]);
    }
    while (bdrv_dirty_take(f->dirty, 0, &offset, &bytes)) {
        g_assert_cmpint(bytes, >, 0);
    }
    assert_none(f);
}

static void test_huge(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=mem,node-name=m,size=64k", 0);
    BdrvDirty *dirty = bdrv_dirty_new(blk->root->bs, INT64_MAX / 2);
    int64_t offset, bytes;

    g_assert_nonnull(dirty);
    bdrv_dirty_mark(blk->root->bs, INT64_MAX / 2 - 1, 1);
    g_assert_true(bdrv_dirty_take(dirty, 0, &offset, &bytes));
    g_assert_cmpint(offset + bytes, ==, INT64_MAX / 2);
    bdrv_dirty_free(dirty);
}

#define ADD(path, func) g_test_add(path, DirtyFixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/dirty/every-kind-of-write/marks-what-it-touched", test_every_kind_of_write);
    ADD("/dirty/run/crosses-words", test_runs_cross_words);
    ADD("/dirty/end/is-not-passed", test_end);
    ADD("/dirty/taking/goes-forward-only", test_taking_goes_forward);
    ADD("/dirty/threads/lose-no-count", test_threads);
    g_test_add_func("/dirty/huge-node/has-coarse-marks", test_huge);
    return g_test_run();
}
