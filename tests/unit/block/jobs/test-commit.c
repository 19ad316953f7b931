/* SPDX-License-Identifier: MIT */
/* commit: what comes into the base, what becomes of the overlay, and who may object. */
#include <cairn/job.h>

#include "overlay-driver.h"

#define BASE "driver=ov,node-name=base,size=1M"
#define TOP "driver=ov,node-name=top,size=1M,backing.driver=ov,backing.node-name=base," \
    "backing.size=1M"
#define DEEP "driver=ov,node-name=top,size=1M,backing.driver=ov,backing.node-name=mid," \
    "backing.size=1M,backing.backing.driver=ov,backing.backing.node-name=base,backing.backing.size=1M"

static BlockJob *start(BlockBackend *blk, BlockCommitOptions options)
{
    g_autoptr(GError) error = NULL;
    BlockJob *job = block_commit_start(blk, &options, &error);

    g_assert_no_error(error);
    return job;
}

static void commit(BlockBackend *blk, BlockCommitOptions options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockJob) job = start(blk, options);
    BlockJobStatus status;

    g_assert_true(block_job_wait(job, &error));
    g_assert_no_error(error);
    block_job_get_status(job, &status);
    g_assert_cmpint(status.state, ==, BLOCK_JOB_DONE);
    g_assert_cmpint(status.done, ==, status.total);
}

static void commit_fails(BlockBackend *blk, BlockCommitOptions options, int err,
                         const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockJob) job = block_commit_start(blk, &options, &error);

    g_assert_true(!job || !block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, part));
}

static void assert_base_is_at_rest(CairnContext *ctx)
{
    BlockDriverState *base = bdrv_find_node(ctx, "base");

    g_assert_true(base->read_only);
    g_assert_cmphex(base->priv->perm, ==, BLK_PERM_CONSISTENT_READ);
    g_assert_cmpuint(base->priv->parents->len, ==, 1);
    g_assert_null(base->priv->dirty);
}

/* ---- what is copied ---- */

static void test_only_what_the_overlay_holds(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    OvState *base = ov_state(ctx, "base");

    ov_put(ctx, "base", 0, 10, 1);
    ov_put(ctx, "top", 5, 3, 2);
    ov_put(ctx, "top", 255, 1, 3);
    commit(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_KEEP });
    for (int unit = 0; unit < 256; unit++) {
        uint8_t wanted = unit == 255 ? 3 : unit >= 5 && unit < 8 ? 2 : unit < 10 ? 1 : 0;

        g_assert_cmpint(base->data[unit * OV_UNIT], ==, wanted);
        g_assert_cmpint(base->is_own[unit], ==, wanted != 0);
        g_assert_cmpint(ov_get(top, unit), ==, wanted);
    }
    g_assert_true(ov_state(ctx, "top")->is_own[5]);
    g_assert_cmpint(base->flushes, ==, 1);
    assert_base_is_at_rest(ctx);
}

static void test_empties(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);

    ov_put(ctx, "top", 0, 4, 9);
    commit(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_EMPTY });
    g_assert_false(ov_state(ctx, "top")->is_own[0]);
    g_assert_cmpint(ov_get(top, 3), ==, 9);
    g_assert_cmpint(ov_get(top, 4), ==, 0);
    assert_base_is_at_rest(ctx);
}

static void test_pivot(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    uint8_t byte = 4;

    ov_put(ctx, "top", 0, 4, 9);
    commit(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_PIVOT });
    g_assert_cmpstr(blk_get_node_name(top), ==, "base");
    g_assert_null(bdrv_find_node(ctx, "top"));
    g_assert_cmpint(ov_get(top, 3), ==, 9);
    g_assert_cmpint(blk_pwrite(top, 0, 1, &byte, 0), ==, 0);
    g_assert_cmpint(ov_state(ctx, "base")->data[0], ==, 4);
}

static void test_layers_between(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, DEEP, BLK_O_RDWR);
    OvState *base = ov_state(ctx, "base");

    ov_put(ctx, "base", 0, 3, 1);
    ov_put(ctx, "mid", 1, 1, 2);
    ov_put(ctx, "top", 2, 1, 3);
    commit(top, (BlockCommitOptions){ .base = "base", .end = BLOCK_COMMIT_KEEP });
    g_assert_cmpint(base->data[0], ==, 1);
    g_assert_cmpint(base->data[OV_UNIT], ==, 2);
    g_assert_cmpint(base->data[2 * OV_UNIT], ==, 3);
    g_assert_false(base->is_own[3]);
    /* Emptied, the top would show what the middle holds: older data. */
    commit_fails(top, (BlockCommitOptions){ .base = "base", .end = BLOCK_COMMIT_EMPTY }, EINVAL,
                 "would show older data");
    g_assert_cmpint(ov_get(top, 2), ==, 3);
}

/* A layer that ends early hides what lies deeper: as zeros, which the base must hold afterwards. */
static void test_zeros_of_a_short_layer(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(
        ctx, "driver=ov,node-name=top,size=64k,backing.driver=ov,backing.node-name=mid,"
        "backing.size=4k,backing.backing.driver=ov,backing.backing.node-name=base,"
        "backing.backing.size=64k", BLK_O_RDWR);

    ov_put(ctx, "base", 0, 16, 1);
    commit(top, (BlockCommitOptions){ .base = "base", .end = BLOCK_COMMIT_PIVOT });
    g_assert_cmpint(ov_get(top, 0), ==, 1);
    g_assert_cmpint(ov_get(top, 1), ==, 0);
    g_assert_cmpint(ov_get(top, 15), ==, 0);
}

static void test_base_grows(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(
        ctx, "driver=ov,node-name=top,size=64k,backing.driver=ov,backing.node-name=base,"
        "backing.size=8k", BLK_O_RDWR);

    ov_put(ctx, "top", 15, 1, 7);
    commit(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_EMPTY });
    g_assert_cmpint(ov_state(ctx, "base")->size, ==, 65536);
    g_assert_cmpint(ov_get(top, 15), ==, 7);
    g_assert_cmpint(ov_get(top, 14), ==, 0);
    g_assert_false(ov_state(ctx, "base")->is_own[14]);
}

/* ---- who may not ---- */

static void test_no_such_base(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    g_autoptr(BlockBackend) alone = ov_open_blk(ctx, "driver=ov,node-name=alone", BLK_O_RDWR);
    BlockCommitOptions options = { .base = "nope" };

    commit_fails(top, options, ENOENT, "Did not find 'nope' in the backing chain of");
    commit_fails(alone, (BlockCommitOptions){ .base = NULL }, EINVAL,
                 "Image does not have a backing file");
    blk_close(top);
    commit_fails(top, options, ENOMEDIUM, "closed");
}

static void test_base_of_somebody_else(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) base = ov_open_blk(ctx, BASE, 0);
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, "driver=ov,node-name=top,backing=base",
                                              BLK_O_RDWR);

    /* The base's other user does not allow writing. */
    commit_fails(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_KEEP }, EPERM,
                 "does not allow 'write' on base");
    g_assert_true(bdrv_find_node(ctx, "base")->read_only);
    g_assert_cmpint(top->root->bs->backing->frozen, ==, 0);
    g_assert_cmpuint(ctx->backends->len, ==, 2);
}

static void test_own_wish_of_the_base(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP ",backing.read-only=on", BLK_O_RDWR);

    commit_fails(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_KEEP }, EROFS, "read-only");
    assert_base_is_at_rest(ctx);
}

static void test_read_only_overlay_is_not_emptied(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, 0);

    ov_put(ctx, "top", 0, 1, 1);
    commit_fails(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_EMPTY }, EROFS, "read-only");
    commit(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_KEEP });
    g_assert_cmpint(ov_state(ctx, "base")->data[0], ==, 1);
}

/* ---- errors on the way ---- */

static void test_errors(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    BlockCommitOptions options = { .end = BLOCK_COMMIT_EMPTY };

    ov_put(ctx, "top", 10, 2, 5);
    ov_state(ctx, "base")->fail_writes = ENOSPC;
    commit_fails(top, options, ENOSPC, "error while writing at byte 40960");
    ov_state(ctx, "base")->fail_writes = 0;
    ov_state(ctx, "top")->fail_reads = EIO;
    commit_fails(top, options, EIO, "error while reading at byte 40960");
    ov_state(ctx, "top")->fail_reads = 0;
    ov_state(ctx, "base")->fail_flush = EIO;
    commit_fails(top, options, EIO, "error while flushing the target");
    ov_state(ctx, "base")->fail_flush = 0;
    g_assert_true(ov_state(ctx, "top")->is_own[10]);
    g_assert_cmpint(ov_get(top, 10), ==, 5);
    commit(top, options);
    g_assert_false(ov_state(ctx, "top")->is_own[10]);
    assert_base_is_at_rest(ctx);
}

static bool cancel_soon(int64_t done, int64_t total, void *opaque)
{
    return done < total / 2;
}

static void test_cancel(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    BlockCommitOptions options = { .end = BLOCK_COMMIT_EMPTY };

    for (int unit = 0; unit < 256; unit += 2) {
        ov_put(ctx, "top", unit, 1, 5);
    }
    options.job.progress = cancel_soon;
    commit_fails(top, options, ECANCELED, "cancelled");
    g_assert_true(ov_state(ctx, "top")->is_own[0]);
    assert_base_is_at_rest(ctx);

    options.job.progress = NULL;
    options.job.rate_limit = 1;         /* would take days */
    g_autoptr(BlockJob) job = start(top, options);
    g_autoptr(GError) error = NULL;

    block_job_cancel(job);
    g_assert_false(block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, ECANCELED);
    assert_base_is_at_rest(ctx);
}

static void test_chain_is_frozen(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    g_autoptr(BlockJob) job = NULL;
    g_autoptr(GError) error = NULL;

    ov_put(ctx, "top", 0, 4, 1);
    job = start(top, (BlockCommitOptions){ .wait_for_complete = true });
    g_assert_false(cairn_node_set_backing(ctx, "top", NULL, &error));
    g_assert_error(error, CAIRN_ERROR, EBUSY);
    g_assert_true(block_job_wait(job, NULL));
    g_assert_true(cairn_node_set_backing(ctx, "top", NULL, NULL));
}

/* ---- while a guest writes ---- */

typedef struct Guest {
    BlockBackend *blk;
    gint stop;                  /* atomic */
    gint rounds;                /* atomic */
    uint8_t last[256];          /* what each unit was last written with */
} Guest;

static void *guest_writes(void *opaque)
{
    Guest *g = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    uint8_t buf[OV_UNIT];

    while (!g_atomic_int_get(&g->stop)) {
        int unit = g_rand_int_range(rand, 0, 256);
        uint8_t byte = g_rand_int_range(rand, 1, 256);

        memset(buf, byte, sizeof(buf));
        g_assert_cmpint(blk_pwrite(g->blk, unit * OV_UNIT, OV_UNIT, buf, 0), ==, 0);
        g->last[unit] = byte;
        g_atomic_int_inc(&g->rounds);
    }
    return NULL;
}

static void guest_go_on(Guest *g, int rounds)
{
    gint until = g_atomic_int_get(&g->rounds) + rounds;
    AioContext *aio = aio_context_ensure();

    while (g_atomic_int_get(&g->rounds) < until) {
        aio_context_poll(aio, false);
    }
}

static void under_a_guest(BlockCommitEnd end)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    g_autoptr(GError) error = NULL;
    Guest guest = { .blk = top };
    GThread *thread = g_thread_new("guest", guest_writes, &guest);

    guest_go_on(&guest, 100);
    for (int i = 0; i < 5 && end != BLOCK_COMMIT_PIVOT; i++) {
        g_autoptr(BlockJob) again = start(top, (BlockCommitOptions){ .end = end });

        g_assert_true(block_job_wait(again, &error));
    }
    g_autoptr(BlockJob) job = start(top, (BlockCommitOptions){ .end = end,
                                                               .wait_for_complete = true });
    BlockJobStatus status = { 0 };

    while (status.state != BLOCK_JOB_READY) {
        guest_go_on(&guest, 1);
        block_job_get_status(job, &status);
    }
    guest_go_on(&guest, 300);
    g_assert_true(block_job_wait(job, &error));
    guest_go_on(&guest, 100);
    g_atomic_int_set(&guest.stop, 1);
    g_thread_join(thread);
    for (int unit = 0; unit < 256; unit++) {
        g_assert_cmpint(ov_get(top, unit), ==, guest.last[unit]);
    }
    g_assert_cmpstr(blk_get_node_name(top), ==, end == BLOCK_COMMIT_PIVOT ? "base" : "top");
}

static void test_empties_under_a_guest(void)
{
    under_a_guest(BLOCK_COMMIT_EMPTY);
}

static void test_pivots_under_a_guest(void)
{
    under_a_guest(BLOCK_COMMIT_PIVOT);
}

/* ---- inside other control calls ---- */

static void ignore_completion(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
}

/* The job has ended but for its last step when the call comes, which polls for a request. */
static void test_end_waits_for_a_control_call(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    g_autoptr(QDict) options = qdict_from_keyval("read-only=on", NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockJob) job = start(top, (BlockCommitOptions){ .end = BLOCK_COMMIT_PIVOT });
    uint8_t buf[OV_UNIT] = { 7 };
    IOVector iov;

    io_vector_init_buf(&iov, buf, sizeof(buf));
    blk_aio_pwritev(top, 0, &iov, 0, ignore_completion, NULL);
    /* The base is still written to. */
    g_assert_false(blk_reopen(top, options, &error));
    g_assert_error(error, CAIRN_ERROR, EROFS);
    g_assert_cmpstr(blk_get_node_name(top), ==, "top");
    g_assert_true(block_job_wait(job, NULL));
    g_assert_cmpstr(blk_get_node_name(top), ==, "base");
}

/* ---- by callbacks ---- */

typedef struct Told {
    int done;
    int64_t last, total;
    bool failed;
} Told;

static bool tell_progress(int64_t done, int64_t total, void *opaque)
{
    Told *told = opaque;

    g_assert_cmpint(done, >=, told->last);
    told->last = done;
    told->total = total;
    return true;
}

static void tell_done(BlockJob *job, const GError *error, void *opaque)
{
    Told *told = opaque;

    told->done++;
    told->failed = error != NULL;
    block_job_unref(job);
}

static void test_callbacks(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, TOP, BLK_O_RDWR);
    Told told = { 0 };
    BlockCommitOptions options = {
        .job = { .progress = tell_progress, .done = tell_done, .opaque = &told },
    };

    ov_put(ctx, "top", 0, 100, 1);
    start(top, options);
    while (!told.done) {
        aio_context_poll(aio_context_ensure(), true);
    }
    g_assert_cmpint(told.done, ==, 1);
    g_assert_false(told.failed);
    g_assert_cmpint(told.last, ==, 1 << 20);
    g_assert_cmpint(told.total, ==, 1 << 20);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/commit/copies/only-what-the-overlay-holds",
                    test_only_what_the_overlay_holds);
    g_test_add_func("/commit/end/empties-the-overlay", test_empties);
    g_test_add_func("/commit/end/pivot-gives-users-the-base", test_pivot);
    g_test_add_func("/commit/layers-between/are-copied-too", test_layers_between);
    g_test_add_func("/commit/short-layer/hides-as-zeros", test_zeros_of_a_short_layer);
    g_test_add_func("/commit/short-base/grows", test_base_grows);
    g_test_add_func("/commit/base/unknown-is-refused", test_no_such_base);
    g_test_add_func("/commit/base/with-another-user-is-refused", test_base_of_somebody_else);
    g_test_add_func("/commit/base/that-is-to-be-read-only-is-refused", test_own_wish_of_the_base);
    g_test_add_func("/commit/read-only-overlay/is-not-emptied",
                    test_read_only_overlay_is_not_emptied);
    g_test_add_func("/commit/errors/leave-the-overlay-as-it-was", test_errors);
    g_test_add_func("/commit/cancel/leaves-the-overlay-as-it-was", test_cancel);
    g_test_add_func("/commit/chain/is-frozen-meanwhile", test_chain_is_frozen);
    g_test_add_func("/commit/guest/loses-no-write-when-emptied", test_empties_under_a_guest);
    g_test_add_func("/commit/guest/loses-no-write-at-the-pivot", test_pivots_under_a_guest);
    g_test_add_func("/commit/end/waits-for-a-control-call", test_end_waits_for_a_control_call);
    g_test_add_func("/commit/callbacks/tell-progress-and-end", test_callbacks);
    return g_test_run();
}
