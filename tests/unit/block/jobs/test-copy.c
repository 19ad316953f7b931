/* SPDX-License-Identifier: MIT */
/* The copy engine, where its users cannot show it: areas that come one by one. */
#include "overlay-driver.h"

#include "block/jobs/copy.h"

typedef struct CopyRun {
    CairnContext *ctx;
    BlockCopy copy;
    JobControl control;
    int taken;
    int ret;
} CopyRun;

static void coroutine_fn copy_entry(void *opaque)
{
    CopyRun *run = opaque;

    run->ret = copy_co_run(&run->copy);
}

static void copy_init(CopyRun *run, BlockBackend *source, BlockBackend *target)
{
    run->copy = (BlockCopy){
        .target = target, .control = &run->control, .sparse_size = COPY_DEFAULT_SPARSE,
        .opaque = run,
    };
    g_assert_cmpint(runs_init(&run->copy.runs, &source, 1, RUNS_SCOPE_CHAIN), ==, 0);
    run->control.total = run->copy.runs.length;
    g_assert_true(copy_prepare(&run->copy, NULL));
}

/* The guest writes to the second area after the first has been looked at, and before it is taken itself. */
static bool coroutine_fn area_with_a_guest(BlockCopy *copy, int64_t *offset, int64_t *bytes)
{
    CopyRun *run = copy->opaque;

    if (run->taken == 4) {
        return false;
    }
    *offset = run->taken * 64 * OV_UNIT;
    *bytes = OV_UNIT;
    if (run->taken > 0) {
        ov_put(run->ctx, "source", run->taken * 64, 1, 7);
    }
    run->taken++;
    return true;
}

static void test_area_is_asked_for_when_taken(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) source = ov_open_blk(ctx, "driver=ov,node-name=source", 0);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, "driver=ov,node-name=target", BLK_O_RDWR);
    CopyRun run = { .ctx = ctx };

    copy_init(&run, source, target);
    run.copy.next_area = area_with_a_guest;
    bdrv_run_co(copy_entry, &run);
    g_assert_cmpint(run.ret, ==, 0);
    for (int area = 0; area < 4; area++) {
        g_assert_cmpint(ov_get(target, area * 64), ==, area ? 7 : 0);
        g_assert_cmpint(ov_get(target, area * 64 + 1), ==, 0);
        g_assert_false(ov_state(ctx, "target")->is_own[area * 64 + 1]);
    }
    copy_destroy(&run.copy);
}

static void test_runs_again(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) source = ov_open_blk(ctx, "driver=ov,node-name=source", 0);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, "driver=ov,node-name=target", BLK_O_RDWR);
    CopyRun run = { .ctx = ctx };

    copy_init(&run, source, target);
    for (int round = 1; round < 4; round++) {
        ov_put(ctx, "source", round, 1, round);
        bdrv_run_co(copy_entry, &run);
        g_assert_cmpint(run.ret, ==, 0);
        g_assert_cmpint(ov_get(target, round), ==, round);
    }
    copy_destroy(&run.copy);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/copy/area/is-asked-for-when-it-is-taken",
                    test_area_is_asked_for_when_taken);
    g_test_add_func("/copy/second-run/sees-what-is-new", test_runs_again);
    return g_test_run();
}
