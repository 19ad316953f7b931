/* SPDX-License-Identifier: MIT */
/*
 * Requests that keep to limits together. The clock stands still until the test moves it, so that
 * who goes when is no matter of chance; what crosses threads runs on the real clock.
 */
#include <cairn/aio.h>

#include "util/throttle-group.h"

#define S 1000000000LL

static gint64 fake_now;         /* atomic */

static int64_t fake_clock(void)
{
    return __atomic_load_n(&fake_now, __ATOMIC_ACQUIRE);
}

static ThrottleGroup *group_of(ThrottleKind kind, int64_t rate, bool is_fake)
{
    ThrottleConfig config;
    ThrottleGroup *group;

    throttle_config_init(&config);
    config.limits[kind].rate = rate;
    g_assert_true(throttle_config_check(&config, NULL));
    group = throttle_group_new(&config);
    if (is_fake) {
        fake_now = 0;
        throttle_group_set_clock(group, fake_clock);
    }
    return group;
}

typedef struct Request {
    ThrottleMember *member;
    char name;
    bool is_write;
    GString *log;
} Request;

static void coroutine_fn request_entry(void *opaque)
{
    Request *r = opaque;

    throttle_member_wait(r->member, r->is_write, 1);
    g_string_append_c(r->log, r->name);
}

static void start(Request *r)
{
    coroutine_enter(coroutine_create(request_entry, r));
}

static void poll_all(void)
{
    while (aio_context_poll(aio_context_ensure(), false)) {
        /* all that can run */
    }
}

static void pass(ThrottleGroup *group, int64_t ns)
{
    __atomic_fetch_add(&fake_now, ns, __ATOMIC_ACQ_REL);
    throttle_group_kick(group);
    poll_all();
}

/* ---- order ---------------------------------------------------------------------- */

/* One request a second. Whoever came first has sent four; the others still get every third turn. */
static void test_turns(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_TOTAL, 1, true);
    g_autoptr(GString) log = g_string_new(NULL);
    ThrottleMember members[3];
    Request requests[9];

    for (int i = 0; i < 3; i++) {
        throttle_member_init(&members[i], group);
    }
    for (int i = 0; i < 9; i++) {
        int m = i < 4 ? 0 : i < 7 ? 1 : 2;

        requests[i] = (Request){ &members[m], (char)("ABC"[m]), false, log };
        start(&requests[i]);
    }
    g_assert_cmpstr(log->str, ==, "A");
    for (int i = 0; i < 9; i++) {
        pass(group, S);
    }
    g_assert_cmpstr(log->str, ==, "AABCABCAB");
    for (int i = 0; i < 3; i++) {
        throttle_member_destroy(&members[i]);
    }
}

static void test_own_order(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_WRITE, 1, true);
    g_autoptr(GString) log = g_string_new(NULL);
    ThrottleMember member;
    Request requests[6];

    throttle_member_init(&member, group);
    for (int i = 0; i < 6; i++) {
        requests[i] = (Request){ &member, (char)('a' + i), true, log };
        start(&requests[i]);
    }
    for (int i = 1; i < 6; i++) {
        g_assert_cmpint(log->len, ==, i);
        pass(group, S);
    }
    g_assert_cmpstr(log->str, ==, "abcdef");
    throttle_member_destroy(&member);
}

/* Reads do not wait behind writes that a limit of their own holds up. */
static void test_directions(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_WRITE, 1, true);
    g_autoptr(GString) log = g_string_new(NULL);
    ThrottleMember member;
    Request requests[] = {
        { &member, 'w', true, log }, { &member, 'W', true, log }, { &member, 'r', false, log },
    };

    throttle_member_init(&member, group);
    for (int i = 0; i < 3; i++) {
        start(&requests[i]);
    }
    g_assert_cmpstr(log->str, ==, "wr");
    pass(group, S);
    g_assert_cmpstr(log->str, ==, "wrW");
    throttle_member_destroy(&member);
}

/* ---- lifting ----------------------------------------------------------------------- */

/* The lifted member's go at once, though others came before; they count, so those wait longer. */
static void test_lift(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_TOTAL, 1, true);
    g_autoptr(GString) log = g_string_new(NULL);
    ThrottleMember members[2];
    Request requests[] = {
        { &members[0], 'A', false, log }, { &members[0], 'a', false, log },
        { &members[1], 'B', true, log }, { &members[1], 'b', false, log },
        { &members[1], 'c', false, log },
    };

    throttle_member_init(&members[0], group);
    throttle_member_init(&members[1], group);
    for (int i = 0; i < 4; i++) {
        start(&requests[i]);
    }
    g_assert_cmpstr(log->str, ==, "A");
    throttle_member_lift(&members[1], true);
    poll_all();
    g_assert_cmpstr(log->str, ==, "AbB");       /* reads are looked at first */
    start(&requests[4]);
    g_assert_cmpstr(log->str, ==, "AbBc");
    throttle_member_lift(&members[1], false);
    pass(group, 3 * S);                         /* four went */
    g_assert_cmpstr(log->str, ==, "AbBc");
    pass(group, S);
    g_assert_cmpstr(log->str, ==, "AbBca");
    throttle_member_destroy(&members[0]);
    throttle_member_destroy(&members[1]);
}

/* ---- timers --------------------------------------------------------------------------- */

/*
 * On the real clock: the timers alone bring all through, the first's as well as that of each
 * next.
 */
static void test_timers(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_TOTAL, 500, false);
    g_autoptr(GString) log = g_string_new(NULL);
    ThrottleMember members[2];
    Request requests[100];

    throttle_member_init(&members[0], group);
    throttle_member_init(&members[1], group);
    for (int i = 0; i < 100; i++) {
        requests[i] = (Request){ &members[i % 2], 'x', i % 3 == 0, log };
        start(&requests[i]);
    }
    g_assert_cmpint(log->len, <, 100);
    while (log->len < 100) {
        aio_context_poll(aio_context_ensure(), true);
    }
    throttle_member_destroy(&members[0]);
    throttle_member_destroy(&members[1]);
}

/* ---- threads ---------------------------------------------------------------------------- */

enum { GT_THREADS = 4, GT_COROUTINES = 5, GT_REQUESTS = 40 };

typedef struct GroupThread {
    ThrottleMember *member;
    int running;
} GroupThread;

static void coroutine_fn thread_entry(void *opaque)
{
    GroupThread *t = opaque;

    for (int i = 0; i < GT_REQUESTS; i++) {
        throttle_member_wait(t->member, i % 2, 1 + i);
    }
    t->running--;
}

static void *thread_main(void *opaque)
{
    GroupThread *t = opaque;

    aio_context_ensure();
    t->running = GT_COROUTINES;
    for (int i = 0; i < GT_COROUTINES; i++) {
        coroutine_enter(coroutine_create(thread_entry, t));
    }
    while (t->running) {
        aio_context_poll(aio_context_ensure(), true);
    }
    return NULL;
}

/* Two members, two threads each; meanwhile limits are lifted and put back. Nobody is forgotten. */
static void test_threads(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_TOTAL, 20000, false);
    ThrottleMember members[2];
    GroupThread states[GT_THREADS];
    GThread *threads[GT_THREADS];

    throttle_member_init(&members[0], group);
    throttle_member_init(&members[1], group);
    for (int i = 0; i < GT_THREADS; i++) {
        states[i] = (GroupThread){ .member = &members[i % 2] };
        threads[i] = g_thread_new("throttled", thread_main, &states[i]);
    }
    for (int i = 0; i < 20; i++) {
        throttle_member_lift(&members[i % 2], true);
        g_usleep(100);
        throttle_member_lift(&members[i % 2], false);
        g_usleep(500);
    }
    for (int i = 0; i < GT_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    throttle_member_destroy(&members[0]);
    throttle_member_destroy(&members[1]);
}

/* The first in the queue belongs to a thread that does not poll: others go on all the same. */
static void *stuck_main(void *opaque)
{
    GroupThread *t = opaque;

    aio_context_ensure();
    t->running = 1;
    coroutine_enter(coroutine_create(thread_entry, t));
    while (t->running) {
        aio_context_poll(aio_context_ensure(), true);
    }
    return NULL;
}

static void test_stuck(void)
{
    g_autoptr(ThrottleGroup) group = group_of(THROTTLE_IOPS_TOTAL, 10000, false);
    g_autoptr(GString) log = g_string_new(NULL);
    ThrottleMember members[2];
    Request requests[20];
    GroupThread other = { .member = &members[1] };
    GThread *thread;

    throttle_member_init(&members[0], group);
    throttle_member_init(&members[1], group);
    for (int i = 0; i < 20; i++) {
        throttle_member_lift(&members[0], true);        /* the bucket runs over */
        requests[i] = (Request){ &members[0], 'x', false, log };
        start(&requests[i]);
    }
    throttle_member_lift(&members[0], false);
    for (int i = 0; i < 20; i++) {
        start(&requests[i]);                            /* wait here, unpolled */
    }
    thread = g_thread_new("other", stuck_main, &other);
    g_thread_join(thread);                              /* 40 requests of one coroutine */
    while (log->len < 40) {
        aio_context_poll(aio_context_ensure(), true);
    }
    throttle_member_destroy(&members[0]);
    throttle_member_destroy(&members[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    aio_context_ensure();
    g_test_add_func("/throttle-group/members/take-turns", test_turns);
    g_test_add_func("/throttle-group/member/goes-in-order-of-arrival", test_own_order);
    g_test_add_func("/throttle-group/directions/wait-apart", test_directions);
    g_test_add_func("/throttle-group/lifted/goes-at-once-and-counts", test_lift);
    g_test_add_func("/throttle-group/timers/bring-all-through", test_timers);
    g_test_add_func("/throttle-group/threads/nobody-is-forgotten", test_threads);
    g_test_add_func("/throttle-group/stuck-thread/does-not-hold-up-others", test_stuck);
    return g_test_run();
}
