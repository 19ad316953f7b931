/* SPDX-License-Identifier: MIT */
/*
 * A disk in memory behind a driver of the test's own ("mem-disk"), which counts, records and breaks
 * what the driver above it does; and hand-made qcow images on it, laid out by the format's
 * description and not by the driver under test.
 */
#ifndef TEST_MEM_DISK_H
#define TEST_MEM_DISK_H

#include <cairn/driver.h>

typedef enum MemOp { MEM_WRITE, MEM_SYNC, MEM_TRUNCATE, MEM_PUNCH } MemOp;

typedef struct MemRecord {
    MemOp op;
    int64_t offset, bytes;      /* TRUNCATE: bytes is the new length */
    uint8_t *data;              /* WRITE: a copy */
} MemRecord;

typedef struct MemDisk {
    GMutex lock;
    char *id;                   /* what the option "disk" names */
    uint8_t *data;
    int64_t size, room;
    GArray *log;                /* MemRecord; NULL: not recording */
    int reads, writes, syncs, punches;
    int fail_read_in;           /* reads until one fails; 0: none does */
    int fail_write_in;
    int fail_sync_in;
    int fail_truncate_in;
    int fail_any_in;            /* requests of any kind, status and length too, until one fails */
    int fail_error;             /* its errno; 0: EIO, or ENOSPC where space is asked for */
    bool sync_failed;           /* a sync has failed so far */
    GHashTable *blocks;         /* numbers of the 4 KiB blocks that take space; NULL: not counted */
    guint blocks_max;           /* writes that would need more get ENOSPC */
    GString *events;            /* what was announced, a line each; NULL: nobody listens */
    int slow_write_in;          /* with yields: writes until one takes long */
    bool yields;                /* requests take time, so that others come between */
} MemDisk;

/* Makes a disk of a copy of @data; it stays until mem_disk_free(). */
MemDisk *mem_disk_new(const void *data, int64_t size);
MemDisk *mem_disk_copy(const MemDisk *disk);
void mem_disk_free(MemDisk *disk);
void mem_disk_record(MemDisk *disk);
void mem_disk_reset_counts(MemDisk *disk);
/* From now on writes find room for @more blocks beside those that are not all zeros. */
void mem_disk_limit(MemDisk *disk, guint more);
/* Plays one record onto a disk. */
void mem_disk_play(MemDisk *disk, const MemRecord *r);

/* A context that knows the driver. New images can be made on "mem-disk:ID", which empties it. */
CairnContext *mem_context_new(void);
/* qcow on @disk, with @backing (or NULL); @more: further options "a=b,c=d", or NULL. */
BlockBackend *mem_open(CairnContext *ctx, MemDisk *disk, MemDisk *backing, const char *more,
                       int flags, GError **error);
/* Likewise; must succeed. */
BlockBackend *mem_open_ok(CairnContext *ctx, MemDisk *disk, MemDisk *backing, int flags);
void mem_close_ok(BlockBackend *blk);

/* An empty image. The L1 table stands at 48. */
MemDisk *image_new(int64_t size, int cluster_bits, int l2_bits);
/* Stores a table entry, big-endian; grows the disk. */
void image_put64(MemDisk *disk, int64_t at, uint64_t value);
uint64_t image_get64(const MemDisk *disk, int64_t at);
void image_fill(MemDisk *disk, int64_t at, int byte, int64_t bytes);
void image_resize(MemDisk *disk, int64_t size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MemDisk, mem_disk_free)

#endif
