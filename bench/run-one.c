/* SPDX-License-Identifier: MIT */
/*
 * Runs a program and tells what it took, on descriptor 3: status, wall, user and system time in
 * microseconds, peak memory in KiB. A process begins with the peak memory of the one that started
 * it; this one is small.
 *
 * run-one PROGRAM [ARGUMENT...] 3>FILE
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(long seconds, long rest)
{
    return seconds * 1000000LL + rest;
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage use;
    int status;
    pid_t pid;

    if (argc < 2) {
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid = fork();
    if (pid == 0) {
        close(3);
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &use) != pid) {
        perror("run-one");
        return 2;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    dprintf(3, "%d %lld %lld %lld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128,
            microseconds(end.tv_sec - start.tv_sec, (end.tv_nsec - start.tv_nsec) / 1000),
            microseconds(use.ru_utime.tv_sec, use.ru_utime.tv_usec),
            microseconds(use.ru_stime.tv_sec, use.ru_stime.tv_usec), use.ru_maxrss);
    return 0;
}
