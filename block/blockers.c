/* SPDX-License-Identifier: MIT */
/*
 * Blockers: reasons why an operation of the embedder ("migration") must not happen now. A driver
 * states one when it opens; it goes with the node.
 */
#include "block/block-int.h"

typedef struct BdrvBlocker {
    const BlockDriverState *bs;
    char *operation;
    char *reason;
} BdrvBlocker;

static void blocker_free(void *opaque)
{
    BdrvBlocker *blocker = opaque;

    g_free(blocker->operation);
    g_free(blocker->reason);
    g_free(blocker);
}

GPtrArray *blockers_new(void)
{
    return g_ptr_array_new_with_free_func(blocker_free);
}

void bdrv_add_blocker(BlockDriverState *bs, const char *operation, const char *format, ...)
{
    BdrvBlocker *blocker = g_new0(BdrvBlocker, 1);
    CairnContext *ctx = bs->priv->ctx;
    va_list ap;

    va_start(ap, format);
    blocker->reason = g_strdup_vprintf(format, ap);
    va_end(ap);
    blocker->bs = bs;
    blocker->operation = g_strdup(operation);
    CTL_LOCK_GUARD(ctx);
    g_ptr_array_add(ctx->blockers, blocker);
}

void blockers_remove_node(BlockDriverState *bs)
{
    GPtrArray *blockers = bs->priv->ctx->blockers;

    for (guint i = blockers->len; i-- > 0;) {
        BdrvBlocker *blocker = blockers->pdata[i];

        if (blocker->bs == bs) {
            g_ptr_array_remove_index(blockers, i);
        }
    }
}

char **cairn_context_list_blockers(CairnContext *ctx, const char *operation)
{
    GPtrArray *reasons = g_ptr_array_new();

    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    for (guint i = 0; i < ctx->blockers->len; i++) {
        const BdrvBlocker *blocker = ctx->blockers->pdata[i];

        if (!strcmp(blocker->operation, operation)) {
            g_ptr_array_add(reasons, g_strdup(blocker->reason));
        }
    }
    g_ptr_array_add(reasons, NULL);
    return (char **)g_ptr_array_free(reasons, FALSE);
}
