/* SPDX-License-Identifier: MIT */
/*
 * Opening a node: a list of steps, each of which takes what it understands from the options.
 *
 * 1. All spellings of a name end in options: json:{...} and proto:... are unpacked first.
 * 2. The options that nobody has taken when the driver and its children are open are an error.
 * 3. A node that failed to open leaves nothing behind: its children and its name are gone.
 */
#include "block/block-int.h"

#include "qapi/block-options.h"

#define PROBE_SCORE_RAW 1

typedef struct BdrvOpening {
    CairnContext *ctx;
    const char *filename;       /* NULL: none, or used up */
    QDict *options;             /* flat: what nobody took yet; owned */
    int flags;
    BlockDriverState *parent;   /* NULL: a root */
    BdrvChildRole role;
    const BlockDriver *drv;     /* NULL: not known yet */
    BlockDriverState *bs;
} BdrvOpening;

/* ---- names ---- */

static BlockDriverState *open_reference(CairnContext *ctx, const char *reference,
                                        const char *filename, const QDict *options,
                                        GError **error)
{
    BlockDriverState *bs;

    if (filename || qdict_size(options) > 0) {
        cairn_set_error(error, EINVAL, "Cannot reference an existing block device with "
                        "additional options or a new filename");
        return NULL;
    }
    bs = bdrv_lookup(ctx, reference, error);
    if (bs) {
        bdrv_ref(bs);
    }
    return bs;
}

static bool open_json_name(BdrvOpening *o, GError **error)
{
    if (!o->filename || !g_str_has_prefix(o->filename, "json:")) {
        return true;
    }
    g_autoptr(QObject) tree = qobject_from_json(o->filename + strlen("json:"), error);

    if (!tree) {
        g_prefix_error(error, "Could not parse the JSON options: ");
        return false;
    }
    if (!qobject_to_qdict(tree)) {
        cairn_set_error(error, EINVAL, "Invalid JSON object given");
        return false;
    }
    qdict_flatten(qobject_to_qdict(tree));
    qdict_join(o->options, qobject_to_qdict(tree), false);
    o->filename = NULL;
    return true;
}

static bool open_named_driver(BdrvOpening *o, GError **error)
{
    const char *name = qdict_get_try_str(o->options, "driver");

    if (!name) {
        return true;
    }
    o->drv = bdrv_find_format(o->ctx, name);
    if (!o->drv) {
        cairn_set_error(error, ENOENT, "Unknown driver '%s'", name);
        suggest_driver(o->ctx, name, false, error);
        return false;
    }
    o->flags = o->drv->protocol_name ? o->flags | BDRV_O_PROTOCOL : o->flags & ~BDRV_O_PROTOCOL;
    return true;
}

/* The name given beside the options: "proto:" is for the driver to understand. */
static bool open_parse_filename(BdrvOpening *o, GError **error)
{
    const char *filename = o->filename;

    o->filename = NULL;
    if (o->drv->bdrv_parse_filename) {
        return o->drv->bdrv_parse_filename(filename, o->options, error);
    }
    g_autofree char *path = path_strip_protocol(filename, o->drv->protocol_name);

    qdict_put_str(o->options, "filename", path);
    return true;
}

static bool open_protocol_name(BdrvOpening *o, GError **error)
{
    const char *name = qdict_get_try_str(o->options, "filename");

    if (!(o->flags & BDRV_O_PROTOCOL)) {
        return true;
    }
    if (o->filename && name) {
        cairn_set_error(error, EINVAL,
                        "Can't specify 'file' and 'filename' options at the same time");
        return false;
    }
    name = o->filename ? o->filename : name;
    if (!o->drv && !name) {
        cairn_set_error(error, EINVAL, "Must specify either driver or file");
        return false;
    }
    if (!o->drv) {
        o->drv = bdrv_find_path_driver(o->ctx, name, o->filename != NULL, error);
    }
    return o->drv && (!o->filename || open_parse_filename(o, error));
}

/* ---- the node ---- */

static bool open_make_node(BdrvOpening *o, GError **error)
{
    BlockDriverState *bs;

    bs = bdrv_node_new(o->ctx, qdict_get_try_str(o->options, "node-name"), error);
    if (!bs) {
        return false;
    }
    bs->priv->opener = o->parent;
    bs->priv->inherits_from = o->parent;
    bs->priv->role = o->role;
    bs->priv->options = qdict_clone_shallow(o->options);
    bs->priv->file_name = g_strdup(o->filename);
    o->bs = bs;
    return true;
}

static bool open_common_options(BdrvOpening *o, GError **error)
{
    BlockDriverState *bs = o->bs;
    g_autoptr(QDict) common = NULL;

    common = options_absorb(qapi_options_BlockdevOptionsCommon, o->options, error);
    if (!common || !common_options_flags(common, &o->flags, &bs->priv->detect_zeroes, error)) {
        return false;
    }
    bs->open_flags = o->flags;
    bs->read_only = !(o->flags & BLK_O_RDWR);
    return true;
}

static bool open_has_child_options(const QDict *options, const char *name)
{
    g_autofree char *prefix = g_strconcat(name, ".", NULL);

    if (qdict_haskey(options, name)) {
        return true;
    }
    for (size_t i = 0; i < qdict_size(options); i++) {
        if (g_str_has_prefix(qdict_key_at(options, i), prefix)) {
            return true;
        }
    }
    return false;
}

static bool open_guess_format(BdrvOpening *o, GError **error)
{
    BdrvNodePrivate *priv = o->bs->priv;

    if (o->drv) {
        return true;
    }
    if (!o->filename && !open_has_child_options(o->options, "file")) {
        cairn_set_error(error, EINVAL, "Must specify either driver or file");
        suggest_root(o->options, error);
        return false;
    }
    if (!(o->flags & BLK_O_PROBE)) {
        cairn_set_error(error, EINVAL, "no format given: name it, or allow probing");
        return false;
    }
    priv->open_options = qobject_ref(o->options);
    priv->file_node = bdrv_open_child_node(o->bs, "file", BDRV_CHILD_IMAGE, error);
    g_clear_pointer(&priv->open_options, qobject_unref);
    if (!priv->file_node) {
        return false;
    }
    o->drv = bdrv_probe_node(o->ctx, priv->file_node, &priv->probe_score, error);
    o->bs->probed = true;
    return o->drv != NULL;
}

/* ---- the driver ---- */

static bool open_check_filename(BdrvOpening *o, const QDict *opts, GError **error)
{
    const char *filename = qdict_get_try_str(opts, "filename");

    if (!o->drv->protocol_name || !options_find(o->drv->runtime_options, "filename")
        || (filename && filename[0])) {
        return true;
    }
    cairn_set_error(error, EINVAL, "The '%s' block driver requires a file name",
                    o->drv->format_name);
    for (size_t i = 0; i < qdict_size(o->options); i++) {
        suggest_option(o->drv->runtime_options, NULL, qdict_key_at(o->options, i), error);
    }
    return false;
}

/* Leaves in priv->options just what the node itself has, as it was given. */
static void open_keep_own_options(BdrvOpening *o)
{
    BdrvNodePrivate *priv = o->bs->priv;
    QDict *own = qdict_new();

    for (size_t i = 0; i < qdict_size(priv->options); i++) {
        const char *key = qdict_key_at(priv->options, i);

        if (!qdict_haskey(o->options, key)) {
            qdict_put_obj(own, key, qobject_ref(qdict_value_at(priv->options, i)));
        }
    }
    qobject_unref(priv->options);
    priv->options = own;
}

static const char *open_first_name(BdrvOpening *o)
{
    const char *filename = qdict_get_try_str(o->bs->priv->driver_opts, "filename");

    if (filename) {
        return filename;
    }
    return o->bs->priv->file_name ? o->bs->priv->file_name : "";
}

static bool open_driver(BdrvOpening *o, GError **error)
{
    BlockDriverState *bs = o->bs;
    static const OptionDesc none[] = { { NULL } };

    if (!registry_check_allowed(o->ctx, o->drv, error)) {
        return false;
    }
    bs->drv = o->drv;
    bs->priv->driver_opts = options_absorb(o->drv->runtime_options ? o->drv->runtime_options
                                                                   : none,
                                           o->options, error);
    if (!bs->priv->driver_opts || !open_check_filename(o, bs->priv->driver_opts, error)) {
        return false;
    }
    open_keep_own_options(o);
    g_free(bs->filename);
    bs->filename = g_strdup(open_first_name(o));
    bs->opaque = g_malloc0(MAX(o->drv->instance_size, 1));
    bs->priv->open_options = qobject_ref(o->options);
    if (o->drv->bdrv_open
        && !o->drv->bdrv_open(bs, bs->priv->driver_opts, bs->open_flags, error)) {
        return false;
    }
    bs->priv->is_open = true;
    return true;
}

/* ---- afterwards ---- */

void bdrv_refuse_option(const BlockDriver *drv, const char *key, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    cairn_set_error(error, EINVAL,
                    drv->protocol_name ? "Block protocol '%s' doesn't support the option '%s'"
                                       : "Block format '%s' does not support the option '%s'",
                    drv->format_name, key);
    for (const OptionDesc *desc = drv->runtime_options; desc && desc->name; desc++) {
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", desc->name);
    }
    g_strdelimit(names->str, "#", 'N');
    if (names->len) {
        cairn_error_append_hint(error, "Its own options are: %s.", names->str);
    }
    suggest_option(drv->runtime_options, qapi_options_BlockdevOptionsCommon, key, error);
}

static bool open_check_leftover(BdrvOpening *o, GError **error)
{
    const BlockDriver *drv = o->drv;

    if (o->bs->priv->file_name && !o->bs->file) {
        cairn_set_error(error, EINVAL, "Driver '%s' takes no file name ('%s')",
                        drv->format_name, o->bs->priv->file_name);
        return false;
    }
    if (drv->supports_backing) {
        backing_take_options(o->bs, o->options);
    }
    if (qdict_size(o->options) == 0) {
        return true;
    }
    bdrv_refuse_option(drv, qdict_key_at(o->options, 0), error);
    return false;
}

static bool open_finish(BdrvOpening *o, GError **error)
{
    BlockDriverState *bs = o->bs;

    if (!bdrv_refresh_limits(bs, error)) {
        return false;
    }
    bdrv_refresh_filename(bs);
    if (!(bs->open_flags & BLK_O_NO_BACKING ? bdrv_check_backing_option(bs, error)
                                            : bdrv_open_backing(bs, error))) {
        return false;
    }
    bs->priv->is_complete = true;
    bdrv_refresh_filename(bs);
    if ((bs->open_flags & BLK_O_WARN_PROBE) && !bs->read_only && bs->probed
        && bs->priv->probe_score <= PROBE_SCORE_RAW) {
        bdrv_warn_probed(bs);
    }
    return true;
}

static void open_forget_temporaries(BlockDriverState *bs)
{
    bs->priv->opener = NULL;
    g_clear_pointer(&bs->priv->open_options, qobject_unref);
    g_clear_pointer(&bs->priv->backing_options, qobject_unref);
    g_clear_pointer(&bs->priv->file_name, g_free);
}

BlockDriverState *bdrv_open(CairnContext *ctx, const char *filename, const char *reference,
                            QDict *options, int flags, BlockDriverState *parent,
                            const char *child_name, BdrvChildRole role, GError **error)
{
    g_autoptr(QDict) owned = options ? options : qdict_new();
    BdrvOpening o = {
        .ctx = ctx, .filename = filename, .options = owned, .flags = flags,
        .parent = parent, .role = role,
    };

    if (reference) {
        return open_reference(ctx, reference, filename, owned, error);
    }
    qdict_flatten(owned);
    if (!open_json_name(&o, error) || !open_named_driver(&o, error)
        || !open_protocol_name(&o, error) || !open_make_node(&o, error)) {
        return NULL;
    }
    bool ok = open_common_options(&o, error) && open_guess_format(&o, error)
        && open_driver(&o, error) && open_check_leftover(&o, error) && open_finish(&o, error);

    open_forget_temporaries(o.bs);
    if (!ok) {
        bdrv_unref(o.bs);
        return NULL;
    }
    return o.bs;
}
