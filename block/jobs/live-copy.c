/* SPDX-License-Identifier: MIT */
/*
 * Copying while the source is written to.
 *
 * 1. A range is taken from the marks before it is read, and a write marks before it completes
 *    (block/io/dirty.c): whatever a read misses is marked again.
 * 2. A pass takes each range once, in ascending order, and ends before the next begins: no older
 *    content is ever written over a newer one.
 * 3. The last pass runs while all other requests wait, so nothing is marked after it.
 */
#include "block/jobs/live-copy.h"
#include "util/cutils.h"

#include <errno.h>

#define LIVE_SMALL_BYTES (8 * MiB)      /* marked: requests may wait for so much */
#define LIVE_MAX_PASSES 32              /* a guest that writes faster than this copies has to wait */
#define LIVE_POLL_NS (10 * 1000 * 1000)

static bool coroutine_fn live_next_area(BlockCopy *copy, int64_t *offset, int64_t *bytes)
{
    LiveCopy *live = copy->opaque;

    if (!bdrv_dirty_take(live->dirty, live->scan, offset, bytes)) {
        return false;
    }
    live->scan = *offset + *bytes;
    job_control_add_total(copy->control, *bytes);
    return true;
}

bool live_copy_init(LiveCopy *live, BlockJob *job, BlockBackend *source, BlockBackend *target,
                    RunsScope scope, GError **error)
{
    int ret;

    *live = (LiveCopy){
        .job = job, .source = source,
        .copy = { .target = target, .control = &job->control, .sparse_size = COPY_DEFAULT_SPARSE },
    };
    live->copy.opaque = live;
    ret = runs_init(&live->copy.runs, &source, 1, scope);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "cannot get the length of '%s'",
                              blk_get_filename(source));
        return false;
    }
    job->control.total = live->copy.runs.length;
    drain_all_begin(job->ctx);
    live->dirty = bdrv_dirty_new(source->root->bs, live->copy.runs.length);
    drain_all_end(job->ctx);
    if (!live->dirty) {
        cairn_set_error(error, ENOMEM, "Could not allocate memory for the job");
    } else if (copy_prepare(&live->copy, error)) {
        return true;
    }
    live_copy_clear(live);
    return false;
}

void live_copy_clear(LiveCopy *live)
{
    if (live->dirty) {
        drain_all_begin(live->job->ctx);
        bdrv_dirty_free(g_steal_pointer(&live->dirty));
        drain_all_end(live->job->ctx);
    }
    copy_destroy(&live->copy);
}

/* ---- the passes ---- */

static bool coroutine_fn live_pass(LiveCopy *live, GError **error)
{
    live->scan = 0;
    if (copy_co_run(&live->copy) >= 0) {
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&live->copy.error));
    return false;
}

/* Everything once. Later passes find a target that holds older content. */
static bool coroutine_fn live_first_pass(LiveCopy *live, GError **error)
{
    if (!live_pass(live, error)) {
        return false;
    }
    live->copy.next_area = live_next_area;
    live->copy.target_is_zero = false;
    live->copy.runs.cover = INT64_MAX;
    return true;
}

static bool live_is_small(const LiveCopy *live)
{
    return bdrv_dirty_bytes(live->dirty) <= LIVE_SMALL_BYTES;
}

static bool coroutine_fn live_converge(LiveCopy *live, GError **error)
{
    for (int i = 0; i < LIVE_MAX_PASSES && !live_is_small(live); i++) {
        if (!live_pass(live, error)) {
            return false;
        }
    }
    return true;
}

/* Ready: copies what comes until the owner is satisfied. */
static bool coroutine_fn live_keep_up(LiveCopy *live, GError **error)
{
    BlockJob *job = live->job;

    while (!job_is_completing(job)) {
        g_atomic_int_set(&job->state, BLOCK_JOB_READY);
        if (job_control_is_cancelled(&job->control)) {
            cairn_set_error(error, ECANCELED, "the job was cancelled");
            return false;
        }
        if (!bdrv_dirty_bytes(live->dirty)) {
            co_sleep_ns(LIVE_POLL_NS);
        } else if (!live_pass(live, error)) {
            return false;
        }
    }
    return true;
}

bool coroutine_fn live_copy_co_run(LiveCopy *live, bool wait, GError **error)
{
    return live_first_pass(live, error) && live_converge(live, error)
        && (!wait || live_keep_up(live, error));
}

/* ---- the last pass ---- */

typedef struct LiveCatchUp {
    LiveCopy *live;
    GError **error;
    bool ok;
} LiveCatchUp;

static void coroutine_fn live_catch_up_entry(void *opaque)
{
    LiveCatchUp *run = opaque;
    LiveCopy *live = run->live;
    int ret;

    run->ok = !bdrv_dirty_bytes(live->dirty) || live_pass(live, run->error);
    if (!run->ok) {
        return;
    }
    ret = blk_co_flush(live->copy.target);
    if (ret < 0) {
        cairn_set_error_errno(run->error, -ret, "error while flushing the target");
        run->ok = false;
        return;
    }
    run->ok = runs_check_lost(&live->copy.runs, run->error);
}

bool live_copy_catch_up(LiveCopy *live, GError **error)
{
    LiveCatchUp run = { .live = live, .error = error };

    block_job_set_rate_limit(live->job, 0);     /* everybody waits */
    job_backend_exempt_begin(live->source);
    job_backend_exempt_begin(live->copy.target);
    bdrv_run_co(live_catch_up_entry, &run);
    job_backend_exempt_end(live->copy.target);
    job_backend_exempt_end(live->source);
    return run.ok;
}
