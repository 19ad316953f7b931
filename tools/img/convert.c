/* SPDX-License-Identifier: MIT */
/*
 * cairn-img convert: copies one image, or several end to end, into another of any format.
 *
 * Order of work: command line, sources, what is known of the target, and only then the target
 * itself.
 */
#include "img/convert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct ConvertRun {
    const ConvertArgs *args;
    BlockBackend **sources;         /* source_count, NULL until opened */
    int64_t bytes;                  /* of all sources */
    ConvertTarget target;
    ToolProgress progress;
} ConvertRun;

static void convert_run_clear(ConvertRun *run)
{
    convert_target_clear(&run->target);
    for (int i = 0; i < run->args->source_count; i++) {
        g_clear_pointer(&run->sources[i], blk_unref);
    }
    g_free(run->sources);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ConvertRun, convert_run_clear)

static bool convert_open_source(Img *img, ConvertRun *run, int index, GError **error)
{
    const ConvertArgs *args = run->args;
    int flags = 0;
    int64_t length;
    ToolImage image;

    img_parse_source_cache(args->source_cache, &flags, NULL);
    image = img_image(&args->common, args->sources[index], flags);
    run->sources[index] = img_open(img, &image, error);
    if (!run->sources[index]) {
        return false;
    }
    length = blk_getlength(run->sources[index]);
    if (length < 0) {
        cairn_set_error_errno(error, -length, "Could not get size of %s", args->sources[index]);
        return false;
    }
    if (length > INT64_MAX - run->bytes) {
        cairn_set_error(error, EFBIG, "The sources together are too large");
        return false;
    }
    run->bytes += length;
    return true;
}

/* Sources have neither snapshots nor bitmaps in any format that is built in. */
static bool convert_check_source_features(const ConvertRun *run, GError **error)
{
    if (run->args->snapshot) {
        img_refuse_snapshot(run->sources[0], error);
        return false;
    }
    if (run->args->bitmaps) {
        cairn_set_error(error, ENOTSUP, "Source lacks bitmap support");
        return false;
    }
    return true;
}

static bool convert_open_sources(Img *img, ConvertRun *run, GError **error)
{
    for (int i = 0; i < run->args->source_count; i++) {
        if (!convert_open_source(img, run, i, error)) {
            return false;
        }
    }
    return convert_check_source_features(run, error);
}

/* In the words of the lock that would stop it. */
static void convert_set_is_source(const ConvertArgs *args, const char *path, GError **error)
{
    g_autofree char *where = args->no_create
        ? g_strdup_printf("Could not open '%s'", args->target)
        : g_strdup_printf("%s: error while converting %s", args->target,
                          convert_target_format(args));

    cairn_set_error(error, EAGAIN, "%s: Failed to get \"write\" lock\n"
                    "Is another process using the image [%s]?\n" IMG_TARGET_IS_SOURCE, where,
                    path);
}

/* With -n the sources' backing files may be written to: what is read of them is what is written. */
static bool convert_check_not_source(const ConvertRun *run, GError **error)
{
    const ConvertArgs *args = run->args;
    const char *target = args->target;

    for (int i = 0; !args->target_image_opts && i < args->source_count; i++) {
        if (blk_reads_from(run->sources[i], target, !args->no_create)) {
            target += g_str_has_prefix(target, "file:") ? strlen("file:") : 0;
            convert_set_is_source(args, target, error);
            return false;
        }
    }
    return true;
}

static void convert_warn(const ConvertRun *run)
{
    for (int i = 0; !run->args->common.quiet && i < run->args->source_count; i++) {
        img_warn_of_padding(run->sources[i], run->args->sources[i]);
    }
}

static bool convert_on_progress(int64_t done, int64_t total, void *opaque)
{
    ConvertRun *run = opaque;

    tool_progress_update(&run->progress, done, total);
    return true;
}

static void convert_on_read_error(int64_t offset, int err, void *opaque)
{
    const ConvertRun *run = opaque;

    if (!run->args->common.quiet) {
        tool_warn("error while reading offset %" PRId64 ": %s", offset,
                  g_strerror(err < 0 ? -err : err));
    }
}

static bool convert_copy(ConvertRun *run, GError **error)
{
    const ConvertArgs *args = run->args;
    BlockConvertOptions options = {
        .sparse_size = args->sparse_size < 0 ? CONVERT_DEFAULT_SPARSE : args->sparse_size,
        .coroutines = args->coroutines,
        .rate_limit = args->rate,
        .out_of_order = args->out_of_order,
        .compressed = args->compressed,
        .copy_offload = args->copy_range,
        .target_is_new = run->target.create != NULL,
        .target_is_zero = args->target_is_zero,
        .skip_backing = run->target.backing != NULL,
        .salvage = args->salvage,
        .on_read_error = convert_on_read_error,
        .progress = convert_on_progress,
        .opaque = run,
    };

    return block_convert(run->sources, args->source_count, run->target.blk, &options, error) &&
           convert_target_finish(args, &run->target, error);
}

static bool convert_run(Img *img, ConvertRun *run, GError **error)
{
    if (!convert_open_sources(img, run, error) ||
        !convert_target_prepare(img, run->args, run->bytes, &run->target, error) ||
        !convert_check_not_source(run, error)) {
        return false;
    }
    convert_warn(run);
    if (!convert_target_open(img, run->args, run->bytes, &run->target, error) ||
        !img_stage_narrow(&run->target.stage, img, error) ||
        !convert_copy(run, error)) {
        img_stage_explain(&run->target.stage, error);
        return false;
    }
    tool_progress_complete(&run->progress);
    return true;
}

int img_convert(Img *img, int argc, char **argv, GError **error)
{
    g_auto(ConvertArgs) args = { .sparse_size = -1 };
    ImgStep step = convert_args_parse(img, &args, argc, argv, error);
    bool ok;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }

    g_auto(ConvertRun) run = {
        .args = &args,
        .sources = g_new0(BlockBackend *, args.source_count),
        .target.stage.fd = -1,
    };

    tool_progress_begin(&run.progress, args.common.progress, args.common.quiet);
    ok = convert_run(img, &run, error);
    tool_progress_end(&run.progress);
    return ok ? 0 : 1;
}
