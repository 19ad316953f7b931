/* SPDX-License-Identifier: MIT */
/*
 * New space, by appending; locks on guest clusters; and what must not be written.
 *
 * 1. Space comes from the cursor only. It stands above all that the file's tables name (barrier 0),
 *    and goes back only if nothing came after, so no two owners are ever given the same bytes.
 * 2. A table without a place gets one directly before the first data it maps, in the same write: a
 *    full disk shows on the guest's write, not on the flush. Nor may the table's L1 entry, which
 *    the flush sets, stand in a hole of the file.
 * 3. An entry is set after its data write has completed, in the same hold of the lock that ends the
 *    allocation.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

/* ---- claims ---- */

static QcowClaim *claim_first_overlap(QcowState *s, int64_t offset, int64_t bytes)
{
    QcowClaim *first = NULL;

    for (GList *l = s->claims.head; l; l = l->next) {
        QcowClaim *c = l->data;

        if (c->offset < offset + bytes && offset < c->offset + c->bytes &&
            (!first || c->offset < first->offset)) {
            first = c;
        }
    }
    return first;
}

static void claim_add(QcowState *s, QcowClaim *claim, int64_t offset, int64_t bytes)
{
    *claim = (QcowClaim) { .offset = offset, .bytes = bytes };
    claim->link.data = claim;
    g_queue_push_tail_link(&s->claims, &claim->link);
}

bool qcow_is_claimed_locked(QcowState *s, int64_t offset, int64_t bytes)
{
    return claim_first_overlap(s, offset, bytes) != NULL;
}

void coroutine_fn qcow_claim_locked(QcowState *s, QcowClaim *claim, int64_t offset,
                                    int64_t bytes)
{
    while (claim_first_overlap(s, offset, bytes)) {
        co_queue_wait_thread(&s->claim_waiters, &s->lock);
    }
    claim_add(s, claim, offset, bytes);
}

bool coroutine_fn qcow_claim_lead_locked(QcowState *s, QcowClaim *claim, int64_t offset,
                                         int64_t bytes)
{
    QcowClaim *other = QCOW_MUTANT(NO_CLUSTER_LOCK) ? NULL
                                                    : claim_first_overlap(s, offset, bytes);

    if (other && other->offset <= offset) {
        co_queue_wait_thread(&s->claim_waiters, &s->lock);
        return false;
    }
    claim_add(s, claim, offset, other ? other->offset - offset : bytes);
    return true;
}

void qcow_claim_end(QcowState *s, QcowClaim *claim)
{
    g_mutex_lock(&s->lock);
    g_queue_unlink(&s->claims, &claim->link);
    co_queue_restart_all(&s->claim_waiters);
    g_mutex_unlock(&s->lock);
}

/* ---- space ---- */

bool qcow_table_may_change_locked(QcowState *s, const QcowTable *t)
{
    return t->is_new ||
           (t->offset % 8 == 0 && !qcow_is_suspect_locked(s, t->offset, s->g.l2_bytes));
}

/* Bytes from the cursor on that an allocation can touch. */
static int64_t alloc_most(const QcowState *s, const QcowTable *t, int64_t bytes, int64_t align)
{
    int64_t place = t->offset ? 0 : s->g.cluster_size + s->g.l2_bytes;

    return place + align + bytes;
}

int coroutine_fn qcow_alloc_locked(BlockDriverState *bs, int64_t guest, int64_t bytes,
                                   int64_t align, QcowNew *n)
{
    QcowState *s = bs->opaque;
    QcowTable *t;
    int ret = qcow_l2_get_or_new_locked(bs, qcow_l1_index(&s->g, guest), &t);

    if (ret < 0) {
        return ret;
    }
    if (!qcow_table_may_change_locked(s, t)) {
        return -EIO;
    }
    if (!qcow_l2_reserve_pending_locked(s, t)) {
        qcow_table_settle_locked(s, t);
        return -ENOMEM;
    }
    if (!qcow_cursor_clear_locked(s, alloc_most(s, t, bytes, align))) {
        qcow_table_settle_locked(s, t);
        return -EFBIG;
    }
    *n = (QcowNew) { .table = t, .before = s->cursor, .after = s->cursor, .bytes = bytes };
    if (t->offset == 0) {
        n->place = ROUND_UP_TO(n->after, s->g.cluster_size);
        n->after = n->place + s->g.l2_bytes;
    }
    n->start = ROUND_UP_TO(n->after, align);
    n->after = n->start + bytes;
    qcow_table_ref_locked(s, t);
    s->cursor = QCOW_MUTANT(CURSOR_STAYS) ? n->before : n->after;
    if (n->place) {
        t->offset = n->place;
        t->placing++;
        g_array_append_val(s->tables_at, n->place);
    }
    return 0;
}

bool qcow_cursor_clear_locked(QcowState *s, int64_t bytes)
{
    while (s->avoided_done < s->avoided->len) {
        const QcowRange *r = &g_array_index(s->avoided, QcowRange, s->avoided_done);
        int64_t end = ROUND_UP_TO(r->offset + r->bytes, QCOW_HOST_BLOCK);

        if (r->offset >= s->cursor + bytes) {
            break;
        }
        s->cursor = MAX(s->cursor, end);
        s->avoided_done++;
    }
    return bytes <= s->space_end - s->cursor;
}

void qcow_add_gap_locked(QcowState *s, int64_t from, int64_t to)
{
    QcowRange gap = { from, to - from };

    if (to > from) {
        g_array_append_val(s->gaps, gap);
    }
}

/* Invariant 2. On disk the entry is 0, and no flush writes it while the table is being placed. */
static int coroutine_fn new_fill_l1_hole(BlockDriverState *bs, const QcowNew *n)
{
    static const uint8_t zeros[8];
    QcowState *s = bs->opaque;
    int64_t at = s->g.l1_offset + (int64_t)n->table->index * 8;
    int64_t block = at / QCOW_HOST_BLOCK;
    bool is_filled;
    int ret;

    g_mutex_lock(&s->lock);
    is_filled = block == 0 || block == s->cache.l1_block;       /* 0: the header's */
    g_mutex_unlock(&s->lock);
    if (is_filled) {
        return 0;
    }
    ret = bdrv_co_pwrite(bs->file, at, sizeof(zeros), zeros, 0);
    if (ret == 0) {
        g_mutex_lock(&s->lock);
        s->cache.l1_block = block;
        g_mutex_unlock(&s->lock);
    }
    return ret;
}

int coroutine_fn qcow_new_write(BlockDriverState *bs, const QcowNew *n, const IOVector *v)
{
    int ret = n->place ? new_fill_l1_hole(bs, n) : 0;

    return ret == 0 ? bdrv_co_pwritev(bs->file, qcow_new_first(n), (int64_t)v->size, v, 0) : ret;
}

void qcow_alloc_written_locked(QcowState *s, QcowNew *n, int ret)
{
    if (n->place) {
        n->table->placing--;
        co_queue_restart_all(&s->placed);
    }
    if (ret == 0) {
        s->file_end = MAX(s->file_end, n->start + n->bytes);
        qcow_add_gap_locked(s, n->before, qcow_new_first(n));
        if (n->place) {
            qcow_add_gap_locked(s, n->place + s->g.l2_bytes, n->start);
        }
        return;
    }
    if (s->cursor != n->after) {
        return;                         /* lost: something stands behind it */
    }
    s->cursor = n->before;
    if (n->place) {
        n->table->offset = 0;
        g_array_set_size(s->tables_at, s->tables_at->len - 1);
    }
}

void qcow_publish_locked(QcowState *s, QcowTable *t, int64_t guest, uint64_t raw)
{
    uint32_t i = qcow_l2_index(&s->g, guest);
    uint64_t old = t->entries[i];

    qcow_l2_set_locked(s, t, i, raw);
    if (old) {
        qcow_free_locked(s, old);
    }
    if (raw) {
        s->new_data += s->g.cluster_size;
    }
}

/* ---- what must not be written ---- */

static bool ranges_meet(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

int64_t qcow_fixed_end(const QcowState *s)
{
    int64_t end = s->g.l1_offset + (int64_t)s->g.l1_entries * 8;

    return MAX(end, qcow_name_end(s));
}

/* The number of elements of @tables below @limit. */
static guint tables_below(const GArray *tables, int64_t limit)
{
    guint lo = 0, hi = tables->len;

    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;

        if (g_array_index(tables, int64_t, mid) < limit) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

bool qcow_is_metadata_locked(QcowState *s, int64_t host, int64_t bytes)
{
    guint n = tables_below(s->tables_at, host + bytes);

    if (ranges_meet(host, bytes, 0, QCOW_HEADER_BYTES) ||
        ranges_meet(host, bytes, s->g.l1_offset, (int64_t)s->g.l1_entries * 8) ||
        (s->record_offset &&
         ranges_meet(host, bytes, s->record_offset, qcow_name_end(s) - s->record_offset))) {
        return true;
    }
    return n > 0 && g_array_index(s->tables_at, int64_t, n - 1) + s->g.l2_bytes > host;
}

bool qcow_is_suspect_locked(QcowState *s, int64_t host, int64_t bytes)
{
    guint lo = 0, hi = s->suspects->len;

    if (s->all_suspect) {
        return true;
    }
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;

        if (g_array_index(s->suspects, QcowRange, mid).offset < host + bytes) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    if (lo == 0) {
        return false;
    }
    const QcowRange *r = &g_array_index(s->suspects, QcowRange, lo - 1);
    return r->offset + r->bytes > host;
}

static gint range_compare(gconstpointer a, gconstpointer b)
{
    int64_t x = ((const QcowRange *)a)->offset, y = ((const QcowRange *)b)->offset;

    return (x > y) - (x < y);
}

/* Sorts them, and joins those that touch. */
static void ranges_sort(GArray *a)
{
    guint kept = 0;

    g_array_sort(a, range_compare);
    for (guint i = 0; i < a->len; i++) {
        QcowRange *last = kept ? &g_array_index(a, QcowRange, kept - 1) : NULL;
        QcowRange r = g_array_index(a, QcowRange, i);

        if (last && r.offset <= last->offset + last->bytes) {
            last->bytes = MAX(last->bytes, r.offset + r.bytes - last->offset);
        } else {
            g_array_index(a, QcowRange, kept++) = r;
        }
    }
    g_array_set_size(a, kept);
}

void qcow_sort_suspects_locked(QcowState *s)
{
    ranges_sort(s->suspects);
}

void qcow_add_suspect_locked(QcowState *s, int64_t host, int64_t bytes)
{
    QcowRange r = { host, bytes };

    g_array_append_val(s->suspects, r);
    if (s->suspects->len >= QCOW_MAX_SUSPECTS * 2) {
        qcow_sort_suspects_locked(s);
        s->all_suspect |= s->suspects->len > QCOW_MAX_SUSPECTS;
    }
    if (s->all_suspect) {
        g_array_set_size(s->suspects, 0);
    }
}

/* ---- what new space keeps clear of ---- */

void qcow_reset_avoided_locked(QcowState *s)
{
    g_array_set_size(s->avoided, 0);
    s->avoided_done = 0;
    s->space_end = QCOW_MAX_SPACE;
}

/* Of more than can be kept the highest are forgotten: space ends there. */
void qcow_sort_avoided_locked(QcowState *s)
{
    ranges_sort(s->avoided);
    if (s->avoided->len > QCOW_MAX_AVOIDED) {
        s->space_end = g_array_index(s->avoided, QcowRange, QCOW_MAX_AVOIDED).offset;
        g_array_set_size(s->avoided, QCOW_MAX_AVOIDED);
    }
}

void qcow_add_avoided_locked(QcowState *s, int64_t offset, int64_t bytes)
{
    QcowRange r = { offset, bytes };

    if (offset >= s->space_end) {
        return;
    }
    g_array_append_val(s->avoided, r);
    if (s->avoided->len >= QCOW_MAX_AVOIDED * 2) {
        qcow_sort_avoided_locked(s);
    }
}
