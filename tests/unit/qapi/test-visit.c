/* SPDX-License-Identifier: MIT */
/* qapi/visit.c, through the types that the generator makes of test-schema.json. */
#include <errno.h>
#include <string.h>

#include "test-types.h"

static QDict *dict_from_json(const char *text)
{
    g_autoptr(GError) error = NULL;
    QDict *dict = qobject_to_qdict(qobject_from_json(text, &error));

    g_assert_no_error(error);
    g_assert_nonnull(dict);
    return dict;
}

static void assert_round_trip(const char *in, const char *out)
{
    g_autoptr(QDict) dict = dict_from_json(in);
    g_autofree char *before = qobject_to_json(QOBJECT(dict), false);
    g_autofree char *after = NULL;
    g_autofree char *printed = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Everything) value = qapi_Everything_parse(dict, &error);
    g_autoptr(QDict) again = NULL;

    g_assert_no_error(error);
    again = qapi_Everything_to_qdict(value);
    printed = qobject_to_json(QOBJECT(again), false);
    g_assert_cmpstr(printed, ==, out);
    after = qobject_to_json(QOBJECT(dict), false);
    g_assert_cmpstr(after, ==, before);
}

static void assert_refused(const char *in, const char *message)
{
    g_autoptr(QDict) dict = dict_from_json(in);
    g_autoptr(GError) error = NULL;

    g_assert_null(qapi_Everything_parse(dict, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(error->domain, ==, CAIRN_ERROR);
    g_assert_true(g_str_has_prefix(error->message, message));
}

static void test_all_members(void)
{
    assert_round_trip(
        "{'size':1024,'default':'d','cache.no-flush':true,'count':-3,'limit':18446744073709551615,"
        "'colour':'deep-blue','mode':'full','flag':false,'inner':{'key-secret':'s','leaf':"
        "{'event':'e','errno':7}},'rules':[{'event':'a'},{'event':'b','errno':2}],"
        "'shades':['2nd','red','2nd']}",
        "{\"size\": 1024, \"default\": \"d\", \"cache.no-flush\": true, \"count\": -3, "
        "\"limit\": 18446744073709551615, \"colour\": \"deep-blue\", \"mode\": \"full\", "
        "\"flag\": false, \"inner\": {\"key-secret\": \"s\", \"leaf\": "
        "{\"event\": \"e\", \"errno\": 7}}, "
        "\"rules\": [{\"event\": \"a\"}, {\"event\": \"b\", \"errno\": 2}], "
        "\"shades\": [\"2nd\", \"red\", \"2nd\"]}");
}

static void test_flat_input(void)
{
    assert_round_trip("{'inner.leaf.event':'e','rules.1.event':'b','rules.0.event':'a',"
                      "'size':'64k'}",
                      "{\"size\": 65536, \"inner\": {\"leaf\": {\"event\": \"e\"}}, "
                      "\"rules\": [{\"event\": \"a\"}, {\"event\": \"b\"}]}");
    assert_round_trip("{'size':1,'shades.1':'red','shades.0':'2nd'}",
                      "{\"size\": 1, \"shades\": [\"2nd\", \"red\"]}");
    assert_round_trip("{'size':1,'cache':{'no-flush':'on'}}",
                      "{\"size\": 1, \"cache.no-flush\": true}");
}

static void test_texts(void)
{
    assert_round_trip("{'size':'1.5k','count':'-0x10','flag':'yes','limit':'2E'}",
                      "{\"size\": 1536, \"count\": -16, \"limit\": 2305843009213693952, "
                      "\"flag\": true}");
}

static void test_absent_members(void)
{
    g_autoptr(QDict) dict = dict_from_json("{'size':1}");
    g_autoptr(Everything) value = qapi_Everything_parse(dict, NULL);

    g_assert_nonnull(value);
    g_assert_cmpuint(value->size, ==, 1);
    g_assert_null(value->q_default);
    g_assert_false(value->has_cache_no_flush);
    g_assert_false(value->has_count);
    g_assert_false(value->has_colour);
    g_assert_null(value->inner);
    g_assert_cmpuint(value->n_rules, ==, 0);
    g_assert_null(value->rules);
    g_assert_cmpuint(value->n_shades, ==, 0);
    g_assert_null(value->shades);
}

static void test_present_members(void)
{
    g_autoptr(QDict) dict = dict_from_json("{'size':1,'colour':'2nd','mode':'off',"
                                           "'rules.0.event':'x'}");
    g_autoptr(Everything) value = qapi_Everything_parse(dict, NULL);

    g_assert_true(value->has_colour);
    g_assert_cmpint(value->colour, ==, COLOUR_2ND);
    g_assert_true(value->has_mode);
    g_assert_cmpint(value->mode, ==, 0);
    g_assert_cmpuint(value->n_rules, ==, 1);
    g_assert_cmpstr(value->rules[0]->event, ==, "x");
    g_assert_false(value->rules[0]->has_q_errno);
}

static void test_empty_containers(void)
{
    assert_round_trip("{'size':1,'inner':{},'rules':[],'shades':[]}", "{\"size\": 1, \"inner\": {}}");
}

static void test_missing(void)
{
    assert_refused("{}", "Parameter 'size' is missing");
    assert_refused("{'size':1,'inner':{'leaf':{'errno':1}}}",
                   "Parameter 'inner.leaf.event' is missing");
    assert_refused("{'size':1,'inner':{'leaf':{}}}", "Parameter 'inner.leaf.event' is missing");
    assert_refused("{'size':1,'rules':[{'event':'a'},{'errno':1}]}",
                   "Parameter 'rules.1.event' is missing");
    assert_refused("{'size':1,'rules':[{}]}", "Parameter 'rules.0.event' is missing");
}

static void test_missing_of_strict_struct(void)
{
    static const char *const texts[][2] = {
        { "{'rules':[],'colour':'red','flag':true}", "Parameter 'inner' is missing" },
        { "{'inner':{},'colour':'red','flag':true}", "Parameter 'rules' is missing" },
        { "{'inner':{},'rules':[],'flag':true}", "Parameter 'colour' is missing" },
        { "{'inner':{},'rules':[],'colour':'red'}", "Parameter 'flag' is missing" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(QDict) dict = dict_from_json(texts[i][0]);
        g_autoptr(GError) error = NULL;

        g_assert_null(qapi_Strict_parse(dict, &error));
        g_assert_error(error, CAIRN_ERROR, EINVAL);
        g_assert_cmpstr(error->message, ==, texts[i][1]);
    }
}

static void test_strict_round_trip(void)
{
    g_autoptr(QDict) dict = dict_from_json("{'flag':false,'colour':'red','rules':[],'inner':{}}");
    g_autoptr(Strict) value = qapi_Strict_parse(dict, NULL);
    g_autoptr(QDict) again = NULL;
    g_autofree char *printed = NULL;

    g_assert_nonnull(value);
    again = qapi_Strict_to_qdict(value);
    printed = qobject_to_json(QOBJECT(again), false);
    g_assert_cmpstr(printed, ==,
                    "{\"inner\": {}, \"rules\": [], \"colour\": \"red\", \"flag\": false}");
}

static void test_unexpected(void)
{
    assert_refused("{'size':1,'bogus':1}", "Parameter 'bogus' is unexpected");
    assert_refused("{'size':1,'inner':{'bogus':1}}", "Parameter 'inner.bogus' is unexpected");
    assert_refused("{'size':1,'inner':5}", "Parameter 'inner' is unexpected");
    assert_refused("{'size':1,'inner':{},'inner.x':1}", "Parameter 'inner' is unexpected");
    assert_refused("{'size':1,'rules.1.event':'x'}", "Parameter 'rules.1.event' is unexpected");
    assert_refused("{'size':1,'rules':{'a':{}}}", "Parameter 'rules.a' is unexpected");
    assert_refused("{'size':1,'shades.1':'red'}", "Parameter 'shades.1' is unexpected");
    assert_refused("{'size':1,'shades':'red'}", "Parameter 'shades' is unexpected");
    assert_refused("{'size':1,'':2}", "Parameter '' is unexpected");
}

static void test_wrong_types(void)
{
    assert_refused("{'size':-1}", "Parameter 'size' expects a non-negative number below 2^64");
    assert_refused("{'size':{}}", "Parameter 'size' expects a non-negative number below 2^64");
    assert_refused("{'size':1,'count':'x'}", "Parameter 'count' expects a number");
    assert_refused("{'size':1,'flag':'1'}", "Parameter 'flag' expects 'on' or 'off'");
    assert_refused("{'size':1,'colour':'pink'}", "invalid parameter value: pink");
    assert_refused("{'size':1,'mode':'pink'}", "invalid parameter value: pink");
    assert_refused("{'size':1,'shades':['red','pink']}", "invalid parameter value: pink");
    assert_refused("{'size':1,'shades':[5]}", "invalid parameter value: 5");
    assert_refused("{'size':1,'default':5}", "Parameter 'default' expects a string");
    assert_refused("{'size':1,'inner':{'key-secret':null}}",
                   "Parameter 'inner.key-secret' expects a string");
}

static void test_enum_names(void)
{
    g_autoptr(GError) error = NULL;
    Colour colour = COLOUR_RED;
    int mode = 0;

    g_assert_cmpstr(qapi_Colour_str(COLOUR_DEEP_BLUE), ==, "deep-blue");
    g_assert_null(qapi_Colour_str(COLOUR__MAX));
    g_assert_null(qapi_OuterMode_str(-1));
    g_assert_cmpstr(qapi_OuterMode_str(1), ==, "full");
    g_assert_true(qapi_Colour_parse("2nd", &colour, &error));
    g_assert_cmpint(colour, ==, COLOUR_2ND);
    g_assert_true(qapi_OuterMode_parse("full", &mode, &error));
    g_assert_cmpint(mode, ==, 1);
    g_assert_false(qapi_Colour_parse("Red", &colour, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_cmpstr(error->message, ==, "invalid parameter value: Red");
    g_assert_cmpint(colour, ==, COLOUR_2ND);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/visit/round-trip/keeps-all-members-in-order", test_all_members);
    g_test_add_func("/visit/round-trip/flat-and-nested-are-alike", test_flat_input);
    g_test_add_func("/visit/round-trip/texts-become-values", test_texts);
    g_test_add_func("/visit/round-trip/empty-struct-is-present", test_empty_containers);
    g_test_add_func("/visit/round-trip/required-containers-may-be-empty", test_strict_round_trip);
    g_test_add_func("/visit/parse/absent-members-are-marked", test_absent_members);
    g_test_add_func("/visit/parse/present-members-are-marked", test_present_members);
    g_test_add_func("/visit/parse/missing-is-refused-by-full-name", test_missing);
    g_test_add_func("/visit/parse/missing-of-each-kind-is-refused", test_missing_of_strict_struct);
    g_test_add_func("/visit/parse/unexpected-is-refused-by-full-name", test_unexpected);
    g_test_add_func("/visit/parse/wrong-type-is-refused", test_wrong_types);
    g_test_add_func("/visit/enum/names-and-values-map-both-ways", test_enum_names);
    return g_test_run();
}
