/* SPDX-License-Identifier: MIT */
/*
 * The two barriers.
 *
 * Let P be the pending entries, with their values when the flush begins. The data write of each has
 * completed (write.c, 3).
 *
 * A. Every new table of P is written whole to its place, which nothing on disk names yet; then all
 *    data and new tables are made durable.
 * B. The entries of P in tables that can be reached, and the L1 entries of the tables of A, are
 *    written and made durable.
 *
 * 1. So nothing on disk ever names a cluster or a table that is not durable.
 * 2. An entry that changes while the flush runs keeps P's value on disk; its new one is pending
 *    again.
 * 3. A table's place is not written while a request still writes zeros there (QcowTable.placing).
 * 4. What P unmaps is punched after B only, and after the last request that looked it up (pin.c).
 * 5. One flush runs at a time. Who comes meanwhile takes part in the next one, as P was taken
 *    before it came.
 * 6. After a failed sync nothing is known of the disk: no more writes. A failed write of tables
 *    leaves P pending.
 * 7. The header is written under the same lock, as L1 entries may share its sector; one write
 *    takes the image from its old state to its new one (resize.c, rebase.c).
 * 8. While a resize moves the L1 table, entries go to both places (resize.c, 2).
 *
 * Without new mappings in P there is nothing that A must go before, and one barrier is enough.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

/* What P holds of one table. */
typedef struct FlushItem {
    QcowTable *table;
    bool is_new;
    bool maps;                  /* some entry of it is not 0 */
    uint32_t first, count;      /* entries in raw: from the first to the last changed one */
    uint8_t *raw;               /* big-endian */
    uint64_t *pending;          /* what becomes the table's empty bitmap */
} FlushItem;

static void flush_item_clear(gpointer data)
{
    FlushItem *item = data;

    g_free(item->raw);
    g_free(item->pending);
}

/* ---- the snapshot ---- */

static bool flush_item_range(const QcowTable *t, FlushItem *item)
{
    uint32_t last = 0;
    bool any = false;

    item->maps = t->is_new;
    for (uint32_t i = 0; i < t->count; i++) {
        if (!(t->pending[i / 64] >> (i % 64) & 1)) {
            continue;
        }
        item->first = any ? item->first : i;
        item->maps |= t->entries[i] != 0;
        last = i;
        any = true;
    }
    item->count = last + 1 - item->first;
    if (t->is_new) {
        item->first = 0;
        item->count = t->count;
    }
    return any;
}

static int flush_item_init(QcowTable *t, FlushItem *item)
{
    *item = (FlushItem) { .table = t, .is_new = t->is_new };
    flush_item_range(t, item);
    item->raw = g_try_malloc((size_t)item->count * 8);
    item->pending = g_try_malloc0(DIV_ROUND_UP(t->count, 64u) * 8);
    if (!item->raw || !item->pending) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < item->count; i++) {
        be64_store(item->raw + (size_t)i * 8, t->entries[item->first + i]);
    }
    return 0;
}

static bool flush_any_placing_locked(const QcowState *s)
{
    for (guint i = 0; i < s->cache.dirty->len; i++) {
        if (((QcowTable *)g_ptr_array_index(s->cache.dirty, i))->placing) {
            return true;
        }
    }
    return false;
}

/* Takes P; afterwards nothing is pending. */
static int flush_snapshot_locked(QcowState *s, GArray *items)
{
    for (guint i = 0; i < s->cache.dirty->len; i++) {
        FlushItem item;
        int ret = flush_item_init(g_ptr_array_index(s->cache.dirty, i), &item);

        g_array_append_val(items, item);
        if (ret < 0) {
            return ret;
        }
    }
    for (guint i = 0; i < items->len; i++) {
        FlushItem *item = &g_array_index(items, FlushItem, i);
        QcowTable *t = item->table;

        t->flushing = t->pending;
        t->pending = g_steal_pointer(&item->pending);
        t->is_dirty = false;
    }
    g_ptr_array_set_size(s->cache.dirty, 0);
    qcow_add_gap_locked(s, s->cursor, ROUND_UP_TO(s->cursor, 512));
    s->cursor = ROUND_UP_TO(s->cursor, 512);    /* compress.c, 2 */
    s->new_data = 0;
    s->dirty_since = 0;
    return 0;
}

/* ---- the barriers ---- */

int coroutine_fn qcow_sync(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    int ret = bdrv_co_flush(bs->file);

    if (ret < 0 && !QCOW_MUTANT(GOES_ON_AFTER_FAILED_SYNC)) {
        g_atomic_int_set(&s->failed, -ret);
    }
    return ret;
}

static int coroutine_fn flush_write_tables(BlockDriverState *bs, const GArray *items, bool is_new)
{
    int ret = 0;

    for (guint i = 0; i < items->len && ret == 0; i++) {
        const FlushItem *item = &g_array_index(items, FlushItem, i);

        if (QCOW_MUTANT(NEWEST_VALUES)) {
            for (uint32_t k = 0; k < item->count; k++) {
                be64_store(item->raw + (size_t)k * 8, item->table->entries[item->first + k]);
            }
        }
        if (item->is_new == is_new) {
            qcow_event(bs, is_new ? "l2_alloc_write" : "l2_update");
            ret = bdrv_co_pwrite(bs->file, item->table->offset + (int64_t)item->first * 8,
                                 (int64_t)item->count * 8, item->raw, 0);
        }
    }
    return ret;
}

/* Neighbouring entries in one write. Items of new tables come sorted by index. */
static int coroutine_fn flush_write_l1_at(BlockDriverState *bs, const GArray *items,
                                          const QcowL1Place *l1)
{
    g_autoptr(GByteArray) raw = g_byte_array_new();
    uint32_t first = 0, next = 0;
    int ret = 0;

    for (guint i = 0; i <= items->len && ret == 0; i++) {
        const FlushItem *item = i < items->len ? &g_array_index(items, FlushItem, i) : NULL;
        uint8_t entry[8];

        if (item && (!item->is_new || item->table->index >= l1->entries)) {
            continue;
        }
        if (raw->len && (!item || item->table->index != next)) {
            qcow_event(bs, "l1_update");
            ret = bdrv_co_pwrite(bs->file, l1->offset + (int64_t)first * 8, raw->len, raw->data,
                                 0);
            g_byte_array_set_size(raw, 0);
        }
        if (item) {
            first = raw->len ? first : item->table->index;
            next = item->table->index + 1;
            be64_store(entry, (uint64_t)item->table->offset);
            g_byte_array_append(raw, entry, sizeof(entry));
        }
    }
    return ret;
}

static int coroutine_fn flush_write_l1(BlockDriverState *bs, const GArray *items)
{
    QcowState *s = bs->opaque;
    QcowL1Place l1 = { .offset = s->g.l1_offset, .entries = s->g.l1_entries };
    int ret = flush_write_l1_at(bs, items, &l1);

    if (ret == 0 && s->old_l1.entries) {
        ret = flush_write_l1_at(bs, items, &s->old_l1);
    }
    return ret;
}

static int coroutine_fn flush_barriers(BlockDriverState *bs, const GArray *items)
{
    bool maps = false;
    int ret = 0;

    for (guint i = 0; i < items->len; i++) {
        maps |= g_array_index(items, FlushItem, i).maps;
    }
    if (QCOW_MUTANT(L1_FIRST)) {
        ret = flush_write_l1(bs, items);
    }
    if (QCOW_MUTANT(ENTRIES_FIRST)) {
        ret = flush_write_tables(bs, items, false);
    }
    if (maps && ret == 0) {
        ret = flush_write_tables(bs, items, true);
        if (ret == 0 && !QCOW_MUTANT(NO_SYNC_BETWEEN)) {
            ret = qcow_sync(bs);
        }
    }
    if (ret == 0) {
        ret = flush_write_tables(bs, items, false);
    }
    if (ret == 0) {
        ret = flush_write_l1(bs, items);
    }
    return ret == 0 && !QCOW_MUTANT(NO_SYNC_AT_END) ? qcow_sync(bs) : ret;
}

/* ---- afterwards ---- */

static void flush_item_done_locked(QcowState *s, FlushItem *item)
{
    QcowTable *t = item->table;

    if (item->is_new) {
        t->is_new = false;
        s->cache.new_tables--;
        s->file_end = MAX(s->file_end, t->offset + s->g.l2_bytes);
        qcow_l1_written_locked(s, t->index, t->offset);
    }
    g_clear_pointer(&t->flushing, g_free);
    s->cache.dirty_bytes -= (int64_t)t->count * 8;
    if (QCOW_MUTANT(FORGETS_LATER_CHANGES) && t->is_dirty) {
        memset(t->pending, 0, DIV_ROUND_UP(t->count, 64u) * 8);
    }
    qcow_table_settle_locked(s, t);
}

/* P is pending again. */
static void flush_item_undo_locked(QcowState *s, FlushItem *item)
{
    QcowTable *t = item->table;

    for (uint32_t w = 0; w < DIV_ROUND_UP(t->count, 64u); w++) {
        t->pending[w] |= t->flushing[w];
    }
    g_clear_pointer(&t->flushing, g_free);
    if (t->is_dirty) {
        s->cache.dirty_bytes -= (int64_t)t->count * 8;
    } else {
        t->is_dirty = true;
        g_ptr_array_add(s->cache.dirty, t);
    }
    s->dirty_since = g_get_monotonic_time();
}

static void coroutine_fn flush_punch(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    g_autoptr(GArray) gaps = NULL;
    g_autoptr(GArray) ranges = NULL;

    g_mutex_lock(&s->lock);
    ranges = qcow_epoch_reap_locked(s);
    if (s->gaps->len > 0) {
        gaps = s->gaps;
        s->gaps = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    }
    g_mutex_unlock(&s->lock);
    if (ranges || gaps) {
        qcow_punch(bs, ranges, gaps);
    }
}

static gint flush_compare(gconstpointer a, gconstpointer b)
{
    uint32_t x = ((const FlushItem *)a)->table->index, y = ((const FlushItem *)b)->table->index;

    return (x > y) - (x < y);
}

static int coroutine_fn flush_once(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(FlushItem));
    QcowEpoch *limit;
    int ret;

    if (g_atomic_int_get(&s->failed)) {
        return -g_atomic_int_get(&s->failed);
    }
    g_array_set_clear_func(items, flush_item_clear);
    g_mutex_lock(&s->lock);
    while (flush_any_placing_locked(s) && !QCOW_MUTANT(NO_WAIT_FOR_PLACE)) {
        co_queue_wait_thread(&s->placed, &s->lock);
    }
    ret = flush_snapshot_locked(s, items);
    limit = qcow_epoch_close_locked(s);
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    g_array_sort(items, flush_compare);
    if (QCOW_MUTANT(PUNCH_BEFORE_DURABLE)) {
        g_mutex_lock(&s->lock);
        qcow_epoch_durable_locked(s, limit);
        g_mutex_unlock(&s->lock);
        flush_punch(bs);
    }
    ret = items->len ? flush_barriers(bs, items) : qcow_sync(bs);

    g_mutex_lock(&s->lock);
    for (guint i = 0; i < items->len; i++) {
        FlushItem *item = &g_array_index(items, FlushItem, i);

        (ret == 0 ? flush_item_done_locked : flush_item_undo_locked)(s, item);
    }
    if (ret == 0) {
        qcow_epoch_durable_locked(s, limit);
    }
    g_mutex_unlock(&s->lock);
    flush_punch(bs);
    return ret;
}

/* ---- the lock ---- */

static void coroutine_fn flush_lock_locked(QcowState *s)
{
    while (s->flush.running) {
        co_queue_wait_thread(&s->flush.waiters, &s->lock);
    }
    s->flush.running = true;
}

static void flush_unlock_locked(QcowState *s)
{
    s->flush.running = false;
    co_queue_restart_all(&s->flush.waiters);
}

/* Bytes 8 to 47: who and what we are stays. */
static int coroutine_fn flush_write_header(BlockDriverState *bs, const QcowHeader *header)
{
    uint8_t raw[QCOW_HEADER_BYTES];

    qcow_header_write(header, raw);
    if (QCOW_MUTANT(HEADER_SECTOR)) {
        uint8_t sector[BDRV_SECTOR_SIZE] = { 0 };

        memcpy(sector, raw, sizeof(raw));
        return bdrv_co_pwrite(bs->file, 0, sizeof(sector), sector, 0);
    }
    return bdrv_co_pwrite(bs->file, QCOW_HEADER_FIXED, sizeof(raw) - QCOW_HEADER_FIXED,
                          raw + QCOW_HEADER_FIXED, 0);
}

int coroutine_fn qcow_update_header(BlockDriverState *bs, const QcowHeader *header)
{
    QcowState *s = bs->opaque;
    int ret = -g_atomic_int_get(&s->failed);

    g_mutex_lock(&s->lock);
    flush_lock_locked(s);
    g_mutex_unlock(&s->lock);
    if (ret == 0) {
        ret = flush_write_header(bs, header);
        if (ret == 0) {
            ret = QCOW_MUTANT(NO_SYNC_OF_HEADER) ? 0 : qcow_sync(bs);
        } else if (flush_write_header(bs, &s->header) < 0 || qcow_sync(bs) < 0) {
            g_atomic_int_set(&s->failed, -ret);     /* nobody knows which one is there */
        }
    }
    g_mutex_lock(&s->lock);
    flush_unlock_locked(s);
    g_mutex_unlock(&s->lock);
    return ret;
}

void coroutine_fn qcow_give_back(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 int64_t room)
{
    QcowState *s = bs->opaque;
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    int64_t end = MIN(ROUND_UP_TO(offset + bytes, QCOW_HOST_BLOCK), room);
    QcowRange r = { offset, MAX(end - offset, bytes) };
    bool is_shared;

    g_array_append_val(ranges, r);
    g_mutex_lock(&s->lock);
    flush_lock_locked(s);
    is_shared = qcow_is_suspect_locked(s, offset, bytes);
    g_mutex_unlock(&s->lock);
    if (!is_shared && !g_atomic_int_get(&s->failed)) {
        qcow_punch(bs, ranges, NULL);
    }
    g_mutex_lock(&s->lock);
    flush_unlock_locked(s);
    g_mutex_unlock(&s->lock);
}

/* ---- requests ---- */

int coroutine_fn qcow_co_flush(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    QcowFlush *f = &s->flush;
    uint64_t mine;
    int ret;

    g_mutex_lock(&s->lock);
    mine = f->started + 1;
    while (f->done < mine) {
        if (f->running) {
            mine -= QCOW_MUTANT(JOINS_THE_FLUSH_UNDER_WAY) && mine > f->started;
            co_queue_wait_thread(&f->waiters, &s->lock);
            continue;
        }
        f->running = true;
        f->started++;
        g_mutex_unlock(&s->lock);
        ret = flush_once(bs);
        g_mutex_lock(&s->lock);
        f->done = f->started;
        f->ret = ret;
        flush_unlock_locked(s);
    }
    ret = f->ret;
    g_mutex_unlock(&s->lock);
    return ret;
}

bool qcow_checkpoint_due_locked(QcowState *s)
{
    if (s->cache.dirty_bytes >= QCOW_CHECKPOINT_TABLES) {
        return true;            /* memory is bounded: wait for it */
    }
    return !s->flush.running &&
           (s->new_data >= QCOW_CHECKPOINT_DATA ||
            (s->dirty_since && g_get_monotonic_time() - s->dirty_since >= QCOW_CHECKPOINT_USEC));
}
