/* SPDX-License-Identifier: MIT */
/*
 * From guest ranges to runs: one look into a table answers for as many clusters as it can.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

/*
 * @n clusters of @t from @i on, the first of them of kind PLAIN at @host: how many stand in a row.
 */
static uint32_t map_plain_run(const QcowTable *t, uint32_t i, uint32_t n, int64_t host,
                              int64_t cluster_size)
{
    uint32_t k = 1;

    while (k < n && t->entries[i + k] == (uint64_t)(host + k * cluster_size)) {
        k++;
    }
    return k;
}

static void map_in_table(const QcowState *s, const QcowTable *t, int64_t offset, int64_t bytes,
                         QcowRun *run)
{
    const QcowGeometry *g = &s->g;
    int64_t inside = qcow_in_cluster(g, offset);
    uint32_t i = qcow_l2_index(g, offset);
    int64_t wanted = (inside + bytes + g->cluster_size - 1) >> g->cluster_bits;
    uint32_t n = (uint32_t)MIN(wanted, (int64_t)(t->count - i));
    QcowEntry e = qcow_entry_decode(t->entries[i], g->cluster_bits);
    uint32_t k = 1;

    *run = (QcowRun) { .kind = e.kind, .host = e.offset, .host_bytes = e.bytes };
    if (e.kind == QCOW_PLAIN) {
        k = map_plain_run(t, i, n, e.offset, g->cluster_size);
        run->is_pending = qcow_l2_is_pending_locked(t, i, k);
        run->host += inside;
    } else if (e.kind == QCOW_NONE) {
        k = qcow_zero_entries(t->entries + i, n);
        run->is_pending = qcow_l2_is_pending_locked(t, i, k);
    }
    run->bytes = MIN(bytes, k * g->cluster_size - inside);
}

int coroutine_fn qcow_map_locked(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 QcowRun *run)
{
    QcowState *s = bs->opaque;
    QcowTable *t;
    int64_t span_left = s->g.l2_span - (offset & (s->g.l2_span - 1));
    int ret = qcow_l2_get_locked(bs, qcow_l1_index(&s->g, offset), &t);

    if (ret < 0) {
        return ret;
    }
    if (t) {
        map_in_table(s, t, offset, bytes, run);
    } else {
        *run = (QcowRun) { .kind = QCOW_NONE, .bytes = MIN(bytes, span_left) };
    }
    return 0;
}

int64_t coroutine_fn qcow_map_fresh_locked(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    QcowState *s = bs->opaque;
    const QcowGeometry *g = &s->g;
    int64_t inside = qcow_in_cluster(g, offset), end = inside + bytes;
    uint32_t i = qcow_l2_index(g, offset), k = 0;
    QcowTable *t;
    int ret = qcow_l2_get_locked(bs, qcow_l1_index(g, offset), &t);

    if (ret < 0) {
        return ret;
    }
    while (i + k < g->l2_entries && k * g->cluster_size < end) {
        QcowKind kind = t ? qcow_entry_decode(t->entries[i + k], g->cluster_bits).kind
                          : QCOW_NONE;

        if (kind == QCOW_PLAIN || kind == QCOW_BAD) {
            break;
        }
        k++;
    }
    return k ? MIN(bytes, k * g->cluster_size - inside) : 0;
}

int64_t coroutine_fn qcow_backing_shows(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    QcowState *s = bs->opaque;
    int64_t length;

    if (!bs->backing) {
        return s->names_backing ? bytes : 0;
    }
    length = bdrv_co_getlength(bs->backing);
    if (length < 0) {
        return length;
    }
    return CLAMP(length - offset, 0, bytes);
}
