/* SPDX-License-Identifier: MIT */
/*
 * commit: brings what the layers above a backing file hold into that file.
 *
 * 1. While it runs the base is written to under the layers that read it. They do not notice: what
 *    changes in the base is what they have themselves, or what lies above them in the chain. The
 *    edges between are frozen, so nobody comes to read the base directly.
 * 2. The overlay is emptied, or given up, only after all of it is durable in the base.
 */
#include <cairn/job.h>

#include "block/jobs/live-copy.h"

#include <errno.h>

typedef struct CommitJob {
    BlockJob job;
    BlockCommitEnd end;
    bool wait;
    BlockDriverState *top, *base;       /* owned references */
    BlockBackend *source, *target;      /* on them; the job's own */
    bool is_frozen;
    bool made_writable;                 /* the base is to be read-only again */
    bool is_copying;                    /* live is to be cleared */
    LiveCopy live;
} CommitJob;

/* ---- the end ---- */

static void commit_close(BlockBackend **blk)
{
    if (*blk) {
        blk_close(*blk);
        blk_unref(g_steal_pointer(blk));
    }
}

static void commit_let_go(CommitJob *c)
{
    if (c->is_copying) {
        live_copy_clear(&c->live);
        c->is_copying = false;
    }
    commit_close(&c->source);
    commit_close(&c->target);
    if (c->is_frozen) {
        job_thaw_chain(c->top, c->base);
        c->is_frozen = false;
    }
}

static void commit_clean(BlockJob *job)
{
    CommitJob *c = (CommitJob *)job;

    commit_let_go(c);
    if (c->made_writable) {
        /* A base that stays writable is a lock too many, no more. */
        bdrv_reopen_read_only(c->base, true, NULL);
    }
    bdrv_unref(c->top);
    bdrv_unref(c->base);
}

/* The users' permissions on the base are their own affair from here on. */
static bool commit_pivot(CommitJob *c, GError **error)
{
    commit_let_go(c);
    if (!bdrv_replace_node(c->top, c->base, error)) {
        return false;
    }
    c->made_writable = false;
    return true;
}

static bool commit_empty(CommitJob *c, GError **error)
{
    BlockDriverState *bs = bdrv_skip_filters(c->top);

    return bs->drv->bdrv_make_empty(bs, error);
}

static bool commit_finish(BlockJob *job, GError **error)
{
    CommitJob *c = (CommitJob *)job;
    bool ok;

    drain_all_begin(job->ctx);
    ok = live_copy_catch_up(&c->live, error);
    if (ok && c->end == BLOCK_COMMIT_EMPTY) {
        ok = commit_empty(c, error);
    } else if (ok && c->end == BLOCK_COMMIT_PIVOT) {
        ok = commit_pivot(c, error);
    }
    drain_all_end(job->ctx);
    return ok;
}

static bool coroutine_fn commit_run(BlockJob *job, GError **error)
{
    CommitJob *c = (CommitJob *)job;

    return live_copy_co_run(&c->live, c->wait, error);
}

static const JobDriver commit_driver = {
    .instance_size = sizeof(CommitJob),
    .run = commit_run,
    .finish = commit_finish,
    .clean = commit_clean,
};

/* ---- the start ---- */

static bool commit_check_end(CommitJob *c, GError **error)
{
    BlockDriverState *bs = bdrv_skip_filters(c->top);

    if (c->end == BLOCK_COMMIT_EMPTY && job_backing_of(c->top) != c->base) {
        cairn_set_error(error, EINVAL, "'%s' cannot be emptied: layers between it and '%s' would "
                        "show older data", c->top->filename, c->base->filename);
        return false;
    }
    if (c->end == BLOCK_COMMIT_EMPTY && !bs->drv->bdrv_make_empty) {
        cairn_set_error(error, ENOTSUP, "Images of format '%s' cannot be emptied",
                        bs->drv->format_name);
        return false;
    }
    if (c->end == BLOCK_COMMIT_EMPTY && bs->read_only) {
        cairn_set_error(error, EROFS, "Block node is read-only");
        return false;
    }
    return true;
}

static bool commit_open_target(CommitJob *c, GError **error)
{
    /* Also after a commit that failed so badly that the base could not be made read-only again. */
    bool is_backing = c->base->read_only || c->base->priv->role & BDRV_CHILD_COW;

    c->is_frozen = job_freeze_chain(c->top, c->base, error);
    if (!c->is_frozen || !bdrv_reopen_read_only(c->base, false, error)) {
        return false;
    }
    c->made_writable = is_backing;
    c->target = blk_new_for_job(c->base, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE,
                                BLK_PERM_ALL & ~(BLK_PERM_WRITE | BLK_PERM_RESIZE), error);
    return c->target != NULL;
}

/* @length: of the base as it was. */
static bool commit_grow_target(CommitJob *c, int64_t *length, GError **error)
{
    int64_t wanted = blk_getlength(c->source), ret;

    *length = blk_getlength(c->target);
    ret = MIN(wanted, *length);
    if (ret < 0) {
        cairn_set_error_errno(error, (int)-ret, "cannot get the length of the images");
        return false;
    }
    return wanted <= *length || blk_truncate(c->target, wanted, PREALLOC_MODE_OFF, error);
}

static bool commit_prepare(CommitJob *c, GError **error)
{
    RunsScope scope = { 0, job_depth_of(c->top, c->base) };
    int64_t length;

    if (!commit_check_end(c, error) || !commit_open_target(c, error)) {
        return false;
    }
    c->source = blk_new_for_job(c->top, BLK_PERM_CONSISTENT_READ,
                                BLK_PERM_ALL & ~BLK_PERM_RESIZE, error);
    if (!c->source || !commit_grow_target(c, &length, error)) {
        return false;
    }
    c->is_copying = live_copy_init(&c->live, &c->job, c->source, c->target, scope, error);
    /* Where the base has grown it reads as zeros. */
    c->live.copy.runs.cover = length;
    return c->is_copying;
}

static BlockJob *commit_start(BlockBackend *blk, const BlockCommitOptions *options,
                              GError **error)
{
    BlockDriverState *top = blk->root ? blk->root->bs : NULL;
    BlockDriverState *base = top ? job_find_base(top, options->base, error) : NULL;
    CommitJob *c;

    if (!base) {
        if (!top) {
            cairn_set_error(error, ENOMEDIUM, "The image is closed");
        }
        return NULL;
    }
    c = (CommitJob *)job_new(blk->ctx, &commit_driver, &options->job);
    c->end = options->end;
    c->wait = options->wait_for_complete;
    c->top = top;
    c->base = base;
    bdrv_ref(top);
    bdrv_ref(base);
    if (!commit_prepare(c, error)) {
        commit_clean(&c->job);
        block_job_unref(&c->job);
        return NULL;
    }
    job_start(&c->job);
    return &c->job;
}

BlockJob *block_commit_start(BlockBackend *blk, const BlockCommitOptions *options,
                             GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);

    return commit_start(blk, options, error);
}
