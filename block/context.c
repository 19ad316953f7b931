/* SPDX-License-Identifier: MIT */
/*
 * CairnContext: what other block layers keep for the whole process. Each node and each backend
 * holds a reference, so a context outlives everything made in it.
 *
 * The default context is the only process-wide object; it is never freed.
 */
#include "block/block-int.h"


CairnContext *cairn_context_new(void)
{
    CairnContext *ctx = g_new0(CairnContext, 1);

    ctx->refs = 1;
    ctx->ctl = ctl_lock_new();
    ctx->drivers = g_ptr_array_new();
    ctx->nodes = g_hash_table_new(g_str_hash, g_str_equal);
    ctx->backends = g_ptr_array_new();
    ctx->blockers = blockers_new();
    ctx->secrets = cairn_secrets_new();
    ctx->objects = objects_new();
    ctx->next_node_id = 100;
    registry_add_builtin(ctx->drivers);
    return ctx;
}

CairnContext *cairn_context_ref(CairnContext *ctx)
{
    g_atomic_int_inc(&ctx->refs);
    return ctx;
}

void cairn_context_stop_workers(CairnContext *ctx)
{
    ctx = ctx ? ctx : cairn_context_default();
    worker_pool_stop(ctx->io_pool);
    worker_pool_stop(ctx->cpu_pool);
    worker_pool_stop(ctx->copy_pool);
}

static void context_free(CairnContext *ctx)
{
    g_assert(g_hash_table_size(ctx->nodes) == 0 && ctx->backends->len == 0);
    worker_pool_free(ctx->io_pool);
    worker_pool_free(ctx->cpu_pool);
    worker_pool_free(ctx->copy_pool);
    bdrv_buffers_drop();
    cairn_secrets_unref(ctx->secrets);
    g_hash_table_unref(ctx->objects);
    g_ptr_array_unref(ctx->drivers);
    g_ptr_array_unref(ctx->backends);
    g_ptr_array_unref(ctx->blockers);
    g_hash_table_unref(ctx->nodes);
    g_strfreev(ctx->allowed_drivers);
    g_free(ctx->found_path);
    ctl_lock_free(ctx->ctl);
    g_free(ctx);
}

void cairn_context_unref(CairnContext *ctx)
{
    if (ctx && g_atomic_int_dec_and_test(&ctx->refs)) {
        context_free(ctx);
    }
}

CairnContext *cairn_context_default(void)
{
    static CairnContext *instance;

    if (g_once_init_enter(&instance)) {
        g_once_init_leave(&instance, cairn_context_new());
    }
    return instance;
}

CairnContext *context_or_default(CairnContext *ctx)
{
    return ctx ? ctx : cairn_context_default();
}

/* ---- settings ---- */

void cairn_context_set_image_policy(CairnContext *ctx, CairnImagePolicy policy)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    ctx->policy = policy;
}

CairnImagePolicy cairn_context_get_image_policy(CairnContext *ctx)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    return ctx->policy;
}

void cairn_context_set_image_gate(CairnContext *ctx, CairnImageGateFunc *func, void *opaque)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    ctx->gate_func = func;
    ctx->gate_opaque = opaque;
}

void cairn_context_set_restricted(CairnContext *ctx, bool restricted,
                                  const char *const *drivers)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    ctx->restricted = restricted;
    g_strfreev(ctx->allowed_drivers);
    ctx->allowed_drivers = g_strdupv((char **)drivers);
}

void cairn_context_set_warn_func(CairnContext *ctx, BlockWarnFunc *func, void *opaque)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    ctx->warn_func = func;
    ctx->warn_opaque = opaque;
}

void cairn_context_set_notice_func(CairnContext *ctx, BlockWarnFunc *func, void *opaque)
{
    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    ctx->notice_func = func;
    ctx->notice_opaque = opaque;
}

static void G_GNUC_PRINTF(2, 0) context_vwarn(CairnContext *ctx, const char *format, va_list ap)
{
    if (ctx->warn_func) {
        g_autofree char *text = g_strdup_vprintf(format, ap);

        ctx->warn_func(text, ctx->warn_opaque);
    }
}

void context_warn(CairnContext *ctx, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    context_vwarn(ctx, format, ap);
    va_end(ap);
}

/* ---- what drivers ask for ---- */

CairnContext *bdrv_get_context(BlockDriverState *bs)
{
    return bs->priv->ctx;
}

CairnSecrets *cairn_context_get_secrets(CairnContext *ctx)
{
    return context_or_default(ctx)->secrets;
}

CairnSecrets *bdrv_get_secrets(BlockDriverState *bs)
{
    return bs->priv->ctx->secrets;
}

bool bdrv_is_restricted(BlockDriverState *bs)
{
    return bs->priv->ctx->restricted;
}

void bdrv_warn(BlockDriverState *bs, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    context_vwarn(bs->priv->ctx, format, ap);
    va_end(ap);
}

void bdrv_notice(BlockDriverState *bs, const char *format, ...)
{
    CairnContext *ctx = bs->priv->ctx;
    g_autofree char *text = NULL;
    va_list ap;

    if (!ctx->notice_func) {
        return;
    }
    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    ctx->notice_func(text, ctx->notice_opaque);
}

/* ---- lists ---- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **cairn_context_list_nodes(CairnContext *ctx)
{
    GPtrArray *names = g_ptr_array_new();
    GHashTableIter iter;
    void *name;

    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    g_hash_table_iter_init(&iter, ctx->nodes);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        g_ptr_array_add(names, g_strdup(name));
    }
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}
