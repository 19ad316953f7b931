/* SPDX-License-Identifier: MIT */
/*
 * The way of a request through the library: cached reads of 4 KiB, in an order that looks random,
 * by the system call, by the blocking call, and by callbacks with 64 at once.
 */
#include "bench/micro.h"

#include <cairn/block.h>

#include <fcntl.h>
#include <unistd.h>

enum { BYTES = 4096, BLOCKS = 4096, DEPTH = 64 };

typedef struct Request Request;

typedef struct Slot {
    Request *r;
    uint8_t buf[BYTES];
    IOVector iov;
} Slot;

struct Request {
    char *name;
    int fd;
    BlockBackend *blk;
    uint64_t random;
    int64_t left;               /* not yet submitted */
    int running;
    bool is_done;
    Slot slots[DEPTH];
};

static int64_t request_next(Request *r)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(r->random >> 33) % BLOCKS * BYTES;
}

static void *request_setup(const char *format)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) options = qdict_new();
    g_autofree uint8_t *data = g_malloc(BYTES * BLOCKS);
    Request *r = g_new0(Request, 1);

    r->name = micro_temp_name("disk");
    for (int i = 0; i < BYTES * BLOCKS; i++) {
        data[i] = (uint8_t)(i * 7 + i / BYTES);
    }
    qdict_put_str(options, "driver", format);
    qdict_put_str(options, "file.driver", "file");
    qdict_put_str(options, "file.filename", r->name);
    if (blk_create(NULL, r->name, format, NULL, BYTES * BLOCKS, &error)) {
        r->blk = blk_open_qdict(NULL, NULL, options, BLK_O_RDWR | BLK_O_NO_FLUSH, &error);
    }
    if (!r->blk || blk_pwrite(r->blk, 0, BYTES * BLOCKS, data, 0) < 0 || blk_flush(r->blk) < 0) {
        g_error("%s: %s", r->name, error ? error->message : "cannot be written");
    }
    r->fd = open(r->name, O_RDONLY | O_CLOEXEC);
    return r;
}

static void *setup_raw(void)
{
    return request_setup("raw");
}

static void *setup_qcow(void)
{
    return request_setup("qcow");
}

static void teardown(void *state)
{
    Request *r = state;

    close(r->fd);
    blk_unref(r->blk);
    micro_temp_remove(r->name);
    g_free(r);
}

static void run_syscall(void *state, int64_t count)
{
    Request *r = state;

    for (int64_t i = 0; i < count; i++) {
        g_assert_true(pread(r->fd, r->slots[0].buf, BYTES, request_next(r)) == BYTES);
    }
}

static void run_blocking(void *state, int64_t count)
{
    Request *r = state;

    for (int64_t i = 0; i < count; i++) {
        g_assert_true(blk_pread(r->blk, request_next(r), BYTES, r->slots[0].buf) == 0);
    }
}

static void request_done(void *opaque, int ret)
{
    Slot *slot = opaque;
    Request *r = slot->r;

    g_assert_true(ret == 0);
    if (r->left > 0) {
        r->left--;
        blk_aio_preadv(r->blk, request_next(r), &slot->iov, 0, request_done, slot);
    } else {
        r->is_done = --r->running == 0;
    }
}

static void run_callbacks(void *state, int64_t count)
{
    Request *r = state;

    r->running = (int)MIN(count, DEPTH);
    r->left = count - r->running;
    r->is_done = false;
    for (int i = r->running - 1; i >= 0; i--) {
        r->slots[i].r = r;
        io_vector_init_buf(&r->slots[i].iov, r->slots[i].buf, BYTES);
        blk_aio_preadv(r->blk, request_next(r), &r->slots[i].iov, 0, request_done, &r->slots[i]);
    }
    aio_context_poll_until(aio_context_ensure(), &r->is_done);
}

const MicroCase micro_request[] = {
    { "read 4k: pread", 10000, BYTES, setup_raw, run_syscall, teardown },
    { "read 4k: blk_pread, raw", 10000, BYTES, setup_raw, run_blocking, teardown },
    { "read 4k: blk_pread, qcow", 10000, BYTES, setup_qcow, run_blocking, teardown },
    { "read 4k: 64 by callback, raw", 10000, BYTES, setup_raw, run_callbacks, teardown },
    { "read 4k: 64 by callback, qcow", 10000, BYTES, setup_qcow, run_callbacks, teardown },
    { NULL },
};
