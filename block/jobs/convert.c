/* SPDX-License-Identifier: MIT */
/*
 * convert: copies one or several images, concatenated, into another, and waits for the end.
 */
#include "block/jobs/copy.h"

#include <errno.h>

typedef struct ConvertRun {
    BlockCopy *copy;
    int ret;
} ConvertRun;

static void coroutine_fn convert_entry(void *opaque)
{
    ConvertRun *run = opaque;

    run->ret = copy_co_run(run->copy);
}

static bool convert_run(BlockCopy *copy, GError **error)
{
    ConvertRun run = { .copy = copy };
    int ret;

    bdrv_run_co(convert_entry, &run);
    if (run.ret < 0) {
        g_propagate_error(error, g_steal_pointer(&copy->error));
        return false;
    }
    ret = blk_flush(copy->target);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "error while flushing the target");
        return false;
    }
    return copy->salvage || runs_check_lost(&copy->runs, error);
}

static bool convert_is_zero_target(const BlockConvertOptions *o, BlockBackend *target)
{
    return o->target_is_zero
        || (o->target_is_new && blk_has_zero_init(target) && !blk_has_backing(target));
}

bool block_convert(BlockBackend *const *sources, int source_count, BlockBackend *target,
                   const BlockConvertOptions *o, GError **error)
{
    JobControl control = { .rate = o->rate_limit, .progress = o->progress, .opaque = o->opaque };
    BlockCopy copy = {
        .target = target, .control = &control, .workers = o->coroutines,
        .sparse_size = o->sparse_size, .out_of_order = o->out_of_order,
        .compressed = o->compressed, .offload = o->copy_offload, .salvage = o->salvage,
        .on_read_error = o->on_read_error, .on_read_error_opaque = o->opaque,
        .target_is_zero = convert_is_zero_target(o, target),
    };
    RunsScope scope = o->skip_backing ? RUNS_SCOPE_TOP : RUNS_SCOPE_CHAIN;
    int ret = runs_init(&copy.runs, sources, source_count, scope);
    bool ok;

    g_assert(o->coroutines >= 0 && o->coroutines <= PIPELINE_WORKERS_MAX);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "cannot get the length of a source");
        return false;
    }
    control.total = copy.runs.length;
    ok = copy_prepare(&copy, error) && convert_run(&copy, error);
    copy_destroy(&copy);
    return ok;
}
