/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

typedef struct IoFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;
} IoFixture;

static void io_open(IoFixture *f, const char *options, int flags)
{
    f->ctx = mem_context();
    f->blk = mem_open_blk(f->ctx, options, flags);
    f->mem = mem_state(f->blk);
}

static void io_close(IoFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

/* ---- ranges ---------------------------------------------------------------- */

static void test_range(void)
{
    uint8_t buf[1024] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pread(f.blk, 1 * MiB - 512, 512, buf), ==, 0);
    g_assert_cmpint(blk_pread(f.blk, 1 * MiB - 511, 512, buf), ==, -EIO);
    g_assert_cmpint(blk_pread(f.blk, 1 * MiB, 1, buf), ==, -EIO);
    g_assert_cmpint(blk_pread(f.blk, 1 * MiB, 0, buf), ==, 0);
    g_assert_cmpint(blk_pread(f.blk, 1 * MiB + 1, 0, buf), ==, -EIO);
    g_assert_cmpint(blk_pread(f.blk, -1, 1, buf), ==, -EIO);
    g_assert_cmpint(blk_pread(f.blk, 0, -1, buf), ==, -EIO);
    g_assert_cmpint(blk_pread(f.blk, INT64_MAX, 512, buf), ==, -EIO);
    g_assert_cmpint(blk_pwrite(f.blk, 1 * MiB, 1, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite(f.blk, INT64_MAX - 1, 512, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite(f.blk, -512, 512, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 1 * MiB + 1, 0), ==, -EIO);
    g_assert_cmpint(blk_pdiscard(f.blk, 1 * MiB, 512), ==, -EIO);
    g_assert_cmpint(f.mem->writes, ==, 0);
    io_close(&f);
}

/* Whether the length is known yet or not, a driver that fails is not asked again. */
static void test_failed_read(void)
{
    uint8_t buf[512];
    IoFixture f;

    io_open(&f, "driver=mem,size=1M", 0);
    f.mem->fail = ENOSPC;
    g_assert_cmpint(blk_pread(f.blk, 0, sizeof(buf), buf), ==, -ENOSPC);
    g_assert_cmpint(f.mem->reads, ==, 1);
    g_assert_cmpint(blk_pread(f.blk, 0, sizeof(buf), buf), ==, -ENOSPC);
    g_assert_cmpint(f.mem->reads, ==, 2);
    io_close(&f);
}

static void test_padding_reads_zero(void)
{
    uint8_t buf[1024];
    IoFixture f;

    io_open(&f, "driver=mem,size=700", BLK_O_RDWR);
    memset(f.mem->data, 0x5a, 700);
    memset(buf, 0xff, sizeof(buf));
    g_assert_cmpint(blk_getlength(f.blk), ==, 1024);
    g_assert_cmpint(blk_pread(f.blk, 0, 1024, buf), ==, 0);
    g_assert_cmpint(buf[699], ==, 0x5a);
    g_assert_true(cairn_buffer_is_zero(buf + 700, 324));
    g_assert_cmpint(blk_pread(f.blk, 800, 100, buf), ==, 0);
    g_assert_true(cairn_buffer_is_zero(buf, 100));
    g_assert_cmpint(blk_pread(f.blk, 1000, 25, buf), ==, -EIO);
    io_close(&f);
}

static void test_padding_write_extends(void)
{
    uint8_t buf[30];
    IoFixture f;

    memset(buf, 7, sizeof(buf));
    io_open(&f, "driver=mem,size=700", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 690, 30, buf, 0), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 720);
    g_assert_cmpint(blk_pwrite(f.blk, 1000, 25, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite(f.blk, 1024, 1, buf, 0), ==, -EIO);
    g_assert_cmpint(f.mem->length, ==, 720);
    io_close(&f);
}

/* Somebody else makes the file longer: the kept length is only a lower bound. */
static void test_growth_is_seen(void)
{
    uint8_t buf[512];
    IoFixture f;

    io_open(&f, "driver=mem,size=4k", BLK_O_RDWR);
    g_assert_cmpint(blk_pread(f.blk, 4096, 512, buf), ==, -EIO);
    f.mem->length = 8192;
    g_assert_cmpint(blk_pread(f.blk, 4096, 512, buf), ==, 0);
    g_assert_cmpint(blk_getlength(f.blk), ==, 8192);
    io_close(&f);
}

static void test_resize_permission_extends(void)
{
    uint8_t buf[512] = {1};
    IoFixture f;

    io_open(&f, "driver=mem,size=4k", BLK_O_RDWR | BLK_O_RESIZE);
    g_assert_cmpint(blk_pwrite(f.blk, 8192, 512, buf, 0), ==, -EIO);
    f.blk->grows = true;
    g_assert_cmpint(blk_pwrite(f.blk, 8192, 512, buf, 0), ==, 0);
    g_assert_cmpint(blk_getlength(f.blk), ==, 8704);
    io_close(&f);
}

static void test_truncate(void)
{
    g_autoptr(GError) error = NULL;
    uint8_t buf[512];
    IoFixture f;

    io_open(&f, "driver=mem,size=8k", BLK_O_RDWR | BLK_O_RESIZE);
    g_assert_cmpint(blk_pread(f.blk, 7680, 512, buf), ==, 0);
    g_assert_true(blk_truncate(f.blk, 4096, PREALLOC_MODE_OFF, &error));
    g_assert_no_error(error);
    g_assert_cmpint(blk_pread(f.blk, 7680, 512, buf), ==, -EIO);
    g_assert_true(blk_truncate(f.blk, 16384, PREALLOC_MODE_OFF, &error));
    g_assert_cmpint(blk_pread(f.blk, 15872, 512, buf), ==, 0);
    g_assert_false(blk_truncate(f.blk, -1, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    io_close(&f);
}

static void test_truncate_takes_permission(void)
{
    g_autoptr(GError) error = NULL;
    uint8_t buf[512] = {1};
    IoFixture f;

    io_open(&f, "driver=mem,size=8k", BLK_O_RDWR);
    g_assert_true(blk_truncate(f.blk, 4096, PREALLOC_MODE_OFF, &error));
    g_assert_no_error(error);
    g_assert_cmpint(f.mem->length, ==, 4096);
    g_assert_cmphex(f.blk->root->perm & BLK_PERM_RESIZE, ==, 0);
    g_assert_cmpint(blk_pwrite(f.blk, 4096, 512, buf, 0), ==, -EIO);
    io_close(&f);
}

static void test_truncate_read_only(void)
{
    g_autoptr(GError) error = NULL;
    IoFixture f;

    io_open(&f, "driver=mem,size=8k", 0);
    g_assert_false(blk_truncate(f.blk, 4096, PREALLOC_MODE_OFF, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(f.mem->length, ==, 8192);
    io_close(&f);
}

static void test_read_only(void)
{
    uint8_t buf[512] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M,read-only=on", 0);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, -EROFS);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 512, 0), ==, -EROFS);
    g_assert_cmpint(blk_pdiscard(f.blk, 0, 512), ==, -EROFS);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    io_close(&f);
}

static void test_closed(void)
{
    uint8_t buf[512];
    IoFixture f;

    io_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_close(f.blk), ==, 0);
    g_assert_cmpint(blk_pread(f.blk, 0, 512, buf), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_flush(f.blk), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_getlength(f.blk), ==, -ENOMEDIUM);
    io_close(&f);
}

/* ---- shapes of requests ------------------------------------------------------ */

static void test_aligned_is_one_call(void)
{
    g_autofree uint8_t *buf = g_malloc0(64 * KiB);
    IoFixture f;

    io_open(&f, "driver=mem,size=1M,align=512", BLK_O_RDWR);
    g_assert_cmpint(blk_pread(f.blk, 512, 64 * KiB, buf), ==, 0);
    g_assert_cmpint(f.mem->reads, ==, 1);
    g_assert_cmpint(blk_pwrite(f.blk, 512, 64 * KiB, buf, 0), ==, 0);
    g_assert_cmpint(f.mem->writes, ==, 1);
    g_assert_cmpint(f.mem->reads, ==, 1);
    io_close(&f);
}

static void test_split_at_max_transfer(void)
{
    g_autofree uint8_t *buf = g_malloc0(64 * KiB);
    IoFixture f;

    io_open(&f, "driver=mem,size=1M,align=512,max-transfer=5000", BLK_O_RDWR);
    g_assert_cmpint(blk_pread(f.blk, 0, 46080, buf), ==, 0);
    g_assert_cmpint(f.mem->reads, ==, 10);      /* of 4608 bytes each */
    io_close(&f);
}

static void test_unaligned_write_reads_two_blocks(void)
{
    uint8_t buf[5000] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M,align=4096", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 4000, 5000, buf, 0), ==, 0);
    g_assert_cmpint(f.mem->reads, ==, 2);
    g_assert_cmpint(f.mem->writes, ==, 1);
    g_assert_cmpint(blk_pwrite(f.blk, 1, 2, buf, 0), ==, 0);
    g_assert_cmpint(f.mem->reads, ==, 3);
    io_close(&f);
}

/* A block that cannot be read is not written: what the write leaves would be lost. */
static void test_unreadable_block_stays(void)
{
    uint8_t buf[100] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M,align=512", BLK_O_RDWR);
    f.mem->fail = EIO;
    g_assert_cmpint(blk_pwrite(f.blk, 4000, 100, buf, 0), ==, -EIO);
    g_assert_cmpint(f.mem->writes, ==, 0);
    f.mem->fail = 0;
    io_close(&f);
}

/* Cuts [0, bytes) into odd pieces. */
static void io_make_vector(IOVector *v, uint8_t *buf, size_t bytes, GRand *rand)
{
    io_vector_init(v, 8);
    while (bytes > 0) {
        size_t n = g_rand_int_range(rand, 1, 3000);

        n = MIN(n, bytes);
        io_vector_add(v, buf, n);
        buf += n;
        bytes -= n;
    }
}

/* Reads and writes of random ranges against a shadow of what must be there. */
static void test_random(const void *options)
{
    enum { BYTES = 256 * 1024, ROUNDS = 400 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autofree uint8_t *shadow = g_malloc0(BYTES), *buf = g_malloc(BYTES);
    IoFixture f;

    io_open(&f, options, BLK_O_RDWR);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t offset = g_rand_int_range(rand, 0, BYTES);
        int64_t most = g_rand_boolean(rand) ? 5000 : BYTES;
        int64_t max = MIN(BYTES - offset, most);
        int64_t bytes = g_rand_int_range(rand, 0, max + 1);
        g_auto(IOVector) v = {0};

        if (g_rand_boolean(rand)) {
            offset &= ~(int64_t)4095;
            bytes &= ~(int64_t)4095;
        }
        io_make_vector(&v, buf, bytes, rand);
        switch (g_rand_int_range(rand, 0, 3)) {
        case 0:
            mem_fill(buf, bytes, i);
            g_assert_cmpint(blk_pwritev(f.blk, offset, &v, 0), ==, 0);
            memcpy(shadow + offset, buf, bytes);
            break;
        case 1:
            g_assert_cmpint(blk_pwrite_zeroes(f.blk, offset, bytes, 0), ==, 0);
            memset(shadow + offset, 0, bytes);
            break;
        default:
            memset(buf, 0xaa, bytes);
            g_assert_cmpint(blk_preadv(f.blk, offset, &v, 0), ==, 0);
            g_assert_cmpmem(buf, bytes, shadow + offset, bytes);
        }
    }
    g_assert_cmpmem(f.mem->data, BYTES, shadow, BYTES);
    io_close(&f);
}

/* ---- durability ------------------------------------------------------------------ */

static void test_fua_is_a_flush(void)
{
    uint8_t buf[512] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    g_assert_cmpint(f.mem->last_write_flags, ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 512, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 2);
    io_close(&f);
}

static void test_fua_of_driver_is_used(void)
{
    uint8_t buf[512] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M,fua=on", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    g_assert_cmpint(f.mem->last_write_flags, ==, BDRV_REQ_FUA);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 512, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    g_assert_cmpint(f.mem->last_zero_flags, ==, BDRV_REQ_FUA);
    io_close(&f);
}

static void test_writethrough(void)
{
    uint8_t buf[512] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M", BLK_O_RDWR | BLK_O_WRITETHROUGH);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    blk_set_write_cache(f.blk, true);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, buf, 0), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    io_close(&f);
}

static void test_compressed_is_refused(void)
{
    uint8_t buf[4096] = {0};
    IoFixture f;

    io_open(&f, "driver=mem,size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 4096, buf, BDRV_REQ_WRITE_COMPRESSED), ==, -ENOTSUP);
    io_close(&f);
    io_open(&f, "driver=memcow,file.driver=mem,file.size=1M", BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(f.blk, 1, 4096, buf, BDRV_REQ_WRITE_COMPRESSED), ==, -EINVAL);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 4095, buf, BDRV_REQ_WRITE_COMPRESSED), ==, -EINVAL);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 4096, buf, BDRV_REQ_WRITE_COMPRESSED), ==, 0);
    g_assert_cmpint(f.mem->writes, ==, 1);
    io_close(&f);
}

int main(int argc, char **argv)
{
    static const char *const shapes[][2] = {
        { "align-1", "driver=mem,size=256k" },
        { "align-512", "driver=mem,size=256k,align=512" },
        { "align-4096", "driver=mem,size=256k,align=4096" },
        { "align-512-of-memory-too", "driver=mem,size=256k,align=512,mem-align=512" },
        { "align-4096-memory-512", "driver=mem,size=256k,align=4096,mem-align=512" },
        { "short-transfers", "driver=mem,size=256k,align=512,max-transfer=9k,max-zeroes=20k" },
        { "two-elements", "driver=mem,size=256k,align=512,max-iov=2,zero-align=4k" },
        { "no-zeroes", "driver=mem,size=256k,align=4096,no-zeroes=on" },
    };

    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/io/range/outside-the-image/is-eio", test_range);
    g_test_add_func("/io/read/failure/is-asked-for-once", test_failed_read);
    g_test_add_func("/io/padding/last-sector-of-a-short-file/reads-as-zero",
                    test_padding_reads_zero);
    g_test_add_func("/io/padding/write-into-it/extends-the-file", test_padding_write_extends);
    g_test_add_func("/io/length/growth-by-others/is-seen", test_growth_is_seen);
    g_test_add_func("/io/length/write-past-the-end/needs-grows", test_resize_permission_extends);
    g_test_add_func("/io/length/truncate/changes-the-range", test_truncate);
    g_test_add_func("/io/length/truncate-without-resize/takes-it-for-the-call",
                    test_truncate_takes_permission);
    g_test_add_func("/io/length/truncate-read-only/is-refused", test_truncate_read_only);
    g_test_add_func("/io/read-only/writes/are-erofs", test_read_only);
    g_test_add_func("/io/closed/requests/are-enomedium", test_closed);
    g_test_add_func("/io/shape/aligned/is-one-call", test_aligned_is_one_call);
    g_test_add_func("/io/shape/max-transfer/splits-at-blocks", test_split_at_max_transfer);
    g_test_add_func("/io/shape/unaligned-write/reads-only-the-edges",
                    test_unaligned_write_reads_two_blocks);
    g_test_add_func("/io/shape/unreadable-edge/is-not-written", test_unreadable_block_stays);
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autofree char *path = g_strdup_printf("/io/random/%s/equals-the-shadow", shapes[i][0]);

        g_test_add_data_func(path, shapes[i][1], test_random);
    }
    g_test_add_func("/io/fua/without-driver/is-a-flush", test_fua_is_a_flush);
    g_test_add_func("/io/fua/with-driver/is-passed-on", test_fua_of_driver_is_used);
    g_test_add_func("/io/writethrough/every-write/is-flushed", test_writethrough);
    g_test_add_func("/io/compressed/without-driver-or-unaligned/is-refused",
                    test_compressed_is_refused);
    return g_test_run();
}
