/* SPDX-License-Identifier: MIT */
#include "block/drivers/blkdebug-rules.h"

#include <errno.h>

static void add_inject(BlkdebugRules *rules, BlkdebugInjectError options)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(blkdebug_rules_add_inject(rules, &options, &error));
    g_assert_no_error(error);
}

static void add_state(BlkdebugRules *rules, BlkdebugEvent event, int64_t state, int64_t new_state)
{
    BlkdebugSetState options = {
        .event = event, .has_state = true, .state = state, .has_new_state = true,
        .new_state = new_state,
    };
    g_autoptr(GError) error = NULL;

    g_assert_true(blkdebug_rules_add_set_state(rules, &options, &error));
    g_assert_no_error(error);
}

static int check_at(BlkdebugRules *rules, BlkdebugIotype iotype, int64_t offset, int64_t bytes)
{
    bool immediately = false;

    return blkdebug_rules_check(rules, iotype, offset, bytes, &immediately);
}

static int check(BlkdebugRules *rules, BlkdebugIotype iotype)
{
    return check_at(rules, iotype, 0, 512);
}

#define READ BLKDEBUG_IOTYPE_READ
#define WRITE BLKDEBUG_IOTYPE_WRITE
#define FLUSH BLKDEBUG_IOTYPE_FLUSH
#define STATUS BLKDEBUG_IOTYPE_BLOCK_STATUS
#define READ_AIO BLKDEBUG_EVENT_READ_AIO
#define WRITE_AIO BLKDEBUG_EVENT_WRITE_AIO
#define NONE BLKDEBUG_EVENT_NONE
#define ERRNO(n) .has_q_errno = true, .q_errno = (n)
#define STATE(n) .has_state = true, .state = (n)
#define SKIP(n) .has_skip = true, .skip = (n)
#define ONCE .has_once = true, .once = true

/* ---- what is active -------------------------------------------------------- */

static void test_defaults(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    g_assert_cmpint(check(rules, READ), ==, 0);
    add_inject(rules, (BlkdebugInjectError){ .event = NONE });
    g_assert_cmpint(check(rules, READ), ==, 0);
    g_assert_false(blkdebug_rules_has_events(rules));
    blkdebug_rules_event(rules, NONE);
    for (int iotype = 0; iotype < BLKDEBUG_IOTYPE__MAX; iotype++) {
        g_assert_cmpint(check(rules, (BlkdebugIotype)iotype), ==, iotype == STATUS ? 0 : -EIO);
    }
}

/* A rule that an event has made active stays so, for requests of any kind. */
static void test_stays_active(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO });
    g_assert_true(blkdebug_rules_has_events(rules));
    g_assert_cmpint(check(rules, WRITE), ==, 0);
    blkdebug_rules_event(rules, READ_AIO);
    g_assert_cmpint(check(rules, READ), ==, 0);
    blkdebug_rules_event(rules, WRITE_AIO);
    g_assert_cmpint(check(rules, WRITE), ==, -EIO);
    blkdebug_rules_event(rules, READ_AIO);
    g_assert_cmpint(check(rules, READ), ==, -EIO);
}

static void test_replaced(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = NONE, ERRNO(ENOSPC) });
    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, ONCE });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check(rules, READ), ==, -ENOSPC);
    blkdebug_rules_event(rules, WRITE_AIO);
    g_assert_cmpint(check(rules, WRITE), ==, -EIO);
    g_assert_cmpint(check(rules, READ), ==, 0);
    /* The one for once is spent, so nothing replaces anything now. */
    blkdebug_rules_event(rules, NONE);
    blkdebug_rules_event(rules, WRITE_AIO);
    g_assert_cmpint(check(rules, WRITE), ==, -ENOSPC);
}

static void test_order(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, ONCE, ERRNO(ENOSPC) });
    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, ONCE });
    for (int i = 0; i < 3; i++) {
        blkdebug_rules_event(rules, WRITE_AIO);
        g_assert_cmpint(check(rules, WRITE), ==, i == 0 ? -ENOSPC : i == 1 ? -EIO : 0);
    }
}

static void test_errno_zero(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = NONE, ERRNO(0), ONCE });
    add_inject(rules, (BlkdebugInjectError){ .event = NONE });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check(rules, WRITE), ==, 0);
    g_assert_cmpint(check(rules, WRITE), ==, -EIO);
}

/* ---- which requests --------------------------------------------------------- */

static void test_iotype(void)
{
    for (int wanted = 0; wanted < BLKDEBUG_IOTYPE__MAX; wanted++) {
        g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

        add_inject(rules, (BlkdebugInjectError){
            .event = NONE, .has_iotype = true, .iotype = (BlkdebugIotype)wanted,
        });
        blkdebug_rules_event(rules, NONE);
        for (int iotype = 0; iotype < BLKDEBUG_IOTYPE__MAX; iotype++) {
            g_assert_cmpint(check(rules, (BlkdebugIotype)iotype), ==,
                            iotype == wanted ? -EIO : 0);
        }
    }
}

static void test_sector(void)
{
    static const struct {
        int64_t offset, bytes;
        bool hits;
    } requests[] = {
        { 0, 1536, false }, { 1535, 1, false }, { 1535, 2, true }, { 1536, 512, true },
        { 2047, 1, true }, { 2048, 512, false }, { 0, 4096, true },
        { 0, 0, false }, { 1536, 0, false }, { INT64_MAX - 512, 512, false },
    };
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = NONE, .has_sector = true, .sector = 3 });
    blkdebug_rules_event(rules, NONE);
    for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_assert_cmpint(check_at(rules, READ, requests[i].offset, requests[i].bytes), ==,
                        requests[i].hits ? -EIO : 0);
    }
}

/* A flush has no place, so no rule about a place stops it. */
static void test_sector_and_flush(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = NONE, .has_sector = true, .sector = 0 });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check_at(rules, FLUSH, 0, 0), ==, 0);
    g_assert_cmpint(check_at(rules, WRITE, 0, 1), ==, -EIO);
}

static void test_once_waits_for_its_request(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){
        .event = NONE, .has_iotype = true, .iotype = WRITE, ONCE,
    });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check(rules, READ), ==, 0);
    g_assert_cmpint(check(rules, WRITE), ==, -EIO);
    g_assert_cmpint(check(rules, WRITE), ==, 0);
}

static void test_skip(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){
        .event = NONE, .has_iotype = true, .iotype = WRITE, ONCE, SKIP(2),
    });
    blkdebug_rules_event(rules, NONE);
    for (int i = 0; i < 5; i++) {
        g_assert_cmpint(check(rules, READ), ==, 0);
        g_assert_cmpint(check(rules, WRITE), ==, i == 2 ? -EIO : 0);
    }
}

/* One that skips leaves the request to the rules behind it, which count it too. */
static void test_skip_passes_over(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = NONE, SKIP(1) });
    add_inject(rules, (BlkdebugInjectError){ .event = NONE, SKIP(0), ERRNO(ENOSPC) });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check(rules, WRITE), ==, -ENOSPC);
    g_assert_cmpint(check(rules, WRITE), ==, -EIO);
}

static void test_immediately(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();
    bool immediately = true;

    add_inject(rules, (BlkdebugInjectError){ .event = NONE, ONCE });
    add_inject(rules, (BlkdebugInjectError){
        .event = NONE, .has_immediately = true, .immediately = true,
    });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(blkdebug_rules_check(rules, READ, 0, 1, &immediately), ==, -EIO);
    g_assert_false(immediately);
    g_assert_cmpint(blkdebug_rules_check(rules, READ, 0, 1, &immediately), ==, -EIO);
    g_assert_true(immediately);
}

/* ---- states ------------------------------------------------------------------ */

static void test_chain(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    for (int state = 1; state < 100; state++) {
        add_state(rules, WRITE_AIO, state, state + 1);
    }
    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, STATE(100), ONCE });
    for (int i = 1; i < 200; i++) {
        blkdebug_rules_event(rules, WRITE_AIO);
        g_assert_cmpint(check(rules, WRITE), ==, i == 100 ? -EIO : 0);
    }
}

/* The rules of an event see the state as it was before it. */
static void test_state_before_event(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_state(rules, WRITE_AIO, 1, 2);
    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, STATE(2) });
    blkdebug_rules_event(rules, WRITE_AIO);
    g_assert_cmpint(check(rules, WRITE), ==, 0);
    blkdebug_rules_event(rules, WRITE_AIO);
    g_assert_cmpint(check(rules, WRITE), ==, -EIO);
}

static void test_first_set_state_wins(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_state(rules, WRITE_AIO, 1, 2);
    add_state(rules, WRITE_AIO, 0, 3);
    add_inject(rules, (BlkdebugInjectError){ .event = READ_AIO, STATE(2), ERRNO(2) });
    add_inject(rules, (BlkdebugInjectError){ .event = READ_AIO, STATE(3), ERRNO(3) });
    blkdebug_rules_event(rules, WRITE_AIO);
    blkdebug_rules_event(rules, READ_AIO);
    g_assert_cmpint(check(rules, READ), ==, -2);
    blkdebug_rules_event(rules, WRITE_AIO);
    blkdebug_rules_event(rules, READ_AIO);
    g_assert_cmpint(check(rules, READ), ==, -3);
}

/* ---- refusals ------------------------------------------------------------------ */

static void refuse_inject(BlkdebugInjectError options, const char *message)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();
    g_autoptr(GError) error = NULL;

    options.event = NONE;
    g_assert_false(blkdebug_rules_add_inject(rules, &options, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_cmpstr(error->message, ==, message);
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check(rules, READ), ==, 0);
}

static void test_numbers(void)
{
    refuse_inject((BlkdebugInjectError){ ERRNO(-1) },
                  "Parameter 'errno' must be between 0 and 4095");
    refuse_inject((BlkdebugInjectError){ ERRNO(4096) },
                  "Parameter 'errno' must be between 0 and 4095");
    refuse_inject((BlkdebugInjectError){ STATE(-1) },
                  "Parameter 'state' must be between 0 and 2147483647");
    refuse_inject((BlkdebugInjectError){ SKIP(-1) },
                  "Parameter 'skip' must be between 0 and 9223372036854775807");
    refuse_inject((BlkdebugInjectError){ .has_sector = true, .sector = -2 },
                  "Parameter 'sector' must be between -1 and 18014398509481982");
    refuse_inject((BlkdebugInjectError){ .has_sector = true, .sector = 18014398509481983 },
                  "Parameter 'sector' must be between -1 and 18014398509481982");
}

static void test_last_sector(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){
        .event = NONE, .has_sector = true, .sector = 18014398509481982,
    });
    blkdebug_rules_event(rules, NONE);
    g_assert_cmpint(check_at(rules, READ, 0, 512), ==, 0);
    g_assert_cmpint(check_at(rules, READ, 18014398509481982 * 512, 512), ==, -EIO);
}

static void test_too_many(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();
    BlkdebugInjectError options = { .event = NONE };
    g_autoptr(GError) error = NULL;

    for (int i = 0; i < BLKDEBUG_MAX_RULES; i++) {
        add_inject(rules, options);
    }
    g_assert_false(blkdebug_rules_add_inject(rules, &options, &error));
    g_assert_error(error, CAIRN_ERROR, E2BIG);
    add_state(rules, WRITE_AIO, 1, 2);
}

static void test_event_names(void)
{
    g_assert_cmpint(blkdebug_event_find("write_aio"), ==, WRITE_AIO);
    g_assert_cmpint(blkdebug_event_find("none"), ==, NONE);
    g_assert_cmpint(blkdebug_event_find("foo"), ==, BLKDEBUG_EVENT__MAX);
    g_assert_cmpint(blkdebug_event_find(""), ==, BLKDEBUG_EVENT__MAX);
}

/* ---- threads ------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 20000 };

static gpointer thread_requests(void *opaque)
{
    int failed = 0;

    for (int i = 0; i < ROUNDS; i++) {
        blkdebug_rules_event(opaque, WRITE_AIO);
        failed += check(opaque, WRITE) < 0;
    }
    return GINT_TO_POINTER(failed);
}

static int run_threads(BlkdebugRules *rules)
{
    GThread *threads[THREADS];
    int failed = 0;

    for (int i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("requests", thread_requests, rules);
    }
    for (int i = 0; i < THREADS; i++) {
        failed += GPOINTER_TO_INT(g_thread_join(threads[i]));
    }
    return failed;
}

/* Each request is counted by exactly one number, so after the last skipped all fail. */
static void test_threads_skip(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, SKIP(THREADS * ROUNDS - 123) });
    g_assert_cmpint(run_threads(rules), ==, 123);
}

static void test_threads_once(void)
{
    g_autoptr(BlkdebugRules) rules = blkdebug_rules_new();

    for (int state = 1; state < 1000; state++) {
        add_state(rules, WRITE_AIO, state, state + 1);
    }
    add_inject(rules, (BlkdebugInjectError){ .event = WRITE_AIO, STATE(1000), ONCE });
    g_assert_cmpint(run_threads(rules), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/blkdebug-rules/active/none-acts-once-opened", test_defaults);
    g_test_add_func("/blkdebug-rules/active/until-another-event-replaces-it", test_stays_active);
    g_test_add_func("/blkdebug-rules/active/an-event-replaces-all", test_replaced);
    g_test_add_func("/blkdebug-rules/active/the-first-decides", test_order);
    g_test_add_func("/blkdebug-rules/active/errno-0-lets-pass", test_errno_zero);
    g_test_add_func("/blkdebug-rules/request/only-of-the-type-named", test_iotype);
    g_test_add_func("/blkdebug-rules/request/only-what-touches-the-sector", test_sector);
    g_test_add_func("/blkdebug-rules/request/a-flush-touches-no-sector", test_sector_and_flush);
    g_test_add_func("/blkdebug-rules/request/once-waits-for-a-match",
                    test_once_waits_for_its_request);
    g_test_add_func("/blkdebug-rules/request/skip-counts-matches", test_skip);
    g_test_add_func("/blkdebug-rules/request/skip-leaves-it-to-later-rules",
                    test_skip_passes_over);
    g_test_add_func("/blkdebug-rules/request/immediately-is-told", test_immediately);
    g_test_add_func("/blkdebug-rules/state/chain-counts-exactly", test_chain);
    g_test_add_func("/blkdebug-rules/state/changes-after-the-event", test_state_before_event);
    g_test_add_func("/blkdebug-rules/state/first-rule-wins", test_first_set_state_wins);
    g_test_add_func("/blkdebug-rules/refused/senseless-numbers", test_numbers);
    g_test_add_func("/blkdebug-rules/sector/the-last-one-is-met", test_last_sector);
    g_test_add_func("/blkdebug-rules/refused/too-many", test_too_many);
    g_test_add_func("/blkdebug-rules/event/names-are-a-closed-list", test_event_names);
    g_test_add_func("/blkdebug-rules/threads/each-request-counts-once", test_threads_skip);
    g_test_add_func("/blkdebug-rules/threads/once-is-once", test_threads_once);
    return g_test_run();
}
