/* SPDX-License-Identifier: MIT */
/* cairn-io: flush, discard, truncate, and questions about the image. */
#include "io/io.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/tool.h"

bool io_cmd_flush(IoShell *shell, int argc, char **argv)
{
    int ret = blk_flush(shell->blk);

    if (ret < 0) {
        io_error("flush failed: %s", g_strerror(-ret));
    }
    return ret == 0;
}

bool io_cmd_discard(IoShell *shell, int argc, char **argv)
{
    IoReport report = { .verb = "discard" };
    int c, ret;

    while ((c = getopt(argc, argv, "Cq")) != -1) {
        switch (c) {
        case 'C': report.machine = true; break;
        case 'q': report.quiet = true; break;
        default:
            io_print_usage("discard");
            return false;
        }
    }
    if (optind != argc - 2) {
        io_print_usage("discard");
        return false;
    }
    if (!io_parse_number(argv[optind], &report.offset) ||
        !io_parse_length(argv[optind + 1], &report.requested)) {
        return false;
    }
    report.start_us = g_get_monotonic_time();
    ret = blk_pdiscard(shell->blk, report.offset, report.requested);
    if (ret < 0) {
        printf("discard failed: %s\n", g_strerror(-ret));
        io_explain_range(shell, ret, report.offset, report.requested);
        return false;
    }
    report.done = report.requested;
    io_report_print(&report);
    return true;
}

bool io_cmd_truncate(IoShell *shell, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    PreallocMode prealloc = PREALLOC_MODE_OFF;
    int64_t bytes;
    int c;

    while ((c = getopt(argc, argv, "m:")) != -1) {
        if (c != 'm') {
            io_print_usage("truncate");
            return false;
        }
        if (!tool_parse_prealloc(optarg, &prealloc, &error)) {
            tool_report(error);
            return false;
        }
    }
    if (optind != argc - 1) {
        io_print_usage("truncate");
        return false;
    }
    if (!io_parse_number(argv[optind], &bytes)) {
        return false;
    }
    if (!blk_truncate(shell->blk, bytes, prealloc, &error)) {
        tool_report(error);
        return false;
    }
    return true;
}

bool io_cmd_length(IoShell *shell, int argc, char **argv)
{
    int64_t length = blk_getlength(shell->blk);
    g_autofree char *text = NULL;

    if (length < 0) {
        printf("getlength: %s\n", g_strerror((int)-length));
        return false;
    }
    text = io_format_size((double)length);
    printf("%s\n", text);
    return true;
}

bool io_cmd_info(IoShell *shell, int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *cluster = NULL, *vm_state = NULL;
    BlockDriverInfo info = { 0 };

    if (!blk_get_info(shell->blk, &info, &error)) {
        tool_report(error);
        return false;
    }
    cluster = io_format_size((double)info.cluster_size);
    vm_state = io_format_size((double)info.vm_state_offset);
    printf("format name: %s\n", shell->format);
    printf("cluster size: %s\n", cluster);
    printf("vm state offset: %s\n", vm_state);
    return true;
}

/*
 * The longest run from @offset on that the image itself holds, or does not.
 * Returns its length, 0 at the end, -errno.
 */
static int64_t layer_run(BlockBackend *blk, int64_t offset, int64_t bytes, bool *allocated)
{
    int64_t total = 0;

    while (total < bytes) {
        BlockStatus status;
        int ret = blk_block_status(blk, offset + total, bytes - total, &status);
        bool here;

        if (ret < 0) {
            return ret;
        }
        here = status.flags & BDRV_BLOCK_ALLOCATED;
        if (status.bytes == 0 || (total && here != *allocated)) {
            break;
        }
        *allocated = here;
        total += status.bytes;
    }
    return total;
}

bool io_cmd_alloc(IoShell *shell, int argc, char **argv)
{
    int64_t start, count = BDRV_SECTOR_SIZE, offset, end, length, sum = 0;
    g_autofree char *text = NULL;

    if (!io_parse_number(argv[1], &start) || (argc == 3 && !io_parse_number(argv[2], &count))) {
        return false;
    }
    length = blk_getlength(shell->blk);
    if (length < 0) {
        printf("getlength: %s\n", g_strerror((int)-length));
        return false;
    }
    count = start >= length ? 0 : MIN(count, length - start);
    end = start + count;
    for (offset = start; offset < end;) {
        bool allocated = false;
        int64_t run = layer_run(shell->blk, offset, end - offset, &allocated);

        if (run <= 0) {
            printf("is_allocated failed: %s\n", g_strerror((int)-run));
            return false;
        }
        sum += allocated ? run : 0;
        offset += run;
    }
    text = io_format_size((double)start);
    printf("%" PRId64 "/%" PRId64 " bytes allocated at offset %s\n", sum, count, text);
    return true;
}

bool io_cmd_map(IoShell *shell, int argc, char **argv)
{
    int64_t length = blk_getlength(shell->blk);

    if (length < 0) {
        io_error("Failed to query image length: %s", g_strerror((int)-length));
        return false;
    }
    if (length == 0) {
        return true;
    }
    for (int64_t offset = 0; offset < length;) {
        bool allocated = false;
        int64_t run = layer_run(shell->blk, offset, length - offset, &allocated);
        g_autofree char *size = NULL, *place = NULL;

        if (run <= 0) {
            io_error("Failed to get allocation status: %s", g_strerror((int)-run));
            return false;
        }
        size = io_format_size((double)run);
        place = io_format_size((double)offset);
        printf("%s (0x%" PRIx64 ") bytes %s allocated at offset %s (0x%" PRIx64 ")\n", size, run,
               allocated ? "   " : "not", place, offset);
        offset += run;
    }
    return true;
}
