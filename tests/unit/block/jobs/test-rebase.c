/* SPDX-License-Identifier: MIT */
/* rebase: another backing file, the same content. */
#include <cairn/job.h>

#include "overlay-driver.h"

#define TOP "driver=ov,node-name=top,size=1M,backing.driver=ov,backing.node-name=old," \
    "backing.size=1M"

typedef struct RebaseFixture {
    CairnContext *ctx;
    BlockBackend *top, *new;
    OvState *s;
} RebaseFixture;

static void setup(RebaseFixture *f, const char *top, const char *new)
{
    f->ctx = ov_context_new();
    f->top = ov_open_blk(f->ctx, top, BLK_O_RDWR);
    f->new = new ? ov_open_blk(f->ctx, new, BLK_O_SHARE_WRITE) : NULL;
    f->s = ov_state(f->ctx, "top");
}

static void teardown(RebaseFixture *f)
{
    blk_unref(f->top);
    blk_unref(f->new);
    cairn_context_unref(f->ctx);
}

static void rebase(RebaseFixture *f, BlockRebaseOptions options)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(block_rebase(f->top, f->new, &options, &error));
    g_assert_no_error(error);
}

static void rebase_fails(RebaseFixture *f, BlockRebaseOptions options, int err, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(block_rebase(f->top, f->new, &options, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, part));
}

static void test_copies_what_differs(void)
{
    RebaseFixture f;

    setup(&f, TOP, "driver=ov,node-name=new,size=1M");
    ov_put(f.ctx, "old", 0, 100, 1);
    ov_put(f.ctx, "new", 50, 150, 1);
    ov_put(f.ctx, "new", 60, 2, 7);
    ov_put(f.ctx, "top", 61, 1, 3);
    rebase(&f, (BlockRebaseOptions){ .backing_name = "n.img", .backing_format = "raw" });
    g_assert_cmpstr(f.s->recorded, ==, "n.img as raw");
    g_assert_cmpstr(f.top->root->bs->backing->bs->node_name, ==, "new");
    for (int unit = 0; unit < 256; unit++) {
        bool differs = unit < 50 || unit == 60 || (unit >= 100 && unit < 200);

        g_assert_cmpint(f.s->is_own[unit], ==, differs || unit == 61);
        g_assert_cmpint(ov_get(f.top, unit), ==, unit == 61 ? 3 : unit < 100 ? 1 : 0);
    }
    teardown(&f);
}

static void test_to_none(void)
{
    RebaseFixture f;

    setup(&f, TOP, NULL);
    ov_put(f.ctx, "old", 10, 2, 1);
    rebase(&f, (BlockRebaseOptions){ 0 });
    g_assert_cmpstr(f.s->recorded, ==, "none as unknown");
    g_assert_null(f.top->root->bs->backing);
    g_assert_true(f.s->is_own[10]);
    g_assert_false(f.s->is_own[9]);
    g_assert_cmpint(ov_get(f.top, 11), ==, 1);
    teardown(&f);
}

static void test_from_none(void)
{
    RebaseFixture f;

    setup(&f, "driver=ov,node-name=top,size=1M,detect-zeroes=on", "driver=ov,node-name=new");
    ov_put(f.ctx, "new", 3, 2, 9);
    rebase(&f, (BlockRebaseOptions){ .backing_name = "n" });
    g_assert_true(f.s->is_own[3]);
    g_assert_false(f.s->is_own[5]);
    g_assert_cmpint(ov_get(f.top, 3), ==, 0);
    teardown(&f);
}

static void test_shorter_and_longer(void)
{
    RebaseFixture f;

    setup(&f, "driver=ov,node-name=top,size=64k,backing.driver=ov,backing.node-name=old,"
          "backing.size=1M", "driver=ov,node-name=new,size=8k");
    ov_put(f.ctx, "old", 0, 256, 1);
    ov_put(f.ctx, "new", 0, 2, 1);
    rebase(&f, (BlockRebaseOptions){ .backing_name = "n" });
    for (int unit = 0; unit < 16; unit++) {
        g_assert_cmpint(f.s->is_own[unit], ==, unit >= 2);
        g_assert_cmpint(ov_get(f.top, unit), ==, 1);
    }
    teardown(&f);
}

static void test_name_only(void)
{
    RebaseFixture f;

    setup(&f, TOP, NULL);
    ov_put(f.ctx, "old", 0, 10, 1);
    rebase(&f, (BlockRebaseOptions){ .backing_name = "x", .change_name_only = true });
    g_assert_cmpstr(f.s->recorded, ==, "x as unknown");
    g_assert_cmpint(f.s->writes, ==, 0);
    g_assert_nonnull(f.top->root->bs->backing);
    teardown(&f);
}

static bool cancel_at_once(int64_t done, int64_t total, void *opaque)
{
    return false;
}

static void test_failures(void)
{
    BlockRebaseOptions options = { .backing_name = "n" };
    RebaseFixture f;

    setup(&f, TOP, "driver=ov,node-name=new,size=1M");
    ov_put(f.ctx, "old", 0, 10, 1);
    f.s->fail_writes = ENOSPC;
    rebase_fails(&f, options, ENOSPC, "error while copying into");
    f.s->fail_writes = 0;
    ov_state(f.ctx, "new")->fail_reads = EIO;
    rebase_fails(&f, options, EIO, "error while copying into");
    ov_state(f.ctx, "new")->fail_reads = 0;
    f.s->fail_change = true;
    rebase_fails(&f, options, ENOSPC, "no room");
    f.s->fail_change = false;
    options.progress = cancel_at_once;
    rebase_fails(&f, options, ECANCELED, "cancelled");
    g_assert_null(f.s->recorded);
    g_assert_cmpstr(f.top->root->bs->backing->bs->node_name, ==, "old");
    g_assert_cmpint(ov_get(f.top, 9), ==, 1);
    g_assert_cmpuint(f.ctx->backends->len, ==, 2);
    teardown(&f);
}

static void test_refusals(void)
{
    BlockRebaseOptions options = { .backing_name = "n" };
    g_autoptr(CairnContext) ctx = ov_context_new();
    g_autoptr(BlockBackend) raw = ov_open_blk(ctx, "driver=raw,file.driver=ov", BLK_O_RDWR);
    g_autoptr(BlockBackend) fixed = ov_open_blk(ctx, "driver=ov", 0);
    g_autoptr(BlockBackend) top = ov_open_blk(ctx, "driver=ov,node-name=top", BLK_O_RDWR);
    g_autoptr(BlockBackend) over = ov_open_blk(ctx, "driver=ov,backing=top", BLK_O_SHARE_WRITE);
    RebaseFixture f = { .ctx = ctx, .top = raw };

    rebase_fails(&f, options, ENOTSUP, "Operation not supported");
    f.top = fixed;
    rebase_fails(&f, options, EROFS, "read-only");
    f.top = top;
    f.new = over;
    rebase_fails(&f, options, ELOOP, "its own backing file");
    blk_close(over);
    rebase_fails(&f, options, ENOMEDIUM, "closed");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rebase/copies/only-what-differs", test_copies_what_differs);
    g_test_add_func("/rebase/to-none/copies-all-that-shows", test_to_none);
    g_test_add_func("/rebase/from-none/stores-zeros-that-would-be-hidden", test_from_none);
    g_test_add_func("/rebase/lengths/past-the-end-is-zero", test_shorter_and_longer);
    g_test_add_func("/rebase/name-only/copies-nothing", test_name_only);
    g_test_add_func("/rebase/failures/leave-the-old-backing-file", test_failures);
    g_test_add_func("/rebase/what-cannot-be/is-refused", test_refusals);
    return g_test_run();
}
