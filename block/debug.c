/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints for whoever tests: they are set through a backend, and kept by the first node below
 * it whose driver knows them.
 *
 * 1. Setting one takes the control lock, to find the node; the backend then remembers it.
 * 2. What lets a request go on takes the backend's own lock only: the control lock may be held by a
 *    thread that drains, and so waits for just that request.
 * 3. Closing lets all go on before it drains.
 */
#include <errno.h>

#include "block/block-int.h"

/* Requests may be running, and stopped at a breakpoint: nothing is drained here. */
static BlockDriverState *debug_find(BlockBackend *blk)
{
    BlockDriverState *bs = blk->root ? blk->root->bs : NULL;

    while (bs && !bs->drv->bdrv_debug_breakpoint) {
        BdrvChild *below = bs->file ? bs->file : bdrv_filtered_child(bs);

        bs = below ? below->bs : NULL;
    }
    return bs;
}

static bool debug_refuse(int errnum, GError **error)
{
    cairn_set_error(error, errnum, "%s", g_strerror(errnum));
    return false;
}

/* Under the control lock. Another node than before: the graph has changed, the old one's go. */
static void debug_remember(BlockBackend *blk, BlockDriverState *bs)
{
    BlockDriverState *old = blk->debug_node;

    if (old == bs) {
        return;
    }
    bdrv_ref(bs);
    debug_release(blk);
    g_mutex_lock(&blk->lock);
    blk->debug_node = bs;
    g_mutex_unlock(&blk->lock);
    if (old) {
        bdrv_unref(old);
    }
}

bool blk_debug_breakpoint(BlockBackend *blk, const char *event, const char *tag, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_find(blk);

    if (!bs) {
        return debug_refuse(ENOTSUP, error);
    }
    debug_remember(blk, bs);
    return bs->drv->bdrv_debug_breakpoint(bs, event, tag, error);
}

typedef bool DebugTagFunc(BlockDriverState *bs, const char *tag, GError **error);

static bool debug_tag_call(BlockDriverState *bs, bool resume, const char *tag, GError **error)
{
    DebugTagFunc *func = resume ? bs->drv->bdrv_debug_resume
                                : bs->drv->bdrv_debug_remove_breakpoint;

    return func(bs, tag, error);
}

/* A backend that has set no breakpoint itself looks for the node: another one may have set it. */
static bool debug_call_unset(BlockBackend *blk, bool resume, const char *tag, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_find(blk);

    return bs ? debug_tag_call(bs, resume, tag, error) : debug_refuse(ENOTSUP, error);
}

static bool debug_call(BlockBackend *blk, bool resume, const char *tag, GError **error)
{
    bool is_set, ok = false;

    g_assert(!coroutine_in());
    g_mutex_lock(&blk->lock);
    is_set = blk->debug_node != NULL;
    if (is_set) {
        ok = debug_tag_call(blk->debug_node, resume, tag, error);
    }
    g_mutex_unlock(&blk->lock);
    return is_set ? ok : debug_call_unset(blk, resume, tag, error);
}

bool blk_debug_remove_breakpoint(BlockBackend *blk, const char *tag, GError **error)
{
    return debug_call(blk, false, tag, error);
}

bool blk_debug_resume(BlockBackend *blk, const char *tag, GError **error)
{
    return debug_call(blk, true, tag, error);
}

static int debug_is_suspended_unset(BlockBackend *blk, const char *tag)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = debug_find(blk);

    return bs ? bs->drv->bdrv_debug_is_suspended(bs, tag) : -ENOTSUP;
}

int blk_debug_is_suspended(BlockBackend *blk, const char *tag)
{
    bool is_set;
    int ret = 0;

    g_assert(!coroutine_in());
    g_mutex_lock(&blk->lock);
    is_set = blk->debug_node != NULL;
    if (is_set) {
        ret = blk->debug_node->drv->bdrv_debug_is_suspended(blk->debug_node, tag);
    }
    g_mutex_unlock(&blk->lock);
    return is_set ? ret : debug_is_suspended_unset(blk, tag);
}

void debug_release(BlockBackend *blk)
{
    g_mutex_lock(&blk->lock);
    if (blk->debug_node) {
        debug_tag_call(blk->debug_node, false, NULL, NULL);
    }
    g_mutex_unlock(&blk->lock);
}

void debug_forget(BlockBackend *blk)
{
    BlockDriverState *bs;

    g_mutex_lock(&blk->lock);
    bs = g_steal_pointer(&blk->debug_node);
    g_mutex_unlock(&blk->lock);
    if (bs) {
        bdrv_unref(bs);
    }
}
