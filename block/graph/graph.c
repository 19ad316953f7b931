/* SPDX-License-Identifier: MIT */
/*
 * The edges of the graph. An edge is made with the permissions that its parent needs at once, or
 * not at all.
 *
 * 1. Edges change under the control lock, and while requests may run on the node (it has another
 *    parent already) only inside a drain.
 * 2. A child knows by inherits_from whose options it follows: the node that opened it, as long
 *    as that one is its parent.
 */
#include "block/block-int.h"

static void graph_set_pointer(BlockDriverState *parent, const char *name, BdrvChild *child)
{
    if (!parent) {
        return;
    }
    if (!strcmp(name, "file")) {
        parent->file = child;
    } else if (!strcmp(name, "backing")) {
        parent->backing = child;
    }
}

BdrvChild *bdrv_edge_new(BlockDriverState *parent, BlockDriverState *bs, const char *name,
                         BdrvChildRole role)
{
    BdrvChild *child = g_new0(BdrvChild, 1);

    child->bs = bs;
    child->name = g_strdup(name);
    child->role = role;
    child->parent_bs = parent;
    child->shared_perm = BLK_PERM_ALL;
    return child;
}

void bdrv_edge_free(BdrvChild *child)
{
    g_free(child->name);
    g_free(child);
}

void bdrv_edge_link(BdrvChild *child)
{
    g_ptr_array_add(child->bs->priv->parents, child);
    if (child->parent_bs) {
        g_ptr_array_add(child->parent_bs->priv->children, child);
        graph_set_pointer(child->parent_bs, child->name, child);
    }
}

void bdrv_edge_unlink(BdrvChild *child)
{
    g_ptr_array_remove(child->bs->priv->parents, child);
    if (child->parent_bs) {
        g_ptr_array_remove(child->parent_bs->priv->children, child);
        graph_set_pointer(child->parent_bs, child->name, NULL);
    }
}

/* The edge's permissions are set; the reference to its node is the edge's, also on failure. */
static BdrvChild *graph_link(BdrvChild *child, GError **error)
{
    BlockDriverState *bs = child->bs;
    CairnContext *ctx = bs->priv->ctx;
    bool is_shared = bs->priv->parents->len > 0;

    if (is_shared) {
        drain_all_begin(ctx);
    }
    g_ptr_array_add(bs->priv->parents, child);
    bool ok = bdrv_refresh_perms(bs, NULL, error);
    if (ok && child->parent_bs) {
        g_ptr_array_add(child->parent_bs->priv->children, child);
        graph_set_pointer(child->parent_bs, child->name, child);
    } else if (!ok) {
        g_ptr_array_remove(bs->priv->parents, child);
    }
    if (is_shared) {
        drain_all_end(ctx);
    }
    if (!ok) {
        bdrv_edge_free(child);
        bdrv_unref(bs);
        return NULL;
    }
    return child;
}

BdrvChild *bdrv_attach_child(BlockDriverState *parent, BlockDriverState *bs, const char *name,
                             BdrvChildRole role, GError **error)
{
    BdrvChild *child = bdrv_edge_new(parent, bs, name, role);

    bdrv_child_needs(parent, child, NULL, &child->perm, &child->shared_perm);
    return graph_link(child, error);
}

BdrvChild *bdrv_attach_root(BlockBackend *blk, BlockDriverState *bs, uint64_t perm,
                            uint64_t shared, GError **error)
{
    BdrvChild *child = bdrv_edge_new(NULL, bs, "root", 0);

    child->parent_blk = blk;
    child->perm = perm;
    child->shared_perm = shared;
    return graph_link(child, error);
}

void bdrv_detach_child(BdrvChild *child)
{
    BlockDriverState *bs = child->bs;
    CairnContext *ctx = bs->priv->ctx;
    bool is_shared = bs->priv->parents->len > 1;

    if (is_shared) {
        drain_all_begin(ctx);
    }
    bdrv_edge_unlink(child);
    if (child->parent_bs && bs->priv->inherits_from == child->parent_bs) {
        bs->priv->inherits_from = NULL;
    }
    if (is_shared) {
        /* Asking for less: a driver that cannot let go keeps what it has. */
        bdrv_refresh_perms(bs, NULL, NULL);
        drain_all_end(ctx);
    }
    bdrv_edge_free(child);
    bdrv_unref(bs);
}

BdrvChild *bdrv_find_child(BlockDriverState *bs, const char *name)
{
    for (guint i = 0; i < bs->priv->children->len; i++) {
        BdrvChild *child = bs->priv->children->pdata[i];

        if (!strcmp(child->name, name)) {
            return child;
        }
    }
    return NULL;
}

BdrvChild *bdrv_filtered_child(BlockDriverState *bs)
{
    GPtrArray *children = bs->priv->children;

    if (!bs->drv->is_filter) {
        return NULL;
    }
    for (guint i = 0; i < children->len; i++) {
        BdrvChild *child = g_ptr_array_index(children, i);

        if (child->role & BDRV_CHILD_FILTERED) {
            return child;
        }
    }
    return bs->file;
}

BlockDriverState *bdrv_skip_filters(BlockDriverState *bs)
{
    BdrvChild *below;

    while (bs && (below = bdrv_filtered_child(bs))) {
        bs = below->bs;
    }
    return bs;
}

static void graph_visit(BlockDriverState *bs, GHashTable *seen, GPtrArray *order)
{
    if (!g_hash_table_add(seen, bs)) {
        return;
    }
    for (guint i = bs->priv->children->len; i-- > 0;) {
        BdrvChild *child = bs->priv->children->pdata[i];

        graph_visit(child->bs, seen, order);
    }
    g_ptr_array_add(order, bs);
}

GPtrArray *bdrv_graph_order_of(BlockDriverState *const *roots, int count)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    GPtrArray *order = g_ptr_array_new();

    for (int i = count; i-- > 0;) {
        graph_visit(roots[i], seen, order);
    }
    for (guint i = 0; i < order->len / 2; i++) {
        void *swap = order->pdata[i];

        order->pdata[i] = order->pdata[order->len - 1 - i];
        order->pdata[order->len - 1 - i] = swap;
    }
    return order;
}

GPtrArray *bdrv_graph_order(BlockDriverState *bs)
{
    return bdrv_graph_order_of(&bs, 1);
}
