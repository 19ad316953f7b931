/* SPDX-License-Identifier: MIT */
/* What a context holds, and its control lock. */
#include "mem-driver.h"

/* ---- contexts and drivers ---- */

static void test_node_names_are_apart(void)
{
    g_autoptr(CairnContext) a = test_context_new();
    g_autoptr(CairnContext) b = test_context_new();
    g_autoptr(BlockBackend) one = test_open_opts(a, "driver=mem,node-name=n", 0);
    g_autoptr(BlockBackend) two = test_open_opts(b, "driver=mem,node-name=n", 0);
    g_auto(GStrv) names = cairn_context_list_nodes(a);

    g_assert_cmpstr(names[0], ==, "n");
    g_assert_null(names[1]);
    g_assert_true(bdrv_find_node(a, "n") != bdrv_find_node(b, "n"));
}

static void test_default_context_is_one(void)
{
    g_assert_true(cairn_context_default() == cairn_context_default());
    g_assert_true(context_or_default(NULL) == cairn_context_default());
}

static void test_context_outlives_last_ref_while_used(void)
{
    CairnContext *ctx = test_context_new();
    BlockBackend *blk = test_open_opts(ctx, "driver=mem", 0);

    cairn_context_unref(ctx);
    g_assert_cmpstr(blk_get_format(blk), ==, "mem");
    blk_unref(blk);
}

static void test_driver_name_taken_is_refused(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(bdrv_register(ctx, &bdrv_mem, &error));
    g_assert_error(error, CAIRN_ERROR, EEXIST);
}

static void test_formats_list_leaves_out_protocols(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_auto(GStrv) all = cairn_context_list_drivers(ctx, false);
    g_auto(GStrv) formats = cairn_context_list_drivers(ctx, true);

    g_assert_true(g_strv_contains((const char *const *)all, "mem"));
    g_assert_true(g_strv_contains((const char *const *)formats, "tf"));
    g_assert_false(g_strv_contains((const char *const *)formats, "mem"));
}

static void test_driver_not_allowed_is_refused(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    const char *allowed[] = { "mem", NULL };

    cairn_context_set_restricted(ctx, true, allowed);
    g_autofree char *message = test_open_failure(
        ctx, NULL, "driver=tf,file.driver=mem,file.hex=" TF_HEX, 0);
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=mem", 0);

    g_assert_cmpstr(message, ==, "Driver 'tf' is not allowed in this context");
    g_assert_true(bdrv_is_restricted(blk->root->bs));
}

/* ---- warnings and blockers ---- */

static void keep_text(const char *text, void *opaque)
{
    g_string_append_printf(opaque, "%s|", text);
}

static void test_warning_reaches_the_callback(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(GString) heard = g_string_new(NULL);
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=mem", 0);

    bdrv_warn(blk->root->bs, "nobody hears %d", 1);
    cairn_context_set_warn_func(ctx, keep_text, heard);
    bdrv_warn(blk->root->bs, "lost %d", 2);
    g_assert_cmpstr(heard->str, ==, "lost 2|");
}

static void test_blocker_lives_as_long_as_its_node(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    BlockBackend *blk = test_open_opts(ctx, "driver=mem,node-name=m", 0);

    bdrv_add_blocker(blk->root->bs, "migration", "node '%s' cannot move", "m");
    g_auto(GStrv) before = cairn_context_list_blockers(ctx, "migration");
    g_auto(GStrv) other = cairn_context_list_blockers(ctx, "resize");

    blk_unref(blk);
    g_auto(GStrv) after = cairn_context_list_blockers(ctx, "migration");

    g_assert_cmpstr(before[0], ==, "node 'm' cannot move");
    g_assert_null(before[1]);
    g_assert_null(other[0]);
    g_assert_null(after[0]);
}

/* ---- the control lock ---- */

static void test_lock_is_recursive(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    g_assert_false(ctl_is_held(ctx));
    ctl_lock(ctx);
    ctl_lock(ctx);
    ctl_unlock(ctx);
    g_assert_true(ctl_is_held(ctx));
    ctl_unlock(ctx);
    g_assert_false(ctl_is_held(ctx));
}

typedef struct Contender {
    CairnContext *ctx;
    gint inside;                /* atomic: threads in the critical section */
    gint rounds;                /* atomic */
} Contender;

static void *contend(void *opaque)
{
    Contender *c = opaque;

    for (int i = 0; i < 200; i++) {
        ctl_lock(c->ctx);
        g_assert_cmpint(g_atomic_int_add(&c->inside, 1), ==, 0);
        g_atomic_int_inc(&c->rounds);
        g_atomic_int_add(&c->inside, -1);
        ctl_unlock(c->ctx);
    }
    return NULL;
}

static void *contend_with_loop(void *opaque)
{
    aio_context_ensure();
    return contend(opaque);
}

static void test_lock_excludes_threads(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    Contender c = { .ctx = ctx };
    GThread *threads[4];

    for (int i = 0; i < 4; i++) {
        threads[i] = g_thread_new("contend", i % 2 ? contend : contend_with_loop, &c);
    }
    for (int i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpint(c.rounds, ==, 800);
}

typedef struct Waiter {
    CairnContext *ctx;
    AioContext *aio;            /* atomic pointer; set when the thread is ready */
    gint served;                /* atomic */
} Waiter;

static void waiter_served(void *opaque)
{
    g_atomic_int_set(&((Waiter *)opaque)->served, 1);
}

static void *wait_for_lock(void *opaque)
{
    Waiter *w = opaque;

    g_atomic_pointer_set(&w->aio, aio_context_ensure());
    ctl_lock(w->ctx);
    ctl_unlock(w->ctx);
    return NULL;
}

static void test_waiting_thread_serves_its_loop(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    Waiter w = { .ctx = ctx };

    ctl_lock(ctx);
    GThread *thread = g_thread_new("waiter", wait_for_lock, &w);

    while (!g_atomic_pointer_get(&w.aio)) {
        g_thread_yield();
    }
    aio_bh_schedule_oneshot(w.aio, waiter_served, &w);
    while (!g_atomic_int_get(&w.served)) {
        g_thread_yield();       /* ends only if the waiter polls while we hold the lock */
    }
    ctl_unlock(ctx);
    g_thread_join(thread);
}

/* ---- worker threads ---- */

static int add_one(void *opaque)
{
    return ++*(int *)opaque;
}

typedef struct PoolRun {
    BlockDriverState *bs;
    int value, ret;
} PoolRun;

static void coroutine_fn pool_run_entry(void *opaque)
{
    PoolRun *r = opaque;

    r->ret = bdrv_co_run_work(r->bs, BDRV_WORK_IO, add_one, &r->value)
        + bdrv_co_run_work(r->bs, BDRV_WORK_CPU, add_one, &r->value);
}

static void assert_workers_work(BlockBackend *blk)
{
    PoolRun r = { .bs = blk->root->bs };

    bdrv_run_co(pool_run_entry, &r);
    g_assert_cmpint(r.ret, ==, 1 + 2);
}

/* Before there are any, and between two requests: they come back when there is work. */
static void check_stop(CairnContext *given, CairnContext *ctx)
{
    g_autoptr(BlockBackend) blk = NULL;

    cairn_context_stop_workers(given);
    blk = blk_open_opts(ctx, "driver=null-co,size=1M", 0, NULL);
    assert_workers_work(blk);
    cairn_context_stop_workers(given);
    cairn_context_stop_workers(given);
    assert_workers_work(blk);
}

static void test_stopped_workers_come_back(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    check_stop(ctx, ctx);
    check_stop(NULL, cairn_context_default());
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/context/two/have-nodes-of-one-name", test_node_names_are_apart);
    g_test_add_func("/context/default/is-one-object", test_default_context_is_one);
    g_test_add_func("/context/unref/backend-keeps-it-alive",
                    test_context_outlives_last_ref_while_used);
    g_test_add_func("/context/register/name-taken/is-refused", test_driver_name_taken_is_refused);
    g_test_add_func("/context/list-formats/leaves-out-protocols",
                    test_formats_list_leaves_out_protocols);
    g_test_add_func("/context/restricted/other-driver/is-refused",
                    test_driver_not_allowed_is_refused);
    g_test_add_func("/context/warn/reaches-the-callback", test_warning_reaches_the_callback);
    g_test_add_func("/context/blocker/goes-with-its-node",
                    test_blocker_lives_as_long_as_its_node);
    g_test_add_func("/context/lock/is-recursive", test_lock_is_recursive);
    g_test_add_func("/context/lock/excludes-other-threads", test_lock_excludes_threads);
    g_test_add_func("/context/lock/waiter-serves-its-loop", test_waiting_thread_serves_its_loop);
    g_test_add_func("/context/stop-workers/they-come-back", test_stopped_workers_come_back);
    return g_test_run();
}
