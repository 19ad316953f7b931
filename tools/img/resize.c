/* SPDX-License-Identifier: MIT */
/*
 * cairn-img resize: another length for an image. The new size is the last argument, whatever it
 * looks like: "-1G" is no option there.
 */
#include "img/img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct ResizeArgs {
    ImgCommon common;
    const char *filename;
    char sign;                  /* '+' or '-': relative; 0: the size itself */
    uint64_t number;            /* bytes */
    PreallocMode prealloc;
    bool shrink;
} ResizeArgs;

enum { RESIZE_OPTION_PREALLOC = IMG_OPTION_FIRST_FREE, RESIZE_OPTION_SHRINK };

static ImgStep resize_parse_options(Img *img, ResizeArgs *args, int argc, char **argv,
                                    GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "preallocation", required_argument, NULL, RESIZE_OPTION_PREALLOC },
        { "shrink", no_argument, NULL, RESIZE_OPTION_SHRINK },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":f:hq", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (c == RESIZE_OPTION_SHRINK) {
            args->shrink = true;
        } else if (c == RESIZE_OPTION_PREALLOC &&
                   !tool_parse_prealloc(optarg, &args->prealloc, error)) {
            return IMG_STEP_FAILED;
        }
    }
    return IMG_STEP_RUN;
}

static bool resize_parse_size(ResizeArgs *args, const char *text, GError **error)
{
    if (text[0] == '+' || text[0] == '-') {
        args->sign = *text++;
    }
    /* A second plus is the peer's. */
    return tool_parse_size_option("size", text + (args->sign == '+' && text[0] == '+'),
                                  &args->number, error);
}

static ImgStep resize_parse(Img *img, ResizeArgs *args, int argc, char **argv, GError **error)
{
    const char *size = argv[argc - 1];
    ImgStep step;

    if (argc == 2 && (!strcmp(size, "-h") || !strcmp(size, "--help"))) {
        img_print_help(img->ctx);
        return IMG_STEP_DONE;
    }
    if (argc < 3) {
        tool_usage_error(error, "Not enough arguments");
        return IMG_STEP_FAILED;
    }
    step = resize_parse_options(img, args, --argc, argv, error);
    if (step != IMG_STEP_RUN) {
        return step;
    }
    if (optind != argc - 1) {
        tool_usage_error(error, "Expecting image file name and size");
        return IMG_STEP_FAILED;
    }
    args->filename = argv[optind];
    if (!resize_parse_size(args, size, error)) {
        img_suggest_order(args->filename, size, error);
        return IMG_STEP_FAILED;
    }
    return img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

/* The size that is wanted of an image that has @length bytes. */
static bool resize_new_size(const ResizeArgs *args, int64_t length, int64_t *bytes,
                            GError **error)
{
    uint64_t base = args->sign ? length : 0;

    if (args->sign == '-') {
        *bytes = args->number < base ? (int64_t)(base - args->number) : 0;
    } else if (args->number > INT64_MAX - base) {
        cairn_set_error(error, EFBIG, "The new image size is too large: it must be at most %"
                        PRId64 " bytes", INT64_MAX);
        return false;
    } else {
        *bytes = base + args->number;
    }
    if (*bytes == 0) {
        cairn_set_error(error, EINVAL, "New image size must be positive");
        return false;
    }
    return true;
}

/* What is done only to who says that he knows. The second line is a warning of its own. */
static bool resize_check(const ResizeArgs *args, int64_t length, int64_t bytes, GError **error)
{
    if (bytes <= length && args->prealloc != PREALLOC_MODE_OFF) {
        cairn_set_error(error, EINVAL, "Preallocation can only be used for growing images");
        return false;
    }
    if (bytes < length && !args->shrink) {
        cairn_set_error(error, EINVAL, "Use the --shrink option to perform a shrink operation.\n"
                        "%s: warning: Shrinking an image will delete all data beyond the"
                        " shrunken image's end. Before performing such an operation, make sure"
                        " there is no important data there.", tool_prog());
        return false;
    }
    return true;
}

static bool resize_run(Img *img, const ResizeArgs *args, GError **error)
{
    ToolImage image = img_image(&args->common, args->filename,
                                BLK_O_RDWR | BLK_O_RESIZE | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) blk = img_open(img, &image, error);
    int64_t length, bytes;
    int ret;

    if (!blk || !img_sandbox_narrow(img, NULL, error)) {
        return false;
    }
    length = blk_getlength(blk);
    if (length < 0) {
        cairn_set_error_errno(error, (int)-length, "Could not get the length of '%s'",
                              args->filename);
        return false;
    }
    if (!resize_new_size(args, length, &bytes, error) ||
        !resize_check(args, length, bytes, error) ||
        !blk_truncate(blk, bytes, args->prealloc, error)) {
        return false;
    }
    ret = blk_close(blk);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not write '%s'", args->filename);
        return false;
    }
    if (!args->common.quiet) {
        printf("Image resized.\n");
    }
    return true;
}

int img_resize(Img *img, int argc, char **argv, GError **error)
{
    ResizeArgs args = { 0 };
    ImgStep step = resize_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    return resize_run(img, &args, error) ? 0 : 1;
}
