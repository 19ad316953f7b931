/* SPDX-License-Identifier: MIT */
/* See table.h. */
#include "block/drivers/qcow/table.h"

#include "util/cutils.h"

void qcow_geometry_init(QcowGeometry *g, const QcowHeader *header)
{
    *g = (QcowGeometry) {
        .cluster_bits = header->cluster_bits,
        .l2_bits = header->l2_bits,
        .size = (int64_t)(header->size & ~(uint64_t)511),
        .cluster_size = (int64_t)1 << header->cluster_bits,
        .l2_span = (int64_t)1 << (header->cluster_bits + header->l2_bits),
        .l2_bytes = (int64_t)8 << header->l2_bits,
        .l2_entries = 1u << header->l2_bits,
        .l1_offset = (int64_t)header->l1_offset,
    };
    bool fits = qcow_header_l1_entries(header->size, g->cluster_bits, g->l2_bits,
                                       &g->l1_entries);
    g_assert(fits);     /* the parser has checked it */
}

QcowEntry qcow_entry_decode(uint64_t raw, int cluster_bits)
{
    int offset_bits = 63 - cluster_bits;

    if (raw == 0) {
        return (QcowEntry) { .kind = QCOW_NONE };
    }
    if (raw & QCOW_COMPRESSED) {
        int64_t bytes = (int64_t)((raw & ~QCOW_COMPRESSED) >> offset_bits);

        if (bytes == 0) {
            return (QcowEntry) { .kind = QCOW_DEAD };
        }
        return (QcowEntry) {
            .kind = QCOW_STREAM,
            .offset = (int64_t)(raw & (((uint64_t)1 << offset_bits) - 1)),
            .bytes = bytes,
        };
    }
    return (QcowEntry) {
        .kind = raw % 512 ? QCOW_BAD : QCOW_PLAIN,
        .offset = (int64_t)raw,
        .bytes = (int64_t)1 << cluster_bits,
    };
}

uint64_t qcow_entry_plain(int64_t offset)
{
    g_assert(offset > 0 && offset % 512 == 0);
    return (uint64_t)offset;
}

int64_t qcow_stream_max_offset(int cluster_bits)
{
    return (int64_t)(((uint64_t)1 << (63 - cluster_bits)) - 1);
}

uint64_t qcow_entry_stream(int64_t offset, int64_t bytes, int cluster_bits)
{
    g_assert(offset > 0 && offset <= qcow_stream_max_offset(cluster_bits));
    g_assert(bytes > 0 && bytes < ((int64_t)1 << cluster_bits));
    return QCOW_COMPRESSED | (uint64_t)bytes << (63 - cluster_bits) | (uint64_t)offset;
}

uint64_t qcow_entry_effective(uint64_t raw, int cluster_bits, int64_t end)
{
    QcowEntry e = qcow_entry_decode(raw, cluster_bits);

    switch (e.kind) {
    case QCOW_PLAIN:
        return e.offset >= end ? 0 : raw;
    case QCOW_STREAM:
        return e.offset >= end ? QCOW_ENTRY_DEAD : raw;
    default:
        return raw;
    }
}

void qcow_entries_from_disk(uint64_t *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        i += qcow_zero_entries(entries + i, count - i);
        if (i < count) {
            entries[i] = be64_load(&entries[i]);
        }
    }
}

bool qcow_l2_decode(uint64_t *entries, uint32_t count, int cluster_bits, int64_t end)
{
    bool has_lost = false;

    for (uint32_t i = 0; i < count; i++) {
        i += qcow_zero_entries(entries + i, count - i);
        if (i < count) {
            entries[i] = qcow_entry_effective(be64_load(&entries[i]), cluster_bits, end);
            has_lost |= entries[i] == 0;
        }
    }
    return has_lost;
}

int64_t qcow_l1_effective(uint64_t raw, int64_t end)
{
    return raw < (uint64_t)end ? (int64_t)raw : 0;
}
