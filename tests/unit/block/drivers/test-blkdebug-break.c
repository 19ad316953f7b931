/* SPDX-License-Identifier: MIT */
/* Breakpoints of blkdebug, through a backend: coroutines of one thread, then several threads. */
#include "io-driver.h"

#define BRK "driver=blkdebug,image.driver=mem,image.size=1M"

typedef struct BrkFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    AioContext *aio;
    MemState *mem;              /* the image's */
    GString *heard;             /* notices, a line each */
    gint is_over;               /* atomic: threads that write shall end */
} BrkFixture;

static void brk_hear(const char *text, void *opaque)
{
    g_string_append_printf(opaque, "%s\n", text);
}

static void brk_setup_options(BrkFixture *f, const char *options)
{
    f->ctx = mem_context();
    f->blk = mem_open_blk(f->ctx, options, BLK_O_RDWR);
    f->mem = mem_below(f->blk);
    f->aio = aio_context_ensure();
    f->heard = g_string_new(NULL);
    cairn_context_set_notice_func(f->ctx, brk_hear, f->heard);
}

static void brk_setup(BrkFixture *f, gconstpointer data)
{
    brk_setup_options(f, BRK);
}

static void brk_teardown(BrkFixture *f, gconstpointer data)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
    g_string_free(f->heard, TRUE);
}

/* One write, in a coroutine of this thread. */
typedef struct BrkWrite {
    BrkFixture *f;
    int64_t offset;
    int ret;
    bool is_done;
} BrkWrite;

static void coroutine_fn brk_co_write(void *opaque)
{
    BrkWrite *w = opaque;
    uint8_t buf[512] = { 0 };

    w->ret = blk_co_pwrite(w->f->blk, w->offset, sizeof(buf), buf, 0);
    w->is_done = true;
}

static void brk_start(BrkFixture *f, BrkWrite *w, int64_t offset)
{
    *w = (BrkWrite){ .f = f, .offset = offset };
    coroutine_enter(coroutine_create(brk_co_write, w));
}

/* All that can happen has happened. */
static void brk_settle(BrkFixture *f)
{
    while (aio_context_poll(f->aio, false)) {
        continue;
    }
}

static void brk_finish(BrkFixture *f, BrkWrite *w)
{
    aio_context_poll_until(f->aio, &w->is_done);
    g_assert_cmpint(w->ret, ==, 0);
}

static void brk_set(BrkFixture *f, const char *event, const char *tag)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_debug_breakpoint(f->blk, event, tag, &error));
    g_assert_no_error(error);
}

static void brk_resume(BrkFixture *f, const char *tag)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_debug_resume(f->blk, tag, &error));
    g_assert_no_error(error);
}

static void brk_expect(BrkFixture *f, const char *tag, int wanted)
{
    g_assert_cmpint(blk_debug_is_suspended(f->blk, tag), ==, wanted);
}

/* ---- one thread --------------------------------------------------------------- */

static void test_stop_and_go(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_expect(f, "A", -ENOENT);
    brk_set(f, "pwritev", "A");
    brk_expect(f, "A", 0);
    brk_start(f, &w, 0);
    brk_settle(f);
    g_assert_false(w.is_done);
    brk_expect(f, "A", 1);
    g_assert_cmpstr(f->heard->str, ==, "blkdebug: Suspended request 'A'\n");
    brk_resume(f, "A");
    brk_finish(f, &w);
    brk_expect(f, "A", -ENOENT);
    g_assert_cmpstr(f->heard->str, ==, "blkdebug: Suspended request 'A'\n"
                    "blkdebug: Resuming request 'A'\n");
}

static void test_others_pass(BrkFixture *f, gconstpointer data)
{
    BrkWrite first, second;
    uint8_t buf[512];

    brk_set(f, "pwritev", "A");
    brk_start(f, &first, 0);
    brk_start(f, &second, 4096);
    brk_finish(f, &second);
    g_assert_cmpint(blk_pread(f->blk, 0, sizeof(buf), buf), ==, 0);
    g_assert_false(first.is_done);
    brk_resume(f, "A");
    brk_finish(f, &first);
}

static void test_other_events(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_set(f, "pwritev_zero", "A");
    brk_set(f, "none", "B");
    brk_start(f, &w, 0);
    brk_finish(f, &w);
    brk_expect(f, "A", 0);
    brk_expect(f, "B", 0);
}

static void test_two_of_one_event(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_set(f, "pwritev", "A");
    brk_set(f, "pwritev", "B");
    brk_start(f, &w, 0);
    g_assert_cmpstr(f->heard->str, ==, "blkdebug: Suspended request 'B'\n"
                    "blkdebug: Suspended request 'A'\n");
    brk_resume(f, "A");
    brk_settle(f);
    g_assert_false(w.is_done);
    brk_expect(f, "A", -ENOENT);
    brk_expect(f, "B", 1);
    brk_resume(f, "B");
    brk_finish(f, &w);
}

static void test_one_after_the_other(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_set(f, "pwritev", "A");
    brk_set(f, "pwritev_done", "B");
    brk_start(f, &w, 0);
    brk_expect(f, "B", 0);
    brk_resume(f, "A");
    brk_settle(f);
    brk_expect(f, "B", 1);
    g_assert_false(w.is_done);
    brk_resume(f, "B");
    brk_finish(f, &w);
}

static void test_newest_first(BrkFixture *f, gconstpointer data)
{
    BrkWrite first, second;

    brk_set(f, "pwritev", "A");
    brk_start(f, &first, 0);
    brk_set(f, "pwritev", "A");
    brk_start(f, &second, 4096);
    brk_resume(f, "A");
    brk_finish(f, &second);
    g_assert_false(first.is_done);
    brk_expect(f, "A", 1);
    brk_resume(f, "A");
    brk_finish(f, &first);
}

/* Rules have acted when a request stands: what they set holds for whoever comes meanwhile. */
static void test_rules_first(void)
{
    BrkWrite first, second;
    BrkFixture f;

    brk_setup_options(&f, BRK ",inject-error.0.event=pwritev_done,inject-error.0.once=on");
    brk_set(&f, "pwritev_done", "A");
    brk_start(&f, &first, 0);
    brk_expect(&f, "A", 1);
    brk_start(&f, &second, 4096);
    aio_context_poll_until(f.aio, &second.is_done);
    g_assert_cmpint(second.ret, ==, -EIO);
    brk_resume(&f, "A");
    brk_finish(&f, &first);
    brk_teardown(&f, NULL);
}

static void test_below_a_format(void)
{
    BrkWrite w;
    BrkFixture f;

    brk_setup_options(&f, "driver=raw,file.driver=blkdebug,file.image.driver=mem");
    brk_set(&f, "write_aio", "A");
    brk_start(&f, &w, 0);
    brk_expect(&f, "A", 1);
    brk_resume(&f, "A");
    brk_finish(&f, &w);
    brk_teardown(&f, NULL);
}

/* ---- what is not there ------------------------------------------------------------ */

static void test_unknown(BrkFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_debug_breakpoint(f->blk, "foo", "A", &error));
    g_assert_error(error, CAIRN_ERROR, ENOENT);
    g_assert_cmpstr(error->message, ==, "No such file or directory");
    g_assert_false(blk_debug_resume(f->blk, "A", NULL));
    g_assert_false(blk_debug_remove_breakpoint(f->blk, "A", NULL));
    brk_set(f, "pwritev", "A");
    g_assert_false(blk_debug_resume(f->blk, "A", NULL));
    brk_expect(f, "A", 0);
}

static void test_remove(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_set(f, "pwritev", "A");
    brk_set(f, "pwritev_done", "A");
    brk_set(f, "pwritev_zero", "B");
    g_assert_true(blk_debug_remove_breakpoint(f->blk, "A", NULL));
    brk_start(f, &w, 0);
    brk_finish(f, &w);
    brk_expect(f, "A", -ENOENT);
    brk_expect(f, "B", 0);
}

static void test_remove_resumes(BrkFixture *f, gconstpointer data)
{
    BrkWrite first, second, third;

    brk_set(f, "pwritev", "A");
    brk_start(f, &first, 0);
    brk_set(f, "pwritev", "A");
    brk_start(f, &second, 4096);
    brk_set(f, "pwritev", "B");
    brk_start(f, &third, 8192);
    g_assert_true(blk_debug_remove_breakpoint(f->blk, "A", NULL));
    brk_finish(f, &first);
    brk_finish(f, &second);
    g_assert_false(third.is_done);
    brk_resume(f, "B");
    brk_finish(f, &third);
}

/* ---- ends ------------------------------------------------------------------------------ */

static void test_close(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_set(f, "pwritev", "A");
    brk_set(f, "pwritev_done", "B");
    brk_set(f, "flush_to_disk", "C");
    brk_start(f, &w, 0);
    g_assert_false(w.is_done);
    g_assert_cmpint(blk_close(f->blk), ==, 0);
    g_assert_true(w.is_done);
    g_assert_cmpint(w.ret, ==, 0);
}

static void test_unused(BrkFixture *f, gconstpointer data)
{
    brk_set(f, "pwritev", "A");         /* freed with the node: a matter for the leak checkers */
    g_assert_cmpint(blk_close(f->blk), ==, 0);
    g_assert_cmpint(blk_debug_is_suspended(f->blk, "A"), ==, -ENOTSUP);
}

/* The node goes with its breakpoints, and takes none of the disk's users along. */
static void test_filter_removed(BrkFixture *f, gconstpointer data)
{
    BrkWrite w;

    brk_set(f, "pwritev", "A");
    g_assert_true(blk_remove_filter(f->blk, NULL));
    brk_start(f, &w, 0);
    brk_finish(f, &w);
    g_assert_cmpint(blk_close(f->blk), ==, 0);
}

/* ---- several threads --------------------------------------------------------------------- */

static gpointer brk_thread_truncate(void *opaque)
{
    BrkFixture *f = opaque;
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_truncate(f->blk, 4096, PREALLOC_MODE_OFF, &error));
    return NULL;
}

/* Until @f's backend is being drained: then the other thread holds the control lock. */
static void brk_wait_for_drain(BrkFixture *f)
{
    while (g_atomic_int_get(&f->blk->activity) < BLK_QUIESCE) {
        g_thread_yield();
    }
}

static void test_resume_while_drained(BrkFixture *f, gconstpointer data)
{
    GThread *thread;
    BrkWrite w;

    brk_set(f, "pwritev", "A");
    brk_start(f, &w, 0);
    thread = g_thread_new("truncate", brk_thread_truncate, f);
    brk_wait_for_drain(f);
    brk_expect(f, "A", 1);
    brk_resume(f, "A");
    brk_finish(f, &w);
    g_thread_join(thread);
    g_assert_cmpint(blk_getlength(f->blk), ==, 4096);
}

enum { BRK_THREADS = 3, BRK_STOPS = 100 };

/* Returns: how many writes have been done until told to end. */
static gpointer brk_thread_writes(void *opaque)
{
    BrkFixture *f = opaque;
    uint8_t buf[512] = { 0 };
    int done = 0;

    while (!g_atomic_int_get(&f->is_over)) {
        g_assert_cmpint(blk_pwrite(f->blk, 0, sizeof(buf), buf, 0), ==, 0);
        done++;
    }
    return GINT_TO_POINTER(done);
}

static void brk_wait_until_stopped(BrkFixture *f, const char *tag)
{
    while (blk_debug_is_suspended(f->blk, tag) == 0) {
        g_thread_yield();
    }
}

/* Requests stop on any thread and are resumed from this one; every one of them ends. */
static void test_threads(BrkFixture *f, gconstpointer data)
{
    GThread *threads[BRK_THREADS];
    int done = 0;

    for (int i = 0; i < BRK_THREADS; i++) {
        threads[i] = g_thread_new("writes", brk_thread_writes, f);
    }
    for (int i = 0; i < BRK_STOPS; i++) {
        brk_set(f, "pwritev", "A");
        brk_set(f, "pwritev_done", "B");
        brk_wait_until_stopped(f, "A");
        brk_wait_until_stopped(f, "B");
        brk_resume(f, "B");
        brk_resume(f, "A");
    }
    g_atomic_int_set(&f->is_over, 1);
    for (int i = 0; i < BRK_THREADS; i++) {
        done += GPOINTER_TO_INT(g_thread_join(threads[i]));
    }
    brk_expect(f, "A", -ENOENT);
    g_assert_cmpint(f->mem->writes, ==, done);
}

static gpointer brk_thread_one_write(void *opaque)
{
    BrkFixture *f = opaque;
    uint8_t buf[512] = { 0 };

    g_assert_cmpint(blk_pwrite(f->blk, 0, sizeof(buf), buf, 0), ==, 0);
    return NULL;
}

static void test_close_while_stopped(BrkFixture *f, gconstpointer data)
{
    static const char *const tags[BRK_THREADS] = { "A", "B", "C" };
    GThread *threads[BRK_THREADS];

    for (int i = 0; i < BRK_THREADS; i++) {
        brk_set(f, "pwritev", tags[i]);
        threads[i] = g_thread_new("write", brk_thread_one_write, f);
        brk_wait_until_stopped(f, tags[i]);
    }
    g_assert_cmpint(blk_close(f->blk), ==, 0);
    for (int i = 0; i < BRK_THREADS; i++) {
        g_thread_join(threads[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, func) g_test_add(path, BrkFixture, NULL, brk_setup, func, brk_teardown)
    ADD("/blkdebug-break/stop/until-resumed", test_stop_and_go);
    ADD("/blkdebug-break/stop/one-request-only", test_others_pass);
    ADD("/blkdebug-break/stop/at-its-event-only", test_other_events);
    ADD("/blkdebug-break/stop/at-all-of-one-event", test_two_of_one_event);
    ADD("/blkdebug-break/stop/at-one-event-after-another", test_one_after_the_other);
    g_test_add_func("/blkdebug-break/stop/after-the-rules-have-acted", test_rules_first);
    g_test_add_func("/blkdebug-break/stop/below-a-format", test_below_a_format);
    ADD("/blkdebug-break/resume/newest-first", test_newest_first);
    ADD("/blkdebug-break/unknown/is-refused", test_unknown);
    ADD("/blkdebug-break/remove/nothing-stops", test_remove);
    ADD("/blkdebug-break/remove/resumes-who-stands-there", test_remove_resumes);
    ADD("/blkdebug-break/close/lets-go-on", test_close);
    ADD("/blkdebug-break/close/forgets-the-unused", test_unused);
    ADD("/blkdebug-break/remove/of-the-filter-itself", test_filter_removed);
    ADD("/blkdebug-break/threads/resume-while-another-drains", test_resume_while_drained);
    ADD("/blkdebug-break/threads/stop-and-go", test_threads);
    ADD("/blkdebug-break/threads/close-lets-all-go-on", test_close_while_stopped);
    return g_test_run();
}
