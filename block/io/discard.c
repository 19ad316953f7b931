/* SPDX-License-Identifier: MIT */
/*
 * Discards: a hint. Without discard=unmap, or where the driver cannot, nothing happens, with
 * success. Only whole units inside the range are passed on; the last unit of a node may be short.
 */
#include "block/io/io-int.h"

#include <errno.h>

/* Shrinks the range to what may be passed on; @bytes may become <= 0. */
static int coroutine_fn discard_interior(BlockDriverState *bs, int64_t *offset, int64_t *bytes)
{
    int64_t align = MAX(bs->bl.pdiscard_alignment, bs->bl.request_alignment);
    int64_t stop = *offset + *bytes;
    int64_t length = bdrv_co_getlength_bs(bs);

    if (length < 0) {
        return length;
    }
    stop = stop >= length ? io_align_up(bs, MIN(stop, length)) : ROUND_DOWN_TO(stop, align);
    *offset = ROUND_UP_TO(*offset, align);
    *bytes = stop - *offset;
    return 0;
}

static int coroutine_fn discard_by_driver(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    int64_t align = MAX(bs->bl.pdiscard_alignment, bs->bl.request_alignment);
    int64_t max = bs->bl.max_pdiscard ? bs->bl.max_pdiscard : bytes;

    max = MAX(ROUND_DOWN_TO(max, align), align);
    while (bytes > 0) {
        int64_t n = MIN(bytes, max);
        int ret = bs->drv->bdrv_co_pdiscard(bs, offset, n);

        if (ret == -ENOTSUP) {
            return 0;
        }
        if (ret < 0) {
            return ret;
        }
        offset += n;
        bytes -= n;
    }
    return 0;
}

int coroutine_fn bdrv_co_pdiscard(BdrvChild *child, int64_t offset, int64_t bytes)
{
    BlockDriverState *bs = child->bs;
    BdrvChild *filtered = bdrv_filtered_child(bs);
    BdrvTrackedRequest req;
    int ret = bdrv_co_check_write(child, offset, bytes, 0);

    if (ret < 0 || !(bs->open_flags & BLK_O_UNMAP)) {
        return ret;
    }
    if (!bs->drv->bdrv_co_pdiscard) {
        ret = filtered ? bdrv_co_pdiscard(filtered, offset, bytes) : 0;
        io_write_done(bs, offset, bytes, false);
        return ret;
    }
    ret = discard_interior(bs, &offset, &bytes);
    if (ret < 0 || bytes <= 0) {
        return ret;
    }
    tracked_request_begin(&req, bs, offset, bytes, bs->bl.request_alignment,
                          bs->orders_writes);
    ret = discard_by_driver(bs, offset, bytes);
    io_write_done(bs, offset, bytes, false);
    tracked_request_end(&req);
    return ret;
}
