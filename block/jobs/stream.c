/* SPDX-License-Identifier: MIT */
/*
 * stream: an image takes in what the layers below it hold, down to a base, which then is its backing
 * file.
 *
 * 1. Nothing that a guest reads changes, at any time: each range is copied up on its own
 *    (block/io/copy-up.c), while the guest writes elsewhere.
 * 2. The image records its new backing file only after all that was copied is durable; only then
 *    the graph changes.
 */
#include <cairn/job.h>

#include "block/jobs/job.h"
#include "block/jobs/pipeline.h"
#include "block/jobs/runs.h"
#include "util/cutils.h"

#include <errno.h>

#define STREAM_WORKERS 4
#define STREAM_BYTES (1 * MiB)          /* of one range */

typedef struct StreamJob {
    BlockJob job;
    BlockDriverState *top, *base;       /* owned references; base NULL: nothing stays below */
    char *backing_name;                 /* to be recorded; NULL: none */
    BlockBackend *blk;                  /* the job's own, on top */
    bool is_frozen;
    Runs runs;
    int64_t pos;
} StreamJob;

/* ---- copying ---- */

/* Without a base, zeros need no copy: what the image does not hold will read as zeros. */
static bool stream_wants(const StreamJob *s)
{
    return s->runs.kind == RUN_DATA || (s->runs.kind == RUN_ZERO && s->base);
}

static int coroutine_fn stream_next(Pipeline *pipe, PipelineItem *item)
{
    StreamJob *s = pipe->opaque;
    int ret;

    while (s->pos < s->runs.length) {
        ret = runs_find(&s->runs, s->pos);
        if (ret < 0) {
            return ret;
        }
        item->offset = s->pos;
        item->bytes = s->runs.end - s->pos;
        if (stream_wants(s)) {
            item->bytes = MIN(item->bytes, STREAM_BYTES - s->pos % STREAM_BYTES);
            s->pos += item->bytes;
            return 1;
        }
        s->pos += item->bytes;
        ret = job_control_advance(&s->job.control, item->bytes);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

static int coroutine_fn stream_work(Pipeline *pipe, PipelineItem *item)
{
    StreamJob *s = pipe->opaque;
    int ret = job_control_pace(&s->job.control, item->bytes);

    if (ret >= 0) {
        ret = blk_co_copy_up(s->blk, item->offset, item->bytes);
    }
    return ret < 0 ? ret : job_control_advance(&s->job.control, item->bytes);
}

static bool coroutine_fn stream_run(BlockJob *job, GError **error)
{
    StreamJob *s = (StreamJob *)job;
    Pipeline pipe = {
        .workers = STREAM_WORKERS, .next = stream_next, .work = stream_work, .opaque = s,
    };
    int ret = pipeline_co_run(&pipe);

    if (ret == -ECANCELED) {
        cairn_set_error(error, ECANCELED, "the job was cancelled");
    } else if (ret < 0) {
        cairn_set_error_errno(error, -ret, "error while streaming into '%s'", s->top->filename);
    }
    return ret >= 0;
}

/* ---- the end ---- */

static void stream_let_go(StreamJob *s)
{
    if (s->blk) {
        runs_destroy(&s->runs);
        blk_close(s->blk);
        blk_unref(g_steal_pointer(&s->blk));
    }
    if (s->is_frozen) {
        job_thaw_chain(s->top, s->base);
        s->is_frozen = false;
    }
}

static void stream_clean(BlockJob *job)
{
    StreamJob *s = (StreamJob *)job;

    stream_let_go(s);
    bdrv_unref(s->base);
    bdrv_unref(s->top);
    g_free(s->backing_name);
}

static bool stream_settle(StreamJob *s, GError **error)
{
    BlockDriverState *bs = bdrv_skip_filters(s->top);
    const char *format = s->base ? s->base->drv->format_name : NULL;
    int ret = bdrv_flush_bs(s->top);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "error while flushing '%s'", s->top->filename);
        return false;
    }
    stream_let_go(s);
    return bs->drv->bdrv_change_backing_file(bs, s->backing_name, format, error)
        && bdrv_set_backing(bs, s->base, error);
}

static bool stream_finish(BlockJob *job, GError **error)
{
    bool ok;

    drain_all_begin(job->ctx);
    ok = stream_settle((StreamJob *)job, error);
    drain_all_end(job->ctx);
    return ok;
}

static const JobDriver stream_driver = {
    .instance_size = sizeof(StreamJob),
    .run = stream_run,
    .finish = stream_finish,
    .clean = stream_clean,
};

/* ---- the start ---- */

static bool stream_check(StreamJob *s, GError **error)
{
    const BlockDriverState *bs = bdrv_skip_filters(s->top);

    if (bs->read_only) {
        cairn_set_error(error, EROFS, "Block node is read-only");
        return false;
    }
    if (!bs->drv->bdrv_change_backing_file) {
        cairn_set_error(error, ENOTSUP, "Images of format '%s' cannot change their backing file",
                        bs->drv->format_name);
        return false;
    }
    return true;
}

static bool stream_prepare(StreamJob *s, GError **error)
{
    RunsScope scope = { 1, s->base ? job_depth_of(s->top, s->base) : INT_MAX };
    int64_t cover;
    int ret;

    if (!stream_check(s, error)) {
        return false;
    }
    s->is_frozen = job_freeze_chain(s->top, s->base, error);
    if (!s->is_frozen) {
        return false;
    }
    s->blk = blk_new_for_job(s->top, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED,
                             BLK_PERM_ALL, error);
    if (!s->blk) {
        return false;
    }
    ret = runs_init(&s->runs, &s->blk, 1, scope);
    cover = s->base ? job_length_of(s->base) : 0;
    if (ret < 0 || cover < 0) {
        cairn_set_error_errno(error, ret < 0 ? -ret : (int)-cover,
                              "cannot get the length of '%s'", s->top->filename);
        return false;
    }
    s->runs.cover = cover;
    s->job.control.total = s->runs.length;
    return true;
}

BlockJob *block_stream_start(BlockBackend *blk, const BlockStreamOptions *options,
                             GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *top = blk->root ? blk->root->bs : NULL, *base = NULL;
    StreamJob *s;

    if (!top) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return NULL;
    }
    if (options->base) {
        base = job_find_base(top, options->base, error);
        if (!base) {
            return NULL;
        }
        bdrv_ref(base);
    }
    s = (StreamJob *)job_new(blk->ctx, &stream_driver, &options->job);
    bdrv_ref(top);
    s->top = top;
    s->base = base;
    s->backing_name = base ? g_strdup(options->backing_name ? options->backing_name
                                                            : base->filename) : NULL;
    if (!stream_prepare(s, error)) {
        stream_clean(&s->job);
        block_job_unref(&s->job);
        return NULL;
    }
    job_start(&s->job);
    return &s->job;
}
