/* SPDX-License-Identifier: MIT */
/*
 * cairn-img resize and measure by their own contract.
 */
#include "tool-run.h"

#include <string.h>
#include <sys/stat.h>

static struct stat stat_file(const ToolFolder *f, const char *name)
{
    g_autofree char *path = tool_path(f, name);
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st;
}

static void growing_adds_zeros(ToolFolder *f, gconstpointer data)
{
    g_autofree char *before = NULL, *after = NULL;
    size_t old_bytes, new_bytes;
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 65536, 65536);
    before = tool_read_file(f, "a.raw", &old_bytes);
    run = tool_run(f, "resize -f raw a.raw +64k");
    g_assert_cmpstr(run.out, ==, "Image resized.\n");
    g_assert_cmpint(run.status, ==, 0);
    after = tool_read_file(f, "a.raw", &new_bytes);
    g_assert_cmpuint(new_bytes, ==, 131072);
    g_assert_cmpmem(before, old_bytes, after, 65536);
    for (size_t i = 65536; i < new_bytes; i++) {
        g_assert_cmpint(after[i], ==, 0);
    }
}

/* Nothing of the file may be lost to a forgotten sign or a wrong number. */
static void refusal_keeps_data(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "resize -f raw a.raw 4096", "resize -f raw a.raw -512", "resize -f raw --shrink a.raw 0",
        "resize -f raw --shrink a.raw -64k", "resize -f raw --shrink a.raw -1E",
        "resize -f raw --shrink a.raw x", "resize --shrink -f raw a.raw",
        "resize -f raw --shrink --preallocation=full a.raw 4096",
        "resize -f raw --shrink --preallocation=none a.raw 4096",
        "resize -f raw a.raw 9E", "resize -f raw a.raw +8E",
        "resize --image-opts --shrink driver=raw,size=4096,file.filename=a.raw 512",
    };

    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_make_raw(f, "before", 65536, 65536);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_cmpstr(run.out, ==, "");
        tool_assert_same_files(f, "before", "a.raw");
    }
}

static void shrinking_cuts_to_the_byte(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_must(f, "resize -q -f raw --shrink a.raw -64536");
    g_assert_cmpint(stat_file(f, "a.raw").st_size, ==, 1000);
    tool_must(f, "resize -q -f raw a.raw --shrink 999");
    g_assert_cmpint(stat_file(f, "a.raw").st_size, ==, 999);
}

static void preallocation_takes_blocks(ToolFolder *f, gconstpointer data)
{
    static const char *const modes[] = { "falloc", "full" };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *line = g_strdup_printf("resize -q -f raw --preallocation=%s a.raw 1M",
                                                modes[i]);

        tool_make_raw(f, "a.raw", 65536, 0);
        tool_must(f, line);
        g_assert_cmpint(stat_file(f, "a.raw").st_size, ==, 1 << 20);
        g_assert_cmpint(stat_file(f, "a.raw").st_blocks * 512, >=, (1 << 20) - 65536);
    }
}

static void help_is_printed(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "resize --help");

    g_assert_cmpint(run.status, ==, 0);
    g_assert_true(g_str_has_prefix(run.out, "cairn-img version "));
}

/* ---- measure ------------------------------------------------------------------ */

static void measure_is_what_creation_takes(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "measure --output=json --size 1000000");

    g_assert_cmpstr(run.out, ==, "{\n    \"required\": 1000448,\n"
                    "    \"fully-allocated\": 1000448\n}\n");
    tool_must(f, "create -q a.raw 1000000");
    g_assert_cmpint(stat_file(f, "a.raw").st_size, ==, 1000448);
}

static void measure_touches_nothing(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 65536, 65536);
    tool_make_raw(f, "before", 65536, 65536);
    run = tool_run(f, "measure -O raw -o preallocation=full,nocow=on -f raw a.raw");
    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpstr(run.out, ==, "required size: 65536\nfully allocated size: 65536\n");
    tool_assert_same_files(f, "before", "a.raw");
}

static void measure_size_option_is_warned_of(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = tool_run(f, "measure -o size=2M --size 1M");

    g_assert_cmpstr(run.out, ==, "required size: 1048576\nfully allocated size: 1048576\n");
    g_assert_true(g_str_has_prefix(run.err, "cairn-img: warning: -o size= has no effect"));
    g_assert_cmpint(run.status, ==, 0);
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/resize/growing/adds-zeros", growing_adds_zeros);
    CASE("/img/resize/refusal/keeps-data", refusal_keeps_data);
    CASE("/img/resize/shrinking/cuts-to-the-byte", shrinking_cuts_to_the_byte);
    CASE("/img/resize/preallocation/takes-blocks", preallocation_takes_blocks);
    CASE("/img/resize/help/is-printed", help_is_printed);
    CASE("/img/measure/figures/are-what-creation-takes", measure_is_what_creation_takes);
    CASE("/img/measure/file/is-not-touched", measure_touches_nothing);
    CASE("/img/measure/size-among-options/is-warned-of", measure_size_option_is_warned_of);
    return g_test_run();
}
