/* SPDX-License-Identifier: MIT */
/*
 * The requests of cairn-img bench. All is driven by completions in this thread's AioContext:
 *
 * 1. depth requests are in flight from the first to the last, but for what a flush drains.
 * 2. After the first failure nothing new is started; the run ends when all that was started has.
 * 3. A flush is due when the number of requests not yet started is a multiple of the interval; once
 *    at each such number.
 */
#include "img/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

/* Memory for data; requests share buffers where it does not hold one for each. */
#define BENCH_MEMORY_BYTES ((int64_t)1 << 30)

typedef struct Bench Bench;

typedef struct BenchRequest {
    Bench *bench;
    IOVector iov;
    int64_t offset;             /* bytes */
    struct BenchRequest *next;  /* in the list of idle ones */
} BenchRequest;

struct Bench {
    const BenchArgs *args;
    BlockBackend *blk;
    int64_t length;             /* of the image */
    int64_t offset;             /* of the next request */
    int64_t left;               /* requests not yet started */
    int64_t in_flight;          /* requests and flushes */
    int64_t flushed_at;         /* left at the last flush; -1: none yet */
    bool is_draining;           /* the next to start is a flush, when nothing is in flight */
    int ret;                    /* the first failure */
    int64_t failed_at;          /* its offset; -1: a flush */
    bool is_done;
    BenchRequest *requests, *idle;
    uint8_t *memory;
    size_t memory_bytes;
};

static void bench_on_request(void *opaque, int ret);
static void bench_on_flush(void *opaque, int ret);

static void bench_fail(Bench *bench, int ret, int64_t offset)
{
    if (ret < 0 && bench->ret == 0) {
        bench->ret = ret;
        bench->failed_at = offset;
    }
}

static void bench_start_request(Bench *bench)
{
    const BenchArgs *args = bench->args;
    BenchRequest *request = bench->idle;

    bench->idle = request->next;
    request->offset = bench->offset;
    bench->in_flight++;
    bench->left--;
    if (bench->length > 0) {
        bench->offset = ((uint64_t)bench->offset + args->step) % bench->length;
    }
    if (args->is_write) {
        blk_aio_pwritev(bench->blk, request->offset, &request->iov, 0, bench_on_request, request);
    } else {
        blk_aio_preadv(bench->blk, request->offset, &request->iov, 0, bench_on_request, request);
    }
}

static void bench_start_flush(Bench *bench)
{
    bench->in_flight++;
    blk_aio_flush(bench->blk, bench_on_flush, bench);
}

/* Fills the queue. */
static void bench_go_on(Bench *bench)
{
    if (bench->is_draining && bench->in_flight == 0 && bench->ret == 0) {
        bench->is_draining = false;
        bench_start_flush(bench);
        return;
    }
    if (bench->ret == 0 && !bench->is_draining && bench->left > 0) {
        blk_io_plug(bench->blk);
        while (bench->left > 0 && bench->idle) {
            bench_start_request(bench);
        }
        blk_io_unplug(bench->blk);
    }
    bench->is_done = bench->in_flight == 0;
}

static void bench_check_flush(Bench *bench)
{
    const BenchArgs *args = bench->args;

    if (!args->flush_interval || bench->left % args->flush_interval ||
        bench->left == bench->flushed_at || bench->ret < 0) {
        return;
    }
    bench->flushed_at = bench->left;
    if (args->no_drain) {
        bench_start_flush(bench);
    } else {
        bench->is_draining = true;
    }
}

static void bench_on_request(void *opaque, int ret)
{
    BenchRequest *request = opaque;
    Bench *bench = request->bench;

    bench_fail(bench, ret, request->offset);
    request->next = bench->idle;
    bench->idle = request;
    bench->in_flight--;
    bench_check_flush(bench);
    bench_go_on(bench);
}

static void bench_on_flush(void *opaque, int ret)
{
    Bench *bench = opaque;

    bench_fail(bench, ret, -1);
    bench->in_flight--;
    bench_go_on(bench);
}

/* ---- memory ------------------------------------------------------------------ */

/* Pages, as direct I/O wants them; what is never touched takes no memory. */
static bool bench_get_memory(Bench *bench, int64_t buffers, int64_t stride, GError **error)
{
    bench->memory_bytes = buffers * stride;
    bench->memory = mmap(NULL, bench->memory_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bench->memory == MAP_FAILED) {
        bench->memory = NULL;
        cairn_set_error_errno(error, errno, "Could not get %zu bytes of memory",
                              bench->memory_bytes);
        return false;
    }
    if (bench->args->is_write && bench->args->pattern) {
        memset(bench->memory, (int)bench->args->pattern, bench->memory_bytes);
    }
    return true;
}

/* What is written is the same for all requests, so that one buffer will do. */
static bool bench_make_requests(Bench *bench, GError **error)
{
    const BenchArgs *args = bench->args;
    int64_t requests = MIN(args->depth, args->count);
    int64_t stride = MAX((args->buffer_bytes + 4095) / 4096 * 4096, 4096);
    int64_t buffers = args->is_write ? 1 : CLAMP(BENCH_MEMORY_BYTES / stride, 1, MAX(requests, 1));

    bench->requests = g_new0(BenchRequest, requests);
    if (!bench_get_memory(bench, buffers, stride, error)) {
        return false;
    }
    for (int64_t i = requests - 1; i >= 0; i--) {
        BenchRequest *request = &bench->requests[i];

        request->bench = bench;
        io_vector_init_buf(&request->iov, bench->memory + i % buffers * stride,
                           args->buffer_bytes);
        request->next = bench->idle;
        bench->idle = request;
    }
    return true;
}

static void bench_clear(Bench *bench)
{
    g_free(bench->requests);
    if (bench->memory) {
        munmap(bench->memory, bench->memory_bytes);
    }
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bench, bench_clear)

/* ---- the run ------------------------------------------------------------------ */

static void bench_set_error(const Bench *bench, GError **error)
{
    cairn_set_error_errno(error, -bench->ret, "Failed request");
    if (bench->failed_at >= 0 &&
        bench->args->buffer_bytes > bench->length - MIN(bench->failed_at, bench->length)) {
        cairn_error_append_hint(error, "The request at offset %" PRId64 " reaches past the end of"
                                " the image, which has %" PRId64 " bytes.", bench->failed_at,
                                bench->length);
    }
}

bool bench_run(BlockBackend *blk, const BenchArgs *args, GError **error)
{
    g_auto(Bench) bench = {
        .args = args, .blk = blk, .length = blk_getlength(blk), .offset = args->offset,
        .left = args->count, .flushed_at = -1,
    };

    if (bench.length < 0) {
        cairn_set_error_errno(error, (int)-bench.length, "Could not get the length of '%s'",
                              args->filename);
        return false;
    }
    if (!bench_make_requests(&bench, error)) {
        return false;
    }
    bench_go_on(&bench);
    if (!bench.is_done) {
        aio_context_poll_until(aio_context_ensure(), &bench.is_done);
    }
    if (bench.ret < 0) {
        bench_set_error(&bench, error);
    }
    return bench.ret == 0;
}
