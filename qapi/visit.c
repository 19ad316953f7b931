/* SPDX-License-Identifier: MIT */
/*
 * Visitors over the generated tables. Parsing works on the flat form, where all
 * spellings meet: a member takes its keys out of a copy, and what is left at the
 * end was unexpected. Schemas nest a few levels, so the recursion is bounded by them.
 */
#include "qapi/visit.h"

#include <errno.h>
#include <string.h>

#include "qapi/option-value.h"

static void *member_at(const void *value, size_t offset)
{
    return (char *)value + offset;
}

int qapi_enum_parse(const char *const *values, const char *text, GError **error)
{
    for (int i = 0; values[i]; i++) {
        if (g_str_equal(values[i], text)) {
            return i;
        }
    }
    cairn_set_error(error, EINVAL, "invalid parameter value: %s", text);
    return -1;
}

/* ---- parsing ---- */

static void *parse_struct(const QapiStruct *type, QDict *flat, const char *prefix, GError **error);

static bool has_prefix_key(const QDict *flat, const char *prefix)
{
    for (size_t i = 0; i < qdict_size(flat); i++) {
        if (g_str_has_prefix(qdict_key_at(flat, i), prefix)) {
            return true;
        }
    }
    return false;
}

/* Whether @flat has the struct @path; an empty dict is one, and is taken. */
static bool take_struct(QDict *flat, const char *path)
{
    g_autofree char *prefix = g_strconcat(path, ".", NULL);

    if (has_prefix_key(flat, prefix)) {
        return true;
    }
    if (qdict_get_qdict(flat, path)) {
        qdict_del(flat, path);
        return true;
    }
    return false;
}

static bool parse_struct_member(const QapiMember *member, QDict *flat, const char *path,
                                void *out, bool *is_present, GError **error)
{
    g_autofree char *prefix = g_strconcat(path, ".", NULL);
    void **slot = member_at(out, member->offset);

    *is_present = take_struct(flat, path);
    if (!*is_present) {
        return true;
    }
    *slot = parse_struct(member->type, flat, prefix, error);
    return *slot != NULL;
}

/* The struct at @path, if there is one, becomes the last item. */
static bool parse_struct_item(const QapiMember *member, QDict *flat, const char *path, void *out,
                              bool *is_present, GError **error)
{
    g_autofree char *prefix = g_strconcat(path, ".", NULL);
    void ***items = member_at(out, member->offset);
    size_t *count = member_at(out, member->has_offset);
    void *item;

    *is_present = take_struct(flat, path);
    if (!*is_present) {
        return true;
    }
    item = parse_struct(member->type, flat, prefix, error);
    if (!item) {
        return false;
    }
    *items = g_renew(void *, *items, *count + 1);
    (*items)[(*count)++] = item;
    return true;
}

/* Likewise a value. */
static bool parse_enum_item(const QapiMember *member, QDict *flat, const char *path, void *out,
                            bool *is_present, GError **error)
{
    g_autoptr(QObject) value = qdict_take(flat, path);
    g_autoptr(QObject) typed = NULL;
    int **items = member_at(out, member->offset);
    size_t *count = member_at(out, member->has_offset);

    *is_present = value != NULL;
    if (!value) {
        return true;
    }
    typed = option_value_convert(path, OPTION_STRING, member->values, value, error);
    if (!typed) {
        return false;
    }
    *items = g_renew(int, *items, *count + 1);
    (*items)[(*count)++] = qapi_enum_parse(member->values, qobject_get_str(typed), NULL);
    return true;
}

static bool parse_list_member(const QapiMember *member, QDict *flat, const char *path, void *out,
                              bool *is_present, GError **error)
{
    size_t *count = member_at(out, member->has_offset);
    QList *empty = qdict_get_qlist(flat, path);
    bool has_item = true;

    *is_present = empty != NULL;
    if (empty) {
        qdict_del(flat, path);
    }
    while (has_item) {
        g_autofree char *item_path = g_strdup_printf("%s.%zu", path, *count);
        bool ok = member->kind == QAPI_STRUCT
            ? parse_struct_item(member, flat, item_path, out, &has_item, error)
            : parse_enum_item(member, flat, item_path, out, &has_item, error);

        if (!ok) {
            return false;
        }
        *is_present |= has_item;
    }
    return true;
}

static OptionType option_type(QapiKind kind)
{
    switch (kind) {
    case QAPI_BOOL:
        return OPTION_BOOL;
    case QAPI_INT:
        return OPTION_NUMBER;
    case QAPI_SIZE:
        return OPTION_SIZE;
    default:
        return OPTION_STRING;
    }
}

/* @value is of the type that option_type() names. */
static bool store_scalar(const QapiMember *member, const QObject *value, void *slot, GError **error)
{
    switch (member->kind) {
    case QAPI_STR:
        *(char **)slot = g_strdup(qobject_get_str(value));
        return true;
    case QAPI_BOOL:
        return qobject_get_bool(value, slot);
    case QAPI_INT:
        return qobject_get_int(value, slot);
    case QAPI_SIZE:
        return qobject_get_uint(value, slot);
    case QAPI_ENUM:
        *(int *)slot = qapi_enum_parse(member->values, qobject_get_str(value), error);
        return *(int *)slot >= 0;
    case QAPI_STRUCT:
        break;
    }
    g_assert_not_reached();
}

static bool parse_scalar_member(const QapiMember *member, QDict *flat, const char *path,
                                void *out, bool *is_present, GError **error)
{
    g_autoptr(QObject) value = qdict_take(flat, path);
    g_autoptr(QObject) typed = NULL;

    *is_present = value != NULL;
    if (!value) {
        return true;
    }
    typed = option_value_convert(path, option_type(member->kind), member->values, value, error);
    if (!typed || !store_scalar(member, typed, member_at(out, member->offset), error)) {
        return false;
    }
    if (member->is_optional && member->kind != QAPI_STR) {
        *(bool *)member_at(out, member->has_offset) = true;
    }
    return true;
}

static bool parse_member(const QapiMember *member, QDict *flat, const char *prefix, void *out,
                         GError **error)
{
    g_autofree char *path = g_strconcat(prefix, member->name, NULL);
    bool is_present;
    bool ok;

    if (member->is_list) {
        ok = parse_list_member(member, flat, path, out, &is_present, error);
    } else if (member->kind == QAPI_STRUCT) {
        ok = parse_struct_member(member, flat, path, out, &is_present, error);
    } else {
        ok = parse_scalar_member(member, flat, path, out, &is_present, error);
    }
    if (ok && !is_present && !member->is_optional) {
        cairn_set_error(error, EINVAL, "Parameter '%s' is missing", path);
        return false;
    }
    return ok;
}

static void *parse_struct(const QapiStruct *type, QDict *flat, const char *prefix, GError **error)
{
    void *out = g_malloc0(type->size);

    for (const QapiMember *member = type->members; member->name; member++) {
        if (!parse_member(member, flat, prefix, out, error)) {
            qapi_struct_free(type, out);
            return NULL;
        }
    }
    return out;
}

void *qapi_struct_parse(const QapiStruct *type, const QDict *dict, GError **error)
{
    g_autoptr(QDict) flat = qdict_clone_shallow(dict);
    void *out;

    qdict_flatten(flat);
    out = parse_struct(type, flat, "", error);
    if (out && qdict_size(flat)) {
        cairn_set_error(error, EINVAL, "Parameter '%s' is unexpected", qdict_key_at(flat, 0));
        qapi_struct_free(type, out);
        return NULL;
    }
    return out;
}

/* ---- printing ---- */

static QObject *scalar_to_qobject(const QapiMember *member, const void *slot)
{
    switch (member->kind) {
    case QAPI_STR:
        return qstring_new(*(char *const *)slot);
    case QAPI_BOOL:
        return qbool_new(*(const bool *)slot);
    case QAPI_INT:
        return qnum_new_int(*(const int64_t *)slot);
    case QAPI_SIZE:
        return qnum_new_uint(*(const uint64_t *)slot);
    case QAPI_ENUM:
        return qstring_new(member->values[*(const int *)slot]);
    case QAPI_STRUCT:
        return QOBJECT(qapi_struct_to_qdict(member->type, *(void *const *)slot));
    }
    g_assert_not_reached();
}

static QObject *list_to_qobject(const QapiMember *member, const void *value)
{
    const void *items = *(const void *const *)member_at(value, member->offset);
    size_t item_size = member->kind == QAPI_STRUCT ? sizeof(void *) : sizeof(int);
    size_t count = *(size_t *)member_at(value, member->has_offset);
    QList *list = qlist_new();

    for (size_t i = 0; i < count; i++) {
        qlist_append_obj(list, scalar_to_qobject(member, member_at(items, i * item_size)));
    }
    return QOBJECT(list);
}

static bool member_is_present(const QapiMember *member, const void *value)
{
    if (!member->is_optional) {
        return true;
    }
    if (member->is_list) {
        return *(size_t *)member_at(value, member->has_offset) > 0;
    }
    if (member->kind == QAPI_STR || member->kind == QAPI_STRUCT) {
        return *(void **)member_at(value, member->offset) != NULL;
    }
    return *(bool *)member_at(value, member->has_offset);
}

QDict *qapi_struct_to_qdict(const QapiStruct *type, const void *value)
{
    QDict *dict = qdict_new();

    for (const QapiMember *member = type->members; member->name; member++) {
        if (!member_is_present(member, value)) {
            continue;
        }
        qdict_put_obj(dict, member->name, member->is_list
                      ? list_to_qobject(member, value)
                      : scalar_to_qobject(member, member_at(value, member->offset)));
    }
    return dict;
}

/* ---- freeing ---- */

static void free_list_member(const QapiMember *member, void *value)
{
    void **items = *(void ***)member_at(value, member->offset);
    size_t count = *(size_t *)member_at(value, member->has_offset);

    for (size_t i = 0; member->kind == QAPI_STRUCT && i < count; i++) {
        qapi_struct_free(member->type, items[i]);
    }
    g_free(items);
}

void qapi_struct_free(const QapiStruct *type, void *value)
{
    for (const QapiMember *member = type->members; value && member->name; member++) {
        void *slot = member_at(value, member->offset);

        if (member->is_list) {
            free_list_member(member, value);
        } else if (member->kind == QAPI_STRUCT) {
            qapi_struct_free(member->type, *(void **)slot);
        } else if (member->kind == QAPI_STR) {
            g_free(*(char **)slot);
        }
    }
    g_free(value);
}
