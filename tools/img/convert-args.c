/* SPDX-License-Identifier: MIT */
/*
 * The command line of cairn-img convert.
 */
#include "img/convert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CONVERT_OPTION_BITMAPS = IMG_OPTION_FIRST_FREE, CONVERT_OPTION_SALVAGE,
    CONVERT_OPTION_SKIP_BROKEN, CONVERT_OPTION_TARGET_IS_ZERO,
    CONVERT_OPTION_TARGET_IMAGE_OPTS,
};

void convert_args_clear(ConvertArgs *args)
{
    g_clear_pointer(&args->options, g_free);
}

const char *convert_target_format(const ConvertArgs *args)
{
    return args->target_format ? args->target_format : "raw";
}

static bool convert_parse_sparse(ConvertArgs *args, GError **error)
{
    int64_t size;

    if (!tool_parse_size("buffer size for sparse output", optarg, 0, INT64_MAX, &size, error)) {
        return false;
    }
    if (size % BDRV_SECTOR_SIZE || size > CONVERT_MAX_SPARSE) {
        cairn_set_error(error, EINVAL, "Invalid buffer size for sparse output specified. Valid"
                        " sizes are multiples of %d up to %d. Select 0 to disable sparse"
                        " detection (fully allocates output).", BDRV_SECTOR_SIZE,
                        CONVERT_MAX_SPARSE);
        return false;
    }
    args->sparse_size = size;
    return true;
}

static bool convert_parse_coroutines(ConvertArgs *args, GError **error)
{
    if (!tool_parse_int(optarg, 1, 16, &args->coroutines)) {
        cairn_set_error(error, EINVAL, "Invalid number of coroutines. Allowed number of"
                        " coroutines is between 1 and 16");
        return false;
    }
    return true;
}

/* Options that take a value with a meaning of its own. */
static bool convert_parse_value(ConvertArgs *args, int c, GError **error)
{
    switch (c) {
    case 'S':
        return convert_parse_sparse(args, error);
    case 'm':
        return convert_parse_coroutines(args, error);
    case 'r':
        return tool_parse_size("rate limit", optarg, 0, INT64_MAX, &args->rate, error);
    case 'o':
        return tool_options_append(&args->options, optarg, error);
    case 'l':
        args->snapshot = optarg;
        return img_check_snapshot_param(optarg, error);
    case 'B':
        args->backing = optarg;
        return true;
    case 'F':
        args->backing_format = optarg;
        return true;
    case 'O':
        args->target_format = optarg;
        return true;
    case 'T':
        args->source_cache = optarg;
        return true;
    case 't':
        args->cache = optarg;
        return true;
    }
    return true;
}

static void convert_parse_flag(ConvertArgs *args, int c)
{
    switch (c) {
    case 'C':
        args->copy_range = true;
        break;
    case 'W':
        args->out_of_order = true;
        break;
    case 'c':
        args->compressed = true;
        break;
    case 'n':
        args->no_create = true;
        break;
    case CONVERT_OPTION_BITMAPS:
        args->bitmaps = true;
        break;
    case CONVERT_OPTION_SALVAGE:
        args->salvage = true;
        break;
    case CONVERT_OPTION_SKIP_BROKEN:
        args->skip_broken_bitmaps = true;
        break;
    case CONVERT_OPTION_TARGET_IS_ZERO:
        args->target_is_zero = true;
        break;
    case CONVERT_OPTION_TARGET_IMAGE_OPTS:
        args->target_image_opts = true;
        break;
    }
}

static ImgStep convert_parse_options(Img *img, ConvertArgs *args, int argc, char **argv,
                                     GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "bitmaps", no_argument, NULL, CONVERT_OPTION_BITMAPS },
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "progress", required_argument, NULL, IMG_OPTION_PROGRESS },
        { "salvage", no_argument, NULL, CONVERT_OPTION_SALVAGE },
        { "skip-broken-bitmaps", no_argument, NULL, CONVERT_OPTION_SKIP_BROKEN },
        { "target-image-opts", no_argument, NULL, CONVERT_OPTION_TARGET_IMAGE_OPTS },
        { "target-is-zero", no_argument, NULL, CONVERT_OPTION_TARGET_IS_ZERO },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":B:CF:O:S:T:UWcf:hl:m:no:pqr:t:", options,
                            error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (!known && !convert_parse_value(args, c, error)) {
            return IMG_STEP_FAILED;
        }
        convert_parse_flag(args, known ? 0 : c);
    }
    return IMG_STEP_RUN;
}

/* The last name is the target's. With -o help alone there need not be any. */
static void convert_take_names(ConvertArgs *args, int argc, char **argv)
{
    int names = argc - optind;

    args->sources = argv + optind;
    args->source_count = names > 1 ? names - 1 : 0;
    args->target = names > 1 ? argv[argc - 1] : NULL;
}

static ImgStep convert_print_help(Img *img, const ConvertArgs *args, GError **error)
{
    g_autofree char *text = blk_create_help(img->ctx, convert_target_format(args), args->target,
                                            error);

    if (!text) {
        return IMG_STEP_FAILED;
    }
    fputs(text, stdout);
    return IMG_STEP_DONE;
}

/* Options that exclude each other. The order is that in which scripts see the messages. */
static const char *convert_conflict(const ConvertArgs *args)
{
    const struct {
        bool is_wrong;
        const char *message;
    } rules[] = {
        { args->no_create && args->options,
          "-o has no effect when skipping image creation" },
        { !args->no_create && args->target_is_zero,
          "--target-is-zero requires use of -n flag" },
        { !args->no_create && args->target_image_opts,
          "--target-image-opts requires use of -n flag" },
        { args->skip_broken_bitmaps && !args->bitmaps,
          "Use of --skip-broken-bitmaps requires --bitmaps" },
        { args->target_image_opts && args->target_format,
          "--image-opts and --format are mutually exclusive" },
        { args->common.image_opts && args->common.format,
          "--image-opts and --format are mutually exclusive" },
        { args->compressed && args->copy_range,
          "Cannot enable copy offloading when -c is used" },
        { args->sparse_size >= 0 && args->copy_range,
          "Cannot enable copy offloading when -S is used" },
        { args->salvage && args->copy_range,
          "Cannot use copy offloading in salvaging mode" },
        { !args->target, "Must specify image file name" },
        { args->source_count > 1 && args->backing, CONVERT_BACKING_OF_MANY },
        { args->source_count > 1 && args->bitmaps,
          "Copying bitmaps only possible with single source" },
        { args->source_count > 1 && args->snapshot,
          "No support for concatenating multiple snapshot" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (rules[i].is_wrong) {
            return rules[i].message;
        }
    }
    return NULL;
}

ImgStep convert_args_parse(Img *img, ConvertArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = convert_parse_options(img, args, argc, argv, error);
    const char *conflict;
    int flags = 0;

    if (step != IMG_STEP_RUN) {
        return step;
    }
    convert_take_names(args, argc, argv);
    if (tool_options_ask_help(args->options)) {
        return convert_print_help(img, args, error);
    }
    conflict = convert_conflict(args);
    if (conflict) {
        cairn_set_error(error, EINVAL, "%s", conflict);
        return IMG_STEP_FAILED;
    }
    return img_parse_source_cache(args->source_cache, &flags, error) &&
           img_parse_target_cache(args->cache, &flags, error) ? IMG_STEP_RUN : IMG_STEP_FAILED;
}
