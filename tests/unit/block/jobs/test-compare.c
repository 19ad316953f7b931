/* SPDX-License-Identifier: MIT */
#include <cairn/job.h>

#include "io-driver.h"

typedef struct CmFixture {
    CairnContext *ctx;
    BlockBackend *blks[2];
    MemState *mems[2];
    BlockCompareOptions opts;
    BlockCompareResult result;
} CmFixture;

static void cm_open(CmFixture *f, const char *a, const char *b)
{
    *f = (CmFixture){ .ctx = mem_context() };
    f->blks[0] = mem_open_blk(f->ctx, a, 0);
    f->blks[1] = mem_open_blk(f->ctx, b, 0);
    for (int i = 0; i < 2; i++) {
        f->mems[i] = mem_state(f->blks[i]);
        mem_fill(f->mems[i]->data, f->mems[i]->length, 1);
    }
}

static void cm_close(CmFixture *f)
{
    blk_unref(f->blks[0]);
    blk_unref(f->blks[1]);
    cairn_context_unref(f->ctx);
}

static void cm_expect(CmFixture *f, BlockCompareVerdict verdict, int64_t offset)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(block_compare(f->blks[0], f->blks[1], &f->opts, &f->result, &error));
    g_assert_no_error(error);
    g_assert_cmpint(f->result.verdict, ==, verdict);
    if (verdict != BLOCK_COMPARE_IDENTICAL) {
        g_assert_cmpint(f->result.offset, ==, offset);
    }
}

static void test_identical(void)
{
    CmFixture f;

    cm_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    cm_expect(&f, BLOCK_COMPARE_IDENTICAL, 0);
    f.opts.strict = true;
    cm_expect(&f, BLOCK_COMPARE_IDENTICAL, 0);
    g_assert_false(f.result.size_mismatch);
    cm_close(&f);
}

static void test_sector(void)
{
    CmFixture f;

    cm_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    f.mems[1]->data[66561] ^= 1;
    cm_expect(&f, BLOCK_COMPARE_CONTENT_DIFFERS, 66560);
    f.mems[1]->data[66047] ^= 1;
    cm_expect(&f, BLOCK_COMPARE_CONTENT_DIFFERS, 65536);
    f.mems[0]->data[0] ^= 1;
    cm_expect(&f, BLOCK_COMPARE_CONTENT_DIFFERS, 0);
    cm_close(&f);
}

/* The first range takes longest, yet its difference counts. */
static void test_lowest(void)
{
    CmFixture f;

    cm_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    for (int64_t pos = 300000; pos < 4 * MiB; pos += 300000) {
        f.mems[0]->data[pos] ^= 1;
    }
    f.mems[0]->yields = 7;
    f.mems[0]->yield_below = 512 * KiB;
    cm_expect(&f, BLOCK_COMPARE_CONTENT_DIFFERS, 299520);
    cm_close(&f);
}

static void test_hole_against_zeros(void)
{
    CmFixture f;

    cm_open(&f, "driver=mem,size=1M", "driver=mem,size=1M");
    for (int i = 64; i < 128; i++) {
        f.mems[0]->is_hole[i] = true;
    }
    memset(f.mems[1]->data + 32768, 0, 32768);
    cm_expect(&f, BLOCK_COMPARE_IDENTICAL, 0);
    f.mems[1]->data[40000] = 1;
    cm_expect(&f, BLOCK_COMPARE_CONTENT_DIFFERS, 39936);
    f.opts.strict = true;
    cm_expect(&f, BLOCK_COMPARE_STATUS_DIFFERS, 32768);
    cm_close(&f);
}

static void test_sizes(void)
{
    CmFixture f;

    cm_open(&f, "driver=mem,size=2M", "driver=mem,size=1M");
    memset(f.mems[0]->data + 1 * MiB, 0, 1 * MiB);
    cm_expect(&f, BLOCK_COMPARE_IDENTICAL, 0);
    g_assert_true(f.result.size_mismatch);
    f.mems[0]->data[2 * MiB - 1] = 1;
    cm_expect(&f, BLOCK_COMPARE_CONTENT_DIFFERS, 2 * MiB - 512);
    g_assert_true(f.result.size_mismatch);
    f.opts.strict = true;
    cm_expect(&f, BLOCK_COMPARE_SIZE_DIFFERS, 1 * MiB);
    cm_close(&f);
}

static void cm_expect_error(CmFixture *f, BlockCompareVerdict verdict, int64_t offset, int which)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(block_compare(f->blks[0], f->blks[1], &f->opts, &f->result, &error));
    g_assert_error(error, CAIRN_ERROR, EIO);
    g_assert_cmpint(f->result.verdict, ==, verdict);
    g_assert_cmpint(f->result.offset, ==, offset);
    g_assert_cmpint(f->result.which, ==, which);
}

static void test_read_error(void)
{
    CmFixture f;

    /* the format's status comes from its own table, so only the read fails */
    cm_open(&f, "driver=memcow,file.driver=mem,file.size=4M", "driver=mem,size=4M");
    for (int i = 0; i < 8192; i++) {
        ((MemCowState *)f.blks[0]->root->bs->opaque)->is_allocated[i] = true;
    }
    f.mems[0]->fail = EIO;
    f.mems[0]->fail_offset = 2 * MiB;
    cm_expect_error(&f, BLOCK_COMPARE_READ_ERROR, 2 * MiB, 0);
    f.mems[0]->fail = 0;
    cm_close(&f);
}

static void test_status_error(void)
{
    CmFixture f;

    cm_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    f.mems[1]->fail = EIO;
    cm_expect_error(&f, BLOCK_COMPARE_STATUS_ERROR, 0, 1);
    f.mems[1]->fail = 0;
    cm_close(&f);
}

static void test_lost(void)
{
    MemCowState *state;
    CmFixture f;

    cm_open(&f, "driver=memcow,file.driver=mem,file.size=4M",
            "driver=memcow,file.driver=mem,file.size=4M");
    state = f.blks[1]->root->bs->opaque;
    state->lost_from = 1 * MiB;
    state->is_allocated[2048] = true;
    memset(f.mems[1]->data + 1 * MiB, 0, 512);
    cm_expect_error(&f, BLOCK_COMPARE_READ_ERROR, 1 * MiB + 512, 1);
    cm_close(&f);
}

static bool cm_progress(int64_t done, int64_t total, void *opaque)
{
    g_assert_cmpint(total, ==, 4 * MiB);
    *(int64_t *)opaque = done;
    return true;
}

static void test_progress(void)
{
    int64_t last = 0;
    CmFixture f;

    cm_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    f.opts.progress = cm_progress;
    f.opts.opaque = &last;
    cm_expect(&f, BLOCK_COMPARE_IDENTICAL, 0);
    g_assert_cmpint(last, ==, 4 * MiB);
    cm_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/compare/same-bytes/is-identical", test_identical);
    g_test_add_func("/compare/difference/names-its-sector", test_sector);
    g_test_add_func("/compare/differences/lowest-is-named", test_lowest);
    g_test_add_func("/compare/hole-against-zeros/is-identical-unless-strict",
                    test_hole_against_zeros);
    g_test_add_func("/compare/sizes/longer-must-end-in-zeros", test_sizes);
    g_test_add_func("/compare/read-error/names-image-and-offset", test_read_error);
    g_test_add_func("/compare/status-error/names-the-image", test_status_error);
    g_test_add_func("/compare/lost-data/is-an-error", test_lost);
    g_test_add_func("/compare/progress/grows-to-the-total", test_progress);
    return g_test_run();
}
