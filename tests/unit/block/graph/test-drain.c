/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

typedef struct DrFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;
    uint8_t buf[512];
    IOVector iov;
    int completed;              /* atomic */
} DrFixture;

static void dr_open(DrFixture *f)
{
    *f = (DrFixture){ .ctx = mem_context() };
    f->blk = mem_open_blk(f->ctx, "driver=mem,size=1M", BLK_O_RDWR);
    f->mem = mem_state(f->blk);
    io_vector_init_buf(&f->iov, f->buf, sizeof(f->buf));
}

static void dr_close(DrFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

static void dr_done(void *opaque, int ret)
{
    DrFixture *f = opaque;

    g_assert_cmpint(ret, ==, 0);
    g_atomic_int_inc(&f->completed);
}

static void dr_poll_until(const gint *value, gint wanted)
{
    while (g_atomic_int_get(value) != wanted) {
        aio_context_poll(aio_context_ensure(), true);
    }
}

static void test_waits(void)
{
    DrFixture f;

    dr_open(&f);
    f.mem->yields = 5;
    for (int i = 0; i < 10; i++) {
        blk_aio_preadv(f.blk, i * 512, &f.iov, 0, dr_done, &f);
    }
    g_assert_cmpint(f.blk->activity, ==, 10);
    drain_blk_begin(f.blk);
    g_assert_cmpint(f.blk->activity, ==, BLK_QUIESCE);
    drain_blk_end(f.blk);
    dr_poll_until(&f.completed, 10);
    dr_close(&f);
}

static void test_queues(void)
{
    DrFixture f;

    dr_open(&f);
    drain_blk_begin(f.blk);
    drain_blk_begin(f.blk);
    blk_aio_preadv(f.blk, 0, &f.iov, 0, dr_done, &f);
    while (aio_context_poll(aio_context_ensure(), false)) {
        /* all that could run */
    }
    drain_blk_end(f.blk);
    while (aio_context_poll(aio_context_ensure(), false)) {
        /* the inner end must not let it through */
    }
    g_assert_cmpint(f.mem->reads, ==, 0);
    g_assert_cmpint(f.completed, ==, 0);
    drain_blk_end(f.blk);
    dr_poll_until(&f.completed, 1);
    g_assert_cmpint(f.mem->reads, ==, 1);
    dr_close(&f);
}

/* Backends made and closed inside a drain of all. */
static void test_all(void)
{
    DrFixture f;
    BlockBackend *other, *late;

    dr_open(&f);
    other = mem_open_blk(f.ctx, "driver=mem,size=1M", BLK_O_RDWR);
    f.mem->yields = 3;
    blk_aio_preadv(f.blk, 0, &f.iov, 0, dr_done, &f);
    ctl_lock(f.ctx);
    drain_all_begin(f.ctx);
    g_assert_cmpint(f.blk->activity, ==, BLK_QUIESCE);
    g_assert_cmpint(other->activity, ==, BLK_QUIESCE);
    late = mem_open_blk(f.ctx, "driver=mem,size=1M", BLK_O_RDWR);
    blk_unref(other);
    drain_all_end(f.ctx);
    ctl_unlock(f.ctx);
    g_assert_cmpint(f.blk->activity, ==, 0);
    g_assert_cmpint(late->activity, ==, 0);
    dr_poll_until(&f.completed, 1);
    blk_unref(late);
    dr_close(&f);
}

static void dr_closed(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, -ENOMEDIUM);
    g_atomic_int_inc((gint *)opaque);
}

/* A request that waits for the end of a drain in which its backend is closed. */
static void test_close_inside(void)
{
    DrFixture f;

    dr_open(&f);
    drain_blk_begin(f.blk);
    blk_aio_preadv(f.blk, 0, &f.iov, 0, dr_closed, &f.completed);
    blk_close(f.blk);
    drain_blk_end(f.blk);
    dr_close(&f);
    dr_poll_until(&f.completed, 1);
}

/* ---- completions inside control calls -------------------------------------------------- */

static void dr_close_by_callback(void *opaque, int ret)
{
    DrFixture *f = opaque;

    g_atomic_int_inc(&f->completed);
    g_assert_cmpint(blk_close(f->blk), ==, 0);
}

/* The first of two requests completes, and closes, while a drain waits for the second. */
static void dr_submit_two(DrFixture *f)
{
    f->mem->yields = 1;
    blk_aio_preadv(f->blk, 0, &f->iov, 0, dr_close_by_callback, f);
    f->mem->yields = 5;
    blk_aio_preadv(f->blk, 0, &f->iov, 0, dr_done, f);
}

static void test_close_while_closing(void)
{
    DrFixture f;

    dr_open(&f);
    dr_submit_two(&f);
    g_assert_cmpint(blk_close(f.blk), ==, 0);
    g_assert_cmpint(f.completed, ==, 0);
    dr_poll_until(&f.completed, 2);
    dr_close(&f);
}

static void test_close_while_reopening(void)
{
    g_autoptr(QDict) options = qdict_from_keyval("read-only=on", NULL, NULL);
    g_autoptr(GError) error = NULL;
    DrFixture f;

    dr_open(&f);
    dr_submit_two(&f);
    g_assert_true(blk_reopen(f.blk, options, &error));
    g_assert_no_error(error);
    g_assert_false(blk_is_writable(f.blk));
    dr_poll_until(&f.completed, 2);
    dr_close(&f);
}

/* ---- threads ---------------------------------------------------------------------- */

enum { DR_THREADS = 3, DR_REQUESTS = 3000, DR_DRAINS = 200 };

static void *dr_reader(void *opaque)
{
    DrFixture *f = opaque;
    uint8_t buf[512];

    for (int i = 0; i < DR_REQUESTS; i++) {
        g_assert_cmpint(blk_pread(f->blk, i % 1000 * 512, 512, buf), ==, 0);
    }
    g_atomic_int_inc(&f->completed);
    return NULL;
}

/* While a drain is on no request runs, whatever other threads do. */
static void test_threads(void)
{
    GThread *threads[DR_THREADS];
    DrFixture f;

    dr_open(&f);
    f.mem->yields = 1;
    for (int i = 0; i < DR_THREADS; i++) {
        threads[i] = g_thread_new("reader", dr_reader, &f);
    }
    for (int i = 0; i < DR_DRAINS && g_atomic_int_get(&f.completed) < DR_THREADS; i++) {
        int reads;

        drain_blk_begin(f.blk);
        reads = g_atomic_int_get(&f.mem->reads);
        g_usleep(50);
        g_assert_cmpint(g_atomic_int_get(&f.mem->reads), ==, reads);
        g_assert_cmpint(g_atomic_int_get(&f.blk->activity), ==, BLK_QUIESCE);
        drain_blk_end(f.blk);
    }
    for (int i = 0; i < DR_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpint(f.mem->reads, ==, DR_THREADS * DR_REQUESTS);
    dr_close(&f);
}

static void *dr_held_reader(void *opaque)
{
    DrFixture *f = opaque;

    g_assert_cmpint(blk_pread(f->blk, 0, 512, f->buf), ==, 0);
    g_atomic_int_inc(&f->completed);
    return NULL;
}

static void dr_release(void *opaque)
{
    g_atomic_int_set(&((DrFixture *)opaque)->mem->held, 0);
}

/* The drainer's own loop goes on while it waits: here it is what lets the request end. */
static void test_drainer_polls(void)
{
    GThread *thread;
    DrFixture f;

    dr_open(&f);
    g_atomic_int_set(&f.mem->held, 1);
    thread = g_thread_new("reader", dr_held_reader, &f);
    while (!g_atomic_int_get(&f.mem->waiting)) {
        g_thread_yield();
    }
    aio_bh_schedule_oneshot(aio_context_ensure(), dr_release, &f);
    blk_drain(f.blk);
    g_assert_cmpint(g_atomic_int_get(&f.mem->waiting), ==, 0);
    g_thread_join(thread);
    dr_close(&f);
}

/* ---- drivers that hold requests back ------------------------------------------------ */

typedef struct GateState {
    GMutex lock;
    CoQueue waiting;
    int held;                   /* requests in waiting */
    bool is_open;               /* inside a drain */
    int begins, ends;
} GateState;

static bool gate_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    GateState *s = bs->opaque;

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error)) {
        return false;
    }
    g_mutex_init(&s->lock);
    co_queue_init(&s->waiting);
    return true;
}

static void gate_close(BlockDriverState *bs)
{
    GateState *s = bs->opaque;

    g_assert_true(s->is_open);
    g_mutex_clear(&s->lock);
}

static int coroutine_fn gate_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    GateState *s = bs->opaque;

    g_mutex_lock(&s->lock);
    s->held++;
    while (!s->is_open) {
        co_queue_wait_thread(&s->waiting, &s->lock);
    }
    s->held--;
    g_mutex_unlock(&s->lock);
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static void gate_set(BlockDriverState *bs, bool is_open)
{
    GateState *s = bs->opaque;

    g_mutex_lock(&s->lock);
    g_assert_true(s->is_open != is_open);
    s->is_open = is_open;
    co_queue_restart_all(&s->waiting);
    *(is_open ? &s->begins : &s->ends) += 1;
    g_mutex_unlock(&s->lock);
}

static void gate_drain_begin(BlockDriverState *bs)
{
    gate_set(bs, true);
}

static void gate_drain_end(BlockDriverState *bs)
{
    gate_set(bs, false);
}

static const BlockDriver bdrv_gate = {
    .format_name        = "gate",
    .instance_size      = sizeof(GateState),
    .is_filter          = true,
    .bdrv_open          = gate_open,
    .bdrv_close         = gate_close,
    .bdrv_drain_begin   = gate_drain_begin,
    .bdrv_drain_end     = gate_drain_end,
    .bdrv_co_preadv     = gate_co_preadv,
};

static void dr_open_gate(DrFixture *f)
{
    *f = (DrFixture){ .ctx = mem_context() };
    g_assert_true(bdrv_register(f->ctx, &bdrv_gate, NULL));
    f->blk = mem_open_blk(f->ctx, "driver=gate,node-name=gate,file.driver=mem",
                          BLK_O_RDWR | BLK_O_SHARE_WRITE);
    io_vector_init_buf(&f->iov, f->buf, sizeof(f->buf));
}

static GateState *dr_hold_three(DrFixture *f)
{
    GateState *s = f->blk->root->bs->opaque;

    for (int i = 0; i < 3; i++) {
        blk_aio_preadv(f->blk, i * 512, &f->iov, 0, dr_done, f);
    }
    g_assert_cmpint(s->held, ==, 3);
    return s;
}

static void test_held_drain(void)
{
    DrFixture f;
    GateState *s;

    dr_open_gate(&f);
    s = dr_hold_three(&f);
    blk_drain(f.blk);
    g_assert_cmpint(s->held, ==, 0);
    g_assert_false(s->is_open);
    dr_poll_until(&f.completed, 3);
    blk_aio_preadv(f.blk, 0, &f.iov, 0, dr_done, &f);
    g_assert_cmpint(s->held, ==, 1);
    ctl_lock(f.ctx);
    drain_all_begin(f.ctx);
    g_assert_cmpint(s->held, ==, 0);
    g_assert_true(s->is_open);
    drain_all_begin(f.ctx);
    drain_all_end(f.ctx);
    g_assert_true(s->is_open);
    drain_all_end(f.ctx);
    ctl_unlock(f.ctx);
    g_assert_cmpint(s->begins, ==, 2);
    g_assert_cmpint(s->ends, ==, 2);
    dr_poll_until(&f.completed, 4);
    dr_close(&f);
}

/* The node is still drained when it closes (gate_close() looks). */
static void test_held_close(void)
{
    DrFixture f;

    dr_open_gate(&f);
    dr_hold_three(&f);
    g_assert_cmpint(blk_close(f.blk), ==, 0);
    g_assert_null(bdrv_find_node(f.ctx, "gate"));
    dr_poll_until(&f.completed, 3);
    dr_close(&f);
}

/* A node that somebody else uses, too, holds requests again after the first user is gone. */
static void test_held_shared(void)
{
    DrFixture f;
    BlockBackend *other;
    GateState *s;

    dr_open_gate(&f);
    other = mem_open_blk(f.ctx, "gate", BLK_O_SHARE_WRITE);
    s = dr_hold_three(&f);
    blk_unref(f.blk);
    g_assert_false(s->is_open);
    g_assert_cmpint(s->held, ==, 0);
    dr_poll_until(&f.completed, 3);
    blk_unref(other);
    cairn_context_unref(f.ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/drain/begin/waits-for-what-runs", test_waits);
    g_test_add_func("/drain/inside/requests-wait", test_queues);
    g_test_add_func("/drain/all/backends-may-come-and-go", test_all);
    g_test_add_func("/drain/close-inside/waiting-request-is-enomedium", test_close_inside);
    g_test_add_func("/drain/completion-that-closes/inside-a-close", test_close_while_closing);
    g_test_add_func("/drain/completion-that-closes/inside-a-reopen", test_close_while_reopening);
    g_test_add_func("/drain/threads/nothing-runs-inside", test_threads);
    g_test_add_func("/drain/drainer/serves-its-own-loop", test_drainer_polls);
    g_test_add_func("/drain/held-requests/are-let-go-and-held-again", test_held_drain);
    g_test_add_func("/drain/held-requests/close/lets-them-go", test_held_close);
    g_test_add_func("/drain/held-requests/node-with-two-users/closes-for-one", test_held_shared);
    return g_test_run();
}
