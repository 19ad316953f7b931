/* SPDX-License-Identifier: MIT */
/*
 * What an image lost when its file was cut off: it reads as if never written, and here is told from
 * what really was not. Lost is what an entry maps that leads past the end of the file, or that
 * stands past it.
 *
 * The tables in memory no longer have such entries (table.h), so they are read again; only images
 * that have any pay.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

bool qcow_may_have_lost_locked(const QcowState *s)
{
    int64_t l1_end = s->g.l1_offset + (int64_t)s->g.l1_entries * 8;

    return s->end_at_open != INT64_MAX && (s->cache.has_lost || l1_end > s->end_at_open);
}

/* Of a table that is there: the entry's word on disk. The lock is left. */
static int coroutine_fn lost_in_table_locked(BlockDriverState *bs, QcowTable *t, uint32_t i,
                                             uint32_t *run)
{
    QcowState *s = bs->opaque;
    g_autofree uint64_t *raw = g_try_new(uint64_t, t->count);
    int64_t at = t->offset, end = s->end_at_open;
    uint32_t k, count = t->count;
    bool is_lost = false;
    int ret;

    if (!raw) {
        return -ENOMEM;
    }
    qcow_table_ref_locked(s, t);
    g_mutex_unlock(&s->lock);
    ret = qcow_read_table(bs, at, raw, count, end);
    g_mutex_lock(&s->lock);
    qcow_table_unref_locked(s, t);
    for (k = 0; ret == 0 && i + k < count; k++) {
        bool is_past = at + (int64_t)(i + k) * 8 >= end;
        bool is_dropped = raw[i + k] && !qcow_entry_effective(raw[i + k], s->g.cluster_bits, end);

        if (k > 0 && is_lost != (is_past || is_dropped)) {
            break;
        }
        is_lost = is_past || is_dropped;
    }
    *run = k;
    return ret < 0 ? ret : is_lost;
}

/* From an entry past the end on, as far as there are no tables, all are: many at once. */
static int coroutine_fn lost_in_l1_locked(BlockDriverState *bs, uint32_t index, uint32_t count,
                                          int64_t *entries)
{
    QcowState *s = bs->opaque;

    *entries = 1;
    if (s->g.l1_offset + (int64_t)index * 8 < s->end_at_open) {
        return qcow_l1_is_lost_locked(bs, index);
    }
    *entries = qcow_l1_empty_run_locked(bs, index, count);
    return *entries < 0 ? (int)*entries : 1;
}

/*
 * Returns: 1 if what is unmapped at @offset was lost, 0 if not, -errno; @run: as far as that holds,
 * in one table, or up to @stop where there is none.
 */
static int coroutine_fn lost_at_locked(BlockDriverState *bs, int64_t offset, int64_t stop,
                                       int64_t *run)
{
    QcowState *s = bs->opaque;
    uint32_t l1_index = qcow_l1_index(&s->g, offset), clusters = 1;
    uint32_t last = qcow_l1_index(&s->g, stop - 1);
    int64_t entries = 1;
    QcowTable *t;
    int ret = qcow_l2_get_locked(bs, l1_index, &t);

    *run = s->g.l2_span - (offset & (s->g.l2_span - 1));
    if (ret < 0) {
        return ret;
    }
    if (!t) {
        ret = lost_in_l1_locked(bs, l1_index, last - l1_index + 1, &entries);
        *run += (MAX(entries, 1) - 1) * s->g.l2_span;
        return ret;
    }
    if (!t->has_lost) {
        return 0;
    }
    ret = lost_in_table_locked(bs, t, qcow_l2_index(&s->g, offset), &clusters);
    *run = clusters * s->g.cluster_size - qcow_in_cluster(&s->g, offset);
    return ret;
}

int coroutine_fn qcow_lost_run_locked(BlockDriverState *bs, int64_t offset, int64_t *bytes)
{
    int64_t pos = offset, stop = offset + *bytes, run;
    int first = lost_at_locked(bs, offset, stop, &run);
    int ret = first;

    while (ret == first && ret >= 0) {
        pos += run;
        if (pos >= stop) {
            return first;
        }
        ret = lost_at_locked(bs, pos, stop, &run);
    }
    *bytes = pos - offset;
    return pos > offset ? first : ret;
}
