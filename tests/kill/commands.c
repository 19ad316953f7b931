/* SPDX-License-Identifier: MIT */
/* See commands.h. */
#include "commands.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "kill-run.h"
#include "util/cutils.h"

enum { SIZE = 2 << 20 };

/* ---- images ---- */

static void image_clear(Image *image)
{
    g_free(image->data);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

static bool exists(const Run *run, const char *name)
{
    g_autofree char *path = tool_path(&run->folder, name);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Clean but for leaks, unless it is said to be @damaged. */
static void check(BlockBackend *blk, bool damaged)
{
    BlockCheckResult r = { 0 };
    g_autoptr(GError) error = NULL;

    if (!blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error)) {
        g_assert_error(error, CAIRN_ERROR, ENOTSUP);
        return;
    }
    g_assert_cmpint(r.check_errors, ==, 0);
    g_assert_true(damaged || r.corruptions == 0);
}

/* What the image holds; none where there is no file. */
static Image read_image(const Run *run, const char *name, bool damaged)
{
    g_autofree char *path = tool_path(&run->folder, name);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = NULL;
    Image image = { 0 };

    if (!exists(run, name)) {
        return image;
    }
    blk = blk_open(run->ctx, path, BLK_O_PROBE, &error);
    g_assert_no_error(error);
    check(blk, damaged);
    image.bytes = blk_getlength(blk);
    image.data = g_malloc(image.bytes);
    g_assert_cmpint(blk_pread(blk, 0, image.bytes, image.data), ==, 0);
    return image;
}

static bool is_same(const Image *a, const Image *b)
{
    return a->bytes == b->bytes && !a->data == !b->data &&
           (!a->data || !memcmp(a->data, b->data, a->bytes));
}

/* ---- what the commands work on ---- */

/* Runs of data of one byte, zeros, and text that compresses. */
static void make_raw(Run *run, const char *name, int value)
{
    g_autofree guint8 *data = g_malloc0(SIZE);

    for (int i = 0; i < SIZE; i++) {
        int part = i / 40000;

        data[i] = part % 4 == 0 ? 0 : part % 4 == 1 ? (guint8)value
                : (guint8)(i * 7 + i / 256 * value);
    }
    tool_write_file(&run->folder, name, data, SIZE);
}

static void make_source(Run *run)
{
    make_raw(run, "source.raw", 3);
    make_raw(run, "base.raw", 5);
    tool_must(&run->folder, "convert -O qcow -o cluster_size=4096 base.raw base.qcow");
}

/* Another image stands in the place of the new one. */
static void make_old(Run *run)
{
    make_source(run);
    tool_must(&run->folder, "create -q -f qcow target 1M");
}

static void write_over(Run *run, const char *name, const char *backing)
{
    g_autofree char *path = tool_path(&run->folder, name);
    g_autofree char *create = g_strdup_printf("create -q -f qcow -o cluster_size=4096 %s %s",
                                              backing, name);
    g_autofree guint8 *data = g_malloc(100000);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = NULL;

    tool_must(&run->folder, create);
    blk = blk_open(run->ctx, path, BLK_O_PROBE | BLK_O_RDWR, &error);
    g_assert_no_error(error);
    for (int i = 0; i < 12; i++) {
        memset(data, 'a' + i, 100000);
        g_assert_cmpint(blk_pwrite(blk, i * (SIZE / 12) / 512 * 512, (1 + i % 6) * 12288, data, 0),
                        ==, 0);
        g_assert_cmpint(blk_flush(blk), ==, 0);
    }
    g_assert_cmpint(blk_close(blk), ==, 0);
}

static void make_overlay(Run *run)
{
    make_source(run);
    write_over(run, "target", "-b base.qcow -F qcow");
}

static void make_overlay_on_raw(Run *run)
{
    make_source(run);
    write_over(run, "target", "-b base.raw -F raw");
}

/* Two entries of the first table name one cluster; and the file has a tail that nothing names. */
static void make_damaged(Run *run)
{
    g_autofree char *data = NULL;
    gsize bytes;
    guint64 table;

    make_source(run);
    tool_must(&run->folder, "convert -O qcow -o cluster_size=4096 source.raw target");
    data = tool_read_file(&run->folder, "target", &bytes);
    table = be64_load((guint8 *)data + 48);
    memcpy(data + table + 11 * 8, data + table + 12 * 8, 8);
    data = g_realloc(data, bytes + 65536);
    memset(data + bytes, 7, 65536);
    tool_write_file(&run->folder, "target", data, bytes + 65536);
}

/* Its L1 table has no room to grow where it stands. */
static void make_small_clusters(Run *run)
{
    make_source(run);
    tool_must(&run->folder, "convert -O qcow -o cluster_size=512 source.raw target");
}

/* As a crashed writer leaves it that maps first: entries lead past the end of the file. */
static void make_crashed(Run *run)
{
    g_autofree char *data = NULL;
    gsize bytes;
    guint64 table;

    make_source(run);
    tool_must(&run->folder, "convert -O qcow -o cluster_size=64k source.raw target");
    data = tool_read_file(&run->folder, "target", &bytes);
    table = be64_load((guint8 *)data + 48);
    for (int i = 40; i < 48; i++) {
        be64_store((guint8 *)data + table + i * 8, bytes + (guint64)i * 65536);
    }
    tool_write_file(&run->folder, "target", data, bytes);
}

/* ---- the commands ---- */

const Command writing_commands[] = {
    { "create", "create -q -f qcow target 3M", make_source },
    { "create-over-old", "create -q -f qcow target 3M", make_old },
    { "create-backed", "create -q -f qcow -b base.qcow -F qcow target", make_source },
    { "convert", "convert -O qcow source.raw target", make_source },
    { "convert-over-old", "convert -O qcow source.raw target", make_old },
    { "convert-writeback", "convert -t writeback -O qcow source.raw target", make_old },
    { "convert-compressed", "convert -c -W -O qcow source.raw target", make_old },
    { "convert-to-raw", "convert -O raw base.qcow target", make_old },
    { "dd", "dd -O qcow bs=64k if=source.raw of=target", make_old },
    { "commit", "commit -q target", make_overlay, SAME, .writes = "base.qcow" },
    { "commit-to-raw", "commit -q target", make_overlay_on_raw, SAME, .writes = "base.raw" },
    { "rebase", "rebase -b source.raw -F raw target", make_overlay, SAME },
    { "rebase-to-none", "rebase -b '' target", make_overlay, SAME },
    { "grow", "resize -q -f qcow target 5M", make_overlay },
    { "shrink", "resize -q --shrink -f qcow target 1049088", make_overlay, START_SAME },
    { "grow-crashed", "resize -q -f qcow target 5M", make_crashed, .damaged = true },
    { "grow-and-move", "resize -q -f qcow target 5M", make_small_clusters },
    { "compact", "compact -q target", make_overlay, SAME },
    { "compact-to-new", "compact -q base.qcow target", make_source },
    { "repair", "check -q -r all target", make_damaged, SAME, .damaged = true },
    { NULL },
};

const Command reading_commands[] = {
    { "info", "info --backing-chain target", make_overlay, SAME },
    { "check", "check target", make_overlay, SAME },
    { "map", "map --output=json target", make_overlay, SAME },
    { "compare", "compare target target", make_overlay, SAME },
    { "measure", "measure -O qcow target", make_overlay, SAME },
    { "explain", "explain target", make_overlay, SAME },
    { "bench", "bench -c 20 -d 4 -q target", make_overlay, SAME },
    { NULL },
};

/* ---- files ---- */

static const char *const names[COMMAND_FILES] = { "target", "source.raw", "base.raw", "base.qcow" };

static void files_clear(Files *files)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_free(files->data[i]);
    }
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Files, files_clear)

static void files_read(const Run *run, Files *files)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (exists(run, names[i])) {
            files->data[i] = tool_read_file(&run->folder, names[i], &files->bytes[i]);
        }
    }
}

static void files_write(const Run *run, const Files *files)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = tool_path(&run->folder, names[i]);

        if (files->data[i]) {
            tool_write_file(&run->folder, names[i], files->data[i], files->bytes[i]);
        } else {
            g_unlink(path);
        }
    }
}

void course_assert_tidy(const Run *run)
{
    GDir *dir = g_dir_open(run->folder.path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        bool is_known = false;

        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
            is_known |= g_str_equal(name, names[i]);
        }
        if (!is_known) {
            g_error("%s: leaves '%s'", run->command->line, name);
        }
    }
    g_dir_close(dir);
}

/* ---- runs ---- */

void run_setup(Run *run)
{
    *run = (Run) { .ctx = cairn_context_new() };
    tool_folder_setup(&run->folder, NULL);
}

void run_teardown(Run *run)
{
    tool_folder_teardown(&run->folder, NULL);
    cairn_context_unref(run->ctx);
}

ToolRun run_tool(const Run *run, char **env)
{
    ToolRun tool = tool_run_env(&run->folder, run->command->line, env);

    g_strfreev(env);
    return tool;
}

/* ---- courses ---- */

void course_init(Course *course, Run *run, char **env)
{
    g_autofree char *count = tool_path(&run->folder, "count");
    g_autofree char *target = tool_path(&run->folder, "target");
    g_auto(ToolRun) tool = { 0 };

    g_unlink(target);
    run->command->make(run);
    files_read(run, &course->files);
    course->before = read_image(run, "target", run->command->damaged);
    tool = run_tool(run, env);
    g_assert_cmpint(tool.status, ==, 0);
    course->calls = kill_read_count(count);
    course->after = read_image(run, "target", false);
    if (run->command->writes) {
        course->written = read_image(run, run->command->writes, false);
    }
}

void course_clear(Course *course)
{
    files_clear(&course->files);
    image_clear(&course->before);
    image_clear(&course->after);
    image_clear(&course->written);
}

static void assert_untouched(const Run *run, const Files *before)
{
    g_auto(Files) now = { 0 };

    files_read(run, &now);
    for (size_t i = 1; i < G_N_ELEMENTS(names); i++) {
        if (g_strcmp0(names[i], run->command->writes)) {
            g_assert_cmpmem(now.data[i], now.bytes[i], before->data[i], before->bytes[i]);
        }
    }
}

void course_assert_stopped(const Course *course, const Run *run)
{
    g_auto(Image) now = read_image(run, "target", run->command->damaged);

    switch (run->command->promise) {
    case OLD_OR_NEW:
        g_assert_true(is_same(&now, &course->before) || is_same(&now, &course->after));
        break;
    case SAME:
        g_assert_true(is_same(&now, &course->before));
        break;
    case START_SAME:
        g_assert_true(now.bytes == course->before.bytes || now.bytes == course->after.bytes);
        g_assert_cmpint(memcmp(now.data, course->after.data, course->after.bytes), ==, 0);
        break;
    }
    assert_untouched(run, &course->files);
}

void course_assert_done(const Course *course, const Run *run)
{
    g_auto(Image) now = read_image(run, "target", false);

    g_assert_true(is_same(&now, &course->after));
    assert_untouched(run, &course->files);
    course_assert_tidy(run);
    if (run->command->writes) {
        g_auto(Image) written = read_image(run, run->command->writes, false);

        g_assert_true(is_same(&written, &course->written));
    }
}

void course_restart(const Course *course, const Run *run)
{
    files_write(run, &course->files);
}
