/* SPDX-License-Identifier: MIT */
/* Lists of values, which own a reference to each. */
#include "qapi/qobject-int.h"

QList *qlist_new(void)
{
    QList *list = g_new(QList, 1);

    qobject_init(&list->base, QTYPE_QLIST);
    list->items = g_ptr_array_new_with_free_func(qobject_unref);
    return list;
}

void qlist_destroy(QList *list)
{
    g_ptr_array_unref(list->items);
}

size_t qlist_size(const QList *list)
{
    return list->items->len;
}

QObject *qlist_at(const QList *list, size_t index)
{
    g_assert(index < list->items->len);
    return list->items->pdata[index];
}

void qlist_append_obj(QList *list, QObject *value)
{
    g_assert(value);
    g_ptr_array_add(list->items, value);
}
