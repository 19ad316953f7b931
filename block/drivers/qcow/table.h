/* SPDX-License-Identifier: MIT */
/* Table entries and the arithmetic of a qcow image's geometry: values only, no I/O. */
#ifndef QCOW_TABLE_H
#define QCOW_TABLE_H

#include "block/drivers/qcow/header.h"

#define QCOW_COMPRESSED ((uint64_t)1 << 63)

typedef enum QcowKind {
    QCOW_NONE,                  /* not mapped: the backing file's, or zeros */
    QCOW_PLAIN,
    QCOW_STREAM,                /* compressed */
    QCOW_DEAD,                  /* compressed, length 0: names no space, reads give EIO */
    QCOW_BAD,                   /* not a multiple of 512: reads and writes give EIO */
} QcowKind;

typedef struct QcowEntry {
    QcowKind kind;
    int64_t offset;             /* bytes; PLAIN, STREAM and BAD */
    int64_t bytes;              /* length in the file: the cluster, or the stream; else 0 */
} QcowEntry;

typedef struct QcowGeometry {
    int cluster_bits, l2_bits;
    int64_t size;               /* bytes of the guest's disk, a multiple of 512 */
    int64_t cluster_size;       /* bytes */
    int64_t l2_span;            /* guest bytes that one L2 table maps */
    int64_t l2_bytes;           /* of one L2 table */
    int64_t l1_offset;          /* bytes */
    uint32_t l1_entries;
    uint32_t l2_entries;
} QcowGeometry;

/* @header: one that qcow_header_parse() gave. */
void qcow_geometry_init(QcowGeometry *g, const QcowHeader *header);

QcowEntry qcow_entry_decode(uint64_t raw, int cluster_bits);
/* @offset: a multiple of 512, > 0. */
uint64_t qcow_entry_plain(int64_t offset);
/* @bytes: 1..cluster size - 1. */
uint64_t qcow_entry_stream(int64_t offset, int64_t bytes, int cluster_bits);
#define QCOW_ENTRY_DEAD QCOW_COMPRESSED

/* The highest offset that a stream can start at. */
int64_t qcow_stream_max_offset(int cluster_bits);

/*
 * What an entry means in a file that ended at @end when it was opened (crash-safety: nothing may
 * name space past it): a plain cluster that starts there counts as unmapped. A bad entry is one wherever
 * the file ends, or a table that cannot be cleared would read otherwise once the file has grown.
 */
uint64_t qcow_entry_effective(uint64_t raw, int cluster_bits, int64_t end);
void qcow_entries_from_disk(uint64_t *entries, uint32_t count);
/*
 * Makes the words of an L2 table, as read from disk, entries and each entry what it means.
 * Returns: whether one counts as unmapped for that.
 */
bool qcow_l2_decode(uint64_t *entries, uint32_t count, int cluster_bits, int64_t end);
/* Likewise an L1 entry: the table's offset, or 0. */
int64_t qcow_l1_effective(uint64_t raw, int64_t end);

/*
 * So many of @n entries, from the first on, are 0, in either order of bytes. Most of most tables
 * are, so eight at once.
 */
static inline uint32_t qcow_zero_entries(const uint64_t *e, uint32_t n)
{
    uint32_t k = 0;

    if (n > 0 && e[0] != 0) {
        return 0;
    }
    while (n - k >= 8 && !(e[k] | e[k + 1] | e[k + 2] | e[k + 3] | e[k + 4] | e[k + 5] |
                           e[k + 6] | e[k + 7])) {
        k += 8;
    }
    while (k < n && e[k] == 0) {
        k++;
    }
    return k;
}

static inline uint32_t qcow_l1_index(const QcowGeometry *g, int64_t offset)
{
    return (uint32_t)(offset >> (g->cluster_bits + g->l2_bits));
}

static inline uint32_t qcow_l2_index(const QcowGeometry *g, int64_t offset)
{
    return (uint32_t)(offset >> g->cluster_bits) & (g->l2_entries - 1);
}

static inline int64_t qcow_in_cluster(const QcowGeometry *g, int64_t offset)
{
    return offset & (g->cluster_size - 1);
}

#endif
