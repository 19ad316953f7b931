/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes by the io_uring of an AioContext (liburing; io_uring(7)). The ring is made when
 * first asked for. Requests made inside a poll, or between aio_ring_plug() and aio_ring_unplug(),
 * reach the kernel together.
 */
#ifndef UTIL_AIO_RING_H
#define UTIL_AIO_RING_H

#include <cairn/aio.h>

#include <sys/uio.h>

typedef enum AioRingOp { AIO_RING_READ, AIO_RING_WRITE } AioRingOp;

/**
 * aio_ring_co_rw:
 * @iov, @niov: 1 to IOV_MAX pieces, of less than 2 GiB in all; not copied
 * @offset: bytes, >= 0
 * Context: coroutine, in its own AioContext's thread.
 * Returns: bytes moved, maybe fewer than asked for, or -errno. Nothing was done, and another engine
 * has to serve: -ENOSYS where there is no ring (not built in, or refused by the kernel or a
 * sandbox), -EBUSY where it is full; -ECANCELED where its thread ended.
 */
ssize_t coroutine_fn aio_ring_co_rw(AioRingOp op, int fd, const struct iovec *iov, int niov,
                                    int64_t offset);

/**
 * aio_ring_plug: until as many calls of aio_ring_unplug(), requests made outside of polls wait for
 * each other. Context: the context's own thread.
 */
void aio_ring_plug(AioContext *ctx);
void aio_ring_unplug(AioContext *ctx);

#endif
