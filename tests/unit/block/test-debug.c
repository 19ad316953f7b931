/* SPDX-License-Identifier: MIT */
/* Breakpoints: which node is asked, and what is said where none has them. */
#include <errno.h>

#include "mem-driver.h"

static char *debug_log;         /* what the driver below was asked */
static int debug_removals;      /* of all breakpoints at once */

static bool dbg_breakpoint(BlockDriverState *bs, const char *event, const char *tag,
                           GError **error)
{
    g_free(debug_log);
    debug_log = g_strdup_printf("%s at %s", tag, event);
    return true;
}

static bool dbg_remove(BlockDriverState *bs, const char *tag, GError **error)
{
    if (!tag) {
        debug_removals++;
        return true;
    }
    cairn_set_error(error, ENOENT, "no %s", tag);
    return false;
}

static int dbg_is_suspended(BlockDriverState *bs, const char *tag)
{
    return !strcmp(tag, "there") ? 1 : -ENOENT;
}

static bool dbg_pass_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "below", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

/* A filter whose child has another name than "file". */
static const BlockDriver bdrv_dbg_pass = {
    .format_name = "dbg-pass",
    .is_filter = true,
    .bdrv_open = dbg_pass_open,
};

static bool dbg_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static const BlockDriver bdrv_dbg = {
    .format_name = "dbg",
    .is_filter = true,
    .bdrv_open = dbg_open,
    .bdrv_debug_breakpoint = dbg_breakpoint,
    .bdrv_debug_remove_breakpoint = dbg_remove,
    .bdrv_debug_resume = dbg_remove,
    .bdrv_debug_is_suspended = dbg_is_suspended,
};

static BlockBackend *debug_open(const char *options)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(bdrv_register(ctx, &bdrv_mem, &error));
    g_assert_true(bdrv_register(ctx, &bdrv_dbg, &error));
    g_assert_true(bdrv_register(ctx, &bdrv_dbg_pass, &error));
    BlockBackend *blk = blk_open_opts(ctx, options, 0, &error);

    g_assert_no_error(error);
    return blk;
}

static void test_first_node_that_can(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=raw,file.driver=dbg,file.file.driver=mem");
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_debug_breakpoint(blk, "pwritev", "A", &error));
    g_assert_cmpstr(debug_log, ==, "A at pwritev");
    g_assert_false(blk_debug_remove_breakpoint(blk, "A", &error));
    g_assert_error(error, CAIRN_ERROR, ENOENT);
    g_assert_cmpint(blk_debug_is_suspended(blk, "there"), ==, 1);
    g_assert_cmpint(blk_debug_is_suspended(blk, "A"), ==, -ENOENT);
    g_clear_pointer(&debug_log, g_free);
}

static void test_through_filter(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=dbg-pass,below.driver=dbg,"
                                             "below.file.driver=mem");

    g_assert_true(blk_debug_breakpoint(blk, "pwritev", "B", NULL));
    g_assert_cmpstr(debug_log, ==, "B at pwritev");
    g_clear_pointer(&debug_log, g_free);
}

/* A backend that has set none asks all the same: another one may have. */
static void test_set_by_another(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=dbg,file.driver=mem");

    g_assert_cmpint(blk_debug_is_suspended(blk, "there"), ==, 1);
    g_assert_false(blk_debug_resume(blk, "A", NULL));
}

static void test_close(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=dbg,file.driver=mem");

    debug_removals = 0;
    g_assert_true(blk_debug_breakpoint(blk, "pwritev", "A", NULL));
    blk_close(blk);
    g_assert_cmpint(debug_removals, ==, 1);
    g_assert_cmpint(blk_debug_is_suspended(blk, "A"), ==, -ENOTSUP);
    g_clear_pointer(&debug_log, g_free);
}

static gpointer debug_resume_thread(void *opaque)
{
    g_assert_false(blk_debug_resume(opaque, "A", NULL));
    g_assert_cmpint(blk_debug_is_suspended(opaque, "there"), ==, 1);
    return NULL;
}

/* As a drain does, this thread holds the control lock while it waits for another. */
static void test_control_lock_is_held(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=dbg,file.driver=mem");

    g_assert_true(blk_debug_breakpoint(blk, "pwritev", "A", NULL));
    CTL_LOCK_GUARD(blk->ctx);
    g_thread_join(g_thread_new("resume", debug_resume_thread, blk));
    g_clear_pointer(&debug_log, g_free);
}

static void debug_hear(const char *text, void *opaque)
{
    g_string_append(opaque, text);
}

static void test_notice(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=mem");
    g_autoptr(GString) heard = g_string_new(NULL);

    bdrv_notice(blk->root->bs, "nobody hears %d", 1);
    cairn_context_set_notice_func(blk->ctx, debug_hear, heard);
    bdrv_notice(blk->root->bs, "somebody hears %d", 2);
    g_assert_cmpstr(heard->str, ==, "somebody hears 2");
}

static void test_no_such_node(void)
{
    g_autoptr(BlockBackend) blk = debug_open("driver=raw,file.driver=mem");
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_debug_breakpoint(blk, "pwritev", "A", &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
    g_assert_cmpstr(error->message, ==, "Operation not supported");
    g_assert_false(blk_debug_resume(blk, "A", NULL));
    g_assert_cmpint(blk_debug_is_suspended(blk, "A"), ==, -ENOTSUP);
    blk_close(blk);
    g_assert_false(blk_debug_breakpoint(blk, "pwritev", "A", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/debug/breakpoint/is-kept-by-the-first-node-that-can",
                    test_first_node_that_can);
    g_test_add_func("/debug/breakpoint/is-looked-for-through-filters", test_through_filter);
    g_test_add_func("/debug/breakpoint/of-another-backend-is-asked-for", test_set_by_another);
    g_test_add_func("/debug/breakpoint/goes-when-its-backend-closes", test_close);
    g_test_add_func("/debug/resume/works-while-a-control-call-waits", test_control_lock_is_held);
    g_test_add_func("/debug/notice/is-heard-by-who-asked", test_notice);
    g_test_add_func("/debug/without-such-a-node/is-not-supported", test_no_such_node);
    return g_test_run();
}
