/* SPDX-License-Identifier: MIT */
/*
 * What a process in the sandbox can no longer do, tried by processes that enter it; the tools' work
 * inside is in test-img-sandbox.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sandbox.h"

typedef struct Fixture {
    char *folder, *image, *other;
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    f->folder = g_dir_make_tmp("cairn-sandbox-XXXXXX", NULL);
    f->image = g_build_filename(f->folder, "image", NULL);
    f->other = g_build_filename(f->folder, "other", NULL);
    g_assert_true(g_file_set_contents(f->image, "0123456789abcdef", 16, NULL));
    g_assert_true(g_file_set_contents(f->other, "secret", 6, NULL));
}

static void teardown(Fixture *f, gconstpointer data)
{
    g_autofree char *made = g_build_filename(f->folder, "made", NULL);

    g_unlink(made);
    g_unlink(f->image);
    g_unlink(f->other);
    g_rmdir(f->folder);
    g_free(f->image);
    g_free(f->other);
    g_free(f->folder);
}

typedef enum Step { STEP_BEGIN, STEP_BEGIN_READING, STEP_NARROW, STEP_NARROW_FOLDER } Step;

/* In the child: the sandbox as @step leaves it, with the image open. Returns its descriptor. */
static int enter(const Fixture *f, Step step)
{
    ToolSandbox sandbox = {
        .mode = TOOL_SANDBOX_REQUIRE, .reads_only = step == STEP_BEGIN_READING,
    };
    g_autoptr(CairnContext) ctx = cairn_context_new();
    int fd;

    g_assert_true(tool_sandbox_begin(&sandbox, NULL));
    fd = open(f->image, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    if (step >= STEP_NARROW) {
        g_assert_true(tool_sandbox_narrow(&sandbox, ctx,
                                          step == STEP_NARROW_FOLDER ? f->folder : NULL, NULL));
    }
    return fd;
}

typedef void ChildFunc(const Fixture *f, int fd);

/* Returns: the wait status of a process that entered and ran @func. */
static int run_inside(const Fixture *f, Step step, ChildFunc *func)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        func(f, enter(f, step));
        _exit(0);
    }
    g_assert_cmpint(pid, >, 0);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return status;
}

static void must_run_inside(const Fixture *f, Step step, ChildFunc *func)
{
    g_assert_cmpint(run_inside(f, step, func), ==, 0);
}

/* Whether a call failed, for one of two reasons. */
#define REFUSED(call, errno1, errno2) \
    g_assert_true((call) < 0 && (errno == (errno1) || errno == (errno2)))

/* ---- system calls ---------------------------------------------------------------- */

static void try_programs(const Fixture *f, int fd)
{
    char *const argv[] = { (char *)"true", NULL };

    REFUSED(execv("/bin/true", argv), ENOSYS, ENOSYS);
    REFUSED(syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH), ENOSYS, ENOSYS);
    REFUSED(fork(), ENOSYS, ENOSYS);
    REFUSED((intptr_t)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            ENOSYS, ENOSYS);
}

static void try_others(const Fixture *f, int fd)
{
    int pair[2];

    REFUSED(socket(AF_INET, SOCK_STREAM, 0), ENOSYS, ENOSYS);
    REFUSED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ENOSYS, ENOSYS);
    REFUSED(kill(getppid(), 0), ENOSYS, ENOSYS);
    REFUSED(syscall(SYS_tgkill, getppid(), getppid(), 0), ENOSYS, ENOSYS);
    REFUSED(ptrace(PTRACE_TRACEME, 0, NULL, NULL), ENOSYS, ENOSYS);
    REFUSED(setuid(0), ENOSYS, ENOSYS);
    REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), ENOSYS, ENOSYS);
    REFUSED(ioctl(0, TIOCSTI, "x"), ENOSYS, ENOSYS);
    REFUSED(syscall(425, 1, NULL), ENOSYS, ENOSYS);     /* io_uring_setup */
    g_assert_cmpint(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), ==, -1);
}

static void try_abort(const Fixture *f, int fd)
{
    abort();
}

static void test_calls(Fixture *f, gconstpointer data)
{
    must_run_inside(f, STEP_BEGIN, try_programs);
    must_run_inside(f, STEP_BEGIN, try_others);
    int status = run_inside(f, STEP_NARROW, try_abort);

    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- files ------------------------------------------------------------------------- */

static void try_reading(const Fixture *f, int fd)
{
    g_autofree char *made = g_build_filename(f->folder, "made", NULL);

    g_assert_cmpint(open(f->other, O_RDONLY), >=, 0);
    REFUSED(open(f->image, O_RDWR), EACCES, EACCES);
    REFUSED(open(f->other, O_WRONLY | O_TRUNC), EACCES, EACCES);
    REFUSED(open(made, O_RDWR | O_CREAT, 0600), EACCES, EACCES);
    REFUSED(unlink(f->other), EACCES, EACCES);
    REFUSED(rename(f->other, made), EACCES, EACCES);
    REFUSED(mkdir(made, 0700), ENOSYS, ENOSYS);
}

static void try_narrow(const Fixture *f, int fd)
{
    char byte;

    REFUSED(open(f->other, O_RDONLY), EACCES, EACCES);
    REFUSED(open("/etc/passwd", O_RDONLY), EACCES, EACCES);
    REFUSED(open("/proc/self/mem", O_RDWR), EACCES, EACCES);
    REFUSED(unlink(f->image), EACCES, EACCES);
    g_assert_cmpint(open(f->image, O_RDWR), >=, 0);     /* as reopening does */
    g_assert_cmpint(pread(fd, &byte, 1, 3), ==, 1);
    g_assert_cmpint(byte, ==, '3');
}

static void try_narrow_folder(const Fixture *f, int fd)
{
    g_autofree char *made = g_build_filename(f->folder, "made", NULL);

    g_assert_cmpint(open(made, O_RDWR | O_CREAT, 0600), >=, 0);
    g_assert_cmpint(rename(made, f->other), ==, 0);
    REFUSED(open("/etc/passwd", O_RDONLY), EACCES, EACCES);
    REFUSED(symlink("/etc/passwd", made), ENOSYS, ENOSYS);
}

static gpointer open_other(gpointer opaque)
{
    return GINT_TO_POINTER(open(opaque, O_RDONLY) < 0 ? errno : 0);
}

static void try_thread(const Fixture *f, int fd)
{
    GThread *thread = g_thread_new("inside", open_other, f->other);

    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, EACCES);
}

static void test_files(Fixture *f, gconstpointer data)
{
    must_run_inside(f, STEP_BEGIN_READING, try_reading);
    must_run_inside(f, STEP_NARROW, try_narrow);
    must_run_inside(f, STEP_NARROW, try_thread);
    must_run_inside(f, STEP_NARROW_FOLDER, try_narrow_folder);
}

static int count_threads(void)
{
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
    int threads = 0;

    while (g_dir_read_name(tasks)) {
        threads++;
    }
    return threads;
}

/* Threads that worked while the image was opened end, and those that come are bound. */
static void try_workers(const Fixture *f, int unused)
{
    g_autofree char *opts = g_strdup_printf("driver=raw,file.filename=%s", f->image);
    ToolSandbox sandbox = { .mode = TOOL_SANDBOX_REQUIRE, .is_begun = true };
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = blk_open_opts(ctx, opts, BLK_O_RDWR, NULL);

    g_assert_nonnull(blk);
    g_assert_cmpint(blk_pwrite(blk, 0, 4, "Cair", 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(count_threads(), >, 1);
    cairn_context_stop_workers(ctx);
    g_assert_cmpint(count_threads(), ==, 1);
    g_assert_true(tool_sandbox_narrow(&sandbox, ctx, NULL, NULL));
    REFUSED(open("/proc/self/task", O_RDONLY | O_DIRECTORY), EACCES, EACCES);
    g_assert_cmpint(blk_pwrite(blk, 4, 4, "Cair", 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
}

static void test_workers(Fixture *f, gconstpointer data)
{
    must_run_inside(f, STEP_BEGIN, try_workers);
}

/* ---- words --------------------------------------------------------------------------- */

static void test_parse(void)
{
    g_autoptr(GError) error = NULL;
    ToolSandboxMode mode = TOOL_SANDBOX_OFF;

    g_assert_true(tool_sandbox_parse("require", &mode, NULL));
    g_assert_cmpint(mode, ==, TOOL_SANDBOX_REQUIRE);
    g_assert_true(tool_sandbox_parse("off", &mode, NULL));
    g_assert_cmpint(mode, ==, TOOL_SANDBOX_OFF);
    g_assert_false(tool_sandbox_parse("yes", &mode, &error));
    g_assert_cmpstr(error->message, ==,
                    "--sandbox must be used with on, off or require as argument.");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sandbox/parse", test_parse);
    if (syscall(444, NULL, 0, 1) < 1) {
        g_test_message("this kernel has no Landlock: only words are tested");
        return g_test_run();
    }
    g_test_add("/sandbox/calls", Fixture, NULL, setup, test_calls, teardown);
    g_test_add("/sandbox/files", Fixture, NULL, setup, test_files, teardown);
    g_test_add("/sandbox/workers", Fixture, NULL, setup, test_workers, teardown);
    return g_test_run();
}
