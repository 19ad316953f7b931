/* SPDX-License-Identifier: MIT */
/* What a test driver hears of its node's requests, and between which calls of it. */
#include "io-driver.h"

/* "rec" writes down its events and calls, one word each, and passes them on in blocks of 512. */
static GString *rec_log;
static bool rec_fails_reads;

static void rec_note(const char *word)
{
    g_string_append_printf(rec_log, "%s%s", rec_log->len ? " " : "", word);
}

static bool rec_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static bool rec_refresh_limits(BlockDriverState *bs, GError **error)
{
    bs->bl.request_alignment = 512;
    return true;
}

static int coroutine_fn rec_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    rec_note("READ");
    return rec_fails_reads ? -EIO : bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn rec_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    rec_note("WRITE");
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn rec_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                             int flags)
{
    rec_note("ZEROES");
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn rec_co_flush(BlockDriverState *bs)
{
    rec_note("FLUSH");
    return bdrv_co_flush(bs->file);
}

static void coroutine_fn rec_co_debug_event(BlockDriverState *bs, const char *event)
{
    rec_note(event);
}

static const BlockDriver bdrv_rec = {
    .format_name = "rec",
    .is_filter = true,
    .bdrv_open = rec_open,
    .bdrv_refresh_limits = rec_refresh_limits,
    .bdrv_co_preadv = rec_co_preadv,
    .bdrv_co_pwritev = rec_co_pwritev,
    .bdrv_co_pwrite_zeroes = rec_co_pwrite_zeroes,
    .bdrv_co_flush = rec_co_flush,
    .bdrv_co_debug_event = rec_co_debug_event,
};

typedef struct RecFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    uint8_t *buf;
} RecFixture;

#define REC_BYTES (4 * MiB)

static void rec_setup(RecFixture *f, const char *options, int flags)
{
    f->ctx = mem_context();
    g_assert_true(bdrv_register(f->ctx, &bdrv_rec, NULL));
    f->blk = mem_open_blk(f->ctx, options, BLK_O_RDWR | flags);
    f->buf = g_malloc0(REC_BYTES);
    rec_log = g_string_new(NULL);
}

static void rec_teardown(RecFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
    g_free(f->buf);
    g_string_free(rec_log, TRUE);
}

static void rec_expect(const char *words)
{
    g_assert_cmpstr(rec_log->str, ==, words);
    g_string_truncate(rec_log, 0);
}

static void rec_expect_write(RecFixture *f, int64_t offset, int64_t bytes, const char *words)
{
    g_assert_cmpint(blk_pwrite(f->blk, offset, bytes, f->buf, 0), ==, 0);
    rec_expect(words);
}

static void rec_expect_zeroes(RecFixture *f, int64_t offset, int64_t bytes, const char *words)
{
    g_assert_cmpint(blk_pwrite_zeroes(f->blk, offset, bytes, 0), ==, 0);
    rec_expect(words);
}

#define REC_PLAIN "driver=rec,file.driver=mem,file.size=4M"
#define HEAD "pwritev_rmw_head READ pwritev_rmw_after_head"
#define TAIL "pwritev_rmw_tail READ pwritev_rmw_after_tail"
#define BOTH "pwritev_rmw_head pwritev_rmw_tail READ pwritev_rmw_after_head pwritev_rmw_after_tail"
#define WRITE "pwritev WRITE pwritev_done"

static void test_writes(void)
{
    RecFixture f;

    rec_setup(&f, REC_PLAIN, 0);
    rec_expect_write(&f, 0, 1024, WRITE);
    rec_expect_write(&f, 100, 412, HEAD " " WRITE);
    rec_expect_write(&f, 512, 100, TAIL " " WRITE);
    rec_expect_write(&f, 100, 100, BOTH " " WRITE);
    rec_expect_write(&f, 100, 1000, HEAD " " TAIL " " WRITE);
    rec_expect_write(&f, 0, 0, "");
    rec_teardown(&f);
}

/* The ends of a long write are written apart, but it is one. */
static void test_long_write(void)
{
    RecFixture f;

    rec_setup(&f, REC_PLAIN, 0);
    rec_expect_write(&f, 100, 2 * MiB,
                     "pwritev " HEAD " WRITE WRITE " TAIL " WRITE pwritev_done");
    rec_teardown(&f);
}

static void test_zeroes(void)
{
    RecFixture f;

    rec_setup(&f, REC_PLAIN, 0);
    rec_expect_zeroes(&f, 0, 65536, "pwritev_zero ZEROES pwritev_done");
    rec_expect_zeroes(&f, 100, 100, BOTH " " WRITE);
    rec_expect_zeroes(&f, 100, 1024, HEAD " " WRITE " pwritev_zero ZEROES pwritev_done "
                      TAIL " " WRITE);
    rec_teardown(&f);
}

static void test_failed_read(void)
{
    RecFixture f;

    rec_setup(&f, REC_PLAIN, 0);
    rec_fails_reads = true;
    g_assert_cmpint(blk_pwrite(f.blk, 100, 100, f.buf, 0), ==, -EIO);
    rec_expect("pwritev_rmw_head pwritev_rmw_tail READ");
    g_assert_cmpint(blk_pwrite(f.blk, 512, 100, f.buf, 0), ==, -EIO);
    rec_expect("pwritev_rmw_tail READ");
    rec_fails_reads = false;
    rec_teardown(&f);
}

static void test_reads(void)
{
    RecFixture f;

    rec_setup(&f, REC_PLAIN, 0);
    g_assert_cmpint(blk_pread(f.blk, 0, 512, f.buf), ==, 0);
    rec_expect("READ");
    rec_teardown(&f);
}

#define REC_RAW "driver=raw,file.driver=rec,file.file.driver=mem,file.file.size=4M"

static void test_raw(void)
{
    RecFixture f;

    rec_setup(&f, REC_RAW, 0);
    g_assert_cmpint(blk_pread(f.blk, 0, 512, f.buf), ==, 0);
    rec_expect("read_aio READ");
    rec_expect_write(&f, 0, 512, "write_aio " WRITE);
    rec_expect_zeroes(&f, 0, 512, "pwritev_zero ZEROES pwritev_done");
    rec_teardown(&f);
}

static void test_flush(void)
{
    RecFixture f;

    rec_setup(&f, REC_RAW, 0);
    rec_expect_write(&f, 0, 512, "write_aio " WRITE);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    rec_expect("flush_to_os flush_to_disk FLUSH");
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    rec_expect("flush_to_os");
    rec_teardown(&f);
}

static void test_ignored_flush(void)
{
    RecFixture f;

    rec_setup(&f, REC_RAW, BLK_O_NO_FLUSH);
    rec_expect_write(&f, 0, 512, "write_aio " WRITE);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    rec_expect("flush_to_os FLUSH");
    rec_teardown(&f);
}

/* The node itself is not told of its own flush: who stands above it is what flushes. */
static void test_flush_of_root(void)
{
    RecFixture f;

    rec_setup(&f, REC_PLAIN, 0);
    rec_expect_write(&f, 0, 512, WRITE);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    rec_expect("FLUSH");
    rec_teardown(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/events/write/stands-between-pwritev-and-done", test_writes);
    g_test_add_func("/events/write/of-several-parts-is-one", test_long_write);
    g_test_add_func("/events/zeroes/are-told-from-writes", test_zeroes);
    g_test_add_func("/events/write/is-not-begun-after-a-failed-read", test_failed_read);
    g_test_add_func("/events/read/is-silent", test_reads);
    g_test_add_func("/events/raw/tells-of-reads-and-writes", test_raw);
    g_test_add_func("/events/flush/is-told-to-the-node-below", test_flush);
    g_test_add_func("/events/flush/that-is-ignored-reaches-no-disk", test_ignored_flush);
    g_test_add_func("/events/flush/is-not-told-to-the-node-itself", test_flush_of_root);
    return g_test_run();
}
