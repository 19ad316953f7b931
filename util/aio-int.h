/* SPDX-License-Identifier: MIT */
/*
 * The inside of an AioContext, shared by its parts: aio-context.c (queue, polling),
 * aio-fd.c (descriptors), aio-ring.c (io_uring), aio-timer.c, aio-source.c (the GSource),
 * aio-thread.c (who is whose current context).
 */
#ifndef UTIL_AIO_INT_H
#define UTIL_AIO_INT_H

#include "util/aio-task.h"

#include <cairn/aio.h>

struct epoll_event;

typedef struct AioHandler AioHandler;
typedef struct AioRing AioRing;

struct AioContext {
    int refs;                   /* atomic */
    int epoll_fd;
    int event_fd;               /* edge-triggered in epoll_fd: harvesting its event resets it */
    int timer_fd;

    /* Any thread; atomic. */
    AioTask *incoming;          /* newest first */
    int is_notified;            /* event_fd was written, its event not yet harvested */
    int notifiers;              /* threads inside aio_schedule(): the context must outlive them */

    /* The rest: the context's own thread only. */
    GThread *owner;             /* the thread that pushed it; NULL: none. Atomic */
    int push_count;             /* of owner */
    int poll_depth;             /* nested aio_context_poll() */
    AioTask *queue;             /* oldest first; taken from incoming */
    AioTask *queue_tail;        /* valid if queue is not NULL */
    uint64_t taken_count;       /* tasks ever put into queue */
    uint64_t run_count;         /* tasks ever taken out of it */

    GHashTable *handlers;       /* fd -> AioHandler; NULL until the first */
    AioHandler *dead_handlers;  /* to be freed when poll_depth is 0 */

    GPtrArray *timers;          /* a heap: the earliest first */
    uint64_t timer_serial;      /* orders timers of the same instant */
    int64_t armed_ns;           /* when timer_fd fires; INT64_MAX: never */

    AioRing *ring;              /* NULL until the first request of one */
    bool has_no_ring;           /* one was asked for and cannot be had */
    int ring_plugs;             /* aio_ring_plug() without its aio_ring_unplug() */

    GSource *source;            /* NULL until asked for */
};

/* aio-context.c */
/* Runs @task in @ctx's thread. Any thread. */
void aio_schedule(AioContext *ctx, AioTask *task);

/* Whether something waits to be run by a poll. Own thread. */
bool aio_has_tasks(AioContext *ctx);

/* aio-fd.c */
void aio_fd_take_events(AioContext *ctx, const struct epoll_event *events, int count);
bool aio_fd_dispatch(AioContext *ctx, const struct epoll_event *events, int count);
void aio_fd_free_dead(AioContext *ctx);
void aio_fd_destroy(AioContext *ctx);

/* aio-ring.c, or aio-ring-none.c; the own thread */
/* Hands what was prepared to the kernel. Returns: whether it took all. */
bool aio_ring_submit(AioContext *ctx);
bool aio_ring_has_unsent(AioContext *ctx);
/* Whether requests have ended that were not yet reaped. */
bool aio_ring_is_due(AioContext *ctx);
/* Makes a task of each request that has ended. */
void aio_ring_reap(AioContext *ctx);
void aio_ring_destroy(AioContext *ctx);

/* aio-timer.c */
bool aio_timers_due(AioContext *ctx);
bool aio_timers_dispatch(AioContext *ctx);
void aio_timers_destroy(AioContext *ctx);

/* aio-source.c */
void aio_source_destroy(AioContext *ctx);

#endif
