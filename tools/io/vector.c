/* SPDX-License-Identifier: MIT */
/* cairn-io: vectored requests, and the asynchronous ones, which take vectors too. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

/* One request with its memory; freed when its result has been printed. */
typedef struct VectorRequest {
    IoShell *shell;
    bool is_write, dump, inject_error, zeroes;
    int flags;                  /* BDRV_REQ_* */
    const char *pattern_text;
    int pattern;
    const char *failure_verb;   /* "readv", "writev", "aio_write" */
    uint8_t *buf;
    IOVector iov;
    IoReport report;
} VectorRequest;

static VectorRequest *vector_request_new(IoShell *shell, bool is_write, const char *failure_verb)
{
    VectorRequest *req = g_new0(VectorRequest, 1);

    req->shell = shell;
    req->is_write = is_write;
    req->failure_verb = failure_verb;
    req->pattern = 0xcd;
    req->report.verb = is_write ? "wrote" : "read";
    io_vector_init(&req->iov, 4);
    return req;
}

static void vector_request_free(VectorRequest *req)
{
    io_vector_destroy(&req->iov);
    io_buffer_free(req->shell, req->buf);
    g_free(req);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(VectorRequest, vector_request_free)

static bool vector_getopt(VectorRequest *req, const char *letters, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, letters)) != -1) {
        switch (c) {
        case 'C': req->report.machine = true; break;
        case 'f': req->flags |= BDRV_REQ_FUA; break;
        case 'i': req->inject_error = true; break;
        case 'P': req->pattern_text = optarg; break;
        case 'q': req->report.quiet = true; break;
        case 'u': req->flags |= BDRV_REQ_MAY_UNMAP; break;
        case 'v': req->dump = true; break;
        case 'z': req->zeroes = true; break;
        default: return false;
        }
    }
    return optind <= argc - 2;
}

/* "off len [len..]": one buffer, cut into the elements. */
static bool vector_parse_lengths(VectorRequest *req, int argc, char **argv)
{
    int64_t total = 0;
    uint8_t *p;

    if (!io_parse_number(argv[optind], &req->report.offset)) {
        return false;
    }
    for (int i = optind + 1; i < argc; i++) {
        int64_t length;

        if (!io_parse_length(argv[i], &length)) {
            return false;
        }
        total += length;
        if (total > BDRV_REQUEST_MAX_BYTES) {
            printf("length cannot exceed %" PRId64 ", given %s\n", BDRV_REQUEST_MAX_BYTES,
                   argv[i]);
            return false;
        }
    }
    req->report.requested = total;
    req->buf = io_buffer_new(req->shell, total, req->is_write ? req->pattern : 0xab);
    if (!req->buf) {
        return false;
    }
    p = req->buf;
    for (int i = optind + 1; i < argc; i++) {
        int64_t length = 0;

        io_parse_length(argv[i], &length);
        io_vector_add(&req->iov, p, (size_t)length);
        p += length;
    }
    return true;
}

/* Options and arguments; false: it has said what is wrong. */
static bool vector_parse(VectorRequest *req, const char *letters, int argc, char **argv)
{
    if (!vector_getopt(req, letters, argc, argv)) {
        io_print_usage(argv[0]);
        return false;
    }
    if (req->zeroes && (req->pattern_text || optind != argc - 2)) {
        if (req->pattern_text) {
            printf("-z and -P cannot be specified at the same time\n");
        } else {
            printf("-z supports only a single length parameter\n");
        }
        return false;
    }
    if ((req->flags & BDRV_REQ_MAY_UNMAP) && !req->zeroes) {
        printf("-u requires -z to be specified\n");
        return false;
    }
    if (req->pattern_text && !io_parse_pattern(req->pattern_text, &req->pattern)) {
        return false;
    }
    return vector_parse_lengths(req, argc, argv);
}

/* Prints what came of a request. Returns whether all was as asked. */
static bool vector_finish(VectorRequest *req, int ret)
{
    bool ok = true;

    if (ret < 0) {
        printf("%s failed: %s\n", req->failure_verb, g_strerror(-ret));
        return false;
    }
    if (!req->is_write && req->pattern_text) {
        ok = io_verify(req->buf, req->report.requested, req->pattern, req->report.offset);
    }
    if (req->dump && !req->report.quiet) {
        io_dump(req->buf, req->report.requested, req->report.offset);
    }
    req->report.done = req->report.requested;
    io_report_print(&req->report);
    return ok;
}

bool io_cmd_readv(IoShell *shell, int argc, char **argv)
{
    g_autoptr(VectorRequest) req = vector_request_new(shell, false, "readv");

    if (!vector_parse(req, "CP:qv", argc, argv)) {
        return false;
    }
    req->report.start_us = g_get_monotonic_time();
    return vector_finish(req, blk_preadv(shell->blk, req->report.offset, &req->iov, 0));
}

bool io_cmd_writev(IoShell *shell, int argc, char **argv)
{
    g_autoptr(VectorRequest) req = vector_request_new(shell, true, "writev");

    if (!vector_parse(req, "CfP:q", argc, argv)) {
        return false;
    }
    req->report.start_us = g_get_monotonic_time();
    return vector_finish(req, blk_pwritev(shell->blk, req->report.offset, &req->iov, req->flags));
}

static void aio_done(void *opaque, int ret)
{
    VectorRequest *req = opaque;

    if (!vector_finish(req, ret)) {
        req->shell->async_failed = true;
    }
    req->shell->pending--;
    vector_request_free(req);
}

/* -i: says that it injects a request that is invalid, and makes none. */
static bool aio_injected(const VectorRequest *req)
{
    if (req->inject_error) {
        printf("injecting invalid %s request\n", req->is_write ? "write" : "read");
    }
    return req->inject_error;
}

bool io_cmd_aio_read(IoShell *shell, int argc, char **argv)
{
    g_autoptr(VectorRequest) req = vector_request_new(shell, false, "readv");
    VectorRequest *running;

    if (!vector_parse(req, "CiP:qv", argc, argv)) {
        return false;
    }
    if (aio_injected(req)) {
        return true;
    }
    shell->pending++;
    req->report.start_us = g_get_monotonic_time();
    running = g_steal_pointer(&req);
    blk_aio_preadv(shell->blk, running->report.offset, &running->iov, 0, aio_done, running);
    return true;
}

bool io_cmd_aio_write(IoShell *shell, int argc, char **argv)
{
    g_autoptr(VectorRequest) req = vector_request_new(shell, true, "aio_write");
    VectorRequest *running;

    if (!vector_parse(req, "CfiP:quz", argc, argv)) {
        return false;
    }
    if (aio_injected(req)) {
        return true;
    }
    shell->pending++;
    req->report.start_us = g_get_monotonic_time();
    running = g_steal_pointer(&req);
    if (running->zeroes) {
        blk_aio_pwrite_zeroes(shell->blk, running->report.offset, running->report.requested,
                              running->flags, aio_done, running);
    } else {
        blk_aio_pwritev(shell->blk, running->report.offset, &running->iov, running->flags,
                        aio_done, running);
    }
    return true;
}

bool io_cmd_aio_flush(IoShell *shell, int argc, char **argv)
{
    io_shell_settle(shell);
    return true;
}
