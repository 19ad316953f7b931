/* SPDX-License-Identifier: MIT */
/* Errors of the control plane. */
#include <cairn/error.h>

#include <errno.h>

static void test_code_is_the_errno(void)
{
    g_autoptr(GError) error = NULL;

    cairn_set_error(&error, ENOSPC, "no room for %d bytes", 7);
    g_assert_error(error, CAIRN_ERROR, ENOSPC);
    g_assert_cmpstr(error->message, ==, "no room for 7 bytes");
    g_assert_cmpint(cairn_error_errno(error), ==, ENOSPC);
}

static void test_errno_text_is_added(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = g_strdup_printf("cannot open 'x': %s", g_strerror(ENOENT));

    cairn_set_error_errno(&error, ENOENT, "cannot open '%s'", "x");
    g_assert_error(error, CAIRN_ERROR, ENOENT);
    g_assert_cmpstr(error->message, ==, expected);
}

static void test_percent_in_argument_stays(void)
{
    g_autoptr(GError) error = NULL;

    cairn_set_error_errno(&error, EIO, "%s", "100%s%n");
    g_assert_true(g_str_has_prefix(error->message, "100%s%n: "));
    cairn_error_append_hint(&error, "%s", "%d");
    g_assert_true(g_str_has_suffix(error->message, "\n%d"));
}

static void test_null_is_ignored(void)
{
    GError *unset = NULL;

    cairn_set_error(NULL, EIO, "x");
    cairn_set_error_errno(NULL, EIO, "x");
    cairn_error_append_hint(NULL, "x");
    cairn_error_append_hint(&unset, "x");
    g_assert_null(unset);
    g_assert_cmpint(cairn_error_errno(NULL), ==, 0);
}

static void test_hints_stand_in_order(void)
{
    g_autoptr(GError) error = NULL;

    cairn_set_error(&error, EINVAL, "first");
    cairn_error_append_hint(&error, "second");
    cairn_error_append_hint(&error, "third %d", 3);
    g_assert_cmpstr(error->message, ==, "first\nsecond\nthird 3");
    g_assert_cmpint(error->code, ==, EINVAL);
}

static void test_errno_is_kept(void)
{
    g_autoptr(GError) error = NULL;

    errno = EXDEV;
    cairn_set_error_errno(&error, EIO, "x");
    g_assert_cmpint(errno, ==, EXDEV);
}

static void test_foreign_error_is_eio(void)
{
    g_autoptr(GError) error = g_error_new(G_CONVERT_ERROR, 3, "x");

    g_assert_cmpint(cairn_error_errno(error), ==, EIO);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/code-is-the-errno", test_code_is_the_errno);
    g_test_add_func("/error/text-of-errno-is-added", test_errno_text_is_added);
    g_test_add_func("/error/percent-in-an-argument-stays", test_percent_in_argument_stays);
    g_test_add_func("/error/null-is-ignored", test_null_is_ignored);
    g_test_add_func("/error/hints-stand-in-order", test_hints_stand_in_order);
    g_test_add_func("/error/errno-is-kept", test_errno_is_kept);
    g_test_add_func("/error/of-another-domain-is-EIO", test_foreign_error_is_eio);
    return g_test_run();
}
