/* SPDX-License-Identifier: MIT */
/*
 * The two forms of a tree: nested, and flat with dotted keys.
 *
 * (1) Flattening never fails. Where both spellings of one key meet, the later one wins.
 * (2) Crumpling refuses what no tree can hold, and keys of more than QAPI_MAX_DEPTH parts, as both
 *     directions recurse.
 */
#include "qapi/qobject-int.h"

#include <errno.h>
#include <string.h>

static void flatten_object(QDict *flat, const char *key, QObject *value);

static void flatten_dict(QDict *flat, const char *prefix, const QDict *dict)
{
    for (size_t i = 0; i < qdict_size(dict); i++) {
        g_autofree char *key = g_strconcat(prefix, ".", qdict_key_at(dict, i), NULL);

        flatten_object(flat, key, qdict_value_at(dict, i));
    }
}

static void flatten_list(QDict *flat, const char *prefix, const QList *list)
{
    for (size_t i = 0; i < qlist_size(list); i++) {
        g_autofree char *key = g_strdup_printf("%s.%zu", prefix, i);

        flatten_object(flat, key, qlist_at(list, i));
    }
}

static void flatten_object(QDict *flat, const char *key, QObject *value)
{
    QDict *dict = qobject_to_qdict(value);
    QList *list = qobject_to_qlist(value);

    if (dict && qdict_size(dict)) {
        flatten_dict(flat, key, dict);
    } else if (list && qlist_size(list)) {
        flatten_list(flat, key, list);
    } else {
        qdict_put_obj(flat, key, qobject_ref(value));
    }
}

void qdict_flatten(QDict *dict)
{
    g_autoptr(QDict) flat = qdict_new();

    for (size_t i = 0; i < qdict_size(dict); i++) {
        flatten_object(flat, qdict_key_at(dict, i), qdict_value_at(dict, i));
    }
    qdict_swap(dict, flat);
}

QDict *qdict_extract_subqdict(QDict *dict, const char *prefix)
{
    g_autoptr(QDict) kept = qdict_new();
    QDict *sub = qdict_new();
    size_t prefix_len = strlen(prefix);

    for (size_t i = 0; i < qdict_size(dict); i++) {
        const char *key = qdict_key_at(dict, i);
        QObject *value = qobject_ref(qdict_value_at(dict, i));

        if (g_str_has_prefix(key, prefix)) {
            qdict_put_obj(sub, key + prefix_len, value);
        } else {
            qdict_put_obj(kept, key, value);
        }
    }
    qdict_swap(dict, kept);
    return sub;
}

/* ---- flat to nested ---- */

/*
 * The dictionary under @name, made if need be. NULL with @error if a value
 * stands there. A dictionary that was made here is never empty when it is
 * met again: an empty one is a value.
 */
static QDict *crumple_descend(QDict *dict, const char *name, const char *key, GError **error)
{
    QObject *found = qdict_get(dict, name);
    QDict *sub = qobject_to_qdict(found);

    if (!found) {
        sub = qdict_new();
        qdict_put(dict, name, sub);
    } else if (!sub || !qdict_size(sub)) {
        cairn_set_error(error, EINVAL, "'%s' is in the way of option '%s'", name, key);
        cairn_error_append_hint(error, "'%s' cannot be a value and a group of options at once",
                                name);
        return NULL;
    }
    return sub;
}

static bool crumple_insert(QDict *root, const char *key, QObject *value, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(key, ".", QAPI_MAX_DEPTH + 1);
    guint count = g_strv_length(parts);
    QDict *dict = root;

    if (count > QAPI_MAX_DEPTH) {
        cairn_set_error(error, EINVAL, "An option name has more than %d parts", QAPI_MAX_DEPTH);
        return false;
    }
    for (guint i = 0; i + 1 < count; i++) {
        dict = crumple_descend(dict, parts[i], key, error);
        if (!dict) {
            return false;
        }
    }
    /* An empty key splits into no parts at all. */
    if (qdict_haskey(dict, count ? parts[count - 1] : "")) {
        cairn_set_error(error, EINVAL, "Option '%s' is given both as a value and as a group", key);
        return false;
    }
    qdict_put_obj(dict, count ? parts[count - 1] : "", qobject_ref(value));
    return true;
}

/* "0", "1", "12": no sign, no leading zero. */
static bool key_is_index(const char *key)
{
    size_t digits = strspn(key, "0123456789");

    return digits && !key[digits] && (key[0] != '0' || digits == 1);
}

static size_t count_index_keys(const QDict *dict)
{
    size_t count = 0;

    for (size_t i = 0; i < qdict_size(dict); i++) {
        count += key_is_index(qdict_key_at(dict, i));
    }
    return count;
}

static QObject *listify(QObject *obj, const char *where, GError **error);

/* @dict with each value listified; a new reference. */
static QDict *listify_values(const QDict *dict, const char *where, GError **error)
{
    g_autoptr(QDict) out = qdict_new();

    for (size_t i = 0; i < qdict_size(dict); i++) {
        const char *key = qdict_key_at(dict, i);
        g_autofree char *path = g_strconcat(where, *where ? "." : "", key, NULL);
        QObject *value = listify(qdict_value_at(dict, i), path, error);

        if (!value) {
            return NULL;
        }
        qdict_put_obj(out, key, value);
    }
    return g_steal_pointer(&out);
}

static QObject *dict_to_list(const QDict *dict, const char *where, GError **error)
{
    g_autoptr(QList) list = qlist_new();

    for (size_t i = 0; i < qdict_size(dict); i++) {
        g_autofree char *index = g_strdup_printf("%zu", i);
        QObject *item = qdict_get(dict, index);

        if (!item) {
            cairn_set_error(error, EINVAL, "Element %s of list '%s' is missing", index, where);
            return NULL;
        }
        qlist_append_obj(list, qobject_ref(item));
    }
    return QOBJECT(g_steal_pointer(&list));
}

/* Turns dictionaries whose keys are all numbers into lists; a new reference. */
static QObject *listify(QObject *obj, const char *where, GError **error)
{
    QDict *dict = qobject_to_qdict(obj);
    g_autoptr(QDict) out = NULL;
    size_t index_keys;

    if (!dict) {
        return qobject_ref(obj);
    }
    out = listify_values(dict, where, error);
    if (!out) {
        return NULL;
    }
    index_keys = count_index_keys(out);
    if (!index_keys) {
        return QOBJECT(g_steal_pointer(&out));
    }
    if (index_keys != qdict_size(out)) {
        cairn_set_error(error, EINVAL, "'%s' has both numbers and names as keys", where);
        return NULL;
    }
    return dict_to_list(out, where, error);
}

QObject *qdict_crumple(const QDict *dict, GError **error)
{
    g_autoptr(QDict) flat = qdict_clone_shallow(dict);
    g_autoptr(QDict) root = qdict_new();

    qdict_flatten(flat);
    for (size_t i = 0; i < qdict_size(flat); i++) {
        if (!crumple_insert(root, qdict_key_at(flat, i), qdict_value_at(flat, i), error)) {
            return NULL;
        }
    }
    return listify(QOBJECT(root), "", error);
}
