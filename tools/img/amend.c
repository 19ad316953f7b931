/* SPDX-License-Identifier: MIT */
/*
 * cairn-img amend: changes the creation options of an image that there is. No format that is built
 * in can do that; the command line and the image are checked as if one could.
 */
#include "img/img.h"

#include <errno.h>
#include <stdio.h>

typedef struct AmendArgs {
    ImgCommon common;
    const char *filename;
    const char *cache;
    char *options;              /* of all -o */
} AmendArgs;

static void amend_args_clear(AmendArgs *args)
{
    g_free(args->options);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AmendArgs, amend_args_clear)

static ImgStep amend_parse_options(Img *img, AmendArgs *args, int argc, char **argv,
                                   GError **error)
{
    enum { AMEND_OPTION_FORCE = IMG_OPTION_FIRST_FREE };
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force", no_argument, NULL, AMEND_OPTION_FORCE },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":f:ho:pqt:", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (c == 't') {
            args->cache = optarg;
        } else if (c == 'o' && !tool_options_append(&args->options, optarg, error)) {
            return IMG_STEP_FAILED;
        }
    }
    return IMG_STEP_RUN;
}

static ImgStep amend_parse(Img *img, AmendArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = amend_parse_options(img, args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step;
    }
    if (!args->options) {
        tool_usage_error(error, "Must specify options (-o)");
        return IMG_STEP_FAILED;
    }
    args->filename = optind == argc - 1 ? argv[optind] : NULL;
    return IMG_STEP_RUN;
}

static bool amend_refuse(const char *format, GError **error)
{
    cairn_set_error(error, ENOTSUP, "Format driver '%s' does not support option amendment",
                    format);
    return false;
}

/* Help needs no image where the format is named. */
static bool amend_refuse_help(Img *img, const AmendArgs *args, GError **error)
{
    if (cairn_format_features(img->ctx, args->common.format) < 0) {
        cairn_set_error(error, EINVAL, "Unknown file format '%s'", args->common.format);
        cairn_suggest_format(img->ctx, args->common.format, error);
        return false;
    }
    return amend_refuse(args->common.format, error);
}

static bool amend_run(Img *img, const AmendArgs *args, GError **error)
{
    int flags = BLK_O_RDWR | BLK_O_RESIZE | BLK_O_SHARE_WRITE;
    g_autoptr(BlockBackend) blk = NULL;
    ToolImage image;

    if (args->common.format && tool_options_ask_help(args->options)) {
        return amend_refuse_help(img, args, error);
    }
    if (!args->filename) {
        cairn_set_error(error, EINVAL, "Expecting one image file name");
        return false;
    }
    if (!img_check_format_option(args->common.image_opts, args->common.format, error) ||
        !img_parse_target_cache(args->cache, &flags, error)) {
        return false;
    }
    image = img_image(&args->common, args->filename, flags);
    blk = img_open(img, &image, error);
    return blk && amend_refuse(blk_get_format(blk), error);
}

int img_amend(Img *img, int argc, char **argv, GError **error)
{
    g_auto(AmendArgs) args = { 0 };
    ImgStep step = amend_parse(img, &args, argc, argv, error);
    bool ok;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    ok = amend_run(img, &args, error);
    if (args.common.progress == TOOL_PROGRESS_TEXT && !args.common.quiet) {
        putchar('\n');          /* the end of a line of progress that never came */
    }
    return ok ? 0 : 1;
}
