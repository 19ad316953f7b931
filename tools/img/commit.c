/* SPDX-License-Identifier: MIT */
/*
 * cairn-img commit: brings what an overlay holds into a backing file, and empties the overlay.
 */
#include "img/img.h"

#include <errno.h>
#include <stdio.h>

typedef struct CommitArgs {
    ImgCommon common;
    const char *filename;
    const char *base;           /* NULL: the image's own backing file */
    const char *cache;
    int64_t rate;               /* bytes a second; 0: no limit */
    bool keep;                  /* do not empty the overlay */
} CommitArgs;

static ImgStep commit_parse(Img *img, CommitArgs *args, int argc, char **argv, GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "progress", required_argument, NULL, IMG_OPTION_PROGRESS },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":b:df:hpqr:t:", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        switch (known ? 0 : c) {
        case 'b':
            args->base = optarg;
            break;
        case 'd':
            args->keep = true;
            break;
        case 'r':
            if (!tool_parse_size("rate limit", optarg, 0, INT64_MAX, &args->rate, error)) {
                return IMG_STEP_FAILED;
            }
            break;
        case 't':
            args->cache = optarg;
            break;
        }
    }
    args->filename = img_one_filename(argc, argv, error);
    return args->filename &&
           img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

static BlockBackend *commit_open(Img *img, const CommitArgs *args, GError **error)
{
    int flags = BLK_O_RDWR | BLK_O_UNMAP | BLK_O_SHARE_WRITE;
    ToolImage image;

    if (!img_parse_target_cache(args->cache, &flags, error)) {
        return NULL;
    }
    image = img_image(&args->common, args->filename, flags);
    return img_open(img, &image, error);
}

static bool commit_on_progress(int64_t done, int64_t total, void *opaque)
{
    tool_progress_update(opaque, done, total);
    return true;
}

/* Scripts know the text; where it happened stands below. */
static void commit_rephrase(GError **error)
{
    g_autoptr(GError) job = g_steal_pointer(error);

    cairn_set_error_errno(error, cairn_error_errno(job), "Block job failed");
    cairn_error_append_hint(error, "%s", job->message);
}

/* Intermediate layers would show the committed data, too; the overlay then keeps what it holds. */
static bool commit_run(const CommitArgs *args, BlockBackend *blk, GError **error)
{
    ToolProgress progress;
    BlockCommitOptions options = {
        .job = {
            .rate_limit = args->rate, .progress = commit_on_progress, .opaque = &progress,
        },
        .base = args->base,
        .end = args->keep || args->base ? BLOCK_COMMIT_KEEP : BLOCK_COMMIT_EMPTY,
    };
    g_autoptr(BlockJob) job = NULL;
    bool ok;

    tool_progress_begin(&progress, args->common.progress, args->common.quiet);
    job = block_commit_start(blk, &options, error);
    ok = job && block_job_wait(job, error);
    if (ok) {
        tool_progress_complete(&progress);
    } else if (job) {
        commit_rephrase(error);
    }
    tool_progress_end(&progress);
    return ok;
}

int img_commit(Img *img, int argc, char **argv, GError **error)
{
    CommitArgs args = { 0 };
    ImgStep step = commit_parse(img, &args, argc, argv, error);
    g_autoptr(BlockBackend) blk = NULL;
    int ret;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    blk = commit_open(img, &args, error);
    if (!blk || !img_sandbox_narrow(img, NULL, error) || !commit_run(&args, blk, error)) {
        return 1;
    }
    ret = blk_close(blk);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "%s: error while flushing", args.filename);
        return 1;
    }
    if (!args.common.quiet) {
        printf("Image committed.\n");
    }
    return 0;
}
