/* SPDX-License-Identifier: MIT */
/*
 * AioContext: the event loop part of one thread, as a GSource. An embedder
 * attaches it to a GMainContext, or polls it as one file descriptor, or lets
 * the blocking calls poll it.
 *
 * 1. Only one thread dispatches an AioContext: the one that pushed it.
 * 2. Scheduling (bottom halves, coroutine wake-ups) works from any thread.
 */
#ifndef CAIRN_AIO_H
#define CAIRN_AIO_H

#include <cairn/coroutine.h>

G_BEGIN_DECLS

typedef struct AioContext AioContext;
typedef void AioFunc(void *opaque);

/** aio_context_new: Returns: a new context, or NULL with @error (no file descriptors left). */
CAIRN_API AioContext *aio_context_new(GError **error);
CAIRN_API AioContext *aio_context_ref(AioContext *ctx);
CAIRN_API void aio_context_unref(AioContext *ctx);

/** aio_context_get_source: the GSource, to be attached by the caller; owned by @ctx. */
CAIRN_API GSource *aio_context_get_source(AioContext *ctx);

/**
 * aio_context_get_fd:
 * Returns: a descriptor that polls readable (POLLIN) whenever aio_context_poll()
 * has something to do: for programs with an event loop that is not GLib's. (Not while
 * @ctx dispatches: to wait inside a callback, use aio_context_poll().)
 */
CAIRN_API int aio_context_get_fd(AioContext *ctx);

/** aio_context_push: makes @ctx the thread's current one (as g_main_context_push_thread_default()). */
CAIRN_API void aio_context_push(AioContext *ctx);
CAIRN_API void aio_context_pop(AioContext *ctx);

/** aio_context_current: the thread's current context, or NULL. */
CAIRN_API AioContext *aio_context_current(void);

/**
 * aio_context_ensure:
 * Returns: the thread's current context; where there is none, a private one that
 * is made once per thread, pushed, and freed when the thread ends.
 */
CAIRN_API AioContext *aio_context_ensure(void);

/**
 * aio_context_poll:
 * @may_block: wait until there is something to do
 * Dispatches what is ready: bottom halves, timers, descriptors. May be nested.
 * Context: the context's own thread, never inside a coroutine.
 * Returns: whether anything was dispatched.
 */
CAIRN_API bool aio_context_poll(AioContext *ctx, bool may_block);

/**
 * aio_context_poll_until:
 * @is_done: set by something that @ctx dispatches
 * Polls, blocking, until *@is_done. Cheaper than a loop around aio_context_poll(), and the thread is
 * taken to wait for nothing else: what is copied to the page cache is copied at once, not by a worker.
 * Context: as aio_context_poll().
 */
CAIRN_API void aio_context_poll_until(AioContext *ctx, const bool *is_done);

/** aio_notify: makes a blocking aio_context_poll() of @ctx return. Any thread. */
CAIRN_API void aio_notify(AioContext *ctx);

/** aio_bh_schedule_oneshot: runs @func once, outside coroutines, in @ctx's thread. Any thread may call. */
CAIRN_API void aio_bh_schedule_oneshot(AioContext *ctx, AioFunc *func, void *opaque);

/** aio_co_wake: enters @co from its own AioContext's loop. Any thread may call. */
CAIRN_API void aio_co_wake(Coroutine *co);

typedef struct AioTimer AioTimer;

/** aio_timer_new: a timer of @ctx, not running. Timer calls: the context's own thread only. */
CAIRN_API AioTimer *aio_timer_new(AioContext *ctx, AioFunc *func, void *opaque);
/** aio_timer_mod: runs the function once, @delay_ns from now (>= 0). Replaces an earlier setting. */
CAIRN_API void aio_timer_mod(AioTimer *timer, int64_t delay_ns);
CAIRN_API void aio_timer_del(AioTimer *timer);
CAIRN_API void aio_timer_free(AioTimer *timer);

/**
 * aio_set_fd_handler:
 * Calls @read_func/@write_func when @fd is ready; both NULL removes it.
 * Context: the context's own thread. @fd must be of a kind that epoll takes: no regular files.
 */
CAIRN_API void aio_set_fd_handler(AioContext *ctx, int fd, AioFunc *read_func,
                                  AioFunc *write_func, void *opaque);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AioContext, aio_context_unref)

G_END_DECLS

#endif
