/* SPDX-License-Identifier: MIT */
/*
 * cairn-img dd: copies a part of one image into a new one. What is copied counts in blocks, how it
 * is copied does not: the buffer has a size of its own.
 *
 * 1. Nothing is touched before all of the command line and the source are known to be right.
 * 2. The output gets its name when it is whole (stage.h).
 */
#include "img/stage.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DD_BUFFER_BYTES (2 << 20)
#define DD_DEFAULT_BLOCK 512
#define DD_OPERANDS "Operands: if=INPUT of=OUTPUT [bs=N] [count=N] [skip=N]"

typedef struct DdArgs {
    ImgCommon common;
    const char *target_format;
    const char *input, *output;
    int64_t block;              /* bytes */
    int64_t count;              /* blocks; -1: all */
    int64_t skip;               /* blocks */
} DdArgs;

typedef struct DdRun {
    const DdArgs *args;
    BlockBackend *source;
    int64_t offset, bytes;      /* what is copied of it */
    ImgStage stage;
    BlockBackend *target;
    ToolProgress progress;      /* only told when a signal asks */
} DdRun;

static void dd_run_clear(DdRun *run)
{
    g_clear_pointer(&run->target, blk_unref);
    img_stage_clear(&run->stage);
    g_clear_pointer(&run->source, blk_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DdRun, dd_run_clear)

/* ---- the command line ------------------------------------------------------------ */

static ImgStep dd_parse_options(Img *img, DdArgs *args, int argc, char **argv, GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":O:Uf:h", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (c == 'O') {
            args->target_format = optarg;
        }
    }
    return IMG_STEP_RUN;
}

static bool dd_refuse_operand(const char *name, GError **error)
{
    static const char *const known[] = { "bs", "count", "if", "of", "skip", NULL };

    cairn_set_error(error, EINVAL, "unrecognized operand %s\n" DD_OPERANDS, name);
    cairn_error_append_nearest(error, name, known);
    return false;
}

static bool dd_parse_operand(DdArgs *args, const char *word, GError **error)
{
    const char *value = strchr(word, '=');
    g_autofree char *name = g_strndup(word, strcspn(word, "="));

    if (!value++) {
        return dd_refuse_operand(name, error);
    }
    if (!strcmp(name, "if")) {
        args->input = value;
    } else if (!strcmp(name, "of")) {
        args->output = value;
    } else if (!strcmp(name, "bs")) {
        return tool_parse_size("bs", value, 1, INT_MAX, &args->block, error);
    } else if (!strcmp(name, "count")) {
        return tool_parse_size("count", value, 0, INT64_MAX, &args->count, error);
    } else if (!strcmp(name, "skip")) {
        return tool_parse_size("skip", value, 0, INT64_MAX, &args->skip, error);
    } else {
        return dd_refuse_operand(name, error);
    }
    return true;
}

static ImgStep dd_parse(Img *img, DdArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = dd_parse_options(img, args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step;
    }
    for (; optind < argc; optind++) {
        if (!dd_parse_operand(args, argv[optind], error)) {
            return IMG_STEP_FAILED;
        }
    }
    if (!args->input || !args->output) {
        cairn_set_error(error, EINVAL, "Must specify both input and output files\n"
                        DD_OPERANDS);
        return IMG_STEP_FAILED;
    }
    return img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

static bool dd_check_format(Img *img, const DdArgs *args, GError **error)
{
    if (cairn_format_features(img->ctx, args->target_format) < 0) {
        cairn_set_error(error, EINVAL, "Unknown file format");
        cairn_suggest_format(img->ctx, args->target_format, error);
        return false;
    }
    return true;
}

/* ---- what is copied ----------------------------------------------------------------- */

/* Blocks are counted from the skipped ones on. */
static bool dd_choose_range(DdRun *run, GError **error)
{
    const DdArgs *args = run->args;
    int64_t length = blk_getlength(run->source);

    if (length < 0) {
        cairn_set_error_errno(error, (int)-length, "Failed to get size for '%s'", args->input);
        return false;
    }
    if (args->skip > length / args->block) {
        cairn_set_error(error, EINVAL, "%s: cannot skip to specified offset", args->input);
        cairn_error_append_hint(error, "The image has %" PRId64 " bytes.", length);
        return false;
    }
    run->offset = args->skip * args->block;
    run->bytes = length - run->offset;
    if (args->count >= 0 && args->count < run->bytes / args->block + 1) {
        run->bytes = MIN(run->bytes, args->count * args->block);
    }
    return true;
}

/* A source that was cut off would be copied as if it had never been written there. */
static bool dd_check_lost(const DdRun *run, GError **error)
{
    int64_t end = run->offset + run->bytes, first = 0, lost = 0;

    for (int64_t pos = run->offset; pos < end;) {
        BlockStatus status = { 0 };
        int ret = blk_block_status_chain(run->source, pos, end - pos, &status);

        if (ret < 0 || status.bytes <= 0) {
            return true;                /* reading will tell */
        }
        if (status.flags & BDRV_BLOCK_LOST) {
            first = lost ? first : pos;
            lost += status.bytes;
        }
        pos += status.bytes;
    }
    if (lost) {
        cairn_set_error(error, EIO, "%" PRId64 " bytes of guest data lie past the end of the"
                        " source's file, the first at byte %" PRId64 "\nconvert --salvage copies"
                        " what is there.", lost, first);
    }
    return !lost;
}

static bool dd_open_source(Img *img, DdRun *run, GError **error)
{
    ToolImage image = img_image(&run->args->common, run->args->input, BLK_O_SHARE_WRITE);

    run->source = img_open(img, &image, error);
    return run->source && dd_check_format(img, run->args, error) && dd_choose_range(run, error) &&
           dd_check_lost(run, error);
}

/* ---- the target ------------------------------------------------------------------------ */

/* The sizes of images are whole sectors; the rest of the last one is not the source's. */
static void dd_warn_of_padding(const DdRun *run)
{
    int64_t rest = run->bytes % BDRV_SECTOR_SIZE;

    img_warn_of_padding(run->source, run->args->input);
    if (rest) {
        tool_warn("'%s' gets %" PRId64 " bytes: zeros are added up to %" PRId64 " bytes, a"
                  " multiple of %d", run->args->output, run->bytes,
                  run->bytes - rest + BDRV_SECTOR_SIZE, BDRV_SECTOR_SIZE);
    }
}

static BlockCreate *dd_prepare(Img *img, DdRun *run, GError **error)
{
    const DdArgs *args = run->args;
    BlockCreate *create;

    create = blk_create_prepare(img->ctx, args->output, args->target_format, NULL, NULL, NULL,
                                run->bytes, false, error);
    if (!create) {
        return NULL;
    }
    if (blk_reads_from(run->source, args->output, true)) {
        cairn_set_error(error, EAGAIN, "%s: error while creating output image: Failed to get"
                        " \"write\" lock\nIs another process using the image [%s]?\n"
                        IMG_TARGET_IS_SOURCE, args->output, args->output);
        g_clear_pointer(&create, blk_create_free);
    }
    return create;
}

static bool dd_create(Img *img, DdRun *run, BlockCreate *create, GError **error)
{
    bool ok = img_stage_begin(&run->stage, img, run->args->output, error);

    if (ok && strcmp(run->args->target_format, "raw") &&
        !img_stage_claim(&run->stage, img, error)) {
        g_prefix_error(error, "Could not open '%s': ", run->args->output);
        return false;
    }
    ok = ok && img_stage_create(&run->stage, create, error);
    if (!ok) {
        g_prefix_error(error, "%s: error while creating output image: ", run->args->output);
    }
    return ok;
}

static bool dd_open_target(Img *img, DdRun *run, GError **error)
{
    ToolImage image = {
        .name = run->stage.path, .format = run->args->target_format,
        .flags = BLK_O_RDWR | BLK_O_RESIZE | BLK_O_SHARE_WRITE,
    };

    run->target = img_open(img, &image, error);
    return run->target != NULL;
}

/* ---- the copy ------------------------------------------------------------------------------ */

static bool dd_copy(DdRun *run, GError **error)
{
    g_autofree uint8_t *buf = g_try_malloc(DD_BUFFER_BYTES);
    int64_t n;

    if (!buf) {
        cairn_set_error(error, ENOMEM, "Not enough memory for a buffer");
        return false;
    }
    for (int64_t pos = 0; pos < run->bytes; pos += n) {
        int ret;

        n = MIN(run->bytes - pos, DD_BUFFER_BYTES);
        ret = blk_pread(run->source, run->offset + pos, n, buf);
        if (ret < 0) {
            cairn_set_error_errno(error, -ret, "error while reading from input image file");
            return false;
        }
        ret = blk_pwrite(run->target, pos, n, buf, 0);
        if (ret < 0) {
            cairn_set_error_errno(error, -ret, "error while writing to output image file");
            return false;
        }
        tool_progress_update(&run->progress, pos + n, run->bytes);
    }
    return true;
}

static bool dd_finish(DdRun *run, GError **error)
{
    int ret = blk_close(run->target);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "%s: error while flushing", run->args->output);
        return false;
    }
    g_clear_pointer(&run->target, blk_unref);
    return img_stage_commit(&run->stage, true, error);
}

static bool dd_run(Img *img, DdRun *run, GError **error)
{
    g_autoptr(BlockCreate) create = NULL;

    if (!dd_open_source(img, run, error)) {
        return false;
    }
    create = dd_prepare(img, run, error);
    if (!create) {
        return false;
    }
    dd_warn_of_padding(run);
    if (!dd_create(img, run, create, error) || !dd_open_target(img, run, error) ||
        !img_stage_narrow(&run->stage, img, error) || !dd_copy(run, error) || !dd_finish(run, error)) {
        img_stage_explain(&run->stage, error);
        return false;
    }
    return true;
}

int img_dd(Img *img, int argc, char **argv, GError **error)
{
    DdArgs args = { .target_format = "raw", .block = DD_DEFAULT_BLOCK, .count = -1 };
    ImgStep step = dd_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }

    g_auto(DdRun) run = { .args = &args, .stage.fd = -1 };

    tool_progress_begin(&run.progress, TOOL_PROGRESS_NONE, false);
    return dd_run(img, &run, error) ? 0 : 1;
}
