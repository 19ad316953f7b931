/* SPDX-License-Identifier: MIT */
/* AioContext: bottom halves, wake-ups, timers, descriptors, and the three ways to drive it. */
#include <cairn/aio.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

typedef struct Fixture {
    AioContext *ctx;
    GString *text;
    bool is_done;
} Fixture;

typedef struct Letter {
    Fixture *f;
    char c;
} Letter;

static void setup(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    f->ctx = aio_context_new(&error);
    g_assert_no_error(error);
    aio_context_push(f->ctx);
    f->text = g_string_new(NULL);
}

static void teardown(Fixture *f, gconstpointer data)
{
    aio_context_pop(f->ctx);
    aio_context_unref(f->ctx);
    g_string_free(f->text, TRUE);
}

static void append(void *opaque)
{
    Letter *letter = opaque;

    g_string_append_c(letter->f->text, letter->c);
}

static bool fd_is_readable(AioContext *ctx, int timeout_ms)
{
    struct pollfd p = { .fd = aio_context_get_fd(ctx), .events = POLLIN };
    int ret = poll(&p, 1, timeout_ms);

    g_assert_cmpint(ret, >=, 0);
    return ret == 1 && p.revents & POLLIN;
}

/* ---- bottom halves ------------------------------------------------------- */

static void test_bh_runs_in_order(Fixture *f, gconstpointer data)
{
    Letter a = { f, 'a' }, b = { f, 'b' }, c = { f, 'c' };

    aio_bh_schedule_oneshot(f->ctx, append, &a);
    aio_bh_schedule_oneshot(f->ctx, append, &b);
    aio_bh_schedule_oneshot(f->ctx, append, &c);
    g_assert_cmpstr(f->text->str, ==, "");
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpstr(f->text->str, ==, "abc");
    g_assert_false(aio_context_poll(f->ctx, false));
    g_assert_cmpstr(f->text->str, ==, "abc");
}

static void bh_again(void *opaque)
{
    Fixture *f = opaque;

    g_string_append_c(f->text, 'x');
    aio_bh_schedule_oneshot(f->ctx, bh_again, f);
}

static void test_bh_from_bh_waits(Fixture *f, gconstpointer data)
{
    aio_bh_schedule_oneshot(f->ctx, bh_again, f);
    for (int i = 1; i <= 3; i++) {
        g_assert_true(aio_context_poll(f->ctx, true));
        g_assert_cmpuint(f->text->len, ==, i);
        g_assert_true(fd_is_readable(f->ctx, 0));
    }
}

static void set_done(void *opaque)
{
    ((Fixture *)opaque)->is_done = true;
}

static void bh_nested_wait(void *opaque)
{
    Fixture *f = opaque;

    g_string_append_c(f->text, '(');
    while (!f->is_done) {
        aio_context_poll(f->ctx, true);
    }
    g_string_append_c(f->text, ')');
}

/* The outer poll has taken both; the first, nested, waits for the second. */
static void test_nested_poll_runs_rest_of_outer(Fixture *f, gconstpointer data)
{
    Letter last = { f, 'z' };

    aio_bh_schedule_oneshot(f->ctx, bh_nested_wait, f);
    aio_bh_schedule_oneshot(f->ctx, bh_nested_wait, f);
    aio_bh_schedule_oneshot(f->ctx, set_done, f);
    aio_bh_schedule_oneshot(f->ctx, append, &last);
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpstr(f->text->str, ==, "((z))");
}

static gpointer schedule_from_thread(gpointer data)
{
    Fixture *f = data;

    g_usleep(1000);
    aio_bh_schedule_oneshot(f->ctx, set_done, f);
    return NULL;
}

static void test_bh_from_thread_ends_sleep(Fixture *f, gconstpointer data)
{
    GThread *thread = g_thread_new(NULL, schedule_from_thread, f);

    aio_context_poll_until(f->ctx, &f->is_done);
    g_assert_true(f->is_done);
    g_thread_join(thread);
}

static gpointer notify_from_thread(gpointer data)
{
    g_usleep(1000);
    aio_notify(data);
    return NULL;
}

static void test_notify_ends_sleep(Fixture *f, gconstpointer data)
{
    GThread *thread = g_thread_new(NULL, notify_from_thread, f->ctx);

    g_assert_false(aio_context_poll(f->ctx, true));
    g_thread_join(thread);
    g_assert_false(aio_context_poll(f->ctx, false));
    g_assert_false(fd_is_readable(f->ctx, 0));
}

/* ---- the descriptor ------------------------------------------------------- */

static void test_fd_is_readable_while_scheduled(Fixture *f, gconstpointer data)
{
    Letter a = { f, 'a' };

    g_assert_false(fd_is_readable(f->ctx, 0));
    aio_bh_schedule_oneshot(f->ctx, append, &a);
    g_assert_true(fd_is_readable(f->ctx, 0));
    g_assert_true(aio_context_poll(f->ctx, false));
    g_assert_false(fd_is_readable(f->ctx, 0));
}

static void test_fd_is_readable_at_timer(Fixture *f, gconstpointer data)
{
    Letter a = { f, 'a' };
    AioTimer *timer = aio_timer_new(f->ctx, append, &a);

    aio_timer_mod(timer, 1000000);
    g_assert_true(fd_is_readable(f->ctx, -1));
    g_assert_true(aio_context_poll(f->ctx, false));
    g_assert_cmpstr(f->text->str, ==, "a");
    g_assert_false(fd_is_readable(f->ctx, 0));
    aio_timer_free(timer);
}

typedef struct Pipe {
    Fixture *f;
    int fds[2];
    int reads;
} Pipe;

static void pipe_read(void *opaque)
{
    Pipe *p = opaque;
    char c;

    g_assert_cmpint(read(p->fds[0], &c, 1), ==, 1);
    p->reads++;
}

static void pipe_remove(void *opaque)
{
    Pipe *p = opaque;

    pipe_read(opaque);
    aio_set_fd_handler(p->f->ctx, p->fds[0], NULL, NULL, NULL);
}

static void pipe_open(Pipe *p, Fixture *f, AioFunc *func)
{
    *p = (Pipe) { .f = f };
    g_assert_cmpint(pipe(p->fds), ==, 0);
    aio_set_fd_handler(f->ctx, p->fds[0], func, NULL, p);
}

static void pipe_close(Pipe *p)
{
    aio_set_fd_handler(p->f->ctx, p->fds[0], NULL, NULL, NULL);
    close(p->fds[0]);
    close(p->fds[1]);
}

static void pipe_put(Pipe *p)
{
    g_assert_cmpint(write(p->fds[1], "x", 1), ==, 1);
}

static void test_handler_is_called_when_ready(Fixture *f, gconstpointer data)
{
    Pipe p;

    pipe_open(&p, f, pipe_read);
    g_assert_false(aio_context_poll(f->ctx, false));
    pipe_put(&p);
    pipe_put(&p);
    g_assert_true(fd_is_readable(f->ctx, 0));
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpint(p.reads, ==, 2);
    g_assert_false(aio_context_poll(f->ctx, false));
    pipe_close(&p);
}

static void test_removed_handler_is_not_called(Fixture *f, gconstpointer data)
{
    Pipe p;

    pipe_open(&p, f, pipe_remove);
    pipe_put(&p);
    pipe_put(&p);
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_false(aio_context_poll(f->ctx, false));
    g_assert_cmpint(p.reads, ==, 1);
    pipe_close(&p);
}

static Pipe *partner_of;

static void pipe_remove_partner(void *opaque)
{
    Pipe *p = opaque, *partner = p == &partner_of[0] ? &partner_of[1] : &partner_of[0];

    pipe_read(p);
    aio_set_fd_handler(p->f->ctx, partner->fds[0], NULL, NULL, NULL);
}

/* Both are harvested by one poll; whoever comes first removes the other. */
static void test_handler_removed_by_neighbour_is_not_called(Fixture *f, gconstpointer data)
{
    Pipe pair[2];

    partner_of = pair;
    for (int i = 0; i < 2; i++) {
        pipe_open(&pair[i], f, pipe_remove_partner);
        pipe_put(&pair[i]);
    }
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpint(pair[0].reads + pair[1].reads, ==, 1);
    pipe_close(&pair[0]);
    pipe_close(&pair[1]);
}

static void pipe_nested_read(void *opaque)
{
    Pipe *p = opaque;

    pipe_read(p);
    while (aio_context_poll(p->f->ctx, false)) {
        continue;
    }
}

/* The reads would block if the outer poll called a handler that the nested one served. */
static void test_nested_poll_serves_fd_once(Fixture *f, gconstpointer data)
{
    Pipe pair[2];

    for (int i = 0; i < 2; i++) {
        pipe_open(&pair[i], f, pipe_nested_read);
        pipe_put(&pair[i]);
    }
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpint(pair[0].reads, ==, 1);
    g_assert_cmpint(pair[1].reads, ==, 1);
    pipe_close(&pair[0]);
    pipe_close(&pair[1]);
}

static void test_reused_fd_number_is_watched(Fixture *f, gconstpointer data)
{
    Pipe p, q = { .f = f };

    pipe_open(&p, f, pipe_read);
    close(p.fds[0]);
    close(p.fds[1]);
    g_assert_cmpint(pipe(q.fds), ==, 0);
    g_assert_cmpint(q.fds[0], ==, p.fds[0]);
    aio_set_fd_handler(f->ctx, q.fds[0], pipe_read, NULL, &q);
    pipe_put(&q);
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpint(q.reads, ==, 1);
    pipe_close(&q);
}

static void test_hangup_calls_reader(Fixture *f, gconstpointer data)
{
    Letter h = { f, 'h' };
    int fds[2];

    g_assert_cmpint(pipe(fds), ==, 0);
    aio_set_fd_handler(f->ctx, fds[0], append, NULL, &h);
    close(fds[1]);
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpstr(f->text->str, ==, "h");
    aio_set_fd_handler(f->ctx, fds[0], NULL, NULL, NULL);
    close(fds[0]);
}

static void test_writer_is_called_when_writable(Fixture *f, gconstpointer data)
{
    Letter w = { f, 'w' };
    int fds[2];

    g_assert_cmpint(pipe(fds), ==, 0);
    aio_set_fd_handler(f->ctx, fds[1], NULL, append, &w);
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpstr(f->text->str, ==, "w");
    aio_set_fd_handler(f->ctx, fds[1], NULL, NULL, NULL);
    close(fds[0]);
    close(fds[1]);
}

/* ---- timers --------------------------------------------------------------- */

/* The instant that a timer was set for lies between these, however slow the machine is. */
typedef struct Deadline {
    GArray *fired;              /* of Deadline, in the order of firing */
    int64_t delay_us;
    int64_t at_least;
    int64_t at_most;
} Deadline;

static void deadline_fired(void *opaque)
{
    Deadline *d = opaque;

    g_assert_cmpint(g_get_monotonic_time(), >=, d->at_least);
    g_array_append_vals(d->fired, d, 1);
}

static void assert_fired_in_order(const GArray *fired)
{
    for (guint i = 0; i < fired->len; i++) {
        for (guint k = i + 1; k < fired->len; k++) {
            g_assert_cmpint(g_array_index(fired, Deadline, i).at_least, <=,
                            g_array_index(fired, Deadline, k).at_most);
        }
    }
}

static void test_timers_fire_in_order_of_time(Fixture *f, gconstpointer data)
{
    enum { COUNT = 101 };
    g_autoptr(GArray) fired = g_array_new(FALSE, FALSE, sizeof(Deadline));
    Deadline deadlines[COUNT];
    AioTimer *timers[COUNT];

    for (int i = 0; i < COUNT; i++) {
        Deadline *d = &deadlines[i];

        *d = (Deadline) { .fired = fired, .delay_us = i * 37 % COUNT * 100 };   /* mixed */
        timers[i] = aio_timer_new(f->ctx, deadline_fired, d);
        d->at_least = g_get_monotonic_time() + d->delay_us;
        aio_timer_mod(timers[i], d->delay_us * 1000);
        d->at_most = g_get_monotonic_time() + d->delay_us + 1;
    }
    for (int i = 0; i < COUNT; i += 10) {   /* from the middle of the heap, too */
        aio_timer_del(timers[i]);
    }
    while (fired->len < COUNT - 11) {
        aio_context_poll(f->ctx, true);
    }
    assert_fired_in_order(fired);
    g_assert_false(aio_context_poll(f->ctx, false));
    for (int i = 0; i < COUNT; i++) {
        aio_timer_free(timers[i]);
    }
}

static void test_deleted_timer_does_not_fire(Fixture *f, gconstpointer data)
{
    Letter a = { f, 'a' }, b = { f, 'b' };
    AioTimer *first = aio_timer_new(f->ctx, append, &a);
    AioTimer *second = aio_timer_new(f->ctx, append, &b);

    aio_timer_mod(first, 500000);
    aio_timer_mod(second, 1500000);
    aio_timer_del(first);
    while (f->text->len == 0) {
        aio_context_poll(f->ctx, true);
    }
    g_assert_cmpstr(f->text->str, ==, "b");
    aio_timer_free(first);
    aio_timer_free(second);
}

static void test_reset_timer_fires_once(Fixture *f, gconstpointer data)
{
    Letter a = { f, 'a' }, b = { f, 'b' };
    AioTimer *first = aio_timer_new(f->ctx, append, &a);
    AioTimer *second = aio_timer_new(f->ctx, append, &b);

    aio_timer_mod(first, 3600 * INT64_C(1000000000));
    aio_timer_mod(second, INT64_MAX);
    aio_timer_mod(first, 0);
    g_assert_true(aio_context_poll(f->ctx, true));
    g_assert_cmpstr(f->text->str, ==, "a");
    g_assert_false(aio_context_poll(f->ctx, false));
    g_assert_false(fd_is_readable(f->ctx, 0));
    aio_timer_free(first);
    aio_timer_free(second);
}

typedef struct Ticker {
    AioTimer *timer;
    int ticks;
} Ticker;

static void tick(void *opaque)
{
    Ticker *t = opaque;

    if (++t->ticks < 5) {
        aio_timer_mod(t->timer, 100000);
    } else {
        g_clear_pointer(&t->timer, aio_timer_free);
    }
}

static void test_timer_may_set_and_free_itself(Fixture *f, gconstpointer data)
{
    Ticker t = { 0 };

    t.timer = aio_timer_new(f->ctx, tick, &t);
    aio_timer_mod(t.timer, 0);
    while (t.timer) {
        aio_context_poll(f->ctx, true);
    }
    g_assert_cmpint(t.ticks, ==, 5);
    g_assert_false(aio_context_poll(f->ctx, false));
}

/* ---- coroutines ------------------------------------------------------------ */

typedef struct Sleeper {
    Letter letter;
    int64_t ns;
} Sleeper;

static void coroutine_fn sleep_and_append(void *opaque)
{
    Sleeper *s = opaque;

    co_sleep_ns(s->ns);
    append(&s->letter);
}

static void coroutine_fn sleep_to_deadline(void *opaque)
{
    Deadline *d = opaque;

    d->at_least = g_get_monotonic_time() + d->delay_us;
    co_sleep_ns(d->delay_us * 1000);
    deadline_fired(d);
}

static void test_sleepers_wake_in_order(Fixture *f, gconstpointer data)
{
    g_autoptr(GArray) fired = g_array_new(FALSE, FALSE, sizeof(Deadline));
    Deadline sleepers[] = {
        { fired, 4000 }, { fired, 1000 }, { fired, 0 }, { fired, 2000 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(sleepers); i++) {
        coroutine_enter(coroutine_create(sleep_to_deadline, &sleepers[i]));
        sleepers[i].at_most = g_get_monotonic_time() + sleepers[i].delay_us + 1;
    }
    g_assert_cmpuint(fired->len, ==, 0);
    while (fired->len < 4) {
        aio_context_poll(f->ctx, true);
    }
    assert_fired_in_order(fired);
}

static gpointer wake_at_once(gpointer data)
{
    aio_co_wake(data);
    return NULL;
}

/* The wake-up is there before the yield. */
static void coroutine_fn woken_before_yield(void *opaque)
{
    Letter *letter = opaque;

    for (int i = 0; i < 50; i++) {
        g_thread_join(g_thread_new(NULL, wake_at_once, coroutine_self()));
        coroutine_yield();
    }
    append(letter);
}

static void test_early_wake_is_kept(Fixture *f, gconstpointer data)
{
    Letter a = { f, 'a' };

    coroutine_enter(coroutine_create(woken_before_yield, &a));
    while (f->text->len == 0) {
        aio_context_poll(f->ctx, true);
    }
    g_assert_cmpstr(f->text->str, ==, "a");
}

static void coroutine_fn poll_in_coroutine(void *opaque)
{
    aio_context_poll(opaque, false);
}

static void test_poll_in_coroutine_is_refused(void)
{
    if (g_test_subprocess()) {
        AioContext *ctx = aio_context_ensure();

        coroutine_enter(coroutine_create(poll_in_coroutine, ctx));
        _exit(0);
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*coroutine_in*");
}

/* ---- GLib ------------------------------------------------------------------ */

static gboolean g_count(gpointer data)
{
    return ++*(int *)data < 3;
}

static void test_source_serves_everything(Fixture *f, gconstpointer data)
{
    g_autoptr(GMainContext) main_context = g_main_context_new();
    g_autoptr(GSource) idle = g_idle_source_new();
    GSource *source = aio_context_get_source(f->ctx);
    Sleeper s = { { f, 's' }, 1000000 };
    Letter a = { f, 'a' };
    Pipe p;
    int count = 0;

    g_assert_true(aio_context_get_source(f->ctx) == source);
    g_source_set_callback(idle, g_count, &count, NULL);
    g_source_attach(idle, main_context);
    g_source_attach(source, main_context);
    pipe_open(&p, f, pipe_read);
    pipe_put(&p);
    aio_bh_schedule_oneshot(f->ctx, append, &a);
    coroutine_enter(coroutine_create(sleep_and_append, &s));
    while (f->text->len < 2 || p.reads < 1 || count < 3) {
        g_main_context_iteration(main_context, TRUE);
    }
    g_assert_cmpstr(f->text->str, ==, "as");
    g_assert_false(g_main_context_iteration(main_context, FALSE));
    pipe_close(&p);
}

typedef struct NestedLoop {
    Fixture *f;
    GMainContext *main_context;
} NestedLoop;

static void bh_nested_loop(void *opaque)
{
    NestedLoop *n = opaque;

    aio_bh_schedule_oneshot(n->f->ctx, set_done, n->f);
    while (!n->f->is_done) {
        g_main_context_iteration(n->main_context, TRUE);
    }
}

static void test_source_serves_a_nested_loop(Fixture *f, gconstpointer data)
{
    g_autoptr(GMainContext) main_context = g_main_context_new();
    NestedLoop n = { f, main_context };

    g_source_attach(aio_context_get_source(f->ctx), main_context);
    aio_bh_schedule_oneshot(f->ctx, bh_nested_loop, &n);
    g_main_context_iteration(main_context, TRUE);
    g_assert_true(f->is_done);
}

static void test_source_ends_with_context(Fixture *f, gconstpointer data)
{
    g_autoptr(GMainContext) main_context = g_main_context_new();
    g_autoptr(GError) error = NULL;
    AioContext *ctx = aio_context_new(&error);
    GSource *source = g_source_ref(aio_context_get_source(ctx));

    g_source_attach(source, main_context);
    aio_context_unref(ctx);
    g_assert_true(g_source_is_destroyed(source));
    g_source_unref(source);
}

/* ---- threads ---------------------------------------------------------------- */

static gpointer current_of_thread(gpointer data)
{
    AioContext *ctx;

    g_assert_null(aio_context_current());
    ctx = aio_context_ensure();
    g_assert_true(aio_context_current() == ctx);
    g_assert_true(aio_context_ensure() == ctx);
    return ctx;
}

static void test_ensure_is_per_thread(Fixture *f, gconstpointer data)
{
    GThread *thread = g_thread_new(NULL, current_of_thread, NULL);

    g_assert_true(g_thread_join(thread) != f->ctx);
    g_assert_true(aio_context_ensure() == f->ctx);
}

static void test_push_nests(Fixture *f, gconstpointer data)
{
    g_autoptr(AioContext) inner = aio_context_new(NULL);
    Letter a = { f, 'a' };

    aio_context_push(inner);
    g_assert_true(aio_context_current() == inner);
    aio_bh_schedule_oneshot(f->ctx, append, &a);
    g_assert_true(aio_context_poll(f->ctx, true));      /* below the top: still ours */
    g_assert_true(aio_context_current() == inner);
    aio_context_pop(inner);
    g_assert_true(aio_context_current() == f->ctx);
    g_assert_cmpstr(f->text->str, ==, "a");
}

static void not_reached(void *opaque)
{
    g_assert_not_reached();
}

static void test_pending_bh_ends_with_context(void)
{
    g_autoptr(GError) error = NULL;
    AioContext *ctx = aio_context_new(&error);

    aio_bh_schedule_oneshot(ctx, not_reached, NULL);
    aio_context_unref(ctx);
}

typedef struct Flood {
    AioContext *ctx;
    int count;
} Flood;

static void flood_count(void *opaque)
{
    ((Flood *)opaque)->count++;
}

static gpointer flood_thread(gpointer data)
{
    Flood *flood = data;

    for (int i = 0; i < 5000; i++) {
        aio_bh_schedule_oneshot(flood->ctx, flood_count, flood);
    }
    return NULL;
}

static void test_no_bh_is_lost(Fixture *f, gconstpointer data)
{
    Flood flood = { .ctx = f->ctx };
    GThread *threads[4];

    for (int i = 0; i < 4; i++) {
        threads[i] = g_thread_new(NULL, flood_thread, &flood);
    }
    while (flood.count < 4 * 5000) {
        aio_context_poll(f->ctx, true);
    }
    for (int i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpint(flood.count, ==, 4 * 5000);
}

#define ADD(path, func) g_test_add("/aio/" path, Fixture, NULL, setup, func, teardown)

static void add_tests(void)
{
    ADD("bh/runs-in-order-of-scheduling", test_bh_runs_in_order);
    ADD("bh/scheduled-by-a-bh/waits-for-the-next-poll", test_bh_from_bh_waits);
    ADD("bh/from-another-thread/ends-the-sleep", test_bh_from_thread_ends_sleep);
    ADD("bh/flood-from-threads/none-is-lost", test_no_bh_is_lost);
    ADD("poll/nested/runs-the-rest-of-the-outer", test_nested_poll_runs_rest_of_outer);
    ADD("poll/nested/serves-a-descriptor-once", test_nested_poll_serves_fd_once);
    ADD("notify/ends-the-sleep", test_notify_ends_sleep);
    ADD("fd/readable-exactly-while-scheduled", test_fd_is_readable_while_scheduled);
    ADD("fd/readable-when-a-timer-is-due", test_fd_is_readable_at_timer);
    ADD("handler/called-when-readable", test_handler_is_called_when_ready);
    ADD("handler/called-when-writable", test_writer_is_called_when_writable);
    ADD("handler/hang-up-calls-the-reader", test_hangup_calls_reader);
    ADD("handler/removed-by-itself/is-not-called", test_removed_handler_is_not_called);
    ADD("handler/removed-by-neighbour/is-not-called",
        test_handler_removed_by_neighbour_is_not_called);
    ADD("handler/number-used-again/is-watched", test_reused_fd_number_is_watched);
    ADD("timer/fire-in-order-of-time", test_timers_fire_in_order_of_time);
    ADD("timer/deleted/does-not-fire", test_deleted_timer_does_not_fire);
    ADD("timer/set-again/fires-once", test_reset_timer_fires_once);
    ADD("timer/may-set-and-free-itself", test_timer_may_set_and_free_itself);
    ADD("co/sleepers-wake-in-order", test_sleepers_wake_in_order);
    ADD("co/woken-before-it-yields/continues", test_early_wake_is_kept);
    ADD("source/serves-everything", test_source_serves_everything);
    ADD("source/serves-a-nested-loop", test_source_serves_a_nested_loop);
    ADD("source/ends-with-the-context", test_source_ends_with_context);
    ADD("current/is-per-thread", test_ensure_is_per_thread);
    ADD("current/push-nests", test_push_nests);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_tests();
    g_test_add_func("/aio/bh/of-an-ended-context/is-dropped", test_pending_bh_ends_with_context);
    g_test_add_func("/aio/poll/in-a-coroutine/is-refused", test_poll_in_coroutine_is_refused);
    return g_test_run();
}
