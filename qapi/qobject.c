/* SPDX-License-Identifier: MIT */
/*
 * Values of a tree: reference counts, scalars, comparison, copies. The
 * containers are in qdict.c and qlist.c.
 */
#include "qapi/qobject-int.h"

void qobject_init(QObject *obj, QType type)
{
    obj->type = type;
    obj->refs = 1;
}

QType qobject_type(const QObject *obj)
{
    return obj->type;
}

void *qobject_ref(void *obj)
{
    g_atomic_int_inc(&((QObject *)obj)->refs);
    return obj;
}

static void qobject_destroy(QObject *obj)
{
    switch (obj->type) {
    case QTYPE_QDICT:
        qdict_destroy((QDict *)obj);
        break;
    case QTYPE_QLIST:
        qlist_destroy((QList *)obj);
        break;
    case QTYPE_QSTRING:
        g_free(((QString *)obj)->value);
        break;
    default:
        break;
    }
    g_free(obj);
}

void qobject_unref(void *obj)
{
    if (obj && g_atomic_int_dec_and_test(&((QObject *)obj)->refs)) {
        qobject_destroy(obj);
    }
}

/* ---- making scalars ---- */

QObject *qnull_new(void)
{
    QObject *obj = g_new(QObject, 1);

    qobject_init(obj, QTYPE_QNULL);
    return obj;
}

QObject *qbool_new(bool value)
{
    QBool *obj = g_new(QBool, 1);

    qobject_init(&obj->base, QTYPE_QBOOL);
    obj->value = value;
    return &obj->base;
}

static QNum *qnum_new(QNumKind kind)
{
    QNum *obj = g_new0(QNum, 1);

    qobject_init(&obj->base, QTYPE_QNUM);
    obj->kind = kind;
    return obj;
}

QObject *qnum_new_int(int64_t value)
{
    QNum *obj = qnum_new(QNUM_I64);

    obj->u.i64 = value;
    return &obj->base;
}

QObject *qnum_new_uint(uint64_t value)
{
    QNum *obj;

    if (value <= INT64_MAX) {
        return qnum_new_int((int64_t)value);
    }
    obj = qnum_new(QNUM_U64);
    obj->u.u64 = value;
    return &obj->base;
}

QObject *qnum_new_double(double value)
{
    QNum *obj = qnum_new(QNUM_DOUBLE);

    obj->u.dbl = value;
    return &obj->base;
}

QObject *qstring_new(const char *value)
{
    QString *obj = g_new(QString, 1);

    g_assert(value);
    qobject_init(&obj->base, QTYPE_QSTRING);
    obj->value = g_strdup(value);
    return &obj->base;
}

/* ---- looking at them ---- */

static bool has_type(const QObject *obj, QType type)
{
    return obj && obj->type == type;
}

QDict *qobject_to_qdict(QObject *obj)
{
    return has_type(obj, QTYPE_QDICT) ? (QDict *)obj : NULL;
}

QList *qobject_to_qlist(QObject *obj)
{
    return has_type(obj, QTYPE_QLIST) ? (QList *)obj : NULL;
}

const QNum *qobject_to_qnum(const QObject *obj)
{
    return has_type(obj, QTYPE_QNUM) ? (const QNum *)obj : NULL;
}

const char *qobject_get_str(const QObject *obj)
{
    return has_type(obj, QTYPE_QSTRING) ? ((const QString *)obj)->value : NULL;
}

bool qobject_get_bool(const QObject *obj, bool *value)
{
    if (!has_type(obj, QTYPE_QBOOL)) {
        return false;
    }
    *value = ((const QBool *)obj)->value;
    return true;
}

bool qobject_get_int(const QObject *obj, int64_t *value)
{
    const QNum *num = qobject_to_qnum(obj);

    if (!num || num->kind != QNUM_I64) {
        return false;
    }
    *value = num->u.i64;
    return true;
}

bool qobject_get_uint(const QObject *obj, uint64_t *value)
{
    const QNum *num = qobject_to_qnum(obj);

    if (!num || num->kind == QNUM_DOUBLE || (num->kind == QNUM_I64 && num->u.i64 < 0)) {
        return false;
    }
    *value = num->kind == QNUM_U64 ? num->u.u64 : (uint64_t)num->u.i64;
    return true;
}

bool qobject_get_double(const QObject *obj, double *value)
{
    const QNum *num = qobject_to_qnum(obj);

    if (!num) {
        return false;
    }
    switch (num->kind) {
    case QNUM_I64:
        *value = (double)num->u.i64;
        break;
    case QNUM_U64:
        *value = (double)num->u.u64;
        break;
    case QNUM_DOUBLE:
        *value = num->u.dbl;
        break;
    }
    return true;
}

/* ---- comparing and copying ---- */

static bool qnum_is_equal(const QNum *a, const QNum *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case QNUM_I64:
        return a->u.i64 == b->u.i64;
    case QNUM_U64:
        return a->u.u64 == b->u.u64;
    case QNUM_DOUBLE:
        return a->u.dbl == b->u.dbl;
    }
    g_assert_not_reached();
}

static bool qdict_is_equal(const QDict *a, const QDict *b)
{
    if (qdict_size(a) != qdict_size(b)) {
        return false;
    }
    for (size_t i = 0; i < qdict_size(a); i++) {
        QObject *other = qdict_get(b, qdict_key_at(a, i));

        if (!other || !qobject_is_equal(qdict_value_at(a, i), other)) {
            return false;
        }
    }
    return true;
}

static bool qlist_is_equal(const QList *a, const QList *b)
{
    if (qlist_size(a) != qlist_size(b)) {
        return false;
    }
    for (size_t i = 0; i < qlist_size(a); i++) {
        if (!qobject_is_equal(qlist_at(a, i), qlist_at(b, i))) {
            return false;
        }
    }
    return true;
}

bool qobject_is_equal(const QObject *a, const QObject *b)
{
    if (!a || !b || a->type != b->type) {
        return a == b;
    }
    switch (a->type) {
    case QTYPE_QNULL:
        return true;
    case QTYPE_QBOOL:
        return ((const QBool *)a)->value == ((const QBool *)b)->value;
    case QTYPE_QNUM:
        return qnum_is_equal((const QNum *)a, (const QNum *)b);
    case QTYPE_QSTRING:
        return g_str_equal(qobject_get_str(a), qobject_get_str(b));
    case QTYPE_QDICT:
        return qdict_is_equal((const QDict *)a, (const QDict *)b);
    case QTYPE_QLIST:
        return qlist_is_equal((const QList *)a, (const QList *)b);
    }
    g_assert_not_reached();
}

static QObject *qdict_deep_copy(const QDict *dict)
{
    QDict *copy = qdict_new();

    for (size_t i = 0; i < qdict_size(dict); i++) {
        qdict_put_obj(copy, qdict_key_at(dict, i), qobject_deep_copy(qdict_value_at(dict, i)));
    }
    return QOBJECT(copy);
}

static QObject *qlist_deep_copy(const QList *list)
{
    QList *copy = qlist_new();

    for (size_t i = 0; i < qlist_size(list); i++) {
        qlist_append_obj(copy, qobject_deep_copy(qlist_at(list, i)));
    }
    return QOBJECT(copy);
}

QObject *qobject_deep_copy(const QObject *obj)
{
    switch (obj->type) {
    case QTYPE_QDICT:
        return qdict_deep_copy((const QDict *)obj);
    case QTYPE_QLIST:
        return qlist_deep_copy((const QList *)obj);
    default:
        return qobject_ref((QObject *)obj);
    }
}
