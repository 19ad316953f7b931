/* SPDX-License-Identifier: MIT */
/* Changing the recorded backing file: what is asked of the driver, and when it is not asked. */
#include <errno.h>

#include "mem-driver.h"

static char *change_log;

static bool rec_change(BlockDriverState *bs, const char *name, const char *format,
                       GError **error)
{
    g_free(change_log);
    change_log = g_strdup_printf("%s as %s", name ? name : "none", format ? format : "unknown");
    return true;
}

static bool rec_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_IMAGE, error);
}

static const BlockDriver bdrv_rec = {
    .format_name = "rec",
    .is_format = true,
    .bdrv_open = rec_open,
    .bdrv_change_backing_file = rec_change,
};

static BlockBackend *change_open(const char *options, int flags)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(bdrv_register(ctx, &bdrv_mem, &error));
    g_assert_true(bdrv_register(ctx, &bdrv_rec, &error));
    BlockBackend *blk = blk_open_opts(ctx, options, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static void test_asked(void)
{
    g_autoptr(BlockBackend) blk = change_open("driver=rec,file.driver=mem", BLK_O_RDWR);

    g_assert_true(blk_change_backing_file(blk, "b.raw", "raw", NULL));
    g_assert_cmpstr(change_log, ==, "b.raw as raw");
    g_assert_true(blk_change_backing_file(blk, NULL, NULL, NULL));
    g_assert_cmpstr(change_log, ==, "none as unknown");
    g_clear_pointer(&change_log, g_free);
}

static void refused(const char *options, int flags, int err)
{
    g_autoptr(BlockBackend) blk = change_open(options, flags);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_change_backing_file(blk, "b.raw", "raw", &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_null(change_log);
}

static void test_refusals(void)
{
    refused("driver=raw,file.driver=mem", BLK_O_RDWR, ENOTSUP);
    refused("driver=rec,file.driver=mem", 0, EROFS);
}

static void test_closed(void)
{
    g_autoptr(BlockBackend) blk = change_open("driver=rec,file.driver=mem", BLK_O_RDWR);
    g_autoptr(GError) error = NULL;

    blk_close(blk);
    g_assert_false(blk_change_backing_file(blk, "b.raw", "raw", &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/change-backing/driver/is-asked", test_asked);
    g_test_add_func("/change-backing/read-only-or-unable/is-refused", test_refusals);
    g_test_add_func("/change-backing/closed/is-refused", test_closed);
    return g_test_run();
}
