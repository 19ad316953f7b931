/* SPDX-License-Identifier: MIT */
/*
 * See run.h. The linker calls this program's main __wrap_main and cairn-img's __real_main
 * (--wrap=main), so that a forked child can become cairn-img without an exec.
 */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_MAX_WORDS 24
#define RUN_MAX_OUTPUT (1 << 20)

int __real_main(int argc, char **argv);

static _Noreturn void run_child(const char *tool, const char *folder, const char *const *words,
                                const int *fds)
{
    char *argv[RUN_MAX_WORDS + 2] = { (char *)"cairn-img" };
    int argc = 1, null = open("/dev/null", O_RDONLY);

    for (; words[argc - 1]; argc++) {
        g_assert(argc <= RUN_MAX_WORDS);
        argv[argc] = (char *)words[argc - 1];
    }
    if (chdir(folder) < 0 || dup2(null, 0) < 0 || dup2(fds[0], 1) < 0 || dup2(fds[1], 2) < 0) {
        _exit(125);
    }
    setrlimit(RLIMIT_CORE, &(struct rlimit) { 0, 0 });
    setrlimit(RLIMIT_CPU, &(struct rlimit) { RUN_CPU_SECONDS, RUN_CPU_SECONDS + 1 });
    alarm(RUN_SECONDS);
    if (tool) {
        execv(tool, argv);
        _exit(126);
    }
    program_invocation_short_name = argv[0];
    exit(__real_main(argc, argv));
}

static char *run_read(int fd)
{
    g_autofree char *text = g_malloc0(RUN_MAX_OUTPUT + 1);

    g_assert(pread(fd, text, RUN_MAX_OUTPUT, 0) >= 0);
    close(fd);
    return g_strdup(text);
}

static gint64 run_micros(struct timeval t)
{
    return (gint64)t.tv_sec * 1000000 + t.tv_usec;
}

ToolRun tool_run(const char *tool, const char *folder, const char *const *words)
{
    int fds[2] = { memfd_create("out", MFD_CLOEXEC), memfd_create("err", MFD_CLOEXEC) };
    struct rusage usage;
    ToolRun run = { 0 };
    int status;

    fflush(NULL);
    pid_t pid = fork();

    g_assert(fds[0] >= 0 && fds[1] >= 0 && pid >= 0);
    if (pid == 0) {
        run_child(tool, folder, words, fds);
    }
    while (wait4(pid, &status, 0, &usage) < 0) {
        g_assert(errno == EINTR);
    }
    run.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    run.out = run_read(fds[0]);
    run.err = run_read(fds[1]);
    run.rss = (gint64)usage.ru_maxrss * 1024;
    run.cpu_us = run_micros(usage.ru_utime) + run_micros(usage.ru_stime);
    return run;
}

void tool_run_clear(ToolRun *run)
{
    g_free(run->out);
    g_free(run->err);
}
