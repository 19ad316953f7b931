/* SPDX-License-Identifier: MIT */
/* Reading and block status of hand-made images: what the tables say is what the guest sees. */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "util/cutils.h"

#define CLUSTER 4096
#define L2_AT 4096              /* of the images made here */
#define SIZE (8 << 20)          /* 4 L2 tables */

static CairnContext *ctx;

/* 4 KiB clusters; L1[0] leads to a table at L2_AT. */
static MemDisk *image_with_table(void)
{
    MemDisk *d = image_new(SIZE, 12, 9);

    image_put64(d, 48, L2_AT);
    image_resize(d, L2_AT + 4096);
    return d;
}

static void map_cluster(MemDisk *d, int index, uint64_t entry)
{
    image_put64(d, L2_AT + index * 8, entry);
}

static void assert_bytes(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, ~value, bytes);
    g_assert_cmpint(blk_pread(blk, offset, bytes, buf), ==, 0);
    for (int64_t i = 0; i < bytes; i++) {
        if (buf[i] != (uint8_t)value) {
            g_error("byte %" G_GINT64_FORMAT " is %d, not %d", offset + i, buf[i], value);
        }
    }
}

static void assert_status(BlockBackend *blk, int64_t offset, int64_t bytes, int flags,
                          int64_t host)
{
    BlockStatus st;

    g_assert_cmpint(blk_block_status(blk, offset, SIZE - offset, &st), ==, 0);
    g_assert_cmpint(st.bytes, ==, bytes);
    g_assert_cmpint(st.flags & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED |
                                BDRV_BLOCK_COMPRESSED | BDRV_BLOCK_OFFSET_VALID), ==, flags);
    if (flags & BDRV_BLOCK_OFFSET_VALID) {
        g_assert_cmpint(st.host_offset, ==, host);
    }
}

static void test_empty(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, 0);

    g_assert_cmpint(blk_getlength(blk), ==, SIZE);
    g_assert_cmpint(blk_get_cluster_size(blk), ==, CLUSTER);
    assert_bytes(blk, 0, SIZE, 0);
    assert_status(blk, 0, SIZE, BDRV_BLOCK_ZERO, 0);
    mem_close_ok(blk);
}

static void test_plain(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    BlockBackend *blk;

    map_cluster(d, 1, 3 * CLUSTER);
    map_cluster(d, 2, 4 * CLUSTER);
    map_cluster(d, 3, 2 * CLUSTER);
    image_fill(d, 2 * CLUSTER, 3, CLUSTER);
    image_fill(d, 3 * CLUSTER, 1, CLUSTER);
    image_fill(d, 4 * CLUSTER, 2, CLUSTER);
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_bytes(blk, 0, CLUSTER, 0);
    assert_bytes(blk, 1 * CLUSTER, CLUSTER, 1);
    assert_bytes(blk, 2 * CLUSTER, CLUSTER, 2);
    assert_bytes(blk, 3 * CLUSTER + 512, 1024, 3);
    assert_bytes(blk, 4 * CLUSTER, SIZE - 4 * CLUSTER, 0);
    assert_status(blk, 0, CLUSTER, BDRV_BLOCK_ZERO, 0);
    assert_status(blk, CLUSTER, 2 * CLUSTER,
                  BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_OFFSET_VALID, 3 * CLUSTER);
    assert_status(blk, 2 * CLUSTER + 512, CLUSTER - 512,
                  BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_OFFSET_VALID,
                  4 * CLUSTER + 512);
    assert_status(blk, 4 * CLUSTER, SIZE - 4 * CLUSTER, BDRV_BLOCK_ZERO, 0);
    mem_close_ok(blk);
}

static void test_one_read_per_run(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    BlockBackend *blk;

    for (int i = 0; i < 512; i++) {
        map_cluster(d, i, (uint64_t)(2 + i) * CLUSTER);
    }
    image_fill(d, 2 * CLUSTER, 7, 512 * CLUSTER);
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_bytes(blk, 0, 512, 7);
    mem_disk_reset_counts(d);
    assert_bytes(blk, 0, 512 * CLUSTER, 7);
    g_assert_cmpint(d->reads, ==, 1);
    mem_close_ok(blk);
}

/* Deflates one cluster of @value to the disk's end; returns the entry. */
static uint64_t append_stream(MemDisk *d, int value, int64_t cluster_bytes)
{
    uint8_t in[CLUSTER], out[CLUSTER];
    z_stream z = { .next_in = in, .avail_in = (uInt)cluster_bytes, .next_out = out,
                   .avail_out = sizeof(out) };
    int64_t at = d->size;

    memset(in, value, sizeof(in));
    g_assert_cmpint(deflateInit2(&z, 9, Z_DEFLATED, -12, 9, 0), ==, Z_OK);
    g_assert_cmpint(deflate(&z, Z_FINISH), ==, Z_STREAM_END);
    image_resize(d, at + (int64_t)z.total_out);
    memcpy(d->data + at, out, z.total_out);
    deflateEnd(&z);
    return (uint64_t)1 << 63 | (uint64_t)z.total_out << 51 | (uint64_t)at;
}

static void test_streams(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    BlockBackend *blk;

    for (int i = 0; i < 100; i++) {
        map_cluster(d, i, append_stream(d, i + 1, CLUSTER));
    }
    blk = mem_open_ok(ctx, d, NULL, 0);
    mem_disk_reset_counts(d);
    for (int i = 0; i < 100; i++) {
        assert_bytes(blk, i * CLUSTER, CLUSTER, i + 1);
        assert_bytes(blk, i * CLUSTER + 1024, 512, i + 1);
        assert_bytes(blk, i * CLUSTER + 3 * 512, 512, i + 1);
    }
    assert_status(blk, 512, 100 * CLUSTER - 512,
                  BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_COMPRESSED, 0);
    mem_disk_reset_counts(d);
    {
        g_autofree uint8_t *buf = g_malloc(101 * CLUSTER);

        g_assert_cmpint(blk_pread(blk, 512, 100 * CLUSTER, buf), ==, 0);
        for (int i = 0; i < 100 * CLUSTER - 512; i++) {
            g_assert_cmpint(buf[i], ==, (i + 512) / CLUSTER + 1);
        }
    }
    g_assert_cmpint(d->reads, ==, 1);
    mem_close_ok(blk);
}

static void test_bad_streams(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    BlockBackend *blk;
    uint8_t buf[CLUSTER];
    uint64_t entry;

    map_cluster(d, 0, append_stream(d, 1, CLUSTER - 1));        /* gives too little */
    entry = append_stream(d, 2, CLUSTER);
    map_cluster(d, 1, entry);
    d->data[d->size - 8] ^= 0x55;                               /* damaged */
    map_cluster(d, 2, (uint64_t)1 << 63);                       /* dead */
    map_cluster(d, 3, (uint64_t)1 << 63 | (uint64_t)4095 << 51 | (uint64_t)(d->size + 100));
    map_cluster(d, 4, append_stream(d, 5, CLUSTER));
    blk = mem_open_ok(ctx, d, NULL, 0);
    for (int i = 0; i < 4; i++) {
        if (i != 1) {
            g_assert_cmpint(blk_pread(blk, i * CLUSTER, CLUSTER, buf), ==, -EIO);
        }
    }
    assert_bytes(blk, 4 * CLUSTER, CLUSTER, 5);
    mem_close_ok(blk);
}

/* The stream's length reaches past the file, but what is there gives a whole cluster. */
static void test_stream_past_end(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    uint64_t entry = append_stream(d, 9, CLUSTER);
    BlockBackend *blk;

    map_cluster(d, 0, entry + ((uint64_t)100 << 51));
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_bytes(blk, 0, CLUSTER, 9);
    mem_close_ok(blk);
}

static void test_past_eof(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    uint8_t buf[CLUSTER];
    BlockBackend *blk;

    image_put64(d, 56, 1 << 20);                    /* a table past the end */
    map_cluster(d, 0, 1 << 20);
    map_cluster(d, 1, (uint64_t)1 << 62);
    map_cluster(d, 2, 2 * CLUSTER);                 /* half of it is there */
    map_cluster(d, 3, 513);                         /* unaligned */
    image_fill(d, 2 * CLUSTER, 5, CLUSTER / 2 - 100);
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_bytes(blk, 0, 2 * CLUSTER, 0);
    assert_bytes(blk, 2 * CLUSTER, CLUSTER / 2 - 512, 5);
    assert_bytes(blk, 2 * CLUSTER + CLUSTER / 2, CLUSTER / 2, 0);
    g_assert_cmpint(blk_pread(blk, 3 * CLUSTER, 512, buf), ==, -EIO);
    assert_bytes(blk, 4 * CLUSTER, SIZE - 4 * CLUSTER, 0);
    mem_close_ok(blk);
}

static void test_backing(void)
{
    g_autoptr(MemDisk) d = image_with_table();
    g_autoptr(MemDisk) base = mem_disk_new(NULL, CLUSTER + 1024);
    BlockBackend *blk;

    image_fill(base, 0, 8, CLUSTER + 1024);
    map_cluster(d, 2, 2 * CLUSTER);
    image_fill(d, 2 * CLUSTER, 5, CLUSTER);
    blk = mem_open_ok(ctx, d, base, 0);
    assert_bytes(blk, 0, CLUSTER + 1024, 8);
    assert_bytes(blk, CLUSTER + 1024, CLUSTER - 1024, 0);
    assert_bytes(blk, 2 * CLUSTER, CLUSTER, 5);
    assert_bytes(blk, 3 * CLUSTER, CLUSTER, 0);
    mem_close_ok(blk);
}

/* The largest table of the format, almost all of it a hole. */
static void test_huge(void)
{
    g_autoptr(MemDisk) d = image_new((int64_t)1 << 40, 9, 6);
    BlockBackend *blk;
    BlockStatus st;

    image_put64(d, 48 + ((1 << 25) - 1) * 8ll, d->size);
    image_put64(d, d->size, d->size + 512 - 8);
    image_fill(d, ROUND_UP_TO(d->size, 512), 3, 512);
    image_put64(d, (int64_t)image_get64(d, 48 + ((1 << 25) - 1) * 8ll), (uint64_t)d->size - 512);
    blk = mem_open_ok(ctx, d, NULL, 0);
    mem_disk_reset_counts(d);
    g_assert_cmpint(blk_block_status(blk, 0, (int64_t)1 << 40, &st), ==, 0);
    g_assert_cmpint(st.bytes, >=, (int64_t)1 << 38);
    g_assert_cmpint(d->reads, <, 10);
    assert_bytes(blk, ((int64_t)1 << 40) - 32768, 512, 3);
    mem_close_ok(blk);
}

/* With next to no cache everything is read again, and right. */
static void test_small_cache(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 9, 6);
    g_autoptr(GError) error = NULL;
    int64_t at = 8192;
    BlockBackend *blk;

    for (int i = 0; i < SIZE / 32768; i++) {
        image_put64(d, 48 + i * 8, (uint64_t)at);
        image_put64(d, at, (uint64_t)at + 512);
        image_fill(d, at + 512, i, 512);
        at += 1024;
    }
    blk = mem_open(ctx, d, NULL, "l2-cache-size=1024", 0, &error);
    g_assert_no_error(error);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < SIZE / 32768; i++) {
            assert_bytes(blk, i * 32768, 512, i & 0xff);
        }
    }
    mem_close_ok(blk);
}

#define MANY_TABLES 256

/* Table reads that one byte of each table takes, the first time and again; @step: from table to table. */
static void count_table_reads(int step, int *first, int *again)
{
    g_autoptr(MemDisk) d = image_new((int64_t)MANY_TABLES * 32768, 9, 6);
    int *counts[] = { first, again };
    BlockBackend *blk;

    for (int i = 0; i < MANY_TABLES; i++) {
        image_put64(d, 48 + i * 8, 4096 + (uint64_t)i * 512);
    }
    image_resize(d, 4096 + MANY_TABLES * 512);
    blk = mem_open_ok(ctx, d, NULL, 0);
    for (int pass = 0; pass < 2; pass++) {
        mem_disk_reset_counts(d);
        for (int i = 0; i < MANY_TABLES; i++) {
            assert_bytes(blk, (int64_t)(i * step % MANY_TABLES) * 32768, 512, 0);
        }
        *counts[pass] = d->reads;
    }
    mem_close_ok(blk);
}

/* A walk over all tables does not fill the cache; tables that are used in any other order stay. */
static void test_walk(void)
{
    int first, again;

    count_table_reads(1, &first, &again);
    g_assert_cmpint(first, >=, MANY_TABLES);
    g_assert_cmpint(again, >, MANY_TABLES / 2);
    count_table_reads(3, &first, &again);
    g_assert_cmpint(first, >=, MANY_TABLES);
    g_assert_cmpint(again, ==, 0);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/map/empty-image/reads-as-zero", test_empty);
    g_test_add_func("/qcow/map/plain-clusters/are-found", test_plain);
    g_test_add_func("/qcow/map/contiguous-run/is-one-read", test_one_read_per_run);
    g_test_add_func("/qcow/map/streams/are-inflated", test_streams);
    g_test_add_func("/qcow/map/bad-stream/gives-EIO", test_bad_streams);
    g_test_add_func("/qcow/map/stream-past-eof/is-read-if-whole", test_stream_past_end);
    g_test_add_func("/qcow/map/entry-past-eof/reads-as-zero", test_past_eof);
    g_test_add_func("/qcow/map/unmapped/reads-from-backing", test_backing);
    g_test_add_func("/qcow/map/huge-l1/holes-are-skipped", test_huge);
    g_test_add_func("/qcow/map/walk-over-all-tables/leaves-the-cache", test_walk);
    g_test_add_func("/qcow/map/tiny-cache/reads-right", test_small_cache);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
