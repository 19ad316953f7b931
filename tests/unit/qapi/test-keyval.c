/* SPDX-License-Identifier: MIT */
/* qapi/keyval.c: option strings. */
#include <cairn/qdict.h>

#include <errno.h>
#include <string.h>

static void assert_parses(const char *text, const char *implied_key, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) dict = qdict_from_keyval(text, implied_key, &error);
    g_autofree char *json = NULL;

    g_assert_no_error(error);
    json = qobject_to_json(QOBJECT(dict), false);
    g_assert_cmpstr(json, ==, expected);
}

static void assert_fails(const char *text, const char *implied_key, int err, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(qdict_from_keyval(text, implied_key, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_pairs(void)
{
    assert_parses("size=1k", NULL, "{\"size\": \"1k\"}");
    assert_parses("driver=qcow,file.filename=a.qcow", NULL,
                  "{\"driver\": \"qcow\", \"file.filename\": \"a.qcow\"}");
    assert_parses("a=", NULL, "{\"a\": \"\"}");
    assert_parses("a=b=c", NULL, "{\"a\": \"b=c\"}");
    assert_parses("a=,b=1", NULL, "{\"a\": \"\", \"b\": \"1\"}");
    assert_parses("children.0.driver=x", NULL, "{\"children.0.driver\": \"x\"}");
}

static void test_later_wins(void)
{
    assert_parses("size=1k,x=1,size=2k", NULL, "{\"size\": \"2k\", \"x\": \"1\"}");
}

static void test_doubled_comma(void)
{
    assert_parses("a=x,,y", NULL, "{\"a\": \"x,y\"}");
    assert_parses("a=x,,", NULL, "{\"a\": \"x,\"}");
    assert_parses("a=,,", NULL, "{\"a\": \",\"}");
    assert_parses("a=,,,,", NULL, "{\"a\": \",,\"}");
    assert_parses("a=x,,,b=1", NULL, "{\"a\": \"x,\", \"b\": \"1\"}");
    assert_parses("a=1,,b=2", NULL, "{\"a\": \"1,b=2\"}");
}

static void test_bare_words(void)
{
    assert_parses("nocow", NULL, "{\"cow\": \"off\"}");
    assert_parses("read-only", NULL, "{\"read-only\": \"on\"}");
    assert_parses("a=1,noread-only", NULL, "{\"a\": \"1\", \"read-only\": \"off\"}");
    assert_parses("no", NULL, "{\"no\": \"on\"}");
    assert_parses("help", NULL, "{\"help\": \"on\"}");
    assert_parses("?", NULL, "{\"?\": \"on\"}");
}

static void test_reports_bare_words(void)
{
    g_auto(GStrv) bare = NULL;
    g_autoptr(QDict) dict = qdict_from_keyval_bare("node0,a=1,help,nox,b=2", "ref", &bare, NULL);

    g_assert_nonnull(dict);
    g_assert_cmpuint(g_strv_length(bare), ==, 2);
    g_assert_cmpstr(bare[0], ==, "help");
    g_assert_cmpstr(bare[1], ==, "nox");
    g_assert_cmpstr(qdict_get_try_str(dict, "ref"), ==, "node0");
}

static void test_implied_key(void)
{
    assert_parses("secret,id=s", "qom-type", "{\"qom-type\": \"secret\", \"id\": \"s\"}");
    assert_parses("nocow", "ref", "{\"ref\": \"nocow\"}");
    assert_parses("a,,b", "ref", "{\"ref\": \"a,b\"}");
    assert_parses("a=1,word", "ref", "{\"a\": \"1\", \"word\": \"on\"}");
    assert_parses("", "ref", "{}");
    assert_parses(",a=1", "ref", "{\"ref\": \"\", \"a\": \"1\"}");
    assert_parses("a=1,", "ref", "{\"a\": \"1\"}");
}

static void test_ends(void)
{
    assert_fails("", NULL, EINVAL, "Invalid option list: ");
    assert_fails(",", NULL, EINVAL, "Invalid option list: ,");
    assert_fails(",a=1", NULL, EINVAL, "Invalid option list: ,a=1");
    assert_fails("a=1,", NULL, EINVAL, "Invalid option list: a=1,");
    assert_fails("a,", NULL, EINVAL, "Invalid option list: a,");
    assert_fails("a=1,,,", NULL, EINVAL, "Invalid option list: a=1,,,");
}

static void test_empty_names(void)
{
    assert_fails("=x", NULL, EINVAL, "Invalid parameter ''");
    assert_fails("a=1,=x", "ref", EINVAL, "Invalid parameter ''");
    assert_fails("a,,b=1", NULL, EINVAL, "Invalid parameter ''");
}

static void test_length_limit(void)
{
    g_autofree char *filler = g_strnfill((1 << 20) - 2, 'x');
    g_autofree char *fits = g_strconcat("a=", filler, NULL);
    g_autofree char *too_long = g_strconcat("a=x", filler, NULL);
    g_autoptr(QDict) dict = qdict_from_keyval(fits, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(dict);
    g_assert_null(qdict_from_keyval(too_long, NULL, &error));
    g_assert_error(error, CAIRN_ERROR, E2BIG);
}

static char *keyval_of(int count)
{
    GString *text = g_string_new("k0=1");

    for (int i = 1; i < count; i++) {
        g_string_append_printf(text, ",k%d=1", i);
    }
    return g_string_free(text, FALSE);
}

static void test_count_limit(void)
{
    g_autofree char *fits = keyval_of(4096);
    g_autofree char *too_many = keyval_of(4097);
    g_autoptr(QDict) dict = qdict_from_keyval(fits, NULL, NULL);

    g_assert_cmpuint(qdict_size(dict), ==, 4096);
    assert_fails(too_many, NULL, E2BIG, "More than 4096 options");
}

static void test_depth_limit(void)
{
    GString *key = g_string_new("a");
    g_autoptr(QDict) dict = NULL;
    g_autoptr(GError) error = NULL;

    for (int i = 1; i < 128; i++) {
        g_string_append(key, ".a");
    }
    g_string_append(key, "=1");
    dict = qdict_from_keyval(key->str, NULL, &error);
    g_assert_no_error(error);
    g_assert_nonnull(dict);
    g_string_prepend(key, "a.");
    assert_fails(key->str, NULL, EINVAL, "An option name has more than 128 parts");
    g_string_free(key, TRUE);
}

/* Any value can be given when its commas are doubled. */
static void test_random_values(void)
{
    for (int i = 0; i < 1000; i++) {
        g_autofree char *value = g_new0(char, 12);
        g_auto(GStrv) parts = NULL;
        g_autofree char *escaped = NULL;
        g_autofree char *text = NULL;
        g_autoptr(QDict) dict = NULL;

        for (int n = g_test_rand_int_range(0, 11); n >= 0; n--) {
            value[n] = ",=.a\\\xff"[g_test_rand_int_range(0, 6)];
        }
        parts = g_strsplit(value, ",", -1);
        escaped = g_strjoinv(",,", parts);
        text = g_strconcat("x=1,a=", escaped, ",y=2", NULL);
        dict = qdict_from_keyval(text, NULL, NULL);
        g_assert_cmpuint(qdict_size(dict), ==, 3);
        g_assert_cmpstr(qdict_get_try_str(dict, "a"), ==, value);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/keyval/pairs/become-texts", test_pairs);
    g_test_add_func("/keyval/pairs/later-duplicate-wins", test_later_wins);
    g_test_add_func("/keyval/comma/doubled-stands-for-one", test_doubled_comma);
    g_test_add_func("/keyval/bare/word-is-on-and-noword-off", test_bare_words);
    g_test_add_func("/keyval/bare/words-are-reported", test_reports_bare_words);
    g_test_add_func("/keyval/implied/names-the-first-word-only", test_implied_key);
    g_test_add_func("/keyval/ends/commas-are-refused", test_ends);
    g_test_add_func("/keyval/name/empty-is-refused", test_empty_names);
    g_test_add_func("/keyval/limits/over-1-mib-is-refused", test_length_limit);
    g_test_add_func("/keyval/limits/4097-options-are-refused", test_count_limit);
    g_test_add_func("/keyval/limits/129-parts-are-refused", test_depth_limit);
    g_test_add_func("/keyval/random/any-value-can-be-given", test_random_values);
    return g_test_run();
}
