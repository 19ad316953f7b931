/* SPDX-License-Identifier: MIT */
/*
 * cairn-img convert: copies one image, or several end to end, into another of any format.
 *
 * Order of work: command line, sources, what is known of the target, and only then the target itself.
 */
#include "img/convert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static bool convert_is_same_file(const char *name, const struct stat *target)
{
    struct stat st;

    if (g_str_has_prefix(name, "file:")) {
        name += strlen("file:");
    }
    return stat(name, &st) == 0 && st.st_dev == target->st_dev && st.st_ino == target->st_ino;
}

/*
 * Whether writing to @target would change a file that @source reads from. With -n its backing files may be written
 * to: what is read of them is what is written.
 */
static bool convert_reads_from(Img *img, const ConvertArgs *args, BlockBackend *source,
                               const struct stat *target)
{
    int flags = BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_FORCE_SHARE | BLK_O_PROBE;
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(QList) chain = NULL;

    if (convert_is_same_file(blk_get_filename(source), target)) {
        return true;
    }
    if (args->no_create || !blk_has_backing(source)) {
        return false;
    }
    qdict_put_str(options, "driver", blk_get_format(source));
    chain = cairn_image_info(img->ctx, blk_get_filename(source), options, flags, true, NULL);
    for (size_t i = 0; chain && i < qlist_size(chain); i++) {
        const QDict *info = qobject_to_qdict(qlist_at(chain, i));

        if (convert_is_same_file(qdict_get_try_str(info, "filename"), target)) {
            return true;
        }
    }
    return false;
}

/* In the words of the lock that would stop it. */
static void convert_set_is_source(const ConvertArgs *args, const char *path, GError **error)
{
    g_autofree char *where = args->no_create
        ? g_strdup_printf("Could not open '%s'", args->target)
        : g_strdup_printf("%s: error while converting %s", args->target,
                          convert_target_format(args));

    cairn_set_error(error, EAGAIN, "%s: Failed to get \"write\" lock\n"
                    "Is another process using the image [%s]?", where, path);
}

/* Locks stop this only where both sides take them; a truncated source is too dear to rely on that. */
static bool convert_check_not_source(Img *img, const ConvertRun *run, GError **error)
{
    const ConvertArgs *args = run->args;
    const char *path = args->target;
    struct stat target;

    if (g_str_has_prefix(path, "file:")) {
        path += strlen("file:");
    }
    if (args->target_image_opts || stat(path, &target) < 0 || S_ISCHR(target.st_mode)) {
        return true;
    }
    for (int i = 0; i < args->source_count; i++) {
        if (convert_reads_from(img, args, run->sources[i], &target)) {
            convert_set_is_source(args, path, error);
            return false;
        }
    }
    return true;
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
    int ret;

    if (!block_convert(run->sources, args->source_count, run->target.blk, &options, error)) {
        return false;
    }
    ret = blk_close(run->target.blk);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "%s: error while flushing", args->target);
        return false;
    }
    tool_progress_complete(&run->progress);
    return true;
}

static bool convert_run(Img *img, ConvertRun *run, GError **error)
{
    return convert_open_sources(img, run, error) &&
           convert_target_prepare(img, run->args, run->bytes, &run->target, error) &&
           convert_check_not_source(img, run, error) &&
           convert_target_open(img, run->args, run->bytes, &run->target, error) &&
           convert_copy(run, error);
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
    };

    tool_progress_begin(&run.progress, args.common.progress, args.common.quiet);
    ok = convert_run(img, &run, error);
    tool_progress_end(&run.progress);
    return ok ? 0 : 1;
}
