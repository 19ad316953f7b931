/* SPDX-License-Identifier: MIT */
/*
 * Giving freed space back to the host.
 *
 * 1. Only ranges whose unmapping is durable and that nobody uses come here (pin.c), to the byte.
 *    They are never handed out again, so what was free once stays free.
 * 2. A sector is punched only if all of it is free: a stream's first and last sectors hold its
 *    neighbours' bytes.
 * 3. Neighbours become free at different times. The host gives back whole blocks only; so what is
 *    free is remembered, and what a new range completes is punched together with it.
 * 4. What alignment has skipped counts as free with its neighbours, but is no reason to punch:
 *    nothing was written there.
 *
 * All of this runs under the flush lock.
 */
#include "block/drivers/qcow/qcow.h"

#define PUNCH_SECTOR 512
#define PUNCH_BLOCK ((int64_t)64 << 10)     /* bytes: at least a block of the host */
#define PUNCH_MAX_RANGES (1 << 18)          /* remembered; about 24 MiB */

static gint range_compare(gconstpointer a, gconstpointer b)
{
    int64_t x = ((const QcowRange *)a)->offset, y = ((const QcowRange *)b)->offset;

    return (x > y) - (x < y);
}

static gint range_compare_data(gconstpointer a, gconstpointer b, gpointer unused)
{
    return range_compare(a, b);
}

static GTree *free_space(QcowState *s)
{
    if (!s->free_space) {
        s->free_space = g_tree_new_full(range_compare_data, NULL, g_free, NULL);
    }
    return s->free_space;
}

static void range_join(QcowRange *r, const QcowRange *other)
{
    int64_t end = MAX(r->offset + r->bytes, other->offset + other->bytes);

    r->offset = MIN(r->offset, other->offset);
    r->bytes = end - r->offset;
}

/* A remembered range that touches @r, or NULL. */
static const QcowRange *free_neighbour(GTree *tree, const QcowRange *r)
{
    GTreeNode *after = g_tree_lower_bound(tree, r);
    GTreeNode *before = after ? g_tree_node_previous(after) : g_tree_node_last(tree);
    const QcowRange *next = after ? g_tree_node_key(after) : NULL;
    const QcowRange *last = before ? g_tree_node_key(before) : NULL;

    if (last && last->offset + last->bytes >= r->offset) {
        return last;
    }
    return next && next->offset <= r->offset + r->bytes ? next : NULL;
}

/* Remembers @r. Returns: all the free space that it is part of now. */
static QcowRange free_add(QcowState *s, const QcowRange *r)
{
    GTree *tree = free_space(s);
    QcowRange all = *r;
    const QcowRange *other;

    while ((other = free_neighbour(tree, &all))) {
        QcowRange key = *other;

        range_join(&all, &key);
        g_tree_remove(tree, &key);
    }
    if (g_tree_nnodes(tree) < PUNCH_MAX_RANGES) {
        g_tree_insert(tree, g_memdup2(&all, sizeof(all)), NULL);
    }
    return all;
}

/* What @r completes: its own whole sectors, and the blocks around it as far as they are free. */
static QcowRange punch_range(const QcowRange *r, const QcowRange *all)
{
    int64_t from = MAX(ROUND_UP_TO(all->offset, PUNCH_SECTOR),
                       ROUND_DOWN_TO(r->offset, PUNCH_BLOCK));
    int64_t to = MIN(ROUND_DOWN_TO(all->offset + all->bytes, PUNCH_SECTOR),
                     ROUND_UP_TO(r->offset + r->bytes, PUNCH_BLOCK));

    return (QcowRange) { from, to - from };
}

static void ranges_merge(GArray *ranges)
{
    guint kept = 0;

    g_array_sort(ranges, range_compare);
    for (guint i = 0; i < ranges->len; i++) {
        QcowRange r = g_array_index(ranges, QcowRange, i);
        QcowRange *last = kept ? &g_array_index(ranges, QcowRange, kept - 1) : NULL;

        if (last && last->offset + last->bytes >= r.offset) {
            range_join(last, &r);
        } else {
            g_array_index(ranges, QcowRange, kept++) = r;
        }
    }
    g_array_set_size(ranges, kept);
}

void coroutine_fn qcow_punch(BlockDriverState *bs, GArray *ranges, const GArray *gaps)
{
    QcowState *s = bs->opaque;

    for (guint i = 0; gaps && i < gaps->len; i++) {
        free_add(s, &g_array_index(gaps, QcowRange, i));
    }
    if (ranges) {
        ranges_merge(ranges);
    }
    for (guint i = 0; ranges && i < ranges->len; i++) {
        const QcowRange *r = &g_array_index(ranges, QcowRange, i);
        QcowRange all = free_add(s, r);
        QcowRange p = punch_range(r, &all);

        if (p.bytes > 0) {
            qcow_event(bs, "cluster_free");
            bdrv_co_pdiscard(bs->file, p.offset, p.bytes);      /* only space: may fail */
        }
    }
}

void qcow_punch_forget(QcowState *s)
{
    g_clear_pointer(&s->free_space, g_tree_destroy);
}
