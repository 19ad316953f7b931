/* SPDX-License-Identifier: MIT */
/*
 * What drivers there are and what options they have, as a tree: straight from their tables, which
 * for the built-in ones the schema makes.
 */
#include "block/block-int.h"

#include "qapi/block-options.h"

static const char *describe_type(const OptionDesc *desc)
{
    switch (desc->type) {
    case OPTION_STRING:
        return "str";
    case OPTION_BOOL:
        return "bool";
    case OPTION_NUMBER:
        return "int";
    case OPTION_SIZE:
        return "size";
    }
    g_assert_not_reached();
}

static QDict *describe_option(const OptionDesc *desc)
{
    QDict *dict = qdict_new();

    qdict_put_str(dict, "name", desc->name);
    qdict_put_str(dict, "type", describe_type(desc));
    if (desc->help) {
        qdict_put_str(dict, "help", desc->help);
    }
    if (desc->default_value) {
        qdict_put_str(dict, "default", desc->default_value);
    }
    if (desc->choices) {
        QList *choices = qlist_new();

        for (int i = 0; desc->choices[i]; i++) {
            qlist_append(choices, qstring_new(desc->choices[i]));
        }
        qdict_put(dict, "choices", choices);
    }
    if (desc->reopenable) {
        qdict_put_bool(dict, "reopenable", true);
    }
    return dict;
}

static QList *describe_table(const OptionDesc *table)
{
    QList *list = qlist_new();

    for (; table && table->name; table++) {
        qlist_append(list, describe_option(table));
    }
    return list;
}

static QList *describe_features(CairnContext *ctx, const BlockDriver *drv)
{
    static const struct {
        int feature;
        const char *name;
    } names[] = {
        { CAIRN_FORMAT_CREATE, "create" }, { CAIRN_FORMAT_BACKING, "backing" },
        { CAIRN_FORMAT_COMPRESS, "compress" }, { CAIRN_FORMAT_CHECK, "check" },
        { CAIRN_FORMAT_RESIZE, "resize" }, { CAIRN_FORMAT_REBASE, "rebase" },
        { CAIRN_FORMAT_MEASURE, "measure" }, { CAIRN_FORMAT_COMPACT, "compact" },
    };
    int features = cairn_format_features(ctx, drv->format_name);
    QList *list = qlist_new();

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (features & names[i].feature) {
            qlist_append(list, qstring_new(names[i].name));
        }
    }
    return list;
}

static QDict *describe_driver(CairnContext *ctx, const BlockDriver *drv)
{
    QDict *dict = qdict_new();

    qdict_put_str(dict, "name", drv->format_name);
    qdict_put_str(dict, "kind", drv->protocol_name ? "protocol" : drv->is_filter ? "filter"
                                                                               : "format");
    if (drv->protocol_name) {
        qdict_put_str(dict, "prefix", drv->protocol_name);
    }
    qdict_put(dict, "can", describe_features(ctx, drv));
    qdict_put(dict, "runtime-options", describe_table(drv->runtime_options));
    qdict_put(dict, "create-options", describe_table(drv->create_options));
    return dict;
}

static gint describe_compare(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const BlockDriver *const *)a)->format_name,
                  (*(const BlockDriver *const *)b)->format_name);
}

QDict *cairn_describe_drivers(CairnContext *ctx)
{
    g_autoptr(GPtrArray) sorted = NULL;
    QList *drivers = qlist_new();
    QDict *dict = qdict_new();

    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    sorted = g_ptr_array_copy(ctx->drivers, NULL, NULL);
    g_ptr_array_sort(sorted, describe_compare);
    for (guint i = 0; i < sorted->len; i++) {
        qlist_append(drivers, describe_driver(ctx, sorted->pdata[i]));
    }
    qdict_put(dict, "common-options", describe_table(qapi_options_BlockdevOptionsCommon));
    qdict_put(dict, "drivers", drivers);
    return dict;
}
