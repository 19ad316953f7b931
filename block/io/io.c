/* SPDX-License-Identifier: MIT */
/*
 * Reads, and the way of aligned requests to the driver.
 *
 * 1. A request that is aligned, within the node's limits and below its known length goes straight
 *    to the driver: no allocation, no lock, one atomic load.
 * 2. Whatever is not, is brought into that form here: split, padded, or copied through a buffer.
 * 3. The driver is never asked for what lies past the node's length, rounded up to its alignment.
 * 4. A filter without a callback of its own is not there: what is not aligned is brought into form
 *    by the node below.
 */
#include "block/io/io-int.h"

int coroutine_fn io_driver_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                  const IOVector *iov, int flags)
{
    BdrvChild *child;

    if (bs->drv->bdrv_co_preadv) {
        return bs->drv->bdrv_co_preadv(bs, offset, bytes, iov, 0);
    }
    child = bdrv_filtered_child(bs);
    return child ? bdrv_co_preadv(child, offset, bytes, iov, flags) : -ENOTSUP;
}

/* ---- splitting and bouncing -------------------------------------------- */

static bool io_memory_suits(const BlockDriverState *bs, const IOVector *iov)
{
    size_t length_mask = bs->bl.request_alignment - 1;

    if (bs->bl.mem_alignment <= 1) {
        return true;
    }
    for (int i = 0; i < iov->niov; i++) {
        if ((uintptr_t)iov->iov[i].iov_base & (bs->bl.mem_alignment - 1)
            || iov->iov[i].iov_len & length_mask) {
            return false;
        }
    }
    return true;
}

static bool io_is_direct(const BlockDriverState *bs, int64_t bytes, const IOVector *iov)
{
    const BlockLimits *bl = &bs->bl;

    return (!bl->max_transfer || bytes <= bl->max_transfer)
        && (!bl->max_iov || iov->niov <= bl->max_iov) && io_memory_suits(bs, iov);
}

/* The most of @bytes that one call may carry. */
static int64_t io_chunk_limit(const BlockDriverState *bs, int64_t bytes)
{
    int64_t max = bs->bl.max_transfer ? io_align_down(bs, bs->bl.max_transfer) : bytes;

    return MIN(bytes, MAX(max, (int64_t)bs->bl.request_alignment));
}

/* How much of @part fits in max_iov elements: whole blocks; 0 if not even one. */
static int64_t io_fit_elements(const BlockDriverState *bs, const IOVector *part)
{
    int64_t bytes = 0;

    if (!bs->bl.max_iov || part->niov <= bs->bl.max_iov) {
        return part->size;
    }
    for (int i = 0; i < bs->bl.max_iov; i++) {
        bytes += part->iov[i].iov_len;
    }
    return io_align_down(bs, bytes);
}

static int coroutine_fn io_bounce(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                  const IOVector *iov, size_t iov_offset, int flags,
                                  IoDriverFunc *func, bool is_write)
{
    void *buf = bdrv_buffer_alloc(bs, bytes);
    IOVector vector;
    int ret;

    if (!buf) {
        return -ENOMEM;
    }
    if (is_write) {
        io_vector_to_buf_at(iov, iov_offset, buf, bytes);
    }
    io_vector_init_buf(&vector, buf, bytes);
    ret = func(bs, offset, bytes, &vector, flags);
    if (ret >= 0 && !is_write) {
        io_vector_from_buf_at(iov, iov_offset, buf, bytes);
    }
    bdrv_buffer_free(buf);
    return ret;
}

/* One call of the driver: as much as it may take. Returns how much, or -errno. */
static int64_t coroutine_fn io_one_chunk(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, size_t iov_offset, int flags,
                                         IoDriverFunc *func, bool is_write)
{
    g_auto(IOVector) part = {0};
    int64_t fitting;
    int ret;

    bytes = io_chunk_limit(bs, bytes);
    io_vector_slice(&part, iov, iov_offset, bytes);
    fitting = io_fit_elements(bs, &part);
    if (fitting > 0 && fitting < bytes) {
        bytes = fitting;
        io_vector_destroy(&part);
        io_vector_slice(&part, iov, iov_offset, bytes);
    }
    if (fitting > 0 && io_memory_suits(bs, &part)) {
        ret = func(bs, offset, bytes, &part, flags);
    } else {
        bytes = MIN(bytes, IO_BOUNCE_BYTES);
        ret = io_bounce(bs, offset, bytes, iov, iov_offset, flags, func, is_write);
    }
    return ret < 0 ? ret : bytes;
}

int coroutine_fn io_aligned(BlockDriverState *bs, int64_t offset, int64_t bytes,
                            const IOVector *iov, size_t iov_offset, int flags,
                            IoDriverFunc *func, bool is_write)
{
    if (!iov_offset && bytes == (int64_t)iov->size && io_is_direct(bs, bytes, iov)) {
        return func(bs, offset, bytes, iov, flags);
    }
    while (bytes > 0) {
        int64_t n = io_one_chunk(bs, offset, bytes, iov, iov_offset, flags, func, is_write);

        if (n < 0) {
            return n;
        }
        offset += n;
        iov_offset += n;
        bytes -= n;
    }
    return 0;
}

/* ---- reads --------------------------------------------------------------- */

/* Reads whole blocks around the range, a buffer at a time. */
static int coroutine_fn io_read_padded(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    int64_t start = io_align_down(bs, offset);
    int64_t stop = io_align_up(bs, offset + bytes);
    int64_t size = MIN(stop - start, IO_BOUNCE_BYTES);
    void *buf = bdrv_buffer_alloc(bs, size);
    int ret = 0;

    if (!buf) {
        return -ENOMEM;
    }
    for (int64_t pos = start; pos < stop && ret >= 0; pos += size) {
        int64_t n = MIN(size, stop - pos);
        int64_t from = MAX(pos, offset), to = MIN(pos + n, offset + bytes);
        IOVector vector;

        io_vector_init_buf(&vector, buf, n);
        ret = io_aligned(bs, pos, n, &vector, 0, flags, io_driver_preadv, false);
        if (ret >= 0) {
            io_vector_from_buf_at(iov, from - offset, (uint8_t *)buf + (from - pos), to - from);
        }
    }
    bdrv_buffer_free(buf);
    return ret;
}

/* The node that a filter's reads go to as they are, or NULL. */
static BdrvChild *io_read_child(BlockDriverState *bs)
{
    return bs->drv->bdrv_co_preadv ? NULL : bdrv_filtered_child(bs);
}

static int coroutine_fn io_read_below(BdrvChild *below, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    g_auto(IOVector) part = {0};

    io_vector_slice(&part, iov, 0, bytes);
    return bdrv_co_preadv(below, offset, bytes, &part, flags);
}

/* Any range; @length: the node's true length. */
static int coroutine_fn io_read(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov, int flags, int64_t length)
{
    BdrvChild *below = io_read_child(bs);
    int64_t end = below ? ROUND_UP_TO(length, BDRV_SECTOR_SIZE) : io_align_up(bs, length);
    int64_t valid = CLAMP(end - offset, 0, bytes);
    int ret = 0;

    if (valid && below) {
        ret = io_read_below(below, offset, valid, iov, flags);
    } else if (valid && io_is_aligned(bs, offset, valid)) {
        ret = io_aligned(bs, offset, valid, iov, 0, flags, io_driver_preadv, false);
    } else if (valid) {
        ret = io_read_padded(bs, offset, valid, iov, flags);
    }
    if (ret >= 0 && valid < bytes) {
        io_vector_memset(iov, valid, 0, bytes - valid);
    }
    return MIN(ret, 0);
}

/* @is_inner: a driver's read, which its own alignment may have taken past the end. */
static int coroutine_fn io_read_slow(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                     const IOVector *iov, int flags, bool is_inner)
{
    int64_t limit;

    if (bytes > BDRV_REQUEST_MAX_BYTES || !range_fits(offset, bytes, INT64_MAX)) {
        return -EIO;
    }
    limit = bdrv_co_limit(bs, offset + bytes);
    if (limit < 0) {
        return limit;
    }
    if (is_inner) {
        limit = ROUND_UP_TO(limit, (int64_t)bdrv_alignment(bs));
    }
    if (offset + bytes > limit) {
        return -EIO;
    }
    return io_read(bs, offset, bytes, iov, flags,
                   __atomic_load_n(&bs->priv->length, __ATOMIC_ACQUIRE));
}

int coroutine_fn bdrv_co_preadv(BdrvChild *child, int64_t offset, int64_t bytes,
                                const IOVector *iov, int flags)
{
    BlockDriverState *bs = child->bs;
    int64_t length = __atomic_load_n(&bs->priv->length, __ATOMIC_ACQUIRE);
    int ret;

    g_assert(bytes == (int64_t)iov->size);
    if (range_fits(offset, bytes, length) && bytes <= BDRV_REQUEST_MAX_BYTES && bytes
        && io_is_aligned(bs, offset, bytes) && io_is_direct(bs, bytes, iov)) {
        ret = io_driver_preadv(bs, offset, bytes, iov, flags);
        return MIN(ret, 0);
    }
    return io_read_slow(bs, offset, bytes, iov, flags, child->parent_bs != NULL);
}

int coroutine_fn bdrv_co_pread(BdrvChild *child, int64_t offset, int64_t bytes, void *buf)
{
    IOVector iov;

    if (bytes < 0) {
        return -EIO;
    }
    io_vector_init_buf(&iov, buf, bytes);
    return bdrv_co_preadv(child, offset, bytes, &iov, 0);
}

int coroutine_fn io_read_buffer(BlockDriverState *bs, int64_t offset, int64_t bytes, void *buf)
{
    int64_t limit = bdrv_co_limit(bs, offset + bytes);
    IOVector iov;

    if (limit < 0) {
        return limit;
    }
    io_vector_init_buf(&iov, buf, bytes);
    return io_read(bs, offset, bytes, &iov, 0,
                   __atomic_load_n(&bs->priv->length, __ATOMIC_ACQUIRE));
}
