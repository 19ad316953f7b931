/* SPDX-License-Identifier: MIT */
/*
 * Opening what stands below a node, for its driver's open. A child takes its options from those of
 * its parent ("file.x", or "file" for a node that exists), its flags by role.
 */
#include "block/block-int.h"

#include <errno.h>

static bool child_take_reference(QDict *options, const char *name, char **reference,
                                 GError **error)
{
    g_autoptr(QObject) value = qdict_take(options, name);

    *reference = g_strdup(qobject_get_str(value));
    if (!value || *reference) {
        return true;
    }
    if (qobject_type(value) == QTYPE_QDICT
        && qdict_size(qobject_to_qdict(value)) == 0) {
        return true;
    }
    cairn_set_error(error, EINVAL, "Invalid parameter type for '%s', expected: string or object",
                    name);
    return false;
}

/*
 * An image's name below a driver that is no format says nothing of the image's format. As for
 * backing files, the tools' policy is to look.
 */
static int child_flags(BlockDriverState *bs, const char *filename, BdrvChildRole role)
{
    int flags = bdrv_child_flags(bs->drv, bs->open_flags, role);

    if (filename && !(flags & BDRV_O_PROTOCOL)
        && bs->priv->ctx->policy == CAIRN_IMAGE_POLICY_ALLOW_ALL) {
        flags |= BLK_O_PROBE | BLK_O_WARN_PROBE;
    }
    return flags;
}

static BlockDriverState *child_open_node(BlockDriverState *bs, const char *name,
                                         const char *filename, BdrvChildRole role, GError **error)
{
    BdrvNodePrivate *priv = bs->priv;
    g_autofree char *prefix = g_strconcat(name, ".", NULL);
    g_autofree char *reference = NULL;

    if (!child_take_reference(priv->open_options, name, &reference, error)) {
        return NULL;
    }
    QDict *options = qdict_extract_subqdict(priv->open_options, prefix);

    if (!filename && !reference && qdict_size(options) == 0) {
        qobject_unref(options);
        cairn_set_error(error, EINVAL, "A block device must be specified for \"%s\"", name);
        suggest_child_name(priv->open_options, name, error);
        return NULL;
    }
    return bdrv_open(priv->ctx, filename, reference, options, child_flags(bs, filename, role), bs,
                     name, role, error);
}

BlockDriverState *bdrv_open_child_node(BlockDriverState *bs, const char *name,
                                       BdrvChildRole role, GError **error)
{
    const char *filename = !strcmp(name, "file") ? bs->priv->file_name : NULL;

    return child_open_node(bs, name, filename, role, error);
}

/*
 * The index of a key "NAME.INDEX" or "NAME.INDEX.x": -1 for other keys, -2 where it is no number.
 */
static int child_list_index(const char *key, const char *name)
{
    size_t length = strlen(name);
    char *end;
    guint64 index;

    if (strncmp(key, name, length) || key[length] != '.') {
        return -1;
    }
    index = g_ascii_strtoull(key + length + 1, &end, 10);
    if (!g_ascii_isdigit(key[length + 1]) || (*end && *end != '.') || index >= BDRV_CHILDREN_MAX) {
        return -2;
    }
    return (int)index;
}

int bdrv_count_children(BlockDriverState *bs, const char *name, GError **error)
{
    const QDict *options = bs->priv->open_options;
    bool is_there[BDRV_CHILDREN_MAX] = { false };
    bool is_array = true;
    int count = 0, last = -1;

    for (size_t i = 0; i < qdict_size(options); i++) {
        int index = child_list_index(qdict_key_at(options, i), name);

        is_array &= index != -2;
        if (index >= 0 && !is_there[index]) {
            is_there[index] = true;
            count++;
            last = MAX(last, index);
        }
    }
    if (!is_array || last != count - 1) {
        cairn_set_error(error, EINVAL, "Option %s is not a valid array", name);
        cairn_error_append_hint(error, "Its items are %s.0, %s.1 and so on, at most %d.", name,
                                name, BDRV_CHILDREN_MAX);
        return -1;
    }
    return count;
}

/* What cannot be written below cannot be written above. */
static void child_follow_read_only(BlockDriverState *bs, const BlockDriverState *node,
                                   BdrvChildRole role)
{
    if (node->read_only && (bs->open_flags & BLK_O_AUTO_RDONLY) && !(role & BDRV_CHILD_COW)) {
        bs->read_only = true;
        bs->open_flags &= ~BLK_O_RDWR;
    }
}

/* @node: NULL: it could not be opened. */
static BdrvChild *child_attach(BlockDriverState *bs, BlockDriverState *node, const char *name,
                               BdrvChildRole role, GError **error)
{
    BdrvChild *child;

    if (!node) {
        return NULL;
    }
    child_follow_read_only(bs, node, role);
    child = bdrv_attach_child(bs, node, name, role, error);
    if (!child) {
        return NULL;
    }
    if (!strcmp(name, "file") && !bs->filename[0]) {
        g_free(bs->filename);
        bs->filename = g_strdup(node->filename);
    }
    return child;
}

bool bdrv_open_child(BlockDriverState *bs, const char *name, BdrvChildRole role,
                     GError **error)
{
    BlockDriverState *node = NULL;

    if (!strcmp(name, "file")) {
        node = g_steal_pointer(&bs->priv->file_node);
    }
    if (!node) {
        node = bdrv_open_child_node(bs, name, role, error);
    }
    return child_attach(bs, node, name, role, error) != NULL;
}

bool bdrv_open_child_named(BlockDriverState *bs, const char *name, const char *filename,
                           BdrvChildRole role, BdrvChild **child, GError **error)
{
    BlockDriverState *node = child_open_node(bs, name, filename, role, error);

    *child = child_attach(bs, node, name, role, error);
    return *child != NULL;
}
