/* SPDX-License-Identifier: MIT */
/*
 * What the files of the data plane share: the way from a checked request to the driver's callbacks.
 */
#ifndef BLOCK_IO_INT_H
#define BLOCK_IO_INT_H

#include "block/block-int.h"
#include "util/cutils.h"

#define IO_BOUNCE_BYTES (1 * MiB)       /* most that one request copies at a time */

/* One callback of the driver: aligned, within all limits. */
typedef int coroutine_fn IoDriverFunc(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags);

int coroutine_fn io_driver_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                  const IOVector *iov, int flags);
int coroutine_fn io_driver_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                   const IOVector *iov, int flags);

/*
 * An aligned request of any size: @bytes from @iov_offset of @iov, in as many calls of @func as the
 * node's limits ask for, through a bounce buffer where the caller's memory does not suit.
 * @is_write: which way to copy then.
 */
int coroutine_fn io_aligned(BlockDriverState *bs, int64_t offset, int64_t bytes,
                            const IOVector *iov, size_t iov_offset, int flags,
                            IoDriverFunc *func, bool is_write);

/* Reads any range into @buf; zeros beyond the end. Inside a write: no checks. */
int coroutine_fn io_read_buffer(BlockDriverState *bs, int64_t offset, int64_t bytes, void *buf);

/* A write at any offset, the caller serialising; @iov NULL: zeros. */
int coroutine_fn io_write_unaligned(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                    const IOVector *iov, int flags);

/* The guard of probed images (probe-guard.c): whether writes to this offset must be looked at. */
bool io_is_guarded(BlockDriverState *bs, int64_t offset);
/* -EPERM if the first sector would look like a format; @iov NULL: zeros. */
int coroutine_fn io_guard_check(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov);

/* The end of any change: counts and marks it, and with @extends notes how far the node now reaches. */
void io_write_done(BlockDriverState *bs, int64_t offset, int64_t bytes, bool extends);

/* The whole blocks around a range that was checked: no sum overflows. */
static inline bool io_is_aligned(const BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    return !((offset | bytes) & ((int64_t)bs->bl.request_alignment - 1));
}

static inline int64_t io_align_down(const BlockDriverState *bs, int64_t n)
{
    return n & ~((int64_t)bs->bl.request_alignment - 1);
}

static inline int64_t io_align_up(const BlockDriverState *bs, int64_t n)
{
    return io_align_down(bs, n + bs->bl.request_alignment - 1);
}

#endif
