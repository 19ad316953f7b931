/* SPDX-License-Identifier: MIT */
/*
 * Draining: making requests of a backend wait, and waiting for those that run.
 *
 * 1. The count of requests and that of drains share one atomic word: a request that enters or
 *    leaves sees at that very instant whether a drain is on.
 * 2. Without a drain, leaving is the last that a request's end does with the backend. With one it
 *    leaves under the backend's lock, which the drainer takes once more after it has seen the count
 *    at 0: so nothing of the request still touches the backend when the drain has begun, and its
 *    owner may free it.
 * 3. Drains begin under that lock too, so a request that waited for their end enters before another
 *    can begin.
 * 4. While it waits, a drainer serves its own AioContext: the requests may be this thread's.
 * 5. Drivers are told of a drain before it waits: a driver that holds requests back lets them go,
 *    and what then closes a node is not held back either.
 */
#include "block/block-int.h"

#include <errno.h>

#define BLK_REQUESTS(activity) ((activity) & (BLK_QUIESCE - 1))
#define BLK_DRAINS(activity) ((activity) / BLK_QUIESCE)

void blk_io_init(BlockBackend *blk)
{
    g_mutex_init(&blk->lock);
    co_queue_init(&blk->quiesced);
}

/* Requests that were woken to find the backend closed may still be on their way out. */
void blk_io_cleanup(BlockBackend *blk)
{
    AioContext *aio = aio_context_ensure();

    g_assert(!BLK_REQUESTS(g_atomic_int_get(&blk->activity)));
    g_mutex_lock(&blk->lock);
    blk->drainers = g_slist_prepend(blk->drainers, aio);
    while (blk->queued) {
        g_mutex_unlock(&blk->lock);
        aio_context_poll(aio, true);
        g_mutex_lock(&blk->lock);
    }
    g_mutex_unlock(&blk->lock);
    g_slist_free(blk->drainers);
    g_mutex_clear(&blk->lock);
}

/* ---- requests --------------------------------------------------------- */

/* With the lock held. */
static void drain_notify(BlockBackend *blk)
{
    for (GSList *l = blk->drainers; l; l = l->next) {
        aio_notify(l->data);
    }
}

static void drain_leave_quiesced(BlockBackend *blk)
{
    g_mutex_lock(&blk->lock);
    if (BLK_REQUESTS(g_atomic_int_add(&blk->activity, -1)) == 1) {
        drain_notify(blk);
    }
    g_mutex_unlock(&blk->lock);
}

void blk_request_end(BlockBackend *blk)
{
    gint old = g_atomic_int_get(&blk->activity);

    while (!BLK_DRAINS(old)) {
        if (g_atomic_int_compare_and_exchange(&blk->activity, old, old - 1)) {
            return;
        }
        old = g_atomic_int_get(&blk->activity);
    }
    drain_leave_quiesced(blk);
}

/* Waits for the drains to end, and enters unless the backend was closed meanwhile. */
static int coroutine_fn drain_wait_for_end(BlockBackend *blk)
{
    int ret = 0;

    g_mutex_lock(&blk->lock);
    blk->queued++;
    while (BLK_DRAINS(g_atomic_int_get(&blk->activity))) {
        co_queue_wait_thread(&blk->quiesced, &blk->lock);
    }
    blk->queued--;
    if (blk->root) {
        g_atomic_int_inc(&blk->activity);
    } else {
        drain_notify(blk);
        ret = -ENOMEDIUM;
    }
    g_mutex_unlock(&blk->lock);
    return ret;
}

int coroutine_fn blk_request_begin(BlockBackend *blk)
{
    if (G_UNLIKELY(BLK_DRAINS(g_atomic_int_add(&blk->activity, 1)))) {
        drain_leave_quiesced(blk);
        return drain_wait_for_end(blk);
    }
    if (G_UNLIKELY(!blk->root)) {
        blk_request_end(blk);
        return -ENOMEDIUM;
    }
    return 0;
}

/* ---- drains ------------------------------------------------------------- */

static void drain_quiesce(BlockBackend *blk, AioContext *aio)
{
    g_mutex_lock(&blk->lock);
    blk->drainers = g_slist_prepend(blk->drainers, aio);
    g_atomic_int_add(&blk->activity, BLK_QUIESCE);
    g_mutex_unlock(&blk->lock);
}

static bool drain_is_busy(BlockBackend *blk)
{
    return BLK_REQUESTS(g_atomic_int_get(&blk->activity)) != 0;
}

/* Once the count is 0: see rule 2. */
static void drain_settle(BlockBackend *blk, AioContext *aio)
{
    g_mutex_lock(&blk->lock);
    blk->drainers = g_slist_remove(blk->drainers, aio);
    g_mutex_unlock(&blk->lock);
}

void drain_blk_begin(BlockBackend *blk)
{
    AioContext *aio = aio_context_ensure();

    g_assert(!coroutine_in());
    drain_quiesce(blk, aio);
    while (drain_is_busy(blk)) {
        aio_context_poll(aio, true);
    }
    drain_settle(blk, aio);
}

void drain_blk_end(BlockBackend *blk)
{
    gint old;

    g_mutex_lock(&blk->lock);
    old = g_atomic_int_add(&blk->activity, -BLK_QUIESCE);
    g_assert(BLK_DRAINS(old) > 0);
    if (BLK_DRAINS(old) == 1) {
        co_queue_restart_all(&blk->quiesced);
    }
    g_mutex_unlock(&blk->lock);
}

static void drain_node_begin(BlockDriverState *bs)
{
    BdrvNodePrivate *p = bs->priv;

    if (p->drained++ == 0 && p->is_open && bs->drv->bdrv_drain_begin) {
        bs->drv->bdrv_drain_begin(bs);
    }
}

static void drain_node_end(BlockDriverState *bs)
{
    BdrvNodePrivate *p = bs->priv;

    if (p->drained > 0 && --p->drained == 0 && p->is_open && bs->drv->bdrv_drain_end) {
        bs->drv->bdrv_drain_end(bs);
    }
}

static void drain_nodes(CairnContext *ctx, void (*func)(BlockDriverState *bs))
{
    g_autoptr(GList) nodes = g_hash_table_get_values(ctx->nodes);

    for (GList *l = nodes; l; l = l->next) {
        func(l->data);
    }
}

/* What is polled may open and close backends, so each look starts anew. */
static bool drain_all_is_busy(CairnContext *ctx)
{
    for (guint i = 0; i < ctx->backends->len; i++) {
        BlockBackend *blk = g_ptr_array_index(ctx->backends, i);

        if (blk->quiesced_by_all && drain_is_busy(blk)) {
            return true;
        }
    }
    return false;
}

void drain_all_begin(CairnContext *ctx)
{
    AioContext *aio = aio_context_ensure();

    g_assert(!coroutine_in());
    for (guint i = 0; i < ctx->backends->len; i++) {
        BlockBackend *blk = g_ptr_array_index(ctx->backends, i);

        blk->quiesced_by_all++;
        drain_quiesce(blk, aio);
    }
    drain_nodes(ctx, drain_node_begin);
    while (drain_all_is_busy(ctx)) {
        aio_context_poll(aio, true);
    }
    for (guint i = 0; i < ctx->backends->len; i++) {
        drain_settle(g_ptr_array_index(ctx->backends, i), aio);
    }
}

void drain_all_end(CairnContext *ctx)
{
    drain_nodes(ctx, drain_node_end);
    for (guint i = 0; i < ctx->backends->len; i++) {
        BlockBackend *blk = g_ptr_array_index(ctx->backends, i);

        if (blk->quiesced_by_all) {
            blk->quiesced_by_all--;
            drain_blk_end(blk);
        }
    }
}

GPtrArray *drain_tree_begin(BlockBackend *blk)
{
    GPtrArray *nodes = bdrv_graph_order(blk->root->bs);

    g_assert(ctl_is_held(blk->ctx));
    for (guint i = 0; i < nodes->len; i++) {
        bdrv_ref(nodes->pdata[i]);
        drain_node_begin(nodes->pdata[i]);
    }
    drain_blk_begin(blk);
    return nodes;
}

void drain_tree_end(BlockBackend *blk, GPtrArray *nodes)
{
    drain_blk_end(blk);
    for (guint i = 0; i < nodes->len; i++) {
        BlockDriverState *bs = nodes->pdata[i];

        /* What nobody else holds closes now, still drained. */
        if (bs->priv->refs > 1) {
            drain_node_end(bs);
        }
        bdrv_unref(bs);
    }
    g_ptr_array_unref(nodes);
}

void blk_drain(BlockBackend *blk)
{
    CTL_LOCK_GUARD(blk->ctx);

    if (blk->root) {
        drain_tree_end(blk, drain_tree_begin(blk));
    }
}
