/* SPDX-License-Identifier: MIT */
/*
 * Writing zeros: by the driver where it can, else as bytes.
 *
 * 1. The driver gets whole units of its pwrite_zeroes_alignment, and what stands before and after
 *    them in calls that lie within one unit.
 * 2. MAY_UNMAP reaches a driver only where the node was opened with discard=unmap.
 * 3. With NO_FALLBACK no zero byte is written here: -ENOTSUP.
 * 4. A filter that has nothing to say to writes is not there. One that changes them, but has no
 *    callback for zeros, gets them as bytes.
 */
#include "block/io/io-int.h"

#include <errno.h>

typedef struct ZeroesState {
    BlockDriverState *bs;
    int flags;
    void *zeros;                /* made when first needed */
    size_t zeros_bytes;
} ZeroesState;

static int64_t zeroes_chunk(const BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    int64_t align = MAX(bs->bl.pwrite_zeroes_alignment, bs->bl.request_alignment);
    int64_t max = bs->bl.max_pwrite_zeroes ? bs->bl.max_pwrite_zeroes : bytes;

    max = MAX(ROUND_DOWN_TO(max, align), align);
    if (offset % align) {
        return MIN(bytes, align - offset % align);
    }
    return bytes > align ? MIN(ROUND_DOWN_TO(bytes, align), max) : bytes;
}

static int coroutine_fn zeroes_by_driver(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         int flags)
{
    if (!bs->drv->bdrv_co_pwrite_zeroes) {
        return -ENOTSUP;
    }
    if (flags & ~bs->supported_zero_flags & BDRV_REQ_NO_FALLBACK) {
        return -ENOTSUP;
    }
    return bs->drv->bdrv_co_pwrite_zeroes(bs, offset, bytes, flags & bs->supported_zero_flags);
}

static int coroutine_fn zeroes_by_bytes(ZeroesState *s, int64_t offset, int64_t bytes)
{
    if (!s->zeros) {
        s->zeros_bytes = MIN(bytes, IO_BOUNCE_BYTES);
        s->zeros = bdrv_buffer_alloc(s->bs, s->zeros_bytes);
        if (!s->zeros) {
            return -ENOMEM;
        }
        memset(s->zeros, 0, s->zeros_bytes);
    }
    while (bytes > 0) {
        int64_t n = MIN(bytes, (int64_t)s->zeros_bytes);
        IOVector vector;
        int ret;

        io_vector_init_buf(&vector, s->zeros, n);
        ret = io_aligned(s->bs, offset, n, &vector, 0, s->flags, io_driver_pwritev, true);
        if (ret < 0) {
            return ret;
        }
        offset += n;
        bytes -= n;
    }
    return 0;
}

static int coroutine_fn zeroes_aligned(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       int flags)
{
    ZeroesState s = { .bs = bs, .flags = flags };
    int ret = 0;

    while (bytes > 0 && ret >= 0) {
        int64_t n = zeroes_chunk(bs, offset, bytes);

        ret = zeroes_by_driver(bs, offset, n, flags);
        if (ret == -ENOTSUP && !(flags & BDRV_REQ_NO_FALLBACK)) {
            ret = zeroes_by_bytes(&s, offset, n);
        }
        offset += n;
        bytes -= n;
    }
    bdrv_buffer_free(s.zeros);
    return ret;
}

/* Whole blocks by zeroes_aligned(), partial ones at either end by read-modify-write. */
static int coroutine_fn zeroes_parts(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                     int flags)
{
    int64_t stop = offset + bytes;
    int64_t first = io_align_up(bs, offset), last = io_align_down(bs, stop);
    int ret = 0;

    if (first > last) {
        return io_write_unaligned(bs, offset, bytes, NULL, flags);
    }
    if (first > offset) {
        ret = io_write_unaligned(bs, offset, first - offset, NULL, flags);
    }
    if (ret >= 0 && last > first) {
        bdrv_co_debug_event(bs, "pwritev_zero");
        ret = zeroes_aligned(bs, first, last - first, flags);
        bdrv_co_debug_event(bs, "pwritev_done");
    }
    if (ret >= 0 && stop > last) {
        ret = io_write_unaligned(bs, last, stop - last, NULL, flags);
    }
    return ret;
}

static int coroutine_fn zeroes_tracked(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       int flags)
{
    bool is_aligned = io_is_aligned(bs, offset, bytes);
    bool is_guarded = io_is_guarded(bs, offset);
    int64_t align = MAX(bs->bl.request_alignment, is_guarded ? BDRV_SECTOR_SIZE : 1);
    BdrvTrackedRequest req;
    int ret = 0;

    if (!is_aligned && flags & BDRV_REQ_NO_FALLBACK) {
        return -ENOTSUP;
    }
    tracked_request_begin(&req, bs, offset, bytes, align,
                          !is_aligned || is_guarded || bs->orders_writes
                          || flags & BDRV_REQ_SERIALISING);
    if (is_guarded) {
        ret = io_guard_check(bs, offset, bytes, NULL);
    }
    if (ret >= 0) {
        ret = zeroes_parts(bs, offset, bytes, flags);
    }
    io_write_done(bs, offset, bytes, ret >= 0);
    tracked_request_end(&req);
    return ret;
}

int coroutine_fn bdrv_co_pwrite_zeroes(BdrvChild *child, int64_t offset, int64_t bytes, int flags)
{
    BlockDriverState *bs = child->bs;
    BdrvChild *below = bs->drv->bdrv_co_pwrite_zeroes || bs->drv->bdrv_co_pwritev
        ? NULL : bdrv_filtered_child(bs);
    int ret = bdrv_co_check_write(child, offset, bytes, flags);

    if (ret < 0) {
        return ret;
    }
    if (!(bs->open_flags & BLK_O_UNMAP)) {
        flags &= ~BDRV_REQ_MAY_UNMAP;
    }
    if (below) {
        ret = bdrv_co_pwrite_zeroes(below, offset, bytes, flags);
        io_write_done(bs, offset, bytes, ret >= 0);
        return ret;
    }
    if (bytes) {
        ret = zeroes_tracked(bs, offset, bytes, flags);
    }
    if (ret >= 0 && flags & BDRV_REQ_FUA
        && !(bs->supported_zero_flags & bs->supported_write_flags & BDRV_REQ_FUA)) {
        ret = bdrv_co_flush_bs(bs);
    }
    return MIN(ret, 0);
}
