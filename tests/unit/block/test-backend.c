/* SPDX-License-Identifier: MIT */
/* The three forms of the data calls, in one thread and in several. */
#include "io-driver.h"

#include <errno.h>
#include <malloc.h>
#include <sys/resource.h>

#include "util/sanitizer.h"

typedef struct BeFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;
    uint8_t buf[4096];
    IOVector iov;
    bool has_returned;          /* the submitting call */
    bool is_done;
    int ret;
} BeFixture;

static void be_open(BeFixture *f)
{
    *f = (BeFixture){ .ctx = mem_context() };
    f->blk = mem_open_blk(f->ctx, "driver=mem,size=1M,align=512", BLK_O_RDWR | BLK_O_UNMAP);
    f->mem = mem_state(f->blk);
    io_vector_init_buf(&f->iov, f->buf, sizeof(f->buf));
}

static void be_close(BeFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

/* ---- without memory ---------------------------------------------------------- */

#define MANY_REQUESTS 4096

static void be_count(void *opaque, int ret)
{
    int *counts = opaque;

    g_assert_true(ret == 0 || ret == -ENOMEM);
    counts[ret == -ENOMEM]++;
}

/* Stacks for all of these would need more addresses than there are. */
static void test_many_requests(void)
{
#if defined(WITH_ASAN) || defined(WITH_TSAN)
    g_test_skip("a sanitizer has taken all addresses");
#else
    struct rlimit before, limit;
    int counts[2] = { 0, 0 };
    BeFixture f;

    if (RUNNING_ON_VALGRIND) {
        g_test_skip("valgrind would have to live on what is left of the addresses");
        return;
    }
    be_open(&f);
    g_atomic_int_set(&f.mem->yields, 1);
    mallopt(M_MMAP_THRESHOLD, 32 * MiB);        /* what the heap needs, it has from the start */
    mallopt(M_TRIM_THRESHOLD, GiB);
    g_free(g_malloc(16 * MiB));
    g_assert_cmpint(getrlimit(RLIMIT_AS, &before), ==, 0);
    limit = before;
    limit.rlim_cur = GiB / 2;
    g_assert_cmpint(setrlimit(RLIMIT_AS, &limit), ==, 0);
    for (int i = 0; i < MANY_REQUESTS; i++) {
        blk_aio_preadv(f.blk, 0, &f.iov, 0, be_count, counts);
    }
    blk_drain(f.blk);
    while (counts[0] + counts[1] < MANY_REQUESTS) {
        aio_context_poll(aio_context_current(), true);
    }
    g_assert_cmpint(setrlimit(RLIMIT_AS, &before), ==, 0);
    g_assert_cmpint(counts[0], >, 100);
    g_assert_cmpint(counts[1], >, 100);
    be_close(&f);
#endif
}

/* ---- coroutine --------------------------------------------------------------- */

static void coroutine_fn be_coroutine(void *opaque)
{
    BeFixture *f = opaque;
    uint8_t back[4096];
    BlockStatus status;

    memset(f->buf, 3, sizeof(f->buf));
    g_assert_cmpint(blk_co_getlength(f->blk), ==, 1 * MiB);
    g_assert_cmpint(blk_co_pwritev(f->blk, 4096, &f->iov, 0), ==, 0);
    g_assert_cmpint(blk_co_pread(f->blk, 4096, 4096, back), ==, 0);
    g_assert_cmpmem(back, 4096, f->buf, 4096);
    g_assert_cmpint(blk_co_pwrite_zeroes(f->blk, 4096, 512, 0), ==, 0);
    g_assert_cmpint(blk_co_pdiscard(f->blk, 4608, 512), ==, 0);
    g_assert_cmpint(blk_co_preadv(f->blk, 4096, &f->iov, 0), ==, 0);
    g_assert_true(cairn_buffer_is_zero(f->buf, 1024));
    g_assert_cmpint(f->buf[1024], ==, 3);
    g_assert_cmpint(blk_co_block_status(f->blk, 0, 512, &status), ==, 0);
    g_assert_cmpint(blk_co_block_status_chain(f->blk, 0, 512, &status), ==, 0);
    g_assert_cmpint(blk_co_flush(f->blk), ==, 0);
    f->is_done = true;
}

static void test_coroutine(void)
{
    BeFixture f;

    be_open(&f);
    bdrv_run_co(be_coroutine, &f);
    g_assert_true(f.is_done);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    be_close(&f);
}

static void coroutine_fn be_blocks_inside(void *opaque)
{
    BeFixture *f = opaque;

    blk_pread(f->blk, 0, 512, f->buf);
}

static void test_blocking_inside_coroutine(void)
{
    BeFixture f;

    if (g_test_subprocess()) {
        be_open(&f);
        bdrv_run_co(be_blocks_inside, &f);
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
}

/* ---- callbacks ------------------------------------------------------------------ */

static void be_done(void *opaque, int ret)
{
    BeFixture *f = opaque;

    g_assert_true(f->has_returned);
    g_assert_false(coroutine_in());
    f->ret = ret;
    f->is_done = true;
}

static void be_wait(BeFixture *f, int expected)
{
    g_assert_false(f->is_done);
    f->has_returned = true;
    while (!f->is_done) {
        aio_context_poll(aio_context_ensure(), true);
    }
    g_assert_cmpint(f->ret, ==, expected);
    f->has_returned = f->is_done = false;
}

/* The memory driver answers at once, yet the callback comes later. */
static void test_callbacks(void)
{
    BeFixture f;

    be_open(&f);
    memset(f.buf, 9, sizeof(f.buf));
    blk_aio_pwritev(f.blk, 0, &f.iov, 0, be_done, &f);
    be_wait(&f, 0);
    g_assert_cmpint(f.mem->data[4095], ==, 9);
    memset(f.buf, 0, sizeof(f.buf));
    blk_aio_preadv(f.blk, 0, &f.iov, 0, be_done, &f);
    be_wait(&f, 0);
    g_assert_cmpint(f.buf[4095], ==, 9);
    blk_aio_pwrite_zeroes(f.blk, 0, 512, 0, be_done, &f);
    be_wait(&f, 0);
    blk_aio_pdiscard(f.blk, 512, 512, be_done, &f);
    be_wait(&f, 0);
    g_assert_true(cairn_buffer_is_zero(f.mem->data, 1024));
    blk_aio_flush(f.blk, be_done, &f);
    be_wait(&f, 0);
    blk_aio_preadv(f.blk, 1 * MiB, &f.iov, 0, be_done, &f);
    be_wait(&f, -EIO);
    f.mem->yields = 3;
    blk_aio_preadv(f.blk, 0, &f.iov, 0, be_done, &f);
    be_wait(&f, 0);
    be_close(&f);
}

/* ---- a GLib main loop --------------------------------------------------------------- */

static void be_quit(void *opaque, int ret)
{
    g_main_loop_quit(opaque);
}

static void test_main_context(void)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    g_autoptr(GMainLoop) loop = g_main_loop_new(context, false);
    g_autoptr(AioContext) aio = aio_context_new(NULL);
    BeFixture f;

    aio_context_push(aio);
    g_source_attach(aio_context_get_source(aio), context);
    be_open(&f);
    f.mem->yields = 3;
    blk_aio_preadv(f.blk, 0, &f.iov, 0, be_quit, loop);
    g_main_loop_run(loop);
    g_assert_cmpint(f.mem->reads, ==, 1);
    be_close(&f);
    aio_context_pop(aio);
}

/* A blocking call takes no turn of the main loop: its other sources stay where they are. */
static gboolean be_never(void *opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

static void test_blocking_takes_no_turn(void)
{
    bool was_called = false;
    guint id = g_idle_add(be_never, &was_called);
    BeFixture f;

    be_open(&f);
    f.mem->yields = 3;
    g_assert_cmpint(blk_pread(f.blk, 0, 512, f.buf), ==, 0);
    g_assert_false(was_called);
    g_source_remove(id);
    be_close(&f);
}

/* ---- threads ----------------------------------------------------------------------------- */

enum { BE_THREADS = 4, BE_DEPTH = 8, BE_REQUESTS = 500 };

typedef struct BeQueue {
    BlockBackend *blk;
    GThread *thread;
    int index;
    int submitted, completed;
    uint8_t bufs[BE_DEPTH][512];
    IOVector iovs[BE_DEPTH];
} BeQueue;

typedef struct BeSlot {
    BeQueue *queue;
    int index;
} BeSlot;

static void be_submit(BeSlot *slot);

static void be_queue_done(void *opaque, int ret)
{
    BeSlot *slot = opaque;

    g_assert_cmpint(ret, ==, 0);
    g_assert_true(g_thread_self() == slot->queue->thread);
    slot->queue->completed++;
    be_submit(slot);
}

/* Each queue has sectors of its own, and writes and reads them in turns. */
static void be_submit(BeSlot *slot)
{
    BeQueue *q = slot->queue;
    int64_t offset = ((int64_t)q->index * BE_DEPTH + slot->index) * 512;

    if (q->submitted == BE_REQUESTS) {
        return;
    }
    q->submitted++;
    if (q->submitted % 2) {
        memset(q->bufs[slot->index], q->index + 1, 512);
        blk_aio_pwritev(q->blk, offset, &q->iovs[slot->index], 0, be_queue_done, slot);
    } else {
        blk_aio_preadv(q->blk, offset, &q->iovs[slot->index], 0, be_queue_done, slot);
    }
}

static void *be_queue_thread(void *opaque)
{
    BeQueue *q = opaque;
    BeSlot slots[BE_DEPTH];

    q->thread = g_thread_self();
    for (int i = 0; i < BE_DEPTH; i++) {
        slots[i] = (BeSlot){ .queue = q, .index = i };
        io_vector_init_buf(&q->iovs[i], q->bufs[i], 512);
        be_submit(&slots[i]);
    }
    while (q->completed < BE_REQUESTS) {
        aio_context_poll(aio_context_ensure(), true);
    }
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[BE_THREADS];
    BeQueue queues[BE_THREADS] = {0};
    BeFixture f;

    be_open(&f);
    f.mem->yields = 1;
    for (int i = 0; i < BE_THREADS; i++) {
        queues[i].blk = f.blk;
        queues[i].index = i;
        threads[i] = g_thread_new("queue", be_queue_thread, &queues[i]);
    }
    for (int i = 0; i < BE_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    for (int i = 0; i < BE_THREADS; i++) {
        g_assert_cmpint(f.mem->data[i * BE_DEPTH * 512], ==, i + 1);
    }
    g_assert_cmpint(f.mem->reads + f.mem->writes, ==, BE_THREADS * BE_REQUESTS);
    be_close(&f);
}

/* ---- closed ---- */

/* What is asked of a handle without an image: an answer that stands for none, or an error. */
static void test_closed(void)
{
    BeFixture f;
    BlockDriverInfo info = { .cluster_size = 1 };
    g_autoptr(GError) error = NULL;

    be_open(&f);
    g_assert_cmpstr(blk_get_format(f.blk), ==, "mem");
    g_assert_cmpint(blk_get_request_alignment(f.blk), ==, 512);
    g_assert_true(blk_is_writable(f.blk));
    blk_close(f.blk);
    g_assert_cmpstr(blk_get_format(f.blk), ==, "");
    g_assert_cmpstr(blk_get_node_name(f.blk), ==, "");
    g_assert_cmpstr(blk_get_filename(f.blk), ==, "");
    g_assert_cmpint(blk_get_probe_score(f.blk), ==, 0);
    g_assert_cmpint(blk_get_request_alignment(f.blk), ==, 1);
    g_assert_cmpint(blk_get_opt_transfer(f.blk), ==, 0);
    g_assert_cmpint(blk_get_cluster_size(f.blk), ==, 0);
    g_assert_false(blk_is_writable(f.blk));
    g_assert_false(blk_has_zero_init(f.blk));
    g_assert_false(blk_is_encrypted(f.blk));
    g_assert_false(blk_has_backing(f.blk));
    g_assert_false(blk_get_info(f.blk, &info, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
    g_assert_cmpint(info.cluster_size, ==, 0);
    g_clear_error(&error);
    g_assert_false(blk_truncate(f.blk, 512, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
    g_assert_cmpint(blk_pread(f.blk, 0, 512, f.buf), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, f.buf, 0), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 512, 0), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_pdiscard(f.blk, 0, 512), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_flush(f.blk), ==, -ENOMEDIUM);
    g_assert_cmpint(blk_getlength(f.blk), ==, -ENOMEDIUM);
    be_close(&f);
}

static void test_read_only(void)
{
    BeFixture f = { .ctx = mem_context() };
    g_autoptr(GError) error = NULL;

    f.blk = mem_open_blk(f.ctx, "driver=mem,size=1M", 0);
    g_assert_false(blk_is_writable(f.blk));
    g_assert_false(blk_truncate(f.blk, 512, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, EROFS);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, f.buf, 0), <, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 512, 0), <, 0);
    g_assert_cmpint(blk_pdiscard(f.blk, 0, 512), <, 0);
    be_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backend/coroutine/all-calls-work", test_coroutine);
    g_test_add_func("/backend/callback/no-memory-for-a-stack-is-an-error", test_many_requests);
    g_test_add_func("/backend/blocking/inside-a-coroutine-aborts",
                    test_blocking_inside_coroutine);
    g_test_add_func("/backend/callback/comes-after-the-call-and-outside-coroutines",
                    test_callbacks);
    g_test_add_func("/backend/main-context/dispatches-completions", test_main_context);
    g_test_add_func("/backend/blocking/takes-no-turn-of-the-main-loop",
                    test_blocking_takes_no_turn);
    g_test_add_func("/backend/threads/each-completes-in-its-own", test_threads);
    g_test_add_func("/backend/closed/has-no-answer-but-errors", test_closed);
    g_test_add_func("/backend/read-only/takes-no-changes", test_read_only);
    return g_test_run();
}
