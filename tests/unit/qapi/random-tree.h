/* SPDX-License-Identifier: MIT */
/* Random trees for round trips; the seed is g_test's (--seed repeats a run). */
#ifndef TESTS_RANDOM_TREE_H
#define TESTS_RANDOM_TREE_H

#include <cairn/qdict.h>

/* A scalar, or with @depth > 0 maybe a container. Names of keys have no dots and are no numbers. */
static inline QObject *random_tree(int depth)
{
    static const char *const texts[] = {
        "", "x", "a,b", "quote\"'\\", "line\nend", "\xc3\xa9\xe2\x82\xac", "\x01\x1f", "=",
        "\xf0\x9f\x92\xbe",
    };
    int kind = g_test_rand_int_range(0, depth > 0 ? 9 : 6);

    switch (kind) {
    case 0:
        return qnull_new();
    case 1:
        return qbool_new(g_test_rand_bit());
    case 2:
        return qnum_new_int((int64_t)(((uint64_t)(uint32_t)g_test_rand_int() << 32) |
                                      (uint32_t)g_test_rand_int()));
    case 3:
        return qnum_new_uint(UINT64_MAX - (uint32_t)g_test_rand_int());
    case 4:
        return qnum_new_double(g_test_rand_double_range(-1e12, 1e12));
    case 5:
        return qstring_new(texts[g_test_rand_int_range(0, G_N_ELEMENTS(texts))]);
    case 6: {
        QList *list = qlist_new();

        for (int n = g_test_rand_int_range(0, 5); n > 0; n--) {
            qlist_append_obj(list, random_tree(depth - 1));
        }
        return QOBJECT(list);
    }
    default: {
        QDict *dict = qdict_new();

        for (int n = g_test_rand_int_range(0, 6); n > 0; n--) {
            char key[] = { 'k', (char)('a' + g_test_rand_int_range(0, 26)), '\0' };

            qdict_put_obj(dict, key, random_tree(depth - 1));
        }
        return QOBJECT(dict);
    }
    }
}

static inline QDict *random_dict(int depth)
{
    for (;;) {
        QObject *obj = random_tree(depth);

        if (qobject_to_qdict(obj)) {
            return qobject_to_qdict(obj);
        }
        qobject_unref(obj);
    }
}

#endif
