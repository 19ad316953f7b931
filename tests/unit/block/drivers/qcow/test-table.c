/* SPDX-License-Identifier: MIT */
/* qcow table entries and geometry, against arithmetic of another kind. */
#include "block/drivers/qcow/table.h"

static void test_kinds(void)
{
    static const struct {
        uint64_t raw;
        int bits;
        QcowKind kind;
        int64_t offset, bytes;
    } cases[] = {
        { 0, 12, QCOW_NONE, 0, 0 },
        { 4096, 12, QCOW_PLAIN, 4096, 4096 },
        { 512, 16, QCOW_PLAIN, 512, 65536 },
        { 513, 12, QCOW_BAD, 513, 4096 },
        { 1, 9, QCOW_BAD, 1, 512 },
        { (uint64_t)1 << 62, 9, QCOW_PLAIN, (int64_t)1 << 62, 512 },
        { (uint64_t)1 << 63, 12, QCOW_DEAD, 0, 0 },
        { (uint64_t)1 << 63 | 77, 12, QCOW_DEAD, 0, 0 },
        { (uint64_t)1 << 63 | (uint64_t)1 << 51 | 77, 12, QCOW_STREAM, 77, 1 },
        { UINT64_MAX, 9, QCOW_STREAM, ((int64_t)1 << 54) - 1, 511 },
        { UINT64_MAX, 16, QCOW_STREAM, ((int64_t)1 << 47) - 1, 65535 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        QcowEntry e = qcow_entry_decode(cases[i].raw, cases[i].bits);

        g_assert_cmpint(e.kind, ==, cases[i].kind);
        g_assert_cmpint(e.offset, ==, cases[i].offset);
        g_assert_cmpint(e.bytes, ==, cases[i].bytes);
    }
}

static void test_stream_round_trip(void)
{
    for (int bits = 9; bits <= 16; bits++) {
        const int64_t lengths[] = { 1, 2, 255, ((int64_t)1 << bits) - 1 };
        const int64_t offsets[] = { 1, 49, 4096, qcow_stream_max_offset(bits) };

        for (int i = 0; i < 16; i++) {
            int64_t bytes = lengths[i % 4], offset = offsets[i / 4];
            QcowEntry e = qcow_entry_decode(qcow_entry_stream(offset, bytes, bits), bits);

            g_assert_cmpint(e.kind, ==, QCOW_STREAM);
            g_assert_cmpint(e.offset, ==, offset);
            g_assert_cmpint(e.bytes, ==, bytes);
        }
    }
}

static void test_effective(void)
{
    uint64_t stream = qcow_entry_stream(1000, 100, 12);

    g_assert_cmpuint(qcow_entry_effective(4096, 12, 4097), ==, 4096);
    g_assert_cmpuint(qcow_entry_effective(4096, 12, 4096), ==, 0);
    g_assert_cmpuint(qcow_entry_effective((uint64_t)1 << 62, 12, 1 << 20), ==, 0);
    g_assert_cmpuint(qcow_entry_effective(4100, 12, 1 << 20), ==, 4100);
    g_assert_cmpuint(qcow_entry_effective(4100, 12, 4096), ==, 4100);
    g_assert_cmpuint(qcow_entry_effective(stream, 12, 1001), ==, stream);
    g_assert_cmpuint(qcow_entry_effective(stream, 12, 1000), ==, QCOW_ENTRY_DEAD);
    g_assert_cmpuint(qcow_entry_effective(QCOW_ENTRY_DEAD, 12, 0), ==, QCOW_ENTRY_DEAD);
    g_assert_cmpint(qcow_l1_effective(4096, 4097), ==, 4096);
    g_assert_cmpint(qcow_l1_effective(4096, 4096), ==, 0);
    g_assert_cmpint(qcow_l1_effective(UINT64_MAX, INT64_MAX), ==, 0);
}

/* Runs of zeros of all lengths, from each place of a group of eight on, and at the end. */
static void test_zero_run(void)
{
    uint64_t e[40];

    for (uint32_t from = 0; from < 9; from++) {
        for (uint32_t n = 0; n <= 31; n++) {
            memset(e, 0xff, sizeof(e));
            memset(e + from, 0, n * sizeof(e[0]));
            g_assert_cmpuint(qcow_zero_entries(e + from, n), ==, n);
            g_assert_cmpuint(qcow_zero_entries(e + from, n + 1), ==, n);
            e[from + n] = (uint64_t)1 << 63;
            g_assert_cmpuint(qcow_zero_entries(e + from, n + 1), ==, n);
        }
    }
    g_assert_cmpuint(qcow_zero_entries(e, 0), ==, 0);
}

/* A table on disk, entry by entry against what one entry means; the same table without the one that leads past the end. */
static void test_decode(void)
{
    const uint64_t raw[] = {
        4096, 0, 8192, qcow_entry_stream(1000, 100, 12), 1 << 20, QCOW_ENTRY_DEAD, 4100,
        qcow_entry_stream(1 << 20, 100, 12),
    };
    uint64_t disk[64] = { 0 }, decoded[64];

    for (int with_lost = 0; with_lost < 2; with_lost++) {
        for (size_t i = 0; i < G_N_ELEMENTS(raw); i++) {
            disk[i * 7] = GUINT64_TO_BE(raw[i] == 1 << 20 && !with_lost ? 0 : raw[i]);
        }
        memcpy(decoded, disk, sizeof(disk));
        g_assert_cmpint(qcow_l2_decode(decoded, 64, 12, 1 << 20), ==, with_lost);
        for (size_t i = 0; i < 64; i++) {
            uint64_t word = GUINT64_FROM_BE(disk[i]);

            g_assert_cmpuint(decoded[i], ==, qcow_entry_effective(word, 12, 1 << 20));
        }
        memcpy(decoded, disk, sizeof(disk));
        qcow_entries_from_disk(decoded, 64);
        for (size_t i = 0; i < 64; i++) {
            g_assert_cmpuint(decoded[i], ==, GUINT64_FROM_BE(disk[i]));
        }
    }
}

static void test_geometry(void)
{
    for (int c = 9; c <= 16; c++) {
        for (int l = 6; l <= 13; l++) {
            QcowHeader h = { .size = 5000001, .cluster_bits = c, .l2_bits = l,
                             .l1_offset = 48 };
            QcowGeometry g;
            int64_t span = (1ll << c) * (1ll << l);

            qcow_geometry_init(&g, &h);
            g_assert_cmpint(g.size, ==, 5000001 / 512 * 512);
            g_assert_cmpint(g.cluster_size, ==, 1 << c);
            g_assert_cmpint(g.l2_bytes, ==, 8 << l);
            g_assert_cmpint(g.l2_span, ==, span);
            g_assert_cmpuint(g.l1_entries, ==, (5000001 + span - 1) / span);
            for (int64_t at = 0; at < g.size; at += 77777) {
                g_assert_cmpuint(qcow_l1_index(&g, at), ==, at / span);
                g_assert_cmpuint(qcow_l2_index(&g, at), ==, at % span / g.cluster_size);
                g_assert_cmpint(qcow_in_cluster(&g, at), ==, at % g.cluster_size);
            }
        }
    }
}

static void test_tiny_disk(void)
{
    QcowHeader h = { .size = 2, .cluster_bits = 12, .l2_bits = 9, .l1_offset = 48 };
    QcowGeometry g;

    qcow_geometry_init(&g, &h);
    g_assert_cmpint(g.size, ==, 0);
    g_assert_cmpuint(g.l1_entries, ==, 1);
}

static void test_l1_limit(void)
{
    uint32_t n;

    g_assert_true(qcow_header_l1_entries((((uint64_t)1 << 28) - 1) << 15, 9, 6, &n));
    g_assert_cmpuint(n, ==, (1u << 28) - 1);
    g_assert_false(qcow_header_l1_entries(((((uint64_t)1 << 28) - 1) << 15) + 1, 9, 6, &n));
    g_assert_false(qcow_header_l1_entries(UINT64_MAX, 16, 13, &n));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qcow/table/entries/are-told-apart", test_kinds);
    g_test_add_func("/qcow/table/stream/round-trips-at-its-edges", test_stream_round_trip);
    g_test_add_func("/qcow/table/entry-past-end/counts-as-unmapped", test_effective);
    g_test_add_func("/qcow/table/zero-run/has-its-length", test_zero_run);
    g_test_add_func("/qcow/table/table-of-disk/means-what-its-entries-do", test_decode);
    g_test_add_func("/qcow/table/geometry/agrees-with-division", test_geometry);
    g_test_add_func("/qcow/table/size-2/is-a-disk-of-0-bytes", test_tiny_disk);
    g_test_add_func("/qcow/table/l1-entries/end-at-the-limit", test_l1_limit);
    return g_test_run();
}
