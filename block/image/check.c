/* SPDX-License-Identifier: MIT */
/*
 * Work of a format's driver on its whole image, under the control lock and with no request running
 * on it: check, and dropping what an overlay holds.
 */
#include <errno.h>

#include "block/block-int.h"

static BlockDriverState *check_root(BlockBackend *blk, bool want_write, GError **error)
{
    BlockDriverState *bs = blk->root ? blk->root->bs : NULL;

    if (!bs) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return NULL;
    }
    /* A filter has nothing of its own to look at. */
    bs = bdrv_skip_filters(bs);
    if (want_write && (bs->read_only || !(blk->perm & BLK_PERM_WRITE))) {
        cairn_set_error(error, EROFS, "Block node is read-only");
        return NULL;
    }
    return bs;
}

typedef struct CheckRun {
    BlockDriverState *bs;
    BlockCheckResult *result;
    BlockCheckFix fix;
    GError **error;
    bool ok;
} CheckRun;

static void coroutine_fn check_co_entry(void *opaque)
{
    CheckRun *run = opaque;

    run->ok = run->bs->drv->bdrv_co_check(run->bs, run->result, run->fix, run->error);
}

static bool check_run(BlockBackend *blk, BlockCheckResult *result, BlockCheckFix fix,
                      GError **error)
{
    CheckRun run = {
        .bs = check_root(blk, fix != BLOCK_CHECK_FIX_NONE, error), .result = result, .fix = fix,
        .error = error,
    };
    GPtrArray *drained;

    if (!run.bs) {
        return false;
    }
    if (!run.bs->drv->bdrv_co_check) {
        cairn_set_error(error, ENOTSUP, "This image format does not support checks");
        return false;
    }
    drained = drain_tree_begin(blk);
    bdrv_run_co(check_co_entry, &run);
    drain_tree_end(blk, drained);
    return run.ok;
}

bool blk_check(BlockBackend *blk, BlockCheckResult *result, BlockCheckFix fix, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);

    return check_run(blk, result, fix, error);
}

static bool check_make_empty(BlockBackend *blk, GError **error)
{
    BlockDriverState *bs = check_root(blk, true, error);
    GPtrArray *drained;
    bool ok;

    if (!bs) {
        return false;
    }
    if (!bs->drv->bdrv_make_empty) {
        cairn_set_error(error, ENOTSUP, "Images of format '%s' cannot be emptied",
                        bs->drv->format_name);
        return false;
    }
    drained = drain_tree_begin(blk);
    ok = bs->drv->bdrv_make_empty(bs, error);
    drain_tree_end(blk, drained);
    return ok;
}

bool blk_make_empty(BlockBackend *blk, GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);

    return check_make_empty(blk, error);
}
