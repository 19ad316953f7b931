/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints for whoever tests: they are set through a backend, and kept by the first node below it
 * whose driver knows them.
 */
#include <errno.h>

#include "block/block-int.h"

/* Requests may be running, and stopped at a breakpoint: nothing is drained here. */
static BlockDriverState *debug_node(BlockBackend *blk)
{
    BlockDriverState *bs = blk->root ? blk->root->bs : NULL;

    while (bs && !bs->drv->bdrv_debug_breakpoint) {
        bs = bs->file ? bs->file->bs : NULL;
    }
    return bs;
}

static BlockDriverState *debug_find(BlockBackend *blk, GError **error)
{
    BlockDriverState *bs = debug_node(blk);

    if (!bs) {
        cairn_set_error(error, ENOTSUP, "Operation not supported");
    }
    return bs;
}

bool blk_debug_breakpoint(BlockBackend *blk, const char *event, const char *tag, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_find(blk, error);

    return bs && bs->drv->bdrv_debug_breakpoint(bs, event, tag, error);
}

bool blk_debug_remove_breakpoint(BlockBackend *blk, const char *tag, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_find(blk, error);

    return bs && bs->drv->bdrv_debug_remove_breakpoint(bs, tag, error);
}

bool blk_debug_resume(BlockBackend *blk, const char *tag, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_find(blk, error);

    return bs && bs->drv->bdrv_debug_resume(bs, tag, error);
}

int blk_debug_is_suspended(BlockBackend *blk, const char *tag)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_node(blk);

    return bs ? bs->drv->bdrv_debug_is_suspended(bs, tag) : -ENOTSUP;
}
