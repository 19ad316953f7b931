/* SPDX-License-Identifier: MIT */
/*
 * What the files of the qcow driver share.
 *
 * Locks. There is one for state, QcowState.lock, a plain mutex: it guards all that stands below it
 * in the struct, is held for table work only and never across I/O or a yield. Functions marked
 * "locked" are called with it; those that are also coroutine_fn may leave it and take it again, so
 * what was looked up before such a call is stale after it. A cluster's lock (QcowClaim) is held
 * across I/O, and one request holds at most one; the flush lock is QcowFlush.running. Order: a
 * claim, then the flush lock, then lock. Nobody waits for a claim while holding either, nor for a
 * flush while holding a claim.
 */
#ifndef QCOW_H
#define QCOW_H

#include <cairn/driver.h>

#include "block/drivers/qcow/table.h"
#include "crypto/block.h"
#include "util/cutils.h"

/* of QcowState.zeroes: >= a cluster, a table */
#define QCOW_ZERO_BYTES ((int64_t)64 << 10)
#define QCOW_MAX_SPACE (INT64_MAX / 2)                  /* no offset is above that */
#define QCOW_HOST_BLOCK ((int64_t)4096)                 /* bytes: a block of usual hosts */
#define QCOW_L1_PIECE ((uint32_t)8192)                  /* L1 entries read at once: 64 KiB */
/* bytes that a bounce buffer holds at most */
#define QCOW_MAX_CHUNK ((int64_t)1 << 20)
#define QCOW_MAX_NEW_RUN ((int64_t)16 << 20)            /* bytes of clusters allocated at once */
#define QCOW_DEFAULT_CACHE ((int64_t)32 << 20)          /* bytes: l2-cache-size */
#define QCOW_CHECKPOINT_DATA ((int64_t)256 << 20)       /* bytes of new data between two flushes */
#define QCOW_CHECKPOINT_TABLES ((int64_t)64 << 20)      /* bytes of changed tables */
#define QCOW_CHECKPOINT_USEC ((int64_t)5 * 1000 * 1000)
/* L2 tables of an image open for writing: 128 MiB of index */
#define QCOW_MAX_TABLES ((guint)16 << 20)
#define QCOW_MAX_SUSPECTS 65536                         /* ranges named twice that are told apart */
#define QCOW_MAX_AVOIDED 65536                          /* ranges that new space skips */

/*
 * Whether the rule is broken on purpose: only ever in the copy of the driver that proves that the
 * crash harness would notice (tests/crash/mutants.h).
 */
#ifndef QCOW_MUTANT
#define QCOW_MUTANT(rule) false
#endif

/* An L2 table in memory, or a piece of the L1 table. */
typedef struct QcowTable {
    GList lru;                  /* link in QcowCache.lru; data is the table */
    /* bitmap: entries whose newest value no flush has taken yet; NULL: none */
    uint64_t *pending;
    uint64_t *flushing;         /* bitmap: entries in the flush under way; NULL: none */
    int64_t offset;             /* bytes: its place in the file; 0: none reserved yet */
    uint32_t index;             /* in L1; of a piece: its number */
    uint32_t count;             /* entries */
    int users;                  /* requests that will come back to it: not evicted */
    /* writes under way that reserve its place: no flush writes it meanwhile */
    int placing;
    bool is_l1;
    bool is_loading;            /* entries are not there yet; nobody uses it */
    bool is_new;                /* no L1 entry on disk names it */
    bool is_dirty;              /* stands in QcowCache.dirty */
    bool is_idle;               /* stands in QcowCache.lru: may be evicted */
    bool has_lost;              /* on disk it has entries that lead past the end (lost.c) */
    uint64_t entries[];         /* host order: the newest values (a piece of L1: those on disk) */
} QcowTable;

typedef struct QcowCache {
    GHashTable *l2;             /* L1 index -> QcowTable, owned */
    GHashTable *l1;             /* number of the piece -> QcowTable, owned */
    GQueue lru;                 /* tables that may be evicted, last used first */
    int64_t idle_bytes;         /* of the tables in lru */
    int64_t idle_limit;         /* bytes: l2-cache-size */
    GPtrArray *dirty;           /* QcowTable *: with pending entries */
    int64_t dirty_bytes;        /* of the tables in dirty and of those being flushed */
    unsigned new_tables;        /* tables with is_new */
    unsigned generation;        /* a load that began under another one is repeated */
    uint32_t hole_from, hole_to;    /* L1 entries known to be 0 on disk */
    int64_t l1_block;           /* number of a block of the L1 table that is no hole, or 0 */
    uint32_t row_next, row;     /* the table after the one loaded last; so many came in a row */
    CoQueue loaded;             /* waits for is_loading to end */
    bool has_lost;              /* some table had */
} QcowCache;

/*
 * Pins. Requests pin the epoch in which they looked something up; space freed in an epoch can be in
 * use only by requests of this epoch and earlier ones.
 */
typedef struct QcowEpoch {
    struct QcowEpoch *next;
    gint pins;                  /* atomic; grows only while this is the current epoch, under lock */
    bool is_durable;            /* what was freed in it is unmapped on disk too */
    GArray *freed;              /* QcowRange */
} QcowEpoch;

typedef struct QcowRange {
    int64_t offset, bytes;
} QcowRange;

/* A lock on a run of guest clusters. */
typedef struct QcowClaim {
    GList link;
    int64_t offset, bytes;      /* guest bytes, whole clusters */
} QcowClaim;

typedef struct QcowFlush {
    bool running;
    uint64_t started, done;     /* flushes so far */
    int ret;                    /* of the last one done */
    CoQueue waiters;
} QcowFlush;

/* An L1 table's place. */
typedef struct QcowL1Place {
    int64_t offset;             /* bytes */
    uint32_t entries;           /* 0: there is none */
} QcowL1Place;

typedef enum QcowTask { QCOW_TASK_TODO, QCOW_TASK_RUNNING, QCOW_TASK_DONE } QcowTask;

typedef struct QcowCodec QcowCodec;     /* inflate.c */

typedef struct QcowState {
    /* Constant while open, or changed only while drained. */
    QcowGeometry g;
    QcowHeader header;
    QCryptoBlock *crypto;       /* NULL: not encrypted */
    bool names_backing;         /* the header names a backing file, opened or not */
    int64_t record_offset;      /* of the backing format's record, or of the name; 0: none */
    /* during a resize: the table that the header still names, while g has another one */
    QcowL1Place old_l1;
    uint8_t *zeroes;            /* QCOW_ZERO_BYTES, never written to */

    gint is_corrupt;            /* atomic bool: a write was led into header or tables */
    gint failed;                /* atomic: errno of a failed sync: no more writes; 0: none */
    gint scanned;               /* atomic bool: barrier 0 has been passed */
    gint indexed;               /* atomic bool: tables_at is complete */

    /* QcowRange: free for good; NULL: none yet. Under the flush lock (punch.c) */
    GTree *free_space;

    GMutex codec_lock;          /* a leaf: guards the two below */
    QcowCodec *inflaters, *deflaters;   /* ready for use */

    GMutex lock;                /* guards all that follows */
    QcowCache cache;
    int64_t file_end;           /* bytes of the file that are known to be there */
    int64_t end_at_open;        /* what lies past it was never written; INT64_MAX after barrier 0 */
    /* what end_at_open was for barrier 0: still holds in tables that it may not change */
    int64_t end_at_scan;
    int64_t cursor;             /* where new space comes from; valid once scanned */
    /* QcowRange, ascending: what it skips (barrier0.c, 4), and where it ends; likewise */
    GArray *avoided;
    guint avoided_done;         /* of them that it has passed */
    int64_t space_end;
    int64_t l1_room;            /* nothing else stands from the L1 table up to there; likewise */
    int64_t name_room;          /* from the backing file's name; likewise */
    GArray *tables_at;          /* int64_t: offsets of all L2 tables, ascending */
    GArray *suspects;           /* QcowRange, ascending: named twice; not written, not freed */
    bool all_suspect;           /* too many to be told apart */
    QcowTask index_task, scan_task;
    CoQueue tasks;              /* waits for either */
    GQueue claims;              /* QcowClaim, by link */
    CoQueue claim_waiters;
    CoQueue placed;             /* waits for QcowTable.placing to end */
    QcowEpoch *oldest, *current;
    /* QcowRange: skipped by alignment since the last flush (punch.c, 4) */
    GArray *gaps;
    QcowFlush flush;
    int64_t new_data;           /* bytes mapped since the last flush began */
    int64_t dirty_since;        /* monotonic microseconds of the first pending entry; 0: none */
    int64_t stream_at;          /* the last stream that was read in part; 0: none */
    int64_t stream_bytes;
    uint8_t *stream_data;       /* one cluster */
} QcowState;

/*
 * Tells the file's node what is about to happen to it ("l2_load"): test drivers fail or suspend it
 * there, so no plain mutex is held. docs/drivers/qcow.md lists them.
 */
static inline void coroutine_fn qcow_event(BlockDriverState *bs, const char *event)
{
    bdrv_co_debug_event(bs->file->bs, event);
}

/* ---- cache.c ---- */
void qcow_cache_init(QcowState *s, int64_t limit);
void qcow_cache_free(QcowState *s);
/* Forgets all tables; none may be in use or dirty. */
void qcow_cache_drop_locked(QcowState *s);
/* Forgets the pieces of the L1 table: it moves, or its length changes. */
void qcow_cache_drop_l1_locked(QcowState *s);
/* Forgets one table with all that is pending in it. Drained. */
void qcow_l2_forget_locked(QcowState *s, QcowTable *t);
void qcow_cache_set_limit_locked(QcowState *s, int64_t limit);
/* *@table: NULL if there is none; 0 or -errno. */
int coroutine_fn qcow_l2_get_locked(BlockDriverState *bs, uint32_t l1_index, QcowTable **table);
/* How many L1 entries from @l1_index on, at most @max, have no table: 0 if that one has. -errno. */
int64_t coroutine_fn qcow_l1_empty_run_locked(BlockDriverState *bs, uint32_t l1_index,
                                              uint32_t max);
/* As qcow_l2_get_locked(), but makes a new one without a place. */
int coroutine_fn qcow_l2_get_or_new_locked(BlockDriverState *bs, uint32_t l1_index,
                                           QcowTable **table);
bool qcow_l2_reserve_pending_locked(QcowState *s, QcowTable *t);
void qcow_l2_set_locked(QcowState *s, QcowTable *t, uint32_t l2_index, uint64_t raw);
/*
 * @t, which is as on disk, is to stand at @place: pending as a new one. Reserve pending first; the
 * table must have a user.
 */
void qcow_l2_move_locked(QcowState *s, QcowTable *t, int64_t place);
bool qcow_l2_is_pending_locked(const QcowTable *t, uint32_t l2_index, uint32_t count);
void qcow_table_ref_locked(QcowState *s, QcowTable *t);
void qcow_table_unref_locked(QcowState *s, QcowTable *t);
/* After a change of what keeps a table from eviction. */
void qcow_table_settle_locked(QcowState *s, QcowTable *t);
/* After L1 entries were written. */
void qcow_l1_written_locked(QcowState *s, uint32_t l1_index, int64_t offset);
/* Reads the L1 table or an L2 table; what lies past the end of the file is zero. Lock not held. */
int coroutine_fn qcow_read_table(BlockDriverState *bs, int64_t offset, uint64_t *entries,
                                 uint32_t count, int64_t end);

/* ---- map.c ---- */
typedef struct QcowRun {
    QcowKind kind;
    bool is_pending;            /* PLAIN, NONE: an entry of the run is not on disk yet */
    int64_t bytes;              /* guest bytes, > 0 */
    /* PLAIN: where the first byte stands; STREAM: where the stream starts */
    int64_t host;
    int64_t host_bytes;         /* STREAM: its length */
} QcowRun;

/* The leading run of @bytes at @offset: one kind, contiguous in the file; at most one stream. */
int coroutine_fn qcow_map_locked(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 QcowRun *run);
/*
 * Guest bytes from @offset on, within one L2 table, whose clusters are not written in place; 0: the
 * first one is. -errno.
 */
int64_t coroutine_fn qcow_map_fresh_locked(BlockDriverState *bs, int64_t offset, int64_t bytes);
/*
 * Guest bytes from @offset on where backing data can show through: 0, or @bytes clipped. -errno.
 * Lock not held.
 */
int64_t coroutine_fn qcow_backing_shows(BlockDriverState *bs, int64_t offset, int64_t bytes);

/* ---- pin.c ---- */
void qcow_epochs_init(QcowState *s);
void qcow_epochs_free(QcowState *s);
QcowEpoch *qcow_pin_locked(QcowState *s);
void qcow_unpin(QcowEpoch *pin);
/* @raw: the entry that named the space. */
void qcow_free_locked(QcowState *s, uint64_t raw);
/* Likewise any range, for instance a table's place. */
void qcow_free_range_locked(QcowState *s, int64_t offset, int64_t bytes);
/* Ends the epoch if something was freed in it. Returns the one that is current now. */
QcowEpoch *qcow_epoch_close_locked(QcowState *s);
/* What was freed in epochs before @limit is unmapped on disk. */
void qcow_epoch_durable_locked(QcowState *s, const QcowEpoch *limit);
/* Ranges that nobody uses any more, or NULL. */
GArray *qcow_epoch_reap_locked(QcowState *s);
/* Forgets everything freed (make_empty). */
void qcow_epochs_forget_locked(QcowState *s);

/* ---- punch.c: under the flush lock ---- */
/*
 * QcowRange, free for good: @ranges are punched (and changed; NULL: none), @gaps were never used.
 */
void coroutine_fn qcow_punch(BlockDriverState *bs, GArray *ranges, const GArray *gaps);
void qcow_punch_forget(QcowState *s);

/* ---- alloc.c ---- */
void coroutine_fn qcow_claim_locked(QcowState *s, QcowClaim *claim, int64_t offset,
                                    int64_t bytes);
/*
 * Claims the longest free lead of the range instead of waiting for all of it; false: nothing was
 * claimed, but waited.
 */
bool coroutine_fn qcow_claim_lead_locked(QcowState *s, QcowClaim *claim, int64_t offset,
                                         int64_t bytes);
void qcow_claim_end(QcowState *s, QcowClaim *claim);
bool qcow_is_claimed_locked(QcowState *s, int64_t offset, int64_t bytes);

/*
 * New space for a run of clusters of one L2 table, and the table's place before it where it has
 * none.
 */
typedef struct QcowNew {
    QcowTable *table;           /* referenced */
    int64_t before, after;      /* the cursor's two values */
    int64_t place;              /* table's place reserved by this one; 0: it had one */
    int64_t start, bytes;       /* of the data */
} QcowNew;

/* @align: of the data. Returns 0 or -errno (-EFBIG: no offsets left). */
int coroutine_fn qcow_alloc_locked(BlockDriverState *bs, int64_t guest, int64_t bytes,
                                   int64_t align, QcowNew *n);
/* First byte to be written: the place, or the data; what stands between them is zeros. */
static inline int64_t qcow_new_first(const QcowNew *n)
{
    return n->place ? n->place : n->start;
}
/* Writes @v to the new space, from its first byte on. */
int coroutine_fn qcow_new_write(BlockDriverState *bs, const QcowNew *n, const IOVector *v);
/*
 * Moves the cursor past what is avoided, if any of it stands in the next @bytes. False: so many
 * are not left.
 */
bool qcow_cursor_clear_locked(QcowState *s, int64_t bytes);
void qcow_reset_avoided_locked(QcowState *s);
void qcow_add_avoided_locked(QcowState *s, int64_t offset, int64_t bytes);
void qcow_sort_avoided_locked(QcowState *s);
/* Space that will never be handed out. */
void qcow_add_gap_locked(QcowState *s, int64_t from, int64_t to);
/*
 * After the write: published with 0, given back with -errno. The caller then sets the entries, in
 * the same hold of the lock.
 */
void qcow_alloc_written_locked(QcowState *s, QcowNew *n, int ret);
/* Whether entries of @t may be changed: not a table that overlaps something else. */
bool qcow_table_may_change_locked(QcowState *s, const QcowTable *t);
/* Maps one cluster to @raw as a pending change; frees what it was. */
void qcow_publish_locked(QcowState *s, QcowTable *t, int64_t guest, uint64_t raw);

bool qcow_is_metadata_locked(QcowState *s, int64_t host, int64_t bytes);
bool qcow_is_suspect_locked(QcowState *s, int64_t host, int64_t bytes);
void qcow_add_suspect_locked(QcowState *s, int64_t host, int64_t bytes);
void qcow_sort_suspects_locked(QcowState *s);

/* ---- barrier0.c ---- */
/* Before the first write: learns where all L2 tables stand. */
int coroutine_fn qcow_index(BlockDriverState *bs);
/* Before the file grows or something is unmapped. */
int coroutine_fn qcow_barrier0(BlockDriverState *bs);
/*
 * What the two have found is forgotten, and found out anew when next needed. Drained, with nothing
 * pending and no entry that leads past the end of the file.
 */
void qcow_scan_forget(QcowState *s);
/*
 * Calls @func for each L1 entry that is not 0, in order, until it returns non-0. @l1_index, raw
 * entry.
 */
typedef int coroutine_fn QcowL1Func(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                    void *opaque);
int coroutine_fn qcow_l1_foreach(BlockDriverState *bs, int64_t end, QcowL1Func *func,
                                 void *opaque);
/* Writes 0 to the L1 entries from @from up to @to. */
int coroutine_fn qcow_l1_clear(BlockDriverState *bs, uint32_t from, uint32_t to);

/* ---- use-map.c: which sectors of the file are named, and by how many ---- */
typedef struct QcowUseMap QcowUseMap;
typedef enum QcowUse {
    QCOW_USE_FIXED,             /* header, name, L1: streams may share its edges */
    QCOW_USE_WHOLE,             /* an L2 table or a plain cluster */
    QCOW_USE_STREAM,            /* shares sectors with its neighbours */
} QcowUse;
/* Bytes of the file that are seen at once: a check shall take little memory, a guest wait little. */
#define QCOW_USE_WINDOW_CHECK ((int64_t)16 << 30)       /* in 8 MiB */
#define QCOW_USE_WINDOW_WRITE ((int64_t)64 << 30)       /* in 32 MiB */
/*
 * For a file of @end bytes, in windows of @window (a multiple of 32 KiB); NULL without memory. It
 * shows one window at a time.
 */
QcowUseMap *qcow_use_map_new(int64_t end, int64_t window);
void qcow_use_map_free(QcowUseMap *map);
/*
 * The next window, empty; false if nothing that was named stands there. The first call gives the
 * first one.
 */
bool qcow_use_map_next(QcowUseMap *map);
bool qcow_use_map_is_first(const QcowUseMap *map);
/* Header, name and L1. */
void qcow_use_map_add_fixed(QcowUseMap *map, const QcowState *s);
typedef enum QcowClash {
    QCOW_CLASH_NONE,
    QCOW_CLASH_STREAMS,         /* streams share whole sectors: harmless until one is punched */
    QCOW_CLASH_WHOLE,           /* what is written in place belongs to another owner too */
} QcowClash;
QcowClash qcow_use_map_add(QcowUseMap *map, int64_t offset, int64_t bytes, QcowUse use);
/*
 * The next run of unnamed bytes at or after *@offset, from the window on up to the next one; false:
 * none. When everything has been named.
 */
bool qcow_use_map_next_free(QcowUseMap *map, int64_t *offset, int64_t *bytes);

/* ---- effort.c: what a walk over all tables may cost ---- */
typedef struct QcowEffort {
    BlockDriverState *bs;
    int64_t end;                /* of the file */
    int64_t data;               /* bytes of it that are no hole */
    bool is_counted;            /* @data is exact */
    int64_t spent;              /* bytes; 0 begins another walk */
} QcowEffort;

/* @end: of the file, in bytes. */
void coroutine_fn qcow_effort_init(QcowEffort *e, BlockDriverState *bs, int64_t end);
/*
 * @bytes: of the file, that belong to what is looked at. False: more was seen than the file holds,
 * so what it names overlaps.
 */
bool coroutine_fn qcow_effort_spend(QcowEffort *e, int64_t bytes);

/* ---- read.c ---- */
int coroutine_fn qcow_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov, int flags);
int coroutine_fn qcow_read(BlockDriverState *bs, int64_t offset, int64_t bytes,
                           const IOVector *iov, size_t iov_offset);
/* Reads file bytes; those past the file's end are zeros. */
int coroutine_fn qcow_read_host(BlockDriverState *bs, int64_t host, int64_t bytes,
                                const IOVector *iov, size_t iov_offset);

/* ---- inflate.c: the two directions of one cluster's stream; any thread ---- */
/* 0; -EIO if the stream does not fill @cluster_size bytes; -ENOMEM. */
int qcow_inflate(QcowState *s, const uint8_t *in, size_t in_bytes, uint8_t *out,
                 size_t cluster_size);
/*
 * Length of the stream, less than @cluster_size; 0: does not shrink; -ENOMEM. @out: cluster_size
 * bytes.
 */
int qcow_deflate(QcowState *s, const uint8_t *in, uint8_t *out, size_t cluster_size);
void qcow_codecs_free(QcowState *s);

/* ---- noise.c ---- */
/* Whether deflating @in would be in vain; @bytes: of a cluster. Any thread. */
bool qcow_is_noise(const uint8_t *in, size_t bytes);

/* ---- crypt.c ---- */
/* All of @iov, whole sectors together, into @out. */
int coroutine_fn qcow_encrypt(BlockDriverState *bs, int64_t guest, const IOVector *iov,
                              uint8_t *out);
/* In place. */
int coroutine_fn qcow_decrypt_vector(BlockDriverState *bs, int64_t guest, const IOVector *iov,
                                     size_t iov_offset, int64_t bytes);

/* ---- write.c ---- */
int coroutine_fn qcow_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 const IOVector *iov, int flags);
/* @iov NULL: zeros. @needs_flush: set where BDRV_REQ_FUA asks for a flush afterwards. */
int coroutine_fn qcow_write(BlockDriverState *bs, int64_t offset, int64_t bytes,
                            const IOVector *iov, size_t iov_offset, int flags,
                            bool *needs_flush);
/* What every changing request begins and ends with. @end: of its guest bytes. */
int coroutine_fn qcow_write_begin(BlockDriverState *bs, int64_t end);
int coroutine_fn qcow_write_end(BlockDriverState *bs, int ret, bool needs_flush);

/* ---- compress.c ---- */
int coroutine_fn qcow_co_pwritev_compressed(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov);

/* ---- discard-zero.c ---- */
int coroutine_fn qcow_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       int flags);
/* Unmaps whole clusters of one L2 table, mapped or not. */
int coroutine_fn qcow_unmap(BlockDriverState *bs, int64_t offset, int64_t bytes);
int coroutine_fn qcow_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes);

/* ---- flush.c ---- */
/* Makes what was written to the file durable. Where that fails, nothing is written any more. */
int coroutine_fn qcow_sync(BlockDriverState *bs);
int coroutine_fn qcow_co_flush(BlockDriverState *bs);
/*
 * One write of the header and a sync; nothing that the new one leads to may still be pending. A
 * failed write is taken back, or ends all writing. s->header stays the caller's to change.
 */
int coroutine_fn qcow_update_header(BlockDriverState *bs, const QcowHeader *header);
/*
 * Punches space that nothing on disk names any more and no request uses, and what alignment has
 * left behind it, as far as @room.
 */
void coroutine_fn qcow_give_back(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 int64_t room);
/* Whether so much is pending that it must be flushed now. */
bool qcow_checkpoint_due_locked(QcowState *s);

/* ---- resize.c ---- */
bool coroutine_fn qcow_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                   PreallocMode prealloc, GError **error);

/* ---- repair.c ---- */
/* All that a check calls corrupt; lines of what has to be left go to @result's callback. */
int coroutine_fn qcow_repair(BlockDriverState *bs, const BlockCheckResult *result);

/* ---- rebase.c ---- */
bool qcow_change_backing_file(BlockDriverState *bs, const char *name, const char *format,
                              GError **error);

/* ---- status.c, check.c, create.c, measure.c, compact.c, empty.c ---- */
int coroutine_fn qcow_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                      int64_t bytes, int64_t *pnum, int64_t *map,
                                      BlockDriverState **file);
bool coroutine_fn qcow_co_check(BlockDriverState *bs, BlockCheckResult *result,
                                BlockCheckFix fix, GError **error);
bool coroutine_fn qcow_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                 const QDict *options, GError **error);
bool coroutine_fn qcow_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                      GError **error);
bool qcow_measure(const QDict *options, BlockBackend *source, BlockMeasure *measure,
                  GError **error);
bool coroutine_fn qcow_co_compact(BlockDriverState *bs, BlockBackend *file,
                                  const BlockCompactProgress *progress, GError **error);
bool qcow_make_empty(BlockDriverState *bs, GError **error);

/* Where the backing file's name ends; 0: there is none. */
static inline int64_t qcow_name_end(const QcowState *s)
{
    return (int64_t)s->header.backing_offset + s->header.backing_bytes;
}
/* Bytes of file that header, name and L1 take: the end of the highest of them. */
int64_t qcow_fixed_end(const QcowState *s);

/* ---- lost.c ---- */

bool qcow_may_have_lost_locked(const QcowState *s);
/*
 * Of an unmapped range: whether it was lost, 1 or 0; @bytes is cut to where the answer holds. May
 * leave the lock. -errno.
 */
int coroutine_fn qcow_lost_run_locked(BlockDriverState *bs, int64_t offset, int64_t *bytes);
/*
 * Whether the L1 entry names a table that the file ends before, or stands past the end itself: 1,
 * 0, -errno.
 */
int coroutine_fn qcow_l1_is_lost_locked(BlockDriverState *bs, uint32_t l1_index);

#endif
