/* SPDX-License-Identifier: MIT */
/*
 * QDict: the tree that all options meet in, however they were spelled. Values
 * are null, booleans, numbers, strings, dictionaries and lists, with a reference
 * count. Dictionaries keep the order of insertion. "Flat" is the form
 * with dotted keys ("file.filename", "children.0.driver").
 */
#ifndef CAIRN_QDICT_H
#define CAIRN_QDICT_H

#include <cairn/error.h>

G_BEGIN_DECLS

typedef enum QType {
    QTYPE_QNULL = 1, QTYPE_QNUM, QTYPE_QSTRING, QTYPE_QDICT, QTYPE_QLIST,
    QTYPE_QBOOL,
} QType;

typedef struct QObject QObject;     /* any of the types below begins with it */
typedef struct QDict QDict;
typedef struct QList QList;

#define QOBJECT(x) ((QObject *)(x))

CAIRN_API QType qobject_type(const QObject *obj);
CAIRN_API void *qobject_ref(void *obj);
CAIRN_API void qobject_unref(void *obj);            /* NULL is allowed */
CAIRN_API bool qobject_is_equal(const QObject *a, const QObject *b);
CAIRN_API QObject *qobject_deep_copy(const QObject *obj);

CAIRN_API QObject *qnull_new(void);
CAIRN_API QObject *qbool_new(bool value);
CAIRN_API QObject *qnum_new_int(int64_t value);
CAIRN_API QObject *qnum_new_uint(uint64_t value);
CAIRN_API QObject *qnum_new_double(double value);
CAIRN_API QObject *qstring_new(const char *value);

/* Each gives NULL or false if @obj is NULL or of another type. */
CAIRN_API QDict *qobject_to_qdict(QObject *obj);
CAIRN_API QList *qobject_to_qlist(QObject *obj);
CAIRN_API const char *qobject_get_str(const QObject *obj);
CAIRN_API bool qobject_get_bool(const QObject *obj, bool *value);
CAIRN_API bool qobject_get_int(const QObject *obj, int64_t *value);
CAIRN_API bool qobject_get_uint(const QObject *obj, uint64_t *value);
CAIRN_API bool qobject_get_double(const QObject *obj, double *value);

CAIRN_API QDict *qdict_new(void);
CAIRN_API size_t qdict_size(const QDict *dict);
CAIRN_API bool qdict_haskey(const QDict *dict, const char *key);
/** qdict_get: borrowed; NULL if absent. */
CAIRN_API QObject *qdict_get(const QDict *dict, const char *key);
/** qdict_put_obj: takes over the caller's reference; replaces in place an older value. */
CAIRN_API void qdict_put_obj(QDict *dict, const char *key, QObject *value);
#define qdict_put(dict, key, value) qdict_put_obj(dict, key, QOBJECT(value))
CAIRN_API void qdict_put_str(QDict *dict, const char *key, const char *value);
CAIRN_API void qdict_put_int(QDict *dict, const char *key, int64_t value);
CAIRN_API void qdict_put_bool(QDict *dict, const char *key, bool value);
CAIRN_API void qdict_put_null(QDict *dict, const char *key);
CAIRN_API void qdict_del(QDict *dict, const char *key);
/** qdict_take: removes and returns the value with its reference; NULL if absent. */
CAIRN_API QObject *qdict_take(QDict *dict, const char *key);

CAIRN_API const char *qdict_get_try_str(const QDict *dict, const char *key);
CAIRN_API int64_t qdict_get_try_int(const QDict *dict, const char *key, int64_t fallback);
CAIRN_API bool qdict_get_try_bool(const QDict *dict, const char *key, bool fallback);
CAIRN_API QDict *qdict_get_qdict(const QDict *dict, const char *key);
CAIRN_API QList *qdict_get_qlist(const QDict *dict, const char *key);

/* Iteration in order: for (i = 0; i < qdict_size(d); i++). Do not change the dict meanwhile. */
CAIRN_API const char *qdict_key_at(const QDict *dict, size_t index);
CAIRN_API QObject *qdict_value_at(const QDict *dict, size_t index);

CAIRN_API QDict *qdict_clone_shallow(const QDict *dict);
/** qdict_flatten: in place: nested dicts and lists become dotted keys (empty ones stay as they are). */
CAIRN_API void qdict_flatten(QDict *dict);
/** qdict_crumple: the reverse; an error on "a=1,a.b=2" and on lists with holes. @dict is not changed. */
CAIRN_API QObject *qdict_crumple(const QDict *dict, GError **error);
/**
 * qdict_extract_subqdict:
 * Moves all keys of flat @dict that start with @prefix (with its dot, "file.")
 * into a new dict, without the prefix. Never NULL.
 */
CAIRN_API QDict *qdict_extract_subqdict(QDict *dict, const char *prefix);
/** qdict_join: moves into @dest what it lacks (or all, with @overwrite) from @src. */
CAIRN_API void qdict_join(QDict *dest, QDict *src, bool overwrite);

CAIRN_API QList *qlist_new(void);
CAIRN_API size_t qlist_size(const QList *list);
CAIRN_API QObject *qlist_at(const QList *list, size_t index);
CAIRN_API void qlist_append_obj(QList *list, QObject *value);   /* takes the reference */
#define qlist_append(list, value) qlist_append_obj(list, QOBJECT(value))

/**
 * qobject_from_json:
 * JSON text, single-quoted strings accepted. Limits: nesting 128, 1 MiB, 4096
 * keys; duplicate keys are refused. Errors start with "JSON parse error, ".
 */
CAIRN_API QObject *qobject_from_json(const char *text, GError **error);
/** qobject_to_json: @pretty: 4 spaces of indentation, as the tools print; else one line with ", " and ": ". */
CAIRN_API char *qobject_to_json(const QObject *obj, bool pretty);

/**
 * qdict_from_keyval:
 * @implied_key: key of a first word without "=", or NULL
 *
 * Parses "a.b=c,d=e" to a flat dict of strings. ",," in a value is a literal comma; a later duplicate wins.
 * A bare "key" is "on" and a bare "nokey" is "off". Limits: 1 MiB, 4096 options, 128 parts of a name.
 * Without @implied_key (the -o of the tools) an empty text and a comma at either end are errors, "Invalid option list: TEXT".
 */
CAIRN_API QDict *qdict_from_keyval(const char *text, const char *implied_key,
                                   GError **error);

/**
 * qdict_from_keyval_bare:
 * @bare: if not NULL, set on success: the bare words ("help", "nocow"; not the implied one), as written; free with g_strfreev()
 *
 * As qdict_from_keyval(), for callers that look for "help" or warn of the short form.
 */
CAIRN_API QDict *qdict_from_keyval_bare(const char *text, const char *implied_key,
                                        char ***bare, GError **error);

/* ---- option tables -------------------------------------------------- */

typedef enum OptionType {
    OPTION_STRING, OPTION_BOOL, OPTION_NUMBER, OPTION_SIZE,
} OptionType;

/* One option of a driver; a table ends with a NULL name. Built-in drivers' tables come from the schema. */
typedef struct OptionDesc {
    const char *name;           /* dotted where nested: "encrypt.format"; a part "#" stands for a list index */
    OptionType type;
    const char *help;           /* one line, no full stop */
    const char *default_value;  /* as text; NULL: none */
    bool reopenable;            /* may be changed by reopen */
    const char *const *choices; /* OPTION_STRING: allowed values, or NULL */
} OptionDesc;

/**
 * options_absorb:
 * Moves every key of flat @options that @table names into a new flat dict, checked and
 * with its table type (bool, integer, string). Texts are converted ("64k", "on"). Defaults are not
 * filled in. Unknown keys stay in @options.
 * Returns: the new dict, or NULL with @error (@options then is as it was).
 */
CAIRN_API QDict *options_absorb(const OptionDesc *table, QDict *options,
                                GError **error);

/** options_find: the entry of that name, or NULL. @table may be NULL. */
CAIRN_API const OptionDesc *options_find(const OptionDesc *table, const char *name);

/** options_help: lines "  name=<type>     - help" sorted by name. */
CAIRN_API char *options_help(const OptionDesc *table, const OptionDesc *more);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QObject, qobject_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QDict, qobject_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QList, qobject_unref)

G_END_DECLS

#endif
