/* SPDX-License-Identifier: MIT */
/*
 * Coroutines and their locks. A coroutine belongs to the AioContext that was
 * current when it was first entered and always runs in the thread that
 * dispatches this context; the locks work across threads and wake each waiter
 * in its own AioContext.
 *
 * 1. A coroutine runs to its end; it is never freed while it waits.
 * 2. Every wake-up goes through the waiter's AioContext: nothing on another
 *    thread ever enters a coroutine directly.
 */
#ifndef CAIRN_COROUTINE_H
#define CAIRN_COROUTINE_H

#include <cairn/macros.h>

G_BEGIN_DECLS

/* Marks a function that runs in a coroutine and may yield. */
#define coroutine_fn

typedef struct Coroutine Coroutine;
typedef void CoroutineEntry(void *opaque);

/**
 * coroutine_create:
 * Context: any. The stack comes from a pool and has a guard page.
 * Returns: a coroutine that has not run yet; it frees itself at its end. Without memory for a stack the process
 * aborts, as in g_malloc().
 */
CAIRN_API Coroutine *coroutine_create(CoroutineEntry *entry, void *opaque);

/**
 * coroutine_try_create: for callers that make many. Linux gives a process 65530 mappings, and a stack takes two.
 * Returns: as coroutine_create(), or NULL with errno set.
 */
CAIRN_API Coroutine *coroutine_try_create(CoroutineEntry *entry, void *opaque);

/**
 * coroutine_enter:
 * Runs @co until it yields or ends, then returns. The first call binds it to the
 * thread's current AioContext (aio_context_push()), which must exist if it yields.
 * Context: the thread of @co's AioContext; may be called inside another coroutine.
 */
CAIRN_API void coroutine_enter(Coroutine *co);

/** coroutine_yield: gives control back to the caller of coroutine_enter(). */
CAIRN_API void coroutine_fn coroutine_yield(void);

/** coroutine_self: the running coroutine; NULL outside. */
CAIRN_API Coroutine *coroutine_self(void);

/** coroutine_in: whether the caller runs inside a coroutine. */
CAIRN_API bool coroutine_in(void);

/** co_sleep_ns: suspends the caller for at least @ns nanoseconds (>= 0). */
CAIRN_API void coroutine_fn co_sleep_ns(int64_t ns);

typedef struct CoWaiter CoWaiter;
typedef struct CoWaitList {
    CoWaiter *first;
    CoWaiter *last;
} CoWaitList;

/*
 * Mutual exclusion among coroutines, first come first served. May be held
 * across a yield. Not recursive.
 */
typedef struct CoMutex {
    /*< private >*/
    GMutex lock;                /* guards the fields below; never held long */
    Coroutine *holder;          /* NULL: free */
    CoWaitList waiters;
} CoMutex;

CAIRN_API void co_mutex_init(CoMutex *mutex);
CAIRN_API void co_mutex_destroy(CoMutex *mutex);
CAIRN_API void coroutine_fn co_mutex_lock(CoMutex *mutex);
CAIRN_API void coroutine_fn co_mutex_unlock(CoMutex *mutex);

/*
 * Coroutines waiting for a condition that a lock guards: a CoMutex, or a plain
 * GMutex where the guarded state is never touched across a yield. Calls of one
 * queue are made with its lock held.
 */
typedef struct CoQueue {
    /*< private >*/
    CoWaitList waiters;
} CoQueue;

CAIRN_API void co_queue_init(CoQueue *queue);

/** co_queue_wait: leaves @mutex, waits to be woken, takes @mutex again. */
CAIRN_API void coroutine_fn co_queue_wait(CoQueue *queue, CoMutex *mutex);
CAIRN_API void coroutine_fn co_queue_wait_thread(CoQueue *queue, GMutex *mutex);

/** co_queue_next: wakes the oldest waiter; false if there was none. Any thread, also outside coroutines. */
CAIRN_API bool co_queue_next(CoQueue *queue);
CAIRN_API void co_queue_restart_all(CoQueue *queue);
CAIRN_API bool co_queue_empty(const CoQueue *queue);

/* Many readers or one writer, in order of arrival: a waiting writer holds up later readers. */
typedef struct CoRwlock {
    /*< private >*/
    GMutex lock;
    int readers;                /* -1: one writer */
    CoWaitList waiters;
} CoRwlock;

CAIRN_API void co_rwlock_init(CoRwlock *lock);
CAIRN_API void co_rwlock_destroy(CoRwlock *lock);
CAIRN_API void coroutine_fn co_rwlock_rdlock(CoRwlock *lock);
CAIRN_API void coroutine_fn co_rwlock_wrlock(CoRwlock *lock);
/** co_rwlock_downgrade: writer becomes reader without letting another writer in. */
CAIRN_API void coroutine_fn co_rwlock_downgrade(CoRwlock *lock);
CAIRN_API void coroutine_fn co_rwlock_unlock(CoRwlock *lock);

/* Holds @mutex to the end of the scope. */
static inline CoMutex *co_mutex_guard_lock(CoMutex *mutex)
{
    co_mutex_lock(mutex);
    return mutex;
}

static inline void co_mutex_guard_unlock(CoMutex **mutex)
{
    if (*mutex) {
        co_mutex_unlock(*mutex);
    }
}

#define CO_MUTEX_GUARD_NAME2(line) co_mutex_guard_##line
#define CO_MUTEX_GUARD_NAME(line) CO_MUTEX_GUARD_NAME2(line)
#define CO_MUTEX_GUARD(mutex)                                                \
    __attribute__((cleanup(co_mutex_guard_unlock), unused))                  \
    CoMutex *CO_MUTEX_GUARD_NAME(__LINE__) = co_mutex_guard_lock(mutex)

G_END_DECLS

#endif
