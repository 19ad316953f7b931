/* SPDX-License-Identifier: MIT */
/*
 * mirror: a copy of a disk that is in use, which in the end may take the disk's place.
 */
#include <cairn/job.h>

#include "block/jobs/live-copy.h"

#include <errno.h>

typedef struct MirrorJob {
    BlockJob job;
    bool wait, pivot;
    BlockDriverState *bs;       /* owned reference: what is copied */
    BlockBackend *source;       /* the job's own, on it */
    BlockBackend *target;       /* the user's; owned reference */
    bool is_copying;
    LiveCopy live;
} MirrorJob;

static void mirror_let_go(MirrorJob *m)
{
    if (m->is_copying) {
        live_copy_clear(&m->live);
        m->is_copying = false;
    }
    if (m->source) {
        blk_close(m->source);
        blk_unref(g_steal_pointer(&m->source));
    }
}

static void mirror_clean(BlockJob *job)
{
    MirrorJob *m = (MirrorJob *)job;

    mirror_let_go(m);
    blk_unref(g_steal_pointer(&m->target));
    bdrv_unref(m->bs);
}

/* The target's own handle gives way to the users of the source. */
static bool mirror_pivot(MirrorJob *m, GError **error)
{
    BlockDriverState *to = m->target->root->bs;
    bool ok;

    mirror_let_go(m);
    bdrv_ref(to);
    blk_close(m->target);
    ok = bdrv_replace_node(m->bs, to, error);
    bdrv_unref(to);
    return ok;
}

static bool mirror_finish(BlockJob *job, GError **error)
{
    MirrorJob *m = (MirrorJob *)job;
    bool ok;

    if (!m->target->root) {
        cairn_set_error(error, ENOMEDIUM, "The target of the mirror was closed");
        return false;
    }
    drain_all_begin(job->ctx);
    ok = live_copy_catch_up(&m->live, error) && (!m->pivot || mirror_pivot(m, error));
    drain_all_end(job->ctx);
    return ok;
}

static bool coroutine_fn mirror_run(BlockJob *job, GError **error)
{
    MirrorJob *m = (MirrorJob *)job;

    return live_copy_co_run(&m->live, m->wait, error);
}

static const JobDriver mirror_driver = {
    .instance_size = sizeof(MirrorJob),
    .run = mirror_run,
    .finish = mirror_finish,
    .clean = mirror_clean,
};

static bool mirror_check(BlockBackend *blk, BlockBackend *target, GError **error)
{
    if (!blk->root || !target->root) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
    } else if (blk->ctx != target->ctx) {
        cairn_set_error(error, EINVAL, "The target of a mirror must be in the source's context");
    } else if (!blk_is_writable(target)) {
        cairn_set_error(error, EROFS, "Block node is read-only");
    } else if (bdrv_is_below(target->root->bs, blk->root->bs)
               || bdrv_is_below(blk->root->bs, target->root->bs)) {
        cairn_set_error(error, EINVAL, "Cannot mirror '%s' into itself or a layer of its own",
                        bdrv_label(blk->root->bs));
    } else {
        return true;
    }
    return false;
}

static bool mirror_prepare(MirrorJob *m, const BlockMirrorOptions *options, GError **error)
{
    RunsScope scope = options->top_only ? RUNS_SCOPE_TOP : RUNS_SCOPE_CHAIN;

    m->source = blk_new_for_job(m->bs, BLK_PERM_CONSISTENT_READ, BLK_PERM_ALL & ~BLK_PERM_RESIZE,
                                error);
    if (!m->source) {
        return false;
    }
    m->is_copying = live_copy_init(&m->live, &m->job, m->source, m->target, scope, error);
    m->live.copy.target_is_zero = options->target_is_zero;
    return m->is_copying;
}

BlockJob *block_mirror_start(BlockBackend *blk, BlockBackend *target,
                             const BlockMirrorOptions *options, GError **error)
{
    MirrorJob *m;

    CTL_LOCK_GUARD(blk->ctx);
    if (!mirror_check(blk, target, error)) {
        return NULL;
    }
    m = (MirrorJob *)job_new(blk->ctx, &mirror_driver, &options->job);
    m->wait = options->wait_for_complete;
    m->pivot = options->pivot;
    m->target = blk_ref(target);
    m->bs = blk->root->bs;
    bdrv_ref(m->bs);
    if (!mirror_prepare(m, options, error)) {
        mirror_clean(&m->job);
        block_job_unref(&m->job);
        return NULL;
    }
    job_start(&m->job);
    return &m->job;
}
