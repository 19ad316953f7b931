/* SPDX-License-Identifier: MIT */
/*
 * Opening the backing file of an image.
 *
 * 1. What the image says is judged first (found-name.c). Nothing else is looked at before that is
 *    settled.
 * 2. What the owner says ("backing.file.filename", a node, null) replaces the image's word; other
 *    "backing.*" options are added to it.
 * 3. A chain ends: its depth is bounded, and no file stands in it twice.
 */
#include "block/block-int.h"

#include <sys/stat.h>

enum { CHAIN_DEPTH_COMPATIBLE = 200, CHAIN_DEPTH_STRICT = 64 };

/* ---- chains that do not end ---- */

static const char *backing_path_of(BlockDriverState *bs)
{
    BdrvChild *below = bs->file ? bs->file : bdrv_filtered_child(bs);

    while (below) {
        bs = below->bs;
        below = bs->file ? bs->file : bdrv_filtered_child(bs);
    }
    return bs->exact_filename;
}

static bool backing_check_loop(BlockDriverState *bs, const char *path, GError **error)
{
    struct stat next, above;

    if (stat(path, &next) < 0) {
        return true;            /* the open says why */
    }
    for (BlockDriverState *up = bs; up; up = up->priv->opener) {
        if (stat(backing_path_of(up), &above) == 0 && above.st_dev == next.st_dev
            && above.st_ino == next.st_ino) {
            cairn_set_error(error, ELOOP, "Backing file '%s' creates an infinite loop.", path);
            return false;
        }
    }
    return true;
}

static bool backing_check_depth(BlockDriverState *bs, GError **error)
{
    bool is_strict = bs->priv->ctx->policy != CAIRN_IMAGE_POLICY_ALLOW_ALL;
    int limit = is_strict ? CHAIN_DEPTH_STRICT : CHAIN_DEPTH_COMPATIBLE;
    int depth = 1;

    for (BlockDriverState *up = bs; up; up = up->priv->opener) {
        depth += (up->priv->role & BDRV_CHILD_COW) != 0;
    }
    if (depth <= limit) {
        return true;
    }
    cairn_set_error(error, ELOOP, "'%s' stands at the end of a chain of %d backing files, "
                    "which is the limit", bs->filename, limit);
    return false;
}

/* ---- options ---- */

void backing_take_options(BlockDriverState *bs, QDict *options)
{
    QDict *taken = qdict_extract_subqdict(options, "backing.");
    QObject *reference = qdict_take(options, "backing");

    if (reference) {
        qdict_put_obj(taken, "", reference);
    }
    bs->priv->backing_options = taken;
}

/* The owner has named what stands below; the image's word does not count. */
static bool backing_is_replaced(CairnContext *ctx, const QDict *options)
{
    const char *driver = qdict_get_try_str(options, "driver");
    const BlockDriver *drv = driver ? bdrv_find_format(ctx, driver) : NULL;

    return qdict_haskey(options, "file") || qdict_haskey(options, "file.filename")
        || (drv && drv->protocol_name);
}

/* null, or "" in key=value texts: no backing file. */
static bool backing_is_none(CairnContext *ctx, const QObject *value)
{
    const char *text = qobject_get_str(value);

    if (value && qobject_type(value) == QTYPE_QNULL) {
        return true;
    }
    if (text && text[0] == '\0') {
        context_warn(ctx, "Use of \"backing\": \"\" is deprecated; use \"backing\": null instead");
        return true;
    }
    return false;
}

/* The format is the owner's word, else the record in the image, else the policy's. */
static bool backing_settle_format(BlockDriverState *bs, QDict *options, bool is_own, int *flags,
                                  GError **error)
{
    CairnContext *ctx = bs->priv->ctx;

    if (qdict_haskey(options, "driver")) {
        return true;
    }
    if (is_own && bs->backing_format) {
        if (!bdrv_is_probed_format(bs, bs->backing_format)) {
            cairn_set_error(error, ENOENT, "Unknown driver '%s'", bs->backing_format);
            return false;
        }
        qdict_put_str(options, "driver", bs->backing_format);
    } else if (ctx->policy == CAIRN_IMAGE_POLICY_ALLOW_ALL) {
        *flags |= BLK_O_PROBE;
    } else if (is_own) {
        qdict_put_str(options, "driver", "raw");
    }
    return true;
}

bool bdrv_backing_target(BlockDriverState *bs, QDict *options, char **path, int *flags,
                         GError **error)
{
    bool is_own = bs->backing_file && !backing_is_replaced(bs->priv->ctx, options);

    *path = is_own ? found_name_resolve(bs, error) : NULL;
    return (*path || !is_own) && backing_settle_format(bs, options, is_own, flags, error);
}

static BlockDriverState *backing_open_node(BlockDriverState *bs, QDict *options, GError **error)
{
    CairnContext *ctx = bs->priv->ctx;
    g_autoptr(QDict) owned = options;
    g_autofree char *path = NULL;
    int flags = bdrv_child_flags(bs->drv, bs->open_flags, BDRV_CHILD_COW);

    if (!backing_check_depth(bs, error)
        || !bdrv_backing_target(bs, options, &path, &flags, error)) {
        return NULL;
    }
    const char *named = path ? path : qdict_get_try_str(options, "file.filename");

    if (named && !backing_check_loop(bs, named, error)) {
        return NULL;
    }
    BlockDriverState *node = bdrv_open(ctx, path, NULL, g_steal_pointer(&owned), flags, bs,
                                       "backing", BDRV_CHILD_COW, error);

    found_name_forget(ctx);
    return node;
}

bool bdrv_check_backing_option(BlockDriverState *bs, GError **error)
{
    QObject *value = bs->priv->backing_options ? qdict_get(bs->priv->backing_options, "") : NULL;
    const char *name = qobject_get_str(value);

    if (backing_is_none(bs->priv->ctx, value) || !name || bdrv_find_node(bs->priv->ctx, name)) {
        return true;
    }
    cairn_set_error(error, ENOENT, "Could not open backing file: Cannot find device='%s' nor "
                    "node-name='%s'", name, name);
    return false;
}

bool bdrv_open_backing(BlockDriverState *bs, GError **error)
{
    CairnContext *ctx = bs->priv->ctx;
    QDict *options = g_steal_pointer(&bs->priv->backing_options);
    BlockDriverState *node;

    if (!options) {
        return true;
    }
    g_autoptr(QObject) value = qdict_take(options, "");

    if (backing_is_none(ctx, value) || (!bs->backing_file && !value && !qdict_size(options))) {
        qobject_unref(options);
        return true;
    }
    if (qobject_get_str(value)) {
        node = bdrv_open(ctx, NULL, qobject_get_str(value), options, 0, bs, "backing",
                         BDRV_CHILD_COW, error);
    } else {
        node = backing_open_node(bs, options, error);
    }
    if (!node || !bdrv_attach_child(bs, node, "backing", BDRV_CHILD_COW, error)) {
        g_prefix_error(error, "Could not open backing file: ");
        return false;
    }
    return true;
}
