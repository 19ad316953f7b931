/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of an AioContext.
 *
 * 1. A removed handler's memory lives until no poll is running: events harvested by an outer
 *    poll may still point to it.
 * 2. Readiness is kept in the handler and taken from there before a call, so what a
 *    nested poll handled is not handled a second time by the outer one.
 */
#include "util/aio-int.h"

#include <errno.h>
#include <sys/epoll.h>

struct AioHandler {
    int fd;
    uint32_t ready;             /* EPOLL*, harvested and not yet handled */
    AioFunc *read_func;         /* both NULL: removed */
    AioFunc *write_func;
    void *opaque;
    AioHandler *next_dead;
};

static bool aio_fd_is_own(AioContext *ctx, const struct epoll_event *event)
{
    return event->data.ptr == &ctx->event_fd || event->data.ptr == &ctx->timer_fd ||
           event->data.ptr == &ctx->ring;
}

void aio_fd_take_events(AioContext *ctx, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (!aio_fd_is_own(ctx, &events[i])) {
            AioHandler *handler = events[i].data.ptr;

            handler->ready = events[i].events;
        }
    }
}

static bool aio_handler_call(AioHandler *handler)
{
    uint32_t ready = handler->ready;
    bool progress = false;

    handler->ready = 0;
    if (ready & (EPOLLERR | EPOLLHUP)) {
        ready |= EPOLLIN | EPOLLOUT;
    }
    if (ready & EPOLLIN && handler->read_func) {
        handler->read_func(handler->opaque);
        progress = true;
    }
    if (ready & EPOLLOUT && handler->write_func) {
        handler->write_func(handler->opaque);
        progress = true;
    }
    return progress;
}

bool aio_fd_dispatch(AioContext *ctx, const struct epoll_event *events, int count)
{
    bool progress = false;

    for (int i = 0; i < count; i++) {
        if (!aio_fd_is_own(ctx, &events[i])) {
            progress |= aio_handler_call(events[i].data.ptr);
        }
    }
    return progress;
}

void aio_fd_free_dead(AioContext *ctx)
{
    while (ctx->dead_handlers) {
        AioHandler *handler = ctx->dead_handlers;

        ctx->dead_handlers = handler->next_dead;
        g_free(handler);
    }
}

static void aio_fd_remove(AioContext *ctx, AioHandler *handler)
{
    epoll_ctl(ctx->epoll_fd, EPOLL_CTL_DEL, handler->fd, NULL);     /* fails if it was closed */
    g_hash_table_remove(ctx->handlers, GINT_TO_POINTER(handler->fd));
    if (g_hash_table_size(ctx->handlers) == 0) {
        g_clear_pointer(&ctx->handlers, g_hash_table_unref);
    }
    handler->read_func = NULL;
    handler->write_func = NULL;
    handler->next_dead = ctx->dead_handlers;
    ctx->dead_handlers = handler;
    if (ctx->poll_depth == 0) {
        aio_fd_free_dead(ctx);
    }
}

static AioHandler *aio_fd_add(AioContext *ctx, int fd)
{
    AioHandler *handler = g_new0(AioHandler, 1);

    handler->fd = fd;
    if (!ctx->handlers) {
        ctx->handlers = g_hash_table_new(NULL, NULL);
    }
    g_hash_table_insert(ctx->handlers, GINT_TO_POINTER(fd), handler);
    return handler;
}

static void aio_fd_watch(AioContext *ctx, AioHandler *handler)
{
    struct epoll_event ev = { .data.ptr = handler };

    ev.events = (handler->read_func ? EPOLLIN : 0) | (handler->write_func ? EPOLLOUT : 0);
    if (epoll_ctl(ctx->epoll_fd, EPOLL_CTL_MOD, handler->fd, &ev) == 0) {
        return;
    }
    /* Not there: it is new, or the number was closed and used again. */
    if (errno != ENOENT || epoll_ctl(ctx->epoll_fd, EPOLL_CTL_ADD, handler->fd, &ev) < 0) {
        g_critical("descriptor %d cannot be polled: %s", handler->fd, g_strerror(errno));
    }
}

void aio_set_fd_handler(AioContext *ctx, int fd, AioFunc *read_func, AioFunc *write_func,
                        void *opaque)
{
    AioHandler *handler = NULL;

    if (ctx->handlers) {
        handler = g_hash_table_lookup(ctx->handlers, GINT_TO_POINTER(fd));
    }
    if (!read_func && !write_func) {
        if (handler) {
            aio_fd_remove(ctx, handler);
        }
        return;
    }
    if (!handler) {
        handler = aio_fd_add(ctx, fd);
    }
    handler->read_func = read_func;
    handler->write_func = write_func;
    handler->opaque = opaque;
    aio_fd_watch(ctx, handler);
}

void aio_fd_destroy(AioContext *ctx)
{
    GHashTableIter iter;
    gpointer handler;

    if (ctx->handlers) {
        g_hash_table_iter_init(&iter, ctx->handlers);
        while (g_hash_table_iter_next(&iter, NULL, &handler)) {
            g_free(handler);
        }
        g_hash_table_unref(ctx->handlers);
    }
    aio_fd_free_dead(ctx);
}
