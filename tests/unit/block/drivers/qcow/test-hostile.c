/* SPDX-License-Identifier: MIT */
/*
 * Images made to do harm: entries that lead onto the header, the tables or out of the file, and
 * plain garbage. Nothing may crash, reach what is not the guest's, or change header and tables by a
 * guest's write.
 */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define CLUSTER 512
#define SIZE (1 << 20)          /* 512-byte clusters, 64 entries a table: 32 tables */
#define TABLE 4096
#define OTHER_TABLE 8192

static CairnContext *ctx;

static MemDisk *image_hostile(void)
{
    MemDisk *d = image_new(SIZE, 9, 6);

    image_put64(d, 48, TABLE);
    image_put64(d, 56, OTHER_TABLE);
    image_resize(d, 16384);
    image_fill(d, 12288, 5, 4096);
    return d;
}

static void test_write_onto_metadata(void)
{
    static const int64_t targets[] = { 0 + 512, TABLE, OTHER_TABLE };

    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
        /* L1 reaches past byte 512 only if it is longer than 58 entries */
        g_autoptr(MemDisk) d = image_new(4 << 20, 9, 6);
        g_autofree uint8_t *before = NULL;
        uint8_t buf[512];
        BlockBackend *blk;

        image_put64(d, 48, TABLE);
        image_put64(d, 56, OTHER_TABLE);
        image_put64(d, TABLE, (uint64_t)targets[i]);
        image_resize(d, 16384);
        before = g_memdup2(d->data, d->size);
        blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
        g_assert_cmpint(blk_pread(blk, 0, 512, buf), ==, 0);
        memset(buf, 0xff, sizeof(buf));
        g_assert_cmpint(blk_pwrite(blk, 0, 512, buf, 0), ==, -EIO);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 512, 0), ==, -EIO);
        mem_close_ok(blk);
        g_assert_cmpmem(d->data, d->size, before, 16384);
    }
}

/* A table that stands on the header: entries of it are not changed. */
static void test_table_onto_header(void)
{
    g_autoptr(MemDisk) d = image_hostile();
    uint8_t header[560], buf[512] = { 1 };
    BlockBackend *blk;

    image_put64(d, 64, 8);
    memcpy(header, d->data, sizeof(header));
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
    for (int i = 0; i < 64; i++) {
        int64_t at = 2 * 64 * CLUSTER + i * CLUSTER;

        blk_pread(blk, at, 512, buf);
        blk_pwrite(blk, at, 512, buf, 0);
        blk_pwrite_zeroes(blk, at, 512, BDRV_REQ_MAY_UNMAP);
        blk_pdiscard(blk, at, 512);
    }
    mem_close_ok(blk);
    g_assert_cmpmem(d->data, sizeof(header), header, sizeof(header));
}

/* Zeros that cannot be stored are not reported as stored; a discard may be passed over. */
static void test_zero_unaligned(void)
{
    g_autoptr(MemDisk) d = image_hostile();
    uint8_t buf[CLUSTER];
    BlockBackend *blk;

    image_put64(d, TABLE, 12288);
    image_put64(d, TABLE + 8, 12289 + 512);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
    g_assert_cmpint(blk_pwrite_zeroes(blk, CLUSTER, CLUSTER, BDRV_REQ_MAY_UNMAP), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, CLUSTER, CLUSTER, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 2 * CLUSTER, BDRV_REQ_MAY_UNMAP), ==, -EIO);
    g_assert_cmpint(blk_pdiscard(blk, CLUSTER, CLUSTER), ==, 0);
    g_assert_cmpint(blk_pread(blk, CLUSTER, CLUSTER, buf), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, 0, CLUSTER, buf), ==, 0);
    mem_close_ok(blk);
    g_assert_cmpuint(image_get64(d, TABLE + 8), ==, 12289 + 512);
}

/* Two clusters at one place: reads work, once the scan has seen it writes do not. */
static void test_named_twice(void)
{
    g_autoptr(MemDisk) d = image_hostile();
    uint8_t buf[512];
    BlockBackend *blk;

    image_put64(d, TABLE, 12288);
    image_put64(d, TABLE + 8, 12288);
    image_put64(d, TABLE + 16, 12800);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
    memset(buf, 1, sizeof(buf));
    g_assert_cmpint(blk_pwrite(blk, 8 * CLUSTER, 512, buf, 0), ==, 0);   /* grows: scans */
    g_assert_cmpint(blk_pwrite(blk, 0, 512, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite(blk, CLUSTER, 512, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite(blk, 2 * CLUSTER, 512, buf, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 0, CLUSTER), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, CLUSTER, 512, buf), ==, 0);
    g_assert_cmpint(buf[0], ==, 5);                                     /* not punched */
    mem_close_ok(blk);
}

/*
 * Entries past the end in a table that shares its place are not cleared: what is written next goes
 * elsewhere, so that they lead to zeros when the file has grown.
 */
static void test_dangling_in_shared_table(void)
{
    g_autoptr(MemDisk) d = image_hostile();
    uint8_t buf[512];
    BlockBackend *blk;

    image_put64(d, TABLE, OTHER_TABLE);                 /* a cluster upon the second table */
    for (int i = 0; i < 32; i++) {
        image_put64(d, OTHER_TABLE + i * 8, (uint64_t)(16384 + i * 512));
    }
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    memset(buf, 0x77, sizeof(buf));
    for (int i = 0; i < 64; i++) {
        g_assert_cmpint(blk_pwrite(blk, SIZE / 2 + i * 512, 512, buf, 0), ==, 0);
    }
    mem_close_ok(blk);
    blk = mem_open_ok(ctx, d, NULL, 0);
    for (int i = 0; i < 32; i++) {
        g_assert_cmpint(blk_pread(blk, (64 + i) * CLUSTER, 512, buf), ==, 0);
        g_assert_true(cairn_buffer_is_zero(buf, 512));
        g_assert_cmpint(blk_pread(blk, SIZE / 2 + i * 1024, 512, buf), ==, 0);
        g_assert_cmpint(buf[0], ==, 0x77);
    }
    mem_close_ok(blk);
}

/* Each entry at each edge: reads and writes end, with success or -EIO. */
static void test_edges(void)
{
    g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    uint8_t buf[512] = { 1 };

    for (int k = 0; k < 64; k++) {
        for (int delta = -1; delta <= 1; delta++) {
            uint64_t v = ((uint64_t)1 << k) + (uint64_t)delta;

            g_array_append_val(values, v);
            v |= (uint64_t)1 << 63;
            g_array_append_val(values, v);
        }
        for (int edge = -512; edge <= 512; edge += 511) {
            uint64_t v = (uint64_t)(16384 + edge) | (uint64_t)1 << 63 | (uint64_t)k << 54;

            g_array_append_val(values, v);
        }
    }
    for (guint i = 0; i < values->len; i++) {
        g_autoptr(MemDisk) d = image_hostile();
        uint64_t v = g_array_index(values, uint64_t, i);
        BlockBackend *blk;
        BlockCheckResult r = { 0 };
        BlockStatus st;

        image_put64(d, TABLE, v);
        image_put64(d, 64, v);          /* as an L1 entry too */
        blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
        for (int64_t at = 0; at <= 2 * 64 * CLUSTER; at += 64 * CLUSTER) {
            int ret = blk_pread(blk, at, 512, buf);

            g_assert_true(ret == 0 || ret == -EIO);
            ret = blk_pwrite(blk, at, 256, buf, 0);
            g_assert_true(ret == 0 || ret == -EIO || ret == -EINVAL);
            ret = blk_pwrite(blk, at, 512, buf, 0);
            g_assert_true(ret == 0 || ret == -EIO);
            g_assert_cmpint(blk_block_status(blk, at, SIZE - at, &st), ==, 0);
        }
        g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
        mem_close_ok(blk);
        g_assert_cmpint(d->size, <, 1 << 20);
    }
}

/* Files that end anywhere. */
static void test_cut_off(void)
{
    g_autoptr(MemDisk) whole = image_hostile();
    uint8_t buf[512] = { 1 };

    image_put64(whole, TABLE, 12288);
    image_put64(whole, TABLE + 8, (uint64_t)1 << 63 | (uint64_t)200 << 54 | (12288 + 1024));
    image_put64(whole, OTHER_TABLE, 12800);
    for (int64_t size = 0; size < whole->size; size += size < 1024 ? 7 : 509) {
        g_autoptr(MemDisk) d = mem_disk_new(whole->data, size);
        BlockBackend *blk = mem_open(ctx, d, NULL, NULL, BLK_O_RDWR, NULL);

        g_assert_cmpint(blk != NULL, ==, size >= 48);
        if (!blk) {
            continue;
        }
        for (int64_t at = 0; at < SIZE; at += 32 * CLUSTER) {
            int ret = blk_pread(blk, at, 512, buf);

            g_assert_true(ret == 0 || ret == -EIO);
        }
        g_assert_cmpint(blk_pwrite(blk, SIZE - 512, 512, buf, 0), ==, 0);
        mem_close_ok(blk);
    }
}

/* What is left of a cut name may be the name of another file. */
static void test_cut_name(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 9, 6);
    g_autoptr(GError) error = NULL;

    image_put64(d, 8, (uint64_t)d->size - 4);
    image_put64(d, 16, (uint64_t)8 << 32);
    g_assert_null(mem_open(ctx, d, NULL, NULL, BLK_O_NO_BACKING, &error));
    g_assert_cmpstr(error->message, ==, "The name of the backing file leads past the end of the "
                    "image");
}

/* Random bytes in all tables. */
static void test_garbage(void)
{
    GRand *rand = g_rand_new_with_seed(7);

    for (int round = 0; round < 300; round++) {
        g_autoptr(MemDisk) d = image_hostile();
        uint8_t header[48], buf[1024] = { 1 };
        BlockCheckResult r = { 0 };
        BlockBackend *blk;

        for (int64_t at = 48; at + 8 <= d->size; at += 8) {
            uint64_t v = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

            v = g_rand_boolean(rand) ? v : v % 20000;
            if (g_rand_int_range(rand, 0, 3) == 0) {
                image_put64(d, at, g_rand_boolean(rand) ? v & ~511ull : v);
            }
        }
        memcpy(header, d->data, sizeof(header));
        blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
        for (int i = 0; i < 40; i++) {
            int64_t at = g_rand_int_range(rand, 0, SIZE / 512 - 2) * 512ll;

            blk_pread(blk, at, sizeof(buf), buf);
            blk_pwrite(blk, at, sizeof(buf), buf, 0);
            blk_pwrite_zeroes(blk, at, sizeof(buf), BDRV_REQ_MAY_UNMAP);
            blk_pdiscard(blk, at, 65536);
        }
        g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
        blk_close(blk);
        blk_unref(blk);
        g_assert_cmpmem(d->data, 48, header, 48);
    }
    g_rand_free(rand);
}

/* Memory is bounded by what is used, whatever the header says. */
static void test_huge_header(void)
{
    g_autoptr(MemDisk) d = mem_disk_new(NULL, 4096);
    uint8_t buf[512];
    BlockBackend *blk;

    memcpy(d->data, "QFI\xfb\0\0\0\1", 8);
    image_put64(d, 24, ((uint64_t)(1 << 28) - 1) << 29);
    d->data[32] = 16;
    d->data[33] = 13;
    image_put64(d, 40, 48);
    blk = mem_open_ok(ctx, d, NULL, 0);
    g_assert_cmpint(blk_getlength(blk), ==, ((int64_t)(1 << 28) - 1) << 29);
    g_assert_cmpint(blk_pread(blk, blk_getlength(blk) - 512, 512, buf), ==, 0);
    g_assert_true(cairn_buffer_is_zero(buf, 512));
    mem_close_ok(blk);
}

/* ---- tables that lead to more than the file holds ---- */

#define BOMB_L1_ENTRIES (1 << 15)       /* onto one table of 63 entries: 2^21 */

static MemDisk *image_bomb(void)
{
    MemDisk *d = image_new((int64_t)BOMB_L1_ENTRIES * 64 * CLUSTER, 9, 6);
    int64_t table = 48 + BOMB_L1_ENTRIES * 8 + 464;

    for (int i = 0; i < BOMB_L1_ENTRIES; i++) {
        image_put64(d, 48 + i * 8, (uint64_t)table);
    }
    for (int i = 0; i < 63; i++) {
        image_put64(d, table + i * 8, (uint64_t)table + CLUSTER);
    }
    image_fill(d, table + CLUSTER, 1, CLUSTER);
    return d;
}

static void count_report(const char *text, void *opaque)
{
    *(int *)opaque += strstr(text, "more than the file holds") != NULL;
}

/* A check ends and says why; a repair and a write leave the image as it is. */
static void test_bomb(void)
{
    g_autoptr(MemDisk) d = image_bomb();
    g_autofree uint8_t *before = g_memdup2(d->data, d->size);
    int64_t size = d->size;
    uint8_t buf[CLUSTER] = { 0 };
    int said = 0;
    BlockCheckResult r = { .report = count_report, .opaque = &said };
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_RESIZE);

    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_ERRORS | BLOCK_CHECK_FIX_LEAKS, NULL));
    g_assert_cmpint(r.check_errors, ==, 1);
    g_assert_cmpint(r.allocated_clusters, <, 1 << 20);
    g_assert_cmpint(blk_pwrite(blk, 63 * CLUSTER, CLUSTER, buf, 0), ==, -EIO);
    g_assert_false(blk_truncate(blk, blk_getlength(blk) + CLUSTER, PREALLOC_MODE_OFF, NULL));
    mem_close_ok(blk);
    g_assert_cmpmem(d->data, d->size, before, size);
    g_assert_cmpint(said, ==, 1);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/hostile/write-onto-metadata/is-refused", test_write_onto_metadata);
    g_test_add_func("/qcow/hostile/table-onto-header/keeps-the-header", test_table_onto_header);
    g_test_add_func("/qcow/hostile/zeros-onto-an-unaligned-cluster/are-refused",
                    test_zero_unaligned);
    g_test_add_func("/qcow/hostile/space-named-twice/is-not-written", test_named_twice);
    g_test_add_func("/qcow/hostile/dangling-entries-of-a-shared-table/meet-no-new-data",
                    test_dangling_in_shared_table);
    g_test_add_func("/qcow/hostile/entries-at-edges/end-well-or-EIO", test_edges);
    g_test_add_func("/qcow/hostile/file-cut-off/opens-or-says-why", test_cut_off);
    g_test_add_func("/qcow/hostile/name-cut-off/is-refused", test_cut_name);
    g_test_add_func("/qcow/hostile/garbage/keeps-the-header", test_garbage);
    g_test_add_func("/qcow/hostile/a-table-named-by-all/ends-a-check", test_bomb);
    g_test_add_func("/qcow/hostile/largest-disk/takes-no-memory", test_huge_header);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
