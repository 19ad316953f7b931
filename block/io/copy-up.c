/* SPDX-License-Identifier: MIT */
/*
 * Copying up: what an image leaves to its backing file becomes its own, and reads as before.
 *
 * 1. From the look at what is missing to the end of the write no other write comes to the range, so
 *    old content is never put over new.
 * 2. Zeros are written as bytes: a driver might leave out zeros that its backing file gives now,
 *    and that is just what may change afterwards.
 * 3. Filters above the image see the reads and writes of a copy like any other. The range is
 *    claimed in each of them, from above to below, as a guest's write would come, so the two
 *    never wait for each other.
 */
#include "block/io/io-int.h"

#include <errno.h>

typedef struct CopyUp {
    BdrvChild *top;             /* where the copy's own requests go in */
    BlockDriverState *image;    /* below all filters: what it does not hold is copied */
    int64_t offset, bytes;
    void *buf;                  /* IO_BOUNCE_BYTES at most */
    int64_t buf_bytes;
} CopyUp;

/* A run that the image does not hold. */
static int coroutine_fn copy_up_run(CopyUp *c, int64_t offset, int64_t bytes)
{
    int ret = 0;

    while (bytes > 0 && ret >= 0) {
        int64_t n = MIN(bytes, c->buf_bytes);

        ret = bdrv_co_pread(c->top, offset, n, c->buf);
        if (ret >= 0) {
            bdrv_co_debug_event(c->top->bs, "cor_write");
            ret = bdrv_co_pwrite(c->top, offset, n, c->buf, BDRV_REQ_WRITE_UNCHANGED);
        }
        offset += n;
        bytes -= n;
    }
    return ret;
}

static int coroutine_fn copy_up_missing(CopyUp *c)
{
    int64_t offset = c->offset, bytes = c->bytes;
    int ret = 0;

    while (bytes > 0 && ret >= 0) {
        BlockDriverState *file;
        int64_t n = 0, map;
        int flags = bdrv_co_status_bs(c->image, false, offset, bytes, &n, &map, &file);

        if (flags < 0 || n <= 0) {
            return flags < 0 ? flags : -EIO;
        }
        n = MIN(io_align_up(c->image, n), bytes);
        ret = flags & BDRV_BLOCK_ALLOCATED ? 0 : copy_up_run(c, offset, n);
        offset += n;
        bytes -= n;
    }
    return ret;
}

/* Claims the range in @bs and all that it filters, then copies. */
static int coroutine_fn copy_up_claim(CopyUp *c, BlockDriverState *bs)
{
    BdrvChild *below = bdrv_filtered_child(bs);
    BdrvTrackedRequest req;
    int ret;

    tracked_request_begin(&req, bs, c->offset, c->bytes,
                          MAX(bs->bl.request_alignment, BDRV_SECTOR_SIZE), true);
    if (below) {
        ret = copy_up_claim(c, below->bs);
    } else {
        c->image = bs;
        ret = copy_up_missing(c);
    }
    tracked_request_end(&req);
    return ret;
}

/* To whole blocks of all the nodes on the way, but not beyond the end. */
static int coroutine_fn copy_up_grow(CopyUp *c, int64_t offset, int64_t bytes)
{
    int64_t align = bdrv_alignment(c->top->bs);
    int64_t limit = bdrv_co_limit(c->top->bs, offset + bytes);

    if (limit < 0) {
        return limit;
    }
    if (!range_fits(offset, bytes, limit)) {
        return -EIO;
    }
    c->offset = ROUND_DOWN_TO(offset, align);
    c->bytes = MIN(ROUND_UP_TO(offset + bytes, align), limit) - c->offset;
    return 0;
}

int coroutine_fn bdrv_co_copy_up(BdrvChild *child, int64_t offset, int64_t bytes)
{
    CopyUp c = { .top = child };
    int ret = bdrv_co_check_write(child, offset, bytes, BDRV_REQ_WRITE_UNCHANGED);

    if (ret >= 0) {
        ret = copy_up_grow(&c, offset, bytes);
    }
    if (ret < 0 || c.bytes == 0) {
        return ret;
    }
    c.buf_bytes = MIN(c.bytes, IO_BOUNCE_BYTES);
    c.buf = bdrv_buffer_alloc(child->bs, c.buf_bytes);
    if (!c.buf) {
        return -ENOMEM;
    }
    ret = copy_up_claim(&c, child->bs);
    bdrv_buffer_free(c.buf);
    return MIN(ret, 0);
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
