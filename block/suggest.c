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

void suggest_option(const OptionDesc *table, const OptionDesc *more, const char *key,
                    GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (; table && table->name; table++) {
        g_ptr_array_add(names, (void *)table->name);
    }
    for (; more && more->name; more++) {
        g_ptr_array_add(names, (void *)more->name);
    }
    g_ptr_array_add(names, NULL);
    cairn_error_append_nearest(error, key, (const char *const *)names->pdata);
}
