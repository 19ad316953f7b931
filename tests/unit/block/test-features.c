/* SPDX-License-Identifier: MIT */
/*
 * What formats can do must be what their drivers offer.
 */
#include <cairn/cairn.h>

static const BlockDriver features_plain = { .format_name = "plain" };

static void built_in(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    g_assert_cmpint(cairn_format_features(ctx, "raw"), ==,
                    CAIRN_FORMAT_CREATE | CAIRN_FORMAT_RESIZE | CAIRN_FORMAT_MEASURE);
    g_assert_cmpint(cairn_format_features(ctx, "qcow"), ==,
                    CAIRN_FORMAT_CREATE | CAIRN_FORMAT_BACKING | CAIRN_FORMAT_COMPRESS |
                    CAIRN_FORMAT_CHECK | CAIRN_FORMAT_RESIZE | CAIRN_FORMAT_REBASE |
                    CAIRN_FORMAT_MEASURE | CAIRN_FORMAT_COMPACT);
}

static void unknown(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    g_assert_cmpint(cairn_format_features(ctx, "plain"), ==, -1);
}

static void registered(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    g_assert_true(bdrv_register(ctx, &features_plain, NULL));
    g_assert_cmpint(cairn_format_features(ctx, "plain"), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/features/built-in/are-what-the-drivers-offer", built_in);
    g_test_add_func("/features/unknown-format/is-minus-one", unknown);
    g_test_add_func("/features/own-driver/has-what-it-fills-in", registered);
    return g_test_run();
}
