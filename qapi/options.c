/* SPDX-License-Identifier: MIT */
/* Option tables: taking a driver's options out of the tree, finding one, and printing them. */
#include <cairn/qdict.h>

#include <string.h>

#include "qapi/option-value.h"

/* @pattern: a table's name, where a part "#" stands for a list index. */
static bool name_matches(const char *pattern, const char *key)
{
    while (*pattern && *key) {
        if (*pattern == '#') {
            size_t digits = strspn(key, "0123456789");

            if (!digits) {
                return false;
            }
            key += digits;
            pattern++;
        } else if (*pattern++ != *key++) {
            return false;
        }
    }
    return *pattern == *key;
}

const OptionDesc *options_find(const OptionDesc *table, const char *name)
{
    for (; table && table->name; table++) {
        if (name_matches(table->name, name)) {
            return table;
        }
    }
    return NULL;
}

static bool absorb_one(const OptionDesc *desc, const char *key, const QObject *value, QDict *out,
                       GError **error)
{
    QObject *typed = option_value_convert(key, desc->type, desc->choices, value, error);

    if (!typed) {
        return false;
    }
    qdict_put_obj(out, key, typed);
    return true;
}

/* All keys of @options that @desc names, in their order. */
static bool absorb_desc(const OptionDesc *desc, const QDict *options, QDict *out, GError **error)
{
    QObject *value = qdict_get(options, desc->name);

    if (!strchr(desc->name, '#')) {
        return !value || absorb_one(desc, desc->name, value, out, error);
    }
    for (size_t i = 0; i < qdict_size(options); i++) {
        const char *key = qdict_key_at(options, i);

        if (name_matches(desc->name, key) &&
            !absorb_one(desc, key, qdict_value_at(options, i), out, error)) {
            return false;
        }
    }
    return true;
}

QDict *options_absorb(const OptionDesc *table, QDict *options, GError **error)
{
    g_autoptr(QDict) out = qdict_new();

    for (; table && table->name; table++) {
        if (!absorb_desc(table, options, out, error)) {
            return NULL;
        }
    }
    for (size_t i = 0; i < qdict_size(out); i++) {
        qdict_del(options, qdict_key_at(out, i));
    }
    return g_steal_pointer(&out);
}

/* ---- help ---- */

static const char *type_name(OptionType type)
{
    switch (type) {
    case OPTION_STRING:
        return "str";
    case OPTION_BOOL:
        return "bool (on/off)";
    case OPTION_NUMBER:
        return "num";
    case OPTION_SIZE:
        return "size";
    }
    g_assert_not_reached();
}

static char *help_line(const OptionDesc *desc)
{
    g_autofree char *spelling = g_strdup_printf("%s=<%s>", desc->name, type_name(desc->type));

    if (!desc->help) {
        return g_strdup_printf("  %s\n", spelling);
    }
    return g_strdup_printf("  %-22s - %s\n", spelling, desc->help);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const OptionDesc *const *)a)->name, (*(const OptionDesc *const *)b)->name);
}

/* Appends what @sorted has no entry of yet. */
static void collect(GPtrArray *sorted, const OptionDesc *table)
{
    for (; table && table->name; table++) {
        bool is_known = false;

        for (guint i = 0; i < sorted->len; i++) {
            is_known |= g_str_equal(((const OptionDesc *)sorted->pdata[i])->name, table->name);
        }
        if (!is_known) {
            g_ptr_array_add(sorted, (gpointer)table);
        }
    }
}

char *options_help(const OptionDesc *table, const OptionDesc *more)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    GString *text = g_string_new(NULL);

    collect(sorted, table);
    collect(sorted, more);
    g_ptr_array_sort(sorted, compare_names);
    for (guint i = 0; i < sorted->len; i++) {
        g_autofree char *line = help_line(sorted->pdata[i]);

        g_string_append(text, line);
    }
    return g_string_free(text, FALSE);
}
