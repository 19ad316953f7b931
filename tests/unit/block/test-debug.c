/* SPDX-License-Identifier: MIT */
/* Breakpoints: which node is asked, and what is said where none has them. */
#include <errno.h>

#include "mem-driver.h"

static char *debug_log;         /* what the driver below was asked */

static bool dbg_breakpoint(BlockDriverState *bs, const char *event, const char *tag,
                           GError **error)
{
    g_free(debug_log);
    debug_log = g_strdup_printf("%s at %s", tag, event);
    return true;
}

static bool dbg_remove(BlockDriverState *bs, const char *tag, GError **error)
{
    cairn_set_error(error, ENOENT, "no %s", tag);
    return false;
}

static int dbg_is_suspended(BlockDriverState *bs, const char *tag)
{
    return !strcmp(tag, "there") ? 1 : -ENOENT;
}

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
    g_test_add_func("/debug/without-such-a-node/is-not-supported", test_no_such_node);
    return g_test_run();
}
