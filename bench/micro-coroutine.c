/* SPDX-License-Identifier: MIT */
/* What stands under every request: switches, locks, wake-ups, threads, zero checks. */
#include "bench/micro.h"
#include "util/worker-pool.h"

#include <cairn/aio.h>
#include <cairn/iov.h>

typedef struct Loop {
    int64_t left;
    bool is_done;
    CoMutex mutex;
    WorkerPool *pool;
} Loop;

static void *loop_setup(void)
{
    Loop *loop = g_new0(Loop, 1);

    aio_context_ensure();
    co_mutex_init(&loop->mutex);
    loop->pool = worker_pool_new(1);
    return loop;
}

static void loop_teardown(void *state)
{
    Loop *loop = state;

    worker_pool_free(loop->pool);
    co_mutex_destroy(&loop->mutex);
    g_free(loop);
}

/* Runs @entry, which counts left down and sets is_done, in a coroutine. */
static void loop_run(void *state, int64_t count, CoroutineEntry *entry)
{
    Loop *loop = state;

    loop->left = count;
    loop->is_done = false;
    coroutine_enter(coroutine_create(entry, loop));
    aio_context_poll_until(aio_context_current(), &loop->is_done);
}

static void coroutine_fn yield_until_done(void *opaque)
{
    Loop *loop = opaque;

    while (!loop->is_done) {
        coroutine_yield();
    }
}

static void run_switch(void *state, int64_t count)
{
    Loop *loop = state;
    Coroutine *co;

    loop->is_done = false;
    co = coroutine_create(yield_until_done, loop);
    for (int64_t i = 0; i < count; i++) {
        coroutine_enter(co);
    }
    loop->is_done = true;
    coroutine_enter(co);
}

static void coroutine_fn do_nothing(void *opaque)
{
}

static void run_create(void *state, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        coroutine_enter(coroutine_create(do_nothing, NULL));
    }
}

static void coroutine_fn lock_and_unlock(void *opaque)
{
    Loop *loop = opaque;

    for (; loop->left > 0; loop->left--) {
        co_mutex_lock(&loop->mutex);
        co_mutex_unlock(&loop->mutex);
    }
    loop->is_done = true;
}

static void run_lock(void *state, int64_t count)
{
    loop_run(state, count, lock_and_unlock);
}

static void coroutine_fn wake_self(void *opaque)
{
    Loop *loop = opaque;

    for (; loop->left > 0; loop->left--) {
        aio_co_wake(coroutine_self());
        coroutine_yield();
    }
    loop->is_done = true;
}

static void run_wake(void *state, int64_t count)
{
    loop_run(state, count, wake_self);
}

static void run_poll(void *state, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        aio_context_poll(aio_context_current(), false);
    }
}

static int work(void *opaque)
{
    return 0;
}

static void coroutine_fn hop(void *opaque)
{
    Loop *loop = opaque;

    for (; loop->left > 0; loop->left--) {
        worker_pool_co_run(loop->pool, work, NULL);
    }
    loop->is_done = true;
}

static void run_worker(void *state, int64_t count)
{
    loop_run(state, count, hop);
}

enum { ZERO_SMALL = 512, ZERO_LARGE = 65536 };

static void *zero_setup(void)
{
    return g_malloc0(ZERO_LARGE);
}

static void run_zero_small(void *state, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        g_assert_true(cairn_buffer_is_zero(state, ZERO_SMALL));
    }
}

static void run_zero_large(void *state, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        g_assert_true(cairn_buffer_is_zero(state, ZERO_LARGE));
    }
}

const MicroCase micro_coroutine[] = {
    { "coroutine: enter and yield", 1000000, 0, loop_setup, run_switch, loop_teardown },
    { "coroutine: create, run, end", 500000, 0, loop_setup, run_create, loop_teardown },
    { "coroutine: lock and unlock", 1000000, 0, loop_setup, run_lock, loop_teardown },
    { "coroutine: wake, yield, poll", 200000, 0, loop_setup, run_wake, loop_teardown },
    { "loop: poll, nothing to do", 500000, 0, loop_setup, run_poll, loop_teardown },
    { "worker: there and back", 2000, 0, loop_setup, run_worker, loop_teardown },
    { "zero check: 512 bytes", 500000, ZERO_SMALL, zero_setup, run_zero_small, g_free },
    { "zero check: 64 KiB", 10000, ZERO_LARGE, zero_setup, run_zero_large, g_free },
    { NULL },
};
