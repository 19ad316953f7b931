/* SPDX-License-Identifier: MIT */
/*
 * cairn-img bitmap: persistent dirty bitmaps of an image. No format that is built in keeps any, so
 * an action finds no bitmap, or no place for a new one; command line and files are checked as if
 * there were some.
 */
#include "img/img.h"

#include <errno.h>

#define BITMAP_MIN_GRANULARITY 512
#define BITMAP_MAX_GRANULARITY (1u << 31)

enum {
    BITMAP_OPTION_ADD = IMG_OPTION_FIRST_FREE, BITMAP_OPTION_REMOVE, BITMAP_OPTION_CLEAR,
    BITMAP_OPTION_ENABLE, BITMAP_OPTION_DISABLE, BITMAP_OPTION_MERGE,
};

typedef struct BitmapArgs {
    ImgCommon common;
    const char *filename, *bitmap;
    const char *source, *source_format;     /* of -b and -F */
    int64_t granularity;                    /* bytes; 0: not given */
    int first;                              /* BITMAP_OPTION_* that is done first; 0: none */
    bool has_add, has_merge;
} BitmapArgs;

static const char *bitmap_action_name(int action)
{
    static const char *const names[] = { "add", "remove", "clear", "enable", "disable", "merge" };

    return names[action - BITMAP_OPTION_ADD];
}

static bool bitmap_parse_value(BitmapArgs *args, int c, GError **error)
{
    switch (c) {
    case 'F':
        args->source_format = optarg;
        return true;
    case 'b':
        args->source = optarg;
        return true;
    case 'g':
        return tool_parse_size("granularity", optarg, 0, INT64_MAX, &args->granularity, error);
    }
    args->first = args->first ? args->first : c;
    args->has_add |= c == BITMAP_OPTION_ADD;
    args->has_merge |= c == BITMAP_OPTION_MERGE;
    return true;
}

static ImgStep bitmap_parse_options(Img *img, BitmapArgs *args, int argc, char **argv,
                                    GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "add", no_argument, NULL, BITMAP_OPTION_ADD },
        { "clear", no_argument, NULL, BITMAP_OPTION_CLEAR },
        { "disable", no_argument, NULL, BITMAP_OPTION_DISABLE },
        { "enable", no_argument, NULL, BITMAP_OPTION_ENABLE },
        { "granularity", required_argument, NULL, 'g' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "merge", required_argument, NULL, BITMAP_OPTION_MERGE },
        { "remove", no_argument, NULL, BITMAP_OPTION_REMOVE },
        { "source-file", required_argument, NULL, 'b' },
        { "source-format", required_argument, NULL, 'F' },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":F:b:f:g:h", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (!known && !bitmap_parse_value(args, c, error)) {
            return IMG_STEP_FAILED;
        }
    }
    return IMG_STEP_RUN;
}

/*
 * What is wrong with the arguments together, or NULL. The order is that in which scripts see the
 * messages.
 */
static const char *bitmap_conflict(const BitmapArgs *args, int names)
{
    if (!args->first) {
        return "Need at least one of --add, --remove, --clear, --enable, --disable, or --merge";
    }
    if (args->granularity && !args->has_add) {
        return "granularity only supported with --add";
    }
    if (args->source_format && !args->source) {
        return "-F only supported with -b";
    }
    if (args->source && !args->has_merge) {
        return "Merge bitmap source file only supported with --merge";
    }
    return names != 2 ? "Expecting filename and bitmap name" : NULL;
}

static ImgStep bitmap_parse(Img *img, BitmapArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = bitmap_parse_options(img, args, argc, argv, error);
    const char *conflict;

    if (step != IMG_STEP_RUN) {
        return step;
    }
    conflict = bitmap_conflict(args, argc - optind);
    if (conflict) {
        cairn_set_error(error, EINVAL, "%s", conflict);
        return IMG_STEP_FAILED;
    }
    args->filename = argv[optind];
    args->bitmap = argv[optind + 1];
    return img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

/*
 * Why a new bitmap cannot be: by its own faults first. A name that was made up says nothing to
 * anybody.
 */
static void bitmap_refuse_add(const BitmapArgs *args, BlockBackend *blk, GError **error)
{
    const char *node = blk_get_node_name(blk);
    int64_t granularity = args->granularity ? args->granularity : 65536;

    if (!args->bitmap[0]) {
        cairn_set_error(error, EINVAL, "Bitmap name cannot be empty");
    } else if (granularity < BITMAP_MIN_GRANULARITY || granularity > BITMAP_MAX_GRANULARITY ||
               (granularity & (granularity - 1))) {
        cairn_set_error(error, EINVAL, "Granularity must be power of 2 and at least 512");
    } else {
        cairn_set_error_errno(error, EOPNOTSUPP, "Can't store persistent bitmaps to %s",
                              node[0] == '#' ? args->filename : node);
    }
}

static bool bitmap_run(Img *img, const BitmapArgs *args, GError **error)
{
    ToolImage image = img_image(&args->common, args->filename,
                                BLK_O_RDWR | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE);
    ToolImage source = {
        .name = args->source, .format = args->source_format,
        .flags = BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE,
    };
    g_autoptr(BlockBackend) blk = img_open(img, &image, error);
    g_autoptr(BlockBackend) from = NULL;

    if (!blk) {
        return false;
    }
    from = args->source ? img_open(img, &source, error) : NULL;
    if (args->source && !from) {
        return false;
    }
    if (args->first == BITMAP_OPTION_ADD) {
        bitmap_refuse_add(args, blk, error);
    } else {
        cairn_set_error(error, ENOENT, "Dirty bitmap '%s' not found", args->bitmap);
    }
    g_prefix_error(error, "Operation %s on bitmap %s failed: ", bitmap_action_name(args->first),
                   args->bitmap);
    return false;
}

int img_bitmap(Img *img, int argc, char **argv, GError **error)
{
    BitmapArgs args = { 0 };
    ImgStep step = bitmap_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    return bitmap_run(img, &args, error) ? 0 : 1;
}
