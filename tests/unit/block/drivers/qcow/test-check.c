/* SPDX-License-Identifier: MIT */
/* check, on images damaged by hand: what is corrupt, what is a leak, and what is neither. */
#include "mem-disk.h"

#include <string.h>

#include "util/cutils.h"

#define CLUSTER 4096
#define SIZE (8 << 20)
#define TABLE 4096              /* of the first 2 MiB */
#define DATA 8192               /* eight clusters */

static CairnContext *ctx;

/* A table and eight plain clusters. */
static MemDisk *image_with_data(void)
{
    MemDisk *d = image_new(SIZE, 12, 9);

    image_put64(d, 48, TABLE);
    for (int i = 0; i < 8; i++) {
        image_put64(d, TABLE + i * 8, DATA + i * CLUSTER);
        image_fill(d, DATA + i * CLUSTER, i + 1, CLUSTER);
    }
    return d;
}

static void collect(const char *message, void *opaque)
{
    g_string_append_printf(opaque, "%s\n", message);
}

static void check(MemDisk *d, int corruptions, int leaks, const char *text)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, 0);
    g_autoptr(GString) said = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    BlockCheckResult r = { .report = collect, .opaque = said };

    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error));
    g_test_message("%s", said->str);
    g_assert_cmpint(r.corruptions, ==, corruptions);
    g_assert_cmpint(r.leaks, ==, leaks);
    g_assert_cmpint(r.check_errors, ==, 0);
    if (text) {
        g_assert_nonnull(strstr(said->str, text));
    } else {
        g_assert_cmpstr(said->str, ==, "");
    }
    mem_close_ok(blk);
}

static void test_clean(void)
{
    g_autoptr(MemDisk) d = image_with_data();
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, 0);
    BlockCheckResult r = { 0 };

    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    g_assert_cmpint(r.corruptions + r.leaks + r.check_errors, ==, 0);
    g_assert_cmpint(r.total_clusters, ==, SIZE / CLUSTER);
    g_assert_cmpint(r.allocated_clusters, ==, 8);
    g_assert_cmpint(r.fragmented_clusters, ==, 0);
    g_assert_cmpint(r.compressed_clusters, ==, 0);
    g_assert_cmpint(r.image_end_offset, ==, DATA + 8 * CLUSTER);
    mem_close_ok(blk);
}

static void test_empty(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);

    check(d, 0, 0, NULL);
}

static void test_shared_cluster(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, DATA + 3 * CLUSTER);
    check(d, 1, 0, "overlaps");
}

static void test_partial_overlap(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, DATA + 3 * CLUSTER + 512);
    check(d, 1, 0, "overlaps");
}

static void test_onto_metadata(void)
{
    static const int64_t places[] = { TABLE, TABLE + 512, TABLE + 3584 };

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autoptr(MemDisk) d = image_with_data();

        image_put64(d, TABLE + 9 * 8, (uint64_t)places[i]);
        check(d, 1, 0, "overlaps");
    }
}

static void test_shared_table(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, 56, TABLE);
    check(d, 9, 0, "L2 table");         /* the table and what it names, once more */
}

static void test_unaligned(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, DATA + 100);
    check(d, 1, 0, "unaligned");
}

static void test_past_end(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, 1 << 30);
    image_put64(d, 56, 1 << 30);
    check(d, 2, 0, "past the end");
}

/* The table's missing entries read as 0, so nothing else shows that they are missing. */
static void test_cut_l1(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);

    image_resize(d, 56);
    check(d, 1, 0, "the L1 table (offset 0x30) leads past the end of the file");
}

static void test_cut_cluster(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_resize(d, d->size - 512);
    check(d, 1, 0, "past the end");
}

/* Only where the guest's disk ends there too. */
static void test_short_last_cluster(void)
{
    g_autoptr(MemDisk) d = image_new(CLUSTER + 1024, 12, 9);

    image_put64(d, 48, TABLE);
    image_put64(d, TABLE + 8, DATA);
    image_fill(d, DATA, 1, 1024);
    check(d, 0, 0, NULL);
}

static void test_dead_stream(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, (uint64_t)1 << 63);
    check(d, 1, 0, "lost by a crash");
}

static void test_bad_stream(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, (uint64_t)1 << 63 | (uint64_t)100 << 51 | (uint64_t)d->size);
    image_fill(d, d->size, 0xff, 100);
    check(d, 1, 0, "does not give");
}

static void test_leak(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 2 * 8, 0);
    image_put64(d, TABLE + 3 * 8, 0);
    check(d, 0, 2, "Leaked");
}

static void test_hole_is_no_leak(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 2 * 8, 0);
    image_fill(d, DATA + 2 * CLUSTER, 0, CLUSTER);
    image_resize(d, d->size + (1 << 20));
    check(d, 0, 0, NULL);
}

static void test_small_gap_is_no_leak(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_fill(d, d->size, 1, 3584);
    check(d, 0, 0, NULL);
}

/* Nothing that the driver writes is reported. */
static void test_own_images(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *buf = g_malloc(1 << 20);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);

    memset(buf, 'a', 1 << 20);
    g_assert_cmpint(blk_pwrite(blk, 0, 1 << 20, buf, BDRV_REQ_WRITE_COMPRESSED), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 2 << 20, 1 << 20, buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 65536, 65536, buf, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 2 << 20, 1 << 19), ==, 0);
    {
        BlockCheckResult r = { 0 };

        g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
        g_assert_cmpint(r.corruptions + r.leaks, ==, 0);
        g_assert_cmpint(r.allocated_clusters, ==, 256 + 128);
        g_assert_cmpint(r.compressed_clusters, ==, 256 - 16);
    }
    mem_close_ok(blk);
    check(d, 0, 0, NULL);
}

/* Offsets up to the last one that fits an entry. */
static void test_entries_at_the_edge(void)
{
    g_autoptr(MemDisk) d = image_with_data();

    image_put64(d, TABLE + 9 * 8, INT64_MAX);
    image_put64(d, TABLE + 10 * 8, (uint64_t)INT64_MAX - 511);
    check(d, 2, 0, "past the end");
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/check/clean/counts-its-clusters", test_clean);
    g_test_add_func("/qcow/check/empty/is-clean", test_empty);
    g_test_add_func("/qcow/check/cluster-named-twice/is-corrupt", test_shared_cluster);
    g_test_add_func("/qcow/check/partial-overlap/is-corrupt", test_partial_overlap);
    g_test_add_func("/qcow/check/cluster-onto-metadata/is-corrupt", test_onto_metadata);
    g_test_add_func("/qcow/check/table-named-twice/is-corrupt", test_shared_table);
    g_test_add_func("/qcow/check/unaligned-entry/is-corrupt", test_unaligned);
    g_test_add_func("/qcow/check/entry-past-end/is-corrupt", test_past_end);
    g_test_add_func("/qcow/check/l1-table-cut-off/is-corrupt", test_cut_l1);
    g_test_add_func("/qcow/check/cluster-cut-off/is-corrupt", test_cut_cluster);
    g_test_add_func("/qcow/check/short-last-cluster/is-clean", test_short_last_cluster);
    g_test_add_func("/qcow/check/dead-stream/is-corrupt", test_dead_stream);
    g_test_add_func("/qcow/check/damaged-stream/is-corrupt", test_bad_stream);
    g_test_add_func("/qcow/check/unnamed-clusters/are-leaks", test_leak);
    g_test_add_func("/qcow/check/hole/is-no-leak", test_hole_is_no_leak);
    g_test_add_func("/qcow/check/gap-below-a-cluster/is-no-leak", test_small_gap_is_no_leak);
    g_test_add_func("/qcow/check/what-we-write/is-clean", test_own_images);
    g_test_add_func("/qcow/check/entries-at-the-edge/are-corrupt", test_entries_at_the_edge);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
