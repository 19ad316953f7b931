/* SPDX-License-Identifier: MIT */
/*
 * The ring of an AioContext: results come back, in any number; when requests reach the kernel; the
 * three ways to wait for them; and what happens where the kernel will not have them. io_uring_submit()
 * is wrapped, so that a test can make it refuse.
 */
#include "util/aio-ring.h"

#include "util/aio-int.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct io_uring;
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_submit(struct io_uring *ring);

enum { BLOCK = 512, BLOCKS = 2000, IN_FLIGHT = 512 };

static int refuse_count;        /* submissions to come that are refused */

int __wrap_io_uring_submit(struct io_uring *ring)
{
    if (refuse_count > 0) {
        refuse_count--;
        return -EAGAIN;
    }
    return __real_io_uring_submit(ring);
}

typedef struct Fixture {
    AioContext *ctx;
    int fd;
    uint8_t content[BLOCK * BLOCKS];
    uint8_t buf[BLOCK * BLOCKS];
    int left;                   /* requests that run */
    int refused;                /* requests that the ring would not take */
    bool is_done;               /* none runs any more */
} Fixture;

typedef struct Request {
    Fixture *f;
    AioRingOp op;
    int fd;
    int64_t offset;
    size_t bytes;
    ssize_t ret;
} Request;

static void setup(Fixture *f, gconstpointer data)
{
    g_autofree char *path = NULL;

    f->fd = g_file_open_tmp("cairn-ring-XXXXXX", &path, NULL);
    g_assert_cmpint(f->fd, >=, 0);
    g_unlink(path);
    for (size_t i = 0; i < sizeof(f->content); i++) {
        f->content[i] = 1 + (i * 7 + i / 256) % 255;
    }
    g_assert_cmpint(pwrite(f->fd, f->content, sizeof(f->content), 0), ==, sizeof(f->content));
    f->ctx = aio_context_new(NULL);
    g_assert_nonnull(f->ctx);
    aio_context_push(f->ctx);
}

static void teardown(Fixture *f, gconstpointer data)
{
    aio_context_pop(f->ctx);
    aio_context_unref(f->ctx);
    close(f->fd);
}

static void coroutine_fn request_run(void *opaque)
{
    Request *req = opaque;
    Fixture *f = req->f;
    struct iovec iov = { f->buf + req->offset % sizeof(f->buf), req->bytes };

    req->ret = aio_ring_co_rw(req->op, req->fd, &iov, 1, req->offset);
    f->refused += req->ret == -EBUSY;
    f->is_done = --f->left == 0;
}

static void request_start(Fixture *f, Request *req)
{
    req->f = f;
    req->fd = req->fd ? req->fd : f->fd;
    f->left++;
    f->is_done = false;
    coroutine_enter(coroutine_create(request_run, req));
}

static void wait_all(Fixture *f)
{
    while (f->left > 0) {
        aio_context_poll(f->ctx, true);
    }
}

static ssize_t run_one(Fixture *f, Request *req)
{
    request_start(f, req);
    wait_all(f);
    return req->ret;
}

/* Whether there is a ring to test. */
static bool has_ring(Fixture *f)
{
    Request req = { .op = AIO_RING_READ, .bytes = 1 };

    if (run_one(f, &req) == -ENOSYS) {
        g_test_skip("no io_uring here");
        return false;
    }
    return true;
}

/* ---- results ---- */

static void test_read_write(Fixture *f, gconstpointer data)
{
    Request write = { .op = AIO_RING_WRITE, .offset = 3, .bytes = 5000 };
    Request read = { .op = AIO_RING_READ, .offset = 3, .bytes = 5000 };

    if (!has_ring(f)) {
        return;
    }
    memset(f->buf, 0xaa, 6000);
    g_assert_cmpint(run_one(f, &write), ==, 5000);
    memset(f->buf, 0, 6000);
    g_assert_cmpint(run_one(f, &read), ==, 5000);
    g_assert_cmpint(f->buf[2], ==, 0);
    g_assert_cmpint(f->buf[3], ==, 0xaa);
    g_assert_cmpint(f->buf[5002], ==, 0xaa);
    g_assert_cmpint(f->buf[5003], ==, 0);
}

static void test_short(Fixture *f, gconstpointer data)
{
    Request cut = { .op = AIO_RING_READ, .offset = sizeof(f->buf) - 100, .bytes = 100 };
    Request past = { .op = AIO_RING_READ, .offset = sizeof(f->buf), .bytes = 100 };

    if (!has_ring(f)) {
        return;
    }
    g_assert_cmpint(ftruncate(f->fd, sizeof(f->buf) - 60), ==, 0);
    g_assert_cmpint(run_one(f, &cut), ==, 40);
    g_assert_cmpint(run_one(f, &past), ==, 0);
}

static void test_error(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .fd = 100000, .bytes = 100 };

    if (has_ring(f)) {
        g_assert_cmpint(run_one(f, &req), ==, -EBADF);
    }
}

static void test_many(Fixture *f, gconstpointer data)
{
    g_autofree Request *reqs = g_new0(Request, BLOCKS);
    int whole = 0;

    if (!has_ring(f)) {
        return;
    }
    aio_ring_plug(f->ctx);
    for (int i = 0; i < BLOCKS; i++) {
        reqs[i] = (Request) { .op = AIO_RING_READ, .offset = i * BLOCK, .bytes = BLOCK };
        request_start(f, &reqs[i]);
    }
    aio_ring_unplug(f->ctx);
    wait_all(f);
    for (int i = 0; i < BLOCKS; i++) {
        if (reqs[i].ret == BLOCK) {
            g_assert_cmpmem(f->buf + i * BLOCK, BLOCK, f->content + i * BLOCK, BLOCK);
            whole++;
        }
    }
    g_assert_cmpint(whole, ==, IN_FLIGHT);
    g_assert_cmpint(f->refused, ==, BLOCKS - IN_FLIGHT);
}

/* ---- when requests go out ---- */

static void test_at_once(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };

    if (!has_ring(f)) {
        return;
    }
    request_start(f, &req);
    g_assert_false(aio_ring_has_unsent(f->ctx));
    wait_all(f);
}

static void test_plugged(Fixture *f, gconstpointer data)
{
    Request reqs[3] = { { .bytes = BLOCK }, { .bytes = BLOCK }, { .bytes = BLOCK } };

    if (!has_ring(f)) {
        return;
    }
    aio_ring_plug(f->ctx);
    aio_ring_plug(f->ctx);
    for (size_t i = 0; i < G_N_ELEMENTS(reqs); i++) {
        request_start(f, &reqs[i]);
    }
    aio_ring_unplug(f->ctx);
    g_assert_true(aio_ring_has_unsent(f->ctx));
    aio_ring_unplug(f->ctx);
    g_assert_false(aio_ring_has_unsent(f->ctx));
    wait_all(f);
}

static void test_plugged_poll(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };

    if (!has_ring(f)) {
        return;
    }
    aio_ring_plug(f->ctx);
    g_assert_cmpint(run_one(f, &req), ==, BLOCK);       /* a poll does not wait for the plug */
    aio_ring_unplug(f->ctx);
}

/* ---- the ways to wait ---- */

static void test_descriptor(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };
    struct pollfd p = { .fd = aio_context_get_fd(f->ctx), .events = POLLIN };

    if (!has_ring(f)) {
        return;
    }
    request_start(f, &req);
    while (f->left > 0) {
        g_assert_cmpint(poll(&p, 1, 10000), ==, 1);
        aio_context_poll(f->ctx, false);
    }
    g_assert_cmpint(req.ret, ==, BLOCK);
}

static void test_poll_until(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };

    if (!has_ring(f)) {
        return;
    }
    request_start(f, &req);
    aio_context_poll_until(f->ctx, &f->is_done);
    g_assert_cmpint(req.ret, ==, BLOCK);
}

static void bh_run_main_loop(void *opaque)
{
    Fixture *f = opaque;
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };

    request_start(f, &req);
    while (f->left > 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_assert_cmpint(req.ret, ==, BLOCK);
}

static void test_main_loop_inside(Fixture *f, gconstpointer data)
{
    if (!has_ring(f)) {
        return;
    }
    f->is_done = false;
    g_source_attach(aio_context_get_source(f->ctx), NULL);
    aio_bh_schedule_oneshot(f->ctx, bh_run_main_loop, f);
    while (!f->is_done) {
        g_main_context_iteration(NULL, TRUE);
    }
}

/* ---- a kernel that refuses ---- */

static void test_refused_inside(Fixture *f, gconstpointer data)
{
    Request reqs[2] = { { .bytes = BLOCK }, { .bytes = BLOCK, .offset = BLOCK } };

    if (!has_ring(f)) {
        return;
    }
    refuse_count = 5;
    request_start(f, &reqs[0]);
    request_start(f, &reqs[1]);
    wait_all(f);
    g_assert_cmpint(refuse_count, ==, 0);
    g_assert_cmpint(reqs[0].ret, ==, BLOCK);
    g_assert_cmpint(reqs[1].ret, ==, BLOCK);
}

/* The program's own loop must hear that there is something to be done. */
static void test_refused_outside(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };
    struct pollfd p = { .fd = aio_context_get_fd(f->ctx), .events = POLLIN };

    if (!has_ring(f)) {
        return;
    }
    refuse_count = 4;
    request_start(f, &req);
    while (f->left > 0) {
        g_assert_cmpint(poll(&p, 1, 10000), ==, 1);
        aio_context_poll(f->ctx, false);
    }
    g_assert_cmpint(refuse_count, ==, 0);
    g_assert_cmpint(req.ret, ==, BLOCK);
}

static void test_no_ring(Fixture *f, gconstpointer data)
{
    Request req = { .op = AIO_RING_READ, .bytes = BLOCK };
    struct rlimit was, none;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &was), ==, 0);
    none = was;
    none.rlim_cur = 0;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    g_assert_cmpint(run_one(f, &req), ==, -ENOSYS);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &was), ==, 0);
    g_assert_cmpint(run_one(f, &req), ==, -ENOSYS);     /* not asked again */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, func) g_test_add(path, Fixture, NULL, setup, func, teardown)
    ADD("/aio-ring/read-and-write/move-bytes", test_read_write);
    ADD("/aio-ring/end-of-file/is-short", test_short);
    ADD("/aio-ring/error/is-returned", test_error);
    ADD("/aio-ring/many/are-whole-or-refused", test_many);
    ADD("/aio-ring/outside/goes-out-at-once", test_at_once);
    ADD("/aio-ring/plugged/goes-out-at-last-unplug", test_plugged);
    ADD("/aio-ring/plugged/poll-does-not-wait", test_plugged_poll);
    ADD("/aio-ring/own-loop/descriptor-tells", test_descriptor);
    ADD("/aio-ring/poll-until/returns", test_poll_until);
    ADD("/aio-ring/main-loop-inside-dispatch/goes-out", test_main_loop_inside);
    ADD("/aio-ring/refused/poll-offers-again", test_refused_inside);
    ADD("/aio-ring/refused/descriptor-tells", test_refused_outside);
    ADD("/aio-ring/no-ring/is-told", test_no_ring);
    return g_test_run();
}
