/* SPDX-License-Identifier: MIT */
/*
 * The name of the backing file, as the image records it.
 */
#include <errno.h>

#include "block/block-int.h"

static bool change_check(BlockBackend *blk, BlockDriverState *bs, GError **error)
{
    if (!bs) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
    } else if (!bs->drv->bdrv_change_backing_file) {
        cairn_set_error(error, ENOTSUP, "Operation not supported");
    } else if (bs->read_only || !(blk->perm & BLK_PERM_WRITE)) {
        cairn_set_error(error, EROFS, "Block node is read-only");
    } else {
        return true;
    }
    return false;
}

bool blk_change_backing_file(BlockBackend *blk, const char *name, const char *format,
                             GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = blk->root ? bdrv_skip_filters(blk->root->bs) : NULL;
    bool ok;

    if (!change_check(blk, bs, error)) {
        return false;
    }
    drain_all_begin(blk->ctx);
    ok = bs->drv->bdrv_change_backing_file(bs, name, format, error);
    if (ok) {
        bdrv_refresh_filename(bs);
    }
    drain_all_end(blk->ctx);
    return ok;
}
