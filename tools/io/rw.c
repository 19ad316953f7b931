/* SPDX-License-Identifier: MIT */
/* cairn-io: read and write. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

typedef struct ReadArgs {
    bool vmstate, dump, verify, has_window;
    int pattern;
    int64_t verify_offset, verify_length;   /* length -1: to the end */
    IoReport report;
} ReadArgs;

/* Returns 0; '?' for what the usage line tells; another letter: it has said what is wrong. */
static int read_getopt(ReadArgs *args, int argc, char **argv)
{
    bool ok = true;
    int c;

    while (ok && (c = getopt(argc, argv, "abCl:pP:qs:v")) != -1) {
        switch (c) {
        case 'a': case 'p': break;
        case 'b': args->vmstate = true; break;
        case 'C': args->report.machine = true; break;
        case 'l':
            args->has_window = true;
            ok = io_parse_number(optarg, &args->verify_length);
            break;
        case 'P':
            args->verify = true;
            ok = io_parse_pattern(optarg, &args->pattern);
            break;
        case 'q': args->report.quiet = true; break;
        case 's':
            args->has_window = true;
            ok = io_parse_number(optarg, &args->verify_offset);
            break;
        case 'v': args->dump = true; break;
        default: return '?';
        }
    }
    if (!ok) {
        return c;
    }
    return optind == argc - 2 ? 0 : '?';
}

/* The window that -P is held against: all of it, or what -s and -l say. */
static bool read_check_window(ReadArgs *args)
{
    int64_t rest = args->report.requested - args->verify_offset;

    if (args->has_window && !args->verify) {
        io_print_usage("read");
        return false;
    }
    if (args->verify_length < 0) {
        args->verify_length = rest;
    }
    if (rest < 0 || args->verify_length > rest) {
        printf("pattern verification range exceeds end of read data\n");
        return false;
    }
    return true;
}

static bool read_run(IoShell *shell, ReadArgs *args, uint8_t *buf)
{
    IoReport *report = &args->report;
    bool ok = true;
    int ret;

    report->start_us = g_get_monotonic_time();
    ret = args->vmstate ? -ENOTSUP
                        : blk_pread(shell->blk, report->offset, report->requested, buf);
    if (ret < 0) {
        printf("read failed: %s\n", g_strerror(-ret));
        io_explain_range(shell, ret, report->offset, report->requested);
        return false;
    }
    if (args->verify) {
        ok = io_verify(buf + args->verify_offset, args->verify_length, args->pattern,
                       report->offset + args->verify_offset);
    }
    if (args->dump && !report->quiet) {
        io_dump(buf, report->requested, report->offset);
    }
    report->done = report->requested;
    io_report_print(report);
    return ok;
}

bool io_cmd_read(IoShell *shell, int argc, char **argv)
{
    ReadArgs args = { .verify_length = -1, .report = { .verb = "read" } };
    IoReport *report = &args.report;
    uint8_t *buf;
    bool ok;
    int c = read_getopt(&args, argc, argv);

    if (c) {
        if (c == '?') {
            io_print_usage("read");
        }
        return false;
    }
    if (!io_parse_number(argv[optind], &report->offset) ||
        !io_parse_length(argv[optind + 1], &report->requested) || !read_check_window(&args) ||
        (args.vmstate && !io_check_sectors(report->offset, report->requested))) {
        return false;
    }
    buf = io_buffer_new(shell, report->requested, 0xab);
    ok = buf && read_run(shell, &args, buf);
    io_buffer_free(shell, buf);
    return ok;
}

typedef struct WriteArgs {
    bool vmstate, compressed, zeroes, has_pattern;
    int flags;                  /* BDRV_REQ_* */
    const char *source;
    int pattern;
    IoReport report;
} WriteArgs;

/* Returns 0; '?' for what the usage line tells; another letter: it has said what is wrong. */
static int write_getopt(WriteArgs *args, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "bcCfnpP:qs:uz")) != -1) {
        switch (c) {
        case 'b': args->vmstate = true; break;
        case 'c': args->compressed = true; break;
        case 'C': args->report.machine = true; break;
        case 'f': args->flags |= BDRV_REQ_FUA; break;
        case 'n': args->flags |= BDRV_REQ_NO_FALLBACK; break;
        case 'p': break;
        case 'P':
            args->has_pattern = true;
            if (!io_parse_pattern(optarg, &args->pattern)) {
                return c;
            }
            break;
        case 'q': args->report.quiet = true; break;
        case 's': args->source = optarg; break;
        case 'u': args->flags |= BDRV_REQ_MAY_UNMAP; break;
        case 'z': args->zeroes = true; break;
        default: return '?';
        }
    }
    return optind == argc - 2 ? 0 : '?';
}

/* Options that exclude or need one another. */
static bool write_check_options(const WriteArgs *args)
{
    const char *problem = NULL;

    if (args->vmstate && args->zeroes) {
        problem = "-b and -z cannot be specified at the same time";
    } else if ((args->flags & BDRV_REQ_FUA) && (args->vmstate || args->compressed)) {
        problem = "-f and -b or -c cannot be specified at the same time";
    } else if ((args->flags & BDRV_REQ_NO_FALLBACK) && !args->zeroes) {
        problem = "-n requires -z to be specified";
    } else if ((args->flags & BDRV_REQ_MAY_UNMAP) && !args->zeroes) {
        problem = "-u requires -z to be specified";
    } else if (args->zeroes + args->has_pattern + !!args->source > 1) {
        problem = "Only one of -z, -P, and -s can be specified at the same time";
    }
    if (problem) {
        printf("%s\n", problem);
    }
    return !problem;
}

/* Only zeroes that need no bytes written may be longer than one request. */
static bool write_parse_range(WriteArgs *args, char **argv)
{
    IoReport *report = &args->report;

    if (!io_parse_number(argv[optind], &report->offset) ||
        !io_parse_number(argv[optind + 1], &report->requested)) {
        return false;
    }
    if (report->requested > BDRV_REQUEST_MAX_BYTES && !(args->flags & BDRV_REQ_NO_FALLBACK)) {
        printf("length cannot exceed %" PRId64 " without -n, given %s\n", BDRV_REQUEST_MAX_BYTES,
               argv[optind + 1]);
        return false;
    }
    return (!args->vmstate && !args->compressed) ||
           io_check_sectors(report->offset, report->requested);
}

/* Fills @buf with the file's content, again and again. */
static bool write_fill_from_file(const char *path, uint8_t *buf, int64_t bytes)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    gsize length = 0;

    if (!g_file_get_contents(path, &data, &length, &error)) {
        int err = g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? ENOENT
                : g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ACCES) ? EACCES
                : g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_ISDIR) ? EISDIR : EIO;

        fprintf(stderr, "%s: %s\n", path, g_strerror(err));
        return false;
    }
    if (!length) {
        fprintf(stderr, "%s: file is empty\n", path);
        return false;
    }
    for (int64_t done = 0; done < bytes; done += (int64_t)length) {
        memcpy(buf + done, data, MIN((gsize)(bytes - done), length));
    }
    return true;
}

/* One cluster, or the shorter one at the end; where it begins and ends the library judges. */
static int write_compressed(IoShell *shell, const WriteArgs *args, const uint8_t *buf)
{
    int64_t offset = args->report.offset, bytes = args->report.requested;
    int64_t cluster = blk_get_cluster_size(shell->blk);
    int64_t rest = blk_getlength(shell->blk) - offset;

    if (cluster && bytes <= rest && bytes != MIN(cluster, rest)) {
        return -EINVAL;
    }
    return blk_pwrite(shell->blk, offset, bytes, buf, args->flags | BDRV_REQ_WRITE_COMPRESSED);
}

static int write_request(IoShell *shell, const WriteArgs *args, const uint8_t *buf)
{
    int64_t offset = args->report.offset, bytes = args->report.requested;

    if (args->vmstate) {
        return -ENOTSUP;
    }
    if (args->zeroes) {
        return blk_pwrite_zeroes(shell->blk, offset, bytes, args->flags);
    }
    return args->compressed ? write_compressed(shell, args, buf)
                            : blk_pwrite(shell->blk, offset, bytes, buf, args->flags);
}

static void write_explain(IoShell *shell, const WriteArgs *args, int ret)
{
    int64_t cluster = blk_get_cluster_size(shell->blk);

    io_explain_range(shell, ret, args->report.offset, args->report.requested);
    if (ret == -EINVAL && args->compressed && cluster) {
        fflush(stdout);
        fprintf(stderr, "A compressed write is one cluster, of %" PRId64 " bytes here, or the "
                "shorter one at the image's end.\n", cluster);
    }
}

static bool write_run(IoShell *shell, WriteArgs *args, uint8_t *buf)
{
    int ret;

    g_assert(buf || !args->source);     /* zeros have neither */
    if (args->source && !write_fill_from_file(args->source, buf, args->report.requested)) {
        return false;
    }
    args->report.start_us = g_get_monotonic_time();
    ret = write_request(shell, args, buf);
    if (ret < 0) {
        printf("write failed: %s\n", g_strerror(-ret));
        write_explain(shell, args, ret);
        return false;
    }
    args->report.done = args->report.requested;
    io_report_print(&args->report);
    return true;
}

bool io_cmd_write(IoShell *shell, int argc, char **argv)
{
    WriteArgs args = { .pattern = 0xcd, .report = { .verb = "wrote" } };
    uint8_t *buf = NULL;
    bool ok;
    int c = write_getopt(&args, argc, argv);

    if (c) {
        if (c == '?') {
            io_print_usage("write");
        }
        return false;
    }
    if (!write_check_options(&args) || !write_parse_range(&args, argv)) {
        return false;
    }
    if (!args.zeroes) {
        buf = io_buffer_new(shell, args.report.requested, args.pattern);
        if (!buf) {
            return false;
        }
    }
    ok = write_run(shell, &args, buf);
    io_buffer_free(shell, buf);
    return ok;
}
