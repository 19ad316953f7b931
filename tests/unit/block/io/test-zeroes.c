/* SPDX-License-Identifier: MIT */
/* Zeroes, discards and flushes. */
#include "io-driver.h"

typedef struct ZFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;
} ZFixture;

static void z_open(ZFixture *f, const char *options, int flags)
{
    f->ctx = mem_context();
    f->blk = mem_open_blk(f->ctx, options, flags);
    f->mem = mem_state(f->blk);
    memset(f->mem->data, 0xff, f->mem->length);
}

static void z_close(ZFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

/* Zero exactly in [offset, offset + bytes). */
static void z_check(const MemState *mem, int64_t offset, int64_t bytes)
{
    for (int64_t i = 0; i < mem->length; i++) {
        bool inside = i >= offset && i < offset + bytes;

        g_assert_cmphex(mem->data[i], ==, inside ? 0 : 0xff);
    }
}

static void test_by_driver(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M,align=512", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 4096, 8192, 0), ==, 0);
    z_check(f.mem, 4096, 8192);
    g_assert_cmpint(f.mem->zeroes, ==, 1);
    g_assert_cmpint(f.mem->writes, ==, 0);
    z_close(&f);
}

static void test_by_bytes(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=4M,align=512,no-zeroes=on", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 512, 3 * MiB, 0), ==, 0);
    z_check(f.mem, 512, 3 * MiB);
    g_assert_cmpint(f.mem->zeroes, ==, 0);
    z_close(&f);
}

/* Head and tail of the driver's unit are written as bytes, the middle is the driver's. */
static void test_units(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M,align=512,zero-align=4k,max-zeroes=10k", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 1000, 30000, 0), ==, 0);
    z_check(f.mem, 1000, 30000);
    g_assert_cmpint(f.mem->zeroes, ==, 3);      /* 4096..28672 by 8 KiB */
    z_close(&f);
}

static void test_one_byte(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M,align=4096", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 5000, 1, 0), ==, 0);
    z_check(f.mem, 5000, 1);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 5000, 0, 0), ==, 0);
    z_close(&f);
}

static void test_no_fallback(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M,align=512,no-zeroes=on", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
    g_assert_cmpint(f.mem->writes, ==, 0);
    z_check(f.mem, 0, 0);
    z_close(&f);
    z_open(&f, "driver=mem,size=1M,align=512", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, BDRV_REQ_NO_FALLBACK), ==, 0);
    g_assert_cmpint(f.mem->last_zero_flags, ==, BDRV_REQ_NO_FALLBACK);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 1, 4096, BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
    z_check(f.mem, 0, 4096);
    z_close(&f);
}

static void test_may_unmap(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, BDRV_REQ_MAY_UNMAP), ==, 0);
    g_assert_cmpint(f.mem->last_zero_flags, ==, 0);
    z_close(&f);
    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR | BLK_O_UNMAP);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, BDRV_REQ_MAY_UNMAP), ==, 0);
    g_assert_cmpint(f.mem->last_zero_flags, ==, BDRV_REQ_MAY_UNMAP);
    z_close(&f);
}

static void test_zero_error(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    f.mem->fail = ENOSPC;
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, 0), ==, -ENOSPC);
    f.mem->fail = 0;
    z_close(&f);
}

/* ---- discard ------------------------------------------------------------------ */

static void test_discard_ignored(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pdiscard(f.blk, 0, 1 * MiB), ==, 0);
    g_assert_cmpint(f.mem->discards, ==, 0);
    z_check(f.mem, 0, 0);
    z_close(&f);
}

static void test_discard_interior(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=1M,align=512,discard-align=4k", BLK_O_RDWR | BLK_O_UNMAP);
    g_assert_cmpint(blk_pdiscard(f.blk, 1000, 10000), ==, 0);
    z_check(f.mem, 4096, 4096);
    g_assert_cmpint(blk_pdiscard(f.blk, 9000, 3000), ==, 0);
    g_assert_cmpint(f.mem->discards, ==, 1);
    z_close(&f);
}

static void test_discard_end(void)
{
    ZFixture f;

    z_open(&f, "driver=mem,size=10k,align=512,discard-align=4k", BLK_O_RDWR | BLK_O_UNMAP);
    g_assert_cmpint(blk_pdiscard(f.blk, 4096, 6144), ==, 0);
    z_check(f.mem, 4096, 6144);
    z_close(&f);
}

/* ---- flush ---------------------------------------------------------------------- */

static void test_flush_clean(void)
{
    uint8_t buf[512] = {0};
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 512, 0), ==, 0);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 2);
    z_close(&f);
}

static void test_flush_error(void)
{
    uint8_t buf[512] = {0};
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, 0);
    f.mem->fail = EIO;
    g_assert_cmpint(blk_flush(f.blk), ==, -EIO);
    f.mem->fail = 0;
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 2);
    z_close(&f);
}

/* A failed write may have changed something: it counts too. */
static void test_flush_after_failed_write(void)
{
    uint8_t buf[512] = {0};
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    f.mem->fail = EIO;
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, -EIO);
    f.mem->fail = 0;
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    z_close(&f);
}

static void test_no_flush(void)
{
    uint8_t buf[512] = {0};
    ZFixture f;

    z_open(&f, "driver=mem,size=1M", BLK_O_RDWR | BLK_O_NO_FLUSH);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    z_close(&f);
}

static void test_flush_children(void)
{
    uint8_t buf[512] = {0};
    ZFixture f;

    z_open(&f, "driver=memcow,file.driver=mem,file.size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    z_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/zeroes/aligned/are-one-call-of-the-driver", test_by_driver);
    g_test_add_func("/zeroes/driver-cannot/bytes-are-written", test_by_bytes);
    g_test_add_func("/zeroes/units/middle-is-the-drivers", test_units);
    g_test_add_func("/zeroes/one-byte/leaves-the-others", test_one_byte);
    g_test_add_func("/zeroes/no-fallback/writes-no-bytes", test_no_fallback);
    g_test_add_func("/zeroes/may-unmap/needs-discard-unmap", test_may_unmap);
    g_test_add_func("/zeroes/error-of-driver/is-reported", test_zero_error);
    g_test_add_func("/discard/without-unmap/does-nothing", test_discard_ignored);
    g_test_add_func("/discard/units/only-whole-ones", test_discard_interior);
    g_test_add_func("/discard/end/short-last-unit-counts", test_discard_end);
    g_test_add_func("/flush/clean-node/is-not-flushed", test_flush_clean);
    g_test_add_func("/flush/failed/is-tried-again", test_flush_error);
    g_test_add_func("/flush/failed-write/is-flushed", test_flush_after_failed_write);
    g_test_add_func("/flush/no-flush/reaches-no-protocol", test_no_flush);
    g_test_add_func("/flush/format-without-flush/flushes-its-file", test_flush_children);
    return g_test_run();
}
