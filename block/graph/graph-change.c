/* SPDX-License-Identifier: MIT */
/*
 * Changing the graph under its users: another node in a node's place, another backing file, a
 * filter put above a disk.
 *
 * 1. All of it happens inside a drain, under the control lock; requests wait and go on through the
 *    new nodes.
 * 2. A change is made with all the permissions that it needs, or not at all: edges are moved first,
 *    then everything that stands below either node is checked as one update, then it is set.
 * 3. An edge that a job counts on (frozen) stays; a graph never gets a loop.
 */
#include "block/block-int.h"

#include <errno.h>

/* ---- what stands where ---- */

bool bdrv_is_below(BlockDriverState *bs, BlockDriverState *top)
{
    g_autoptr(GPtrArray) order = bdrv_graph_order(top);

    return g_ptr_array_find(order, bs, NULL);
}

static bool change_check_frozen(const BdrvChild *child, GError **error)
{
    if (!child->frozen) {
        return true;
    }
    cairn_set_error(error, EBUSY, "Cannot change '%s' link from '%s' to '%s': a job uses it",
                    child->name, child->parent_bs ? bdrv_label(child->parent_bs) : "a block device",
                    bdrv_label(child->bs));
    return false;
}

/* What a node takes over from its children, for all that stand above @bs; lower ones first. */
static void change_refresh_above(BlockDriverState *bs)
{
    bdrv_refresh_limits(bs, NULL);
    bdrv_refresh_filename(bs);
    for (guint i = 0; i < bs->priv->parents->len; i++) {
        const BdrvChild *use = bs->priv->parents->pdata[i];

        if (use->parent_bs) {
            change_refresh_above(use->parent_bs);
        }
    }
}

/* ---- edges ---- */

/* The edge's reference to its node moves along. */
static void change_point_edge(BdrvChild *child, BlockDriverState *to)
{
    g_ptr_array_remove(child->bs->priv->parents, child);
    g_ptr_array_add(to->priv->parents, child);
    child->bs = to;
}

static void change_point_edges(GPtrArray *edges, BlockDriverState *to)
{
    for (guint i = 0; i < edges->len; i++) {
        change_point_edge(edges->pdata[i], to);
    }
}

/* The users of @from that can use @to instead: not @to itself and what stands below it. */
static GPtrArray *change_movable_edges(BlockDriverState *from, BlockDriverState *to)
{
    g_autoptr(GPtrArray) below = bdrv_graph_order(to);
    GPtrArray *edges = g_ptr_array_new();

    for (guint i = 0; i < from->priv->parents->len; i++) {
        BdrvChild *use = from->priv->parents->pdata[i];
        bool stays = use->parent_blk && use->parent_blk->is_job;

        if (!stays && !(use->parent_bs && g_ptr_array_find(below, use->parent_bs, NULL))) {
            g_ptr_array_add(edges, use);
        }
    }
    return edges;
}

/* A node follows the options of the one that opened it only as long as that one uses it. */
static void change_forget_master(BlockDriverState *from, GPtrArray *edges)
{
    for (guint i = 0; i < edges->len; i++) {
        const BdrvChild *use = edges->pdata[i];

        if (use->parent_bs && from->priv->inherits_from == use->parent_bs) {
            from->priv->inherits_from = NULL;
        }
    }
}

static bool change_move(BlockDriverState *from, BlockDriverState *to, GPtrArray *edges,
                        GError **error)
{
    BlockDriverState *roots[] = { to, from };
    PermUpdate *update;

    change_point_edges(edges, to);
    update = bdrv_perm_prepare(roots, G_N_ELEMENTS(roots), NULL, error);
    if (!update) {
        change_point_edges(edges, from);
        return false;
    }
    bdrv_perm_commit(update);
    change_forget_master(from, edges);
    change_refresh_above(to);
    for (guint i = 0; i < edges->len; i++) {
        bdrv_ref(to);
        bdrv_unref(from);
    }
    return true;
}

bool bdrv_replace_node(BlockDriverState *from, BlockDriverState *to, GError **error)
{
    CairnContext *ctx = from->priv->ctx;
    g_autoptr(GPtrArray) edges = change_movable_edges(from, to);
    bool ok = true;

    g_assert(ctl_is_held(ctx));
    for (guint i = 0; i < edges->len && ok; i++) {
        ok = change_check_frozen(edges->pdata[i], error);
    }
    if (!ok || from == to) {
        return ok;
    }
    bdrv_ref(from);             /* the last edge may be its last reference */
    drain_all_begin(ctx);
    ok = change_move(from, to, edges, error);
    drain_all_end(ctx);
    bdrv_unref(from);
    return ok;
}

/* ---- one child of a node ---- */

static bool swap_check_backing(const BdrvSwap *swap, GError **error)
{
    BlockDriverState *bs = swap->parent;

    if (!bs->drv->supports_backing) {
        cairn_set_error(error, ENOTSUP, "Driver '%s' of node '%s' does not support backing files",
                        bs->drv->format_name, bdrv_label(bs));
        return false;
    }
    return true;
}

bool bdrv_swap_check(const BdrvSwap *swap, GError **error)
{
    const BdrvChild *edge = bdrv_find_child(swap->parent, swap->name);
    bool is_backing = !strcmp(swap->name, "backing");

    if (is_backing && !swap_check_backing(swap, error)) {
        return false;
    }
    if (!is_backing && (!edge || !swap->to)) {
        cairn_set_error(error, EINVAL, "Cannot change the option '%s'", swap->name);
        return false;
    }
    if (swap->to && bdrv_is_below(swap->parent, swap->to)) {
        cairn_set_error(error, ELOOP, "Making '%s' a %s child of '%s' would create a cycle",
                        bdrv_label(swap->to), swap->name, bdrv_label(swap->parent));
        return false;
    }
    return !edge || change_check_frozen(edge, error);
}

/* The edge holds the reference to @to from here on, and @swap that to the old node. */
void bdrv_swap_apply(BdrvSwap *swap)
{
    swap->edge = bdrv_find_child(swap->parent, swap->name);
    swap->old = swap->edge ? swap->edge->bs : NULL;
    if (swap->to) {
        bdrv_ref(swap->to);
    }
    if (swap->edge && swap->to) {
        change_point_edge(swap->edge, swap->to);
    } else if (swap->edge) {
        bdrv_edge_unlink(swap->edge);
    } else if (swap->to) {
        swap->edge = bdrv_edge_new(swap->parent, swap->to, swap->name, BDRV_CHILD_COW);
        bdrv_edge_link(swap->edge);
    }
}

void bdrv_swap_undo(BdrvSwap *swap)
{
    if (swap->old && swap->to) {
        change_point_edge(swap->edge, swap->old);
    } else if (swap->old) {
        bdrv_edge_link(swap->edge);
    } else if (swap->to) {
        bdrv_edge_unlink(swap->edge);
        bdrv_edge_free(swap->edge);
    }
    bdrv_unref(swap->to);
}

void bdrv_swap_commit(BdrvSwap *swap)
{
    if (swap->old && swap->old->priv->inherits_from == swap->parent) {
        swap->old->priv->inherits_from = NULL;
    }
    if (swap->old && !swap->to) {
        bdrv_edge_free(swap->edge);
    }
    change_refresh_above(swap->parent);
    bdrv_unref(swap->old);
}

/* ---- the backing file ---- */

static bool change_swap(BdrvSwap *swap, GError **error)
{
    BlockDriverState *roots[2] = { swap->parent };
    PermUpdate *update;

    bdrv_swap_apply(swap);
    roots[1] = swap->old;
    update = bdrv_perm_prepare(roots, swap->old ? 2 : 1, NULL, error);
    if (!update) {
        bdrv_swap_undo(swap);
        return false;
    }
    bdrv_perm_commit(update);
    bdrv_swap_commit(swap);
    return true;
}

bool bdrv_set_backing(BlockDriverState *bs, BlockDriverState *backing, GError **error)
{
    CairnContext *ctx = bs->priv->ctx;
    BdrvSwap swap = { .parent = bs, .name = "backing", .to = backing };
    bool ok;

    g_assert(ctl_is_held(ctx));
    if (!bdrv_swap_check(&swap, error)) {
        return false;
    }
    drain_all_begin(ctx);
    ok = change_swap(&swap, error);
    drain_all_end(ctx);
    return ok;
}

/* ---- filters ---- */

/* The node stands between @below and its users, in its options' eyes too. */
static bool change_insert(BlockDriverState *filter, BlockDriverState *below, GError **error)
{
    BlockDriverState *master = below->priv->inherits_from;

    if (!bdrv_replace_node(below, filter, error)) {
        return false;
    }
    filter->priv->inherits_from = master;
    filter->priv->role = below->priv->role;
    below->priv->inherits_from = filter;
    return true;
}

static bool change_check_filter(BlockDriverState *filter, BlockDriverState *below, GError **error)
{
    BdrvChild *child = bdrv_filtered_child(filter);

    if (child && child->bs == below) {
        return true;
    }
    cairn_set_error(error, EINVAL, "Driver '%s' is not a filter", filter->drv->format_name);
    return false;
}

/* What the filter that @options name calls its child. Without such a driver opening says so. */
static const char *change_filtered_name(CairnContext *ctx, const QDict *options)
{
    const char *name = qdict_get_try_str(options, "driver");
    const BlockDriver *drv = name ? bdrv_find_format(ctx, name) : NULL;

    return drv && drv->filtered_name ? drv->filtered_name : "file";
}

bool bdrv_insert_filter(BlockDriverState *below, const QDict *options, GError **error)
{
    CairnContext *ctx = below->priv->ctx;
    QDict *flat = qdict_clone_shallow(options);
    int flags = below->open_flags & ~BLK_O_PROBE;
    BlockDriverState *filter;
    bool ok;

    qdict_flatten(flat);
    if (!qdict_haskey(flat, "driver")) {
        qobject_unref(flat);
        cairn_set_error(error, EINVAL, "Which filter? Its options have no 'driver'");
        return false;
    }
    qdict_put_str(flat, change_filtered_name(ctx, flat), below->node_name);
    filter = bdrv_open(ctx, NULL, NULL, flat, flags, NULL, NULL, 0, error);
    if (!filter) {
        return false;
    }
    ok = change_check_filter(filter, below, error) && change_insert(filter, below, error);
    bdrv_unref(filter);         /* its users hold it now */
    return ok;
}

bool bdrv_remove_filter(BlockDriverState *filter, GError **error)
{
    BdrvChild *child = bdrv_filtered_child(filter);
    BlockDriverState *below = child ? child->bs : NULL;
    BlockDriverState *master = filter->priv->inherits_from;
    bool was_followed = below && below->priv->inherits_from == filter;

    if (!below) {
        cairn_set_error(error, EINVAL, "Node '%s' is not a filter", bdrv_label(filter));
        return false;
    }
    bdrv_ref(below);
    bool ok = bdrv_replace_node(filter, below, error);

    if (ok && was_followed) {
        below->priv->inherits_from = master;
    }
    bdrv_unref(below);
    return ok;
}

/* ---- the user's calls ---- */

static BlockDriverState *change_root(BlockBackend *blk, GError **error)
{
    if (!blk->root) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return NULL;
    }
    return blk->root->bs;
}

bool blk_insert_filter(BlockBackend *blk, const QDict *options, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = change_root(blk, error);

    return bs && bdrv_insert_filter(bs, options, error);
}

bool blk_remove_filter(BlockBackend *blk, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = change_root(blk, error);

    return bs && bdrv_remove_filter(bs, error);
}

bool cairn_node_replace(CairnContext *ctx, const char *node_name, const char *with,
                        GError **error)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    BlockDriverState *from = bdrv_lookup(ctx, node_name, error);
    BlockDriverState *to = from ? bdrv_lookup(ctx, with, error) : NULL;

    return to && bdrv_replace_node(from, to, error);
}

bool cairn_node_set_backing(CairnContext *ctx, const char *node_name, const char *backing,
                            GError **error)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    BlockDriverState *bs = bdrv_lookup(ctx, node_name, error);
    BlockDriverState *below = bs && backing ? bdrv_lookup(ctx, backing, error) : NULL;

    return bs && (below || !backing) && bdrv_set_backing(bs, below, error);
}
