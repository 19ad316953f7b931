/* SPDX-License-Identifier: MIT */
/* cairn-img rebase and compact: what an image reads afterwards, and what its file holds. */
#include "tool-run.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define MIB (1 << 20)

static void fill(const ToolFolder *folder, const char *name, gsize bytes, int value, int other)
{
    g_autofree char *data = g_malloc(bytes);

    memset(data, value, bytes);
    memset(data + bytes / 2, other, bytes / 2);
    tool_write_file(folder, name, data, bytes);
}

static gsize size_of(const ToolFolder *folder, const char *name)
{
    gsize bytes;
    g_autofree char *data = tool_read_file(folder, name, &bytes);

    return bytes;
}

/* over.qcow on base.raw, with something of its own; before.raw: what it reads. */
static void make_overlay(const ToolFolder *folder)
{
    fill(folder, "base.raw", MIB, 1, 2);
    fill(folder, "other.raw", MIB, 1, 3);
    fill(folder, "own.raw", 65536, 9, 8);
    tool_must(folder, "create -q -f qcow -b base.raw -F raw over.qcow");
    tool_must(folder, "convert -n -f raw -O qcow own.raw over.qcow");
    tool_must(folder, "convert -f qcow over.qcow before.raw");
}

static void assert_reads_as_before(const ToolFolder *folder)
{
    tool_must(folder, "convert -f qcow over.qcow after.raw");
    tool_assert_same_files(folder, "before.raw", "after.raw");
    tool_must(folder, "check -q over.qcow");
}

static char *describe(const ToolFolder *folder)
{
    g_auto(ToolRun) run = tool_run(folder, "info over.qcow");

    g_assert_cmpint(run.status, ==, 0);
    return g_steal_pointer(&run.out);
}

/* ---- rebase ---- */

static void test_other_backing(ToolFolder *folder, gconstpointer data)
{
    make_overlay(folder);
    tool_must(folder, "rebase -b other.raw -F raw over.qcow");
    g_autofree char *text = describe(folder);

    g_assert_nonnull(strstr(text, "backing file: other.raw\nbacking file format: raw\n"));
    assert_reads_as_before(folder);
}

static void test_no_backing(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *base = tool_path(folder, "base.raw");

    make_overlay(folder);
    tool_must(folder, "rebase -b '' over.qcow");
    g_autofree char *text = describe(folder);

    g_assert_null(strstr(text, "backing file"));
    g_assert_cmpint(g_remove(base), ==, 0);
    assert_reads_as_before(folder);
}

static void test_name_only(ToolFolder *folder, gconstpointer data)
{
    gsize before;

    make_overlay(folder);
    before = size_of(folder, "over.qcow");
    tool_must(folder, "rebase -u -b moved.raw -F raw over.qcow");
    g_assert_cmpuint(size_of(folder, "over.qcow"), <=, before + 8192);
    g_autofree char *base = tool_path(folder, "base.raw");
    g_autofree char *moved = tool_path(folder, "moved.raw");

    g_assert_cmpint(g_rename(base, moved), ==, 0);
    assert_reads_as_before(folder);
}

static void test_failure(ToolFolder *folder, gconstpointer data)
{
    make_overlay(folder);
    tool_must_fail(folder, "rebase -b nope.raw -F raw over.qcow", 1,
                   "cairn-img: Could not open new backing file 'nope.raw': Could not open "
                   "'nope.raw': No such file or directory\n");
    tool_must_fail(folder, "rebase -b other.raw over.qcow", 1,
                   "cairn-img: Could not change the backing file to 'other.raw': backing format "
                   "must be specified\nName it: -F FORMAT.\n");
    assert_reads_as_before(folder);
}

/* ---- compact ---- */

static void add_leak(const ToolFolder *folder, const char *name)
{
    gsize bytes;
    g_autofree char *image = tool_read_file(folder, name, &bytes);
    g_autofree char *leaky = g_malloc(bytes + 65536);

    memcpy(leaky, image, bytes);
    memset(leaky + bytes, 7, 65536);
    tool_write_file(folder, name, leaky, bytes + 65536);
}

static void test_compact_in_place(ToolFolder *folder, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };
    gsize before;

    make_overlay(folder);
    before = size_of(folder, "over.qcow");
    add_leak(folder, "over.qcow");
    run = tool_run(folder, "compact over.qcow");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_true(g_str_has_prefix(run.out, "Image compacted: "));
    g_assert_cmpuint(size_of(folder, "over.qcow"), <=, before);
    assert_reads_as_before(folder);
    g_autofree char *part = tool_path(folder, "over.qcow.cairn-part");

    g_assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
}

static void test_compact_new_file(ToolFolder *folder, gconstpointer data)
{
    gsize before;

    make_overlay(folder);
    add_leak(folder, "over.qcow");
    before = size_of(folder, "over.qcow");
    tool_must(folder, "compact -q over.qcow new.qcow");
    g_assert_cmpuint(size_of(folder, "over.qcow"), ==, before);
    g_assert_cmpuint(size_of(folder, "new.qcow"), <, before);
    tool_must(folder, "compare -q over.qcow new.qcow");
}

static void test_compact_keeps_what_cannot_be_replaced(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *from = tool_path(folder, "over.qcow");
    g_autofree char *to = tool_path(folder, "link.qcow");

    make_overlay(folder);
    add_leak(folder, "over.qcow");
    g_assert_cmpint(link(from, to), ==, 0);
    tool_must_fail(folder, "compact over.qcow", 1,
                   "cairn-img: 'over.qcow' cannot be replaced by a new file\n"
                   "It has several links, is in use, or cannot be given its owner. Name another "
                   "file for the result.\n");
    tool_must_fail(folder, "compact base.raw", 1,
                   "cairn-img: Images of format 'raw' cannot be compacted\n");
    tool_must(folder, "convert -f qcow over.qcow after.raw");
    tool_assert_same_files(folder, "before.raw", "after.raw");
}

static void test_compact_encrypted(ToolFolder *folder, gconstpointer data)
{
    make_overlay(folder);
    tool_must(folder, "convert -f raw -O qcow --object secret,id=s,data=x "
              "-o encrypt.format=aes,encrypt.key-secret=s before.raw e.qcow");
    add_leak(folder, "e.qcow");
    tool_must(folder, "compact -q e.qcow");
    tool_must(folder, "convert --object secret,id=s,data=x --image-opts "
              "driver=qcow,file.filename=e.qcow,encrypt.key-secret=s after.raw");
    tool_assert_same_files(folder, "before.raw", "after.raw");
}

#define ADD(path, func) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, func, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/img-rebase/other-backing/reads-the-same", test_other_backing);
    ADD("/img-rebase/no-backing/stands-alone", test_no_backing);
    ADD("/img-rebase/name-only/copies-nothing", test_name_only);
    ADD("/img-rebase/failure/leaves-all", test_failure);
    ADD("/img-compact/in-place/reads-the-same-and-is-smaller", test_compact_in_place);
    ADD("/img-compact/new-file/leaves-the-old-one", test_compact_new_file);
    ADD("/img-compact/what-cannot-be-replaced/is-left", test_compact_keeps_what_cannot_be_replaced);
    ADD("/img-compact/encrypted/needs-no-key", test_compact_encrypted);
    return g_test_run();
}
