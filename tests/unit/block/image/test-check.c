/* SPDX-License-Identifier: MIT */
/* blk_check() and blk_make_empty(): who is asked, and who may. */
#include <errno.h>
#include <string.h>

#include "vault.h"

static BlockBackend *open_toy(CairnContext *ctx, const char *format, int flags)
{
    g_autofree char *options = g_strdup_printf("driver=%s,file.driver=vault,file.filename=x",
                                               format);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open_opts(ctx, options, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static void make_image(CairnContext *ctx, const char *format)
{
    g_autoptr(GError) error = NULL;

    blk_create(ctx, "vault:x", format, NULL, 512, &error);
    g_assert_no_error(error);
}

static void test_check(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockBackend) blk = NULL;
    BlockCheckResult result = { 0 };
    g_autoptr(GError) error = NULL;

    make_image(ctx, "toy");
    blk = open_toy(ctx, "toy", 0);
    g_assert_true(blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(result.leaks, ==, 3);
    g_assert_false(blk_check(blk, &result, BLOCK_CHECK_FIX_LEAKS, &error));
    g_assert_error(error, CAIRN_ERROR, EROFS);
    g_clear_error(&error);
    g_assert_cmpint(blk_close(blk), ==, 0);
    g_assert_false(blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
}

static void test_fix(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockBackend) blk = NULL;
    BlockCheckResult result = { 0 };

    make_image(ctx, "toy");
    blk = open_toy(ctx, "toy", BLK_O_RDWR);
    g_assert_true(blk_check(blk, &result, BLOCK_CHECK_FIX_LEAKS, NULL));
    g_assert_cmpint(result.leaks_fixed, ==, 3);
}

static void test_unsupported(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockBackend) blk = NULL;
    BlockCheckResult result = { 0 };
    g_autoptr(GError) error = NULL;

    make_image(ctx, "careful");
    blk = open_toy(ctx, "careful", BLK_O_RDWR);
    g_assert_false(blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
    g_assert_cmpstr(error->message, ==, "This image format does not support checks");
    g_clear_error(&error);
    g_assert_false(blk_make_empty(blk, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
}

static void test_make_empty(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockBackend) blk = NULL;
    g_autoptr(GError) error = NULL;
    uint8_t header[200];

    make_image(ctx, "toy");
    memcpy(header, vault_file("x")->data, 64);
    vault_put("x", header, sizeof(header));
    blk = open_toy(ctx, "toy", 0);
    g_assert_false(blk_make_empty(blk, &error));
    g_assert_error(error, CAIRN_ERROR, EROFS);
    g_clear_error(&error);
    g_clear_pointer(&blk, blk_unref);
    blk = open_toy(ctx, "toy", BLK_O_RDWR | BLK_O_RESIZE);
    blk_make_empty(blk, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(vault_file("x")->len, ==, 64);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/check/read-only-image/is-checked-but-not-fixed", test_check);
    g_test_add_func("/check/writable-image/is-fixed", test_fix);
    g_test_add_func("/check/format-without-checks/is-enotsup", test_unsupported);
    g_test_add_func("/make-empty/needs-a-writable-image", test_make_empty);
    return g_test_run();
}
