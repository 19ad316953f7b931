/* SPDX-License-Identifier: MIT */
/*
 * cairn-img snapshot, amend and bitmap: what no format here can do is refused, and the image stays
 * as it is. Messages are held against the peer in tests/interop.
 */
#include "tool-run.h"

#include <string.h>

static void refusal_leaves_image_alone(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "snapshot -c a a.qcow", "snapshot -a a a.qcow", "snapshot -d a a.qcow",
        "amend -o size=2M a.qcow", "bitmap --add a.qcow b", "bitmap --clear a.qcow b",
        "bitmap --merge c -b a.qcow a.qcow b",
    };

    tool_make_raw(f, "a.raw", 1 << 20, 100000);
    tool_must(f, "convert -O qcow a.raw a.qcow");
    tool_must(f, "convert -O qcow a.raw before.qcow");
    tool_assert_same_files(f, "before.qcow", "a.qcow");
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_cmpstr(run.out, ==, "");
        g_assert_true(g_str_has_prefix(run.err, "cairn-img: "));
        tool_assert_same_files(f, "before.qcow", "a.qcow");
    }
}

static void list_is_empty(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 65536, 512);
    run = tool_run(f, "snapshot -l a.raw");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_cmpstr(run.out, ==, "");
    g_assert_cmpstr(run.err, ==, "");
}

/* The node's made-up name, which the peer shows there, tells nobody which image it was. */
static void bitmap_refusal_names_file(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 65536, 512);
    tool_must_fail(f, "bitmap --add -f raw a.raw b", 1, "cairn-img: Operation add on bitmap b"
                   " failed: Can't store persistent bitmaps to a.raw: Operation not supported\n");
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/snapshot/refusal/leaves-the-image-alone", refusal_leaves_image_alone);
    CASE("/img/snapshot/list/is-empty", list_is_empty);
    CASE("/img/bitmap/refusal/names-the-file", bitmap_refusal_names_file);
    return g_test_run();
}
