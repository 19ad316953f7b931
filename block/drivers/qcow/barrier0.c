/* SPDX-License-Identifier: MIT */
/*
 * Opening an image that someone else crashed.
 *
 * Let E be the end of the file at open. An entry that leads past E names space that was never
 * written. As long as the file does not grow, such entries are simply not believed (table.h).
 * Before this session makes the file longer:
 *
 * 1. Every such entry is cleared on disk (a stream's becomes the dead entry), and that is durable
 *    before the file grows: else a later session, for which E is larger, would find it on top of
 *    new data.
 * 2. The file reaches to the end of everything that starts below E, and new space comes from above
 *    that.
 * 3. What is named twice is known, and neither written in place nor freed. That includes tables:
 *    the clearing is a second walk, made only where the first has found something to clear, and
 *    leaves alone each table that overlaps anything.
 * 4. New space keeps clear of what entries in such tables name past E: a later session will believe
 *    them, and shall find zeros there.
 *
 * It is done once, by the first request that needs it; the others wait.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

/* ---- walking the L1 table ---- */

/* Bytes of the L1 table from @at on that are a hole, a multiple of 8; 0: read them. */
static int64_t coroutine_fn l1_hole(BlockDriverState *bs, int64_t at, int64_t bytes)
{
    int64_t pnum = 0, map;
    BlockDriverState *file;
    int ret;

    if (bytes <= (int64_t)QCOW_L1_PIECE * 8) {
        return 0;
    }
    ret = bdrv_co_block_status(bs->file, true, at, bytes, &pnum, &map, &file);
    return ret >= 0 && (ret & BDRV_BLOCK_ZERO) ? ROUND_DOWN_TO(pnum, 8) : 0;
}

static int coroutine_fn l1_piece_foreach(BlockDriverState *bs, const uint64_t *entries,
                                         uint32_t first, uint32_t count, QcowL1Func *func,
                                         void *opaque)
{
    int ret = 0;

    for (uint32_t i = 0; i < count && ret == 0; i++) {
        if (entries[i]) {
            ret = func(bs, first + i, entries[i], opaque);
        }
    }
    return ret;
}

int coroutine_fn qcow_l1_foreach(BlockDriverState *bs, int64_t end, QcowL1Func *func,
                                 void *opaque)
{
    QcowState *s = bs->opaque;
    g_autofree uint64_t *entries = g_try_new(uint64_t, QCOW_L1_PIECE);
    uint32_t i = 0;

    if (!entries) {
        return -ENOMEM;
    }
    while (i < s->g.l1_entries) {
        int64_t at = s->g.l1_offset + (int64_t)i * 8;
        int64_t there = MIN(end - at, (int64_t)(s->g.l1_entries - i) * 8);
        uint32_t n = MIN(QCOW_L1_PIECE, s->g.l1_entries - i);
        int64_t hole;
        int ret;

        if (there <= 0) {
            break;
        }
        hole = l1_hole(bs, at, there);
        if (hole > 0) {
            i += (uint32_t)(hole / 8);
            continue;
        }
        ret = qcow_read_table(bs, at, entries, n, end);
        if (ret == 0) {
            ret = l1_piece_foreach(bs, entries, i, n, func, opaque);
        }
        if (ret) {
            return ret;
        }
        i += n;
    }
    return 0;
}

int coroutine_fn qcow_l1_clear(BlockDriverState *bs, uint32_t from, uint32_t to)
{
    QcowState *s = bs->opaque;
    int ret = 0;

    while (from < to && ret == 0) {
        uint32_t n = MIN(to - from, (uint32_t)(QCOW_ZERO_BYTES / 8));

        ret = bdrv_co_pwrite(bs->file, s->g.l1_offset + (int64_t)from * 8, (int64_t)n * 8,
                             s->zeroes, 0);
        from += n;
    }
    return ret;
}

/* ---- once a session ---- */

static int coroutine_fn run_once(BlockDriverState *bs, gint *is_done, QcowTask *task,
                                 int coroutine_fn (*func)(BlockDriverState *bs))
{
    QcowState *s = bs->opaque;
    int ret;

    if (g_atomic_int_get(is_done)) {
        return 0;
    }
    g_mutex_lock(&s->lock);
    while (*task == QCOW_TASK_RUNNING) {
        co_queue_wait_thread(&s->tasks, &s->lock);
    }
    if (*task == QCOW_TASK_DONE) {
        g_mutex_unlock(&s->lock);
        return 0;
    }
    *task = QCOW_TASK_RUNNING;
    g_mutex_unlock(&s->lock);

    ret = func(bs);

    g_mutex_lock(&s->lock);
    *task = ret == 0 ? QCOW_TASK_DONE : QCOW_TASK_TODO;
    g_atomic_int_set(is_done, ret == 0);
    co_queue_restart_all(&s->tasks);
    g_mutex_unlock(&s->lock);
    return ret;
}

/* ---- where the tables stand ---- */

typedef struct IndexWalk {
    GArray *tables;
    int64_t end_at_open;
} IndexWalk;

static int coroutine_fn index_add(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                  void *opaque)
{
    IndexWalk *w = opaque;
    int64_t offset = qcow_l1_effective(raw, w->end_at_open);

    if (offset == 0) {
        return 0;
    }
    if (w->tables->len >= QCOW_MAX_TABLES) {
        return -EFBIG;
    }
    g_array_append_val(w->tables, offset);
    return 0;
}

static gint index_compare(gconstpointer a, gconstpointer b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int coroutine_fn index_run(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    g_autoptr(GArray) tables = g_array_new(FALSE, FALSE, sizeof(int64_t));
    IndexWalk w = { .tables = tables };
    int64_t end;
    int ret;

    g_mutex_lock(&s->lock);
    w.end_at_open = s->end_at_open;
    end = s->file_end;
    g_mutex_unlock(&s->lock);
    ret = qcow_l1_foreach(bs, end, index_add, &w);
    if (ret < 0) {
        return ret;
    }
    g_array_sort(tables, index_compare);
    g_mutex_lock(&s->lock);
    g_array_unref(s->tables_at);
    s->tables_at = g_steal_pointer(&tables);
    g_mutex_unlock(&s->lock);
    return 0;
}

int coroutine_fn qcow_index(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;

    return run_once(bs, &s->indexed, &s->index_task, index_run);
}

/* ---- barrier 0 ---- */

typedef struct Scan {
    QcowUseMap *use;
    QcowEffort effort;
    int64_t end;                /* E */
    int64_t highest;            /* end of what starts below E */
    /* ends of the L1 table and the name, and where something else stands after them */
    int64_t l1_end, name_end;
    int64_t l1_next, name_next;
    bool is_clearing;           /* the second walk; else nothing is written */
    bool needs_clearing;        /* set by the first */
    uint32_t clear_from, clear_to;      /* L1 entries still to be cleared */
    uint64_t *entries;          /* of the L2 table at hand */
} Scan;

/* The lower one of @next, found before, and the first byte at or after @from of what is there. */
static int64_t scan_next(int64_t from, int64_t next, int64_t offset, int64_t bytes)
{
    return offset + bytes > from ? MIN(next, MAX(offset, from)) : next;
}

static void scan_note_place(Scan *scan, int64_t offset, int64_t bytes)
{
    scan->highest = MAX(scan->highest, offset + bytes);
    scan->l1_next = scan_next(scan->l1_end, scan->l1_next, offset, bytes);
    scan->name_next = scan_next(scan->name_end, scan->name_next, offset, bytes);
}

static void scan_name(QcowState *s, Scan *scan, int64_t offset, int64_t bytes, QcowUse use)
{
    scan_note_place(scan, offset, bytes);
    if (qcow_use_map_add(scan->use, offset, bytes, use) != QCOW_CLASH_NONE) {
        g_mutex_lock(&s->lock);
        qcow_add_suspect_locked(s, offset, bytes);
        g_mutex_unlock(&s->lock);
    }
}

/* Whether the bytes that the file has of a stream give a whole cluster. */
static int coroutine_fn scan_stream_is_whole(BlockDriverState *bs, const QcowEntry *e,
                                             int64_t end, bool *is_whole)
{
    QcowState *s = bs->opaque;
    g_autofree uint8_t *in = g_try_malloc(end - e->offset);
    g_autofree uint8_t *out = g_try_malloc(s->g.cluster_size);
    int ret;

    if (!in || !out) {
        return -ENOMEM;
    }
    ret = bdrv_co_pread(bs->file, e->offset, end - e->offset, in);
    if (ret < 0) {
        return ret;
    }
    ret = qcow_inflate(s, in, end - e->offset, out, s->g.cluster_size);
    *is_whole = ret == 0;
    return ret == -ENOMEM ? ret : 0;
}

static int scan_give_up(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;

    if (!g_atomic_int_exchange(&s->is_corrupt, 1)) {
        bdrv_warn(bs, "Image '%s' is corrupt: its tables lead to more than the file holds",
                  bs->filename);
    }
    return -EIO;
}

/* What an entry has to become. */
static int coroutine_fn scan_entry(BlockDriverState *bs, Scan *scan, uint64_t raw,
                                   uint64_t *wanted)
{
    QcowState *s = bs->opaque;
    QcowEntry e;
    bool is_whole = true;
    int ret = 0;

    *wanted = qcow_entry_effective(raw, s->g.cluster_bits, scan->end);
    e = qcow_entry_decode(*wanted, s->g.cluster_bits);
    if (!qcow_effort_spend(&scan->effort, sizeof(raw))) {
        return scan_give_up(bs);
    }
    if (e.kind == QCOW_STREAM && e.offset + e.bytes > scan->end) {
        if (!qcow_effort_spend(&scan->effort, scan->end - e.offset)) {
            return scan_give_up(bs);
        }
        ret = scan_stream_is_whole(bs, &e, scan->end, &is_whole);
    }
    if (!is_whole) {
        *wanted = QCOW_ENTRY_DEAD;
        return ret;
    }
    if (!scan->is_clearing && (e.kind == QCOW_PLAIN || e.kind == QCOW_STREAM)) {
        scan_name(s, scan, e.offset, e.bytes,
                  e.kind == QCOW_PLAIN ? QCOW_USE_WHOLE : QCOW_USE_STREAM);
    }
    return ret;
}

/* Writes entries [@from, @to) of the table at @offset as they now are in scan->entries. */
static int coroutine_fn scan_write_entries(BlockDriverState *bs, Scan *scan, int64_t offset,
                                           uint32_t from, uint32_t to)
{
    g_autofree uint8_t *raw = g_try_malloc((size_t)(to - from) * 8);

    if (!raw) {
        return -ENOMEM;
    }
    for (uint32_t i = from; i < to; i++) {
        be64_store(raw + (size_t)(i - from) * 8, scan->entries[i]);
    }
    return bdrv_co_pwrite(bs->file, offset + (int64_t)from * 8, (int64_t)(to - from) * 8, raw, 0);
}

/* Invariant 3. */
static bool scan_may_clear(QcowState *s, int64_t offset)
{
    bool is_suspect;

    g_mutex_lock(&s->lock);
    is_suspect = qcow_is_suspect_locked(s, offset, s->g.l2_bytes);
    g_mutex_unlock(&s->lock);
    return !is_suspect;
}

/* Invariant 4, for a table that keeps its entries. */
static int coroutine_fn scan_avoid(BlockDriverState *bs, Scan *scan, int64_t offset)
{
    QcowState *s = bs->opaque;
    int ret = qcow_read_table(bs, offset, scan->entries, s->g.l2_entries, scan->end);

    g_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->g.l2_entries && ret == 0; i++) {
        QcowEntry e = qcow_entry_decode(scan->entries[i], s->g.cluster_bits);

        if (e.offset >= scan->end) {
            qcow_add_avoided_locked(s, e.offset, e.bytes);
        }
    }
    g_mutex_unlock(&s->lock);
    return ret;
}

static int coroutine_fn scan_table(BlockDriverState *bs, Scan *scan, int64_t offset)
{
    QcowState *s = bs->opaque;
    uint32_t from = UINT32_MAX, to = 0;
    int ret;

    if (scan->is_clearing && !scan_may_clear(s, offset)) {
        return scan_avoid(bs, scan, offset);
    }
    if (!scan->is_clearing) {
        scan_name(s, scan, offset, s->g.l2_bytes, QCOW_USE_WHOLE);
    }
    ret = qcow_read_table(bs, offset, scan->entries, s->g.l2_entries, scan->end);
    for (uint32_t i = 0; i < s->g.l2_entries && ret == 0; i++) {
        uint64_t raw = scan->entries[i];

        if (raw == 0) {
            continue;
        }
        ret = scan_entry(bs, scan, raw, &scan->entries[i]);
        if (scan->entries[i] != raw) {
            from = MIN(from, i);
            to = i + 1;
        }
    }
    if (ret == 0 && from < to) {
        scan->needs_clearing = true;
        if (scan->is_clearing) {
            ret = scan_write_entries(bs, scan, offset, from, to);
        }
    }
    return ret;
}

static int coroutine_fn scan_clear_l1(BlockDriverState *bs, Scan *scan)
{
    int ret = qcow_l1_clear(bs, scan->clear_from, scan->clear_to);

    scan->clear_from = scan->clear_to;
    return ret;
}

static int coroutine_fn scan_l1_entry(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                      void *opaque)
{
    Scan *scan = opaque;
    int64_t offset = qcow_l1_effective(raw, scan->end);
    int ret = 0;

    if (offset) {
        return scan_table(bs, scan, offset);
    }
    scan->needs_clearing = true;
    if (!scan->is_clearing) {
        return 0;
    }
    if (l1_index != scan->clear_to) {
        ret = scan_clear_l1(bs, scan);
        scan->clear_from = l1_index;
    }
    scan->clear_to = l1_index + 1;
    return ret;
}

/* One walk over all tables for each window, and one more to clear. */
static int coroutine_fn scan_walk(BlockDriverState *bs, Scan *scan)
{
    QcowState *s = bs->opaque;
    int ret = 0;

    while (ret == 0 && qcow_use_map_next(scan->use)) {
        qcow_use_map_add_fixed(scan->use, s);
        scan->effort.spent = 0;
        ret = qcow_l1_foreach(bs, scan->end, scan_l1_entry, scan);
    }
    g_mutex_lock(&s->lock);
    qcow_sort_suspects_locked(s);
    g_mutex_unlock(&s->lock);
    if (ret < 0 || !scan->needs_clearing || QCOW_MUTANT(NO_CLEARING)) {
        return ret;
    }
    scan->is_clearing = true;
    scan->effort.spent = 0;
    ret = qcow_l1_foreach(bs, scan->end, scan_l1_entry, scan);
    g_mutex_lock(&s->lock);
    qcow_sort_avoided_locked(s);
    g_mutex_unlock(&s->lock);
    return ret == 0 ? scan_clear_l1(bs, scan) : ret;
}

static int coroutine_fn scan_extend(BlockDriverState *bs, const Scan *scan)
{
    g_autoptr(GError) error = NULL;

    if (!bdrv_co_truncate(bs->file, scan->highest, false, PREALLOC_MODE_OFF, &error)) {
        return -cairn_error_errno(error);
    }
    return QCOW_MUTANT(NO_SYNC_OF_EXTENDING) ? 0 : qcow_sync(bs);
}

/*
 * Invariants 1 and 2: the clearing is durable before the file grows; and its length is before
 * something is written in place across the old end, which may lie within a sector. It may be that
 * of a scan that failed half-way, or of a session that was killed, which has left nothing to clear:
 * so there is a sync whether this scan has cleared or not.
 */
static int coroutine_fn scan_settle(BlockDriverState *bs, Scan *scan)
{
    int ret;

    bdrv_child_expect_flush(bs->file);
    ret = QCOW_MUTANT(NO_SYNC_OF_CLEARING) ? 0 : qcow_sync(bs);

    return ret == 0 && scan->highest > scan->end && !QCOW_MUTANT(NO_EXTENDING)
        ? scan_extend(bs, scan) : ret;
}

static void scan_publish(QcowState *s, const Scan *scan)
{
    g_mutex_lock(&s->lock);
    s->end_at_scan = scan->end;
    s->file_end = MAX(s->file_end, scan->highest);
    s->end_at_open = INT64_MAX;
    s->cursor = ROUND_UP_TO(scan->highest, MAX(s->g.cluster_size, QCOW_HOST_BLOCK));
    if (QCOW_MUTANT(CURSOR_AT_END_OF_FILE)) {
        s->cursor = ROUND_UP_TO(scan->end, BDRV_SECTOR_SIZE);
    }
    s->l1_room = MIN(scan->l1_next, s->cursor);
    s->name_room = MIN(scan->name_next, s->cursor);
    qcow_add_gap_locked(s, scan->highest, s->cursor);
    qcow_cache_drop_locked(s);
    g_mutex_unlock(&s->lock);
}

static void scan_init(const QcowState *s, Scan *scan)
{
    int64_t l1_bytes = (int64_t)s->g.l1_entries * 8, name_end = qcow_name_end(s);

    *scan = (Scan) {
        .highest = qcow_fixed_end(s), .l1_end = s->g.l1_offset + l1_bytes, .name_end = name_end,
        .l1_next = INT64_MAX, .name_next = INT64_MAX,
    };
    scan->name_next = scan_next(name_end, INT64_MAX, s->g.l1_offset, l1_bytes);
    if (s->record_offset) {
        scan->l1_next = scan_next(scan->l1_end, INT64_MAX, s->record_offset,
                                  name_end - s->record_offset);
    }
}

static int coroutine_fn scan_run(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    Scan scan;
    int ret = qcow_index(bs);

    if (ret < 0) {
        return ret;
    }
    scan_init(s, &scan);
    g_mutex_lock(&s->lock);
    scan.end = s->file_end;
    g_array_set_size(s->suspects, 0);
    qcow_reset_avoided_locked(s);
    g_mutex_unlock(&s->lock);
    qcow_effort_init(&scan.effort, bs, scan.end);
    scan.use = qcow_use_map_new(scan.end + s->g.l2_bytes + s->g.cluster_size,
                                QCOW_USE_WINDOW_WRITE);
    scan.entries = g_try_new(uint64_t, s->g.l2_entries);
    ret = scan.use && scan.entries ? scan_walk(bs, &scan) : -ENOMEM;
    if (ret == 0) {
        ret = scan_settle(bs, &scan);
    }
    if (ret == 0) {
        scan_publish(s, &scan);
    }
    g_free(scan.entries);
    qcow_use_map_free(scan.use);
    return ret;
}

int coroutine_fn qcow_barrier0(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;

    return run_once(bs, &s->scanned, &s->scan_task, scan_run);
}

void qcow_scan_forget(QcowState *s)
{
    g_mutex_lock(&s->lock);
    qcow_cache_drop_locked(s);
    qcow_epochs_forget_locked(s);
    s->end_at_open = s->end_at_scan = s->file_end;
    s->all_suspect = false;
    s->stream_at = 0;
    g_array_set_size(s->suspects, 0);
    g_array_set_size(s->tables_at, 0);
    g_array_set_size(s->gaps, 0);
    qcow_reset_avoided_locked(s);
    s->index_task = s->scan_task = QCOW_TASK_TODO;
    g_mutex_unlock(&s->lock);
    qcow_punch_forget(s);
    g_atomic_int_set(&s->is_corrupt, 0);
    g_atomic_int_set(&s->indexed, 0);
    g_atomic_int_set(&s->scanned, 0);
}
