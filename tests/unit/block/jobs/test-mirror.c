/* SPDX-License-Identifier: MIT */
/* mirror: a copy that keeps up, and takes the disk's place. */
#include <cairn/job.h>

#include "overlay-driver.h"

#define SOURCE "driver=ov,node-name=source,size=1M"
#define TARGET "driver=ov,node-name=target,size=1M"

static BlockJob *start(BlockBackend *blk, BlockBackend *target, BlockMirrorOptions options)
{
    g_autoptr(GError) error = NULL;
    BlockJob *job = block_mirror_start(blk, target, &options, &error);

    g_assert_no_error(error);
    return job;
}

static void mirror_fails(BlockBackend *blk, BlockBackend *target, BlockMirrorOptions options,
                         int err, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockJob) job = block_mirror_start(blk, target, &options, &error);

    g_assert_true(!job || !block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, part));
}

static void test_copies_all(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE ",backing.driver=ov,"
                                              "backing.node-name=base", BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);
    OvState *to = ov_state(ctx, "target");

    ov_put(ctx, "base", 0, 3, 1);
    ov_put(ctx, "source", 2, 2, 2);
    ov_put(ctx, "target", 200, 1, 9);
    g_autoptr(BlockJob) job = start(blk, target, (BlockMirrorOptions){ 0 });

    g_assert_true(block_job_wait(job, NULL));
    for (int unit = 0; unit < 256; unit++) {
        g_assert_cmpint(ov_get(target, unit), ==, unit < 2 ? 1 : unit < 4 ? 2 : 0);
    }
    g_assert_cmpint(to->flushes, ==, 1);
    g_assert_cmpstr(blk_get_node_name(blk), ==, "source");
}

static void test_top_only(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE ",backing.driver=ov,"
                                              "backing.node-name=base", BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);
    OvState *to = ov_state(ctx, "target");

    ov_put(ctx, "base", 0, 3, 1);
    ov_put(ctx, "source", 2, 2, 2);
    g_autoptr(BlockJob) job = start(blk, target, (BlockMirrorOptions){ .top_only = true });

    g_assert_true(block_job_wait(job, NULL));
    for (int unit = 0; unit < 256; unit++) {
        g_assert_cmpint(to->is_own[unit], ==, unit == 2 || unit == 3);
    }
}

static void test_zero_target(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);

    ov_put(ctx, "source", 2, 2, 2);
    g_autoptr(BlockJob) job = start(blk, target, (BlockMirrorOptions){ .target_is_zero = true });

    g_assert_true(block_job_wait(job, NULL));
    g_assert_false(ov_state(ctx, "target")->is_own[0]);
    g_assert_true(ov_state(ctx, "target")->is_own[2]);
}

static void test_refusals(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(CairnContext) other = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE ",backing.driver=ov,"
                                              "backing.node-name=base", BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);
    g_autoptr(BlockBackend) small = ov_open_blk(ctx, "driver=ov,size=64k", BLK_O_RDWR);
    g_autoptr(BlockBackend) fixed = ov_open_blk(ctx, "driver=ov", 0);
    g_autoptr(BlockBackend) far = ov_open_blk(other, "driver=ov", BLK_O_RDWR);
    g_autoptr(BlockBackend) base = ov_open_blk(ctx, "base", BLK_O_SHARE_WRITE);
    BlockMirrorOptions options = { 0 };

    mirror_fails(blk, small, options, ENOSPC, "smaller than input");
    mirror_fails(blk, fixed, options, EROFS, "read-only");
    mirror_fails(blk, far, options, EINVAL, "in the source's context");
    mirror_fails(blk, blk, options, EINVAL, "into itself");
    mirror_fails(base, blk, options, EINVAL, "a layer of its own");
    blk_close(target);
    mirror_fails(blk, target, options, ENOMEDIUM, "closed");
    g_assert_null(bdrv_find_node(ctx, "source")->priv->dirty);
}

static void test_target_that_goes_away(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);
    g_autoptr(GError) error = NULL;

    ov_put(ctx, "source", 0, 1, 2);
    g_autoptr(BlockJob) job = start(blk, target,
                                    (BlockMirrorOptions){ .wait_for_complete = true });

    blk_close(target);
    g_assert_false(block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
    g_assert_cmpint(ov_get(blk, 0), ==, 2);
}

/* What waits by the old limit goes on by the new one. */
static void test_raised_limit(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);

    ov_put(ctx, "source", 0, 256, 2);
    g_autoptr(BlockJob) job = start(blk, target, (BlockMirrorOptions){ .job.rate_limit = 1 });

    block_job_set_rate_limit(job, 1 << 30);
    g_assert_true(block_job_wait(job, NULL));
    g_assert_cmpint(ov_get(target, 255), ==, 2);
}

/* Before the copy has asked for its first buffer. */
static void test_target_that_goes_away_early(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);
    g_autoptr(GError) error = NULL;

    ov_put(ctx, "source", 0, 1, 2);
    g_autoptr(BlockJob) job = start(blk, target,
                                    (BlockMirrorOptions){ .job.rate_limit = 1 << 20 });

    blk_close(target);
    g_assert_false(block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
}

static void test_write_error(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);

    ov_put(ctx, "source", 0, 1, 2);
    ov_state(ctx, "target")->fail_writes = ENOSPC;
    mirror_fails(blk, target, (BlockMirrorOptions){ .pivot = true }, ENOSPC, "writing at byte 0");
    g_assert_cmpstr(blk_get_node_name(blk), ==, "source");
    g_assert_true(blk_is_writable(target));
}

/* ---- what is written meanwhile ---- */

#define LARGE "driver=ov,node-name=source,size=16M"
#define LARGE_BYTES (16 * MiB)
#define REWRITTEN (12 * MiB)            /* more than may wait for the end */

static void rewrite(BlockBackend *blk, int64_t bytes, int byte)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, byte, bytes);
    g_assert_cmpint(blk_pwrite(blk, 0, bytes, buf, 0), ==, 0);
}

/* Starts a job that waits, and has much written before it goes on at @rate. */
static BlockJob *start_and_rewrite(BlockBackend *blk, BlockBackend *target,
                                   BlockMirrorOptions options, int64_t rate)
{
    BlockJob *job;

    options.job.rate_limit = 1;
    rewrite(blk, LARGE_BYTES, 1);
    job = start(blk, target, options);
    rewrite(blk, REWRITTEN, 2);
    block_job_set_rate_limit(job, rate);
    return job;
}

/* Serves the job until it copies again what it has copied before. */
static void wait_for_second_pass(BlockJob *job)
{
    BlockJobStatus status = { 0 };

    while (status.total <= LARGE_BYTES) {
        aio_context_poll(aio_context_ensure(), true);
        block_job_get_status(job, &status);
        g_assert_cmpint(status.state, <, BLOCK_JOB_READY);
    }
}

static void wait_until_ready(BlockJob *job)
{
    BlockJobStatus status = { 0 };

    while (status.state != BLOCK_JOB_READY) {
        aio_context_poll(aio_context_ensure(), true);
        block_job_get_status(job, &status);
    }
}

static void test_much_is_copied_again(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, LARGE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, "driver=ov,size=16M", BLK_O_RDWR);
    g_autoptr(BlockJob) job = start_and_rewrite(blk, target, (BlockMirrorOptions){ 0 }, 0);
    g_autoptr(GError) error = NULL;

    g_assert_true(block_job_wait(job, &error));
    g_assert_no_error(error);
    g_assert_cmpint(ov_get(target, 0), ==, 2);
    g_assert_cmpint(ov_get(target, REWRITTEN / OV_UNIT - 1), ==, 2);
    g_assert_cmpint(ov_get(target, REWRITTEN / OV_UNIT), ==, 1);
    g_assert_null(bdrv_find_node(ctx, "source")->priv->dirty);
}

static void test_error_when_copied_again(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, LARGE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, "driver=ov,node-name=target,size=16M",
                                                 BLK_O_RDWR);
    g_autoptr(BlockJob) job = start_and_rewrite(blk, target, (BlockMirrorOptions){ .pivot = true },
                                                64 * MiB);
    g_autoptr(GError) error = NULL;

    wait_for_second_pass(job);
    ov_state(ctx, "target")->fail_writes = ENOSPC;
    g_assert_false(block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, ENOSPC);
    g_assert_cmpstr(blk_get_node_name(blk), ==, "source");
    g_assert_cmpint(ov_get(blk, 0), ==, 2);
    g_assert_null(bdrv_find_node(ctx, "source")->priv->dirty);
}

typedef struct Ready {
    CairnContext *ctx;
    BlockBackend *blk, *target;
    BlockJob *job;
} Ready;

static void ready_init(Ready *r, bool pivot)
{
    r->ctx = ov_context_new();
    r->blk = ov_open_blk(r->ctx, SOURCE, BLK_O_RDWR);
    r->target = ov_open_blk(r->ctx, TARGET, BLK_O_RDWR);
    r->job = start(r->blk, r->target, (BlockMirrorOptions){ .wait_for_complete = true,
                                                             .pivot = pivot });
    wait_until_ready(r->job);
}

/* The job has failed with @code: the disk stays where it was, and nobody notes what it writes. */
static void ready_fails(Ready *r, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(block_job_wait(r->job, &error));
    g_assert_error(error, CAIRN_ERROR, code);
    g_assert_nonnull(strstr(error->message, part));
    g_assert_cmpstr(blk_get_node_name(r->blk), ==, "source");
    g_assert_null(bdrv_find_node(r->ctx, "source")->priv->dirty);
    rewrite(r->blk, OV_UNIT, 3);
    g_assert_cmpint(ov_get(r->blk, 0), ==, 3);
    block_job_unref(r->job);
    blk_unref(r->blk);
    blk_unref(r->target);
    cairn_context_unref(r->ctx);
}

static void test_ready_keeps_up(void)
{
    Ready r;

    ready_init(&r, false);
    rewrite(r.blk, OV_UNIT, 7);
    while (ov_get(r.target, 0) != 7) {      /* without being told to end */
        aio_context_poll(aio_context_ensure(), true);
    }
    ov_state(r.ctx, "target")->fail_flush = EIO;
    ready_fails(&r, EIO, "error while flushing the target");
}

static void test_ready_fails(void)
{
    Ready r;

    ready_init(&r, true);
    ov_state(r.ctx, "target")->fail_writes = ENOSPC;
    rewrite(r.blk, OV_UNIT, 7);
    ready_fails(&r, ENOSPC, "writing at byte 0");
}

static void test_ready_is_cancelled(void)
{
    Ready r;

    ready_init(&r, true);
    block_job_cancel(r.job);
    ready_fails(&r, ECANCELED, "cancel");
}

/* ---- under a guest, across filters, threads and other control calls ---- */

typedef struct Guest {
    BlockBackend *blk;
    int first;                  /* its units: 128 from here */
    gint stop;                  /* atomic */
    gint rounds;                /* atomic */
    uint8_t last[256];
} Guest;

static void *guest_works(void *opaque)
{
    Guest *g = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed(g->first);
    uint8_t buf[OV_UNIT];

    while (!g_atomic_int_get(&g->stop)) {
        int unit = g->first + g_rand_int_range(rand, 0, 128);
        bool zero = g_rand_int_range(rand, 0, 4) == 0;
        uint8_t byte = zero ? 0 : g_rand_int_range(rand, 1, 256);
        int ret;

        memset(buf, byte, sizeof(buf));
        ret = zero ? blk_pwrite_zeroes(g->blk, unit * OV_UNIT, OV_UNIT, 0)
                   : blk_pwrite(g->blk, unit * OV_UNIT, OV_UNIT, buf, 0);
        g_assert_cmpint(ret, ==, 0);
        g->last[unit] = byte;
        g_assert_cmpint(ov_get(g->blk, unit), ==, byte);
        g_atomic_int_inc(&g->rounds);
    }
    return NULL;
}

static void guest_go_on(Guest *g, int rounds)
{
    gint until = g_atomic_int_get(&g->rounds) + rounds;

    while (g_atomic_int_get(&g->rounds) < until) {
        aio_context_poll(aio_context_ensure(), false);
    }
}

static void test_pivot_under_two_guests(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, SOURCE, BLK_O_RDWR);
    g_autoptr(BlockBackend) target = ov_open_blk(ctx, TARGET, BLK_O_RDWR);
    g_autoptr(BlockJob) job = NULL;
    Guest guests[2] = { { .blk = blk }, { .blk = blk, .first = 128 } };
    GThread *threads[2];
    BlockJobStatus status = { 0 };
    g_autoptr(GError) error = NULL;

    for (int i = 0; i < 2; i++) {
        threads[i] = g_thread_new("guest", guest_works, &guests[i]);
    }
    guest_go_on(&guests[0], 50);
    job = start(blk, target, (BlockMirrorOptions){ .pivot = true, .wait_for_complete = true });
    while (status.state != BLOCK_JOB_READY) {
        /* Another control call, with its drains, comes in between. */
        g_autoptr(BlockBackend) look = ov_open_blk(ctx, "source", BLK_O_SHARE_WRITE);

        guest_go_on(&guests[1], 5);
        block_job_get_status(job, &status);
    }
    guest_go_on(&guests[1], 200);
    g_assert_true(block_job_wait(job, &error));
    g_assert_cmpstr(blk_get_node_name(blk), ==, "target");
    g_assert_null(bdrv_find_node(ctx, "source"));
    g_assert_cmpint(blk_getlength(target), ==, -ENOMEDIUM);
    guest_go_on(&guests[0], 50);
    for (int i = 0; i < 2; i++) {
        g_atomic_int_set(&guests[i].stop, 1);
        g_thread_join(threads[i]);
        for (int unit = guests[i].first; unit < guests[i].first + 128; unit++) {
            g_assert_cmpint(ov_get(blk, unit), ==, guests[i].last[unit]);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mirror/whole-chain/is-copied", test_copies_all);
    g_test_add_func("/mirror/top-only/leaves-the-rest-to-the-backing-file", test_top_only);
    g_test_add_func("/mirror/zero-target/gets-no-zeros", test_zero_target);
    g_test_add_func("/mirror/what-cannot-be/is-refused", test_refusals);
    g_test_add_func("/mirror/closed-target/fails-the-job", test_target_that_goes_away);
    g_test_add_func("/mirror/rate-limit/raised-holds-at-once", test_raised_limit);
    g_test_add_func("/mirror/target-closed-before-the-first-read/fails-the-job",
                    test_target_that_goes_away_early);
    g_test_add_func("/mirror/write-error/leaves-the-source-in-place", test_write_error);
    g_test_add_func("/mirror/much-written-meanwhile/is-copied-again", test_much_is_copied_again);
    g_test_add_func("/mirror/much-written-meanwhile/error-leaves-the-source-in-place",
                    test_error_when_copied_again);
    g_test_add_func("/mirror/ready/keeps-up-and-tells-a-failed-flush", test_ready_keeps_up);
    g_test_add_func("/mirror/ready/write-error-ends-the-job", test_ready_fails);
    g_test_add_func("/mirror/ready/can-be-cancelled", test_ready_is_cancelled);
    g_test_add_func("/mirror/pivot/loses-no-write-of-two-threads", test_pivot_under_two_guests);
    return g_test_run();
}
