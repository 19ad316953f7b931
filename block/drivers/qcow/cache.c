/* SPDX-License-Identifier: MIT */
/*
 * The tables in memory: L2 tables by their L1 index, and pieces of the L1 table.
 *
 * 1. An L2 table holds the newest values; an L1 piece holds what is on disk. A table with is_new is
 *    found in the hash only: no piece knows it until a flush has written its L1 entry.
 * 2. A table with a pending or flushing entry, a user or a placing write stays in memory.
 * 3. Tables that may be evicted take at most idle_limit bytes; those that were loaded in a row, much
 *    less.
 * 4. Entries that lead past the end at open are dropped as they are loaded (table.h), until barrier
 *    0 has cleared them on disk as well; in a table that overlaps something else, which it leaves
 *    alone, for ever.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

#define CACHE_ROW 64                    /* tables that stay behind one that reads all in a row */

static int64_t table_bytes(const QcowTable *t)
{
    return (int64_t)t->count * 8;
}

static size_t bitmap_bytes(const QcowTable *t)
{
    return DIV_ROUND_UP(t->count, 64u) * 8;
}

static void table_free(gpointer data)
{
    QcowTable *t = data;

    g_free(t->pending);
    g_free(t->flushing);
    g_free(t);
}

/* Entries not set, for who reads them. Without memory for it: NULL. */
static QcowTable *table_new(uint32_t index, uint32_t count, bool is_l1)
{
    QcowTable *t = g_try_malloc(sizeof(QcowTable) + count * sizeof(t->entries[0]));

    if (t) {
        *t = (QcowTable) { .index = index, .count = count, .is_l1 = is_l1 };
        t->lru.data = t;
    }
    return t;
}

void qcow_cache_init(QcowState *s, int64_t limit)
{
    QcowCache *c = &s->cache;

    c->l2 = g_hash_table_new_full(NULL, NULL, NULL, table_free);
    c->l1 = g_hash_table_new_full(NULL, NULL, NULL, table_free);
    c->dirty = g_ptr_array_new();
    g_queue_init(&c->lru);
    c->idle_limit = limit;
    co_queue_init(&c->loaded);
}

void qcow_cache_free(QcowState *s)
{
    QcowCache *c = &s->cache;

    g_clear_pointer(&c->dirty, g_ptr_array_unref);
    g_clear_pointer(&c->l2, g_hash_table_destroy);
    g_clear_pointer(&c->l1, g_hash_table_destroy);
}

static GHashTable *cache_hash(QcowState *s, const QcowTable *t)
{
    return t->is_l1 ? s->cache.l1 : s->cache.l2;
}

static void cache_remove_locked(QcowState *s, QcowTable *t)
{
    if (t->is_idle) {
        g_queue_unlink(&s->cache.lru, &t->lru);
        s->cache.idle_bytes -= table_bytes(t);
    }
    s->cache.new_tables -= t->is_new;
    g_hash_table_remove(cache_hash(s, t), GUINT_TO_POINTER(t->index));
}

static void cache_shrink_locked(QcowState *s, const QcowTable *keep)
{
    QcowCache *c = &s->cache;

    while (c->idle_bytes > c->idle_limit && c->lru.tail && c->lru.tail->data != keep) {
        cache_remove_locked(s, c->lru.tail->data);
    }
}

void qcow_table_settle_locked(QcowState *s, QcowTable *t)
{
    bool is_free = !t->is_loading && !t->is_dirty && !t->flushing && !t->users && !t->placing;

    if (is_free && t->is_new) {
        cache_remove_locked(s, t);      /* nobody came to use it */
        return;
    }
    if (is_free == t->is_idle) {
        return;
    }
    t->is_idle = is_free;
    if (is_free) {
        g_queue_push_head_link(&s->cache.lru, &t->lru);
        s->cache.idle_bytes += table_bytes(t);
        cache_shrink_locked(s, t);
    } else {
        g_queue_unlink(&s->cache.lru, &t->lru);
        s->cache.idle_bytes -= table_bytes(t);
    }
}

static void cache_touch_locked(QcowState *s, QcowTable *t)
{
    GQueue *lru = &s->cache.lru;

    if (t->is_idle && lru->head != &t->lru) {
        g_queue_unlink(lru, &t->lru);
        g_queue_push_head_link(lru, &t->lru);
    }
}

void qcow_table_ref_locked(QcowState *s, QcowTable *t)
{
    t->users++;
    qcow_table_settle_locked(s, t);
}

void qcow_table_unref_locked(QcowState *s, QcowTable *t)
{
    t->users--;
    qcow_table_settle_locked(s, t);
}

static gboolean cache_is_not_loading(gpointer key, gpointer value, gpointer opaque)
{
    return !((QcowTable *)value)->is_loading;
}

void qcow_cache_drop_locked(QcowState *s)
{
    QcowCache *c = &s->cache;

    g_assert(c->dirty->len == 0);
    c->generation++;
    g_queue_init(&c->lru);
    c->idle_bytes = 0;
    c->new_tables = 0;
    c->hole_from = c->hole_to = 0;
    c->l1_block = 0;
    g_hash_table_foreach_remove(c->l2, cache_is_not_loading, NULL);
    g_hash_table_foreach_remove(c->l1, cache_is_not_loading, NULL);
}

/* Not one that is being read: its reader throws it away. */
static gboolean cache_drop_piece(gpointer key, gpointer value, gpointer opaque)
{
    QcowCache *c = opaque;
    QcowTable *t = value;

    if (t->is_idle) {
        g_queue_unlink(&c->lru, &t->lru);
        c->idle_bytes -= table_bytes(t);
    }
    return !t->is_loading;
}

void qcow_cache_drop_l1_locked(QcowState *s)
{
    QcowCache *c = &s->cache;

    c->generation++;
    c->hole_from = c->hole_to = 0;
    c->l1_block = 0;
    g_hash_table_foreach_remove(c->l1, cache_drop_piece, c);
}

void qcow_l2_forget_locked(QcowState *s, QcowTable *t)
{
    QcowCache *c = &s->cache;

    g_assert(!t->users && !t->placing && !t->flushing && !t->is_loading);
    if (t->is_dirty) {
        g_ptr_array_remove(c->dirty, t);
        c->dirty_bytes -= table_bytes(t);
    }
    cache_remove_locked(s, t);
}

void qcow_cache_set_limit_locked(QcowState *s, int64_t limit)
{
    s->cache.idle_limit = limit;
    cache_shrink_locked(s, NULL);
}

/* ---- loading ---- */

/* Words as they stand on disk; zeros past the end. */
static int coroutine_fn read_words(BlockDriverState *bs, int64_t offset, uint64_t *words,
                                   uint32_t count, int64_t end)
{
    int64_t bytes = (int64_t)count * 8;
    int64_t there = CLAMP(end - offset, 0, bytes);
    int ret = 0;

    if (there > 0) {
        ret = bdrv_co_pread(bs->file, offset, there, words);
    }
    memset((uint8_t *)words + there, 0, bytes - there);
    return MIN(ret, 0);
}

int coroutine_fn qcow_read_table(BlockDriverState *bs, int64_t offset, uint64_t *entries,
                                 uint32_t count, int64_t end)
{
    int ret = read_words(bs, offset, entries, count, end);

    if (ret == 0) {
        qcow_entries_from_disk(entries, count);
    }
    return ret;
}

/* Of words as read from disk. What leads past @end is taken out of an L2 table, and noted of either. */
static void table_decode(QcowTable *t, const QcowGeometry *g, int64_t end)
{
    t->has_lost = t->offset + (int64_t)t->count * 8 > end;
    if (!t->is_l1) {
        t->has_lost |= qcow_l2_decode(t->entries, t->count, g->cluster_bits, end);
        return;
    }
    qcow_entries_from_disk(t->entries, t->count);
    for (uint32_t i = 0; i < t->count && !t->has_lost; i++) {
        t->has_lost = t->entries[i] != 0 && qcow_l1_effective(t->entries[i], end) == 0;
    }
}

/*
 * Who reads all tables in a row, as map and convert do, needs none of them again: what such a walk
 * has loaded goes after a while, and leaves the cache to the others.
 */
static void cache_note_load_locked(QcowState *s, uint32_t l1_index)
{
    QcowCache *c = &s->cache;
    QcowTable *t = NULL;

    c->row = l1_index == c->row_next ? c->row + 1 : 0;
    c->row_next = l1_index + 1;
    if (c->row > CACHE_ROW) {
        t = g_hash_table_lookup(c->l2, GUINT_TO_POINTER(l1_index - CACHE_ROW));
    }
    if (t && t->is_idle) {
        cache_remove_locked(s, t);
    }
}

/*
 * Fills the placeholder @t, which stands in its hash, from the file. The lock is left.
 * Returns: 0; -EAGAIN if it was removed because the disk changed meanwhile; -errno.
 */
static int coroutine_fn cache_load_locked(BlockDriverState *bs, QcowTable *t)
{
    QcowState *s = bs->opaque;
    unsigned generation = s->cache.generation;
    int64_t end = s->file_end, end_at_open = s->end_at_open;
    int ret;

    if (!t->is_l1 && end_at_open == INT64_MAX &&
        qcow_is_suspect_locked(s, t->offset, s->g.l2_bytes)) {
        end_at_open = s->end_at_scan;
    }
    t->is_loading = true;
    g_mutex_unlock(&s->lock);
    if (!t->is_l1) {
        qcow_event(bs, "l2_load");
    }
    ret = read_words(bs, t->offset, t->entries, t->count, end);
    if (ret == 0) {
        table_decode(t, &s->g, end_at_open);
    }
    g_mutex_lock(&s->lock);
    t->is_loading = false;
    s->cache.has_lost |= t->has_lost;
    if (ret == 0 && generation != s->cache.generation) {
        ret = -EAGAIN;
    }
    if (ret < 0) {
        g_hash_table_remove(cache_hash(s, t), GUINT_TO_POINTER(t->index));
    } else {
        qcow_table_settle_locked(s, t);
        if (!t->is_l1) {
            cache_note_load_locked(s, t->index);
        }
    }
    co_queue_restart_all(&s->cache.loaded);
    return ret;
}

/*
 * Looks for a hole of the L1 table at @index, before 64 KiB of it are read. The lock is left.
 * Returns: whether one was noted that holds @index.
 */
static bool coroutine_fn cache_find_hole_locked(BlockDriverState *bs, uint32_t index)
{
    QcowState *s = bs->opaque;
    QcowCache *c = &s->cache;
    unsigned generation = c->generation;
    int64_t at = s->g.l1_offset + (int64_t)index * 8;
    int64_t left = (int64_t)(s->g.l1_entries - index) * 8;
    int64_t there = MIN(left, s->file_end - at);
    int64_t zeros = left;

    if (s->g.l1_entries <= QCOW_L1_PIECE) {
        return false;
    }
    if (there > 0) {
        int64_t pnum = 0, map;
        BlockDriverState *file;
        int ret;

        g_mutex_unlock(&s->lock);
        ret = bdrv_co_block_status(bs->file, true, at, there, &pnum, &map, &file);
        g_mutex_lock(&s->lock);
        zeros = ret >= 0 && (ret & BDRV_BLOCK_ZERO) ? (pnum >= there ? left : pnum) : 0;
    }
    if (generation != c->generation || zeros / 8 == 0 ||
        (zeros < left && zeros < (int64_t)QCOW_L1_PIECE * 8)) {
        return false;
    }
    c->hole_from = index;
    c->hole_to = index + (uint32_t)(zeros / 8);
    return true;
}

/* What disk says of a table's place. May leave the lock. */
static int coroutine_fn cache_l1_get_raw_locked(BlockDriverState *bs, uint32_t index,
                                                uint64_t *raw)
{
    QcowState *s = bs->opaque;
    QcowCache *c = &s->cache;
    uint32_t number = index / QCOW_L1_PIECE, first = number * QCOW_L1_PIECE;

    for (;;) {
        QcowTable *t;
        int ret;

        if (index >= c->hole_from && index < c->hole_to) {
            *raw = 0;
            return 0;
        }
        t = g_hash_table_lookup(c->l1, GUINT_TO_POINTER(number));
        if (t && t->is_loading) {
            co_queue_wait_thread(&c->loaded, &s->lock);
            continue;
        }
        if (t) {
            cache_touch_locked(s, t);
            *raw = t->entries[index - first];
            return 0;
        }
        if (cache_find_hole_locked(bs, index) ||
            g_hash_table_contains(c->l1, GUINT_TO_POINTER(number))) {
            continue;
        }
        t = table_new(number, MIN(QCOW_L1_PIECE, s->g.l1_entries - first), true);
        if (!t) {
            return -ENOMEM;
        }
        t->offset = s->g.l1_offset + (int64_t)first * 8;
        g_hash_table_insert(c->l1, GUINT_TO_POINTER(number), t);
        ret = cache_load_locked(bs, t);
        if (ret < 0 && ret != -EAGAIN) {
            return ret;
        }
    }
}

/* Likewise, dangling ones left out. */
static int coroutine_fn cache_l1_get_locked(BlockDriverState *bs, uint32_t index, int64_t *offset)
{
    QcowState *s = bs->opaque;
    uint64_t raw = 0;
    int ret = cache_l1_get_raw_locked(bs, index, &raw);

    *offset = qcow_l1_effective(raw, s->end_at_open);
    return ret;
}

int coroutine_fn qcow_l1_is_lost_locked(BlockDriverState *bs, uint32_t l1_index)
{
    QcowState *s = bs->opaque;
    uint64_t raw = 0;
    int ret = cache_l1_get_raw_locked(bs, l1_index, &raw);

    if (ret < 0) {
        return ret;
    }
    return s->g.l1_offset + (int64_t)l1_index * 8 >= s->end_at_open
        || (raw && !qcow_l1_effective(raw, s->end_at_open));
}

int coroutine_fn qcow_l2_get_locked(BlockDriverState *bs, uint32_t l1_index, QcowTable **table)
{
    QcowState *s = bs->opaque;
    QcowCache *c = &s->cache;
    gpointer key = GUINT_TO_POINTER(l1_index);

    for (;;) {
        QcowTable *t = g_hash_table_lookup(c->l2, key);
        int64_t offset;
        int ret;

        if (t && !t->is_loading) {
            cache_touch_locked(s, t);
            *table = t;
            return 0;
        }
        if (t) {
            co_queue_wait_thread(&c->loaded, &s->lock);
            continue;
        }
        ret = cache_l1_get_locked(bs, l1_index, &offset);
        if (ret < 0) {
            return ret;
        }
        if (g_hash_table_contains(c->l2, key)) {
            continue;                   /* came while the lock was left */
        }
        *table = NULL;
        if (offset == 0) {
            return 0;
        }
        t = table_new(l1_index, s->g.l2_entries, false);
        if (!t) {
            return -ENOMEM;
        }
        t->offset = offset;
        g_hash_table_insert(c->l2, key, t);
        ret = cache_load_locked(bs, t);
        if (ret < 0 && ret != -EAGAIN) {
            return ret;
        }
    }
}

int64_t coroutine_fn qcow_l1_empty_run_locked(BlockDriverState *bs, uint32_t l1_index,
                                              uint32_t max)
{
    QcowState *s = bs->opaque;
    QcowCache *c = &s->cache;
    uint32_t n = 0;

    while (n < max) {
        uint32_t index = l1_index + n;
        int64_t offset;
        int ret;

        if (c->new_tables == 0 && index >= c->hole_from && index < c->hole_to) {
            n += MIN(max - n, c->hole_to - index);
            continue;
        }
        ret = cache_l1_get_locked(bs, index, &offset);
        if (ret < 0) {
            return ret;
        }
        if (offset || (c->new_tables && g_hash_table_contains(c->l2, GUINT_TO_POINTER(index)))) {
            break;
        }
        n++;
    }
    return n;
}

/* ---- changes ---- */

int coroutine_fn qcow_l2_get_or_new_locked(BlockDriverState *bs, uint32_t l1_index,
                                           QcowTable **table)
{
    QcowState *s = bs->opaque;
    QcowTable *t;
    int ret = qcow_l2_get_locked(bs, l1_index, table);

    if (ret < 0 || *table) {
        return ret;
    }
    t = table_new(l1_index, s->g.l2_entries, false);
    if (!t) {
        return -ENOMEM;
    }
    memset(t->entries, 0, table_bytes(t));
    t->is_new = true;
    s->cache.new_tables++;
    g_hash_table_insert(s->cache.l2, GUINT_TO_POINTER(l1_index), t);
    *table = t;
    return 0;
}

/* Takes the memory that qcow_l2_set_locked() will need; false without it. */
bool qcow_l2_reserve_pending_locked(QcowState *s, QcowTable *t)
{
    if (!t->pending) {
        t->pending = g_try_malloc0(bitmap_bytes(t));
    }
    return t->pending != NULL;
}

/* The table must have a user. */
void qcow_l2_set_locked(QcowState *s, QcowTable *t, uint32_t l2_index, uint64_t raw)
{
    g_assert(t->pending && t->users > 0 && l2_index < t->count);
    t->entries[l2_index] = raw;
    t->pending[l2_index / 64] |= (uint64_t)1 << (l2_index % 64);
    if (!t->is_dirty) {
        t->is_dirty = true;
        g_ptr_array_add(s->cache.dirty, t);
        s->cache.dirty_bytes += table_bytes(t);
        if (!s->dirty_since) {
            s->dirty_since = g_get_monotonic_time();
        }
    }
}

void qcow_l2_move_locked(QcowState *s, QcowTable *t, int64_t place)
{
    g_assert(!t->is_new && !t->is_dirty && !t->flushing && !t->placing);
    t->offset = place;
    t->is_new = true;
    t->has_lost = false;
    s->cache.new_tables++;
    qcow_l2_set_locked(s, t, 0, t->entries[0]);
}

bool qcow_l2_is_pending_locked(const QcowTable *t, uint32_t l2_index, uint32_t count)
{
    if (!t->is_dirty && !t->flushing) {
        return false;
    }
    for (uint32_t i = l2_index; i < l2_index + count; i++) {
        uint64_t bit = (uint64_t)1 << (i % 64);

        if ((t->is_dirty && (t->pending[i / 64] & bit)) ||
            (t->flushing && (t->flushing[i / 64] & bit))) {
            return true;
        }
    }
    return false;
}

void qcow_l1_written_locked(QcowState *s, uint32_t l1_index, int64_t offset)
{
    QcowCache *c = &s->cache;
    uint32_t number = l1_index / QCOW_L1_PIECE;
    QcowTable *t = g_hash_table_lookup(c->l1, GUINT_TO_POINTER(number));

    c->generation++;
    if (l1_index >= c->hole_from && l1_index < c->hole_to) {
        c->hole_to = l1_index;
    }
    if (t && !t->is_loading) {
        t->entries[l1_index - number * QCOW_L1_PIECE] = (uint64_t)offset;
    }
}
