/* SPDX-License-Identifier: MIT */
/*
 * See header.h. Every field of a header is checked here, once, for open, tests and fuzzers alike.
 */
#include "block/drivers/qcow/header.h"

#include "util/cutils.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Where the fields stand. */
enum {
    AT_MAGIC = 0, AT_VERSION = 4, AT_BACKING_OFFSET = 8, AT_BACKING_BYTES = 16, AT_MTIME = 20,
    AT_SIZE = 24, AT_CLUSTER_BITS = 32, AT_L2_BITS = 33, AT_PADDING = 34, AT_CRYPT = 36,
    AT_L1_OFFSET = 40,
};

static const uint8_t record_magic[4] = { 'C', 'B', 'F', '1' };

static bool header_check_kind(const uint8_t *raw, GError **error)
{
    uint32_t version = be32_load(raw + AT_VERSION);

    if (be32_load(raw + AT_MAGIC) != QCOW_MAGIC) {
        cairn_set_error(error, EINVAL, "Image not in qcow format");
        return false;
    }
    if (version == QCOW_VERSION) {
        return true;
    }
    cairn_set_error(error, ENOTSUP, "qcow (v1) does not support qcow version %" PRIu32, version);
    if (version == 2 || version == 3) {
        cairn_error_append_hint(error, "Try the 'qcow2' driver instead.");
    }
    return false;
}

static bool header_check_geometry(const uint8_t *raw, GError **error)
{
    int cluster_bits = raw[AT_CLUSTER_BITS];
    int l2_bits = raw[AT_L2_BITS];

    if (be64_load(raw + AT_SIZE) <= 1) {
        cairn_set_error(error, EINVAL, "Image size is too small (must be at least 2 bytes)");
        return false;
    }
    if (cluster_bits < QCOW_MIN_CLUSTER_BITS || cluster_bits > QCOW_MAX_CLUSTER_BITS) {
        cairn_set_error(error, EINVAL, "Cluster size must be between 512 and 64k");
        return false;
    }
    if (l2_bits < QCOW_MIN_L2_BITS || l2_bits > QCOW_MAX_L2_BITS) {
        cairn_set_error(error, EINVAL, "L2 table size must be between 512 and 64k");
        return false;
    }
    return true;
}

bool qcow_header_l1_entries(uint64_t size, int cluster_bits, int l2_bits, uint32_t *entries)
{
    int shift = cluster_bits + l2_bits;
    uint64_t span_mask = ((uint64_t)1 << shift) - 1;
    uint64_t sum;

    if (__builtin_add_overflow(size, span_mask, &sum) ||
        (sum >> shift) > QCOW_MAX_L1_ENTRIES) {
        return false;
    }
    *entries = (uint32_t)(sum >> shift);
    return true;
}

bool qcow_header_check_size(const QcowHeader *h, GError **error)
{
    uint32_t entries;

    if (qcow_header_l1_entries(h->size, h->cluster_bits, h->l2_bits, &entries)) {
        return true;
    }
    cairn_set_error(error, EFBIG, "Image too large");
    cairn_error_append_hint(error, "The qcow format holds at most %" G_GUINT64_FORMAT
                            " bytes with these clusters.",
                            QCOW_MAX_L1_ENTRIES << (h->cluster_bits + h->l2_bits));
    return false;
}

/*
 * The table and the name must lie where file offsets exist; whether the file reaches so far is
 * another matter.
 */
static bool header_check_places(const QcowHeader *h, GError **error)
{
    uint32_t entries;

    if (!qcow_header_l1_entries(h->size, h->cluster_bits, h->l2_bits, &entries)) {
        cairn_set_error(error, EFBIG, "Image too large");
        return false;
    }
    if (h->l1_offset < QCOW_HEADER_BYTES ||
        h->l1_offset > (uint64_t)INT64_MAX - (uint64_t)entries * 8 - QCOW_HEADER_BYTES) {
        cairn_set_error(error, EINVAL, "Invalid L1 table offset %" PRIu64 " in qcow header",
                        h->l1_offset);
        return false;
    }
    if (h->backing_offset > INT64_MAX - QCOW_MAX_BACKING_NAME) {
        cairn_set_error(error, EINVAL, "Invalid backing file name offset %" PRIu64
                        " in qcow header", h->backing_offset);
        return false;
    }
    return true;
}

bool qcow_header_parse(const uint8_t raw[QCOW_HEADER_BYTES], QcowHeader *out, GError **error)
{
    QcowHeader h;
    uint32_t crypt = be32_load(raw + AT_CRYPT);

    if (!header_check_kind(raw, error) || !header_check_geometry(raw, error)) {
        return false;
    }
    if (crypt > QCOW_CRYPT_AES) {
        cairn_set_error(error, EINVAL, "invalid encryption method in qcow header");
        return false;
    }
    h = (QcowHeader) {
        .backing_offset = be64_load(raw + AT_BACKING_OFFSET),
        .backing_bytes = be32_load(raw + AT_BACKING_BYTES),
        .size = be64_load(raw + AT_SIZE),
        .cluster_bits = raw[AT_CLUSTER_BITS],
        .l2_bits = raw[AT_L2_BITS],
        .crypt = crypt,
        .l1_offset = be64_load(raw + AT_L1_OFFSET),
    };
    if (h.backing_offset == 0) {
        h.backing_bytes = 0;
    }
    if (h.backing_bytes > QCOW_MAX_BACKING_NAME) {
        cairn_set_error(error, EINVAL, "Backing file name too long");
        return false;
    }
    if (!header_check_places(&h, error)) {
        return false;
    }
    *out = h;
    return true;
}

void qcow_header_write(const QcowHeader *h, uint8_t raw[QCOW_HEADER_BYTES])
{
    memset(raw, 0, QCOW_HEADER_BYTES);
    be32_store(raw + AT_MAGIC, QCOW_MAGIC);
    be32_store(raw + AT_VERSION, QCOW_VERSION);
    be64_store(raw + AT_BACKING_OFFSET, h->backing_offset);
    be32_store(raw + AT_BACKING_BYTES, h->backing_bytes);
    be64_store(raw + AT_SIZE, h->size);
    raw[AT_CLUSTER_BITS] = (uint8_t)h->cluster_bits;
    raw[AT_L2_BITS] = (uint8_t)h->l2_bits;
    be32_store(raw + AT_CRYPT, h->crypt);
    be64_store(raw + AT_L1_OFFSET, h->l1_offset);
}

int qcow_header_probe(const uint8_t *buf, size_t bytes)
{
    return bytes >= 8 && be32_load(buf + AT_MAGIC) == QCOW_MAGIC &&
           be32_load(buf + AT_VERSION) == QCOW_VERSION ? 100 : 0;
}

size_t qcow_record_write(const char *format, uint8_t *raw)
{
    size_t n = strlen(format);

    if (n == 0 || n > QCOW_RECORD_MAX_FORMAT) {
        return 0;
    }
    memcpy(raw, record_magic, 4);
    raw[4] = (uint8_t)n;
    memcpy(raw + 5, format, n);
    return 5 + n;
}

char *qcow_record_parse(const uint8_t *before, size_t bytes, uint64_t name_offset)
{
    for (size_t n = 1; n <= QCOW_RECORD_MAX_FORMAT && 5 + n <= bytes; n++) {
        const uint8_t *record = before + bytes - 5 - n;
        uint64_t start = name_offset - 5 - n;

        if (memcmp(record, record_magic, 4) || record[4] != n || memchr(record + 5, 0, n)) {
            continue;
        }
        if (start == QCOW_HEADER_BYTES || start % 512 == 0) {
            return g_strndup((const char *)record + 5, n);
        }
    }
    return NULL;
}
