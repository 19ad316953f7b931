/* SPDX-License-Identifier: MIT */
/*
 * What a name that nobody knows may have been meant to be: hints under errors about drivers and
 * options.
 */
#include <cairn/nearest.h>

#include "block/block-int.h"

void suggest_driver(CairnContext *ctx, const char *name, bool protocols, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (guint i = 0; i < ctx->drivers->len; i++) {
        const BlockDriver *drv = ctx->drivers->pdata[i];
        const char *known = protocols ? drv->protocol_name : drv->format_name;

        if (known) {
            g_ptr_array_add(names, (void *)known);
        }
    }
    g_ptr_array_add(names, NULL);
    cairn_error_append_nearest(error, name, (const char *const *)names->pdata);
}

void cairn_suggest_format(CairnContext *ctx, const char *format, GError **error)
{
    g_auto(GStrv) names = cairn_context_list_drivers(ctx, true);
    g_autoptr(GString) known = g_string_new(NULL);

    for (char **name = names; *name; name++) {
        if (cairn_format_features(ctx, *name) & CAIRN_FORMAT_CREATE) {
            g_string_append_printf(known, "%s%s", known->len ? ", " : "", *name);
        }
    }
    if (known->len) {
        cairn_error_append_hint(error, "Formats of new images: %s", known->str);
    }
    suggest_driver(context_or_default(ctx), format, false, error);
}

/* A list's index is the one that was written. */
static void suggest_add_table(GPtrArray *names, const OptionDesc *table, const char *key)
{
    const char *digits = key + strcspn(key, "0123456789");
    g_autofree char *index = g_strndup(digits, strspn(digits, "0123456789"));

    for (; table && table->name; table++) {
        g_auto(GStrv) parts = g_strsplit(table->name, "#", -1);

        g_ptr_array_add(names, g_strjoinv(index[0] ? index : "0", parts));
    }
}

void suggest_option(const OptionDesc *table, const OptionDesc *more, const char *key,
                    GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    suggest_add_table(names, table, key);
    suggest_add_table(names, more, key);
    g_ptr_array_add(names, NULL);
    cairn_error_append_nearest(error, key, (const char *const *)names->pdata);
}

void suggest_child_name(const QDict *options, const char *child, GError **error)
{
    if (qdict_haskey(options, "filename")) {
        cairn_error_append_hint(error, "Did you mean '%s.filename'?", child);
    }
}

void suggest_root(const QDict *options, GError **error)
{
    static const char *const known[] = { "driver", "file", "file.filename", NULL };
    const char *key = qdict_size(options) ? qdict_key_at(options, 0) : NULL;

    if (qdict_haskey(options, "filename")) {
        suggest_child_name(options, "file", error);
    } else if (key) {
        cairn_error_append_hint(error, "The option '%s' is neither.", key);
        cairn_error_append_nearest(error, key, known);
    }
}
