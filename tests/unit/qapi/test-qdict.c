/* SPDX-License-Identifier: MIT */
/* qapi/qdict.c: order, replacement, removal, typed look-up, join. */
#include <cairn/qdict.h>

#include <string.h>

static char *keys_of(const QDict *dict)
{
    GString *keys = g_string_new(NULL);

    for (size_t i = 0; i < qdict_size(dict); i++) {
        g_string_append_printf(keys, "%s%s", i ? " " : "", qdict_key_at(dict, i));
    }
    return g_string_free(keys, FALSE);
}

static void assert_keys(const QDict *dict, const char *expected)
{
    g_autofree char *keys = keys_of(dict);

    g_assert_cmpstr(keys, ==, expected);
}

static void test_keeps_order(void)
{
    g_autoptr(QDict) dict = qdict_new();

    qdict_put_int(dict, "z", 1);
    qdict_put_int(dict, "a", 2);
    qdict_put_int(dict, "m", 3);
    assert_keys(dict, "z a m");
    qdict_put_int(dict, "a", 9);
    assert_keys(dict, "z a m");
    g_assert_cmpint(qdict_get_try_int(dict, "a", -1), ==, 9);
    qdict_del(dict, "z");
    assert_keys(dict, "a m");
    qdict_put_int(dict, "z", 1);
    assert_keys(dict, "a m z");
}

static void test_get(void)
{
    g_autoptr(QDict) dict = qdict_new();

    qdict_put_str(dict, "s", "text");
    qdict_put_int(dict, "i", -5);
    qdict_put_bool(dict, "b", true);
    qdict_put_null(dict, "n");
    qdict_put(dict, "d", qdict_new());
    qdict_put(dict, "l", qlist_new());
    g_assert_cmpstr(qdict_get_try_str(dict, "s"), ==, "text");
    g_assert_null(qdict_get_try_str(dict, "i"));
    g_assert_null(qdict_get_try_str(dict, "absent"));
    g_assert_cmpint(qdict_get_try_int(dict, "i", 1), ==, -5);
    g_assert_cmpint(qdict_get_try_int(dict, "s", 1), ==, 1);
    g_assert_true(qdict_get_try_bool(dict, "b", false));
    g_assert_true(qdict_get_try_bool(dict, "s", true));
    g_assert_cmpint(qobject_type(qdict_get(dict, "n")), ==, QTYPE_QNULL);
    g_assert_nonnull(qdict_get_qdict(dict, "d"));
    g_assert_null(qdict_get_qdict(dict, "l"));
    g_assert_nonnull(qdict_get_qlist(dict, "l"));
    g_assert_null(qdict_get_qlist(dict, "d"));
    g_assert_true(qdict_haskey(dict, "n"));
    g_assert_false(qdict_haskey(dict, "absent"));
    g_assert_null(qdict_get(dict, "absent"));
}

static void test_take(void)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autoptr(QObject) value = NULL;

    qdict_put_str(dict, "a", "x");
    qdict_put_str(dict, "b", "y");
    value = qdict_take(dict, "a");
    g_assert_cmpstr(qobject_get_str(value), ==, "x");
    assert_keys(dict, "b");
    g_assert_null(qdict_take(dict, "a"));
    qdict_del(dict, "a");
    assert_keys(dict, "b");
}

static void test_put_shared_value(void)
{
    g_autoptr(QDict) dict = qdict_new();

    /* Replacing a value by itself must not free it first. */
    qdict_put_str(dict, "a", "x");
    qdict_put_obj(dict, "a", qobject_ref(qdict_get(dict, "a")));
    g_assert_cmpstr(qdict_get_try_str(dict, "a"), ==, "x");
}

static void test_shallow_clone(void)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autoptr(QDict) clone = NULL;

    qdict_put_int(dict, "b", 1);
    qdict_put_int(dict, "a", 2);
    clone = qdict_clone_shallow(dict);
    qdict_del(clone, "b");
    assert_keys(dict, "b a");
    assert_keys(clone, "a");
}

static void test_join_fills_gaps(void)
{
    g_autoptr(QDict) dest = qdict_from_keyval("a=1,b=2", NULL, NULL);
    g_autoptr(QDict) src = qdict_from_keyval("b=3,c=4", NULL, NULL);

    qdict_join(dest, src, false);
    assert_keys(dest, "a b c");
    g_assert_cmpstr(qdict_get_try_str(dest, "b"), ==, "2");
    assert_keys(src, "b");
    g_assert_cmpstr(qdict_get_try_str(src, "b"), ==, "3");
}

static void test_join_overwrites(void)
{
    g_autoptr(QDict) dest = qdict_from_keyval("a=1,b=2", NULL, NULL);
    g_autoptr(QDict) src = qdict_from_keyval("b=3,c=4", NULL, NULL);

    qdict_join(dest, src, true);
    assert_keys(dest, "a b c");
    g_assert_cmpstr(qdict_get_try_str(dest, "b"), ==, "3");
    g_assert_cmpuint(qdict_size(src), ==, 0);
}

/* A dictionary and a plain array must agree after any series of changes. */
static void test_random_changes(void)
{
    g_autoptr(QDict) dict = qdict_new();
    g_autoptr(GPtrArray) model = g_ptr_array_new_with_free_func(g_free);

    for (int i = 0; i < 2000; i++) {
        g_autofree char *key = g_strdup_printf("k%d", g_test_rand_int_range(0, 40));
        guint found;
        bool is_there = g_ptr_array_find_with_equal_func(model, key, g_str_equal, &found);

        g_assert_true(qdict_haskey(dict, key) == is_there);
        if (g_test_rand_bit()) {
            qdict_put_int(dict, key, i);
            if (!is_there) {
                g_ptr_array_add(model, g_strdup(key));
            }
            g_assert_cmpint(qdict_get_try_int(dict, key, -1), ==, i);
        } else {
            qdict_del(dict, key);
            if (is_there) {
                g_ptr_array_remove_index(model, found);
            }
        }
    }
    g_assert_cmpuint(qdict_size(dict), ==, model->len);
    for (guint i = 0; i < model->len; i++) {
        g_assert_cmpstr(qdict_key_at(dict, i), ==, model->pdata[i]);
        g_assert_true(qdict_value_at(dict, i) == qdict_get(dict, model->pdata[i]));
    }
}

static void test_list_keeps_order(void)
{
    g_autoptr(QList) list = qlist_new();
    int64_t value = 0;

    for (int i = 0; i < 100; i++) {
        qlist_append(list, qnum_new_int(i));
    }
    g_assert_cmpuint(qlist_size(list), ==, 100);
    for (int i = 0; i < 100; i++) {
        g_assert_true(qobject_get_int(qlist_at(list, i), &value));
        g_assert_cmpint(value, ==, i);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qdict/order/is-that-of-insertion", test_keeps_order);
    g_test_add_func("/qdict/get/gives-only-its-type", test_get);
    g_test_add_func("/qdict/take/removes-and-returns", test_take);
    g_test_add_func("/qdict/put/same-value-survives", test_put_shared_value);
    g_test_add_func("/qdict/clone/has-keys-of-its-own", test_shallow_clone);
    g_test_add_func("/qdict/join/without-overwrite-fills-gaps", test_join_fills_gaps);
    g_test_add_func("/qdict/join/with-overwrite-replaces", test_join_overwrites);
    g_test_add_func("/qdict/random/agrees-with-a-plain-array", test_random_changes);
    g_test_add_func("/qlist/order/is-that-of-appending", test_list_keeps_order);
    return g_test_run();
}
