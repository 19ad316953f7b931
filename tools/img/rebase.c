/* SPDX-License-Identifier: MIT */
/*
 * cairn-img rebase: gives an image another backing file. Safe: what would read otherwise is copied
 * into the image first; unsafe (-u): only the name changes, which the user answers for.
 */
#include "img/img.h"

#include <errno.h>
#include <string.h>

typedef struct RebaseArgs {
    ImgCommon common;
    const char *filename;
    const char *backing;        /* NULL or "": none */
    const char *backing_format;
    const char *cache, *source_cache;
    bool unsafe;
} RebaseArgs;

static ImgStep rebase_parse_options(Img *img, RebaseArgs *args, int argc, char **argv,
                                    GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "progress", required_argument, NULL, IMG_OPTION_PROGRESS },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":F:T:Ub:f:hpqt:u", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        switch (known ? 0 : c) {
        case 'F':
            args->backing_format = optarg;
            break;
        case 'T':
            args->source_cache = optarg;
            break;
        case 'b':
            args->backing = optarg;
            break;
        case 't':
            args->cache = optarg;
            break;
        case 'u':
            args->unsafe = true;
            break;
        }
    }
    return IMG_STEP_RUN;
}

static bool rebase_has_backing(const RebaseArgs *args)
{
    return args->backing && args->backing[0];
}

static bool rebase_check(Img *img, RebaseArgs *args, int argc, char **argv, GError **error)
{
    args->filename = img_one_filename(argc, argv, error);
    if (!args->filename) {
        return false;
    }
    if (!args->unsafe && !args->backing) {
        tool_usage_error(error, "Must specify backing file (-b) or use unsafe mode (-u)");
        return false;
    }
    if (!img_check_format_option(args->common.image_opts, args->common.format, error)) {
        return false;
    }
    if (args->backing_format && cairn_format_features(img->ctx, args->backing_format) < 0) {
        cairn_set_error(error, EINVAL, "Invalid format name: '%s'", args->backing_format);
        return false;
    }
    return true;
}

/* ---- opening ---- */

static BlockBackend *rebase_open_image(Img *img, const RebaseArgs *args, GError **error)
{
    int flags = BLK_O_RDWR | BLK_O_SHARE_WRITE;
    ToolImage image;

    if (!img_parse_target_cache(args->cache, &flags, error)) {
        return NULL;
    }
    flags |= args->unsafe ? BLK_O_NO_BACKING | BLK_O_NO_IO : 0;
    image = img_image(&args->common, args->filename, flags);
    image.flags &= ~BLK_O_FORCE_SHARE;  /* -U is about what is only read */
    return img_open(img, &image, error);
}

/* As a name in the image would be: relative to its folder. */
static char *rebase_backing_path(const RebaseArgs *args, BlockBackend *blk)
{
    g_autofree char *folder = g_path_get_dirname(blk_get_filename(blk));

    if (g_path_is_absolute(args->backing) || strchr(args->backing, ':') ||
        !strcmp(folder, ".")) {
        return g_strdup(args->backing);
    }
    return g_build_filename(folder, args->backing, NULL);
}

static BlockBackend *rebase_open_backing(Img *img, const RebaseArgs *args, BlockBackend *blk,
                                         GError **error)
{
    g_autofree char *path = rebase_backing_path(args, blk);
    ToolImage image = {
        .name = path, .format = args->backing_format,
        .flags = BLK_O_SHARE_WRITE | (args->common.force_share ? BLK_O_FORCE_SHARE : 0),
    };
    BlockBackend *backing;

    if (!img_parse_source_cache(args->source_cache, &image.flags, error)) {
        return NULL;
    }
    backing = tool_open_image(img->ctx, &image, error);
    if (!backing) {
        g_prefix_error(error, "Could not open new backing file '%s': ", args->backing);
    }
    return backing;
}

/* ---- the command ---- */

static bool rebase_on_progress(int64_t done, int64_t total, void *opaque)
{
    tool_progress_update(opaque, done, total);
    return true;
}

static bool rebase_run(const RebaseArgs *args, BlockBackend *blk, BlockBackend *backing,
                       GError **error)
{
    ToolProgress progress;
    BlockRebaseOptions options = {
        .backing_name = rebase_has_backing(args) ? args->backing : NULL,
        .backing_format = rebase_has_backing(args) ? args->backing_format : NULL,
        .change_name_only = args->unsafe,
        .progress = rebase_on_progress,
        .opaque = &progress,
    };
    bool ok;

    tool_progress_begin(&progress, args->common.progress, args->common.quiet);
    ok = block_rebase(blk, backing, &options, error);
    if (ok) {
        tool_progress_complete(&progress);
    } else {
        g_prefix_error(error, "Could not change the backing file to '%s': ",
                       args->backing ? args->backing : "");
    }
    tool_progress_end(&progress);
    return ok;
}

/* All that can be known to be wrong comes before the copying. */
static bool rebase_can(Img *img, const RebaseArgs *args, BlockBackend *blk, GError **error)
{
    const char *why = NULL;

    if (!(cairn_format_features(img->ctx, blk_get_format(blk)) & CAIRN_FORMAT_REBASE)) {
        why = "Operation not supported";
    } else if (rebase_has_backing(args) && !args->backing_format) {
        why = "backing format must be specified\n" IMG_NAME_BACKING_FORMAT;
    }
    if (why) {
        cairn_set_error(error, ENOTSUP, "Could not change the backing file to '%s': %s",
                        args->backing ? args->backing : "", why);
    }
    return !why;
}

int img_rebase(Img *img, int argc, char **argv, GError **error)
{
    RebaseArgs args = { 0 };
    ImgStep step = rebase_parse_options(img, &args, argc, argv, error);
    g_autoptr(BlockBackend) blk = NULL;
    g_autoptr(BlockBackend) backing = NULL;
    int ret;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    if (!rebase_check(img, &args, argc, argv, error)) {
        return 1;
    }
    blk = rebase_open_image(img, &args, error);
    if (!blk) {
        return 1;
    }
    if (!args.unsafe && rebase_has_backing(&args)) {
        backing = rebase_open_backing(img, &args, blk, error);
        if (!backing) {
            return 1;
        }
    }
    if (!rebase_can(img, &args, blk, error) || !img_sandbox_narrow(img, NULL, error) ||
        !rebase_run(&args, blk, backing, error)) {
        return 1;
    }
    ret = blk_close(blk);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "%s: error while flushing", args.filename);
    }
    return ret < 0;
}
