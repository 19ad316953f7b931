/* SPDX-License-Identifier: MIT */
/*
 * What is at the target's name while it is made, and what is left when making it fails or is
 * interrupted at any moment: the old file, or none, or the whole new one.
 */
#include "tool-run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PART "new.raw.cairn-part"

static bool exists(const ToolFolder *f, const char *name)
{
    g_autofree char *path = tool_path(f, name);

    return access(path, F_OK) == 0;
}

static struct stat stat_file(const ToolFolder *f, const char *name)
{
    g_autofree char *path = tool_path(f, name);
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st;
}

/* ---- the file that is replaced ---------------------------------------------------- */

static void replaced_file_keeps_mode(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = { "create -q a.raw 64k", "convert s.raw a.raw",
                                         "dd if=s.raw of=a.raw" };
    g_autofree char *path = tool_path(f, "a.raw");
    char value[16];

    tool_make_raw(f, "s.raw", 65536, 65536);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        tool_make_raw(f, "a.raw", 8192, 8192);
        g_assert_cmpint(chmod(path, 0640), ==, 0);
        if (setxattr(path, "user.note", "mine", 4, 0) < 0) {
            g_test_message("no attributes here: %s", g_strerror(errno));
        }
        tool_must(f, lines[i]);
        g_assert_cmpint(stat_file(f, "a.raw").st_mode & 07777, ==, 0640);
        g_assert_cmpint(stat_file(f, "a.raw").st_size, ==, 65536);
        if (getxattr(path, "user.note", value, sizeof(value)) < 0) {
            g_assert_cmpint(errno, ==, EOPNOTSUPP);
        }
        g_assert_false(exists(f, "a.raw.cairn-part"));
    }
    tool_assert_same_files(f, "s.raw", "a.raw");
}

static void new_file_has_usual_mode(ToolFolder *f, gconstpointer data)
{
    mode_t mask = umask(027);

    tool_must(f, "create -q a.raw 64k");
    umask(mask);
    g_assert_cmpint(stat_file(f, "a.raw").st_mode & 07777, ==, 0640);
}

static void link_stays_link(ToolFolder *f, gconstpointer data)
{
    g_autofree char *link = tool_path(f, "link"), *dangling = tool_path(f, "dangling");
    struct stat st;

    tool_make_raw(f, "s.raw", 65536, 65536);
    tool_make_raw(f, "a.raw", 8192, 8192);
    g_assert_cmpint(symlink("a.raw", link), ==, 0);
    g_assert_cmpint(symlink("b.raw", dangling), ==, 0);
    tool_must(f, "convert s.raw link");
    tool_must(f, "convert s.raw dangling");
    g_assert_cmpint(lstat(link, &st), ==, 0);
    g_assert_true(S_ISLNK(st.st_mode));
    tool_assert_same_files(f, "s.raw", "a.raw");
    tool_assert_same_files(f, "s.raw", "b.raw");
}

static void backing_name_counts_from_link(ToolFolder *f, gconstpointer data)
{
    g_autofree char *folder = tool_path(f, "pool"), *link = tool_path(f, "link");
    g_autofree char *target = g_build_filename(folder, "o.qcow", NULL);

    tool_make_raw(f, "base.raw", 65536, 65536);
    g_assert_cmpint(mkdir(folder, 0755), ==, 0);
    g_assert_cmpint(symlink("pool/o.qcow", link), ==, 0);
    tool_must(f, "convert -O qcow -B base.raw -F raw base.raw link");
    tool_must(f, "compare -F raw link base.raw");
    g_assert_cmpint(unlink(target), ==, 0);
    g_assert_cmpint(rmdir(folder), ==, 0);
}

static void other_name_sees_new_content(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a.raw"), *other = tool_path(f, "other");

    tool_make_raw(f, "s.raw", 65536, 65536);
    tool_make_raw(f, "a.raw", 8192, 8192);
    g_assert_cmpint(link(path, other), ==, 0);
    tool_must(f, "convert s.raw a.raw");
    tool_assert_same_files(f, "s.raw", "other");
    g_assert_cmpint(stat_file(f, "a.raw").st_ino, ==, stat_file(f, "other").st_ino);
}

/* As a program does that makes a temporary file, has it filled, and reads what it has open. */
static void open_file_sees_new_content(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a.raw");
    g_autofree char *wanted = NULL;
    char got[65536];
    size_t bytes;
    int fd = open(path, O_RDWR | O_CREAT, 0600);

    tool_make_raw(f, "s.raw", 65536, 65536);
    tool_must(f, "convert s.raw a.raw");
    wanted = tool_read_file(f, "s.raw", &bytes);
    g_assert_cmpint(pread(fd, got, sizeof(got), 0), ==, sizeof(got));
    g_assert_cmpmem(got, sizeof(got), wanted, bytes);
    close(fd);
}

/* ---- failures --------------------------------------------------------------------- */

static void child_limit_files(gpointer data)
{
    struct rlimit limit = { 256 << 10, 256 << 10 };

    setrlimit(RLIMIT_FSIZE, &limit);
}

/* No file may become longer than 256 KiB: the copy fails on its way. */
static void failure_keeps_old_file(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "convert s.raw keep", "convert -O qcow s.raw keep", "convert -S 0 -t none s.raw keep",
        "convert -W -m 16 -O qcow s.raw keep", "dd if=s.raw of=keep", "create keep 1M",
        "dd -O qcow bs=64k if=s.raw of=keep",
    };

    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    tool_make_raw(f, "keep", 8192, 8192);
    tool_make_raw(f, "before", 8192, 8192);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run_setup(f, lines[i], child_limit_files);

        g_test_message("%s: %s", lines[i], run.err);
        g_assert_cmpint(run.status, ==, 1);
        g_assert_null(strstr(run.err, ".cairn-part"));
        tool_assert_same_files(f, "before", "keep");
        g_assert_false(exists(f, "keep.cairn-part"));
    }
}

static void failure_leaves_no_new_file(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = { "convert s.raw new.raw", "convert -O qcow s.raw new.raw",
                                         "dd if=s.raw of=new.raw", "create new.raw 1M" };

    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run_setup(f, lines[i], child_limit_files);

        g_assert_cmpint(run.status, ==, 1);
        g_assert_false(exists(f, "new.raw"));
        g_assert_false(exists(f, PART));
    }
}

/*
 * It cannot be replaced, so its content is lost; but no part of the new one may pass for the whole.
 */
static void failure_in_place_leaves_nothing(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a.qcow"), *other = tool_path(f, "other");
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    tool_make_raw(f, "a.qcow", 8192, 8192);
    g_assert_cmpint(link(path, other), ==, 0);
    run = tool_run_setup(f, "convert -O qcow s.raw a.qcow", child_limit_files);
    g_assert_cmpint(run.status, ==, 1);
    g_assert_cmpint(stat_file(f, "other").st_size, ==, 0);
}

/* ---- interruptions ---------------------------------------------------------------- */

/* 1 MiB at 2 MiB a second: half a second to be interrupted in. */
static GPid start_convert(const ToolFolder *f, const char *const more[], const char *target)
{
    GPtrArray *argv = g_ptr_array_new();
    g_autofree char **words = NULL;
    GPid pid;

    g_ptr_array_add(argv, (char *)g_getenv("CAIRN_TOOL"));
    g_ptr_array_add(argv, "convert");
    for (; more && *more; more++) {
        g_ptr_array_add(argv, (char *)*more);
    }
    g_ptr_array_add(argv, "s.raw");
    g_ptr_array_add(argv, (char *)target);
    g_ptr_array_add(argv, NULL);
    words = (char **)g_ptr_array_free(argv, FALSE);
    g_assert_true(g_spawn_async(f->path, words, NULL, G_SPAWN_DO_NOT_REAP_CHILD |
                                G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid, NULL));
    return pid;
}

/* Seconds for what these tests convert: it shall still be at it when a busy machine gets to kill it. */
static const char *const slowly[] = { "-r", "512k", "-m", "2", NULL };

static void wait_for_part(const ToolFolder *f, const char *part)
{
    for (int i = 0; i < 2000 && !exists(f, part); i++) {
        g_usleep(1000);
    }
    g_assert_true(exists(f, part));
}

static int end_process(GPid pid, int number)
{
    int status;

    kill(pid, number);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return status;
}

static void signal_keeps_old_file(ToolFolder *f, gconstpointer data)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    const struct rlimit no_core = { 0, 0 };

    setrlimit(RLIMIT_CORE, &no_core);
    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    tool_make_raw(f, "before", 8192, 8192);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        int status;
        GPid pid;

        signal(numbers[i], SIG_DFL);    /* a shell has some ignored by what it runs aside */
        tool_make_raw(f, "new.raw", 8192, 8192);
        pid = start_convert(f, slowly, "new.raw");
        wait_for_part(f, PART);
        g_usleep(50000);
        status = end_process(pid, numbers[i]);
        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, numbers[i]);
        g_assert_false(exists(f, PART));
        tool_assert_same_files(f, "before", "new.raw");
    }
}

static void signal_in_place_leaves_nothing(ToolFolder *f, gconstpointer data)
{
    g_autofree char *path = tool_path(f, "a.raw"), *other = tool_path(f, "other");
    GPid pid;

    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    tool_make_raw(f, "a.raw", 8192, 8192);
    g_assert_cmpint(link(path, other), ==, 0);
    pid = start_convert(f, slowly, "a.raw");
    for (int i = 0; i < 2000 && stat_file(f, "a.raw").st_size == 8192; i++) {
        g_usleep(1000);
    }
    g_usleep(50000);
    end_process(pid, SIGTERM);
    g_assert_cmpint(stat_file(f, "a.raw").st_size, <, 1 << 20);
}

/* At any moment, also those before the target is touched and after it is whole. */
static void any_moment_leaves_old_or_whole(ToolFolder *f, gconstpointer data)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGKILL };
    g_autoptr(GRand) rand = g_rand_new_with_seed(20221122);
    g_autofree char *part = tool_path(f, PART);
    int whole = 0;

    tool_make_raw(f, "s.raw", 8 << 20, 8 << 20);
    tool_make_raw(f, "before", 8192, 8192);
    for (int round = 0; round < 60; round++) {
        int number = numbers[round % 3];
        GPid pid;

        unlink(part);                   /* of a round that ended with SIGKILL */
        tool_make_raw(f, "new.raw", 8192, 8192);
        pid = start_convert(f, NULL, "new.raw");
        g_usleep(g_rand_int_range(rand, 0, 12000));
        end_process(pid, number);
        g_assert_true(number == SIGKILL || !exists(f, PART));
        if (stat_file(f, "new.raw").st_size == 8192) {
            tool_assert_same_files(f, "before", "new.raw");
        } else {
            tool_assert_same_files(f, "s.raw", "new.raw");
            whole++;
        }
    }
    g_test_message("%d of 60 had got their new content", whole);
    tool_must(f, "convert s.raw new.raw");
    g_assert_false(exists(f, PART));
}

static void left_over_is_removed(ToolFolder *f, gconstpointer data)
{
    GPid pid;

    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    pid = start_convert(f, slowly, "new.raw");
    wait_for_part(f, PART);
    end_process(pid, SIGKILL);
    g_assert_true(exists(f, PART));
    g_assert_false(exists(f, "new.raw"));
    tool_must(f, "convert s.raw new.raw");
    g_assert_false(exists(f, PART));
    tool_assert_same_files(f, "s.raw", "new.raw");
}

static void second_writer_is_refused(ToolFolder *f, gconstpointer data)
{
    int status;
    GPid pid;

    tool_make_raw(f, "s.raw", 1 << 20, 1 << 20);
    tool_make_raw(f, "z.raw", 1 << 20, 0);
    pid = start_convert(f, slowly, "new.raw");
    wait_for_part(f, PART);
    tool_must_fail(f, "convert z.raw new.raw", 1, "cairn-img: new.raw: error while converting raw:"
                   " Failed to get \"write\" lock\n"
                   "Is another process using the image [new.raw]?\n");
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
    tool_assert_same_files(f, "s.raw", "new.raw");
}

/* ---- names ------------------------------------------------------------------------- */

static void odd_names_work(ToolFolder *f, gconstpointer data)
{
    g_autofree char *longest = g_strnfill(255, 'n');
    const char *names[] = { "file:a.raw", "./a:b", "a b'c", longest, "file:x:y", "-" };

    tool_make_raw(f, "s.raw", 65536, 65536);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *quoted = g_shell_quote(names[i]);
        g_autofree char *line = g_strdup_printf("convert s.raw -- %s", quoted);
        const char *name = g_str_has_prefix(names[i], "file:") ? names[i] + 5 : names[i];

        tool_must(f, line);
        tool_assert_same_files(f, "s.raw", name);
        tool_must(f, line);
    }
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/stage/replaced-file/keeps-mode-and-attributes", replaced_file_keeps_mode);
    CASE("/img/stage/new-file/has-the-usual-mode", new_file_has_usual_mode);
    CASE("/img/stage/link/stays-a-link", link_stays_link);
    CASE("/img/stage/link/backing-name-counts-from-it", backing_name_counts_from_link);
    CASE("/img/stage/hard-link/sees-the-new-content", other_name_sees_new_content);
    CASE("/img/stage/open-elsewhere/sees-the-new-content", open_file_sees_new_content);
    CASE("/img/stage/failure/keeps-the-old-file", failure_keeps_old_file);
    CASE("/img/stage/failure/leaves-no-new-file", failure_leaves_no_new_file);
    CASE("/img/stage/failure/in-place-leaves-nothing", failure_in_place_leaves_nothing);
    CASE("/img/stage/signal/keeps-the-old-file", signal_keeps_old_file);
    CASE("/img/stage/signal/in-place-leaves-no-whole-file", signal_in_place_leaves_nothing);
    CASE("/img/stage/any-moment/leaves-old-or-whole", any_moment_leaves_old_or_whole);
    CASE("/img/stage/left-over/is-removed", left_over_is_removed);
    CASE("/img/stage/second-writer/is-refused", second_writer_is_refused);
    CASE("/img/stage/odd-names/work", odd_names_work);
    return g_test_run();
}
