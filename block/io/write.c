/* SPDX-License-Identifier: MIT */
/*
 * Writes: their checks, read-modify-write of partial blocks, and durability.
 *
 * 1. A write counts itself (write_gen) when it has ended and before it completes, so a flush that
 *    begins after its completion covers it.
 * 2. A partial block is read, changed and written back with the block to itself (overlap.c).
 * 3. FUA that the driver does not take is a flush after the write.
 * 4. Test drivers hear of each write on their node: pwritev before it, pwritev_done after it, and
 *    what is read for it between pwritev_rmw_* and pwritev_rmw_after_*.
 * 5. A filter without a callback of its own is not there: the node below does all this.
 */
#include "block/io/io-int.h"

#include <errno.h>

int coroutine_fn io_driver_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                   const IOVector *iov, int flags)
{
    BdrvChild *child;

    if (bs->drv->bdrv_co_pwritev) {
        return bs->drv->bdrv_co_pwritev(bs, offset, bytes, iov,
                                        flags & bs->supported_write_flags);
    }
    child = bdrv_filtered_child(bs);
    return child ? bdrv_co_pwritev(child, offset, bytes, iov, flags & ~BDRV_REQ_SERIALISING)
                 : -ENOTSUP;
}

void io_write_done(BlockDriverState *bs, int64_t offset, int64_t bytes, bool extends)
{
    if (extends) {
        bdrv_note_length(bs, offset + bytes, false);
    }
    if (G_UNLIKELY(bs->priv->dirty)) {
        bdrv_dirty_mark(bs, offset, bytes);
    }
    g_atomic_int_inc(&bs->priv->write_gen);
}

/* Whether a parent may write past the end, which makes the node longer. */
static bool write_may_extend(const BdrvChild *child)
{
    return child->perm & BLK_PERM_RESIZE && (!child->parent_blk || child->parent_blk->grows);
}

int coroutine_fn bdrv_co_check_write(BdrvChild *child, int64_t offset, int64_t bytes, int flags)
{
    BlockDriverState *bs = child->bs;
    uint64_t needed = flags & BDRV_REQ_WRITE_UNCHANGED
        ? BLK_PERM_WRITE | BLK_PERM_WRITE_UNCHANGED : BLK_PERM_WRITE;
    int64_t limit;

    if (bs->read_only) {
        return -EROFS;
    }
    g_assert(child->perm & needed);
    if (!range_fits(offset, bytes, INT64_MAX - IO_BOUNCE_BYTES)) {
        return -EIO;
    }
    if (offset + bytes <= __atomic_load_n(&bs->priv->length, __ATOMIC_ACQUIRE)) {
        return 0;
    }
    if (write_may_extend(child)) {
        return 0;
    }
    limit = bdrv_co_limit(bs, offset + bytes);
    if (limit < 0) {
        return limit;
    }
    return offset + bytes <= limit ? 0 : -EIO;
}

/* ---- read-modify-write ----------------------------------------------------- */

/* The blocks around a short range in one buffer. */
typedef struct WriteBlocks {
    BlockDriverState *bs;
    int64_t start, stop;        /* bytes: the whole blocks */
    uint8_t *buf;
} WriteBlocks;

/* Reads what the write will leave in its first and its last block. A single block is read once. */
static int coroutine_fn write_blocks_read(WriteBlocks *w, bool has_head, bool has_tail)
{
    int64_t align = w->bs->bl.request_alignment, tail = w->stop - w->start - align;
    bool is_one_read = has_head && has_tail && !tail;
    int ret = 0;

    if (has_head) {
        bdrv_co_debug_event(w->bs, "pwritev_rmw_head");
        if (is_one_read) {
            bdrv_co_debug_event(w->bs, "pwritev_rmw_tail");
        }
        ret = io_read_buffer(w->bs, w->start, align, w->buf);
        if (ret < 0) {
            return ret;
        }
        bdrv_co_debug_event(w->bs, "pwritev_rmw_after_head");
    }
    if (has_tail && !is_one_read) {
        bdrv_co_debug_event(w->bs, "pwritev_rmw_tail");
        ret = io_read_buffer(w->bs, w->stop - align, align, w->buf + tail);
    }
    if (has_tail && ret >= 0) {
        bdrv_co_debug_event(w->bs, "pwritev_rmw_after_tail");
    }
    return ret;
}

/* Makes the blocks what they shall be on disk. Free w->buf in any case. */
static int coroutine_fn write_blocks_fill(WriteBlocks *w, int64_t offset, int64_t bytes,
                                          const IOVector *iov, size_t iov_offset)
{
    int ret;

    w->start = io_align_down(w->bs, offset);
    w->stop = io_align_up(w->bs, offset + bytes);
    w->buf = bdrv_buffer_alloc(w->bs, w->stop - w->start);
    if (!w->buf) {
        return -ENOMEM;
    }
    ret = write_blocks_read(w, offset > w->start, offset + bytes < w->stop);
    if (ret < 0) {
        return ret;
    }
    if (iov) {
        io_vector_to_buf_at(iov, iov_offset, w->buf + (offset - w->start), bytes);
    } else {
        memset(w->buf + (offset - w->start), 0, bytes);
    }
    return 0;
}

static int coroutine_fn write_blocks_write(const WriteBlocks *w, int flags)
{
    int64_t bytes = w->stop - w->start;
    IOVector vector;

    io_vector_init_buf(&vector, w->buf, bytes);
    return io_aligned(w->bs, w->start, bytes, &vector, 0, flags, io_driver_pwritev, true);
}

static int coroutine_fn write_short(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                    const IOVector *iov, int flags)
{
    WriteBlocks w = { .bs = bs };
    int ret = write_blocks_fill(&w, offset, bytes, iov, 0);

    if (ret >= 0) {
        bdrv_co_debug_event(bs, "pwritev");
        ret = write_blocks_write(&w, flags);
        bdrv_co_debug_event(bs, "pwritev_done");
    }
    bdrv_buffer_free(w.buf);
    return ret;
}

/* One end of a long write. */
static int coroutine_fn write_end(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                  const IOVector *iov, size_t iov_offset, int flags)
{
    WriteBlocks w = { .bs = bs };
    int ret = write_blocks_fill(&w, offset, bytes, iov, iov_offset);

    if (ret >= 0) {
        ret = write_blocks_write(&w, flags);
    }
    bdrv_buffer_free(w.buf);
    return ret;
}

/* What lies between the ends needs no copy. */
static int coroutine_fn write_long(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                   const IOVector *iov, int flags)
{
    int64_t first = io_align_up(bs, offset), last = io_align_down(bs, offset + bytes);
    int ret = 0;

    if (first > offset) {
        ret = write_end(bs, offset, first - offset, iov, 0, flags);
    }
    if (ret >= 0) {
        ret = io_aligned(bs, first, last - first, iov, first - offset, flags,
                         io_driver_pwritev, true);
    }
    if (ret >= 0 && offset + bytes > last) {
        ret = write_end(bs, last, offset + bytes - last, iov, last - offset, flags);
    }
    return ret;
}

int coroutine_fn io_write_unaligned(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                    const IOVector *iov, int flags)
{
    int64_t whole = io_align_down(bs, offset + bytes) - io_align_up(bs, offset);
    int ret;

    if (!iov || whole < IO_BOUNCE_BYTES) {
        return write_short(bs, offset, bytes, iov, flags);
    }
    bdrv_co_debug_event(bs, "pwritev");
    ret = write_long(bs, offset, bytes, iov, flags);
    bdrv_co_debug_event(bs, "pwritev_done");
    return ret;
}

/* ---- the calls --------------------------------------------------------------- */

/* The driver does FUA itself, or passes it on to a node that sees to it. */
static bool write_takes_fua(const BlockDriverState *bs)
{
    return !bs->drv->bdrv_co_pwritev || bs->supported_write_flags & BDRV_REQ_FUA;
}

/* To the node below a filter that has nothing to say to writes. */
static int coroutine_fn write_pass_on(BlockDriverState *bs, BdrvChild *below, int64_t offset,
                                      int64_t bytes, const IOVector *iov, int flags)
{
    int ret = bdrv_co_pwritev(below, offset, bytes, iov, flags);

    io_write_done(bs, offset, bytes, ret >= 0);
    return ret;
}

static int coroutine_fn write_tracked(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    bool is_aligned = io_is_aligned(bs, offset, bytes);
    bool is_guarded = io_is_guarded(bs, offset);
    int64_t align = MAX(bs->bl.request_alignment, is_guarded ? BDRV_SECTOR_SIZE : 1);
    BdrvTrackedRequest req;
    int ret = 0;

    tracked_request_begin(&req, bs, offset, bytes, align,
                          !is_aligned || is_guarded || bs->orders_writes
                          || flags & BDRV_REQ_SERIALISING);
    if (is_guarded) {
        ret = io_guard_check(bs, offset, bytes, iov);
    }
    if (ret >= 0 && is_aligned) {
        bdrv_co_debug_event(bs, "pwritev");
        ret = io_aligned(bs, offset, bytes, iov, 0, flags, io_driver_pwritev, true);
        bdrv_co_debug_event(bs, "pwritev_done");
    } else if (ret >= 0) {
        ret = io_write_unaligned(bs, offset, bytes, iov, flags);
    }
    io_write_done(bs, offset, bytes, ret >= 0);
    tracked_request_end(&req);
    return ret;
}

static bool write_is_last_unit(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    return io_is_aligned(bs, offset, 0)
        && offset + bytes == __atomic_load_n(&bs->priv->length, __ATOMIC_ACQUIRE);
}

/*
 * Compressed data replaces whole units, so nothing is padded; the driver says which ranges it
 * takes. A short last unit ends where the node does.
 */
static int coroutine_fn write_compressed(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    BdrvChild *below = bdrv_filtered_child(bs);
    BdrvTrackedRequest req;
    int ret;

    if (!bs->drv->bdrv_co_pwritev_compressed) {
        return below ? write_pass_on(bs, below, offset, bytes, iov, flags) : -ENOTSUP;
    }
    if (!io_is_aligned(bs, offset, bytes) && !write_is_last_unit(bs, offset, bytes)) {
        return -EINVAL;
    }
    tracked_request_begin(&req, bs, offset, bytes, bs->bl.request_alignment,
                          bs->orders_writes || flags & BDRV_REQ_SERIALISING);
    ret = bs->drv->bdrv_co_pwritev_compressed(bs, offset, bytes, iov);
    io_write_done(bs, offset, bytes, ret >= 0);
    tracked_request_end(&req);
    return ret;
}

/*
 * Data that the node was told to look at ("detect-zeroes"), and that is all zeros. Not what a job
 * wants stored: zeros that the backing file gives now, and soon will not.
 */
static bool write_is_of_zeros(const BlockDriverState *bs, const IOVector *iov, int flags)
{
    return G_UNLIKELY(bs->priv->detect_zeroes != BDRV_DETECT_ZEROES_OFF)
        && !(flags & (BDRV_REQ_WRITE_COMPRESSED | BDRV_REQ_WRITE_UNCHANGED))
        && io_vector_is_zero(iov, 0, iov->size);
}

int coroutine_fn bdrv_co_pwritev(BdrvChild *child, int64_t offset, int64_t bytes,
                                 const IOVector *iov, int flags)
{
    BlockDriverState *bs = child->bs;
    BdrvChild *below = bs->drv->bdrv_co_pwritev ? NULL : bdrv_filtered_child(bs);
    bool takes_fua = write_takes_fua(bs);
    int ret = bytes > BDRV_REQUEST_MAX_BYTES ? -EIO
        : bdrv_co_check_write(child, offset, bytes, flags);

    if (ret < 0) {
        return ret;
    }
    g_assert(bytes == (int64_t)iov->size);
    if (bytes && write_is_of_zeros(bs, iov, flags)) {
        flags |= bs->priv->detect_zeroes == BDRV_DETECT_ZEROES_UNMAP ? BDRV_REQ_MAY_UNMAP : 0;
        return bdrv_co_pwrite_zeroes(child, offset, bytes, flags);
    }
    if (!bytes) {
        ret = 0;
        takes_fua = false;
    } else if (flags & BDRV_REQ_WRITE_COMPRESSED) {
        ret = write_compressed(bs, offset, bytes, iov, flags);
        takes_fua = false;
    } else if (below) {
        ret = write_pass_on(bs, below, offset, bytes, iov, flags);
    } else {
        ret = write_tracked(bs, offset, bytes, iov, flags);
    }
    if (ret >= 0 && flags & BDRV_REQ_FUA && !takes_fua) {
        ret = bdrv_co_flush_bs(bs);
    }
    return MIN(ret, 0);
}

int coroutine_fn bdrv_co_pwrite(BdrvChild *child, int64_t offset, int64_t bytes,
                                const void *buf, int flags)
{
    IOVector iov;

    if (bytes < 0) {
        return -EIO;
    }
    io_vector_init_buf(&iov, (void *)buf, bytes);
    return bdrv_co_pwritev(child, offset, bytes, &iov, flags);
}

void coroutine_fn bdrv_co_debug_event(BlockDriverState *bs, const char *event)
{
    if (bs->drv->bdrv_co_debug_event) {
        bs->drv->bdrv_co_debug_event(bs, event);
    }
}
