/* SPDX-License-Identifier: MIT */
/* cairn-img commit, as a script uses it: what is in which file afterwards. */
#include "tool-run.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* base.raw of 1 MiB, all of one pattern; over.qcow above it, 2 MiB, with data at 64k and at 1.5M. */
static void make_overlay(const ToolFolder *folder)
{
    g_autofree char *data = g_malloc(1 << 20);

    memset(data, 1, 1 << 20);
    tool_write_file(folder, "base.raw", data, 1 << 20);
    tool_must(folder, "create -q -f qcow -b base.raw -F raw over.qcow 2M");
    tool_make_raw(folder, "part.raw", 65536, 65536);
    /* An overlay with content: a copy of a disk that differs from the base. */
    memset(data + 65536, 2, 65536);
    tool_write_file(folder, "wanted.raw", data, 1 << 20);
    tool_must(folder, "convert -n -f raw -O qcow wanted.raw over.qcow");
}

static gsize size_of(const ToolFolder *folder, const char *name)
{
    gsize bytes;
    g_autofree char *data = tool_read_file(folder, name, &bytes);

    return bytes;
}

static void test_empties(ToolFolder *folder, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    make_overlay(folder);
    run = tool_run(folder, "commit over.qcow");
    g_assert_cmpint(run.status, ==, 0);
    g_assert_cmpstr(run.out, ==, "Image committed.\n");
    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpuint(size_of(folder, "base.raw"), ==, 2 << 20);
    g_assert_cmpuint(size_of(folder, "over.qcow"), <, 1024);
    tool_must(folder, "convert -f qcow over.qcow after.raw");
    tool_assert_same_files(folder, "after.raw", "base.raw");
    tool_must(folder, "check -q over.qcow");
}

static void test_keeps(ToolFolder *folder, gconstpointer data)
{
    gsize before;

    make_overlay(folder);
    before = size_of(folder, "over.qcow");
    tool_must(folder, "commit -q -d over.qcow");
    g_assert_cmpuint(size_of(folder, "over.qcow"), ==, before);
    tool_must(folder, "commit -q -b base.raw over.qcow");
    g_assert_cmpuint(size_of(folder, "over.qcow"), ==, before);
}

static void limit_file_size(gpointer data)
{
    struct rlimit limit = { 1 << 20, 1 << 20 };

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_full_disk(ToolFolder *folder, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    make_overlay(folder);
    tool_must(folder, "convert -f qcow over.qcow before.raw");
    run = tool_run_setup(folder, "commit over.qcow", limit_file_size);
    g_assert_cmpint(run.status, ==, 1);
    g_assert_cmpstr(run.out, ==, "");
    g_assert_nonnull(strstr(run.err, "File too large"));
    tool_must(folder, "convert -f qcow over.qcow after.raw");
    tool_assert_same_files(folder, "after.raw", "before.raw");
}

/* Takes the record of the backing format out of a new image: as another program would have made it. */
static void forget_backing_format(const ToolFolder *folder, const char *name)
{
    gsize bytes;
    g_autofree char *data = tool_read_file(folder, name, &bytes);

    g_assert_true(!memcmp(data + 48, "CBF1", 4));
    memset(data + 48, 0, 4);
    tool_write_file(folder, name, data, bytes);
}

static void test_guessed_base(ToolFolder *folder, gconstpointer data)
{
    static const char magic[512] = "QFI\xfb\0\0\0\1";

    tool_make_raw(folder, "base.raw", 1 << 20, 512);
    tool_must(folder, "create -q -f qcow -b base.raw -F raw over.qcow 1M");
    forget_backing_format(folder, "over.qcow");
    tool_write_file(folder, "magic.raw", magic, sizeof(magic));
    tool_must(folder, "convert -n -f raw -O qcow magic.raw over.qcow");
    tool_must_fail(folder, "commit over.qcow", 1,
                   "cairn-img: Block job failed: Operation not permitted\n"
                   "error while writing at byte 0: Operation not permitted\n");
}

/* What the file lacks is counted, and the overlay stays: it is all that is left of it. */
static void test_cut_overlay(ToolFolder *folder, gconstpointer data)
{
    gsize bytes;

    make_overlay(folder);
    g_autofree char *overlay = tool_read_file(folder, "over.qcow", &bytes);

    tool_write_file(folder, "over.qcow", overlay, bytes - 2048);
    tool_must_fail(folder, "commit over.qcow", 1,
                   "cairn-img: Block job failed: Input/output error\n"
                   "2048 bytes of guest data lie past the end of the source's file, the first at byte "
                   "1046528; they were copied as if never written\n");
    g_assert_cmpuint(size_of(folder, "over.qcow"), ==, bytes - 2048);
}

/* What the base lacks is nothing that the commit should bring. */
static void test_cut_base(ToolFolder *folder, gconstpointer data)
{
    g_autofree char *path = tool_path(folder, "base.qcow");
    struct stat st;

    make_overlay(folder);
    tool_must(folder, "convert -f raw -O qcow base.raw base.qcow");
    tool_must(folder, "create -q -f qcow -b base.qcow -F qcow small.qcow");
    tool_must(folder, "create -q -f qcow -b small.qcow -F qcow top.qcow");
    tool_must(folder, "convert -n -f raw -O qcow part.raw top.qcow");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(truncate(path, st.st_size - 65536), ==, 0);
    tool_must(folder, "commit -q -b base.qcow top.qcow");
}

#define ADD(path, func) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, func, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/img-commit/overlay/is-emptied-and-reads-the-same", test_empties);
    ADD("/img-commit/d-and-b/keep-the-overlay", test_keeps);
    ADD("/img-commit/full-disk/loses-nothing", test_full_disk);
    ADD("/img-commit/cut-overlay/stays-as-it-is", test_cut_overlay);
    ADD("/img-commit/cut-base/is-no-hindrance", test_cut_base);
    ADD("/img-commit/guessed-base/takes-no-magic", test_guessed_base);
    return g_test_run();
}
