/* SPDX-License-Identifier: MIT */
/*
 * cairn-img compact: the same image without leaks and holes, clusters in the guest's order; in place
 * or as a new file.
 *
 * 1. In place, too, the image is made as a new file, which takes the old one's name when it is whole
 *    (stage.h). The old one stays open and locked until then.
 * 2. Nothing is decoded: compressed and encrypted clusters are copied as they are.
 */
#include "img/stage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct CompactArgs {
    ImgCommon common;
    const char *filename;
    const char *target;         /* filename: in place */
} CompactArgs;

typedef struct CompactRun {
    const CompactArgs *args;
    BlockBackend *source;
    ImgStage stage;
    ToolProgress progress;
    int64_t before;             /* bytes of the host's disk */
} CompactRun;

static void compact_run_clear(CompactRun *run)
{
    img_stage_clear(&run->stage);
    g_clear_pointer(&run->source, blk_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CompactRun, compact_run_clear)

static ImgStep compact_parse(Img *img, CompactArgs *args, int argc, char **argv, GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "progress", required_argument, NULL, IMG_OPTION_PROGRESS },
        { NULL },
    };
    ImgStep step = IMG_STEP_RUN;
    bool known;
    int c;

    while (step == IMG_STEP_RUN && (c = tool_getopt(argc, argv, ":f:hpq", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
    }
    if (step != IMG_STEP_RUN) {
        return step;
    }
    if (argc - optind < 1 || argc - optind > 2) {
        tool_usage_error(error, "Expecting the image's file name, and perhaps one for the result");
        return IMG_STEP_FAILED;
    }
    args->filename = argv[optind];
    args->target = argv[argc - 1];
    return IMG_STEP_RUN;
}

/* ---- the image -------------------------------------------------------------------- */

static int64_t compact_size(BlockBackend *blk)
{
    g_autoptr(QDict) info = blk_get_image_info(blk, NULL);

    return info ? qdict_get_try_int(info, "actual-size", 0) : 0;
}

static bool compact_open(Img *img, CompactRun *run, GError **error)
{
    const CompactArgs *args = run->args;
    ToolImage image = img_image(&args->common, args->filename, BLK_O_NO_IO | BLK_O_NO_BACKING);
    const char *format;

    run->source = img_open(img, &image, error);
    if (!run->source) {
        return false;
    }
    format = blk_get_format(run->source);
    if (!(cairn_format_features(img->ctx, format) & CAIRN_FORMAT_COMPACT)) {
        cairn_set_error(error, ENOTSUP, "Images of format '%s' cannot be compacted", format);
        return false;
    }
    run->before = compact_size(run->source);
    return true;
}

/* Names found in images are relative to the image's folder, which must not change. */
static void compact_warn_of_folder(const CompactRun *run)
{
    g_autoptr(QDict) info = blk_get_image_info(run->source, NULL);
    const char *name = info ? qdict_get_try_str(info, "backing-filename") : NULL;
    g_autofree char *from = g_path_get_dirname(run->args->filename);
    g_autofree char *to = g_path_get_dirname(run->args->target);
    g_autofree char *real_from = g_canonicalize_filename(from, NULL);
    g_autofree char *real_to = g_canonicalize_filename(to, NULL);

    if (name && !g_path_is_absolute(name) && strcmp(real_from, real_to)) {
        tool_warn("the backing file '%s' is looked for beside the new image, too: move it, or name"
                  " it anew by rebase -u", name);
    }
}

/* ---- the work ----------------------------------------------------------------------- */

static bool compact_on_progress(int64_t done, int64_t total, void *opaque)
{
    tool_progress_update(opaque, done, total);
    return true;
}

/*
 * The old file is chosen for replacing while nobody has it open, we included; then it is opened
 * again, and its locks keep writers out.
 */
static bool compact_begin(Img *img, CompactRun *run, GError **error)
{
    bool in_place = !strcmp(run->args->target, run->args->filename);

    if (in_place) {
        g_clear_pointer(&run->source, blk_unref);
    }
    if (!in_place && blk_reads_from(run->source, run->args->target, true)) {
        cairn_set_error(error, EINVAL, "'%s' is part of '%s'\nWithout a second name, an image is "
                        "compacted in place.", run->args->target, run->args->filename);
        return false;
    }
    if (!img_stage_begin(&run->stage, img, run->args->target, error)) {
        g_prefix_error(error, "%s: ", run->args->target);
        return false;
    }
    if (!in_place) {
        return true;
    }
    if (run->stage.kind != IMG_STAGE_BESIDE) {
        cairn_set_error(error, EBUSY, "'%s' cannot be replaced by a new file\nIt has several links, "
                        "is in use, or cannot be given its owner. Name another file for the "
                        "result.", run->args->filename);
        return false;
    }
    img_stage_release(&run->stage);
    return compact_open(img, run, error);
}

static bool compact_make(CompactRun *run, GError **error)
{
    BlockCompactProgress progress = { .func = compact_on_progress, .opaque = &run->progress };

    img_stage_created(&run->stage);
    if (!blk_compact(run->source, run->stage.path, &progress, error)) {
        g_prefix_error(error, "%s: ", run->args->filename);
        return false;
    }
    return img_stage_commit(&run->stage, true, error);
}

static void compact_print_result(Img *img, const CompactRun *run)
{
    ToolImage image = img_image(&run->args->common, run->args->target,
                                BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) blk = tool_open_image(img->ctx, &image, NULL);
    g_autofree char *before = cairn_format_size(run->before);
    g_autofree char *after = cairn_format_size(blk ? compact_size(blk) : 0);

    if (!run->args->common.quiet) {
        printf("Image compacted: %s before, %s now.\n", before, after);
    }
}

static bool compact_run(Img *img, CompactRun *run, GError **error)
{
    bool ok = compact_open(img, run, error);

    if (!ok) {
        return false;
    }
    compact_warn_of_folder(run);
    tool_progress_begin(&run->progress, run->args->common.progress, run->args->common.quiet);
    ok = compact_begin(img, run, error) && img_stage_narrow(&run->stage, img, error) &&
         compact_make(run, error);
    if (ok) {
        tool_progress_complete(&run->progress);
    } else {
        img_stage_explain(&run->stage, error);
    }
    tool_progress_end(&run->progress);
    return ok;
}

int img_compact(Img *img, int argc, char **argv, GError **error)
{
    CompactArgs args = { 0 };
    ImgStep step = compact_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }

    g_auto(CompactRun) run = { .args = &args, .stage.fd = -1 };

    if (!compact_run(img, &run, error)) {
        return 1;
    }
    compact_print_result(img, &run);
    return 0;
}
