/* SPDX-License-Identifier: MIT */
/* qapi/qobject.c: references, scalars, comparison and copies. */
#include <cairn/qdict.h>

static void test_wrong_type_gives_nothing(void)
{
    g_autoptr(QObject) text = qstring_new("7");
    g_autoptr(QObject) number = qnum_new_int(7);
    int64_t i64;
    uint64_t u64;
    double dbl;
    bool flag;

    g_assert_null(qobject_to_qdict(text));
    g_assert_null(qobject_to_qlist(text));
    g_assert_null(qobject_get_str(number));
    g_assert_false(qobject_get_int(text, &i64));
    g_assert_false(qobject_get_uint(text, &u64));
    g_assert_false(qobject_get_double(text, &dbl));
    g_assert_false(qobject_get_bool(number, &flag));
}

static void test_null_pointer_gives_nothing(void)
{
    int64_t i64;
    bool flag;

    g_assert_null(qobject_to_qdict(NULL));
    g_assert_null(qobject_to_qlist(NULL));
    g_assert_null(qobject_get_str(NULL));
    g_assert_false(qobject_get_int(NULL, &i64));
    g_assert_false(qobject_get_bool(NULL, &flag));
    qobject_unref(NULL);
}

static void test_int_limits(void)
{
    g_autoptr(QObject) max = qnum_new_uint(INT64_MAX);
    g_autoptr(QObject) above = qnum_new_uint((uint64_t)INT64_MAX + 1);
    g_autoptr(QObject) negative = qnum_new_int(-1);
    int64_t i64 = 0;
    uint64_t u64 = 0;

    g_assert_true(qobject_get_int(max, &i64));
    g_assert_cmpint(i64, ==, INT64_MAX);
    g_assert_false(qobject_get_int(above, &i64));
    g_assert_true(qobject_get_uint(above, &u64));
    g_assert_cmpuint(u64, ==, (uint64_t)INT64_MAX + 1);
    g_assert_false(qobject_get_uint(negative, &u64));
}

static void test_double_is_no_integer(void)
{
    g_autoptr(QObject) number = qnum_new_double(4.0);
    int64_t i64;
    uint64_t u64;
    double dbl = 0;

    g_assert_false(qobject_get_int(number, &i64));
    g_assert_false(qobject_get_uint(number, &u64));
    g_assert_true(qobject_get_double(number, &dbl));
    g_assert_cmpfloat(dbl, ==, 4.0);
}

static void test_integers_read_as_double(void)
{
    g_autoptr(QObject) small = qnum_new_int(-3);
    g_autoptr(QObject) large = qnum_new_uint(UINT64_MAX);
    double dbl = 0;

    g_assert_true(qobject_get_double(small, &dbl));
    g_assert_cmpfloat(dbl, ==, -3.0);
    g_assert_true(qobject_get_double(large, &dbl));
    g_assert_cmpfloat(dbl, ==, 18446744073709551616.0);
}

static void assert_equality(const char *a_json, const char *b_json, bool expected)
{
    g_autoptr(QObject) a = qobject_from_json(a_json, NULL);
    g_autoptr(QObject) b = qobject_from_json(b_json, NULL);

    g_assert_nonnull(a);
    g_assert_nonnull(b);
    g_assert_true(qobject_is_equal(a, b) == expected);
    g_assert_true(qobject_is_equal(b, a) == expected);
}

static void test_equality(void)
{
    assert_equality("1", "1", true);
    assert_equality("1", "2", false);
    assert_equality("1", "1.0", false);
    assert_equality("1.5", "1.5", true);
    assert_equality("18446744073709551615", "18446744073709551615", true);
    assert_equality("18446744073709551615", "18446744073709551614", false);
    assert_equality("18446744073709551615", "-1", false);
    assert_equality("\"a\"", "\"a\"", true);
    assert_equality("\"a\"", "\"b\"", false);
    assert_equality("null", "null", true);
    assert_equality("null", "false", false);
    assert_equality("true", "false", false);
    assert_equality("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true);
    assert_equality("{\"a\":1}", "{\"b\":1}", false);
    assert_equality("{\"a\":1}", "{\"a\":1,\"b\":1}", false);
    assert_equality("[1,2]", "[2,1]", false);
    assert_equality("[1,[2]]", "[1,[2]]", true);
    assert_equality("[1]", "[1,1]", false);
}

static void test_equality_with_null_pointer(void)
{
    g_autoptr(QObject) obj = qnull_new();

    g_assert_false(qobject_is_equal(obj, NULL));
    g_assert_false(qobject_is_equal(NULL, obj));
    g_assert_true(qobject_is_equal(NULL, NULL));
}

static void test_deep_copy_is_independent(void)
{
    g_autoptr(QObject) obj = qobject_from_json("{'a':{'b':[1,{'c':2}]},'d':null}", NULL);
    g_autoptr(QObject) copy = qobject_deep_copy(obj);
    QDict *inner = qdict_get_qdict(qobject_to_qdict(copy), "a");

    g_assert_true(qobject_is_equal(obj, copy));
    qdict_put_int(inner, "b", 5);
    g_assert_false(qobject_is_equal(obj, copy));
    g_assert_nonnull(qdict_get_qlist(qdict_get_qdict(qobject_to_qdict(obj), "a"), "b"));
}

static void test_reference_keeps_value(void)
{
    QObject *text = qstring_new("kept");
    QObject *second = qobject_ref(text);

    qobject_unref(text);
    g_assert_cmpstr(qobject_get_str(second), ==, "kept");
    g_assert_cmpint(qobject_type(second), ==, QTYPE_QSTRING);
    qobject_unref(second);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qobject/get/wrong-type-gives-nothing", test_wrong_type_gives_nothing);
    g_test_add_func("/qobject/get/null-pointer-gives-nothing", test_null_pointer_gives_nothing);
    g_test_add_func("/qobject/num/int-ends-at-2^63", test_int_limits);
    g_test_add_func("/qobject/num/double-is-no-integer", test_double_is_no_integer);
    g_test_add_func("/qobject/num/integers-read-as-double", test_integers_read_as_double);
    g_test_add_func("/qobject/equal/compares-by-value", test_equality);
    g_test_add_func("/qobject/equal/null-pointer-equals-only-itself",
                    test_equality_with_null_pointer);
    g_test_add_func("/qobject/copy/deep-copy-is-independent", test_deep_copy_is_independent);
    g_test_add_func("/qobject/ref/reference-keeps-value", test_reference_keeps_value);
    return g_test_run();
}
