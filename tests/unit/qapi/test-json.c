/* SPDX-License-Identifier: MIT */
/* qapi/json.c and json-scan.c: JSON text to values and back. */
#include <cairn/qdict.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "random-tree.h"

static QObject *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    QObject *obj = qobject_from_json(text, &error);

    g_assert_no_error(error);
    g_assert_nonnull(obj);
    return obj;
}

static void assert_prints(const char *text, const char *expected)
{
    g_autoptr(QObject) obj = parse(text);
    g_autofree char *printed = qobject_to_json(obj, false);

    g_assert_cmpstr(printed, ==, expected);
}

static void assert_fails(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(qobject_from_json(text, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->domain, ==, CAIRN_ERROR);
    g_assert_true(g_str_has_prefix(error->message, "JSON parse error, "));
    if (!strstr(error->message, message)) {
        g_test_message("%s: %s", text, error->message);
        g_test_fail();
    }
}

static void test_values(void)
{
    assert_prints("{\"a\":1,\"b\":\"x\"}", "{\"a\": 1, \"b\": \"x\"}");
    assert_prints(" [ true , false , null ] ", "[true, false, null]");
    assert_prints("{}", "{}");
    assert_prints("[]", "[]");
    assert_prints("\"x\"", "\"x\"");
    assert_prints("-7", "-7");
    assert_prints("-0", "0");
    assert_prints("\t{\"z\":1,\r\n\"a\":2}", "{\"z\": 1, \"a\": 2}");
}

static void test_single_quotes(void)
{
    assert_prints("{'a':'x'}", "{\"a\": \"x\"}");
    assert_prints("'a\"b'", "\"a\\\"b\"");
    assert_prints("'a\\\"b'", "\"a\\\"b\"");
    assert_prints("'it\\'s'", "\"it's\"");
    assert_prints("\"it's\"", "\"it's\"");
    assert_prints("\"it\\'s\"", "\"it's\"");
    assert_prints("'\\\\'", "\"\\\\\"");
    assert_prints("'{\"a\": 12}'", "\"{\\\"a\\\": 12}\"");
    assert_prints("''", "\"\"");
}

static void test_large_integers(void)
{
    assert_prints("9223372036854775807", "9223372036854775807");
    assert_prints("9223372036854775808", "9223372036854775808");
    assert_prints("18446744073709551615", "18446744073709551615");
    assert_prints("-9223372036854775808", "-9223372036854775808");
    assert_prints("[1,9223372036854775808,\"9 8\",{\"b\":18446744073709551615,\"a\":3}]",
                  "[1, 9223372036854775808, \"9 8\", {\"b\": 18446744073709551615, \"a\": 3}]");
}

static void test_kinds_of_numbers(void)
{
    g_autoptr(QObject) at_63 = parse("9223372036854775808");
    g_autoptr(QObject) at_64 = parse("18446744073709551616");
    g_autoptr(QObject) below = parse("-9223372036854775809");
    int64_t i64;
    uint64_t u64 = 0;
    double dbl = 0;

    g_assert_false(qobject_get_int(at_63, &i64));
    g_assert_true(qobject_get_uint(at_63, &u64));
    g_assert_cmpuint(u64, ==, (uint64_t)1 << 63);
    g_assert_false(qobject_get_uint(at_64, &u64));
    g_assert_true(qobject_get_double(at_64, &dbl));
    g_assert_cmpfloat(dbl, ==, 18446744073709551616.0);
    g_assert_false(qobject_get_int(below, &i64));
    g_assert_true(qobject_get_double(below, &dbl));
}

static void test_doubles(void)
{
    assert_prints("0.1", "0.1");
    assert_prints("1.0", "1.0");
    assert_prints("-1.5e3", "-1500.0");
    assert_prints("1e300", "1e+300");
    assert_prints("0.30000000000000004", "0.30000000000000004");
    assert_prints("{'a':0.5,'b':2,'c':1e2}", "{\"a\": 0.5, \"b\": 2, \"c\": 100.0}");
}

static void test_not_finite(void)
{
    g_autoptr(QList) list = qlist_new();
    g_autofree char *text = NULL;

    qlist_append(list, qnum_new_double(NAN));
    qlist_append(list, qnum_new_double(INFINITY));
    qlist_append(list, qnum_new_double(2.5));
    text = qobject_to_json(QOBJECT(list), false);
    g_assert_cmpstr(text, ==, "[null, null, 2.5]");
    assert_fails("1e999", "number out of range");
    assert_fails("[-1e999]", "number out of range");
}

static void test_keywords(void)
{
    assert_fails("{\"a\":bad}", "invalid keyword 'bad'");
    assert_fails("{\"a\":nul}", "invalid keyword 'nul'");
    assert_fails("{a:1}", "invalid keyword 'a'");
    assert_fails("truefalse", "invalid keyword 'truefalse'");
    assert_fails("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "invalid keyword 'xxx");
}

static void test_duplicate_key(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(qobject_from_json("{\"a\":1,\"a\":2}", &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_cmpstr(error->message, ==, "JSON parse error, duplicate key");
    assert_fails("{'a':1,\"\\u0061\":2}", "duplicate key");
    assert_prints("{'a':{'a':1},'b':[{'a':1},{'a':2}]}",
                  "{\"a\": {\"a\": 1}, \"b\": [{\"a\": 1}, {\"a\": 2}]}");
}

static void test_syntax(void)
{
    static const char *const bad[] = {
        "", " ", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "[1", "{]", "[}", "}", "]", ",", ":",
        "{\"a\" 1}", "{\"a\":1 2}", "{\"a\":1,}", "[1,]", "[,1]", "{1:2}", "{\"a\":1}}", "[1][2]",
        "01", "-01", "+1", "1.", ".5", "1e", "-", "--1", "1.2.3", "0x10", "1-2",
        "009223372036854775808", "99999999999999999999e", "99999999999999999999-",
        "\"x", "'x", "\"x'", "'x\"", "\"\\q\"", "\"\\u00\"", "\"\\ud800\"", "\"\\", "'\\",
        "\"\\u0000\"", "{\"\\u0000\":1}", "\"\x01\"", "\"a\nb\"", "@", "\\", "\x7f",
        "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\xc3\xa9", "/* c */ 1", "'\xf5\x80\x80\x80'",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_fails(bad[i], "");
    }
}

static void test_error_has_no_control_characters(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(qobject_from_json("[\x1b[31m]", &error));
    g_assert_nonnull(error);
    for (const char *p = error->message; *p; p++) {
        g_assert_true(g_ascii_isprint(*p));
    }
}

static char *nested(int depth)
{
    GString *text = g_string_new(NULL);

    for (int i = 0; i < depth; i++) {
        g_string_append(text, i % 2 ? "{'a':" : "[");
    }
    g_string_append(text, "1");
    for (int i = depth - 1; i >= 0; i--) {
        g_string_append_c(text, i % 2 ? '}' : ']');
    }
    return g_string_free(text, FALSE);
}

static void test_depth_limit(void)
{
    g_autofree char *fits = nested(128);
    g_autofree char *too_deep = nested(129);
    g_autofree char *unclosed = g_strnfill(1000000, '[');
    g_autoptr(QObject) obj = parse(fits);

    g_assert_nonnull(obj);
    assert_fails(too_deep, "nesting deeper than 128");
    assert_fails(unclosed, "nesting deeper than 128");
}

static char *with_keys(int count, bool is_list)
{
    GString *text = g_string_new(is_list ? "[0" : "{'k0':0");

    for (int i = 1; i < count; i++) {
        if (is_list) {
            g_string_append_printf(text, ",%d", i);
        } else {
            g_string_append_printf(text, ",'k%d':%d", i, i);
        }
    }
    g_string_append_c(text, is_list ? ']' : '}');
    return g_string_free(text, FALSE);
}

static void test_key_limit(void)
{
    g_autofree char *fits = with_keys(4096, false);
    g_autofree char *too_many = with_keys(4097, false);
    g_autofree char *list = with_keys(5000, true);
    g_autoptr(QObject) obj = parse(fits);

    g_assert_cmpuint(qdict_size(qobject_to_qdict(obj)), ==, 4096);
    g_assert_cmpstr(qdict_key_at(qobject_to_qdict(obj), 4095), ==, "k4095");
    assert_fails(too_many, "more than 4096 keys");
    assert_fails(list, "more than 4096 keys");
    /* Separators inside strings are no keys. */
    {
        g_autofree char *colons = g_strnfill(10000, ':');
        g_autofree char *text = g_strdup_printf("['%s']", colons);
        g_autoptr(QObject) ok = parse(text);

        g_assert_nonnull(ok);
    }
}

static void test_text_limit(void)
{
    g_autofree char *filler = g_strnfill((1 << 20) - 2, 'x');
    g_autofree char *fits = g_strdup_printf("\"%s\"", filler);
    g_autofree char *too_long = g_strdup_printf("\"%s\" ", filler);
    g_autoptr(QObject) obj = parse(fits);

    g_assert_cmpuint(strlen(qobject_get_str(obj)), ==, (1 << 20) - 2);
    assert_fails(too_long, "text longer than 1 MiB");
}

static void test_key_length_limit(void)
{
    g_autofree char *name = g_strnfill(257, 'k');
    g_autofree char *too_long = g_strdup_printf("{'%s':1}", name);
    g_autofree char *fits = g_strdup_printf("{'%s':1}", name + 1);
    g_autoptr(QObject) obj = parse(fits);

    g_assert_cmpstr(qdict_key_at(qobject_to_qdict(obj), 0), ==, name + 1);
    assert_fails(too_long, "key longer than 256 bytes");
}

static void test_pretty(void)
{
    g_autoptr(QObject) obj = parse("{'a':1,'b':{'c':[1,'x']}}");
    g_autofree char *text = qobject_to_json(obj, true);

    g_assert_cmpstr(text, ==,
                    "{\n"
                    "    \"a\": 1,\n"
                    "    \"b\": {\n"
                    "        \"c\": [\n"
                    "            1,\n"
                    "            \"x\"\n"
                    "        ]\n"
                    "    }\n"
                    "}");
}

static void test_utf8(void)
{
    assert_prints("\"\xc3\xa9\"", "\"\\u00E9\"");
    assert_prints("\"\xf0\x9f\x92\xbe\"", "\"\\uD83D\\uDCBE\"");
    assert_prints("'\\u20ac'", "\"\\u20AC\"");
    {
        g_autoptr(QObject) obj = parse("'\\ud83d\\udcbe'");

        g_assert_cmpstr(qobject_get_str(obj), ==, "\xf0\x9f\x92\xbe");
    }
}

static void test_not_utf8(void)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autofree char *text = NULL;

    qdict_put_str(dict, "name", "b\xff\xc3\xa9\xe2\x82.raw");
    qdict_put_str(dict, "\xff", "x");
    qdict_put_int(dict, "\xfe", 7);
    qdict_put_obj(dict, "n", qnum_new_uint(UINT64_MAX));
    text = qobject_to_json(QOBJECT(dict), false);
    g_assert_cmpstr(text, ==,
                    "{\"name\": \"b\\uFFFD\\u00E9\\uFFFD\\uFFFD.raw\", \"\\uFFFD\": \"x\", "
                    "\"n\": 18446744073709551615}");
}

static void test_numbers_in_strings_stay(void)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autofree char *text = NULL;

    qdict_put_str(dict, "5 \"6\\", "-7 \\\" 8");
    qdict_put_obj(dict, "n", qnum_new_uint(UINT64_MAX));
    text = qobject_to_json(QOBJECT(dict), false);
    g_assert_cmpstr(text, ==, "{\"5 \\\"6\\\\\": \"-7 \\\\\\\" 8\", \"n\": 18446744073709551615}");
}

static void test_random_round_trip(void)
{
    for (int i = 0; i < 500; i++) {
        g_autoptr(QObject) obj = random_tree(6);
        g_autofree char *text = qobject_to_json(obj, i % 2);
        g_autoptr(QObject) again = parse(text);
        g_autofree char *text_again = qobject_to_json(again, i % 2);

        g_assert_true(qobject_is_equal(obj, again));
        g_assert_cmpstr(text, ==, text_again);
    }
}

/* Damaged texts must give a value or an error, and never anything worse. */
static void test_random_damage(void)
{
    static const char alphabet[] = "{}[]:,\"'\\0123456789-+.eEtruefalsn \n\x01\xff\xc3u";

    for (int i = 0; i < 3000; i++) {
        g_autoptr(QObject) obj = random_tree(4);
        g_autofree char *text = qobject_to_json(obj, false);
        g_autoptr(QObject) parsed = NULL;
        g_autoptr(GError) error = NULL;

        for (int n = g_test_rand_int_range(1, 4); n > 0; n--) {
            text[g_test_rand_int_range(0, (int)strlen(text))] =
                alphabet[g_test_rand_int_range(0, sizeof(alphabet) - 1)];
        }
        parsed = qobject_from_json(text, &error);
        g_assert_true((parsed == NULL) == (error != NULL));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/json/parse/all-kinds-of-values", test_values);
    g_test_add_func("/json/parse/single-quotes-are-strings", test_single_quotes);
    g_test_add_func("/json/parse/bad-syntax-is-refused", test_syntax);
    g_test_add_func("/json/parse/unknown-keyword-is-named", test_keywords);
    g_test_add_func("/json/parse/duplicate-key-is-refused", test_duplicate_key);
    g_test_add_func("/json/parse/errors-are-printable", test_error_has_no_control_characters);
    g_test_add_func("/json/numbers/up-to-2^64-are-exact", test_large_integers);
    g_test_add_func("/json/numbers/from-2^64-are-doubles", test_kinds_of_numbers);
    g_test_add_func("/json/numbers/doubles-print-short", test_doubles);
    g_test_add_func("/json/numbers/infinite-is-refused", test_not_finite);
    g_test_add_func("/json/limits/129-levels-are-refused", test_depth_limit);
    g_test_add_func("/json/limits/4097-keys-are-refused", test_key_limit);
    g_test_add_func("/json/limits/over-1-mib-is-refused", test_text_limit);
    g_test_add_func("/json/limits/long-key-is-refused", test_key_length_limit);
    g_test_add_func("/json/print/pretty-has-4-spaces", test_pretty);
    g_test_add_func("/json/print/utf-8-is-escaped", test_utf8);
    g_test_add_func("/json/print/not-utf-8-is-replaced", test_not_utf8);
    g_test_add_func("/json/print/digits-in-strings-stay", test_numbers_in_strings_stay);
    g_test_add_func("/json/random/round-trips", test_random_round_trip);
    g_test_add_func("/json/random/damage-gives-value-or-error", test_random_damage);
    return g_test_run();
}
