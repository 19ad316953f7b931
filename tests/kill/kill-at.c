/* SPDX-License-Identifier: MIT */
/*
 * A library to preload: kills the process (SIGKILL, as kill -9) at the k-th system call that
 * changes something in the file system, before it, in the middle of it, or after it. Other threads
 * stop where they are.
 *
 * What was written stays in the page cache, so syncs are counted but not made: they would only take
 * time.
 *
 *   CAIRN_KILL_AT=k:part     part: thousandths of the call that are done; of calls that cannot be
 *                            done in part, all from 500 on
 *   CAIRN_FAIL_AT=k:errno    instead: that call fails, with nothing done
 *   CAIRN_KILL_COUNT=file    a process that ends by itself writes there how many calls it made
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PART_ALL = 1000, SECTOR = 512 };

static atomic_long calls;
static long kill_at;
static int kill_part;
static int fail_error;          /* 0: kill */

#define EXPORT __attribute__((visibility("default")))
/* The function of the same name that would have been called without this library. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void kill_at_init(void)
{
    const char *at = getenv("CAIRN_KILL_AT");

    const char *fail = getenv("CAIRN_FAIL_AT");

    if ((at && sscanf(at, "%ld:%d", &kill_at, &kill_part) != 2) ||
        (fail && sscanf(fail, "%ld:%d", &kill_at, &fail_error) != 2)) {
        abort();
    }
}

__attribute__((destructor)) static void kill_at_end(void)
{
    const char *name = getenv("CAIRN_KILL_COUNT");
    FILE *file = name ? fopen(name, "w") : NULL;

    if (file) {
        fprintf(file, "%ld\n", atomic_load(&calls));
        fclose(file);
    }
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* Whether this call is the last one. */
static bool is_last(void)
{
    return atomic_fetch_add(&calls, 1) + 1 == kill_at;
}

/* Around a call that is done or not. */
#define WHOLE(call)                                                          \
    bool last_ = is_last();                                                  \
    if (last_ && fail_error) {                                               \
        errno = fail_error;                                                  \
        return -1;                                                           \
    }                                                                        \
    if (last_ && kill_part < PART_ALL / 2) {                                 \
        die();                                                               \
    }                                                                        \
    __auto_type ret_ = (call);                                               \
    if (last_) {                                                             \
        die();                                                               \
    }                                                                        \
    return ret_

/* The first bytes of a vector, piece by piece, up to the end of a sector: none is torn. */
static void write_part(int fd, const struct iovec *iov, int count, off_t offset)
{
    size_t total = 0, left;
    off_t end;

    for (int i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    end = offset + (off_t)(total * (size_t)kill_part / PART_ALL);
    end -= kill_part < PART_ALL ? end % SECTOR : 0;
    left = end > offset ? (size_t)(end - offset) : 0;
    for (int i = 0; i < count && left > 0; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

        if (NEXT(pwrite64)(fd, iov[i].iov_base, n, offset) != (ssize_t)n) {
            return;
        }
        offset += (off_t)n;
        left -= n;
    }
}

/* What becomes of a write that is the last call. */
static ssize_t write_last(int fd, const struct iovec *iov, int count, off_t offset)
{
    if (fail_error) {
        errno = fail_error;
        return -1;
    }
    write_part(fd, iov, count, offset);
    die();
    return -1;
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    if (is_last()) {
        return write_last(fd, iov, count, offset);
    }
    return NEXT(pwritev64v2)(fd, iov, count, offset, flags);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t offset)
{
    if (is_last()) {
        return write_last(fd, iov, count, offset);
    }
    return NEXT(pwritev64)(fd, iov, count, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t bytes, off_t offset)
{
    if (is_last()) {
        const struct iovec iov = { (void *)buf, bytes };

        return write_last(fd, &iov, 1, offset);
    }
    return NEXT(pwrite64)(fd, buf, bytes, offset);
}

EXPORT int fdatasync(int fd)
{
    WHOLE(0);
}

EXPORT int fsync(int fd)
{
    WHOLE(0);
}

EXPORT int ftruncate64(int fd, off_t bytes)
{
    WHOLE(NEXT(ftruncate64)(fd, bytes));
}

EXPORT int fallocate64(int fd, int mode, off_t offset, off_t bytes)
{
    WHOLE(NEXT(fallocate64)(fd, mode, offset, bytes));
}

EXPORT ssize_t copy_file_range(int from, off_t *from_offset, int to, off_t *to_offset,
                               size_t bytes, unsigned flags)
{
    WHOLE(NEXT(copy_file_range)(from, from_offset, to, to_offset, bytes, flags));
}

EXPORT int rename(const char *from, const char *to)
{
    WHOLE(NEXT(rename)(from, to));
}

EXPORT int unlink(const char *path)
{
    WHOLE(NEXT(unlink)(path));
}
