/* SPDX-License-Identifier: MIT */
/*
 * The user's handle: open, close, reopen, and what can be asked without reading data.
 *
 * A backend uses its root node by one edge; its permissions come from the flags of opening. The
 * backend outlives the edge: after blk_close() requests fail and questions give nothing.
 */
#include "block/block-int.h"

/* ---- open and close ---- */

static void blk_set_perms(BlockBackend *blk, int flags)
{
    blk->flags = flags;
    blk->perm = BLK_PERM_CONSISTENT_READ;
    blk->perm |= flags & BLK_O_RDWR ? BLK_PERM_WRITE : 0;
    blk->perm |= flags & BLK_O_RESIZE ? BLK_PERM_RESIZE : 0;
    blk->shared_perm = BLK_PERM_ALL;
    if (!(flags & BLK_O_SHARE_WRITE)) {
        blk->shared_perm &= ~(uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    }
}

static BlockBackend *blk_new(CairnContext *ctx, int flags)
{
    BlockBackend *blk = g_new0(BlockBackend, 1);

    blk->refs = 1;
    blk->ctx = cairn_context_ref(ctx);
    blk->write_cache = !(flags & BLK_O_WRITETHROUGH);
    blk_set_perms(blk, flags);
    blk_io_init(blk);
    g_ptr_array_add(ctx->backends, blk);
    return blk;
}

static void blk_free(BlockBackend *blk)
{
    CairnContext *ctx = blk->ctx;

    g_ptr_array_remove(ctx->backends, blk);
    blk_io_cleanup(blk);
    g_free(blk);
}

/* A node that fell back to read-only is used so. */
static int blk_flags_for_node(int flags, const BlockDriverState *bs)
{
    if (bs->read_only && (bs->open_flags & BLK_O_AUTO_RDONLY)) {
        flags &= ~(BLK_O_RDWR | BLK_O_RESIZE);
    }
    if (bs->open_flags & BLK_O_FORCE_SHARE) {
        flags |= BLK_O_SHARE_WRITE;
    }
    return flags;
}

/* Takes over the reference to @bs, and on failure that to @blk. */
static BlockBackend *blk_attach_or_free(BlockBackend *blk, BlockDriverState *bs, GError **error)
{
    CairnContext *ctx = blk->ctx;

    blk->root = bdrv_attach_root(blk, bs, blk->perm, blk->shared_perm, error);
    if (blk->root) {
        return blk;
    }
    blk_free(blk);
    cairn_context_unref(ctx);
    return NULL;
}

/* Takes over the reference to @bs. */
static BlockBackend *blk_new_with_root(CairnContext *ctx, BlockDriverState *bs, int flags,
                                       GError **error)
{
    flags = blk_flags_for_node(flags, bs);
    BlockBackend *blk = blk_new(ctx, flags);

    return blk_attach_or_free(blk, bs, error);
}

BlockBackend *blk_new_for_job(BlockDriverState *bs, uint64_t perm, uint64_t shared,
                              GError **error)
{
    BlockBackend *blk = blk_new(bs->priv->ctx, bs->open_flags);

    blk->is_job = true;
    blk->write_cache = true;
    blk->perm = perm;
    blk->shared_perm = shared;
    bdrv_ref(bs);
    return blk_attach_or_free(blk, bs, error);
}

static BlockBackend *blk_open_node(CairnContext *ctx, const char *filename,
                                   const char *reference, QDict *options, int flags,
                                   GError **error)
{
    CTL_LOCK_GUARD(ctx);
    BlockDriverState *bs = bdrv_open(ctx, filename, reference, options, flags, NULL, NULL, 0,
                                     error);

    return bs ? blk_new_with_root(ctx, bs, flags, error) : NULL;
}

BlockBackend *blk_open(CairnContext *ctx, const char *name, int flags, GError **error)
{
    return blk_open_node(context_or_default(ctx), name, NULL, NULL, flags, error);
}

BlockBackend *blk_open_qdict(CairnContext *ctx, const char *filename, const QDict *options,
                             int flags, GError **error)
{
    QDict *copy = options ? qobject_to_qdict(qobject_deep_copy((const QObject *)options))
                          : NULL;

    return blk_open_node(context_or_default(ctx), filename, NULL, copy, flags, error);
}

BlockBackend *blk_open_opts(CairnContext *ctx, const char *options, int flags, GError **error)
{
    ctx = context_or_default(ctx);
    if (options[0] && !strpbrk(options, "=,")) {
        return blk_open_node(ctx, NULL, options, NULL, flags, error);
    }
    QDict *dict = qdict_from_keyval(options, "file", error);

    return dict ? blk_open_node(ctx, NULL, NULL, dict, flags, error) : NULL;
}

BlockBackend *blk_ref(BlockBackend *blk)
{
    g_atomic_int_inc(&blk->refs);
    return blk;
}

static int blk_flush_if_writable(BlockBackend *blk)
{
    return blk->root->perm & BLK_PERM_WRITE ? bdrv_flush_bs(blk->root->bs) : 0;
}

int blk_close(BlockBackend *blk)
{
    CairnContext *ctx = blk->ctx;
    GPtrArray *drained;
    int ret;

    CTL_LOCK_GUARD(ctx);
    if (!blk->root) {
        return 0;
    }
    debug_release(blk);
    drained = drain_tree_begin(blk);
    ret = blk_flush_if_writable(blk);
    debug_forget(blk);
    bdrv_detach_child(g_steal_pointer(&blk->root));
    drain_tree_end(blk, drained);
    return ret;
}

void blk_unref(BlockBackend *blk)
{
    if (!blk || !g_atomic_int_dec_and_test(&blk->refs)) {
        return;
    }
    CairnContext *ctx = blk->ctx;

    blk_close(blk);
    ctl_lock(ctx);
    blk_free(blk);
    ctl_unlock(ctx);
    cairn_context_unref(ctx);
}

bool blk_reopen(BlockBackend *blk, const QDict *options, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    if (!blk->root) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return false;
    }
    return bdrv_reopen_backend(blk, options, error);
}

/* ---- questions ---- */

static BlockDriverState *blk_root_node(BlockBackend *blk)
{
    return blk->root ? blk->root->bs : NULL;
}

CairnContext *blk_get_context(BlockBackend *blk)
{
    return blk->ctx;
}

const char *blk_get_format(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs ? bs->drv->format_name : "";
}

const char *blk_get_node_name(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs ? bs->node_name : "";
}

const char *blk_get_filename(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs ? bs->filename : "";
}

bool blk_is_writable(BlockBackend *blk)
{
    return blk->root && (blk->perm & BLK_PERM_WRITE);
}

int blk_get_probe_score(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs ? bs->priv->probe_score : 0;
}

uint32_t blk_get_request_alignment(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs ? bdrv_alignment(bs) : 1;
}

int64_t blk_get_opt_transfer(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs ? bs->bl.opt_transfer : 0;
}

bool blk_get_info(BlockBackend *blk, BlockDriverInfo *info, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = blk_root_node(blk);
    g_autoptr(GError) local = NULL;

    *info = (BlockDriverInfo) { 0 };
    if (!bs) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return false;
    }
    if (bdrv_get_info(bs, info, &local) || g_error_matches(local, CAIRN_ERROR, ENOTSUP)) {
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

int64_t blk_get_cluster_size(BlockBackend *blk)
{
    BlockDriverInfo info;

    return blk_get_info(blk, &info, NULL) ? info.cluster_size : 0;
}

bool blk_has_zero_init(BlockBackend *blk)
{
    BlockDriverState *bs = blk_root_node(blk);

    return bs && bdrv_has_zero_init(bs);
}

bool bdrv_has_zero_init(BlockDriverState *bs)
{
    while (!bs->drv->bdrv_has_zero_init) {
        BdrvChild *below = bdrv_filtered_child(bs);

        if (!below) {
            return false;
        }
        bs = below->bs;
    }
    return bs->drv->bdrv_has_zero_init(bs);
}

/* The image below all filters, or NULL. */
static BlockDriverState *blk_image_node(BlockBackend *blk)
{
    return bdrv_skip_filters(blk_root_node(blk));
}

bool blk_is_encrypted(BlockBackend *blk)
{
    BlockDriverState *bs = blk_image_node(blk);

    return bs && bs->encrypted;
}

bool blk_has_backing(BlockBackend *blk)
{
    BlockDriverState *bs = blk_image_node(blk);

    return bs && bs->backing;
}

void blk_set_write_cache(BlockBackend *blk, bool enabled)
{
    g_atomic_int_set(&blk->write_cache, enabled);
}
