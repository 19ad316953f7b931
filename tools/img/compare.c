/* SPDX-License-Identifier: MIT */
/*
 * cairn-img compare: whether two images read the same. The exit status tells scripts: 0 equal, 1
 * different, 2 the comparison could not start, 3 and 4 it could not go on. So a
 * wrong command line, too, is a 2.
 */
#include "img/img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    COMPARE_EXIT_EQUAL = 0, COMPARE_EXIT_DIFFERENT = 1, COMPARE_EXIT_NOT_STARTED = 2,
    COMPARE_EXIT_STATUS_ERROR = 3, COMPARE_EXIT_READ_ERROR = 4,
};

typedef struct CompareArgs {
    ImgCommon common;
    const char *second_format;
    const char *cache;
    const char *names[2];
    bool strict;
} CompareArgs;

static ImgStep compare_parse_options(Img *img, CompareArgs *args, int argc, char **argv,
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

    while ((c = tool_getopt(argc, argv, ":F:T:Uf:hpqs", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        switch (known ? 0 : c) {
        case 'F':
            args->second_format = optarg;
            break;
        case 'T':
            args->cache = optarg;
            break;
        case 's':
            args->strict = true;
            break;
        }
    }
    return IMG_STEP_RUN;
}

static bool compare_check_args(CompareArgs *args, int argc, char **argv, GError **error)
{
    if (argc - optind != 2) {
        tool_usage_error(error, "Expecting two image file names");
        return false;
    }
    args->names[0] = argv[optind];
    args->names[1] = argv[optind + 1];
    return img_check_format_option(args->common.image_opts,
                                   args->common.format ? args->common.format
                                                       : args->second_format, error);
}

static bool compare_open(Img *img, const CompareArgs *args, BlockBackend *blk[2],
                         GError **error)
{
    int flags = BLK_O_SHARE_WRITE;

    if (!img_parse_source_cache(args->cache, &flags, error)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        ToolImage image = img_image(&args->common, args->names[i], flags);

        image.format = i == 0 ? args->common.format : args->second_format;
        blk[i] = img_open(img, &image, error);
        if (!blk[i]) {
            return false;
        }
    }
    return true;
}

static bool compare_on_progress(int64_t done, int64_t total, void *opaque)
{
    tool_progress_update(opaque, done, total);
    return true;
}

/* The lenient comparison tells of unequal sizes once the part that both have has agreed. */
static void compare_print_size_warning(BlockBackend *blk[2], const BlockCompareResult *result)
{
    int64_t first = blk_getlength(blk[0]), second = blk_getlength(blk[1]);
    int64_t common = MIN(first, second);

    if (result->size_mismatch &&
        (result->verdict == BLOCK_COMPARE_IDENTICAL || result->offset >= common)) {
        printf("Warning: Image size mismatch!\n");
    }
}

static int compare_print_verdict(const BlockCompareResult *result, bool quiet)
{
    FILE *out = quiet ? NULL : stdout;

    switch (result->verdict) {
    case BLOCK_COMPARE_IDENTICAL:
        if (out) {
            fprintf(out, "Images are identical.\n");
        }
        return COMPARE_EXIT_EQUAL;
    case BLOCK_COMPARE_SIZE_DIFFERS:
        if (out) {
            fprintf(out, "Strict mode: Image size mismatch!\n");
        }
        return COMPARE_EXIT_DIFFERENT;
    case BLOCK_COMPARE_STATUS_DIFFERS:
        if (out) {
            fprintf(out, "Strict mode: Offset %" PRId64 " block status mismatch!\n",
                    result->offset);
        }
        return COMPARE_EXIT_DIFFERENT;
    default:
        if (out) {
            fprintf(out, "Content mismatch at offset %" PRId64 "!\n", result->offset);
        }
        return COMPARE_EXIT_DIFFERENT;
    }
}

static int compare_fail(const CompareArgs *args, const BlockCompareResult *result,
                        const GError *cause, GError **error)
{
    int err = cairn_error_errno(cause);
    const char *hint = strchr(cause->message, '\n');

    if (result->verdict == BLOCK_COMPARE_READ_ERROR) {
        cairn_set_error_errno(error, err, "Error while reading offset %" PRId64 " of %s",
                              result->offset, args->names[result->which]);
        if (hint) {
            cairn_error_append_hint(error, "%s", hint + 1);
        }
        return COMPARE_EXIT_READ_ERROR;
    }
    if (result->verdict == BLOCK_COMPARE_STATUS_ERROR) {
        cairn_set_error(error, err, "Sector allocation test failed for %s",
                        args->names[result->which]);
        return COMPARE_EXIT_STATUS_ERROR;
    }
    g_propagate_error(error, g_error_copy(cause));
    return COMPARE_EXIT_READ_ERROR;
}

static int compare_run(const CompareArgs *args, BlockBackend *blk[2], ToolProgress *progress,
                       GError **error)
{
    g_autoptr(GError) local = NULL;
    BlockCompareResult result = { 0 };
    BlockCompareOptions options = {
        .strict = args->strict,
        .progress = compare_on_progress,
        .opaque = progress,
    };

    if (!block_compare(blk[0], blk[1], &options, &result, &local)) {
        return compare_fail(args, &result, local, error);
    }
    if (!args->common.quiet && !args->strict) {
        compare_print_size_warning(blk, &result);
    }
    return compare_print_verdict(&result, args->common.quiet);
}

int img_compare(Img *img, int argc, char **argv, GError **error)
{
    CompareArgs args = { 0 };
    g_autoptr(BlockBackend) first = NULL;
    g_autoptr(BlockBackend) second = NULL;
    BlockBackend *blk[2] = { NULL, NULL };
    ImgStep step = compare_parse_options(img, &args, argc, argv, error);
    ToolProgress progress;
    int status = COMPARE_EXIT_NOT_STARTED;
    bool opened;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : COMPARE_EXIT_NOT_STARTED;
    }
    if (!compare_check_args(&args, argc, argv, error)) {
        return COMPARE_EXIT_NOT_STARTED;
    }
    tool_progress_prepare(&progress, args.common.progress, args.common.quiet);
    opened = compare_open(img, &args, blk, error) && img_sandbox_narrow(img, NULL, error);
    first = blk[0];
    second = blk[1];
    if (opened) {
        tool_progress_start(&progress);
        status = compare_run(&args, blk, &progress, error);
    }
    tool_progress_end(&progress);
    return status;
}
