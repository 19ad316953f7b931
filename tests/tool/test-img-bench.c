/* SPDX-License-Identifier: MIT */
/*
 * cairn-img bench by its effects: which bytes it writes, and that it ends, whatever it is asked.
 */
#include "tool-run.h"

#include <string.h>

/* Requests of 1 KiB, 3 KiB apart, from 2 KiB on, in an image of 8 KiB: at 2, 5, 0, 3 and 6 KiB. */
static void writes_where_it_says(ToolFolder *f, gconstpointer data)
{
    g_autofree char *bytes = NULL;
    size_t length;

    tool_make_raw(f, "a.raw", 8192, 0);
    tool_must(f, "bench -q -w -f raw --pattern=0x41 -c 5 -d 2 -s 1k -S 3k -o 2k a.raw");
    bytes = tool_read_file(f, "a.raw", &length);
    g_assert_cmpuint(length, ==, 8192);
    for (size_t i = 0; i < length; i++) {
        g_assert_cmpint(bytes[i], ==, strchr("02356", '0' + (int)(i / 1024)) ? 'A' : 0);
    }
}

static void reading_changes_nothing(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_make_raw(f, "before", 65536, 65536);
    run = tool_run(f, "bench -c 500 -d 33 --pattern=7 a.raw");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_cmpstr(run.err, ==, "");
    g_assert_true(g_regex_match_simple("^Sending 500 read requests, 4096 bytes each, 33 in"
                                       " parallel \\(starting at offset 0, step size 4096\\)\n"
                                       "Run completed in \\d+\\.\\d{3} seconds\\.\n$", run.out, 0,
                                       0));
    tool_assert_same_files(f, "before", "a.raw");
}

static void flushes_do_not_hang(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "bench -q -w -f raw -c 7 -d 3 --flush-interval=3 a.raw",
        "bench -q -w -f raw -c 7 -d 3 --flush-interval=3 --no-drain a.raw",
        "bench -q -w -f raw -c 3 -d 64 --flush-interval=64 a.raw",
        "bench -q -w -f raw -c 64 -d 64 --flush-interval=64 a.raw",
        "bench -q -w -f raw -c 100 -d 1 --flush-interval=1 a.raw",
        "bench -q -w -f raw -c 0 --flush-interval=64 a.raw",
        "bench -q -w -f qcow -c 300 -d 5 --flush-interval=7 --no-drain a.qcow",
    };

    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_must(f, "convert -O qcow a.raw a.qcow");
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        tool_must(f, lines[i]);
    }
    tool_must(f, "check -q a.qcow");
}

static void impossible_is_refused(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_make_raw(f, "empty.raw", 0, 0);
    tool_must_fail(f, "bench -d 0 a.raw", 1, "cairn-img: Invalid queue depth specified\n");
    tool_must_fail(f, "bench -q -c 5 empty.raw", 1, "cairn-img: Failed request: Input/output"
                   " error\nThe request at offset 0 reaches past the end of the image, which has"
                   " 0 bytes.\n");
    tool_must_fail(f, "bench -q -c 1 -o 8191P -S 2147483647 a.raw", 1, "cairn-img: Failed"
                   " request: Input/output error\nThe request at offset 9222246136947933184"
                   " reaches past the end of the image, which has 65536 bytes.\n");
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/bench/write/goes-where-it-says", writes_where_it_says);
    CASE("/img/bench/read/changes-nothing", reading_changes_nothing);
    CASE("/img/bench/flush/does-not-hang", flushes_do_not_hang);
    CASE("/img/bench/impossible/is-refused", impossible_is_refused);
    return g_test_run();
}
