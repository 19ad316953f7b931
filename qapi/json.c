/* SPDX-License-Identifier: MIT */
/*
 * JSON text to values and back, by jansson.
 *
 * jansson has no integers from 2^63 on and prints doubles with needless digits. So numbers travel
 * beside it: the k-th number of the text belongs to the k-th number met in its tree, as jansson
 * keeps the order of objects and duplicates are refused.
 */
#include <cairn/qdict.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "qapi/json-scan.h"
#include "qapi/qobject-int.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* ---- text to values ---- */

typedef struct FromJson {
    const GPtrArray *numbers;   /* QObject *: of the whole text */
    guint next;                 /* the first of them that was not met yet */
} FromJson;

static QObject *from_json(FromJson *from, json_t *json, GError **error);

static QObject *from_json_object(FromJson *from, json_t *json, GError **error)
{
    g_autoptr(QDict) dict = qdict_new();
    const char *key;
    json_t *item;

    json_object_foreach(json, key, item) {
        QObject *value;

        if (strlen(key) > QAPI_MAX_KEY_BYTES) {
            cairn_set_error(error, E2BIG, "JSON parse error, key longer than %d bytes",
                            QAPI_MAX_KEY_BYTES);
            return NULL;
        }
        value = from_json(from, item, error);
        if (!value) {
            return NULL;
        }
        qdict_put_obj(dict, key, value);
    }
    return QOBJECT(g_steal_pointer(&dict));
}

static QObject *from_json_array(FromJson *from, json_t *json, GError **error)
{
    g_autoptr(QList) list = qlist_new();
    size_t index;
    json_t *item;

    json_array_foreach(json, index, item) {
        QObject *value = from_json(from, item, error);

        if (!value) {
            return NULL;
        }
        qlist_append_obj(list, value);
    }
    return QOBJECT(g_steal_pointer(&list));
}

/* Recurses no deeper than the scan allowed. */
static QObject *from_json(FromJson *from, json_t *json, GError **error)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return from_json_object(from, json, error);
    case JSON_ARRAY:
        return from_json_array(from, json, error);
    case JSON_STRING:
        return qstring_new(json_string_value(json));
    case JSON_INTEGER:
    case JSON_REAL:
        g_assert(from->next < from->numbers->len);
        return qobject_ref(from->numbers->pdata[from->next++]);
    case JSON_TRUE:
    case JSON_FALSE:
        return qbool_new(json_is_true(json));
    case JSON_NULL:
        return qnull_new();
    }
    g_assert_not_reached();
}

static void set_parse_error(const json_error_t *why, GError **error)
{
    g_autofree char *text = g_strescape(why->text, "\"");
    const char *reason = text;

    switch (json_error_code(why)) {
    case json_error_premature_end_of_input:
        reason = "premature EOI";
        break;
    case json_error_end_of_input_expected:
        reason = "expecting at most one value";
        break;
    case json_error_duplicate_key:
        reason = "duplicate key";
        break;
    case json_error_invalid_utf8:
        reason = "invalid UTF-8";
        break;
    case json_error_null_character:
    case json_error_null_byte_in_key:
        reason = "\\u0000 in a string";
        break;
    default:
        break;
    }
    cairn_set_error(error, EINVAL, "JSON parse error, %s", reason);
}

QObject *qobject_from_json(const char *text, GError **error)
{
    g_autoptr(GPtrArray) numbers = g_ptr_array_new_with_free_func(qobject_unref);
    g_autofree char *scanned = json_scan(text, numbers, error);
    FromJson from = { .numbers = numbers };
    g_autoptr(json_t) json = NULL;
    json_error_t why;

    if (!scanned) {
        return NULL;
    }
    json = json_loads(scanned, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!json) {
        set_parse_error(&why, error);
        return NULL;
    }
    return from_json(&from, json, error);
}

/* ---- values to text ---- */

typedef struct ToJson {
    GPtrArray *numbers;         /* char *: text to print, or NULL for what jansson prints */
    bool has_texts;             /* not all of them are NULL */
} ToJson;

static json_t *to_json(ToJson *to, const QObject *obj);

static json_t *to_json_string(const char *text)
{
    g_autofree char *valid = NULL;

    if (!g_utf8_validate(text, -1, NULL)) {
        valid = g_utf8_make_valid(text, -1);    /* each bad byte becomes U+FFFD */
    }
    return json_string(valid ? valid : text);
}

static json_t *to_json_object(ToJson *to, const QDict *dict)
{
    json_t *json = json_object();

    for (size_t i = 0; i < qdict_size(dict); i++) {
        g_autofree char *key = g_utf8_make_valid(qdict_key_at(dict, i), -1);

        /* Two keys that differ only in bad bytes: the first stays, or numbers would go astray. */
        if (!json_object_get(json, key)) {
            json_object_set_new_nocheck(json, key, to_json(to, qdict_value_at(dict, i)));
        }
    }
    return json;
}

static json_t *to_json_array(ToJson *to, const QList *list)
{
    json_t *json = json_array();

    for (size_t i = 0; i < qlist_size(list); i++) {
        json_array_append_new(json, to_json(to, qlist_at(list, i)));
    }
    return json;
}

/* The shortest text that reads as the same double, and as a double. */
static char *double_text(double value)
{
    char buf[G_ASCII_DTOSTR_BUF_SIZE];

    for (int digits = 15; digits <= 17; digits++) {
        g_autofree char *format = g_strdup_printf("%%.%dg", digits);

        g_ascii_formatd(buf, sizeof(buf), format, value);
        if (g_ascii_strtod(buf, NULL) == value) {
            break;
        }
    }
    return g_strconcat(buf, strpbrk(buf, ".e") ? "" : ".0", NULL);
}

static json_t *to_json_number(ToJson *to, const QNum *num)
{
    char *text = NULL;

    if (num->kind == QNUM_DOUBLE && !isfinite(num->u.dbl)) {
        return json_null();
    }
    if (num->kind == QNUM_DOUBLE) {
        text = double_text(num->u.dbl);
    } else if (num->kind == QNUM_U64) {
        text = g_strdup_printf("%" G_GUINT64_FORMAT, num->u.u64);
    }
    g_ptr_array_add(to->numbers, text);
    to->has_texts |= text != NULL;
    return json_integer(text ? 0 : num->u.i64);
}

static json_t *to_json(ToJson *to, const QObject *obj)
{
    switch (obj->type) {
    case QTYPE_QNULL:
        return json_null();
    case QTYPE_QBOOL:
        return json_boolean(((const QBool *)obj)->value);
    case QTYPE_QNUM:
        return to_json_number(to, (const QNum *)obj);
    case QTYPE_QSTRING:
        return to_json_string(qobject_get_str(obj));
    case QTYPE_QDICT:
        return to_json_object(to, (const QDict *)obj);
    case QTYPE_QLIST:
        return to_json_array(to, (const QList *)obj);
    }
    g_assert_not_reached();
}

char *qobject_to_json(const QObject *obj, bool pretty)
{
    g_autoptr(GPtrArray) numbers = g_ptr_array_new_with_free_func(g_free);
    ToJson to = { .numbers = numbers };
    g_autoptr(json_t) json = to_json(&to, obj);
    size_t flags = JSON_ENCODE_ANY | JSON_ENSURE_ASCII | (pretty ? JSON_INDENT(4) : 0);
    char *printed = json ? json_dumps(json, flags) : NULL;
    char *text;

    if (!printed) {
        g_error("out of memory");           /* as g_malloc() ends: nothing else can fail here */
    }
    text = to.has_texts ? json_replace_numbers(printed, numbers) : g_strdup(printed);
    free(printed);
    return text;
}
