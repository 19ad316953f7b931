/* SPDX-License-Identifier: MIT */
/* stream: an image takes in what its backing files hold. */
#include <cairn/job.h>

#include "overlay-driver.h"

#define CHAIN "driver=ov,node-name=top,size=1M,backing.driver=ov,backing.node-name=mid," \
    "backing.size=1M,backing.backing.driver=ov,backing.backing.node-name=base,backing.backing.size=1M"

static void stream(BlockBackend *blk, BlockStreamOptions options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockJob) job = block_stream_start(blk, &options, &error);

    g_assert_no_error(error);
    g_assert_true(block_job_wait(job, &error));
    g_assert_no_error(error);
}

static void stream_fails(BlockBackend *blk, BlockStreamOptions options, int err,
                         const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockJob) job = block_stream_start(blk, &options, &error);

    g_assert_true(!job || !block_job_wait(job, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, part));
}

static void put_chain(CairnContext *ctx)
{
    ov_put(ctx, "base", 0, 20, 1);
    ov_put(ctx, "mid", 5, 5, 2);
    ov_put(ctx, "mid", 15, 1, 0);
    ov_put(ctx, "top", 7, 1, 3);
}

static int wanted_of(int unit)
{
    return unit == 7 ? 3 : unit == 15 ? 0 : unit >= 5 && unit < 10 ? 2 : unit < 20 ? 1 : 0;
}

static void assert_reads_as_before(BlockBackend *blk)
{
    for (int unit = 0; unit < 256; unit++) {
        g_assert_cmpint(ov_get(blk, unit), ==, wanted_of(unit));
    }
}

static void test_all(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, CHAIN, BLK_O_RDWR);
    OvState *s = ov_state(ctx, "top");

    put_chain(ctx);
    stream(top, (BlockStreamOptions){ 0 });
    g_assert_null(top->root->bs->backing);
    g_assert_null(bdrv_find_node(ctx, "mid"));
    g_assert_cmpstr(s->recorded, ==, "none as unknown");
    assert_reads_as_before(top);
    for (int unit = 0; unit < 256; unit++) {
        g_assert_cmpint(s->is_own[unit], ==, unit < 20);
    }
}

static void test_down_to_a_base(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, CHAIN, BLK_O_RDWR);
    OvState *s = ov_state(ctx, "top");

    put_chain(ctx);
    stream(top, (BlockStreamOptions){ .base = "base", .backing_name = "base.img" });
    g_assert_cmpstr(top->root->bs->backing->bs->node_name, ==, "base");
    g_assert_null(bdrv_find_node(ctx, "mid"));
    g_assert_cmpstr(s->recorded, ==, "base.img as ov");
    assert_reads_as_before(top);
    for (int unit = 0; unit < 256; unit++) {
        g_assert_cmpint(s->is_own[unit], ==, (unit >= 5 && unit < 10) || unit == 15);
    }
}

/* What a short layer hides stays hidden: its zeros are stored. */
static void test_zeros_of_a_short_layer(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(
        ctx, "driver=ov,node-name=top,size=64k,backing.driver=ov,backing.node-name=mid,"
        "backing.size=4k,backing.backing.driver=ov,backing.backing.node-name=base,"
        "backing.backing.size=64k,detect-zeroes=on", BLK_O_RDWR);

    ov_put(ctx, "base", 0, 16, 1);
    stream(top, (BlockStreamOptions){ .base = "base" });
    g_assert_cmpint(ov_get(top, 0), ==, 1);
    g_assert_cmpint(ov_get(top, 1), ==, 0);
    g_assert_cmpint(ov_get(top, 15), ==, 0);
}

static void test_refusals(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) fixed = ov_open_blk(ctx, "driver=ov,backing.driver=ov", 0);
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, CHAIN, BLK_O_RDWR);
    BlockStreamOptions options = { .base = "nope" };

    stream_fails(fixed, (BlockStreamOptions){ 0 }, EROFS, "read-only");
    stream_fails(top, options, ENOENT, "Did not find 'nope'");
    blk_close(top);
    stream_fails(top, options, ENOMEDIUM, "closed");
}

static void test_errors(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, CHAIN, BLK_O_RDWR);

    put_chain(ctx);
    ov_state(ctx, "top")->fail_writes = ENOSPC;
    stream_fails(top, (BlockStreamOptions){ 0 }, ENOSPC, "error while streaming into");
    ov_state(ctx, "top")->fail_writes = 0;
    ov_state(ctx, "base")->fail_reads = EIO;
    stream_fails(top, (BlockStreamOptions){ 0 }, EIO, "error while streaming into");
    ov_state(ctx, "base")->fail_reads = 0;
    ov_state(ctx, "top")->fail_flush = EIO;
    stream_fails(top, (BlockStreamOptions){ 0 }, EIO, "error while flushing");
    ov_state(ctx, "top")->fail_flush = 0;
    ov_state(ctx, "top")->fail_change = true;
    stream_fails(top, (BlockStreamOptions){ 0 }, ENOSPC, "no room for the name");
    g_assert_cmpstr(top->root->bs->backing->bs->node_name, ==, "mid");
    g_assert_cmpint(top->root->bs->backing->frozen, ==, 0);
    assert_reads_as_before(top);
    ov_state(ctx, "top")->fail_change = false;
    stream(top, (BlockStreamOptions){ 0 });
    assert_reads_as_before(top);
}

static bool cancel_soon(int64_t done, int64_t total, void *opaque)
{
    return done < 65536;
}

static void test_cancel(void)
{
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, CHAIN, BLK_O_RDWR);
    BlockStreamOptions options = { .job.progress = cancel_soon };

    put_chain(ctx);
    stream_fails(top, options, ECANCELED, "cancelled");
    g_assert_nonnull(bdrv_find_node(ctx, "mid"));
    assert_reads_as_before(top);
}

/* ---- while a guest writes ---- */

typedef struct Guest {
    BlockBackend *blk;
    gint stop;                  /* atomic */
    gint rounds;                /* atomic */
    int last[256];              /* -1: never written */
} Guest;

/* A part of a unit: what surrounds it must be copied up, and never again be overwritten. */
static void *guest_writes(void *opaque)
{
    Guest *g = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);

    while (!g_atomic_int_get(&g->stop)) {
        int unit = g_rand_int_range(rand, 0, 256);
        uint8_t byte = g_rand_int_range(rand, 10, 256), back;

        g_assert_cmpint(blk_pwrite(g->blk, unit * OV_UNIT + 100, 1, &byte, 0), ==, 0);
        g->last[unit] = byte;
        g_assert_cmpint(blk_pread(g->blk, unit * OV_UNIT + 100, 1, &back), ==, 0);
        g_assert_cmpint(back, ==, byte);
        g_atomic_int_inc(&g->rounds);
    }
    return NULL;
}

static void test_under_a_guest(void)
{
    for (int round = 0; round < 10; round++) {
        g_autoptr(CairnContext) ctx = ov_context_new();
        g_autoptr(BlockBackend) top = ov_open_blk(ctx, CHAIN, BLK_O_RDWR);
        Guest guest = { .blk = top };
        GThread *thread;

        ov_put(ctx, "base", 0, 256, 1);
        ov_put(ctx, "mid", 100, 100, 2);
        memset(guest.last, -1, sizeof(guest.last));
        thread = g_thread_new("guest", guest_writes, &guest);
        while (g_atomic_int_get(&guest.rounds) < 20) {
            g_thread_yield();
        }
        stream(top, (BlockStreamOptions){ .base = round % 2 ? "base" : NULL });
        g_atomic_int_set(&guest.stop, 1);
        g_thread_join(thread);
        for (int unit = 0; unit < 256; unit++) {
            uint8_t buf[OV_UNIT], old = unit >= 100 && unit < 200 ? 2 : 1;

            g_assert_cmpint(blk_pread(top, unit * OV_UNIT, OV_UNIT, buf), ==, 0);
            g_assert_cmpint(buf[100], ==, guest.last[unit] < 0 ? old : guest.last[unit]);
            g_assert_cmpint(buf[99], ==, old);
            g_assert_cmpint(buf[OV_UNIT - 1], ==, old);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream/all/needs-no-backing-file-any-more", test_all);
    g_test_add_func("/stream/base/stays-below", test_down_to_a_base);
    g_test_add_func("/stream/short-layer/hides-as-zeros", test_zeros_of_a_short_layer);
    g_test_add_func("/stream/what-cannot-be/is-refused", test_refusals);
    g_test_add_func("/stream/errors/leave-the-chain-as-it-was", test_errors);
    g_test_add_func("/stream/cancel/leaves-the-chain-as-it-was", test_cancel);
    g_test_add_func("/stream/guest/is-never-overwritten", test_under_a_guest);
    return g_test_run();
}
