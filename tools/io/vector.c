/* SPDX-License-Identifier: MIT */
/* cairn-io: vectored requests, and the asynchronous ones, which take vectors too. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "common/tool.h"

/* One request with its memory; freed when its result has been printed. */
typedef struct VectorRequest {
    IoShell *shell;
    bool is_write, dump, zeroes;
    bool injected;              /* -i: it has said that it injects a request, and makes none */
    int flags;                  /* BDRV_REQ_* */
    bool verify;                /* -P of a read */
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

/* Returns 0; '?' for what the usage line tells; another letter: it has said what is wrong. */
static int vector_getopt(VectorRequest *req, const char *letters, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, letters)) != -1) {
        switch (c) {
        case 'C': req->report.machine = true; break;
        case 'f': req->flags |= BDRV_REQ_FUA; break;
        case 'i':
            printf("injecting invalid %s request\n", req->is_write ? "write" : "read");
            req->injected = true;
            return c;
        case 'P':
            req->verify = !req->is_write;
            if (!io_parse_pattern(optarg, &req->pattern)) {
                return c;
            }
            break;
        case 'q': req->report.quiet = true; break;
        case 'u': req->flags |= BDRV_REQ_MAY_UNMAP; break;
        case 'v': req->dump = true; break;
        case 'z': req->zeroes = true; break;
        default: return '?';
        }
    }
    return optind <= argc - 2 ? 0 : '?';
}

/* The sum of the lengths; -1: it has said what is wrong. */
static int64_t vector_parse_lengths(int argc, char **argv)
{
    int64_t total = 0;

    for (int i = optind + 1; i < argc; i++) {
        int64_t length;

        if (!io_parse_number(argv[i], &length)) {
            return -1;
        }
        if (length > BDRV_REQUEST_MAX_BYTES) {
            printf("Argument '%s' exceeds maximum size %" PRId64 "\n", argv[i],
                   BDRV_REQUEST_MAX_BYTES);
            return -1;
        }
        total += length;
        if (total > BDRV_REQUEST_MAX_BYTES) {
            printf("The total number of bytes exceed the maximum size %" PRId64 "\n",
                   BDRV_REQUEST_MAX_BYTES);
            return -1;
        }
    }
    return total;
}

/* "off len [len..]": one buffer, cut into the elements. */
static bool vector_parse_range(VectorRequest *req, int argc, char **argv)
{
    int64_t total;
    uint8_t *p;

    if (!io_parse_number(argv[optind], &req->report.offset)) {
        return false;
    }
    total = vector_parse_lengths(argc, argv);
    if (total < 0) {
        return false;
    }
    req->report.requested = total;
    req->buf = io_buffer_new(req->shell, total, req->is_write ? req->pattern : 0xab);
    if (!req->buf) {
        return false;
    }
    p = req->buf;
    for (int i = optind + 1; i < argc; i++) {
        uint64_t length = 0;

        cairn_parse_size(argv[i], &length, NULL);       /* which has been found right */
        io_vector_add(&req->iov, p, (size_t)length);
        p += length;
    }
    return true;
}

/* "off len" of zeroes to write, which need no memory. */
static bool vector_parse_zeroes(VectorRequest *req, int argc, char **argv)
{
    if (optind != argc - 2) {
        printf("-z supports only a single length parameter\n");
        return false;
    }
    return io_parse_number(argv[optind], &req->report.offset) &&
           io_parse_number(argv[optind + 1], &req->report.requested);
}

static bool vector_parse_options(VectorRequest *req, const char *letters, int argc, char **argv)
{
    int c = vector_getopt(req, letters, argc, argv);

    if (c == '?') {
        io_print_usage(argv[0]);
    } else if (!c && (req->flags & BDRV_REQ_MAY_UNMAP) && !req->zeroes) {
        printf("-u requires -z to be specified\n");
        return false;
    }
    return !c;
}

/* Options and arguments; false: it has said what is wrong. */
static bool vector_parse(VectorRequest *req, const char *letters, int argc, char **argv)
{
    if (!vector_parse_options(req, letters, argc, argv)) {
        return false;
    }
    return req->zeroes ? vector_parse_zeroes(req, argc, argv)
                       : vector_parse_range(req, argc, argv);
}

/* Prints what came of a request. Returns whether all was as asked. */
static bool vector_finish(VectorRequest *req, int ret)
{
    bool ok = true;

    if (ret < 0) {
        printf("%s failed: %s\n", req->failure_verb, g_strerror(-ret));
        io_explain_range(req->shell, ret, req->report.offset, req->report.requested);
        return false;
    }
    if (req->verify) {
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

    if (ret < 0 || req->verify || !req->report.quiet) {
        io_input_async_line(req->shell);
    }
    if (!vector_finish(req, ret)) {
        req->shell->async_failed = true;
    }
    req->shell->pending--;
    io_debug_check(req->shell);
    vector_request_free(req);
}

bool io_cmd_aio_read(IoShell *shell, int argc, char **argv)
{
    g_autoptr(VectorRequest) req = vector_request_new(shell, false, "readv");
    VectorRequest *running;

    if (!vector_parse(req, "CiP:qv", argc, argv)) {
        return req->injected;
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
        return req->injected;
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
