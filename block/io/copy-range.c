/* SPDX-License-Identifier: MIT */
/*
 * Copies that the host makes, without the bytes passing through here.
 *
 * The request goes down on the source's side to the node that holds the bytes, then down on the
 * target's side to the one that takes them; each driver on the way moves its offset. Whoever cannot
 * go on says -ENOTSUP, with nothing changed, and the caller reads and writes.
 */
#include "block/io/io-int.h"

#include <errno.h>

int coroutine_fn bdrv_co_copy_range_from(BdrvChild *child, int64_t offset, BdrvChild *target,
                                         int64_t target_offset, int64_t bytes)
{
    BlockDriverState *bs = child->bs;
    BdrvChild *below = bdrv_filtered_child(bs);
    int64_t limit = bdrv_co_getlength_bs(bs);

    if (limit < 0) {
        return limit;
    }
    /* What lies past the true end is for the caller: it reads as zeros. */
    if (!range_fits(offset, bytes, limit) || !io_is_aligned(bs, offset, bytes)) {
        return -ENOTSUP;
    }
    if (bs->drv->bdrv_co_copy_range_from) {
        return bs->drv->bdrv_co_copy_range_from(bs, offset, target, target_offset, bytes);
    }
    /* A filter with reads of its own wants to see them. */
    return below && !bs->drv->bdrv_co_preadv
        ? bdrv_co_copy_range_from(below, offset, target, target_offset, bytes) : -ENOTSUP;
}

int coroutine_fn bdrv_co_copy_range_to(BdrvChild *child, BlockDriverState *source,
                                       int64_t source_offset, int64_t offset, int64_t bytes)
{
    BlockDriverState *bs = child->bs;
    BdrvTrackedRequest req;
    int ret = bdrv_co_check_write(child, offset, bytes, 0);

    if (ret < 0) {
        return ret;
    }
    /* Nobody sees these bytes: not the guard of a guessed format, not a look for zeros. */
    if (!bs->drv->bdrv_co_copy_range_to || !io_is_aligned(bs, offset, bytes)
        || io_is_guarded(bs, offset) || bs->priv->detect_zeroes != BDRV_DETECT_ZEROES_OFF) {
        return -ENOTSUP;
    }
    tracked_request_begin(&req, bs, offset, bytes, bs->bl.request_alignment, false);
    ret = bs->drv->bdrv_co_copy_range_to(bs, source, source_offset, offset, bytes);
    io_write_done(bs, offset, bytes, ret >= 0);
    tracked_request_end(&req);
    return MIN(ret, 0);
}

int coroutine_fn blk_co_copy_range(BlockBackend *blk, int64_t offset, BlockBackend *target,
                                   int64_t target_offset, int64_t bytes)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = blk_request_begin(target);
    if (ret < 0) {
        blk_request_end(blk);
        return ret;
    }
    if (!(target->root->perm & BLK_PERM_WRITE) || !g_atomic_int_get(&target->write_cache)) {
        ret = -ENOTSUP;
    } else {
        ret = bdrv_co_copy_range_from(blk->root, offset, target->root, target_offset, bytes);
    }
    blk_request_end(target);
    blk_request_end(blk);
    return ret;
}
