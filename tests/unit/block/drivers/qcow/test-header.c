/* SPDX-License-Identifier: MIT */
/* The qcow header's codec: each field at its edges, and the record of the backing format. */
#include "block/drivers/qcow/header.h"

#include "util/cutils.h"

#include <errno.h>
#include <string.h>

/* What the peer writes for "create -f qcow x 64M". */
static const uint8_t peer_64m[QCOW_HEADER_BYTES] = {
    0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0,
    12, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 48,
};

static void put(uint8_t *raw, size_t at, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++) {
        raw[at + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
}

static bool parses(const uint8_t *raw, QcowHeader *h)
{
    return qcow_header_parse(raw, h, NULL);
}

static void assert_refused(const uint8_t *raw, const char *message)
{
    QcowHeader h;
    g_autoptr(GError) error = NULL;

    g_assert_false(qcow_header_parse(raw, &h, &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_peer_header(void)
{
    QcowHeader h;

    g_assert_true(parses(peer_64m, &h));
    g_assert_cmpuint(h.size, ==, 64 << 20);
    g_assert_cmpint(h.cluster_bits, ==, 12);
    g_assert_cmpint(h.l2_bits, ==, 9);
    g_assert_cmpuint(h.l1_offset, ==, 48);
    g_assert_cmpint(h.crypt, ==, QCOW_CRYPT_NONE);
    g_assert_cmpuint(h.backing_bytes, ==, 0);
}

static void test_write_gives_peer_bytes(void)
{
    QcowHeader h = { .size = 64 << 20, .cluster_bits = 12, .l2_bits = 9, .l1_offset = 48 };
    uint8_t raw[QCOW_HEADER_BYTES];

    qcow_header_write(&h, raw);
    g_assert_cmpmem(raw, sizeof(raw), peer_64m, sizeof(peer_64m));
}

static void test_round_trip(void)
{
    QcowHeader in = {
        .backing_offset = 57, .backing_bytes = 1023, .size = 12345, .cluster_bits = 16,
        .l2_bits = 13, .crypt = QCOW_CRYPT_AES, .l1_offset = 1080,
    }, out;
    uint8_t raw[QCOW_HEADER_BYTES];

    qcow_header_write(&in, raw);
    g_assert_true(parses(raw, &out));
    g_assert_cmpuint(out.backing_offset, ==, in.backing_offset);
    g_assert_cmpuint(out.backing_bytes, ==, in.backing_bytes);
    g_assert_cmpuint(out.size, ==, in.size);
    g_assert_cmpint(out.cluster_bits, ==, in.cluster_bits);
    g_assert_cmpint(out.l2_bits, ==, in.l2_bits);
    g_assert_cmpint(out.crypt, ==, in.crypt);
    g_assert_cmpuint(out.l1_offset, ==, in.l1_offset);
}

static void test_other_magic(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];

    for (int i = 0; i < 4; i++) {
        memcpy(raw, peer_64m, sizeof(raw));
        raw[i] ^= 1;
        assert_refused(raw, "Image not in qcow format");
        g_assert_cmpint(qcow_header_probe(raw, sizeof(raw)), ==, 0);
    }
}

static void test_version(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];

    memcpy(raw, peer_64m, sizeof(raw));
    put(raw, 4, 4, 2);
    assert_refused(raw, "qcow (v1) does not support qcow version 2\n"
                        "Try the 'qcow2' driver instead.");
    put(raw, 4, 4, 3);
    assert_refused(raw, "qcow (v1) does not support qcow version 3\n"
                        "Try the 'qcow2' driver instead.");
    put(raw, 4, 4, 4);
    assert_refused(raw, "qcow (v1) does not support qcow version 4");
    put(raw, 4, 4, 0);
    assert_refused(raw, "qcow (v1) does not support qcow version 0");
    g_assert_cmpint(qcow_header_probe(raw, sizeof(raw)), ==, 0);
}

static void test_geometry_bytes(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;

    memcpy(raw, peer_64m, sizeof(raw));
    for (int c = 0; c < 256; c++) {
        for (int l = 0; l < 256; l++) {
            raw[32] = (uint8_t)c;
            raw[33] = (uint8_t)l;
            bool legal = c >= 9 && c <= 16 && l >= 6 && l <= 13;
            g_assert_cmpint(parses(raw, &h), ==, legal);
        }
    }
    raw[32] = 8;
    assert_refused(raw, "Cluster size must be between 512 and 64k");
    raw[32] = 12;
    raw[33] = 14;
    assert_refused(raw, "L2 table size must be between 512 and 64k");
}

static void test_size_too_small(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;

    memcpy(raw, peer_64m, sizeof(raw));
    for (int i = 0; i < 2; i++) {
        put(raw, 24, 8, i);
        assert_refused(raw, "Image size is too small (must be at least 2 bytes)");
    }
    put(raw, 24, 8, 2);
    g_assert_true(parses(raw, &h));
}

static void check_size(uint64_t size)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;
    /* The same limit as the last byte's table. */
    bool legal = size >= 2 && (size - 1) >> 21 < QCOW_MAX_L1_ENTRIES;

    memcpy(raw, peer_64m, sizeof(raw));
    put(raw, 24, 8, size);
    g_assert_cmpint(parses(raw, &h), ==, legal);
    if (size >= 2 && !legal) {
        assert_refused(raw, "Image too large");
    }
}

static void test_sizes_around_powers(void)
{
    for (int k = 0; k < 64; k++) {
        uint64_t n = (uint64_t)1 << k;
        const uint64_t sizes[] = { n, n - 1, n + 1, n - 512, n + 512 };

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
            check_size(sizes[i]);
        }
    }
    check_size(UINT64_MAX);
}

static void test_crypt(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;

    memcpy(raw, peer_64m, sizeof(raw));
    put(raw, 36, 4, 1);
    g_assert_true(parses(raw, &h));
    g_assert_cmpint(h.crypt, ==, QCOW_CRYPT_AES);
    put(raw, 36, 4, 2);
    assert_refused(raw, "invalid encryption method in qcow header");
    put(raw, 36, 4, 0x80000000u);
    assert_refused(raw, "invalid encryption method in qcow header");
}

static void test_backing_name(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;

    memcpy(raw, peer_64m, sizeof(raw));
    put(raw, 8, 8, 48);
    put(raw, 16, 4, 1023);
    g_assert_true(parses(raw, &h));
    put(raw, 16, 4, 1024);
    assert_refused(raw, "Backing file name too long");
    put(raw, 16, 4, UINT32_MAX);
    assert_refused(raw, "Backing file name too long");
    put(raw, 8, 8, 0);
    g_assert_true(parses(raw, &h));
    g_assert_cmpuint(h.backing_bytes, ==, 0);
    put(raw, 16, 4, 4);
    put(raw, 8, 8, UINT64_MAX);
    g_assert_false(parses(raw, &h));
    put(raw, 8, 8, (uint64_t)INT64_MAX - 1022);
    g_assert_false(parses(raw, &h));
}

static void test_l1_offset(void)
{
    static const uint64_t bad[] = {
        0, 47, INT64_MAX, UINT64_MAX, (uint64_t)INT64_MAX - 100, (uint64_t)1 << 63,
    };
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;

    memcpy(raw, peer_64m, sizeof(raw));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        put(raw, 40, 8, bad[i]);
        g_assert_false(parses(raw, &h));
    }
    put(raw, 40, 8, (uint64_t)1 << 62);
    g_assert_true(parses(raw, &h));
}

static void test_padding_is_ignored(void)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader h;

    memcpy(raw, peer_64m, sizeof(raw));
    put(raw, 20, 4, UINT32_MAX);
    put(raw, 34, 2, UINT16_MAX);
    g_assert_true(parses(raw, &h));
}

static void test_record_round_trip(void)
{
    uint8_t raw[QCOW_RECORD_MAX_BYTES];
    size_t n = qcow_record_write("raw", raw);
    g_autofree char *format = NULL;

    g_assert_cmpuint(n, ==, 8);
    g_assert_cmpmem(raw, n, "CBF1\3raw", 8);
    format = qcow_record_parse(raw, n, 48 + n);
    g_assert_cmpstr(format, ==, "raw");
}

static void test_record_position(void)
{
    uint8_t raw[64] = { 0 };
    size_t n = qcow_record_write("qcow", raw + 55);

    for (uint64_t start = 40; start < 2048; start++) {
        g_autofree char *format = qcow_record_parse(raw, 55 + n, start + n);

        g_assert_cmpint(format != NULL, ==, start == 48 || start % 512 == 0);
    }
}

static void test_record_bad(void)
{
    uint8_t raw[QCOW_RECORD_MAX_BYTES];
    size_t n;

    g_assert_cmpuint(qcow_record_write("", raw), ==, 0);
    g_assert_cmpuint(qcow_record_write("a-name-of-16-byt", raw), ==, 0);
    g_assert_cmpuint(qcow_record_write("a-name-of-15-by", raw), ==, 20);
    n = qcow_record_write("raw", raw);
    raw[4] = 2;
    g_assert_null(qcow_record_parse(raw, n, 48 + n));
    raw[4] = 3;
    raw[0] = 'D';
    g_assert_null(qcow_record_parse(raw, n, 48 + n));
    g_assert_null(qcow_record_parse(raw, 0, 48));
    qcow_record_write("r", raw);
    raw[5] = 0;
    g_assert_null(qcow_record_parse(raw, 6, 54));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qcow/header/peer-64m/is-read", test_peer_header);
    g_test_add_func("/qcow/header/write/gives-the-peers-bytes", test_write_gives_peer_bytes);
    g_test_add_func("/qcow/header/round-trip/keeps-all-fields", test_round_trip);
    g_test_add_func("/qcow/header/other-magic/is-refused", test_other_magic);
    g_test_add_func("/qcow/header/other-version/is-refused-with-hint", test_version);
    g_test_add_func("/qcow/header/all-geometries/only-the-legal-pass", test_geometry_bytes);
    g_test_add_func("/qcow/header/size-below-2/is-refused", test_size_too_small);
    g_test_add_func("/qcow/header/sizes-at-powers-of-2/follow-the-limit", test_sizes_around_powers);
    g_test_add_func("/qcow/header/crypt-above-1/is-refused", test_crypt);
    g_test_add_func("/qcow/header/backing-name-1024/is-refused", test_backing_name);
    g_test_add_func("/qcow/header/l1-offset-out-of-range/is-refused", test_l1_offset);
    g_test_add_func("/qcow/header/padding-and-mtime/are-ignored", test_padding_is_ignored);
    g_test_add_func("/qcow/record/round-trip/keeps-the-name", test_record_round_trip);
    g_test_add_func("/qcow/record/position/is-48-or-a-multiple-of-512", test_record_position);
    g_test_add_func("/qcow/record/damaged/is-none", test_record_bad);
    return g_test_run();
}
