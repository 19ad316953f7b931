/* SPDX-License-Identifier: MIT */
/*
 * rebase: an image gets another backing file, and reads as before.
 *
 * 1. What the image does not hold itself is compared: where the new backing file would show other
 *    bytes, the old ones are written into the image. They read the same through the old backing
 *    file, so until the new name is recorded nothing has changed.
 * 2. Writes are made in the order of their offsets, so that an image that appends stays in order.
 * 3. The name is recorded after all that was copied, by the driver's own order of writes.
 * 4. All other requests wait meanwhile.
 */
#include <cairn/job.h>

#include "block/jobs/job.h"
#include "block/jobs/pipeline.h"
#include "block/jobs/runs.h"
#include "util/cutils.h"

#include <errno.h>

#define REBASE_WORKERS 4
#define REBASE_BYTES (512 * KiB)        /* of each of the two that are compared */

typedef struct Rebase {
    BlockDriverState *bs;
    BlockBackend *image;        /* the job's own */
    BlockBackend *backing;      /* the job's own, on the new one; NULL: none */
    Runs old, new;              /* of image and backing */
    int64_t new_length;         /* bytes of the new backing file; 0: none */
    int64_t unit;               /* bytes that are copied together */
    int64_t pos;
    JobControl control;
} Rebase;

/* ---- what has to be looked at ---- */

/* Past its end the new backing file reads as zeros. */
static int coroutine_fn rebase_find_new(Rebase *r)
{
    if (r->pos >= r->new_length) {
        r->new.end = r->old.length;
        r->new.kind = RUN_ZERO;
        return 0;
    }
    return runs_find(&r->new, r->pos);
}

static bool rebase_must_compare(const Rebase *r)
{
    bool is_own = r->old.flags & BDRV_BLOCK_ALLOCATED && r->old.depth == 0;

    return !is_own && !(r->old.kind == RUN_ZERO && r->new.kind == RUN_ZERO);
}

static int coroutine_fn rebase_next(Pipeline *pipe, PipelineItem *item)
{
    Rebase *r = pipe->opaque;

    while (r->pos < r->old.length) {
        int ret = runs_find(&r->old, r->pos);

        ret = ret < 0 ? ret : rebase_find_new(r);
        if (ret < 0) {
            return ret;
        }
        item->offset = r->pos;
        item->bytes = MIN(r->old.end, r->new.end) - r->pos;
        if (rebase_must_compare(r)) {
            item->bytes = MIN(item->bytes, REBASE_BYTES - r->pos % REBASE_BYTES);
            r->pos += item->bytes;
            return 1;
        }
        r->pos += item->bytes;
        ret = job_control_advance(&r->control, item->bytes);
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* ---- comparing and copying ---- */

static int coroutine_fn rebase_read_new(Rebase *r, const PipelineItem *item, uint8_t *buf)
{
    int64_t there = CLAMP(r->new_length - item->offset, 0, item->bytes);

    memset(buf + there, 0, item->bytes - there);
    return there ? blk_co_pread(r->backing, item->offset, there, buf) : 0;
}

static int coroutine_fn rebase_copy(Rebase *r, const PipelineItem *item, const uint8_t *old,
                                    const uint8_t *new)
{
    int64_t from = 0;
    int ret = 0;

    /* Runs of units that differ, in one write each. */
    for (int64_t pos = 0; pos < item->bytes && ret >= 0;) {
        int64_t stop = MIN(ROUND_DOWN_TO(item->offset + pos, r->unit) + r->unit - item->offset,
                           item->bytes);
        bool differs = memcmp(old + pos, new + pos, stop - pos) != 0;

        if (differs && stop < item->bytes) {
            pos = stop;
            continue;
        }
        pos = differs ? stop : pos;
        if (pos > from) {
            ret = blk_co_pwrite_unchanged(r->image, item->offset + from, pos - from, old + from);
        }
        pos = from = stop;
    }
    return ret;
}

static int coroutine_fn rebase_work(Pipeline *pipe, PipelineItem *item)
{
    Rebase *r = pipe->opaque;
    uint8_t *old = pipeline_item_buffer(item);
    int ret;

    if (!old) {
        return -ENOMEM;
    }
    ret = blk_co_pread(r->image, item->offset, item->bytes, old);
    if (ret >= 0) {
        ret = rebase_read_new(r, item, old + REBASE_BYTES);
    }
    if (ret >= 0) {
        ret = pipeline_wait_turn(item);
    }
    if (ret >= 0) {
        ret = rebase_copy(r, item, old, old + REBASE_BYTES);
    }
    if (ret >= 0) {
        ret = job_control_advance(&r->control, item->bytes);
    }
    if (ret >= 0) {
        pipeline_end_turn(item);
    }
    return ret;
}

static bool rebase_run(Rebase *r, GError **error)
{
    Pipeline pipe = {
        .workers = REBASE_WORKERS, .buffer_bytes = 2 * REBASE_BYTES, .next = rebase_next,
        .work = rebase_work, .opaque = r,
    };
    int ret;

    /* Both backends were made inside the drain: it does not hold them. */
    ret = pipeline_run(&pipe);
    if (ret == -ECANCELED) {
        cairn_set_error(error, ECANCELED, "the rebase was cancelled");
    } else if (ret < 0) {
        cairn_set_error_errno(error, -ret, "error while copying into '%s'", r->bs->filename);
    }
    return ret >= 0;
}

/* ---- the job ---- */

static bool rebase_init_runs(Rebase *r, GError **error)
{
    int ret = runs_init(&r->old, &r->image, 1, RUNS_SCOPE_CHAIN);

    if (ret >= 0 && r->backing) {
        ret = runs_init(&r->new, &r->backing, 1, RUNS_SCOPE_CHAIN);
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "cannot get the length of the images");
        return false;
    }
    r->new_length = r->new.length;
    r->control.total = r->old.length;
    return true;
}

static bool rebase_open(Rebase *r, BlockBackend *backing, GError **error)
{
    int64_t cluster_size;

    r->image = blk_new_for_job(r->bs, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED,
                               BLK_PERM_ALL, error);
    if (r->image && backing) {
        r->backing = blk_new_for_job(backing->root->bs, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL,
                                     error);
    }
    if (!r->image || (backing && !r->backing)) {
        return false;
    }
    cluster_size = blk_get_cluster_size(r->image);
    r->unit = is_power_of_2(cluster_size) ? MAX(cluster_size, BDRV_SECTOR_SIZE)
                                          : BDRV_SECTOR_SIZE;
    return rebase_init_runs(r, error);
}

static void rebase_close(Rebase *r)
{
    runs_destroy(&r->old);
    runs_destroy(&r->new);
    blk_unref(r->image);
    blk_unref(r->backing);
}

static bool rebase_check(BlockBackend *blk, BlockBackend *backing, BlockDriverState *bs,
                         GError **error)
{
    if (!bs || (backing && !backing->root)) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
    } else if (!bs->drv->bdrv_change_backing_file) {
        cairn_set_error(error, ENOTSUP, "Operation not supported");
    } else if (bs->read_only) {
        cairn_set_error(error, EROFS, "Block node is read-only");
    } else if (backing && backing->ctx != blk->ctx) {
        cairn_set_error(error, EINVAL, "The new backing file must be in the image's context");
    } else if (backing && bdrv_is_below(bs, backing->root->bs)) {
        cairn_set_error(error, ELOOP, "'%s' would become its own backing file", bs->filename);
    } else {
        return true;
    }
    return false;
}

/* Inside a drain. */
static bool rebase_copy_and_record(BlockDriverState *bs, BlockBackend *backing,
                                   const BlockRebaseOptions *options, GError **error)
{
    Rebase r = {
        .bs = bs, .control = { .progress = options->progress, .opaque = options->opaque },
    };
    bool ok = rebase_open(&r, backing, error) && rebase_run(&r, error);

    rebase_close(&r);
    return ok
        && bs->drv->bdrv_change_backing_file(bs, options->backing_name, options->backing_format,
                                             error)
        && bdrv_set_backing(bs, backing ? backing->root->bs : NULL, error);
}

bool block_rebase(BlockBackend *blk, BlockBackend *backing, const BlockRebaseOptions *options,
                  GError **error)
{
    BlockDriverState *bs;
    bool ok;

    if (options->change_name_only) {
        return blk_change_backing_file(blk, options->backing_name, options->backing_format, error);
    }
    CTL_LOCK_GUARD(blk->ctx);
    bs = blk->root ? bdrv_skip_filters(blk->root->bs) : NULL;
    if (!rebase_check(blk, backing, bs, error)) {
        return false;
    }
    drain_all_begin(blk->ctx);
    ok = rebase_copy_and_record(bs, backing, options, error);
    drain_all_end(blk->ctx);
    return ok;
}
