/* SPDX-License-Identifier: MIT */
/*
 * The life of a node: its name, its references, its end.
 *
 * 1. A node's name is unique in its context from birth to end; "#block100"... are made up for
 *    nodes without one, and cannot be given by a user.
 * 2. The last reference closes: flush (where writable), the driver's close, then the children.
 */
#include "block/block-int.h"

#include <errno.h>

static bool node_name_is_valid(const char *name)
{
    if (!g_ascii_isalpha(name[0])) {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
        == strlen(name);
}

static bool node_assign_name(BlockDriverState *bs, const char *name, GError **error)
{
    CairnContext *ctx = bs->priv->ctx;

    if (!name) {
        g_snprintf(bs->node_name, sizeof(bs->node_name), "#block%" G_GUINT64_FORMAT,
                   ctx->next_node_id++);
        return true;
    }
    if (!node_name_is_valid(name)) {
        cairn_set_error(error, EINVAL, "Invalid node-name: '%s'", name);
        return false;
    }
    if (g_hash_table_contains(ctx->nodes, name)) {
        cairn_set_error(error, EEXIST, "Duplicate nodes with node-name='%s'", name);
        return false;
    }
    if (strlen(name) >= sizeof(bs->node_name)) {
        cairn_set_error(error, EINVAL, "Node name too long");
        return false;
    }
    g_strlcpy(bs->node_name, name, sizeof(bs->node_name));
    return true;
}

static void node_free(BlockDriverState *bs)
{
    BdrvNodePrivate *priv = bs->priv;

    g_assert(priv->parents->len == 0 && priv->children->len == 0 && !priv->file_node);
    g_ptr_array_unref(priv->children);
    g_ptr_array_unref(priv->parents);
    qobject_unref(priv->options);
    qobject_unref(priv->driver_opts);
    qobject_unref(priv->open_options);
    g_free(priv->file_name);
    cairn_context_unref(priv->ctx);
    g_free(priv);
    g_free(bs->opaque);
    g_free(bs->filename);
    g_free(bs->exact_filename);
    g_free(bs->backing_file);
    g_free(bs->backing_format);
    g_free(bs);
}

BlockDriverState *bdrv_node_new(CairnContext *ctx, const char *node_name, GError **error)
{
    BlockDriverState *bs = g_new0(BlockDriverState, 1);

    bs->priv = g_new0(BdrvNodePrivate, 1);
    bs->priv->ctx = cairn_context_ref(ctx);
    bs->priv->refs = 1;
    bs->priv->children = g_ptr_array_new();
    bs->priv->parents = g_ptr_array_new();
    bs->priv->shared_perm = BLK_PERM_ALL;
    bs->filename = g_strdup("");
    bs->exact_filename = g_strdup("");
    bdrv_reset_limits(bs);
    if (!node_assign_name(bs, node_name, error)) {
        node_free(bs);
        return NULL;
    }
    bdrv_node_io_init(bs);
    g_hash_table_insert(ctx->nodes, bs->node_name, bs);
    return bs;
}

BlockDriverState *bdrv_find_node(CairnContext *ctx, const char *node_name)
{
    return g_hash_table_lookup(ctx->nodes, node_name);
}

BlockDriverState *bdrv_lookup(CairnContext *ctx, const char *node_name, GError **error)
{
    BlockDriverState *bs = bdrv_find_node(ctx, node_name);

    if (!bs || !bs->priv->is_complete) {
        cairn_set_error(error, ENOENT, "Cannot find device='%s' nor node-name='%s'", node_name,
                        node_name);
        return NULL;
    }
    return bs;
}

const char *bdrv_label(const BlockDriverState *bs)
{
    bool is_made_up = bs->node_name[0] == '#';

    return is_made_up && bs->filename && bs->filename[0] ? bs->filename : bs->node_name;
}

void bdrv_ref(BlockDriverState *bs)
{
    bs->priv->refs++;
}

static void node_close(BlockDriverState *bs)
{
    BdrvNodePrivate *priv = bs->priv;

    if (priv->is_open) {
        if (!bs->read_only) {
            bdrv_flush_bs(bs);
        }
        if (bs->drv->bdrv_close) {
            bs->drv->bdrv_close(bs);
        }
        priv->is_open = false;
    }
    while (priv->children->len > 0) {
        bdrv_detach_child(priv->children->pdata[priv->children->len - 1]);
    }
    if (priv->file_node) {
        bdrv_unref(g_steal_pointer(&priv->file_node));
    }
}

void bdrv_unref(BlockDriverState *bs)
{
    if (!bs || --bs->priv->refs > 0) {
        return;
    }
    bs->priv->refs = 1;         /* the driver's close may take and drop one */
    node_close(bs);
    bs->priv->refs = 0;
    blockers_remove_node(bs);
    g_hash_table_remove(bs->priv->ctx->nodes, bs->node_name);
    bdrv_node_io_cleanup(bs);
    node_free(bs);
}
