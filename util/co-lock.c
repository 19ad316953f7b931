/* SPDX-License-Identifier: MIT */
/*
 * Locks among coroutines, of one thread or several.
 *
 * 1. A waiter is a CoWaiter on the waiting coroutine's stack. It leaves its list
 *    under the lock that guards the list, once, and whoever took it out wakes it, once.
 * 2. After that wake-up neither the waiter nor the lock is touched: both may be gone.
 * 3. A waiter may be woken before it has yielded: aio_co_wake() only queues, and what is
 *    queued runs in the waiter's own thread, which is still busy with going to sleep.
 * 4. A lock is handed over, never put up for grabs: who was woken holds it.
 */
#include <cairn/aio.h>

struct CoWaiter {
    CoWaiter *next;
    Coroutine *co;
    bool is_writer;             /* CoRwlock only */
};

static void co_wait_list_append(CoWaitList *list, CoWaiter *waiter)
{
    waiter->next = NULL;
    if (list->first) {
        list->last->next = waiter;
    } else {
        list->first = waiter;
    }
    list->last = waiter;
}

static CoWaiter *co_wait_list_pop(CoWaitList *list)
{
    CoWaiter *waiter = list->first;

    if (waiter) {
        list->first = waiter->next;
    }
    return waiter;
}

/* ---- CoMutex -------------------------------------------------------------- */

void co_mutex_init(CoMutex *mutex)
{
    *mutex = (CoMutex) { .holder = NULL };
    g_mutex_init(&mutex->lock);
}

void co_mutex_destroy(CoMutex *mutex)
{
    g_assert(!mutex->holder && !mutex->waiters.first);
    g_mutex_clear(&mutex->lock);
}

void coroutine_fn co_mutex_lock(CoMutex *mutex)
{
    CoWaiter waiter = { .co = coroutine_self() };

    g_assert(waiter.co);
    g_mutex_lock(&mutex->lock);
    if (!mutex->holder) {
        mutex->holder = waiter.co;
        g_mutex_unlock(&mutex->lock);
        return;
    }
    g_assert(mutex->holder != waiter.co);   /* not recursive */
    co_wait_list_append(&mutex->waiters, &waiter);
    g_mutex_unlock(&mutex->lock);
    coroutine_yield();
}

void coroutine_fn co_mutex_unlock(CoMutex *mutex)
{
    CoWaiter *waiter;
    Coroutine *heir;

    g_mutex_lock(&mutex->lock);
    g_assert(mutex->holder == coroutine_self());
    waiter = co_wait_list_pop(&mutex->waiters);
    heir = waiter ? waiter->co : NULL;
    mutex->holder = heir;
    g_mutex_unlock(&mutex->lock);
    if (heir) {
        aio_co_wake(heir);
    }
}

/* ---- CoQueue --------------------------------------------------------------- */

void co_queue_init(CoQueue *queue)
{
    *queue = (CoQueue) { .waiters = { NULL, NULL } };
}

void coroutine_fn co_queue_wait(CoQueue *queue, CoMutex *mutex)
{
    CoWaiter waiter = { .co = coroutine_self() };

    co_wait_list_append(&queue->waiters, &waiter);
    co_mutex_unlock(mutex);
    coroutine_yield();
    co_mutex_lock(mutex);
}

void coroutine_fn co_queue_wait_thread(CoQueue *queue, GMutex *mutex)
{
    CoWaiter waiter = { .co = coroutine_self() };

    co_wait_list_append(&queue->waiters, &waiter);
    g_mutex_unlock(mutex);
    coroutine_yield();
    g_mutex_lock(mutex);
}

bool co_queue_next(CoQueue *queue)
{
    CoWaiter *waiter = co_wait_list_pop(&queue->waiters);

    if (waiter) {
        aio_co_wake(waiter->co);
    }
    return waiter != NULL;
}

void co_queue_restart_all(CoQueue *queue)
{
    while (co_queue_next(queue)) {
        continue;
    }
}

bool co_queue_empty(const CoQueue *queue)
{
    return !queue->waiters.first;
}

/* ---- CoRwlock -------------------------------------------------------------- */

void co_rwlock_init(CoRwlock *lock)
{
    *lock = (CoRwlock) { .readers = 0 };
    g_mutex_init(&lock->lock);
}

void co_rwlock_destroy(CoRwlock *lock)
{
    g_assert(lock->readers == 0 && !lock->waiters.first);
    g_mutex_clear(&lock->lock);
}

/* Takes the lock for one more, if it can be had. Called with lock->lock held. */
static bool co_rwlock_try(CoRwlock *lock, bool is_writer)
{
    if (is_writer ? lock->readers != 0 : lock->readers < 0) {
        return false;
    }
    lock->readers = is_writer ? -1 : lock->readers + 1;
    return true;
}

static void coroutine_fn co_rwlock_take(CoRwlock *lock, bool is_writer)
{
    CoWaiter waiter = { .co = coroutine_self(), .is_writer = is_writer };
    bool is_taken;

    g_assert(waiter.co);
    g_mutex_lock(&lock->lock);
    is_taken = !lock->waiters.first && co_rwlock_try(lock, is_writer);
    if (!is_taken) {
        co_wait_list_append(&lock->waiters, &waiter);
    }
    g_mutex_unlock(&lock->lock);
    if (!is_taken) {
        coroutine_yield();
    }
}

void coroutine_fn co_rwlock_rdlock(CoRwlock *lock)
{
    co_rwlock_take(lock, false);
}

void coroutine_fn co_rwlock_wrlock(CoRwlock *lock)
{
    co_rwlock_take(lock, true);
}

/* Gives the lock to all at the head of the list who can have it. Unlocks lock->lock. */
static void co_rwlock_pass_on(CoRwlock *lock)
{
    CoWaitList lucky = { NULL, NULL };
    CoWaiter *waiter;

    while ((waiter = lock->waiters.first) && co_rwlock_try(lock, waiter->is_writer)) {
        co_wait_list_pop(&lock->waiters);
        co_wait_list_append(&lucky, waiter);
    }
    g_mutex_unlock(&lock->lock);
    while ((waiter = co_wait_list_pop(&lucky))) {
        aio_co_wake(waiter->co);
    }
}

void coroutine_fn co_rwlock_downgrade(CoRwlock *lock)
{
    g_mutex_lock(&lock->lock);
    g_assert(lock->readers == -1);
    lock->readers = 1;
    co_rwlock_pass_on(lock);
}

void coroutine_fn co_rwlock_unlock(CoRwlock *lock)
{
    g_mutex_lock(&lock->lock);
    g_assert(lock->readers != 0);
    lock->readers = lock->readers < 0 ? 0 : lock->readers - 1;
    co_rwlock_pass_on(lock);
}
