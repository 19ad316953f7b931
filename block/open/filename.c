/* SPDX-License-Identifier: MIT */
/*
 * Names: what a text names (a path, proto:..., json:{...}), and what a node is called in messages.
 *
 * 1. A node's exact_filename, where there is one, opens the same node again.
 * 2. Where the options say more than a name can, the node is called json:{...}, with the values as
 *    they were given, the driver first.
 */
#include "block/block-int.h"

bool path_has_protocol(const char *path)
{
    return path[strcspn(path, ":/")] == ':';
}

char *path_combine(const char *dir, const char *name)
{
    if (name[0] == '/' || dir[0] == '\0') {
        return g_strdup(name);
    }
    return g_strconcat(dir, g_str_has_suffix(dir, "/") ? "" : "/", name, NULL);
}

char *path_strip_protocol(const char *name, const char *protocol)
{
    size_t length = strlen(protocol);

    if (strncmp(name, protocol, length) || name[length] != ':') {
        return g_strdup(name);
    }
    name += length + 1;
    return g_strconcat(path_has_protocol(name) ? "./" : "", name, NULL);
}

/* The folder of a path, with its slash; "" where it has none. */
static char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? g_strndup(path, (gsize)(slash - path + 1)) : g_strdup("");
}

char *bdrv_image_dir(BlockDriverState *bs)
{
    BdrvChild *filtered = bs->drv ? bdrv_filtered_child(bs) : NULL;

    if (filtered) {
        return bdrv_image_dir(filtered->bs);
    }
    if (bs->drv && bs->drv->protocol_name) {
        return bs->exact_filename[0] && !path_has_protocol(bs->exact_filename)
            ? path_folder(bs->exact_filename) : NULL;
    }
    const BdrvChild *below = bs->file ? bs->file : bdrv_filtered_child(bs);

    return below ? bdrv_image_dir(below->bs) : NULL;
}

/* ---- which options make a difference to what is read ---- */

static bool name_matches(const char *pattern, const char *key)
{
    return g_str_has_suffix(pattern, ".") ? g_str_has_prefix(key, pattern)
                                          : !strcmp(pattern, key);
}

static bool name_is_strong(const BlockDriver *drv, const char *key)
{
    if (!drv->strong_runtime_opts) {
        return options_find(drv->runtime_options, key) != NULL;
    }
    for (int i = 0; drv->strong_runtime_opts[i]; i++) {
        if (name_matches(drv->strong_runtime_opts[i], key)) {
            return true;
        }
    }
    return false;
}

static QDict *name_strong_options(BlockDriverState *bs)
{
    QDict *strong = qdict_new();

    for (size_t i = 0; i < qdict_size(bs->priv->options); i++) {
        const char *key = qdict_key_at(bs->priv->options, i);

        if (name_is_strong(bs->drv, key)) {
            qdict_put_obj(strong, key, qobject_ref(qdict_value_at(bs->priv->options, i)));
        }
    }
    return strong;
}

/* Whether another backing file is open than the image's own name would give. */
static bool name_backing_differs(BlockDriverState *bs)
{
    if (!bs->backing) {
        return bs->backing_file && bs->priv->is_complete
            && !(bs->open_flags & BLK_O_NO_BACKING);
    }
    g_autofree char *own = bs->backing_file ? bdrv_full_backing_name(bs, NULL) : NULL;

    return !own || strcmp(own, bs->backing->bs->filename) != 0;
}

/* ---- the two forms ---- */

/* "children.0" is an item of the list "children". */
static void name_put_child(QDict *full, const char *name, QDict *options)
{
    const char *dot = strchr(name, '.');
    g_autofree char *list_name = dot ? g_strndup(name, (gsize)(dot - name)) : NULL;

    if (!dot) {
        qdict_put(full, name, options);
        return;
    }
    if (!qdict_get_qlist(full, list_name)) {
        qdict_put(full, list_name, qlist_new());
    }
    qlist_append(qdict_get_qlist(full, list_name), options);
}

static QDict *name_full_options(BlockDriverState *bs)
{
    g_autoptr(QDict) strong = name_strong_options(bs);
    QDict *full = qdict_new();

    qdict_put_str(full, "driver", bs->drv->format_name);
    qdict_join(full, strong, false);
    for (guint i = 0; i < bs->priv->children->len; i++) {
        const BdrvChild *child = bs->priv->children->pdata[i];

        if (child != bs->backing) {
            name_put_child(full, child->name, name_full_options(child->bs));
        }
    }
    if (name_backing_differs(bs)) {
        if (bs->backing) {
            qdict_put(full, "backing", name_full_options(bs->backing->bs));
        } else {
            qdict_put_null(full, "backing");
        }
    }
    return full;
}

/* A protocol's own name: that of its "filename", if nothing else matters. */
static char *name_of_protocol(BlockDriverState *bs)
{
    g_autoptr(QDict) strong = name_strong_options(bs);
    const char *filename = qdict_get_try_str(strong, "filename");
    bool is_plain = !strcmp(bs->drv->protocol_name, "file") || bs->drv->bdrv_probe_device;

    if (!filename || qdict_size(strong) != 1) {
        return g_strdup("");
    }
    return is_plain ? g_strdup(filename)
                    : g_strconcat(bs->drv->protocol_name, ":", filename, NULL);
}

/*
 * A format is called as its file, if its options add nothing and that is a protocol's node. A
 * filter never is: its file's name opens the file.
 */
static char *name_of_format(BlockDriverState *bs)
{
    g_autoptr(QDict) strong = name_strong_options(bs);

    if (bs->drv->is_filter || !bs->file || !bs->file->bs->drv->protocol_name
        || qdict_size(strong) > 0 || name_backing_differs(bs)) {
        return g_strdup("");
    }
    return g_strdup(bs->file->bs->exact_filename);
}

static void name_set(char **name, char *value)
{
    g_free(*name);
    *name = value;
}

void bdrv_refresh_filename(BlockDriverState *bs)
{
    if (bs->drv->bdrv_refresh_filename) {
        name_set(&bs->exact_filename, g_strdup(""));
        bs->drv->bdrv_refresh_filename(bs);
    } else {
        name_set(&bs->exact_filename, bs->drv->protocol_name ? name_of_protocol(bs)
                                                             : name_of_format(bs));
    }
    if (bs->exact_filename[0]) {
        name_set(&bs->filename, g_strdup(bs->exact_filename));
        return;
    }
    g_autoptr(QDict) full = name_full_options(bs);
    g_autofree char *json = qobject_to_json(QOBJECT(full), false);

    name_set(&bs->filename, g_strconcat("json:", json, NULL));
}
