/* SPDX-License-Identifier: MIT */
/* Objects by text: spellings, messages, and that "data" is kept out of the parsers. */
#include <errno.h>
#include <string.h>

#include <cairn/driver.h>

#include "block/object-int.h"
#include "crypto/secret-int.h"

/* ---- splitting ------------------------------------------------------------ */

static void test_split(void)
{
    const struct { const char *text, *rest, *data; } cases[] = {
        { "secret,id=s,data=abc", "secret,id=s", "abc" },
        { "secret,data=abc,id=s", "secret,id=s", "abc" },
        { "data=abc,qom-type=secret,id=s", "qom-type=secret,id=s", "abc" },
        { "secret,id=s,data=a,,b,,,,", "secret,id=s", "a,b,," },
        { "secret,id=s,data=", "secret,id=s", "" },
        { "secret,id=s,data=old,data=new", "secret,id=s", "new" },
        { "secret,id=s,xdata=abc", "secret,id=s,xdata=abc", NULL },
        { "secret,id=s,,data=abc", "secret,id=s,,data=abc", NULL },
        { "secret,id=s,data", "secret,id=s,data", NULL },
        { "", "", NULL },
        { "{\"id\":\"s\",\"data\":\"abc\"}", "{\"id\":\"s\",\"data\":\"\"}", "abc" },
        { " {'data' : 'a\"b' }", " {'data' : '' }", "a\"b" },
        { "{\"data\":\"a\\\"\\\\\\n\\/\"}", "{\"data\":\"\"}", "a\"\\\n/" },
        { "{\"x\":\"data\",\"data\":\"q\"}", "{\"x\":\"data\",\"data\":\"\"}", "q" },
        /* for the parser: it knows what to say or do */
        { "{\"data\":\"\\u0041\"}", "{\"data\":\"\\u0041\"}", NULL },
        { "{\"data\":\"\\q\"}", "{\"data\":\"\\q\"}", NULL },
        { "{\"data\":5}", "{\"data\":5}", NULL },
        { "{\"data\":\"open", "{\"data\":\"open", NULL },
        { "{\"data\":\"a\nb\"}", "{\"data\":\"a\nb\"}", NULL },
        { "{\"data\":\"\xff\"}", "{\"data\":\"\xff\"}", NULL },
        { "{\"x\":{\"data\":\"in\"}}", "{\"x\":{\"data\":\"in\"}}", NULL },
        { "{\"data", "{\"data", NULL },
        { "{\"data\"", "{\"data\"", NULL },
        { "{\"data\":", "{\"data\":", NULL },
        { "{\"data\":\"\\", "{\"data\":\"\\", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *rest = NULL;
        g_autoptr(SecMem) data = NULL;

        g_autofree char *shown = g_strescape(cases[i].text, NULL);

        g_test_message("%s", shown);
        g_assert_true(object_split_data(cases[i].text, &rest, &data, NULL));
        g_assert_cmpstr(rest, ==, cases[i].rest);
        g_assert_cmpint(data != NULL, ==, cases[i].data != NULL);
        if (data) {
            g_assert_cmpmem(data->data, data->size, cases[i].data, strlen(cases[i].data));
        }
    }
}

/* ---- adding --------------------------------------------------------------- */

static void assert_secret(CairnContext *ctx, const char *id, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(SecMem) mem = secrets_lookup(cairn_context_get_secrets(ctx), id, &error);

    g_assert_no_error(error);
    g_assert_cmpmem(mem->data, mem->size, text, strlen(text));
}

static void test_spellings(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    const char *const texts[] = {
        "secret,id=a,data=p,,w", "qom-type=secret,data=p,,w,id=b",
        "{\"qom-type\":\"secret\",\"id\":\"c\",\"data\":\"p,w\"}",
        "{'id':'d','data':'p\\u002cw','qom-type':'secret'}",
    };
    const char *const ids[] = { "a", "b", "c", "d" };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        cairn_object_add(ctx, texts[i], &error);
        g_assert_no_error(error);
        assert_secret(ctx, ids[i], "p,w");
    }
    g_assert_true(cairn_secret_add_bytes(ctx, "e", "p,w", 3, NULL));
    assert_secret(ctx, "e", "p,w");
}

static void test_messages(void)
{
    const struct { const char *text, *message; } cases[] = {
        { "", "Parameter 'qom-type' is missing" },
        { "id=s", "Parameter 'qom-type' is missing" },
        { "foo,id=s", "Parameter 'qom-type' does not accept value 'foo'" },
        { "[]", "Parameter 'qom-type' does not accept value '[]'" },
        { "secret", "Parameter 'id' is missing" },
        { "secret,data=1", "Parameter 'id' is missing" },
        { "secret,id=s", "Either 'file' or 'data' must be provided" },
        { "secret,id=s,data=a,file=b", "'file' and 'data' are mutually exclusive" },
        { "secret,id=s,data=a,bogus=1", "Parameter 'bogus' is unexpected" },
        { "secret,id=s,data", "Expected '=' after parameter 'data'" },
        { "secret,id=9,data=a", "Parameter 'id' expects an identifier" },
        { "secret,id=old,data=a",
          "attempt to add duplicate property 'old' to object (type 'container')" },
        { "{\"id\":\"s\",\"data\":\"abc\"}", "Parameter 'qom-type' is missing" },
        { "{\"qom-type\":\"secret\",\"id\":\"s\",\"data\":1}",
          "Invalid parameter type for 'data', expected: string" },
        { "{\"qom-type\":\"secret\",\"id\":\"s\",\"data\":\"abc\",\"x\":1}",
          "Parameter 'x' is unexpected" },
    };
    g_autoptr(CairnContext) ctx = cairn_context_new();

    g_assert_true(cairn_object_add(ctx, "secret,id=old,data=x", NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_false(cairn_object_add(ctx, cases[i].text, &error));
        g_assert_nonnull(error);
        lines = g_strsplit(error->message, "\n", 2);
        g_assert_cmpstr(lines[0], ==, cases[i].message);
    }
}

/* The numbers themselves are test-throttle's. */
static void test_throttle_group(void)
{
    const struct { const char *text, *message; } cases[] = {
        { "throttle-group", "Parameter 'id' is missing" },
        { "throttle-group,id=9", "Parameter 'id' expects an identifier" },
        { "throttle-group,id=sec",
          "attempt to add duplicate property 'sec' to object (type 'container')" },
        { "throttle-group,id=old",
          "attempt to add duplicate property 'old' to object (type 'container')" },
        { "secret,id=old,data=x",
          "attempt to add duplicate property 'old' to object (type 'container')" },
        { "throttle-group,id=g,nope=1", "Parameter 'nope' is unexpected" },
        { "throttle-group,id=g,bps-total=1", "Parameter 'bps-total' is unexpected" },
        { "throttle-group,id=g,x-bps=1", "Parameter 'x-bps' is unexpected" },
        { "throttle-group,id=g,x-bps-total-min=1", "Parameter 'x-bps-total-min' is unexpected" },
        { "throttle-group,id=g,data=1", "Parameter 'data' is unexpected" },
        { "throttle-group,id=g,limits.a.b=1", "Parameter 'limits.a.b' is unexpected" },
        { "throttle-group,id=g,limits=1", "Invalid parameter type for 'limits', expected: object" },
        { "throttle-group,id=g,x-bps-total=1k", "Parameter 'x-bps-total' expects integer" },
        { "throttle-group,id=g,x-bps-total=", "Parameter 'x-bps-total' expects integer" },
        { "throttle-group,id=g,x-bps-total=9223372036854775808",
          "Parameter 'x-bps-total' expects integer" },
        { "throttle-group,id=g,x-bps-total=-1", "Property values cannot be negative" },
        { "throttle-group,id=g,limits.bps-total=-1",
          "bps/iops/max values must be within [0, 1000000000000000]" },
        { "throttle-group,id=g,x-bps-read=1,x-bps-read-max=2,x-bps-read-max-length=4294967296",
          "x-bps-read-max-length value must be in the range [0, 4294967295]" },
        { "throttle-group,id=g,x-bps-total=1,limits.bps-read=1",
          "bps/iops/max total values and read/write values cannot be used at the same time" },
        { "{\"qom-type\":\"throttle-group\",\"id\":\"g\",\"x-bps-read\":\"5\"}",
          "Invalid parameter type for 'x-bps-read', expected: integer" },
        { "{\"qom-type\":\"throttle-group\",\"id\":\"g\",\"limits\":{\"bps-read\":1.5}}",
          "Invalid parameter type for 'limits.bps-read', expected: integer" },
        { "{\"qom-type\":\"throttle-group\",\"id\":\"g\",\"limits\":{\"nope\":1}}",
          "Parameter 'limits.nope' is unexpected" },
        { "{\"qom-type\":\"throttle-group\",\"id\":7}",
          "Invalid parameter type for 'id', expected: string" },
    };
    const char *const good[] = {
        "throttle-group,id=a", "throttle-group,id=b,x-bps-total=0x10,x-iops-read= 5",
        "throttle-group,id=c,limits.iops-total=5,x-iops-size=4096",
        ("{\"qom-type\":\"throttle-group\",\"id\":\"d\",\"limits\":{\"bps-read\":5,"
         "\"bps-read-max\":10,\"bps-read-max-length\":3}}"),
        "{\"qom-type\":\"throttle-group\",\"id\":\"e\",\"limits\":{}}",
    };
    g_autoptr(CairnContext) ctx = cairn_context_new();

    g_assert_true(cairn_object_add(ctx, "secret,id=sec,data=x", NULL));
    g_assert_true(cairn_object_add(ctx, "throttle-group,id=old", NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_false(cairn_object_add(ctx, cases[i].text, &error));
        lines = g_strsplit(error->message, "\n", 2);
        g_assert_cmpstr(lines[0], ==, cases[i].message);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;

        cairn_object_add(ctx, good[i], &error);
        g_assert_no_error(error);
    }
}

static void test_bad_json(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(cairn_object_add(ctx, "{\"id\":\"s\",\"data\":\"canary\",", &error));
    g_assert_true(g_str_has_prefix(error->message, "JSON parse error, "));
    g_assert_null(strstr(error->message, "canary"));
}

static void test_contexts(void)
{
    g_autoptr(CairnContext) a = cairn_context_new();
    g_autoptr(CairnContext) b = cairn_context_new();

    g_assert_true(cairn_object_add(a, "secret,id=s,data=x", NULL));
    g_assert_false(secrets_has(cairn_context_get_secrets(b), "s"));
    g_assert_true(cairn_object_add(b, "secret,id=s,data=y", NULL));
    assert_secret(a, "s", "x");
}

static void test_help(void)
{
    g_autofree char *types = cairn_object_help(NULL, NULL);
    g_autofree char *options = cairn_object_help("secret", NULL);

    g_assert_cmpstr(types, ==, "List of user creatable objects:\n  secret\n  throttle-group\n");
    g_assert_cmpstr(options, ==, "secret options:\n  data=<string>\n  file=<string>\n"
                    "  format=<QCryptoSecretFormat>\n  iv=<string>\n  keyid=<string>\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/object/data/is-kept-from-the-parsers", test_split);
    g_test_add_func("/object/spellings/mean-the-same", test_spellings);
    g_test_add_func("/object/each-mistake/has-its-message", test_messages);
    g_test_add_func("/object/throttle-group/each-mistake/has-its-message", test_throttle_group);
    g_test_add_func("/object/bad-json/is-refused-unseen", test_bad_json);
    g_test_add_func("/object/contexts/share-nothing", test_contexts);
    g_test_add_func("/object/help/lists-types-and-options", test_help);
    return g_test_run();
}
