/* SPDX-License-Identifier: MIT */
/*
 * The io_uring of an AioContext.
 *
 * 1. Only the context's own thread touches the ring.
 * 2. No more requests are in flight than the completion queue has room for, so none is ever lost
 *    or held back by the kernel.
 * 3. What is prepared is submitted before its thread sleeps: at the start of each poll, at the end of
 *    the outermost one, and at once outside of polls. What the kernel would not take just then is
 *    offered again, by a poll that sleeps for a moment only.
 * 4. The ring's descriptor stands in epoll_fd: a completion wakes a sleeping poll. Completions are
 *    taken from memory, by the poll, before it runs the tasks that they make.
 */
#include "util/aio-ring.h"

#include "util/aio-int.h"
#include "util/coroutine-int.h"

#include <errno.h>
#include <limits.h>
#include <liburing.h>
#include <sys/epoll.h>

#define RING_SUBMIT_MAX     128     /* prepared at once; 8 KiB */
#define RING_IN_FLIGHT_MAX  512     /* 8 KiB of completions */

struct AioRing {
    struct io_uring uring;
    unsigned in_flight;         /* prepared and not yet reaped */
};

typedef struct RingRequest {
    Coroutine *co;
    int ret;
} RingRequest;

/* ---- life ------------------------------------------------------------------- */

static AioRing *ring_new(AioContext *ctx)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_CQSIZE, .cq_entries = RING_IN_FLIGHT_MAX,
    };
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &ctx->ring };
    AioRing *ring;

    if (RUNNING_ON_VALGRIND) {
        return NULL;            /* it does not see what the kernel writes to buffers */
    }
    ring = g_new0(AioRing, 1);
    if (io_uring_queue_init_params(RING_SUBMIT_MAX, &ring->uring, &params) < 0) {
        g_free(ring);
        return NULL;
    }
    if (epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, ring->uring.ring_fd, &ev) < 0) {
        io_uring_queue_exit(&ring->uring);
        g_free(ring);
        return NULL;
    }
    return ring;
}

static AioRing *ring_get(AioContext *ctx)
{
    if (!ctx->ring && !ctx->has_no_ring) {
        ctx->ring = ring_new(ctx);
        ctx->has_no_ring = !ctx->ring;
    }
    return ctx->ring;
}

void aio_ring_destroy(AioContext *ctx)
{
    if (ctx->ring) {
        g_assert(ctx->ring->in_flight == 0);
        io_uring_queue_exit(&ctx->ring->uring);
        g_clear_pointer(&ctx->ring, g_free);
    }
}

/* ---- submission ---------------------------------------------------------------- */

bool aio_ring_has_unsent(AioContext *ctx)
{
    return ctx->ring && io_uring_sq_ready(&ctx->ring->uring) > 0;
}

bool aio_ring_submit(AioContext *ctx)
{
    if (aio_ring_has_unsent(ctx)) {
        io_uring_submit(&ctx->ring->uring);     /* failed or took a part: seen by what is left */
    }
    return !aio_ring_has_unsent(ctx);
}

/* Outside of polls nobody else would: and where the kernel refuses, a poll must be called for. */
static void ring_submit_now(AioContext *ctx)
{
    if (ctx->poll_depth == 0 && ctx->ring_plugs == 0 && !aio_ring_submit(ctx)) {
        aio_notify(ctx);
    }
}

void aio_ring_plug(AioContext *ctx)
{
    ctx->ring_plugs++;
}

void aio_ring_unplug(AioContext *ctx)
{
    g_assert(ctx->ring_plugs > 0);
    ctx->ring_plugs--;
    ring_submit_now(ctx);
}

static struct io_uring_sqe *ring_take_sqe(AioContext *ctx)
{
    AioRing *ring = ctx->ring;
    struct io_uring_sqe *sqe;

    if (ring->in_flight >= RING_IN_FLIGHT_MAX) {
        return NULL;
    }
    sqe = io_uring_get_sqe(&ring->uring);
    if (!sqe && aio_ring_submit(ctx)) {
        sqe = io_uring_get_sqe(&ring->uring);
    }
    return sqe;
}

static void ring_prepare(struct io_uring_sqe *sqe, AioRingOp op, int fd, const struct iovec *iov,
                         int niov, int64_t offset)
{
    if (niov == 1 && op == AIO_RING_READ) {
        io_uring_prep_read(sqe, fd, iov->iov_base, iov->iov_len, offset);
    } else if (niov == 1) {
        io_uring_prep_write(sqe, fd, iov->iov_base, iov->iov_len, offset);
    } else if (op == AIO_RING_READ) {
        io_uring_prep_readv(sqe, fd, iov, niov, offset);
    } else {
        io_uring_prep_writev(sqe, fd, iov, niov, offset);
    }
}

ssize_t coroutine_fn aio_ring_co_rw(AioRingOp op, int fd, const struct iovec *iov, int niov,
                                    int64_t offset)
{
    RingRequest req = { .co = coroutine_self() };
    AioContext *ctx = req.co->ctx;
    struct io_uring_sqe *sqe;

    g_assert(ctx == aio_context_current() && niov > 0 && niov <= IOV_MAX);
    if (!ring_get(ctx)) {
        return -ENOSYS;
    }
    sqe = ring_take_sqe(ctx);
    if (!sqe) {
        return -EBUSY;
    }
    ring_prepare(sqe, op, fd, iov, niov, offset);
    io_uring_sqe_set_data(sqe, &req);
    ctx->ring->in_flight++;
    ring_submit_now(ctx);
    coroutine_yield();
    return req.ret;
}

/* ---- completion ------------------------------------------------------------------ */

bool aio_ring_is_due(AioContext *ctx)
{
    return ctx->ring && io_uring_cq_ready(&ctx->ring->uring) > 0;
}

void aio_ring_reap(AioContext *ctx)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    if (!aio_ring_is_due(ctx)) {
        return;
    }
    io_uring_for_each_cqe(&ctx->ring->uring, head, cqe) {
        RingRequest *req = io_uring_cqe_get_data(cqe);

        req->ret = cqe->res;
        aio_co_wake(req->co);
        count++;
    }
    io_uring_cq_advance(&ctx->ring->uring, count);
    ctx->ring->in_flight -= count;
}
