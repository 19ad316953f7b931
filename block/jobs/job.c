/* SPDX-License-Identifier: MIT */
/*
 * The life of a job.
 *
 * The coroutine ends in a bottom half of its AioContext: there no coroutine is on the stack, so the
 * control lock may be taken and the graph changed; once no control call is on it either, as such a
 * call has its own idea of the graph. Then it tells its owner, and drops the reference that kept it
 * alive.
 */
#include "block/jobs/job.h"

#include <errno.h>

/* ---- references ---- */

BlockJob *block_job_ref(BlockJob *job)
{
    g_atomic_int_inc(&job->refs);
    return job;
}

void block_job_unref(BlockJob *job)
{
    if (job && g_atomic_int_dec_and_test(&job->refs)) {
        g_clear_error(&job->error);
        aio_context_unref(job->aio);
        cairn_context_unref(job->ctx);
        g_free(job);
    }
}

BlockJob *job_new(CairnContext *ctx, const JobDriver *drv, const BlockJobOptions *options)
{
    BlockJob *job = g_malloc0(drv->instance_size);

    job->drv = drv;
    job->refs = 1;
    job->ctx = cairn_context_ref(ctx);
    job->aio = aio_context_ref(aio_context_ensure());
    job->control = (JobControl){
        .rate = options->rate_limit, .progress = options->progress, .opaque = options->opaque,
    };
    job->done = options->done;
    job->opaque = options->opaque;
    return job;
}

/* ---- running ---- */

static void job_end(void *opaque)
{
    BlockJob *job = opaque;

    if (ctl_defer(job->aio, job_end, job)) {
        return;
    }
    ctl_lock(job->ctx);
    if (!job->error && job_control_is_cancelled(&job->control)) {
        cairn_set_error(&job->error, ECANCELED, "the job was cancelled");
    }
    if (!job->error && job->drv->finish && !job->drv->finish(job, &job->error)) {
        g_assert(job->error);
    }
    job->drv->clean(job);
    ctl_unlock(job->ctx);
    g_atomic_int_set(&job->state, BLOCK_JOB_DONE);
    job->is_done = true;
    if (job->done) {
        job->done(job, job->error, job->opaque);
    }
    block_job_unref(job);
}

static void coroutine_fn job_entry(void *opaque)
{
    BlockJob *job = opaque;
    bool ok = job->drv->run(job, &job->error);

    g_assert(ok == !job->error);
    aio_bh_schedule_oneshot(job->aio, job_end, job);
}

void job_start(BlockJob *job)
{
    block_job_ref(job);
    coroutine_enter(coroutine_create(job_entry, job));
}

/* ---- steering ---- */

void block_job_cancel(BlockJob *job)
{
    g_atomic_int_set(&job->control.cancelled, 1);
}

void block_job_complete(BlockJob *job)
{
    g_atomic_int_set(&job->completing, 1);
}

bool job_is_completing(BlockJob *job)
{
    return g_atomic_int_get(&job->completing);
}

void block_job_set_rate_limit(BlockJob *job, int64_t bytes_per_second)
{
    __atomic_store_n(&job->control.rate, bytes_per_second, __ATOMIC_RELAXED);
}

void block_job_get_status(BlockJob *job, BlockJobStatus *status)
{
    *status = (BlockJobStatus){
        .state = g_atomic_int_get(&job->state),
        .done = __atomic_load_n(&job->control.done, __ATOMIC_RELAXED),
        .total = __atomic_load_n(&job->control.total, __ATOMIC_RELAXED),
        .cancelled = job_control_is_cancelled(&job->control),
    };
}

bool block_job_wait(BlockJob *job, GError **error)
{
    g_assert(!coroutine_in() && aio_context_current() == job->aio);
    block_job_complete(job);
    aio_context_poll_until(job->aio, &job->is_done);
    if (job->error) {
        g_propagate_error(error, g_error_copy(job->error));
    }
    return !job->error;
}

/* ---- a job's backends ---- */

void job_backend_exempt_begin(BlockBackend *blk)
{
    drain_blk_end(blk);
}

void job_backend_exempt_end(BlockBackend *blk)
{
    drain_blk_begin(blk);
}

/* ---- chains ---- */

BlockDriverState *job_backing_of(BlockDriverState *bs)
{
    bs = bdrv_skip_filters(bs);
    return bs->backing ? bs->backing->bs : NULL;
}

/* @above: the layer whose backing file @bs is. A path may be written in several ways. */
static bool chain_is_named(BlockDriverState *above, BlockDriverState *bs, const char *name)
{
    g_autofree char *path = NULL, *own = NULL;

    if (!strcmp(bs->node_name, name) || !strcmp(bs->filename, name)
        || !g_strcmp0(bdrv_skip_filters(above)->backing_file, name)) {
        return true;
    }
    if (!bs->exact_filename[0] || path_has_protocol(name) || path_has_protocol(bs->filename)) {
        return false;
    }
    path = g_canonicalize_filename(name, NULL);
    own = g_canonicalize_filename(bs->exact_filename, NULL);
    return !strcmp(path, own);
}

BlockDriverState *job_find_base(BlockDriverState *top, const char *name, GError **error)
{
    BlockDriverState *above = top, *bs = job_backing_of(top);

    if (!bs) {
        cairn_set_error(error, EINVAL, "Image does not have a backing file");
        return NULL;
    }
    while (bs && name && !chain_is_named(above, bs, name)) {
        above = bs;
        bs = job_backing_of(bs);
    }
    if (!bs) {
        cairn_set_error(error, ENOENT, "Did not find '%s' in the backing chain of '%s'", name,
                        top->filename);
    }
    return bs;
}

int64_t job_length_of(BlockDriverState *bs)
{
    BdrvChild edge = {
        .bs = bs, .name = (char *)"job", .perm = BLK_PERM_CONSISTENT_READ,
        .shared_perm = BLK_PERM_ALL,
    };

    return bdrv_getlength(&edge);
}

int job_depth_of(BlockDriverState *top, BlockDriverState *base)
{
    int depth = 0;

    for (BlockDriverState *bs = top; bs && bs != base; bs = job_backing_of(bs)) {
        depth++;
    }
    return depth;
}

static void chain_count(BlockDriverState *top, BlockDriverState *base, int change)
{
    for (BlockDriverState *bs = top; bs && bs != base; bs = job_backing_of(bs)) {
        bs = bdrv_skip_filters(bs);
        if (bs->backing) {
            bs->backing->frozen += change;
        }
    }
}

bool job_freeze_chain(BlockDriverState *top, BlockDriverState *base, GError **error)
{
    chain_count(top, base, 1);
    if (bdrv_refresh_perms(top, NULL, error)) {
        return true;
    }
    chain_count(top, base, -1);
    return false;
}

void job_thaw_chain(BlockDriverState *top, BlockDriverState *base)
{
    chain_count(top, base, -1);
    /* Sharing less again is refused only if somebody has begun to write what the job wrote. */
    bdrv_refresh_perms(top, NULL, NULL);
}
