/* SPDX-License-Identifier: MIT */
/*
 * What the pieces under every request cost, in nanoseconds of CPU time of all threads:
 * switches, locks, wake-ups, zero checks.
 */
#include "util/worker-pool.h"

#include <cairn/aio.h>
#include <cairn/iov.h>

#include <time.h>

typedef struct Bench {
    int64_t count;
    bool is_done;
    AioContext *ctx;
    CoMutex mutex;
    WorkerPool *pool;
    void *buf;
} Bench;

static int64_t cpu_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void report(const char *what, int64_t start, int64_t count)
{
    g_print("%-44s %9.1f ns\n", what, (double)(cpu_time() - start) / count);
}

static void coroutine_fn yield_forever(void *opaque)
{
    Bench *b = opaque;

    while (!b->is_done) {
        coroutine_yield();
    }
}

static void bench_switch(Bench *b)
{
    Coroutine *co = coroutine_create(yield_forever, b);
    int64_t start = cpu_time();

    b->is_done = false;
    for (int64_t i = 0; i < b->count; i++) {
        coroutine_enter(co);
    }
    report("enter and yield", start, b->count);
    b->is_done = true;
    coroutine_enter(co);
}

static void coroutine_fn do_nothing(void *opaque)
{
}

static void bench_create(Bench *b)
{
    int64_t start = cpu_time();

    for (int64_t i = 0; i < b->count; i++) {
        coroutine_enter(coroutine_create(do_nothing, NULL));
    }
    report("create, run, end", start, b->count);
}

static void coroutine_fn lock_and_unlock(void *opaque)
{
    Bench *b = opaque;
    int64_t start = cpu_time();

    for (int64_t i = 0; i < b->count; i++) {
        co_mutex_lock(&b->mutex);
        co_mutex_unlock(&b->mutex);
    }
    report("CoMutex lock and unlock, free", start, b->count);
}

static void coroutine_fn wake_self(void *opaque)
{
    Bench *b = opaque;

    b->is_done = false;
    for (int64_t i = 0; i < b->count; i++) {
        aio_co_wake(coroutine_self());
        coroutine_yield();
    }
    b->is_done = true;
}

static void bench_wake(Bench *b)
{
    int64_t start = cpu_time();

    coroutine_enter(coroutine_create(wake_self, b));
    aio_context_poll_until(b->ctx, &b->is_done);
    report("wake in the own thread, yield, poll", start, b->count);
}

static void bench_poll_idle(Bench *b)
{
    int64_t start = cpu_time();

    for (int64_t i = 0; i < b->count; i++) {
        aio_context_poll(b->ctx, false);
    }
    report("poll with nothing to do", start, b->count);
}

static int work(void *opaque)
{
    return 0;
}

static void coroutine_fn hop(void *opaque)
{
    Bench *b = opaque;

    b->is_done = false;
    for (int64_t i = 0; i < b->count / 100; i++) {
        worker_pool_co_run(b->pool, work, NULL);
    }
    b->is_done = true;
}

static void bench_worker(Bench *b)
{
    int64_t start = cpu_time();

    coroutine_enter(coroutine_create(hop, b));
    aio_context_poll_until(b->ctx, &b->is_done);
    report("worker thread and back", start, b->count / 100);
}

static void bench_zero(Bench *b, size_t bytes, const char *what)
{
    int64_t count = b->count / 50;
    int64_t start = cpu_time();

    for (int64_t i = 0; i < count; i++) {
        g_assert_true(cairn_buffer_is_zero(b->buf, bytes));
    }
    report(what, start, count);
}

int main(int argc, char **argv)
{
    Bench b = {
        .count = argc > 1 ? g_ascii_strtoll(argv[1], NULL, 10) : 1000000,
        .ctx = aio_context_ensure(), .pool = worker_pool_new(1), .buf = g_malloc0(65536),
    };

    co_mutex_init(&b.mutex);
    bench_switch(&b);
    bench_create(&b);
    coroutine_enter(coroutine_create(lock_and_unlock, &b));
    bench_wake(&b);
    bench_poll_idle(&b);
    bench_worker(&b);
    bench_zero(&b, 512, "zero check, 512 bytes");
    bench_zero(&b, 65536, "zero check, 64 KiB");
    co_mutex_destroy(&b.mutex);
    worker_pool_free(b.pool);
    g_free(b.buf);
    return 0;
}
