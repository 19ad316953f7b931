/* SPDX-License-Identifier: MIT */
/* A header that is taken comes back the same when written and read again. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "block/drivers/qcow/header.h"
#include "block/drivers/qcow/table.h"

static void check_round_trip(const QcowHeader *header)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    QcowHeader again;
    QcowGeometry geometry;

    qcow_header_write(header, raw);
    g_assert_true(qcow_header_parse(raw, &again, NULL));
    g_assert_cmpuint(again.size, ==, header->size);
    g_assert_cmpuint(again.l1_offset, ==, header->l1_offset);
    g_assert_cmpuint(again.backing_bytes, ==, header->backing_bytes);
    qcow_geometry_init(&geometry, header);
    g_assert_cmpint(geometry.size, <=, (int64_t)header->size);
    g_assert_cmpuint((uint64_t)geometry.l1_entries * (uint64_t)geometry.l2_span, >=,
                     (uint64_t)geometry.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    g_autoptr(GError) error = NULL;
    uint8_t raw[QCOW_HEADER_BYTES] = { 0 };
    QcowHeader header;

    memcpy(raw, data, MIN(bytes, sizeof(raw)));
    if (qcow_header_parse(raw, &header, &error)) {
        check_round_trip(&header);
    } else {
        g_assert_nonnull(error);
    }
    if (bytes > sizeof(raw)) {
        g_free(qcow_record_parse(data + sizeof(raw), bytes - sizeof(raw), bytes));
    }
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        uint64_t entry;

        memcpy(&entry, data + i, 8);
        for (int bits = QCOW_MIN_CLUSTER_BITS; bits <= QCOW_MAX_CLUSTER_BITS; bits++) {
            QcowEntry e = qcow_entry_decode(entry, bits);

            g_assert_true(e.bytes >= 0 && e.bytes <= (int64_t)1 << bits);
        }
    }
    return 0;
}
