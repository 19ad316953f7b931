/* SPDX-License-Identifier: MIT */
/*
 * Worker threads for blocking calls and for CPU work.
 *
 * 1. A job lies on the stack of the coroutine that waits for it: once the
 *    coroutine is woken, the job is not touched any more.
 * 2. Every thread that ever ran is joined: one that ends joins the one that ended
 *    before it, and worker_pool_free() joins the last.
 */
#include "util/worker-pool.h"

#include <cairn/aio.h>

#define WORKER_IDLE_US (5 * G_USEC_PER_SEC)     /* without work a thread ends after this */

typedef struct WorkerJob WorkerJob;

struct WorkerJob {
    WorkerJob *next;
    WorkerFunc *func;
    void *opaque;
    int ret;
    Coroutine *co;
};

struct WorkerPool {
    GMutex lock;                /* guards all below */
    GCond has_work;
    GCond has_ended;            /* thread_count went down while stopping */
    WorkerJob *first;
    WorkerJob *last;            /* valid if first is not NULL */
    int max_threads;
    gint64 idle_us;
    int thread_count;
    int idle_count;             /* threads that wait for work, or were just called to it */
    int queued_count;           /* jobs not yet taken */
    bool is_stopping;
    GThread *ended;             /* the thread that ended last; not yet joined */
};

/* ---- the threads' side ---------------------------------------------------- */

/* Called with the lock held. Returns: NULL if the thread shall end. */
static WorkerJob *worker_wait_job(WorkerPool *pool)
{
    gint64 end = g_get_monotonic_time() + pool->idle_us;
    WorkerJob *job;

    while (!pool->first) {
        bool in_time;

        if (pool->is_stopping) {
            return NULL;
        }
        pool->idle_count++;
        in_time = g_cond_wait_until(&pool->has_work, &pool->lock, end);
        pool->idle_count--;
        if (!in_time && !pool->first) {
            return NULL;
        }
    }
    job = pool->first;
    pool->first = job->next;
    pool->queued_count--;
    return job;
}

static gpointer worker_main(gpointer opaque)
{
    WorkerPool *pool = opaque;
    WorkerJob *job;
    GThread *before;

    g_mutex_lock(&pool->lock);
    while ((job = worker_wait_job(pool))) {
        g_mutex_unlock(&pool->lock);
        job->ret = job->func(job->opaque);
        aio_co_wake(job->co);
        g_mutex_lock(&pool->lock);
    }
    pool->thread_count--;
    before = pool->ended;
    pool->ended = g_thread_self();
    if (pool->is_stopping) {
        g_cond_signal(&pool->has_ended);
    }
    g_mutex_unlock(&pool->lock);
    if (before) {
        g_thread_join(before);
    }
    return NULL;
}

/* ---- the callers' side ----------------------------------------------------- */

WorkerPool *worker_pool_new(int max_threads)
{
    WorkerPool *pool = g_new0(WorkerPool, 1);

    g_assert(max_threads > 0);
    g_mutex_init(&pool->lock);
    g_cond_init(&pool->has_work);
    g_cond_init(&pool->has_ended);
    pool->max_threads = max_threads;
    pool->idle_us = WORKER_IDLE_US;
    return pool;
}

void worker_pool_set_idle_time(WorkerPool *pool, int64_t idle_us)
{
    g_mutex_lock(&pool->lock);
    pool->idle_us = idle_us;
    g_mutex_unlock(&pool->lock);
}

void worker_pool_stop(WorkerPool *pool)
{
    if (!pool) {
        return;
    }
    g_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    g_cond_broadcast(&pool->has_work);
    while (pool->thread_count > 0) {
        g_cond_wait(&pool->has_ended, &pool->lock);
    }
    pool->is_stopping = false;
    g_mutex_unlock(&pool->lock);
    if (pool->ended) {
        g_thread_join(g_steal_pointer(&pool->ended));
    }
}

void worker_pool_free(WorkerPool *pool)
{
    if (!pool) {
        return;
    }
    worker_pool_stop(pool);
    g_cond_clear(&pool->has_work);
    g_cond_clear(&pool->has_ended);
    g_mutex_clear(&pool->lock);
    g_free(pool);
}

/* Called with the lock held, after a job was queued. Returns: whether a thread will take it. */
static bool worker_pool_call_thread(WorkerPool *pool)
{
    GThread *thread;

    if (pool->idle_count >= pool->queued_count) {
        g_cond_signal(&pool->has_work);
        return true;
    }
    if (pool->thread_count < pool->max_threads) {
        thread = g_thread_try_new("cairn-worker", worker_main, pool, NULL);
        pool->thread_count += thread != NULL;
    }
    return pool->thread_count > 0;
}

int coroutine_fn worker_pool_co_run(WorkerPool *pool, WorkerFunc *func, void *opaque)
{
    WorkerJob job = { .func = func, .opaque = opaque, .co = coroutine_self() };
    bool is_taken;

    g_assert(job.co);
    g_mutex_lock(&pool->lock);
    g_assert(!pool->is_stopping);
    if (pool->first) {
        pool->last->next = &job;
    } else {
        pool->first = &job;
    }
    pool->last = &job;
    pool->queued_count++;
    is_taken = worker_pool_call_thread(pool);
    if (!is_taken) {            /* no thread is to be had: it was the only job */
        pool->first = NULL;
        pool->queued_count = 0;
    }
    g_mutex_unlock(&pool->lock);
    if (!is_taken) {
        return func(opaque);
    }
    coroutine_yield();
    return job.ret;
}
