/* SPDX-License-Identifier: MIT */
/*
 * Which drivers a context has: the built-in ones, by an explicit table (constructors get lost in
 * static libraries), and those that the embedder registers. Names are unique in a context.
 */
#include <unistd.h>

#include "block/block-int.h"
#include "block/drivers.h"

static const BlockDriver *const builtin_drivers[] = {
    &bdrv_blkdebug,
    &bdrv_blklogwrites,
    &bdrv_blkverify,
    &bdrv_compress,
    &bdrv_copy_on_read,
    &bdrv_file,
    &bdrv_host_cdrom,
    &bdrv_host_device,
    &bdrv_null_aio,
    &bdrv_null_co,
    &bdrv_preallocate,
    &bdrv_qcow,
    &bdrv_quorum,
    &bdrv_raw,
    &bdrv_throttle,
    NULL,
};

void registry_add_builtin(GPtrArray *drivers)
{
    for (int i = 0; builtin_drivers[i]; i++) {
        g_ptr_array_add(drivers, (void *)builtin_drivers[i]);
    }
}

const BlockDriver *bdrv_find_format(CairnContext *ctx, const char *name)
{
    for (guint i = 0; i < ctx->drivers->len; i++) {
        const BlockDriver *drv = ctx->drivers->pdata[i];

        if (!strcmp(drv->format_name, name)) {
            return drv;
        }
    }
    return NULL;
}

bool bdrv_register(CairnContext *ctx, const BlockDriver *drv, GError **error)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    if (bdrv_find_format(ctx, drv->format_name)) {
        cairn_set_error(error, EEXIST, "Driver '%s' is already registered", drv->format_name);
        return false;
    }
    g_ptr_array_add(ctx->drivers, (void *)drv);
    return true;
}

static const BlockDriver *registry_find_device(CairnContext *ctx, const char *filename)
{
    const BlockDriver *best = NULL;
    int best_score = 0;

    for (guint i = 0; i < ctx->drivers->len; i++) {
        const BlockDriver *drv = ctx->drivers->pdata[i];
        int score = drv->bdrv_probe_device ? drv->bdrv_probe_device(filename) : 0;

        if (score > best_score) {
            best = drv;
            best_score = score;
        }
    }
    return best;
}

static const BlockDriver *registry_find_prefix(CairnContext *ctx, const char *prefix)
{
    for (guint i = 0; i < ctx->drivers->len; i++) {
        const BlockDriver *drv = ctx->drivers->pdata[i];

        if (drv->protocol_name && !strcmp(drv->protocol_name, prefix)) {
            return drv;
        }
    }
    return NULL;
}

const BlockDriver *bdrv_find_path_driver(CairnContext *ctx, const char *filename,
                                         bool allow_prefix, GError **error)
{
    const BlockDriver *drv = registry_find_device(ctx, filename);

    if (drv) {
        return drv;
    }
    g_autofree char *prefix = allow_prefix && path_has_protocol(filename)
        ? g_strndup(filename, strcspn(filename, ":")) : g_strdup("file");

    drv = registry_find_prefix(ctx, prefix);
    if (!drv) {
        cairn_set_error(error, ENOENT, "Unknown protocol '%s'", prefix);
        if (access(filename, F_OK) == 0) {
            cairn_error_append_hint(error, "The file of that name is ./%s", filename);
        }
        suggest_driver(ctx, prefix, true, error);
    }
    return drv;
}

const BlockDriver *bdrv_find_protocol(CairnContext *ctx, const char *filename, GError **error)
{
    return bdrv_find_path_driver(ctx, filename, true, error);
}

bool registry_check_allowed(CairnContext *ctx, const BlockDriver *drv, GError **error)
{
    const char *const *allowed = (const char *const *)ctx->allowed_drivers;

    if (!allowed || g_strv_contains(allowed, drv->format_name)) {
        return true;
    }
    cairn_set_error(error, EPERM, "Driver '%s' is not allowed in this context",
                    drv->format_name);
    return false;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool bdrv_is_probed_format(BlockDriverState *bs, const char *name)
{
    const BlockDriver *drv = bdrv_find_format(bs->priv->ctx, name);

    return drv && drv->bdrv_probe && !drv->protocol_name && !drv->is_filter;
}

char **cairn_context_list_drivers(CairnContext *ctx, bool formats_only)
{
    GPtrArray *names = g_ptr_array_new();

    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    for (guint i = 0; i < ctx->drivers->len; i++) {
        const BlockDriver *drv = ctx->drivers->pdata[i];

        if (!formats_only || !drv->protocol_name) {
            g_ptr_array_add(names, g_strdup(drv->format_name));
        }
    }
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}
