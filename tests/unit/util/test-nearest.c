/* SPDX-License-Identifier: MIT */
/*
 * Misspelt names, and words that are no misspelt names.
 */
#include <cairn/nearest.h>

#include <errno.h>

static const char *const commands[] = {
    "amend", "check", "compare", "convert", "create", "dd", "info", "map", "resize", NULL,
};

static void slips_are_recognised(void)
{
    static const struct {
        const char *word, *meant;
    } slips[] = {
        { "convrt", "convert" },        /* left out */
        { "conveert", "convert" },      /* twice */
        { "canvert", "convert" },       /* another letter */
        { "ocnvert", "convert" },       /* swapped */
        { "inof", "info" },
        { "Info", "info" },
        { "RESIZE", "resize" },
        { "ceck", "check" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(slips); i++) {
        g_assert_cmpstr(cairn_nearest_name(slips[i].word, commands), ==, slips[i].meant);
    }
}

static void other_words_are_not(void)
{
    static const char *const words[] = { "", "foo", "frobnicate", "d", "xx", "mop up", "con" };
    g_autofree char *endless = g_strnfill(100000, 'c');

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        g_assert_cmpstr(cairn_nearest_name(words[i], commands), ==, NULL);
    }
    g_assert_null(cairn_nearest_name(endless, commands));
}

static void known_name_is_no_slip(void)
{
    static const char *const names[] = { "create", "created", NULL };

    g_assert_null(cairn_nearest_name("create", names));
    g_assert_null(cairn_nearest_name("created", names));
}

static void nearest_of_several_wins(void)
{
    static const char *const names[] = { "compare", "compact", "commit", NULL };

    g_assert_cmpstr(cairn_nearest_name("compat", names), ==, "compact");
    g_assert_cmpstr(cairn_nearest_name("comare", names), ==, "compare");
}

static void other_version_is_no_slip(void)
{
    static const char *const names[] = { "qcow", "vhd3", NULL };

    g_assert_null(cairn_nearest_name("qcow2", names));
    g_assert_null(cairn_nearest_name("vhd4", names));
    g_assert_cmpstr(cairn_nearest_name("qcwo", names), ==, "qcow");
}

static void hint_stands_last(void)
{
    g_autoptr(GError) near = NULL;
    g_autoptr(GError) far = NULL;

    cairn_error_append_nearest(NULL, "creat", commands);
    cairn_set_error(&near, EINVAL, "no 'creat'");
    cairn_error_append_nearest(&near, "creat", commands);
    g_assert_cmpstr(near->message, ==, "no 'creat'\nDid you mean 'create'?");
    cairn_set_error(&far, EINVAL, "no 'abracadabra'");
    cairn_error_append_nearest(&far, "abracadabra", commands);
    g_assert_cmpstr(far->message, ==, "no 'abracadabra'");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nearest/slip/is-recognised", slips_are_recognised);
    g_test_add_func("/nearest/other-word/is-not", other_words_are_not);
    g_test_add_func("/nearest/known-name/is-no-slip", known_name_is_no_slip);
    g_test_add_func("/nearest/several/nearest-wins", nearest_of_several_wins);
    g_test_add_func("/nearest/other-version/is-no-slip", other_version_is_no_slip);
    g_test_add_func("/nearest/hint/stands-last", hint_stands_last);
    return g_test_run();
}
