/* SPDX-License-Identifier: MIT */
/* Coroutines: order of control, what a switch keeps, the pool of stacks, many at once. */
#include <cairn/aio.h>

#include "util/sanitizer.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#ifdef WITH_TSAN
#define MANY 1000               /* ThreadSanitizer has room for some 8000 threads and fibers */
#else
#define MANY 10000
#endif

typedef struct Trace {
    GString *text;
    Coroutine *inner;
} Trace;

static AioContext *push_context(void)
{
    g_autoptr(GError) error = NULL;
    AioContext *ctx = aio_context_new(&error);

    g_assert_no_error(error);
    aio_context_push(ctx);
    return ctx;
}

static void pop_context(AioContext *ctx)
{
    aio_context_pop(ctx);
    aio_context_unref(ctx);
}

static void coroutine_fn three_steps(void *opaque)
{
    GString *text = opaque;

    g_string_append_c(text, 'a');
    coroutine_yield();
    g_string_append_c(text, 'b');
    coroutine_yield();
    g_string_append_c(text, 'c');
}

static void test_yield_returns_to_enter(void)
{
    AioContext *ctx = push_context();
    g_autoptr(GString) text = g_string_new(NULL);
    Coroutine *co = coroutine_create(three_steps, text);

    for (int i = 1; i <= 3; i++) {
        coroutine_enter(co);
        g_string_append_printf(text, "%d", i);
    }
    g_assert_cmpstr(text->str, ==, "a1b2c3");
    pop_context(ctx);
}

static void coroutine_fn enter_inner(void *opaque)
{
    Trace *t = opaque;

    g_string_append_c(t->text, '<');
    coroutine_enter(t->inner);
    g_string_append_c(t->text, '|');
    coroutine_yield();
    coroutine_enter(t->inner);
    g_string_append_c(t->text, '>');
}

static void test_enter_nests(void)
{
    AioContext *ctx = push_context();
    g_autoptr(GString) text = g_string_new(NULL);
    Trace t = { .text = text, .inner = coroutine_create(three_steps, text) };
    Coroutine *outer = coroutine_create(enter_inner, &t);

    coroutine_enter(outer);
    g_string_append_c(text, '.');
    coroutine_enter(outer);
    coroutine_enter(t.inner);
    g_assert_cmpstr(text->str, ==, "<a|.b>c");
    pop_context(ctx);
}

static void coroutine_fn store_self(void *opaque)
{
    *(Coroutine **)opaque = coroutine_self();
    g_assert_true(coroutine_in());
}

static void test_self(void)
{
    Coroutine *seen = NULL, *co = coroutine_create(store_self, &seen);

    g_assert_null(coroutine_self());
    g_assert_false(coroutine_in());
    coroutine_enter(co);
    g_assert_true(seen == co);
    g_assert_null(coroutine_self());
}

#ifdef __x86_64__
static void coroutine_fn change_rounding(void *opaque)
{
    _MM_SET_ROUNDING_MODE(_MM_ROUND_UP);
    coroutine_yield();
    *(bool *)opaque = _MM_GET_ROUNDING_MODE() == _MM_ROUND_UP;
}

static void test_rounding_mode_is_kept(void)
{
    AioContext *ctx = push_context();
    bool is_kept = false;
    Coroutine *co = coroutine_create(change_rounding, &is_kept);

    coroutine_enter(co);
    g_assert_cmpint(_MM_GET_ROUNDING_MODE(), ==, _MM_ROUND_NEAREST);
    coroutine_enter(co);
    g_assert_true(is_kept);
    g_assert_cmpint(_MM_GET_ROUNDING_MODE(), ==, _MM_ROUND_NEAREST);
    pop_context(ctx);
}
#endif

/* Twelve values live over the yield: more than there are kept registers. */
static void coroutine_fn keep_values(void *opaque)
{
    uint64_t seed = *(uint64_t *)opaque, v[12];
    double d = seed * 0.5;

    for (int i = 0; i < 12; i++) {
        v[i] = seed * (i + 1);
    }
    coroutine_yield();
    for (int i = 0; i < 12; i++) {
        g_assert_cmpuint(v[i], ==, seed * (i + 1));
    }
    g_assert_cmpfloat(d, ==, seed * 0.5);
    *(uint64_t *)opaque = 0;
}

static void test_values_survive(void)
{
    AioContext *ctx = push_context();
    uint64_t seeds[] = { 3, 1000003, UINT64_MAX / 13 };
    Coroutine *co[G_N_ELEMENTS(seeds)];

    for (size_t i = 0; i < G_N_ELEMENTS(seeds); i++) {
        co[i] = coroutine_create(keep_values, &seeds[i]);
        coroutine_enter(co[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(seeds); i++) {
        coroutine_enter(co[i]);
        g_assert_cmpuint(seeds[i], ==, 0);
    }
    pop_context(ctx);
}

static void coroutine_fn count_up(void *opaque)
{
    ++*(int *)opaque;
    coroutine_yield();
    ++*(int *)opaque;
}

static void test_many_at_once(void)
{
    AioContext *ctx = push_context();
    g_autofree Coroutine **co = g_new(Coroutine *, MANY);
    int count = 0;

    for (int i = 0; i < MANY; i++) {
        co[i] = coroutine_create(count_up, &count);
        coroutine_enter(co[i]);
    }
    g_assert_cmpint(count, ==, MANY);
    for (int i = 0; i < MANY; i++) {
        aio_co_wake(co[i]);
    }
    while (aio_context_poll(ctx, false)) {
        continue;
    }
    g_assert_cmpint(count, ==, 2 * MANY);
    pop_context(ctx);
}

static void test_stack_is_used_again(void)
{
    Coroutine *seen = NULL, *first;

    first = coroutine_create(store_self, &seen);
    coroutine_enter(first);
    for (int i = 0; i < 1000; i++) {
        Coroutine *co = coroutine_create(store_self, &seen);

        g_assert_true(co == first);
        coroutine_enter(co);
    }
}

static __attribute__((noinline)) int dive(int depth, int *sum)
{
    volatile char frame[512];

    memset((char *)frame, depth, sizeof(frame));
    *sum += frame[depth % 512];
    return depth > 0 ? dive(depth - 1, sum) + frame[0] : 0;
}

static void coroutine_fn dive_deep(void *opaque)
{
    int sum = 0;

    dive(*(int *)opaque, &sum);
    *(int *)opaque = 0;
}

static void test_stack_is_deep(void)
{
    int depth = 200;                /* about 120 KiB */

    coroutine_enter(coroutine_create(dive_deep, &depth));
    g_assert_cmpint(depth, ==, 0);
}

static void test_overflow_hits_the_guard_page(void)
{
    if (g_test_subprocess()) {
        int depth = 100000;

        signal(SIGSEGV, SIG_DFL);
        coroutine_enter(coroutine_create(dive_deep, &depth));
        _exit(0);
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
}

static void coroutine_fn yield_once(void *opaque)
{
    coroutine_yield();
}

static void test_yield_without_context_is_refused(void)
{
    if (g_test_subprocess()) {
        coroutine_enter(coroutine_create(yield_once, NULL));
        _exit(0);
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*self->ctx*");
}

static void test_enter_in_another_context_is_refused(void)
{
    if (g_test_subprocess()) {
        Coroutine *co = coroutine_create(yield_once, NULL);

        push_context();
        coroutine_enter(co);
        push_context();
        coroutine_enter(co);
        _exit(0);
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*co->ctx == ctx*");
}

static gpointer thread_of_coroutines(gpointer data)
{
    int count = 0;
    AioContext *ctx = aio_context_ensure();

    for (int round = 0; round < 20; round++) {
        Coroutine *co[50];

        for (int i = 0; i < 50; i++) {
            co[i] = coroutine_create(count_up, &count);
            coroutine_enter(co[i]);
        }
        for (int i = 0; i < 50; i++) {
            aio_co_wake(co[i]);
        }
        while (aio_context_poll(ctx, false)) {
            continue;
        }
    }
    return GINT_TO_POINTER(count);
}

static void test_threads_have_their_own(void)
{
    GThread *threads[4];

    for (int i = 0; i < 4; i++) {
        threads[i] = g_thread_new(NULL, thread_of_coroutines, NULL);
    }
    for (int i = 0; i < 4; i++) {
        g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(threads[i])), ==, 2000);
    }
}

static gpointer enter_elsewhere(gpointer data)
{
    coroutine_enter(data);
    return NULL;
}

static void test_creator_may_be_another_thread(void)
{
    Coroutine *seen = NULL, *co = coroutine_create(store_self, &seen);

    g_thread_join(g_thread_new(NULL, enter_elsewhere, co));
    g_assert_true(seen == co);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/coroutine/yield/returns-to-enter", test_yield_returns_to_enter);
    g_test_add_func("/coroutine/yield/without-context/is-refused",
                    test_yield_without_context_is_refused);
    g_test_add_func("/coroutine/enter/nests", test_enter_nests);
    g_test_add_func("/coroutine/enter/in-another-context/is-refused",
                    test_enter_in_another_context_is_refused);
    g_test_add_func("/coroutine/self/is-the-running-one", test_self);
#ifdef __x86_64__
    g_test_add_func("/coroutine/switch/keeps-rounding-mode", test_rounding_mode_is_kept);
#endif
    g_test_add_func("/coroutine/switch/keeps-values", test_values_survive);
    g_test_add_func("/coroutine/many/all-run-to-the-end", test_many_at_once);
    g_test_add_func("/coroutine/stack/is-used-again", test_stack_is_used_again);
    g_test_add_func("/coroutine/stack/holds-120-kib", test_stack_is_deep);
    g_test_add_func("/coroutine/stack/overflow-hits-the-guard-page",
                    test_overflow_hits_the_guard_page);
    g_test_add_func("/coroutine/threads/have-their-own", test_threads_have_their_own);
    g_test_add_func("/coroutine/threads/creator-may-be-another",
                    test_creator_may_be_another_thread);
    return g_test_run();
}
