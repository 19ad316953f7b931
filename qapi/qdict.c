/* SPDX-License-Identifier: MIT */
/*
 * Dictionaries: an array of entries in order of insertion, and a hash that
 * finds them by key. Both always hold the same entries.
 */
#include "qapi/qobject-int.h"

static void qdict_entry_free(void *opaque)
{
    QDictEntry *entry = opaque;

    qobject_unref(entry->value);
    g_free(entry->key);
    g_free(entry);
}

QDict *qdict_new(void)
{
    QDict *dict = g_new(QDict, 1);

    qobject_init(&dict->base, QTYPE_QDICT);
    dict->entries = g_ptr_array_new_with_free_func(qdict_entry_free);
    dict->index = g_hash_table_new(g_str_hash, g_str_equal);
    return dict;
}

void qdict_destroy(QDict *dict)
{
    g_hash_table_destroy(dict->index);
    g_ptr_array_unref(dict->entries);
}

size_t qdict_size(const QDict *dict)
{
    return dict->entries->len;
}

bool qdict_haskey(const QDict *dict, const char *key)
{
    return g_hash_table_contains(dict->index, key);
}

QObject *qdict_get(const QDict *dict, const char *key)
{
    const QDictEntry *entry = g_hash_table_lookup(dict->index, key);

    return entry ? entry->value : NULL;
}

void qdict_put_obj(QDict *dict, const char *key, QObject *value)
{
    QDictEntry *entry = g_hash_table_lookup(dict->index, key);

    g_assert(value);
    if (entry) {
        QObject *old = entry->value;

        entry->value = value;
        qobject_unref(old);
        return;
    }
    entry = g_new(QDictEntry, 1);
    entry->key = g_strdup(key);
    entry->value = value;
    g_ptr_array_add(dict->entries, entry);
    g_hash_table_insert(dict->index, entry->key, entry);
}

void qdict_put_str(QDict *dict, const char *key, const char *value)
{
    qdict_put_obj(dict, key, qstring_new(value));
}

void qdict_put_int(QDict *dict, const char *key, int64_t value)
{
    qdict_put_obj(dict, key, qnum_new_int(value));
}

void qdict_put_bool(QDict *dict, const char *key, bool value)
{
    qdict_put_obj(dict, key, qbool_new(value));
}

void qdict_put_null(QDict *dict, const char *key)
{
    qdict_put_obj(dict, key, qnull_new());
}

QObject *qdict_take(QDict *dict, const char *key)
{
    QDictEntry *entry = g_hash_table_lookup(dict->index, key);
    QObject *value;

    if (!entry) {
        return NULL;
    }
    value = qobject_ref(entry->value);
    g_hash_table_remove(dict->index, key);
    g_ptr_array_remove(dict->entries, entry);
    return value;
}

void qdict_del(QDict *dict, const char *key)
{
    qobject_unref(qdict_take(dict, key));
}

/* ---- typed look-up ---- */

const char *qdict_get_try_str(const QDict *dict, const char *key)
{
    return qobject_get_str(qdict_get(dict, key));
}

int64_t qdict_get_try_int(const QDict *dict, const char *key, int64_t fallback)
{
    int64_t value;

    return qobject_get_int(qdict_get(dict, key), &value) ? value : fallback;
}

bool qdict_get_try_bool(const QDict *dict, const char *key, bool fallback)
{
    bool value;

    return qobject_get_bool(qdict_get(dict, key), &value) ? value : fallback;
}

QDict *qdict_get_qdict(const QDict *dict, const char *key)
{
    return qobject_to_qdict(qdict_get(dict, key));
}

QList *qdict_get_qlist(const QDict *dict, const char *key)
{
    return qobject_to_qlist(qdict_get(dict, key));
}

/* ---- walking and whole dictionaries ---- */

const char *qdict_key_at(const QDict *dict, size_t index)
{
    g_assert(index < dict->entries->len);
    return ((const QDictEntry *)dict->entries->pdata[index])->key;
}

QObject *qdict_value_at(const QDict *dict, size_t index)
{
    g_assert(index < dict->entries->len);
    return ((const QDictEntry *)dict->entries->pdata[index])->value;
}

QDict *qdict_clone_shallow(const QDict *dict)
{
    QDict *copy = qdict_new();

    for (size_t i = 0; i < qdict_size(dict); i++) {
        qdict_put_obj(copy, qdict_key_at(dict, i), qobject_ref(qdict_value_at(dict, i)));
    }
    return copy;
}

void qdict_join(QDict *dest, QDict *src, bool overwrite)
{
    g_autoptr(QDict) kept = qdict_new();

    g_assert(dest != src);
    for (size_t i = 0; i < qdict_size(src); i++) {
        const char *key = qdict_key_at(src, i);
        bool moves = overwrite || !qdict_haskey(dest, key);

        qdict_put_obj(moves ? dest : kept, key, qobject_ref(qdict_value_at(src, i)));
    }
    /* One rebuild: taking the keys out one by one would be quadratic. */
    qdict_swap(src, kept);
}

void qdict_swap(QDict *a, QDict *b)
{
    GPtrArray *entries = a->entries;
    GHashTable *index = a->index;

    a->entries = b->entries;
    a->index = b->index;
    b->entries = entries;
    b->index = index;
}
