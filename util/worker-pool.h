/* SPDX-License-Identifier: MIT */
/*
 * Worker threads for blocking calls and for CPU work. Threads start on demand
 * and end when idle.
 */
#ifndef UTIL_WORKER_POOL_H
#define UTIL_WORKER_POOL_H

#include <cairn/coroutine.h>

typedef struct WorkerPool WorkerPool;
typedef int WorkerFunc(void *opaque);

/* @max_threads: > 0 */
WorkerPool *worker_pool_new(int max_threads);
/* How long a thread without work stays; 5 s from the start. For threads that become idle from now on. */
void worker_pool_set_idle_time(WorkerPool *pool, int64_t idle_us);
/*
 * Waits for running work and ends all threads; the next work starts new ones. Nobody may hand work
 * over meanwhile. NULL: nothing.
 */
void worker_pool_stop(WorkerPool *pool);
/* Waits for running work. NULL: nothing. */
void worker_pool_free(WorkerPool *pool);

/* Runs @func in a worker thread while the coroutine waits. Returns: what @func returned. */
int coroutine_fn worker_pool_co_run(WorkerPool *pool, WorkerFunc *func, void *opaque);

#endif
