/* SPDX-License-Identifier: MIT */
/*
 * Reopen: other options and flags for a whole tree of nodes, in one transaction.
 *
 * 1. Nothing is committed before every driver has prepared and all permissions are granted;
 *    prepare fails or holds, commit and abort never fail.
 * 2. Requests are drained all the while.
 * 3. A child follows its parent's flags where it was opened by the parent; a node that was opened
 *    on its own keeps its flags.
 */
#include "block/block-int.h"

#include <errno.h>

#include "qapi/block-options.h"

typedef struct ReopenEntry {
    BlockReopenState state;
    QDict *own;                 /* flat: the node's own options after the change */
    BdrvDetectZeroes detect_zeroes;
    bool is_prepared;
    BdrvSwap swaps[2];          /* children that become other nodes */
    int swap_count;
} ReopenEntry;

typedef struct Reopen {
    GPtrArray *entries;         /* ReopenEntry *, parents before children */
    GHashTable *states;         /* node -> BlockReopenState *, for the permissions */
} Reopen;

static void reopen_entry_free(void *opaque)
{
    ReopenEntry *entry = opaque;

    for (int i = 0; i < entry->swap_count; i++) {
        bdrv_unref(entry->swaps[i].to);
    }
    qobject_unref(entry->own);
    qobject_unref(entry->state.opts);
    g_free(entry);
}

/* ---- what changes ---- */

static bool reopen_refuse(const char *key, GError **error)
{
    cairn_set_error(error, EINVAL, "Cannot change the option '%s'", key);
    return false;
}

static bool reopen_is_default(const OptionDesc *desc, const QObject *value)
{
    const OptionDesc table[] = { *desc, { NULL } };
    g_autoptr(QDict) text = qdict_new();

    if (!desc->default_value) {
        return false;
    }
    qdict_put_str(text, desc->name, desc->default_value);
    g_autoptr(QDict) typed = options_absorb(table, text, NULL);

    return typed && qobject_is_equal(qdict_get(typed, desc->name), value);
}

/* New typed values over old ones; what may not change must be as it was. */
static bool reopen_merge_typed(const OptionDesc *table, QDict *into, QDict *changes,
                               GError **error)
{
    for (size_t i = 0; i < qdict_size(changes); i++) {
        const char *key = qdict_key_at(changes, i);
        QObject *value = qdict_value_at(changes, i);
        const QObject *old = qdict_get(into, key);
        const OptionDesc *desc = options_find(table, key);
        bool is_same = old ? qobject_is_equal(old, value) : reopen_is_default(desc, value);

        if (!desc->reopenable && !is_same) {
            return reopen_refuse(key, error);
        }
        qdict_put_obj(into, key, qobject_ref(value));
    }
    return true;
}

/* Names that stand in the node, not in the table of its own options. */
static bool reopen_check_identity(BlockDriverState *bs, QDict *changes, GError **error)
{
    const char *driver = qdict_get_try_str(changes, "driver");
    const char *node_name = qdict_get_try_str(changes, "node-name");

    if (qdict_haskey(changes, "driver")
        && (!driver || strcmp(driver, bs->drv->format_name))) {
        return reopen_refuse("driver", error);
    }
    if (qdict_haskey(changes, "node-name")
        && (!node_name || strcmp(node_name, bs->node_name))) {
        return reopen_refuse("node-name", error);
    }
    qdict_del(changes, "driver");
    qdict_del(changes, "node-name");
    return true;
}

/* The node's own part of @changes goes into the entry; what is left is its children's. */
static bool reopen_take_own(ReopenEntry *entry, QDict *changes, int flags, GError **error)
{
    BlockDriverState *bs = entry->state.bs;
    const OptionDesc *table = qapi_options_BlockdevOptionsCommon;
    static const OptionDesc none[] = { { NULL } };
    const OptionDesc *driver_table = bs->drv->runtime_options ? bs->drv->runtime_options : none;
    g_autoptr(QDict) given = qdict_clone_shallow(changes);
    g_autoptr(QDict) old = qdict_clone_shallow(bs->priv->options);
    g_autoptr(QDict) common = options_absorb(table, old, error);
    g_autoptr(QDict) common_changes = common ? options_absorb(table, changes, error) : NULL;
    g_autoptr(QDict) driver_changes = common_changes
        ? options_absorb(driver_table, changes, error) : NULL;

    if (!driver_changes
        || !reopen_merge_typed(table, common, common_changes, error)
        || !reopen_merge_typed(driver_table, entry->state.opts, driver_changes, error)) {
        return false;
    }
    for (size_t i = 0; i < qdict_size(given); i++) {
        const char *key = qdict_key_at(given, i);

        if (!qdict_haskey(changes, key)) {
            qdict_put_obj(entry->own, key, qobject_ref(qdict_value_at(given, i)));
        }
    }
    entry->state.flags = flags;
    return common_options_flags(common, &entry->state.flags, &entry->detect_zeroes, error);
}

/* ---- other children ---- */

/* "backing": a node's name, or null for none; "file": a node's name. The node that is there is no change. */
static bool reopen_take_swap(ReopenEntry *entry, const char *name, QDict *changes,
                             GError **error)
{
    BlockDriverState *bs = entry->state.bs;
    const BdrvChild *edge = bdrv_find_child(bs, name);
    g_autoptr(QObject) value = qdict_take(changes, name);
    const char *node_name = qobject_get_str(value);
    BdrvSwap *swap = &entry->swaps[entry->swap_count];

    if (!value || (!edge && qobject_type(value) == QTYPE_QNULL)
        || (edge && !g_strcmp0(node_name, edge->bs->node_name))) {
        return true;
    }
    if (!node_name && qobject_type(value) != QTYPE_QNULL) {
        cairn_set_error(error, EINVAL, "Invalid parameter type for '%s', expected: string or null",
                        name);
        return false;
    }
    *swap = (BdrvSwap){
        .parent = bs, .name = name,
        .to = node_name ? bdrv_lookup(bs->priv->ctx, node_name, error) : NULL,
    };
    if ((node_name && !swap->to) || !bdrv_swap_check(swap, error)) {
        return false;
    }
    if (swap->to) {
        bdrv_ref(swap->to);
    }
    entry->swap_count++;
    return true;
}

static bool reopen_is_swapped(const ReopenEntry *entry, const BdrvChild *child)
{
    for (int i = 0; i < entry->swap_count; i++) {
        if (!strcmp(entry->swaps[i].name, child->name)) {
            return true;
        }
    }
    return false;
}

static bool reopen_queue(Reopen *reopen, BlockDriverState *bs, QDict *changes, int flags,
                         GError **error);

static bool reopen_queue_child(Reopen *reopen, BlockDriverState *bs, const BdrvChild *child,
                               QDict *changes, int flags, GError **error)
{
    g_autofree char *prefix = g_strconcat(child->name, ".", NULL);
    g_autoptr(QDict) inner = qdict_extract_subqdict(changes, prefix);

    if (child->bs->priv->inherits_from == bs) {
        return reopen_queue(reopen, child->bs, inner,
                            bdrv_child_flags(bs->drv, flags, child->role), error);
    }
    if (qdict_size(inner) == 0) {
        return true;
    }
    g_autofree char *key = g_strconcat(prefix, qdict_key_at(inner, 0), NULL);

    return reopen_refuse(key, error);
}

static bool reopen_check_leftover(const BlockDriverState *bs, const QDict *changes,
                                  GError **error)
{
    if (qdict_size(changes) == 0) {
        return true;
    }
    bdrv_refuse_option(bs->drv, qdict_key_at(changes, 0), error);
    return false;
}

/* @flags: what @bs inherits. @changes: flat; used up. */
static bool reopen_queue(Reopen *reopen, BlockDriverState *bs, QDict *changes, int flags,
                         GError **error)
{
    ReopenEntry *entry = g_new0(ReopenEntry, 1);

    entry->state.bs = bs;
    entry->state.opts = qdict_clone_shallow(bs->priv->driver_opts);
    entry->own = qdict_clone_shallow(bs->priv->options);
    g_ptr_array_add(reopen->entries, entry);
    g_hash_table_insert(reopen->states, bs, &entry->state);
    if (!reopen_check_identity(bs, changes, error)
        || !reopen_take_swap(entry, "file", changes, error)
        || !reopen_take_swap(entry, "backing", changes, error)
        || !reopen_take_own(entry, changes, flags, error)) {
        return false;
    }
    for (guint i = 0; i < bs->priv->children->len; i++) {
        const BdrvChild *child = bs->priv->children->pdata[i];

        if (!reopen_is_swapped(entry, child)
            && !reopen_queue_child(reopen, bs, child, changes, entry->state.flags, error)) {
            return false;
        }
    }
    return reopen_check_leftover(bs, changes, error);
}

/* ---- the transaction ---- */

static bool reopen_options_differ(const ReopenEntry *entry)
{
    return !qobject_is_equal(QOBJECT(entry->state.opts),
                             QOBJECT(entry->state.bs->priv->driver_opts));
}

static bool reopen_prepare_node(ReopenEntry *entry, GError **error)
{
    BlockDriverState *bs = entry->state.bs;

    if (!bs->read_only && !(entry->state.flags & BLK_O_RDWR)) {
        int ret = bdrv_flush_bs(bs);

        if (ret < 0) {
            cairn_set_error_errno(error, -ret, "Error flushing drive '%s'", bdrv_label(bs));
            return false;
        }
    }
    if (bs->drv->bdrv_reopen_prepare) {
        entry->is_prepared = bs->drv->bdrv_reopen_prepare(&entry->state, error);
        return entry->is_prepared;
    }
    if (reopen_options_differ(entry)) {
        cairn_set_error(error, ENOTSUP, "Driver '%s' cannot change its options while open",
                        bs->drv->format_name);
        return false;
    }
    return true;
}

/* A child that fell back to read-only takes along the parents that may. */
static void reopen_follow_read_only(Reopen *reopen, const ReopenEntry *entry)
{
    BlockDriverState *bs = entry->state.bs;
    BlockReopenState *above = bs->priv->inherits_from
        ? g_hash_table_lookup(reopen->states, bs->priv->inherits_from) : NULL;

    if (above && !(entry->state.flags & BLK_O_RDWR) && (above->flags & BLK_O_AUTO_RDONLY)
        && !(bs->priv->role & BDRV_CHILD_COW)) {
        above->flags &= ~BLK_O_RDWR;
    }
}

/* Children first: a driver's prepare may count on what is below it. */
static bool reopen_prepare(Reopen *reopen, GError **error)
{
    for (guint i = reopen->entries->len; i-- > 0;) {
        ReopenEntry *entry = reopen->entries->pdata[i];

        if (!reopen_prepare_node(entry, error)) {
            return false;
        }
        reopen_follow_read_only(reopen, entry);
    }
    return true;
}

static void reopen_abort(Reopen *reopen)
{
    for (guint i = 0; i < reopen->entries->len; i++) {
        ReopenEntry *entry = reopen->entries->pdata[i];
        const BlockDriver *drv = entry->state.bs->drv;

        if (entry->is_prepared && drv->bdrv_reopen_abort) {
            drv->bdrv_reopen_abort(&entry->state);
        }
    }
}

static void reopen_commit_node(ReopenEntry *entry)
{
    BlockDriverState *bs = entry->state.bs;
    BdrvNodePrivate *priv = bs->priv;

    if (bs->open_flags & ~entry->state.flags & BLK_O_NO_FLUSH) {
        g_atomic_int_inc(&priv->write_gen);     /* the flushes until now were none */
    }
    bs->open_flags = entry->state.flags;
    bs->read_only = !(entry->state.flags & BLK_O_RDWR);
    priv->detect_zeroes = entry->detect_zeroes;
    qobject_unref(priv->options);
    priv->options = g_steal_pointer(&entry->own);
    if (entry->is_prepared && bs->drv->bdrv_reopen_commit) {
        bs->drv->bdrv_reopen_commit(&entry->state);
    }
    qobject_unref(priv->driver_opts);
    priv->driver_opts = g_steal_pointer(&entry->state.opts);
}

static void reopen_commit(Reopen *reopen)
{
    for (guint i = reopen->entries->len; i-- > 0;) {
        reopen_commit_node(reopen->entries->pdata[i]);
    }
    for (guint i = reopen->entries->len; i-- > 0;) {
        ReopenEntry *entry = reopen->entries->pdata[i];

        /* Limits of an open node were found good once; a driver that fails now keeps its own. */
        bdrv_refresh_limits(entry->state.bs, NULL);
        bdrv_refresh_filename(entry->state.bs);
    }
}

/* A user's edge follows the node where that becomes writable, or ceases to be. */
static uint64_t reopen_root_perm(const BlockBackend *blk, int node_flags)
{
    uint64_t perm = blk->perm & ~(uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    bool is_writable = (node_flags & BLK_O_RDWR) != 0;

    if (is_writable == !blk->root->bs->read_only) {
        return blk->perm;
    }
    if (!is_writable) {
        return perm;
    }
    perm |= BLK_PERM_WRITE;
    return blk->flags & BLK_O_RESIZE ? perm | BLK_PERM_RESIZE : perm;
}

/* Calls @func for each child that becomes another node. */
static void reopen_swap_all(Reopen *reopen, void (*func)(BdrvSwap *swap))
{
    for (guint i = 0; i < reopen->entries->len; i++) {
        ReopenEntry *entry = reopen->entries->pdata[i];

        for (int j = 0; j < entry->swap_count; j++) {
            func(&entry->swaps[j]);
        }
    }
}

/* The tree as it is now, and the nodes that have left it. */
static PermUpdate *reopen_ask_perms(Reopen *reopen, GError **error)
{
    const ReopenEntry *root = reopen->entries->pdata[0];
    g_autoptr(GPtrArray) roots = g_ptr_array_new();

    g_ptr_array_add(roots, root->state.bs);
    for (guint i = 0; i < reopen->entries->len; i++) {
        const ReopenEntry *entry = reopen->entries->pdata[i];

        for (int j = 0; j < entry->swap_count; j++) {
            if (entry->swaps[j].old) {
                g_ptr_array_add(roots, entry->swaps[j].old);
            }
        }
    }
    return bdrv_perm_prepare((BlockDriverState **)roots->pdata, roots->len, reopen->states,
                             error);
}

/* What is prepared becomes so, if the permissions allow it. */
static bool reopen_settle(Reopen *reopen, GError **error)
{
    PermUpdate *update;

    reopen_swap_all(reopen, bdrv_swap_apply);
    update = reopen_ask_perms(reopen, error);
    if (!update) {
        reopen_swap_all(reopen, bdrv_swap_undo);
        reopen_abort(reopen);
        return false;
    }
    reopen_commit(reopen);
    bdrv_perm_commit(update);
    reopen_swap_all(reopen, bdrv_swap_commit);
    return true;
}

/* @blk: whose edge follows; NULL: none does. */
static bool reopen_run(Reopen *reopen, BlockBackend *blk, GError **error)
{
    const ReopenEntry *root = reopen->entries->pdata[0];
    uint64_t old_perm = blk ? blk->root->perm : 0;

    if (!reopen_prepare(reopen, error)) {
        reopen_abort(reopen);
        return false;
    }
    if (blk) {
        blk->root->perm = reopen_root_perm(blk, root->state.flags);
    }
    if (!reopen_settle(reopen, error)) {
        if (blk) {
            blk->root->perm = old_perm;
        }
        return false;
    }
    if (blk) {
        blk->perm = blk->root->perm;
        blk->flags = (blk->flags & ~BLK_O_RDWR) | (root->state.bs->open_flags & BLK_O_RDWR);
    }
    return true;
}

/* @changes: flat; used up. @flags: what @bs is to inherit. */
static bool reopen_tree(BlockDriverState *bs, BlockBackend *blk, QDict *changes, int flags,
                        GError **error)
{
    CairnContext *ctx = bs->priv->ctx;
    Reopen reopen = {
        .entries = g_ptr_array_new_with_free_func(reopen_entry_free),
        .states = g_hash_table_new(NULL, NULL),
    };

    drain_all_begin(ctx);
    bool ok = reopen_queue(&reopen, bs, changes, flags, error)
        && reopen_run(&reopen, blk, error);

    drain_all_end(ctx);
    g_hash_table_unref(reopen.states);
    g_ptr_array_unref(reopen.entries);
    return ok;
}

bool bdrv_reopen_backend(BlockBackend *blk, const QDict *options, GError **error)
{
    BlockDriverState *bs = blk->root->bs;
    g_autoptr(QDict) changes = qdict_clone_shallow(options);

    qdict_flatten(changes);
    return reopen_tree(bs, blk, changes, bs->open_flags, error);
}

bool bdrv_reopen_read_only(BlockDriverState *bs, bool read_only, GError **error)
{
    g_autoptr(QDict) none = qdict_new();
    int flags = read_only ? bs->open_flags & ~BLK_O_RDWR : bs->open_flags | BLK_O_RDWR;

    if (bs->read_only == read_only) {
        return true;
    }
    if (!reopen_tree(bs, NULL, none, flags, error)) {
        return false;
    }
    if (bs->read_only == read_only) {
        return true;
    }
    cairn_set_error(error, EROFS, "Node '%s' is read-only", bdrv_label(bs));
    return false;
}
