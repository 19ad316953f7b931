/* SPDX-License-Identifier: MIT */
/*
 * Repairing what a check calls corrupt. The node is drained.
 *
 * 1. What could be read before is read after, byte for byte. What has two owners is copied to fresh
 *    space for one of them.
 * 2. What could not be read at all (an unaligned entry, a stream that gives no cluster, one lost in
 *    a crash) is dropped: it becomes unmapped. The check has named each of them before.
 * 3. What the disk fails to read is neither dropped nor copied: another try may read it.
 * 4. Nothing is written in place but entries, in a flush like any other (flush.c), and only in
 *    tables that stand alone: barrier 0 clears what leads past the end of the file; then each table
 *    that shares its place, or is not aligned, gets a new one; when that is durable, entries
 *    change. So each step, and each part of one that a crash leaves, reads as invariant 1 says.
 *    (A cluster laid over the L1 table reads what the table becomes, as ever.)
 * 5. What is copied is bounded by the file's length: a hostile image may name one cluster a million
 *    times.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <inttypes.h>

#define REPAIR_LEAST_ROOM ((int64_t)16 << 20)   /* bytes that may be copied in a small file too */

typedef struct Repair {
    BlockDriverState *bs;
    QcowUseMap *use;
    int64_t end;                /* of the file that is looked at */
    int64_t room;               /* bytes that may still be copied */
    int64_t unread, unparted;   /* left because of invariants 3 and 5 */
    uint8_t *in, *out;          /* one cluster each */
} Repair;

static int coroutine_fn repair_checkpoint(Repair *r)
{
    QcowState *s = r->bs->opaque;
    bool is_due;

    g_mutex_lock(&s->lock);
    is_due = qcow_checkpoint_due_locked(s);
    g_mutex_unlock(&s->lock);
    return is_due ? qcow_co_flush(r->bs) : 0;
}

/* Whether @bytes may be copied. */
static bool repair_take_room(Repair *r, int64_t bytes)
{
    if (r->room < bytes) {
        r->unparted++;
        return false;
    }
    r->room -= bytes;
    return true;
}

/* ---- tables ---- */

static int repair_move_table_locked(QcowState *s, QcowTable *t)
{
    int64_t place;

    if (!qcow_cursor_clear_locked(s, s->g.cluster_size + s->g.l2_bytes)) {
        return -EFBIG;
    }
    if (!qcow_l2_reserve_pending_locked(s, t)) {
        return -ENOMEM;
    }
    place = ROUND_UP_TO(s->cursor, s->g.cluster_size);
    qcow_add_gap_locked(s, s->cursor, place);
    s->cursor = place + s->g.l2_bytes;
    g_array_append_val(s->tables_at, place);
    qcow_table_ref_locked(s, t);
    qcow_l2_move_locked(s, t, place);
    qcow_table_unref_locked(s, t);
    return 0;
}

/* What the table names stays the same, so until the flush both places serve. */
static int coroutine_fn repair_table_place(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                           void *opaque)
{
    Repair *r = opaque;
    QcowState *s = bs->opaque;
    QcowTable *t = NULL;
    bool is_alone;
    int ret;

    g_mutex_lock(&s->lock);
    is_alone = raw % 8 == 0 && !qcow_is_suspect_locked(s, (int64_t)raw, s->g.l2_bytes);
    g_mutex_unlock(&s->lock);
    if (is_alone || !repair_take_room(r, s->g.l2_bytes)) {
        return 0;
    }
    g_mutex_lock(&s->lock);
    ret = qcow_l2_get_locked(bs, l1_index, &t);
    if (ret == 0 && t) {
        ret = repair_move_table_locked(s, t);
    } else if (ret != -ENOMEM) {
        r->unread++;
        ret = 0;
    }
    g_mutex_unlock(&s->lock);
    return ret < 0 ? ret : repair_checkpoint(r);
}

/* ---- clusters ---- */

/* Maps @guest to a copy of its bytes in the file: plain, encrypted or a stream. */
static int coroutine_fn repair_copy(Repair *r, int64_t guest, const QcowEntry *e)
{
    BlockDriverState *bs = r->bs;
    QcowState *s = bs->opaque;
    bool is_stream = e->kind == QCOW_STREAM;
    QcowNew n;
    IOVector v;
    int ret;

    io_vector_init_buf(&v, r->in, e->bytes);
    ret = qcow_read_host(bs, e->offset, e->bytes, &v, 0);
    if (ret < 0) {
        r->unread++;
        return 0;
    }
    g_mutex_lock(&s->lock);
    ret = qcow_alloc_locked(bs, guest, e->bytes, is_stream ? 1 : s->g.cluster_size, &n);
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    ret = n.after > qcow_stream_max_offset(s->g.cluster_bits)
        ? -EFBIG : bdrv_co_pwrite(bs->file, n.start, e->bytes, r->in, 0);
    g_mutex_lock(&s->lock);
    qcow_alloc_written_locked(s, &n, ret);
    if (ret == 0) {
        qcow_publish_locked(s, n.table, guest,
                            is_stream ? qcow_entry_stream(n.start, e->bytes, s->g.cluster_bits)
                                      : qcow_entry_plain(n.start));
    }
    qcow_table_unref_locked(s, n.table);
    g_mutex_unlock(&s->lock);
    return ret;
}

static int repair_drop(Repair *r, QcowTable *t, int64_t guest)
{
    QcowState *s = r->bs->opaque;
    int ret = 0;

    g_mutex_lock(&s->lock);
    if (qcow_l2_reserve_pending_locked(s, t)) {
        qcow_publish_locked(s, t, guest, 0);
    } else {
        ret = -ENOMEM;
    }
    g_mutex_unlock(&s->lock);
    return ret;
}

/* Whether a cluster can never be read: 1, 0, -errno. */
static int coroutine_fn repair_is_hopeless(Repair *r, const QcowEntry *e)
{
    QcowState *s = r->bs->opaque;
    IOVector v;
    int ret;

    if (e->kind != QCOW_STREAM) {
        return e->kind == QCOW_DEAD || e->kind == QCOW_BAD;
    }
    io_vector_init_buf(&v, r->in, e->bytes);
    if (qcow_read_host(r->bs, e->offset, e->bytes, &v, 0) < 0) {
        r->unread++;
        return 0;
    }
    ret = qcow_inflate(s, r->in, e->bytes, r->out, s->g.cluster_size);
    return ret == -ENOMEM ? ret : ret < 0;
}

static int coroutine_fn repair_entry(Repair *r, QcowTable *t, int64_t guest, uint64_t raw)
{
    QcowState *s = r->bs->opaque;
    QcowEntry e = qcow_entry_decode(raw, s->g.cluster_bits);
    int ret = qcow_use_map_is_first(r->use) ? repair_is_hopeless(r, &e) : 0;

    if (ret != 0) {
        return ret < 0 ? ret : repair_drop(r, t, guest);
    }
    if (e.bytes == 0 || e.offset >= r->end ||
        qcow_use_map_add(r->use, e.offset, e.bytes,
                         e.kind == QCOW_PLAIN ? QCOW_USE_WHOLE : QCOW_USE_STREAM) !=
        QCOW_CLASH_WHOLE) {
        return 0;
    }
    return repair_take_room(r, e.bytes) ? repair_copy(r, guest, &e) : 0;
}

static int coroutine_fn repair_table_entries(Repair *r, QcowTable *t)
{
    QcowState *s = r->bs->opaque;
    int64_t guest = (int64_t)t->index * s->g.l2_span;
    int ret = 0;

    for (uint32_t i = 0; i < t->count && ret == 0; i++) {
        uint64_t raw = t->entries[i];

        if (raw) {
            ret = repair_entry(r, t, guest + i * s->g.cluster_size, raw);
        }
        if (ret == 0 && i % 64 == 0) {
            ret = repair_checkpoint(r);
        }
    }
    return ret;
}

static int coroutine_fn repair_table(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                     void *opaque)
{
    Repair *r = opaque;
    QcowState *s = bs->opaque;
    QcowTable *t = NULL;
    bool may_change = false;
    int ret;

    qcow_use_map_add(r->use, (int64_t)raw, s->g.l2_bytes, QCOW_USE_WHOLE);
    g_mutex_lock(&s->lock);
    ret = qcow_l2_get_locked(bs, l1_index, &t);
    if (ret == 0 && t) {
        may_change = qcow_table_may_change_locked(s, t);
        qcow_table_ref_locked(s, t);
    }
    g_mutex_unlock(&s->lock);
    if (ret < 0 || !t) {
        r->unread++;
        return ret == -ENOMEM ? ret : 0;
    }
    ret = may_change ? repair_table_entries(r, t) : 0;
    g_mutex_lock(&s->lock);
    qcow_table_unref_locked(s, t);
    g_mutex_unlock(&s->lock);
    return ret;
}

/* ---- the steps ---- */

static int coroutine_fn repair_tables(Repair *r)
{
    int ret = qcow_barrier0(r->bs);

    if (ret == 0) {
        ret = qcow_l1_foreach(r->bs, r->end, repair_table_place, r);
    }
    return ret == 0 ? qcow_co_flush(r->bs) : ret;
}

static int coroutine_fn repair_clusters(Repair *r)
{
    QcowState *s = r->bs->opaque;
    int64_t length;
    int ret;

    qcow_scan_forget(s);                /* who shares with whom is known anew */
    ret = qcow_barrier0(r->bs);
    length = ret == 0 ? bdrv_co_getlength(r->bs->file) : ret;
    if (length < 0) {
        return (int)length;
    }
    r->end = length;
    r->use = qcow_use_map_new(r->end + s->g.cluster_size, QCOW_USE_WINDOW_CHECK);
    if (!r->use) {
        return -ENOMEM;
    }
    while (ret == 0 && qcow_use_map_next(r->use)) {
        qcow_use_map_add_fixed(r->use, s);
        ret = qcow_l1_foreach(r->bs, r->end, repair_table, r);
    }
    return ret == 0 ? qcow_co_flush(r->bs) : ret;
}

static void repair_say_left(const Repair *r, const BlockCheckResult *result)
{
    g_autofree char *unread = g_strdup_printf("Left alone: %" PRId64 " tables and clusters that "
                                              "the disk failed to read", r->unread);
    g_autofree char *unparted = g_strdup_printf("Left alone: %" PRId64 " tables and clusters, as "
                                                "more is named twice than the file is long",
                                                r->unparted);

    if (result->report && r->unread) {
        result->report(unread, result->opaque);
    }
    if (result->report && r->unparted) {
        result->report(unparted, result->opaque);
    }
}

int coroutine_fn qcow_repair(BlockDriverState *bs, const BlockCheckResult *result)
{
    QcowState *s = bs->opaque;
    g_autofree uint8_t *in = g_try_malloc(s->g.cluster_size);
    g_autofree uint8_t *out = g_try_malloc(s->g.cluster_size);
    Repair r = { .bs = bs, .in = in, .out = out };
    int64_t length = in && out ? bdrv_co_getlength(bs->file) : -ENOMEM;
    int ret = (int)MIN(length, 0);

    if (ret == 0) {
        r.end = length;
        r.room = MAX(length, REPAIR_LEAST_ROOM);
        ret = repair_tables(&r);
    }
    if (ret == 0 && r.unread + r.unparted == 0) {
        ret = repair_clusters(&r);
    }
    qcow_use_map_free(r.use);
    if (ret == 0) {
        repair_say_left(&r, result);
        qcow_scan_forget(s);
    }
    return ret;
}
