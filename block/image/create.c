/* SPDX-License-Identifier: MIT */
/*
 * Preparing the creation of an image: which drivers, which options, which backing file, what size.
 *
 * 1. Nothing is touched here: the only file opened is the backing file, to read.
 * 2. What the drivers get is texts as the user wrote them, known to one of the two option tables
 *    and of the right type; "size" is there always, as a number of bytes.
 * Messages: docs/options-and-secrets.md, man cairn-img.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "block/image/create-int.h"

/* ---- options ------------------------------------------------------------ */

static char *create_value_text(const QObject *value)
{
    int64_t number;
    uint64_t size;
    bool is_on;

    if (qobject_get_bool(value, &is_on)) {
        return g_strdup(is_on ? "on" : "off");
    }
    if (qobject_get_int(value, &number)) {
        return g_strdup_printf("%" G_GINT64_FORMAT, number);
    }
    if (qobject_get_uint(value, &size)) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, size);
    }
    return g_strdup(qobject_get_str(value));
}

static QDict *create_text_options(const QDict *options, GError **error)
{
    g_autoptr(QDict) flat = options ? qdict_clone_shallow(options) : qdict_new();
    g_autoptr(QDict) texts = qdict_new();

    qdict_flatten(flat);
    for (size_t i = 0; i < qdict_size(flat); i++) {
        const char *key = qdict_key_at(flat, i);
        g_autofree char *text = create_value_text(qdict_value_at(flat, i));

        if (!text) {
            cairn_set_error(error, EINVAL, "Invalid parameter type for '%s', expected: string",
                            key);
            return NULL;
        }
        qdict_put_str(texts, key, text);
    }
    return g_steal_pointer(&texts);
}

/* Names of @table that @known lacks. */
static void create_append_names(GString *names, const OptionDesc *table, const OptionDesc *known)
{
    for (; table && table->name; table++) {
        if (!options_find(known, table->name)) {
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", table->name);
        }
    }
}

static void create_set_unknown(const BlockCreate *create, const char *key, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);

    create_append_names(names, create->drv->create_options, NULL);
    create_append_names(names, create->proto->create_options, create->drv->create_options);
    cairn_set_error(error, EINVAL, "Invalid parameter '%s'", key);
    cairn_error_append_hint(error, "Options of '%s' here: %s", create->drv->format_name,
                            names->str);
    suggest_option(create->drv->create_options, create->proto->create_options, key, error);
}

/* Fills create->typed anew from create->opts. */
static bool create_check_options(BlockCreate *create, GError **error)
{
    g_autoptr(QDict) rest = qdict_clone_shallow(create->opts);
    g_autoptr(QDict) typed = options_absorb(create->drv->create_options, rest, error);
    g_autoptr(QDict) more = NULL;

    if (!typed) {
        return false;
    }
    more = options_absorb(create->proto->create_options, rest, error);
    if (!more) {
        return false;
    }
    if (qdict_size(rest) > 0) {
        create_set_unknown(create, qdict_key_at(rest, 0), error);
        return false;
    }
    qdict_join(typed, more, false);
    qobject_unref(create->typed);
    create->typed = g_steal_pointer(&typed);
    return true;
}

static bool create_set_option(BlockCreate *create, const char *key, const char *value,
                              const char *what, GError **error)
{
    if (!value) {
        return true;
    }
    if (!options_find(create->drv->create_options, key)) {
        cairn_set_error(error, ENOTSUP, "%s not supported for file format '%s'", what,
                        create->drv->format_name);
        return false;
    }
    qdict_put_str(create->opts, key, value);
    return true;
}

/* ---- drivers ------------------------------------------------------------ */

static bool create_find_format(BlockCreate *create, const char *format, GError **error)
{
    create->drv = bdrv_find_format(create->ctx, format);
    if (!create->drv) {
        cairn_set_error(error, EINVAL, "Unknown file format '%s'", format);
        cairn_suggest_format(create->ctx, format, error);
        return false;
    }
    if (!create->drv->create_options) {
        cairn_set_error(error, ENOTSUP, "Format driver '%s' does not support image creation",
                        format);
        return false;
    }
    return true;
}

static bool create_find_protocol(BlockCreate *create, GError **error)
{
    create->proto = create->drv->protocol_name
        ? create->drv : bdrv_find_protocol(create->ctx, create->filename, error);
    if (create->proto && !create->proto->create_options) {
        cairn_set_error(error, ENOTSUP, "Protocol driver '%s' does not support image creation",
                        create->proto->format_name);
        return false;
    }
    return create->proto != NULL;
}

/* ---- the backing file --------------------------------------------------- */

/* A relative name counts from the new image's folder, as it will when the image is opened. */
static char *create_backing_path(const BlockCreate *create, const char *name)
{
    const char *slash = strrchr(create->filename, '/');
    g_autofree char *dir = NULL;

    if (name[0] == '/' || path_has_protocol(name)) {
        return g_strdup(name);
    }
    if (!slash) {
        slash = path_has_protocol(create->filename) ? strchr(create->filename, ':') : NULL;
    }
    dir = g_strndup(create->filename, slash ? slash - create->filename + 1 : 0);
    return slash && slash[0] == ':' ? g_strconcat(dir, name, NULL) : path_combine(dir, name);
}

static bool create_is_same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return g_str_equal(a, b) ||
           (stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
            sa.st_ino == sb.st_ino);
}

static bool create_check_backing_name(const BlockCreate *create, const char *name,
                                      const char *path, GError **error)
{
    if (!name[0]) {
        cairn_set_error(error, EINVAL, "Expected backing file name, got empty string");
        return false;
    }
    if (create_is_same_file(create->filename, path)) {
        cairn_set_error(error, EINVAL, "Error: Trying to create an image with the same filename "
                        "as the backing file");
        return false;
    }
    return true;
}

static BlockBackend *create_open_backing(const BlockCreate *create, const char *path,
                                         const char *format, GError **error)
{
    g_autoptr(QDict) options = qdict_new();
    BlockBackend *backing;

    if (format) {
        qdict_put_str(options, "driver", format);
    }
    backing = blk_open_qdict(create->ctx, path, options,
                             BLK_O_NO_IO | BLK_O_SHARE_WRITE | (format ? 0 : BLK_O_PROBE), error);
    if (!backing) {
        cairn_error_append_hint(error, "Could not open backing image.");
    }
    return backing;
}

static void create_set_no_format(const char *detected, GError **error)
{
    cairn_set_error(error, EINVAL, "Backing file specified without backing format");
    if (detected) {
        cairn_error_append_hint(error, "Detected format of %s.", detected);
        cairn_error_append_hint(error, "If that is right, name it: -F %s (backing_fmt=%s).",
                                detected, detected);
    } else {
        cairn_error_append_hint(error, "Name it: -F FORMAT (backing_fmt=FORMAT).");
    }
}

/* Opens the backing file: it must be what it is said to be, and may have to give the size. */
static bool create_check_backing(BlockCreate *create, const char *path, int64_t *size,
                                 GError **error)
{
    const char *format = qdict_get_try_str(create->typed, "backing_fmt");
    g_autoptr(BlockBackend) backing = create_open_backing(create, path, format, error);

    if (!backing) {
        return false;
    }
    if (!format) {
        create_set_no_format(blk_get_format(backing), error);
        return false;
    }
    if (blk_reads_from(backing, create->filename, true)) {
        cairn_set_error(error, EINVAL, "Error: Trying to create an image with the same filename "
                        "as a backing file of '%s'", path);
        return false;
    }
    if (*size < 0) {
        *size = blk_getlength(backing);
    }
    if (*size < 0) {
        cairn_set_error_errno(error, -*size, "Could not get size of '%s'", path);
        return false;
    }
    return true;
}

static bool create_prepare_backing(BlockCreate *create, bool check, int64_t *size, GError **error)
{
    const char *name = qdict_get_try_str(create->typed, "backing_file");
    g_autofree char *path = NULL;

    if (!name) {
        return true;
    }
    path = create_backing_path(create, name);
    if (!create_check_backing_name(create, name, path, error)) {
        return false;
    }
    if (check) {
        if (!create_check_backing(create, path, size, error)) {
            return false;
        }
    } else if (!qdict_haskey(create->typed, "backing_fmt")) {
        create_set_no_format(NULL, error);
        return false;
    }
    if (path_has_protocol(name)) {
        context_warn(create->ctx, "The backing file name '%s' is no plain path: it will be used "
                     "only where the options of opening name it again", name);
    }
    return true;
}

/* ---- size --------------------------------------------------------------- */

static bool create_option_size(const BlockCreate *create, int64_t *size, GError **error)
{
    QObject *value = qdict_get(create->typed, "size");
    uint64_t bytes;

    if (!value || !qobject_get_uint(value, &bytes)) {
        return true;
    }
    if (*size >= 0) {
        cairn_set_error(error, EINVAL, "The image size must be specified only once");
        return false;
    }
    if (bytes > INT64_MAX) {
        cairn_set_error(error, EFBIG, "The image size is too large for file format '%s'",
                        create->drv->format_name);
        return false;
    }
    *size = bytes;
    return true;
}

static bool create_set_size(BlockCreate *create, int64_t size, GError **error)
{
    g_autofree char *text = NULL;

    if (size < 0) {
        cairn_set_error(error, EINVAL, "Image creation needs a size parameter");
        return false;
    }
    text = g_strdup_printf("%" G_GINT64_FORMAT, size);
    qdict_put_str(create->opts, "size", text);
    return create_check_options(create, error);
}

/* ---- the steps ---------------------------------------------------------- */

static bool create_prepare(BlockCreate *create, const char *backing, const char *backing_format,
                           int64_t size, bool check_backing, GError **error)
{
    return create_check_options(create, error) && create_option_size(create, &size, error) &&
           create_set_option(create, "backing_file", backing, "Backing file", error) &&
           create_set_option(create, "backing_fmt", backing_format, "Backing file format", error) &&
           create_check_options(create, error) &&
           create_prepare_backing(create, check_backing, &size, error) &&
           create_set_size(create, size, error);
}

BlockCreate *blk_create_prepare(CairnContext *ctx, const char *filename, const char *format,
                                const char *backing, const char *backing_format,
                                const QDict *options, int64_t size, bool check_backing,
                                GError **error)
{
    g_autoptr(BlockCreate) create = g_new0(BlockCreate, 1);
    g_autoptr(CairnContext) held = cairn_context_ref(context_or_default(ctx));

    create->ctx = cairn_context_ref(held);
    create->filename = g_strdup(filename);
    CTL_LOCK_GUARD(held);
    if (!create_find_format(create, format, error) || !create_find_protocol(create, error)) {
        return NULL;
    }
    create->opts = create_text_options(options, error);
    if (!create->opts ||
        !create_prepare(create, backing, backing_format, size, check_backing, error)) {
        return NULL;
    }
    return g_steal_pointer(&create);
}

void blk_create_free(BlockCreate *create)
{
    if (create) {
        qobject_unref(create->opts);
        qobject_unref(create->typed);
        g_free(create->filename);
        cairn_context_unref(create->ctx);
        g_free(create);
    }
}

/* ---- for people --------------------------------------------------------- */

static void create_describe_option(GString *text, const BlockCreate *create,
                                   const OptionDesc *desc)
{
    const char *value = qdict_get_try_str(create->opts, desc->name);
    g_autofree char *number = NULL;
    g_auto(GStrv) parts = NULL;
    g_autofree char *escaped = NULL;

    if (!value) {
        return;
    }
    if (desc->type == OPTION_SIZE || desc->type == OPTION_NUMBER) {
        value = number = create_value_text(qdict_get(create->typed, desc->name));
    }
    parts = g_strsplit(value, ",", -1);
    escaped = g_strjoinv(",,", parts);
    g_string_append_printf(text, " %s=%s", desc->name, escaped);
}

char *blk_create_describe(const BlockCreate *create)
{
    const OptionDesc *table = create->drv->create_options;
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "Formatting '%s', fmt=%s", create->filename,
                           create->drv->format_name);
    for (const OptionDesc *desc = table; desc->name; desc++) {
        create_describe_option(text, create, desc);
    }
    for (const OptionDesc *desc = create->proto->create_options; desc->name; desc++) {
        if (!options_find(table, desc->name)) {
            create_describe_option(text, create, desc);
        }
    }
    return g_string_free(text, FALSE);
}

char *blk_create_help(CairnContext *ctx, const char *format, const char *filename, GError **error)
{
    BlockCreate create = {
        .ctx = context_or_default(ctx), .filename = (char *)filename,   /* borrowed */
    };
    g_autofree char *list = NULL;

    CTL_LOCK_GUARD(create.ctx);
    if (!create_find_format(&create, format, error) ||
        (filename && !create_find_protocol(&create, error))) {
        return NULL;
    }
    list = options_help(create.drv->create_options,
                        filename ? create.proto->create_options : NULL);
    if (filename) {
        return g_strdup_printf("Supported options:\n%s", list);
    }
    return g_strdup_printf("Supported %s options:\n%s\n"
                           "The protocol level may support further options.\n"
                           "Specify the target filename to include those options.\n",
                           format, list);
}
