/* SPDX-License-Identifier: MIT */
/*
 * The tools, killed at random moments. Whatever the moment: a new file is whole or is not there, or
 * the old one still is; an image that was changed in place reads as before or as after, and checks
 * clean but for leaks; what it only reads from is untouched. The same command, made again, ends
 * well, and leaves nothing behind.
 */
#include <cairn/block.h>

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "../tool/tool-run.h"
#include "kill-run.h"
#include "util/cutils.h"

enum { RUNS = 36, KILLS = 4, KILLED = 128 + 9, SIZE = 2 << 20 };

/* ---- images ---- */

typedef struct Image {
    gint64 bytes;
    guint8 *data;                       /* NULL: no image */
} Image;

static void image_clear(Image *image)
{
    g_free(image->data);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Image, image_clear)

typedef struct Run {
    ToolFolder folder;
    CairnContext *ctx;
    const struct Command *command;
    guint kills;
} Run;

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
    g_autofree char *path = tool_path(&run->folder, "target");
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

/* ---- the commands ---- */

typedef enum Promise {
    OLD_OR_NEW,         /* the target reads as before or as after */
    SAME,               /* it reads the same all the time */
    START_SAME,         /* as far as it goes afterwards; what is given up may be gone early */
} Promise;

typedef struct Command {
    const char *name, *line;
    void (*make)(Run *run);
    Promise promise;
    const char *writes;                 /* the other file that it may change, or NULL */
    bool damaged;                       /* the target is, before it */
} Command;

static const Command commands[] = {
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
    { "compact", "compact -q target", make_overlay, SAME },
    { "compact-to-new", "compact -q base.qcow target", make_source },
    { "repair", "check -q -r all target", make_damaged, SAME, .damaged = true },
};

/* ---- files ---- */

static const char *const names[] = { "target", "source.raw", "base.raw", "base.qcow" };

/* Bytes of all files that a command begins with; no data: no file. */
typedef struct Files {
    char *data[G_N_ELEMENTS(names)];
    gsize bytes[G_N_ELEMENTS(names)];
} Files;

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

/* Nothing but the files that there should be. */
static void assert_tidy(const Run *run)
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

/* ---- a run ---- */

/* What a command starts from and comes to, found out by letting it end. */
typedef struct Course {
    Files files;
    Image before, after, written;       /* written: of command->writes */
    guint calls;
} Course;

static int run_killed(const Run *run, guint at, int part, const char *count)
{
    g_auto(GStrv) env = kill_environment(at, part, count);
    g_auto(ToolRun) tool = tool_run_env(&run->folder, run->command->line, env);

    if (tool.status != KILLED && tool.status != 0) {
        g_error("%s: %d, %s", run->command->line, tool.status, tool.err);
    }
    return tool.status;
}

static void course_init(Course *course, Run *run)
{
    g_autofree char *count = tool_path(&run->folder, "count");
    g_autofree char *target = tool_path(&run->folder, "target");

    g_unlink(target);
    run->command->make(run);
    files_read(run, &course->files);
    course->before = read_image(run, "target", run->command->damaged);
    g_assert_cmpint(run_killed(run, KILL_NEVER, 0, count), ==, 0);
    course->calls = kill_read_count(count);
    g_assert_cmpuint(course->calls, >, 0);
    course->after = read_image(run, "target", false);
    if (run->command->writes) {
        course->written = read_image(run, run->command->writes, false);
    }
}

static void course_clear(Course *course)
{
    files_clear(&course->files);
    image_clear(&course->before);
    image_clear(&course->after);
    image_clear(&course->written);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Course, course_clear)

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

static void assert_killed_state(const Run *run, const Course *course)
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

static void assert_done(const Run *run, const Course *course)
{
    g_auto(Image) now = read_image(run, "target", false);

    g_assert_true(is_same(&now, &course->after));
    assert_untouched(run, &course->files);
    assert_tidy(run);
    if (run->command->writes) {
        g_auto(Image) written = read_image(run, run->command->writes, false);

        g_assert_true(is_same(&written, &course->written));
    }
}

static void run_command(guint32 seed, gpointer opaque)
{
    Run *run = opaque;
    GRand *rand = g_rand_new_with_seed(seed);
    g_auto(Course) course = { 0 };
    guint at;

    run->command = &commands[seed % G_N_ELEMENTS(commands)];
    course_init(&course, run);
    for (int i = 0; i < KILLS; i++) {
        at = (guint)g_rand_int_range(rand, 1, (gint32)course.calls + 1);
        g_test_message("%s: killed at call %u of %u", run->command->name, at, course.calls);
        files_write(run, &course.files);
        run->kills += run_killed(run, at, g_rand_int_range(rand, 0, 1001), NULL) == KILLED;
        assert_killed_state(run, &course);
        g_assert_cmpint(run_killed(run, KILL_NEVER, 0, NULL), ==, 0);
        assert_done(run, &course);
    }
    g_rand_free(rand);
}

static void test_kill(void)
{
    Run run = { .ctx = cairn_context_new() };

    tool_folder_setup(&run.folder, NULL);
    kill_each_seed(RUNS, run_command, &run);
    g_assert_cmpuint(run.kills, >, 0);
    g_test_message("%u commands killed", run.kills);
    tool_folder_teardown(&run.folder, NULL);
    cairn_context_unref(run.ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kill/tools/old-or-new-and-the-next-run-ends-well", test_kill);
    return g_test_run();
}
