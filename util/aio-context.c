/* SPDX-License-Identifier: MIT */
/*
 * AioContext: the queue of tasks, and the poll that dispatches everything.
 *
 * 1. incoming is a stack that any thread pushes to; only the own thread takes
 *    from it, always all at once.
 * 2. Where a task stands in incoming or queue and the own thread is not inside a
 *    poll, event_fd's event is pending in epoll_fd: so epoll_fd is readable.
 * 3. is_notified is reset only after the event was harvested and before incoming
 *    is taken, so no task is left without a pending event.
 * 4. A poll runs only tasks that were there when it began; what they schedule waits for
 *    the next one. A nested poll continues with the outer one's tasks.
 */
#include "util/aio-int.h"
#include "util/coroutine-int.h"
#include "util/patience.h"

#include <cairn/error.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define AIO_EVENTS_MAX 64       /* harvested by one poll; the others stay for the next */
#define AIO_AGAIN_MS 1          /* until the kernel is offered again what it would not take */

/* ---- life --------------------------------------------------------------- */

static bool aio_context_watch(AioContext *ctx, int fd, uint32_t events, void *tag)
{
    struct epoll_event ev = { .events = events, .data.ptr = tag };

    return fd >= 0 && epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void aio_context_close_fds(AioContext *ctx)
{
    int fds[] = { ctx->timer_fd, ctx->event_fd, ctx->epoll_fd };

    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

AioContext *aio_context_new(GError **error)
{
    AioContext *ctx = g_new0(AioContext, 1);

    ctx->refs = 1;
    ctx->armed_ns = INT64_MAX;
    ctx->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ctx->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ctx->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (ctx->epoll_fd < 0
        || !aio_context_watch(ctx, ctx->event_fd, EPOLLIN | EPOLLET, &ctx->event_fd)
        || !aio_context_watch(ctx, ctx->timer_fd, EPOLLIN, &ctx->timer_fd)) {
        cairn_set_error_errno(error, errno, "cannot make an event loop");
        aio_context_close_fds(ctx);
        g_free(ctx);
        return NULL;
    }
    return ctx;
}

AioContext *aio_context_ref(AioContext *ctx)
{
    __atomic_fetch_add(&ctx->refs, 1, __ATOMIC_RELAXED);
    return ctx;
}

static void aio_context_take_incoming(AioContext *ctx)
{
    AioTask *newest = NULL, *oldest = NULL, *tail;

    if (__atomic_load_n(&ctx->incoming, __ATOMIC_RELAXED)) {
        newest = __atomic_exchange_n(&ctx->incoming, NULL, __ATOMIC_ACQ_REL);
    }
    tail = newest;
    while (newest) {
        AioTask *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
        ctx->taken_count++;
    }
    if (!oldest) {
        return;
    }
    if (ctx->queue) {
        ctx->queue_tail->next = oldest;
    } else {
        ctx->queue = oldest;
    }
    ctx->queue_tail = tail;
}

static AioTask *aio_queue_pop(AioContext *ctx)
{
    AioTask *task = ctx->queue;

    ctx->queue = task->next;
    ctx->run_count++;
    return task;
}

void aio_context_unref(AioContext *ctx)
{
    if (!ctx || __atomic_sub_fetch(&ctx->refs, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    /* A thread that scheduled the last task may still be about to write event_fd. */
    while (__atomic_load_n(&ctx->notifiers, __ATOMIC_ACQUIRE)) {
        g_thread_yield();
    }
    aio_source_destroy(ctx);
    aio_context_take_incoming(ctx);
    while (ctx->queue) {
        AioTask *task = aio_queue_pop(ctx);

        task->drop(task);
    }
    aio_ring_destroy(ctx);
    aio_fd_destroy(ctx);
    aio_timers_destroy(ctx);
    aio_context_close_fds(ctx);
    g_free(ctx);
}

int aio_context_get_fd(AioContext *ctx)
{
    return ctx->epoll_fd;
}

/* ---- scheduling ----------------------------------------------------------- */

void aio_notify(AioContext *ctx)
{
    uint64_t one = 1;

    if (__atomic_exchange_n(&ctx->is_notified, 1, __ATOMIC_ACQ_REL)) {
        return;
    }
    while (write(ctx->event_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        continue;
    }
}

static void aio_push_incoming(AioContext *ctx, AioTask *task)
{
    AioTask *head = __atomic_load_n(&ctx->incoming, __ATOMIC_RELAXED);

    do {
        task->next = head;
    } while (!__atomic_compare_exchange_n(&ctx->incoming, &head, task, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

void aio_schedule(AioContext *ctx, AioTask *task)
{
    if (ctx == aio_context_current() && ctx->poll_depth > 0) {
        aio_push_incoming(ctx, task);   /* the poll that we are in looks before it sleeps or ends */
        return;
    }
    __atomic_fetch_add(&ctx->notifiers, 1, __ATOMIC_ACQUIRE);
    aio_push_incoming(ctx, task);
    aio_notify(ctx);
    __atomic_fetch_sub(&ctx->notifiers, 1, __ATOMIC_RELEASE);
}

typedef struct AioBottomHalf {
    AioTask task;               /* must be first */
    AioFunc *func;
    void *opaque;
} AioBottomHalf;

static void aio_bh_run(AioTask *task)
{
    AioBottomHalf bh = *(AioBottomHalf *)task;

    g_free(task);
    bh.func(bh.opaque);
}

static void aio_bh_drop(AioTask *task)
{
    g_free(task);
}

void aio_bh_schedule_oneshot(AioContext *ctx, AioFunc *func, void *opaque)
{
    AioBottomHalf *bh = g_new(AioBottomHalf, 1);

    *bh = (AioBottomHalf) {
        .task = { .run = aio_bh_run, .drop = aio_bh_drop }, .func = func, .opaque = opaque,
    };
    aio_schedule(ctx, &bh->task);
}

void aio_co_wake(Coroutine *co)
{
    int was_woken = __atomic_exchange_n(&co->is_woken, 1, __ATOMIC_ACQ_REL);

    g_assert(co->ctx && !was_woken);
    aio_schedule(co->ctx, &co->wake);
}

/* ---- polling -------------------------------------------------------------- */

bool aio_has_tasks(AioContext *ctx)
{
    return ctx->queue || __atomic_load_n(&ctx->incoming, __ATOMIC_ACQUIRE);
}

/* Returns: the number of events; 0 without a system call where there can be none. */
static int aio_harvest(AioContext *ctx, struct epoll_event *events, bool may_block)
{
    bool is_ready = aio_has_tasks(ctx) || aio_timers_due(ctx) || aio_ring_is_due(ctx);
    int patience_ms = aio_ring_has_unsent(ctx) ? AIO_AGAIN_MS : -1;
    int count;

    if ((!may_block || is_ready) && !__atomic_load_n(&ctx->is_notified, __ATOMIC_RELAXED)
        && !ctx->handlers && ctx->armed_ns == INT64_MAX) {
        return 0;
    }
    count = epoll_wait(ctx->epoll_fd, events, AIO_EVENTS_MAX, may_block && !is_ready ? patience_ms : 0);
    g_assert(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &ctx->event_fd) {
            __atomic_exchange_n(&ctx->is_notified, 0, __ATOMIC_ACQ_REL);
        }
    }
    return MAX(count, 0);
}

static bool aio_run_tasks(AioContext *ctx)
{
    uint64_t before = ctx->run_count, end;

    aio_context_take_incoming(ctx);
    end = ctx->taken_count;
    while (ctx->run_count < end) {
        AioTask *task = aio_queue_pop(ctx);

        task->run(task);
    }
    return ctx->run_count != before;
}

static bool aio_poll_once(AioContext *ctx, bool may_block)
{
    struct epoll_event events[AIO_EVENTS_MAX];
    bool progress;
    int count;

    aio_ring_submit(ctx);
    count = aio_harvest(ctx, events, may_block);
    aio_fd_take_events(ctx, events, count);
    aio_ring_reap(ctx);
    progress = aio_run_tasks(ctx);
    progress |= aio_timers_dispatch(ctx);
    progress |= aio_fd_dispatch(ctx, events, count);
    return progress;
}

/* Between these two, tasks scheduled by the own thread need no event. */
static bool aio_poll_begin(AioContext *ctx)
{
    bool is_foreign = aio_context_current() != ctx;

    g_assert(!coroutine_in());
    if (is_foreign) {
        aio_context_push(ctx);
    }
    ctx->poll_depth++;
    return is_foreign;
}

static void aio_poll_end(AioContext *ctx, bool was_foreign)
{
    if (--ctx->poll_depth == 0) {
        aio_fd_free_dead(ctx);
        if (!aio_ring_submit(ctx) || aio_has_tasks(ctx)) {
            aio_notify(ctx);
        }
    }
    if (was_foreign) {
        aio_context_pop(ctx);
    }
}

bool aio_context_poll(AioContext *ctx, bool may_block)
{
    bool was_foreign = aio_poll_begin(ctx);
    bool progress = aio_poll_once(ctx, may_block);

    aio_poll_end(ctx, was_foreign);
    return progress;
}

void aio_context_poll_until(AioContext *ctx, const bool *is_done)
{
    bool was_foreign = aio_poll_begin(ctx);

    patience_begin();
    while (!*is_done) {
        aio_poll_once(ctx, true);
    }
    patience_end();
    aio_poll_end(ctx, was_foreign);
}
