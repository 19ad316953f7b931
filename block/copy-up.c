/* SPDX-License-Identifier: MIT */
/*
 * Copying up: what an image leaves to its backing file becomes its own, and reads as before.
 *
 * 1. From the look at what is missing to the end of the write no other write comes to the range, so
 *    old content is never put over new.
 * 2. Zeros are written as bytes: a driver might leave out zeros that its backing file gives now, and
 *    that is just what may change afterwards.
 */
#include "block/io-int.h"

#include <errno.h>

typedef struct CopyUp {
    BlockDriverState *bs;
    void *buf;                  /* IO_BOUNCE_BYTES at most */
    int64_t buf_bytes;
} CopyUp;

/* A run that the image does not hold, aligned. */
static int coroutine_fn copy_up_run(CopyUp *c, int64_t offset, int64_t bytes)
{
    BlockDriverState *bs = c->bs;
    int ret = 0;

    while (bytes > 0 && ret >= 0) {
        int64_t n = MIN(bytes, c->buf_bytes);
        IOVector vector;

        io_vector_init_buf(&vector, c->buf, n);
        ret = io_aligned(bs, offset, n, &vector, 0, 0, io_driver_preadv, false);
        if (ret >= 0) {
            ret = io_aligned(bs, offset, n, &vector, 0, 0, io_driver_pwritev, true);
        }
        offset += n;
        bytes -= n;
    }
    return ret;
}

static int coroutine_fn copy_up_missing(CopyUp *c, int64_t offset, int64_t bytes)
{
    int ret = 0;

    while (bytes > 0 && ret >= 0) {
        BlockDriverState *file;
        int64_t n = 0, map;
        int flags = bdrv_co_status_bs(c->bs, false, offset, bytes, &n, &map, &file);

        if (flags < 0 || n <= 0) {
            return flags < 0 ? flags : -EIO;
        }
        n = MIN(io_align_up(c->bs, n), bytes);
        ret = flags & BDRV_BLOCK_ALLOCATED ? 0 : copy_up_run(c, offset, n);
        offset += n;
        bytes -= n;
    }
    return ret;
}

static int coroutine_fn copy_up_claimed(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    CopyUp c = { .bs = bs, .buf_bytes = MIN(bytes, IO_BOUNCE_BYTES) };
    BdrvTrackedRequest req;
    int ret;

    c.buf = bdrv_buffer_alloc(bs, c.buf_bytes);
    if (!c.buf) {
        return -ENOMEM;
    }
    tracked_request_begin(&req, bs, offset, bytes, bs->bl.request_alignment, true);
    ret = copy_up_missing(&c, offset, bytes);
    io_write_done(bs, offset, bytes, ret >= 0);
    tracked_request_end(&req);
    bdrv_buffer_free(c.buf);
    return MIN(ret, 0);
}

int coroutine_fn bdrv_co_copy_up(BdrvChild *child, int64_t offset, int64_t bytes)
{
    BlockDriverState *bs = child->bs;
    BdrvChild *below = bdrv_filtered_child(bs);
    int64_t stop = io_align_up(bs, offset + bytes);
    int ret;

    if (below) {
        return bdrv_co_copy_up(below, offset, bytes);
    }
    offset = io_align_down(bs, offset);
    ret = bdrv_co_check_write(child, offset, stop - offset, BDRV_REQ_WRITE_UNCHANGED);
    if (ret < 0 || stop == offset) {
        return ret;
    }
    return copy_up_claimed(bs, offset, stop - offset);
}

int coroutine_fn blk_co_copy_up(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_copy_up(blk->root, offset, bytes);
    blk_request_end(blk);
    return ret;
}

int coroutine_fn blk_co_pwrite_unchanged(BlockBackend *blk, int64_t offset, int64_t bytes,
                                         const void *buf)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_pwrite(blk->root, offset, bytes, buf, BDRV_REQ_WRITE_UNCHANGED);
    blk_request_end(blk);
    return ret;
}
