/* SPDX-License-Identifier: MIT */
/*
 * Opening the backing file of an image. Its name is the image's word, and an image is hostile
 * until its owner says otherwise:
 *
 * 1. A name found in an image is a plain path, resolved against the image's folder, within what
 *    the context's policy allows. Nothing else is looked at before that is settled.
 * 2. What the owner says ("backing.file.filename", a node, null) replaces the image's word; other
 *    "backing.*" options are added to it.
 * 3. A chain ends: its depth is bounded, and no file stands in it twice.
 */
#include "block/block-int.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { CHAIN_DEPTH_COMPATIBLE = 200, CHAIN_DEPTH_STRICT = 64 };

/* ---- the image's word ---- */

static bool backing_refuse(const char *name, const char *why, GError **error)
{
    g_autofree char *escaped = g_strescape(name, NULL);

    cairn_set_error(error, EPERM, "Backing file name '%s' found in the image %s", escaped, why);
    cairn_error_append_hint(error, "The owner of the image can name its backing file by the "
                            "option backing.file.filename.");
    return false;
}

static bool backing_has_control(const char *name)
{
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool path_is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return !strncmp(path, folder, length) && (path[length] == '/' || path[length] == '\0');
}

/* Shared memory is a file system of plain files; the rest of /dev are devices. */
static bool path_is_special(const char *path)
{
    return path_is_below(path, "/proc")
        || (path_is_below(path, "/dev") && !path_is_below(path, "/dev/shm"));
}

static bool backing_check_plain(const char *name, GError **error)
{
    if (backing_has_control(name)) {
        return backing_refuse(name, "contains control characters", error);
    }
    if (path_has_protocol(name)) {
        return backing_refuse(name, "is not a plain path", error);
    }
    return true;
}

static bool backing_check_special(const char *name, const char *path, GError **error)
{
    g_autofree char *lexical = g_canonicalize_filename(path, NULL);
    g_autofree char *real = realpath(path, NULL);

    if (path_is_special(lexical) || (real && path_is_special(real))) {
        return backing_refuse(name, "leads into /dev or /proc", error);
    }
    return true;
}

static bool backing_check_folder(const char *name, const char *path, const char *dir,
                                 GError **error)
{
    g_autofree char *real = realpath(path, NULL);
    g_autofree char *folder = realpath(dir[0] ? dir : ".", NULL);
    struct stat st;

    if (!real || !folder) {
        return true;            /* the open says what is missing */
    }
    if (!path_is_below(real, folder)) {
        return backing_refuse(name, "leads out of the image's folder", error);
    }
    if (stat(real, &st) < 0 || !S_ISREG(st.st_mode)) {
        return backing_refuse(name, "is not a regular file", error);
    }
    return true;
}

char *bdrv_full_backing_name(BlockDriverState *bs, GError **error)
{
    g_autofree char *dir = bdrv_image_dir(bs);

    if (bs->backing_file[0] == '/' || path_has_protocol(bs->backing_file)) {
        return g_strdup(bs->backing_file);
    }
    if (!dir) {
        cairn_set_error(error, EINVAL, "Cannot tell the folder of '%s', which its backing file "
                        "'%s' is relative to", bs->filename, bs->backing_file);
        return NULL;
    }
    return path_combine(dir, bs->backing_file);
}

/* Returns: the path of the image's own backing file, if the policy lets it be opened. */
static char *backing_own_path(BlockDriverState *bs, GError **error)
{
    const char *name = bs->backing_file;
    CairnImagePolicy policy = bs->priv->ctx->policy;

    if (policy == CAIRN_IMAGE_POLICY_NONE) {
        backing_refuse(name, "is not followed: the policy forbids it", error);
        return NULL;
    }
    if (!backing_check_plain(name, error)) {
        return NULL;
    }
    g_autofree char *path = bdrv_full_backing_name(bs, error);

    if (!path || !backing_check_special(name, path, error)) {
        return NULL;
    }
    if (policy == CAIRN_IMAGE_POLICY_SAME_FOLDER) {
        g_autofree char *dir = bdrv_image_dir(bs);

        if (!dir) {
            backing_refuse(name, "has no folder to stay in", error);
            return NULL;
        }
        if (!backing_check_folder(name, path, dir, error)) {
            return NULL;
        }
    }
    return g_steal_pointer(&path);
}

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
        const BlockDriver *drv = bdrv_find_format(ctx, bs->backing_format);

        if (!drv || drv->protocol_name || drv->is_filter) {
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

    *path = is_own ? backing_own_path(bs, error) : NULL;
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
    return bdrv_open(ctx, path, NULL, g_steal_pointer(&owned), flags, bs, "backing",
                     BDRV_CHILD_COW, error);
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
