/* SPDX-License-Identifier: MIT */
/* Built in place of aio-ring.c where liburing is missing: no context has a ring. */
#include "util/aio-ring.h"

#include "util/aio-int.h"

#include <errno.h>

ssize_t coroutine_fn aio_ring_co_rw(AioRingOp op, int fd, const struct iovec *iov, int niov,
                                    int64_t offset)
{
    return -ENOSYS;
}

void aio_ring_plug(AioContext *ctx)
{
}

void aio_ring_unplug(AioContext *ctx)
{
}

void aio_ring_destroy(AioContext *ctx)
{
}

bool aio_ring_has_unsent(AioContext *ctx)
{
    return false;
}

bool aio_ring_submit(AioContext *ctx)
{
    return true;
}

bool aio_ring_is_due(AioContext *ctx)
{
    return false;
}

void aio_ring_reap(AioContext *ctx)
{
}
