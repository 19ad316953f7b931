/* SPDX-License-Identifier: MIT */
/* Worker pool: results come back, to the right thread; work is parallel, and bounded. */
#include "util/worker-pool.h"

#include <cairn/aio.h>

typedef struct Task {
    WorkerPool *pool;
    int input;
    int ret;
    int *left;
    GThread *home;
} Task;

static int add_one(void *opaque)
{
    Task *t = opaque;

    g_assert_true(g_thread_self() != t->home);
    g_assert_false(coroutine_in());
    return t->input + 1;
}

static void coroutine_fn run_task(void *opaque)
{
    Task *t = opaque;

    t->home = g_thread_self();
    t->ret = worker_pool_co_run(t->pool, add_one, t);
    g_assert_true(g_thread_self() == t->home);
    --*t->left;
}

static void run_tasks(WorkerPool *pool, int count)
{
    AioContext *ctx = aio_context_ensure();
    g_autofree Task *tasks = g_new0(Task, count);
    int left = count;

    for (int i = 0; i < count; i++) {
        tasks[i] = (Task) { .pool = pool, .input = -i, .left = &left };
        coroutine_enter(coroutine_create(run_task, &tasks[i]));
    }
    while (left > 0) {
        aio_context_poll(ctx, true);
    }
    for (int i = 0; i < count; i++) {
        g_assert_cmpint(tasks[i].ret, ==, 1 - i);
    }
}

static void test_results_return(gconstpointer threads)
{
    WorkerPool *pool = worker_pool_new(GPOINTER_TO_INT(threads));

    run_tasks(pool, 1);
    run_tasks(pool, 500);
    worker_pool_free(pool);
}

static gpointer caller_thread(gpointer data)
{
    for (int i = 0; i < 20; i++) {
        run_tasks(data, 25);
    }
    return NULL;
}

static void test_callers_in_many_threads(void)
{
    WorkerPool *pool = worker_pool_new(3);
    GThread *threads[4];

    for (int i = 0; i < 4; i++) {
        threads[i] = g_thread_new(NULL, caller_thread, pool);
    }
    for (int i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
    }
    worker_pool_free(pool);
}

/* Workers that only go on when all of them are there. */
typedef struct Meeting {
    WorkerPool *pool;
    GMutex lock;
    GCond changed;
    int inside;
    int most;
    int expected;
    int left;
} Meeting;

static int meet(void *opaque)
{
    Meeting *m = opaque;

    g_mutex_lock(&m->lock);
    m->inside++;
    m->most = MAX(m->most, m->inside);
    g_cond_broadcast(&m->changed);
    while (m->most < m->expected) {
        g_cond_wait(&m->changed, &m->lock);
    }
    m->inside--;
    g_mutex_unlock(&m->lock);
    return 0;
}

static void coroutine_fn go_to_meeting(void *opaque)
{
    Meeting *m = opaque;

    g_assert_cmpint(worker_pool_co_run(m->pool, meet, m), ==, 0);
    m->left--;
}

static void run_meeting(int max_threads, int jobs)
{
    Meeting m = { .expected = max_threads, .left = jobs };
    AioContext *ctx = aio_context_ensure();

    g_mutex_init(&m.lock);
    g_cond_init(&m.changed);
    m.pool = worker_pool_new(max_threads);
    for (int i = 0; i < jobs; i++) {
        coroutine_enter(coroutine_create(go_to_meeting, &m));
    }
    aio_context_poll(ctx, false);
    while (m.left > 0) {
        aio_context_poll(ctx, true);
    }
    worker_pool_free(m.pool);
    g_assert_cmpint(m.most, ==, max_threads);
    g_cond_clear(&m.changed);
    g_mutex_clear(&m.lock);
}

static void test_as_many_threads_as_allowed(void)
{
    run_meeting(4, 4);
    run_meeting(4, 40);
}

/* Threads end and start all the time. */
static void test_idle_threads_end(void)
{
    WorkerPool *pool = worker_pool_new(3);

    worker_pool_set_idle_time(pool, 0);
    for (int i = 0; i < 100; i++) {
        run_tasks(pool, 4);
    }
    worker_pool_free(pool);
}

static int slow_set(void *opaque)
{
    g_usleep(2000);
    g_atomic_int_set((int *)opaque, 1);
    return 0;
}

typedef struct Last {
    WorkerPool *pool;
    int was_run;
    bool is_done;
} Last;

static void coroutine_fn run_slow(void *opaque)
{
    Last *last = opaque;

    worker_pool_co_run(last->pool, slow_set, &last->was_run);
    last->is_done = true;
}

static void test_free_waits_for_work(void)
{
    AioContext *ctx = aio_context_ensure();
    Last last = { .pool = worker_pool_new(1) };

    coroutine_enter(coroutine_create(run_slow, &last));
    worker_pool_free(last.pool);
    g_assert_cmpint(g_atomic_int_get(&last.was_run), ==, 1);
    aio_context_poll_until(ctx, &last.is_done);
}

static void test_unused_pool_ends(void)
{
    worker_pool_free(worker_pool_new(8));
    worker_pool_free(NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/worker-pool/one-thread/results-return", GINT_TO_POINTER(1),
                         test_results_return);
    g_test_add_data_func("/worker-pool/four-threads/results-return", GINT_TO_POINTER(4),
                         test_results_return);
    g_test_add_func("/worker-pool/callers-in-many-threads/results-return",
                    test_callers_in_many_threads);
    g_test_add_func("/worker-pool/runs-exactly-as-many-threads-as-allowed",
                    test_as_many_threads_as_allowed);
    g_test_add_func("/worker-pool/idle-threads-end/results-return", test_idle_threads_end);
    g_test_add_func("/worker-pool/free/waits-for-work", test_free_waits_for_work);
    g_test_add_func("/worker-pool/free/of-unused-pool", test_unused_pool_ends);
    return g_test_run();
}
