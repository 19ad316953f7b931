/* SPDX-License-Identifier: MIT */
/* qapi/options.c and option-value.c, and the tables generated from block.json. */
#include <cairn/block.h>

#include <errno.h>
#include <string.h>

#include "qapi/block-options.h"
#include "qapi/block-types.h"

static const char *const colours[] = { "red", "on", NULL };
static const OptionDesc table[] = {
    { .name = "size", .type = OPTION_SIZE, .help = "Virtual disk size" },
    { .name = "nocow", .type = OPTION_BOOL },
    { .name = "count", .type = OPTION_NUMBER },
    { .name = "name", .type = OPTION_STRING },
    { .name = "colour", .type = OPTION_STRING, .choices = colours },
    { .name = "rule.#.event", .type = OPTION_STRING },
    { .name = "rule.#.errno", .type = OPTION_NUMBER },
    { .name = NULL }
};

static QDict *dict_from_json(const char *text)
{
    QDict *dict = qobject_to_qdict(qobject_from_json(text, NULL));

    g_assert_nonnull(dict);
    return dict;
}

static void assert_json(const QDict *dict, const char *expected)
{
    g_autofree char *text = qobject_to_json(QOBJECT(dict), false);

    g_assert_cmpstr(text, ==, expected);
}

static void assert_absorbs(const char *in, const char *taken, const char *left)
{
    g_autoptr(QDict) options = dict_from_json(in);
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) out = options_absorb(table, options, &error);

    g_assert_no_error(error);
    assert_json(out, taken);
    assert_json(options, left);
}

static void assert_refuses(const char *in, int err, const char *message)
{
    g_autoptr(QDict) options = dict_from_json(in);
    g_autofree char *before = qobject_to_json(QOBJECT(options), false);
    g_autoptr(GError) error = NULL;

    g_assert_null(options_absorb(table, options, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_cmpstr(error->message, ==, message);
    assert_json(options, before);
}

static void test_takes_known_keys(void)
{
    assert_absorbs("{'x':1,'name':'n','size':'64k','nocow':'on','y':{}}",
                   "{\"size\": 65536, \"nocow\": true, \"name\": \"n\"}",
                   "{\"x\": 1, \"y\": {}}");
    assert_absorbs("{}", "{}", "{}");
}

static void test_null_table(void)
{
    g_autoptr(QDict) options = dict_from_json("{'x':1}");
    g_autoptr(QDict) out = options_absorb(NULL, options, NULL);

    assert_json(out, "{}");
    assert_json(options, "{\"x\": 1}");
}

static void test_bools(void)
{
    static const char *const on[] = { "'on'", "'yes'", "'true'", "'y'", "true" };
    static const char *const off[] = { "'off'", "'no'", "'false'", "'n'", "false" };

    for (size_t i = 0; i < G_N_ELEMENTS(on); i++) {
        g_autofree char *yes = g_strdup_printf("{'nocow':%s}", on[i]);
        g_autofree char *no = g_strdup_printf("{'nocow':%s}", off[i]);

        assert_absorbs(yes, "{\"nocow\": true}", "{}");
        assert_absorbs(no, "{\"nocow\": false}", "{}");
    }
}

static void test_bad_bools(void)
{
    static const char *const bad[] = { "'1'", "''", "'On'", "'onn'", "1", "0", "null", "{}", "[]" };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *text = g_strdup_printf("{'nocow':%s}", bad[i]);

        assert_refuses(text, EINVAL, "Parameter 'nocow' expects 'on' or 'off'");
    }
}

static void test_sizes(void)
{
    assert_absorbs("{'size':0}", "{\"size\": 0}", "{}");
    assert_absorbs("{'size':'1.5k'}", "{\"size\": 1536}", "{}");
    assert_absorbs("{'size':'0x10'}", "{\"size\": 16}", "{}");
    assert_absorbs("{'size':'010'}", "{\"size\": 10}", "{}");
    assert_absorbs("{'size':18446744073709551615}", "{\"size\": 18446744073709551615}", "{}");
    assert_absorbs("{'size':'18446744073709551615'}", "{\"size\": 18446744073709551615}", "{}");
    assert_absorbs("{'size':'9223372036854775808'}", "{\"size\": 9223372036854775808}", "{}");
}

#define BAD_SIZE \
    "Parameter 'size' expects a non-negative number below 2^64\n" \
    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n" \
    "and exabytes, respectively."

static void test_bad_sizes(void)
{
    static const char *const bad[] = {
        "'x'", "''", "'-1'", "'1.5'", "'1kx'", "'1e3'", "-1", "1.5", "18446744073709551616",
        "true", "null", "{}"
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *text = g_strdup_printf("{'size':%s}", bad[i]);

        assert_refuses(text, EINVAL, BAD_SIZE);
    }
    assert_refuses("{'size':'1kb'}", EINVAL, BAD_SIZE "\nDid you mean '1k'?");
    assert_refuses("{'size':'99999999999999999999'}", ERANGE,
                   "Value '99999999999999999999' is out of range for parameter 'size'");
    assert_refuses("{'size':'16E'}", ERANGE, "Value '16E' is out of range for parameter 'size'");
}

static void test_numbers(void)
{
    assert_absorbs("{'count':-5}", "{\"count\": -5}", "{}");
    assert_absorbs("{'count':'-5'}", "{\"count\": -5}", "{}");
    assert_absorbs("{'count':'0x1f'}", "{\"count\": 31}", "{}");
    assert_absorbs("{'count':'-9223372036854775808'}", "{\"count\": -9223372036854775808}", "{}");
    assert_refuses("{'count':'5k'}", EINVAL, "Parameter 'count' expects a number");
    assert_refuses("{'count':''}", EINVAL, "Parameter 'count' expects a number");
    assert_refuses("{'count':' 5'}", EINVAL, "Parameter 'count' expects a number");
    assert_refuses("{'count':'--5'}", EINVAL, "Parameter 'count' expects a number");
    assert_refuses("{'count':1.0}", EINVAL, "Parameter 'count' expects a number");
    assert_refuses("{'count':true}", EINVAL, "Parameter 'count' expects a number");
    assert_refuses("{'count':9223372036854775808}", ERANGE,
                   "Value '9223372036854775808' is out of range for parameter 'count'");
    assert_refuses("{'count':'9223372036854775808'}", ERANGE,
                   "Value '9223372036854775808' is out of range for parameter 'count'");
}

static void test_strings(void)
{
    assert_absorbs("{'name':''}", "{\"name\": \"\"}", "{}");
    assert_refuses("{'name':5}", EINVAL, "Parameter 'name' expects a string");
    assert_refuses("{'name':true}", EINVAL, "Parameter 'name' expects a string");
    assert_refuses("{'name':null}", EINVAL, "Parameter 'name' expects a string");
}

static void test_choices(void)
{
    assert_absorbs("{'colour':'red'}", "{\"colour\": \"red\"}", "{}");
    assert_absorbs("{'colour':true}", "{\"colour\": \"on\"}", "{}");
    assert_refuses("{'colour':false}", EINVAL, "invalid parameter value: off\n"
                   "Accepted values of 'colour': red, on");
    assert_refuses("{'colour':'foo'}", EINVAL, "invalid parameter value: foo\n"
                   "Accepted values of 'colour': red, on");
    assert_refuses("{'colour':1}", EINVAL, "invalid parameter value: 1\n"
                   "Accepted values of 'colour': red, on");
}

static void test_list_indices(void)
{
    assert_absorbs("{'rule.1.event':'b','rule.0.event':'a','rule.10.errno':'5','rule.x.event':'c',"
                   "'rule..event':'d','rule.0.event.x':'e','rule.0':'f'}",
                   "{\"rule.1.event\": \"b\", \"rule.0.event\": \"a\", \"rule.10.errno\": 5}",
                   "{\"rule.x.event\": \"c\", \"rule..event\": \"d\", \"rule.0.event.x\": \"e\", "
                   "\"rule.0\": \"f\"}");
    assert_refuses("{'rule.0.event':'a','rule.3.errno':'x'}", EINVAL,
                   "Parameter 'rule.3.errno' expects a number");
}

static void test_find(void)
{
    g_assert_true(options_find(table, "nocow") == &table[1]);
    g_assert_true(options_find(table, "rule.7.event") == &table[5]);
    g_assert_null(options_find(table, "noco"));
    g_assert_null(options_find(table, "nocoww"));
    g_assert_null(options_find(table, ""));
    g_assert_null(options_find(NULL, "size"));
}

static void test_help_layout(void)
{
    g_autofree char *text = options_help(qapi_options_BlockdevCreateOptionsQcow,
                                         qapi_options_BlockdevCreateOptionsFile);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    g_assert_true(g_strv_contains((const char *const *)lines,
                                  "  size=<size>            - Virtual disk size"));
    g_assert_true(g_strv_contains((const char *const *)lines,
                                  "  encrypt.key-secret=<str> - ID of the secret that provides "
                                  "the AES encryption key"));
    g_assert_true(g_strv_contains((const char *const *)lines,
                                  "  nocow=<bool (on/off)>  - Turn off copy-on-write "
                                  "(valid only on btrfs)"));
    for (guint i = 1; i + 1 < g_strv_length(lines); i++) {
        g_assert_cmpstr(lines[i - 1], <, lines[i]);     /* sorted, and "size" only once */
    }
}

static void test_help_is_empty_without_tables(void)
{
    g_autofree char *text = options_help(NULL, NULL);

    g_assert_cmpstr(text, ==, "");
}

static void test_generated_tables(void)
{
    const OptionDesc *locking = options_find(qapi_options_BlockdevOptionsFile, "locking");
    const OptionDesc *cache = options_find(qapi_options_BlockdevOptionsQcow, "l2-cache-size");

    g_assert_cmpstr(locking->default_value, ==, "auto");
    g_assert_true(g_strv_contains(locking->choices, "off"));
    g_assert_false(locking->reopenable);
    g_assert_cmpint(cache->type, ==, OPTION_SIZE);
    g_assert_true(cache->reopenable);
    g_assert_nonnull(options_find(qapi_options_BlockdevOptionsQcow, "encrypt.format"));
    g_assert_null(options_find(qapi_options_BlockdevOptionsQcow, "encrypt"));
}

/* As docs/options-and-secrets.md shows them. */
static void test_spellings(void)
{
    static const char *const texts[] = {
        "{\"driver\": \"qcow\", \"file\": {\"filename\": \"disk.qcow\"}, "
        "\"encrypt\": {\"key-secret\": \"sec0\"}}",
        "{\"driver\": \"qcow\", \"file.filename\": \"disk.qcow\", "
        "\"encrypt.key-secret\": \"sec0\"}",
        "{'driver': 'qcow', 'file.filename': 'disk.qcow', 'encrypt.key-secret': 'sec0'}",
    };
    g_autoptr(QDict) flat = qdict_from_keyval("driver=qcow,file.filename=disk.qcow,"
                                              "encrypt.key-secret=sec0", NULL, NULL);
    g_autoptr(QObject) tree = qdict_crumple(flat, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(QDict) dict = dict_from_json(texts[i]);
        g_autoptr(QObject) nested = qdict_crumple(dict, NULL);

        g_assert_true(qobject_is_equal(nested, tree));
        qdict_flatten(dict);
        g_assert_true(qobject_is_equal(QOBJECT(dict), QOBJECT(flat)));
    }
}

static void test_create_order(void)
{
    g_autoptr(QDict) options = qdict_from_keyval("encrypt.format=aes,backing_file=a,size=1M", NULL,
                                                 NULL);
    g_autoptr(QDict) out = options_absorb(qapi_options_BlockdevCreateOptionsQcow, options, NULL);

    assert_json(out, "{\"size\": 1048576, \"backing_file\": \"a\", \"encrypt.format\": \"aes\"}");
}

/* The schema's values stand in the order of the public enum: the generated code relies on it. */
static void test_prealloc_modes(void)
{
    g_assert_cmpstr(qapi_PreallocMode_str(PREALLOC_MODE_OFF), ==, "off");
    g_assert_cmpstr(qapi_PreallocMode_str(PREALLOC_MODE_METADATA), ==, "metadata");
    g_assert_cmpstr(qapi_PreallocMode_str(PREALLOC_MODE_FALLOC), ==, "falloc");
    g_assert_cmpstr(qapi_PreallocMode_str(PREALLOC_MODE_FULL), ==, "full");
    g_assert_null(qapi_PreallocMode_str(PREALLOC_MODE_FULL + 1));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/absorb/takes-known-keys-in-table-order", test_takes_known_keys);
    g_test_add_func("/options/absorb/null-table-takes-nothing", test_null_table);
    g_test_add_func("/options/absorb/list-indices-match", test_list_indices);
    g_test_add_func("/options/bool/all-spellings", test_bools);
    g_test_add_func("/options/bool/other-words-are-refused", test_bad_bools);
    g_test_add_func("/options/size/texts-and-numbers", test_sizes);
    g_test_add_func("/options/size/others-are-refused", test_bad_sizes);
    g_test_add_func("/options/number/has-sign-but-no-suffix", test_numbers);
    g_test_add_func("/options/string/takes-only-texts", test_strings);
    g_test_add_func("/options/choice/must-be-listed", test_choices);
    g_test_add_func("/options/find/by-whole-name", test_find);
    g_test_add_func("/options/help/sorted-in-columns", test_help_layout);
    g_test_add_func("/options/help/empty-without-tables", test_help_is_empty_without_tables);
    g_test_add_func("/options/spellings/meet-in-one-tree", test_spellings);
    g_test_add_func("/options/generated/carry-the-schema", test_generated_tables);
    g_test_add_func("/options/generated/create-options-keep-their-order", test_create_order);
    g_test_add_func("/options/generated/prealloc-modes-agree", test_prealloc_modes);
    return g_test_run();
}
