/* SPDX-License-Identifier: MIT */
/* qapi/qdict-flatten.c: flat and nested forms. */
#include <cairn/qdict.h>

#include <errno.h>
#include <string.h>

#include "random-tree.h"

static QDict *dict_from_json(const char *text)
{
    g_autoptr(GError) error = NULL;
    QDict *dict = qobject_to_qdict(qobject_from_json(text, &error));

    g_assert_no_error(error);
    g_assert_nonnull(dict);
    return dict;
}

static void assert_json(const void *obj, const char *expected)
{
    g_autofree char *text = qobject_to_json(obj, false);

    g_assert_cmpstr(text, ==, expected);
}

static void assert_flattens_to(const char *nested, const char *flat)
{
    g_autoptr(QDict) dict = dict_from_json(nested);

    qdict_flatten(dict);
    assert_json(dict, flat);
}

static void test_flatten(void)
{
    assert_flattens_to("{'a':{'b':1,'c':{'d':'x'}},'e':true}",
                       "{\"a.b\": 1, \"a.c.d\": \"x\", \"e\": true}");
    assert_flattens_to("{'l':[1,{'x':2},[3]]}",
                       "{\"l.0\": 1, \"l.1.x\": 2, \"l.2.0\": 3}");
    assert_flattens_to("{}", "{}");
}

static void test_flatten_keeps_empty(void)
{
    assert_flattens_to("{'a':{},'b':[],'c':{'d':{}}}", "{\"a\": {}, \"b\": [], \"c.d\": {}}");
}

static void test_flatten_later_spelling_wins(void)
{
    assert_flattens_to("{'a.b':1,'a':{'b':2}}", "{\"a.b\": 2}");
    assert_flattens_to("{'a':{'b':2},'a.b':1}", "{\"a.b\": 1}");
}

static void assert_crumples_to(const char *flat, const char *nested)
{
    g_autoptr(QDict) dict = dict_from_json(flat);
    g_autofree char *before = qobject_to_json(QOBJECT(dict), false);
    g_autoptr(GError) error = NULL;
    g_autoptr(QObject) out = qdict_crumple(dict, &error);

    g_assert_no_error(error);
    assert_json(out, nested);
    assert_json(dict, before);
}

static void test_crumple(void)
{
    assert_crumples_to("{'a.b':1,'a.c.d':'x','e':null}",
                       "{\"a\": {\"b\": 1, \"c\": {\"d\": \"x\"}}, \"e\": null}");
    assert_crumples_to("{'l.0':1,'l.1.x':2}", "{\"l\": [1, {\"x\": 2}]}");
    assert_crumples_to("{'l.1':'b','l.0':'a'}", "{\"l\": [\"a\", \"b\"]}");
    assert_crumples_to("{}", "{}");
    assert_crumples_to("{'':1}", "{\"\": 1}");
    assert_crumples_to("{'00':1}", "{\"00\": 1}");
    assert_crumples_to("{'0':1,'1':2}", "[1, 2]");
}

static void test_crumple_takes_mixed_input(void)
{
    assert_crumples_to("{'file':{'filename':'x'},'file.driver':'file'}",
                       "{\"file\": {\"filename\": \"x\", \"driver\": \"file\"}}");
}

static void assert_crumple_fails(const char *flat, const char *message)
{
    g_autoptr(QDict) dict = dict_from_json(flat);
    g_autoptr(GError) error = NULL;

    g_assert_null(qdict_crumple(dict, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_nonnull(strstr(error->message, message));
}

static void test_crumple_refuses_value_and_group(void)
{
    assert_crumple_fails("{'a':1,'a.b':2}", "'a' is in the way of option 'a.b'");
    assert_crumple_fails("{'a.b':2,'a':1}", "Option 'a' is given both");
    assert_crumple_fails("{'a':{},'a.b':2}", "'a' is in the way");
    assert_crumple_fails("{'a.b':{},'a.b.c':2}", "'b' is in the way of option 'a.b.c'");
}

static void test_crumple_refuses_holes(void)
{
    assert_crumple_fails("{'l.0':1,'l.2':1}", "Element 1 of list 'l' is missing");
    assert_crumple_fails("{'l.1':1}", "Element 0 of list 'l' is missing");
    assert_crumple_fails("{'a.l.18446744073709551616':1}", "Element 0 of list 'a.l' is missing");
}

static void test_crumple_refuses_mixed_keys(void)
{
    assert_crumple_fails("{'l.0':1,'l.x':1}", "'l' has both numbers and names as keys");
}

static QDict *dict_of_depth(int parts)
{
    QDict *dict = qdict_new();
    GString *key = g_string_new("a");

    for (int i = 1; i < parts; i++) {
        g_string_append(key, ".a");
    }
    qdict_put_int(dict, key->str, 1);
    g_string_free(key, TRUE);
    return dict;
}

static void test_crumple_depth(void)
{
    g_autoptr(QDict) deep = dict_of_depth(128);
    g_autoptr(QDict) too_deep = dict_of_depth(129);
    g_autoptr(QDict) far_too_deep = dict_of_depth(500000);
    g_autoptr(GError) error = NULL;
    g_autoptr(QObject) out = qdict_crumple(deep, &error);

    g_assert_no_error(error);
    g_assert_nonnull(out);
    g_assert_null(qdict_crumple(too_deep, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_null(qdict_crumple(far_too_deep, NULL));
}

static void test_random_round_trip(void)
{
    for (int i = 0; i < 300; i++) {
        g_autoptr(QDict) dict = random_dict(5);
        g_autoptr(QDict) flat = qdict_clone_shallow(dict);
        g_autoptr(GError) error = NULL;
        g_autoptr(QObject) again = NULL;

        qdict_flatten(flat);
        again = qdict_crumple(flat, &error);
        g_assert_no_error(error);
        g_assert_true(qobject_is_equal(QOBJECT(dict), again));
    }
}

/* Whatever the keys are, crumpling gives a tree that flattens to the same dict, or an error. */
static void test_random_keys(void)
{
    static const char *const parts[] = { "a", "b", "0", "1", "2", "", "01", "-1" };

    for (int i = 0; i < 1000; i++) {
        g_autoptr(QDict) flat = qdict_new();
        g_autoptr(QObject) out = NULL;
        g_autoptr(GError) error = NULL;

        for (int n = g_test_rand_int_range(0, 6); n > 0; n--) {
            GString *key = g_string_new(parts[g_test_rand_int_range(0, G_N_ELEMENTS(parts))]);

            for (int m = g_test_rand_int_range(0, 4); m > 0; m--) {
                g_string_append_printf(key, ".%s",
                                       parts[g_test_rand_int_range(0, G_N_ELEMENTS(parts))]);
            }
            qdict_put_int(flat, key->str, n);
            g_string_free(key, TRUE);
        }
        out = qdict_crumple(flat, &error);
        g_assert_true((out == NULL) == (error != NULL));
        if (qobject_to_qdict(out)) {
            qdict_flatten(qobject_to_qdict(out));
            g_assert_true(qobject_is_equal(out, QOBJECT(flat)));
        }
    }
}

static void test_extract(void)
{
    g_autoptr(QDict) dict = qdict_from_keyval("a=1,file.x=2,filename=3,file.y.z=4,file=5", NULL,
                                              NULL);
    g_autoptr(QDict) sub = qdict_extract_subqdict(dict, "file.");
    g_autoptr(QDict) none = qdict_extract_subqdict(dict, "other.");

    assert_json(sub, "{\"x\": \"2\", \"y.z\": \"4\"}");
    assert_json(dict, "{\"a\": \"1\", \"filename\": \"3\", \"file\": \"5\"}");
    g_assert_cmpuint(qdict_size(none), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qdict/flatten/joins-names-and-indices", test_flatten);
    g_test_add_func("/qdict/flatten/empty-containers-stay", test_flatten_keeps_empty);
    g_test_add_func("/qdict/flatten/later-spelling-wins", test_flatten_later_spelling_wins);
    g_test_add_func("/qdict/crumple/builds-dicts-and-lists", test_crumple);
    g_test_add_func("/qdict/crumple/takes-mixed-spellings", test_crumple_takes_mixed_input);
    g_test_add_func("/qdict/crumple/value-and-group-is-refused",
                    test_crumple_refuses_value_and_group);
    g_test_add_func("/qdict/crumple/list-with-a-hole-is-refused", test_crumple_refuses_holes);
    g_test_add_func("/qdict/crumple/numbers-beside-names-are-refused",
                    test_crumple_refuses_mixed_keys);
    g_test_add_func("/qdict/crumple/129-parts-are-refused", test_crumple_depth);
    g_test_add_func("/qdict/crumple/undoes-flatten", test_random_round_trip);
    g_test_add_func("/qdict/crumple/any-keys-round-trip-or-fail", test_random_keys);
    g_test_add_func("/qdict/extract/moves-what-has-the-prefix", test_extract);
    return g_test_run();
}
