/* SPDX-License-Identifier: MIT */
/*
 * cairn-img check: whether an image's tables are sound, and on request their repair. After a
 * repair the image is checked again, and the second check decides the exit status.
 */
#include "img/img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Exit statuses beside 0 and 1. */
enum { CHECK_EXIT_CORRUPT = 2, CHECK_EXIT_LEAKS = 3, CHECK_EXIT_UNSUPPORTED = 63 };

typedef struct CheckArgs {
    ImgCommon common;
    const char *filename;
    const char *cache;
    BlockCheckFix fix;
} CheckArgs;

static bool check_parse_fix(CheckArgs *args, GError **error)
{
    if (!strcmp(optarg, "leaks")) {
        args->fix = BLOCK_CHECK_FIX_LEAKS;
    } else if (!strcmp(optarg, "all")) {
        args->fix = BLOCK_CHECK_FIX_LEAKS | BLOCK_CHECK_FIX_ERRORS;
    } else {
        tool_usage_error(error, "Unknown option value for -r (expecting 'leaks' or 'all'): %s",
                         optarg);
        return false;
    }
    return true;
}

static ImgStep check_parse(Img *img, CheckArgs *args, int argc, char **argv, GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "output", required_argument, NULL, IMG_OPTION_OUTPUT },
        { "repair", required_argument, NULL, 'r' },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":T:Uf:hqr:", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (c == 'T') {
            args->cache = optarg;
        } else if (c == 'r' && !check_parse_fix(args, error)) {
            return IMG_STEP_FAILED;
        }
    }
    args->filename = img_one_filename(argc, argv, error);
    return args->filename && img_check_output(&args->common, error) &&
           img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

/* Findings go to stderr, so that stdout stays the summary that scripts read. */
static void check_print_finding(const char *message, void *opaque)
{
    fprintf(stderr, "%s\n", message);
}

static void check_put_count(QDict *dict, const char *key, int64_t count)
{
    if (count) {
        qdict_put_int(dict, key, count);
    }
}

static void check_print_json(const CheckArgs *args, BlockBackend *blk,
                             const BlockCheckResult *r)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autofree char *text = NULL;

    check_put_count(dict, "image-end-offset", r->image_end_offset);
    check_put_count(dict, "total-clusters", r->total_clusters);
    check_put_count(dict, "corruptions", r->corruptions);
    check_put_count(dict, "corruptions-fixed", r->corruptions_fixed);
    qdict_put_int(dict, "check-errors", r->check_errors);
    check_put_count(dict, "leaks", r->leaks);
    check_put_count(dict, "leaks-fixed", r->leaks_fixed);
    check_put_count(dict, "allocated-clusters", r->allocated_clusters);
    qdict_put_str(dict, "filename", args->filename);
    qdict_put_str(dict, "format", blk_get_format(blk));
    check_put_count(dict, "fragmented-clusters", r->fragmented_clusters);
    check_put_count(dict, "compressed-clusters", r->compressed_clusters);
    text = qobject_to_json(QOBJECT(dict), true);
    puts(text);
}

static void check_print_findings(const BlockCheckResult *r)
{
    if (!r->corruptions && !r->leaks && !r->check_errors) {
        printf("No errors were found on the image.\n");
    }
    if (r->corruptions) {
        printf("\n%" PRId64 " errors were found on the image.\n"
               "Data may be corrupted, or further writes to the image may corrupt it.\n",
               r->corruptions);
    }
    if (r->leaks) {
        printf("\n%" PRId64 " leaked clusters were found on the image.\n"
               "This means waste of disk space, but no harm to data.\n", r->leaks);
    }
    if (r->check_errors) {
        printf("\n%" PRId64 " internal errors have occurred during the check.\n",
               r->check_errors);
    }
}

static void check_print_human(const BlockCheckResult *r)
{
    check_print_findings(r);
    if (r->total_clusters > 0 && r->allocated_clusters > 0) {
        printf("%" PRId64 "/%" PRId64 " = %.2f%% allocated, %.2f%% fragmented, "
               "%.2f%% compressed clusters\n", r->allocated_clusters, r->total_clusters,
               r->allocated_clusters * 100.0 / r->total_clusters,
               r->fragmented_clusters * 100.0 / r->allocated_clusters,
               r->compressed_clusters * 100.0 / r->allocated_clusters);
    }
    if (r->image_end_offset > 0) {
        printf("Image end offset: %" PRId64 "\n", r->image_end_offset);
    }
}

static int check_status(const BlockCheckResult *r)
{
    if (r->check_errors) {
        return 1;
    }
    if (r->corruptions) {
        return CHECK_EXIT_CORRUPT;
    }
    return r->leaks ? CHECK_EXIT_LEAKS : 0;
}

/* Counts of the repair stay; everything else is that of the second check. */
static bool check_again(const CheckArgs *args, BlockBackend *blk, BlockCheckResult *result,
                        GError **error)
{
    BlockCheckResult again = { .report = result->report };

    if (!args->common.is_json && !args->common.quiet) {
        printf("The following inconsistencies were found and repaired:\n\n"
               "    %" PRId64 " leaked clusters\n    %" PRId64 " corruptions\n\n"
               "Double checking the fixed image now...\n",
               result->leaks_fixed, result->corruptions_fixed);
        fflush(stdout);
    }
    if (!blk_check(blk, &again, BLOCK_CHECK_FIX_NONE, error)) {
        return false;
    }
    again.leaks_fixed = result->leaks_fixed;
    again.corruptions_fixed = result->corruptions_fixed;
    *result = again;
    return true;
}

static int check_run(const CheckArgs *args, BlockBackend *blk, GError **error)
{
    BlockCheckResult result = { .report = check_print_finding };

    if (!(cairn_format_features(blk_get_context(blk), blk_get_format(blk)) &
          CAIRN_FORMAT_CHECK)) {
        cairn_set_error(error, ENOTSUP, "This image format does not support checks");
        return CHECK_EXIT_UNSUPPORTED;
    }
    if (!blk_check(blk, &result, args->fix, error)) {
        g_prefix_error(error, "Check failed: ");
        return 1;
    }
    if ((result.leaks_fixed || result.corruptions_fixed) &&
        !check_again(args, blk, &result, error)) {
        g_prefix_error(error, "Check failed: ");
        return 1;
    }
    if (args->common.is_json) {
        check_print_json(args, blk, &result);
    } else if (!args->common.quiet) {
        check_print_human(&result);
    }
    return check_status(&result);
}

int img_check(Img *img, int argc, char **argv, GError **error)
{
    CheckArgs args = { 0 };
    ImgStep step = check_parse(img, &args, argc, argv, error);
    g_autoptr(BlockBackend) blk = NULL;
    int flags = BLK_O_SHARE_WRITE;
    ToolImage image;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    if (!img_parse_source_cache(args.cache, &flags, error)) {
        return 1;
    }
    flags |= args.fix ? BLK_O_RDWR | BLK_O_RESIZE : 0;
    image = img_image(&args.common, args.filename, flags);
    blk = img_open(img, &image, error);
    return blk && img_sandbox_narrow(img, NULL, error) ? check_run(&args, blk, error) : 1;
}
