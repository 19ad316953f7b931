/* SPDX-License-Identifier: MIT */
/* CoMutex, CoQueue, CoRwlock: who gets what when, in one thread and in several. */
#include <cairn/aio.h>

#include <unistd.h>

#include "util/sanitizer.h"

#define THREADS 4
#define COROUTINES 8            /* of each thread */
#ifdef WITH_TSAN
#define ROUNDS 200
#else
#define ROUNDS 1000
#endif

typedef struct Fixture {
    AioContext *ctx;
    GString *text;
    CoMutex mutex;
    CoQueue queue;
    CoRwlock rwlock;
    GMutex plain;
} Fixture;

typedef struct Actor {
    Fixture *f;
    char name;
    Coroutine *co;
} Actor;

static void setup(Fixture *f, gconstpointer data)
{
    f->ctx = aio_context_new(NULL);
    g_assert_nonnull(f->ctx);
    aio_context_push(f->ctx);
    f->text = g_string_new(NULL);
    co_mutex_init(&f->mutex);
    co_queue_init(&f->queue);
    co_rwlock_init(&f->rwlock);
    g_mutex_init(&f->plain);
}

static void teardown(Fixture *f, gconstpointer data)
{
    co_mutex_destroy(&f->mutex);
    co_rwlock_destroy(&f->rwlock);
    g_mutex_clear(&f->plain);
    aio_context_pop(f->ctx);
    aio_context_unref(f->ctx);
    g_string_free(f->text, TRUE);
}

static void say(Actor *a, char what)
{
    g_string_append_printf(a->f->text, "%c%c ", a->name, what);
}

static void start(Actor *a, Fixture *f, char name, CoroutineEntry *entry)
{
    *a = (Actor) { .f = f, .name = name };
    a->co = coroutine_create(entry, a);
    coroutine_enter(a->co);
}

static void poll_all(Fixture *f)
{
    while (aio_context_poll(f->ctx, false)) {
        continue;
    }
}

/* ---- order, in one thread --------------------------------------------------- */

static void coroutine_fn hold_mutex(void *opaque)
{
    Actor *a = opaque;

    CO_MUTEX_GUARD(&a->f->mutex);
    say(a, '+');
    coroutine_yield();
    say(a, '-');
}

static void test_mutex_is_fair(Fixture *f, gconstpointer data)
{
    Actor a, b, c;

    start(&a, f, 'a', hold_mutex);
    start(&b, f, 'b', hold_mutex);
    start(&c, f, 'c', hold_mutex);
    g_assert_cmpstr(f->text->str, ==, "a+ ");
    coroutine_enter(a.co);
    g_assert_cmpstr(f->text->str, ==, "a+ a- ");      /* b holds it, but only its loop enters it */
    poll_all(f);
    coroutine_enter(b.co);
    poll_all(f);
    coroutine_enter(c.co);
    g_assert_cmpstr(f->text->str, ==, "a+ a- b+ b- c+ c- ");
}

static void coroutine_fn lock_twice(void *opaque)
{
    Actor *a = opaque;

    for (int i = 0; i < 2; i++) {
        co_mutex_lock(&a->f->mutex);
        say(a, '+');
        co_mutex_unlock(&a->f->mutex);
    }
}

/* Who unlocks and locks again comes after those who waited. */
static void test_mutex_is_not_barged(Fixture *f, gconstpointer data)
{
    Actor a, b, c;

    start(&a, f, 'a', hold_mutex);
    start(&b, f, 'b', lock_twice);
    start(&c, f, 'c', lock_twice);
    coroutine_enter(a.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "a+ a- b+ c+ b+ c+ ");
}

static void coroutine_fn wait_queue(void *opaque)
{
    Actor *a = opaque;

    CO_MUTEX_GUARD(&a->f->mutex);
    co_queue_wait(&a->f->queue, &a->f->mutex);
    say(a, '!');
}

static void test_queue_wakes_the_oldest(Fixture *f, gconstpointer data)
{
    Actor a, b, c;

    g_assert_true(co_queue_empty(&f->queue));
    g_assert_false(co_queue_next(&f->queue));
    start(&a, f, 'a', wait_queue);
    start(&b, f, 'b', wait_queue);
    start(&c, f, 'c', wait_queue);
    g_assert_true(co_queue_next(&f->queue));
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "a! ");
    co_queue_restart_all(&f->queue);
    g_assert_true(co_queue_empty(&f->queue));
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "a! b! c! ");
}

static void coroutine_fn wait_queue_thread(void *opaque)
{
    Actor *a = opaque;

    g_mutex_lock(&a->f->plain);
    co_queue_wait_thread(&a->f->queue, &a->f->plain);
    say(a, '!');
    g_mutex_unlock(&a->f->plain);
}

static void test_queue_with_plain_mutex(Fixture *f, gconstpointer data)
{
    Actor a;

    start(&a, f, 'a', wait_queue_thread);
    g_assert_true(g_mutex_trylock(&f->plain));
    g_assert_true(co_queue_next(&f->queue));
    g_mutex_unlock(&f->plain);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "a! ");
    g_assert_true(g_mutex_trylock(&f->plain));
    g_mutex_unlock(&f->plain);
}

static void coroutine_fn read_once(void *opaque)
{
    Actor *a = opaque;

    co_rwlock_rdlock(&a->f->rwlock);
    say(a, 'r');
    coroutine_yield();
    say(a, '-');
    co_rwlock_unlock(&a->f->rwlock);
}

static void coroutine_fn write_once(void *opaque)
{
    Actor *a = opaque;

    co_rwlock_wrlock(&a->f->rwlock);
    say(a, 'w');
    coroutine_yield();
    say(a, '-');
    co_rwlock_unlock(&a->f->rwlock);
}

static void test_rwlock_is_in_order_of_arrival(Fixture *f, gconstpointer data)
{
    Actor a, b, c, d, e;

    start(&a, f, 'a', read_once);
    start(&b, f, 'b', read_once);
    start(&c, f, 'c', write_once);
    start(&d, f, 'd', read_once);       /* not before c */
    start(&e, f, 'e', read_once);
    g_assert_cmpstr(f->text->str, ==, "ar br ");
    coroutine_enter(a.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "ar br a- ");
    coroutine_enter(b.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "ar br a- b- cw ");
    coroutine_enter(c.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "ar br a- b- cw c- dr er ");
    coroutine_enter(d.co);
    coroutine_enter(e.co);
}

static void coroutine_fn write_then_read(void *opaque)
{
    Actor *a = opaque;

    co_rwlock_wrlock(&a->f->rwlock);
    say(a, 'w');
    coroutine_yield();
    co_rwlock_downgrade(&a->f->rwlock);
    say(a, 'r');
    coroutine_yield();
    co_rwlock_unlock(&a->f->rwlock);
    say(a, '-');
}

static void test_downgrade_lets_readers_in_only(Fixture *f, gconstpointer data)
{
    Actor a, b, c;

    start(&a, f, 'a', write_then_read);
    start(&b, f, 'b', read_once);
    start(&c, f, 'c', write_once);
    coroutine_enter(a.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "aw ar br ");
    coroutine_enter(a.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "aw ar br a- ");
    coroutine_enter(b.co);
    poll_all(f);
    g_assert_cmpstr(f->text->str, ==, "aw ar br a- b- cw ");
    coroutine_enter(c.co);
}

static void coroutine_fn unlock_unheld(void *opaque)
{
    co_mutex_unlock(opaque);
}

static void test_unlock_of_unheld_is_refused(void)
{
    if (g_test_subprocess()) {
        CoMutex mutex;

        co_mutex_init(&mutex);
        coroutine_enter(coroutine_create(unlock_unheld, &mutex));
        _exit(0);
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*holder*");
}

/* ---- many threads ------------------------------------------------------------- */

typedef struct Stress {
    CoMutex mutex;
    CoRwlock rwlock;
    CoQueue queue;
    GMutex plain;
    int64_t count;              /* guarded by the lock under test */
    int64_t copy;               /* equal to count whenever nobody writes */
    int slots;                  /* of the semaphore made of queue */
    CoroutineEntry *entry;
    int left;                   /* coroutines that still run; atomic */
} Stress;

typedef struct StressThread {
    Stress *s;
    int left;
} StressThread;

static void coroutine_fn maybe_yield(int i)
{
    if (i % 3 == 0) {
        aio_co_wake(coroutine_self());
        coroutine_yield();
    }
}

static void coroutine_fn stress_mutex(void *opaque)
{
    StressThread *t = opaque;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t before;

        co_mutex_lock(&t->s->mutex);
        before = t->s->count;
        maybe_yield(i);
        t->s->count = before + 1;
        co_mutex_unlock(&t->s->mutex);
    }
    t->left--;
}

static void coroutine_fn stress_rwlock(void *opaque)
{
    StressThread *t = opaque;

    for (int i = 0; i < ROUNDS; i++) {
        if (i % 4 == 0) {
            co_rwlock_wrlock(&t->s->rwlock);
            t->s->count++;
            maybe_yield(i);
            t->s->copy++;
            if (i % 8 == 0) {
                co_rwlock_downgrade(&t->s->rwlock);
                g_assert_cmpint(t->s->count, ==, t->s->copy);
            }
        } else {
            co_rwlock_rdlock(&t->s->rwlock);
            g_assert_cmpint(t->s->count, ==, t->s->copy);
            maybe_yield(i);
            g_assert_cmpint(t->s->count, ==, t->s->copy);
        }
        co_rwlock_unlock(&t->s->rwlock);
    }
    t->left--;
}

/* A semaphore of three slots, guarded by a CoMutex. */
static void coroutine_fn stress_queue(void *opaque)
{
    StressThread *t = opaque;
    Stress *s = t->s;

    for (int i = 0; i < ROUNDS; i++) {
        co_mutex_lock(&s->mutex);
        while (s->slots == 0) {
            co_queue_wait(&s->queue, &s->mutex);
        }
        s->slots--;
        s->count++;
        co_mutex_unlock(&s->mutex);
        maybe_yield(i);
        co_mutex_lock(&s->mutex);
        s->slots++;
        co_queue_next(&s->queue);
        co_mutex_unlock(&s->mutex);
    }
    t->left--;
}

/* The same, guarded by a GMutex. */
static void coroutine_fn stress_queue_thread(void *opaque)
{
    StressThread *t = opaque;
    Stress *s = t->s;

    for (int i = 0; i < ROUNDS; i++) {
        g_mutex_lock(&s->plain);
        while (s->slots == 0) {
            co_queue_wait_thread(&s->queue, &s->plain);
        }
        s->slots--;
        s->count++;
        g_mutex_unlock(&s->plain);
        maybe_yield(i);
        g_mutex_lock(&s->plain);
        s->slots++;
        co_queue_next(&s->queue);
        g_mutex_unlock(&s->plain);
    }
    t->left--;
}

static gpointer stress_thread(gpointer data)
{
    Stress *s = data;
    StressThread t = { .s = s, .left = COROUTINES };
    g_autoptr(AioContext) ctx = aio_context_new(NULL);

    aio_context_push(ctx);
    for (int i = 0; i < COROUTINES; i++) {
        coroutine_enter(coroutine_create(s->entry, &t));
    }
    while (t.left > 0) {
        aio_context_poll(ctx, true);
    }
    aio_context_pop(ctx);
    return NULL;
}

static void stress(Stress *s, CoroutineEntry *entry)
{
    GThread *threads[THREADS];

    *s = (Stress) { .slots = 3, .entry = entry };
    co_mutex_init(&s->mutex);
    co_rwlock_init(&s->rwlock);
    co_queue_init(&s->queue);
    g_mutex_init(&s->plain);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new(NULL, stress_thread, s);
    }
    for (int i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_true(co_queue_empty(&s->queue));
    co_mutex_destroy(&s->mutex);
    co_rwlock_destroy(&s->rwlock);
    g_mutex_clear(&s->plain);
}

static void test_threads_mutex(void)
{
    Stress s;

    stress(&s, stress_mutex);
    g_assert_cmpint(s.count, ==, THREADS * COROUTINES * ROUNDS);
}

static void test_threads_rwlock(void)
{
    Stress s;

    stress(&s, stress_rwlock);
    g_assert_cmpint(s.count, ==, THREADS * COROUTINES * (ROUNDS / 4));
    g_assert_cmpint(s.copy, ==, s.count);
}

static void test_threads_queue(void)
{
    Stress s;

    stress(&s, stress_queue);
    g_assert_cmpint(s.count, ==, THREADS * COROUTINES * ROUNDS);
    g_assert_cmpint(s.slots, ==, 3);
}

static void test_threads_queue_thread(void)
{
    Stress s;

    stress(&s, stress_queue_thread);
    g_assert_cmpint(s.count, ==, THREADS * COROUTINES * ROUNDS);
    g_assert_cmpint(s.slots, ==, 3);
}

#define ADD(path, func) g_test_add("/co-lock/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("mutex/first-come-first-served", test_mutex_is_fair);
    ADD("mutex/locking-again-comes-after-waiters", test_mutex_is_not_barged);
    g_test_add_func("/co-lock/mutex/unlock-of-unheld/is-refused",
                    test_unlock_of_unheld_is_refused);
    ADD("queue/wakes-the-oldest-first", test_queue_wakes_the_oldest);
    ADD("queue/takes-a-plain-mutex-again", test_queue_with_plain_mutex);
    ADD("rwlock/in-order-of-arrival", test_rwlock_is_in_order_of_arrival);
    ADD("rwlock/downgrade-lets-only-readers-in", test_downgrade_lets_readers_in_only);
    g_test_add_func("/co-lock/threads/mutex/no-increment-is-lost", test_threads_mutex);
    g_test_add_func("/co-lock/threads/rwlock/no-writer-beside-others", test_threads_rwlock);
    g_test_add_func("/co-lock/threads/queue/no-waiter-is-lost", test_threads_queue);
    g_test_add_func("/co-lock/threads/queue-of-plain-mutex/no-waiter-is-lost",
                    test_threads_queue_thread);
    return g_test_run();
}
