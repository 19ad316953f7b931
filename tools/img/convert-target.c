/* SPDX-License-Identifier: MIT */
/*
 * The target of cairn-img convert.
 *
 * 1. Until convert_target_open() nothing on disk is touched, and it is called only when
 *    the sources are open and every option has been checked: a wrong option costs nobody a file.
 * 2. A target that is made gets its name only when all of its content is there (stage.h); a copy
 *    that fails or is interrupted leaves the old file, or none.
 */
#include "img/convert.h"

#include <errno.h>
#include <string.h>

void convert_target_clear(ConvertTarget *target)
{
    g_clear_pointer(&target->create, blk_create_free);
    g_clear_pointer(&target->options, qobject_unref);
    g_clear_pointer(&target->blk, blk_unref);
    img_stage_clear(&target->stage);
}

/* The size is the sources'; one that is given must be a size all the same. */
static bool target_drop_size_option(QDict *options, GError **error)
{
    const char *text = qdict_get_try_str(options, "size");
    uint64_t ignored;

    if (text && !tool_parse_size_option("size", text, &ignored, error)) {
        return false;
    }
    if (text) {
        tool_warn("-o size= has no effect: the target is as large as its sources");
        qdict_del(options, "size");
    }
    return true;
}

static bool target_is_encrypted(const QDict *options)
{
    return qdict_haskey(options, "encrypt.format") ||
           g_strcmp0(qdict_get_try_str(options, "encryption"), "on") == 0;
}

/* What needs no look at the sources' content but may be asked of the format. */
static bool target_check_features(const ConvertArgs *args, int features,
                                  const ConvertTarget *target, GError **error)
{
    const char *format = convert_target_format(args);
    bool takes_backing = features & CAIRN_FORMAT_BACKING;
    const char *message = NULL;

    if (args->backing_format && !takes_backing && !args->backing) {
        cairn_set_error(error, ENOTSUP, "Backing file format not supported for file format '%s'",
                        format);
        return false;
    }
    if (args->backing && !takes_backing) {
        cairn_set_error(error, ENOTSUP, "Backing file not supported for file format '%s'",
                        format);
        return false;
    }
    if (target->backing && !target->backing_format) {
        message = "Use of backing file requires explicit backing format\n"
                  IMG_NAME_BACKING_FORMAT;
    } else if (args->compressed && !(features & CAIRN_FORMAT_COMPRESS)) {
        message = "Compression not supported for this file format";
    } else if (args->compressed && target_is_encrypted(target->options)) {
        message = "Compression and encryption not supported at the same time";
    }
    if (message) {
        cairn_set_error(error, ENOTSUP, "%s", message);
    }
    return !message;
}

static char *target_backing_path(const ConvertArgs *args, const char *backing)
{
    g_autofree char *folder = g_path_get_dirname(args->target);

    if (g_path_is_absolute(backing) || strchr(backing, ':') || !strcmp(folder, ".")) {
        return g_strdup(backing);
    }
    return g_build_filename(folder, backing, NULL);
}

/* Found out before the target is touched: a backing file that cannot be opened, or rests on the target. */
static bool target_check_backing(Img *img, const ConvertArgs *args,
                                 const ConvertTarget *target, GError **error)
{
    g_autofree char *path = target_backing_path(args, target->backing);
    ToolImage image = {
        .name = path,
        .format = target->backing_format,
        .flags = BLK_O_NO_IO | BLK_O_SHARE_WRITE | BLK_O_FORCE_SHARE,
    };
    g_autoptr(BlockBackend) blk = NULL;
    int features = cairn_format_features(img->ctx, target->backing_format);

    if (features < 0) {
        cairn_set_error(error, EINVAL, "%s: error while converting %s: unrecognized backing"
                        " format '%s'", args->target, convert_target_format(args),
                        target->backing_format);
        return false;
    }
    blk = tool_open_image(img->ctx, &image, error);
    if (!blk) {
        g_prefix_error(error, "Could not open '%s': Could not open backing file: ",
                       args->target);
        return false;
    }
    if (blk_reads_from(blk, args->target, true)) {
        cairn_set_error(error, EINVAL, "Error: Trying to create an image with the same filename "
                        "as a backing file of '%s'", path);
        return false;
    }
    return true;
}

static bool target_read_options(const ConvertArgs *args, ConvertTarget *target, GError **error)
{
    target->options = tool_options_parse(args->options, error);
    if (!target->options || !target_drop_size_option(target->options, error)) {
        return false;
    }
    target->backing = args->backing ? args->backing
                      : qdict_get_try_str(target->options, "backing_file");
    target->backing_format = args->backing_format ? args->backing_format
                             : qdict_get_try_str(target->options, "backing_fmt");
    return true;
}

bool convert_target_prepare(Img *img, const ConvertArgs *args, int64_t bytes,
                            ConvertTarget *target, GError **error)
{
    const char *format = convert_target_format(args);
    int features = cairn_format_features(img->ctx, format);

    if (features < 0 && !args->no_create) {
        cairn_set_error(error, EINVAL, "Unknown file format '%s'", format);
        cairn_suggest_format(img->ctx, format, error);
        return false;
    }
    if (!target_read_options(args, target, error)) {
        return false;
    }
    if (args->no_create) {
        target->backing = NULL;
        /* What option strings name is known when it is open; the copy asks it then. */
        return args->target_image_opts || target_check_features(args, features, target, error);
    }
    if (target->backing && args->source_count > 1) {
        cairn_set_error(error, EINVAL, "%s", CONVERT_BACKING_OF_MANY);
        return false;
    }
    if (args->backing_format && !target->backing && (features & CAIRN_FORMAT_BACKING)) {
        tool_warn("-F has no effect without a backing file");
    }
    if (!target_check_features(args, features, target, error)) {
        return false;
    }
    target->create = blk_create_prepare(img->ctx, args->target, format, args->backing,
                                        args->backing_format, target->options, bytes, false,
                                        error);
    return target->create &&
           (!target->backing || target_check_backing(img, args, target, error));
}

static bool target_make(Img *img, const ConvertArgs *args, ConvertTarget *target,
                        GError **error)
{
    bool ok = img_stage_begin(&target->stage, img, args->target, error);

    if (ok && strcmp(convert_target_format(args), "raw") &&
        !img_stage_claim(&target->stage, img, error)) {
        g_prefix_error(error, "Could not open '%s': ", args->target);
        return false;
    }
    ok = ok && img_stage_create(&target->stage, target->create, error);
    if (!ok) {
        g_prefix_error(error, "%s: error while converting %s: ", args->target,
                       convert_target_format(args));
    }
    return ok;
}

/* A relative backing name counts from the folder that the user sees, which a link may have left. */
static void target_put_backing(const ConvertArgs *args, const ConvertTarget *target,
                               QDict *options)
{
    if (target->backing && img_stage_is_elsewhere(&target->stage)) {
        g_autofree char *path = target_backing_path(args, target->backing);

        qdict_put_str(options, "backing.driver", target->backing_format);
        qdict_put_str(options, "backing.file.filename", path);
    }
}

/* An encrypted image, just made, is opened by the secret that it was made with. */
static QDict *target_open_options(const ConvertArgs *args, const ConvertTarget *target)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", convert_target_format(args));
    for (size_t i = 0; i < qdict_size(target->options); i++) {
        const char *key = qdict_key_at(target->options, i);

        if (g_str_has_suffix(key, "key-secret")) {
            qdict_put_str(options, key, qdict_get_try_str(target->options, key));
        }
    }
    return options;
}

static BlockBackend *target_open_node(Img *img, const ConvertArgs *args,
                                      const ConvertTarget *target, GError **error)
{
    int flags = BLK_O_RDWR | BLK_O_SHARE_WRITE | BLK_O_WARN_PROBE | BLK_O_UNMAP;

    tool_parse_cache(args->cache ? args->cache : "unsafe", &flags);
    if (args->target_image_opts) {
        ToolImage image = { .name = args->target, .image_opts = true, .flags = flags };

        return tool_open_image(img->ctx, &image, error);
    }

    g_autoptr(QDict) options = target_open_options(args, target);

    target_put_backing(args, target, options);
    return blk_open_qdict(img->ctx, target->create ? target->stage.path : args->target, options,
                          flags, error);
}

bool convert_target_open(Img *img, const ConvertArgs *args, int64_t bytes,
                         ConvertTarget *target, GError **error)
{
    int64_t length;

    if (target->create && !target_make(img, args, target, error)) {
        return false;
    }
    target->blk = target_open_node(img, args, target, error);
    if (!target->blk) {
        g_prefix_error(error, "Could not open '%s': ", args->target);
        return false;
    }
    length = blk_getlength(target->blk);
    if (length < 0) {
        cairn_set_error_errno(error, -length, "unable to get output image length");
        return false;
    }
    if (length < bytes) {
        cairn_set_error(error, EINVAL, "output file is smaller than input file");
        return false;
    }
    return true;
}

bool convert_target_finish(const ConvertArgs *args, ConvertTarget *target, GError **error)
{
    int ret = blk_close(target->blk);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "%s: error while flushing", args->target);
        return false;
    }
    g_clear_pointer(&target->blk, blk_unref);
    return !target->create ||
           img_stage_commit(&target->stage, args->cache && strcmp(args->cache, "unsafe"), error);
}
