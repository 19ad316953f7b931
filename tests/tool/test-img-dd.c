/* SPDX-License-Identifier: MIT */
/*
 * cairn-img dd: what the peer gets wrong, or does not say. The rest is held against it in
 * tests/interop.
 */
#include "tool-run.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_is_part(const ToolFolder *f, const char *part, const char *whole, size_t offset,
                           size_t bytes)
{
    size_t part_bytes, whole_bytes;
    g_autofree char *a = tool_read_file(f, part, &part_bytes);
    g_autofree char *b = tool_read_file(f, whole, &whole_bytes);

    g_assert_cmpuint(offset + bytes, <=, whole_bytes);
    g_assert_cmpmem(a, part_bytes, b + offset, bytes);
}

static void count_begins_behind_skipped(ToolFolder *f, gconstpointer data)
{
    tool_make_raw(f, "s.raw", 65536, 65536);
    tool_must(f, "dd if=s.raw of=a.raw bs=4k skip=2 count=3");
    assert_is_part(f, "a.raw", "s.raw", 8192, 12288);
    tool_must(f, "dd if=s.raw of=a.raw bs=4k skip=15 count=3");
    assert_is_part(f, "a.raw", "s.raw", 61440, 4096);
    tool_must(f, "dd bs=4k skip=5 if=s.raw of=a.raw");
    assert_is_part(f, "a.raw", "s.raw", 20480, 45056);
}

static void block_size_does_not_matter(ToolFolder *f, gconstpointer data)
{
    static const char *const sizes[] = { "1", "511", "64k", "3M", "2147483647" };

    tool_make_raw(f, "s.raw", 5 << 20, 5000000);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *line = g_strdup_printf("dd -O qcow if=s.raw of=a.qcow bs=%s", sizes[i]);

        tool_must(f, line);
        tool_must(f, "compare s.raw a.qcow");
    }
}

/* Each would destroy the file that it reads, or is asked for what there is not. */
static void mistake_keeps_files(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "dd if=s.raw of=s.raw", "dd if=s.raw of=link", "dd if=s.raw of=file:./s.raw",
        "dd --image-opts if=driver=raw,file.filename=s.raw,file.locking=off of=link",
        "dd if=top.qcow of=s.raw", "dd if=s.raw of=keep skip=129", "dd if=s.raw of=keep bs=0",
        "dd if=s.raw of=keep skip=7E bs=2G", "dd -O none if=s.raw of=keep", "dd if=none of=keep",
        "dd if=s.raw of=keep conv=notrunc", "dd -O qcow if=s.raw of=keep count=0",
        "dd -f qcow if=cut.qcow of=keep",
    };
    g_autofree char *path = tool_path(f, "s.raw"), *other = tool_path(f, "link");
    g_autofree char *cut = tool_path(f, "cut.qcow");

    tool_make_raw(f, "s.raw", 65536, 65536);
    tool_make_raw(f, "before", 65536, 65536);
    tool_make_raw(f, "keep", 65536, 65536);
    g_assert_cmpint(link(path, other), ==, 0);
    tool_must(f, "create -q -f qcow -b s.raw -F raw top.qcow");
    tool_must(f, "convert -O qcow s.raw cut.qcow");
    g_assert_cmpint(truncate(cut, 20000), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_true(g_str_has_prefix(run.err, "cairn-img: "));
        tool_assert_same_files(f, "before", "s.raw");
        tool_assert_same_files(f, "before", "keep");
    }
}

static void padding_is_said(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };
    g_autofree char *bytes = NULL;
    size_t length;

    tool_make_raw(f, "s.raw", 700, 700);
    run = tool_run(f, "dd if=s.raw of=a.raw bs=100 skip=1 count=6");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_cmpstr(run.err, ==, "cairn-img: warning: 's.raw' has 700 bytes: zeros are added up to"
                    " 1024 bytes, a multiple of 512\n"
                    "cairn-img: warning: 'a.raw' gets 600 bytes: zeros are added up to 1024 bytes,"
                    " a multiple of 512\n");
    bytes = tool_read_file(f, "a.raw", &length);
    g_assert_cmpuint(length, ==, 1024);
    for (size_t i = 600; i < length; i++) {
        g_assert_cmpint(bytes[i], ==, 0);
    }
    tool_must(f, "create -q b.raw 1k");
    tool_must(f, "dd if=b.raw of=a.raw count=1");
}

static void empty_result_is_no_error(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a.raw");
    struct stat st;

    tool_make_raw(f, "s.raw", 65536, 65536);
    tool_must(f, "dd if=s.raw of=a.raw skip=128");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 0);
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/dd/count/begins-behind-the-skipped-blocks", count_begins_behind_skipped);
    CASE("/img/dd/block-size/does-not-matter", block_size_does_not_matter);
    CASE("/img/dd/mistake/keeps-files", mistake_keeps_files);
    CASE("/img/dd/padding/is-said", padding_is_said);
    CASE("/img/dd/empty-result/is-no-error", empty_result_is_no_error);
    return g_test_run();
}
