/* SPDX-License-Identifier: MIT */
/*
 * The file driver's wrapper of system calls: interruptions, short transfers, the end of the
 * file, planned failures.
 */
#include "block/drivers/file-sys.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES 10000

typedef struct Fixture {
    char *dir;
    char *path;
    FileFault fault;
    FileSys sys;
    int fd;
    uint8_t content[FILE_BYTES];
} Fixture;

static void setup(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("cairn-file-sys-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
    f->path = g_build_filename(f->dir, "file", NULL);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        f->content[i] = i * 7 + i / 256;
    }
    g_assert_true(g_file_set_contents(f->path, (char *)f->content, FILE_BYTES, NULL));
    f->fault.kinds = FILE_FAULT_ALL;
    f->sys.fault = &f->fault;
    f->fd = file_sys_open(&f->sys, f->path, O_RDWR, 0);
    g_assert_cmpint(f->fd, >=, 0);
}

static void teardown(Fixture *f, gconstpointer data)
{
    file_sys_close(&f->sys, f->fd);
    g_unlink(f->path);
    g_rmdir(f->dir);
    g_free(f->path);
    g_free(f->dir);
}

static void plan(Fixture *f, FileSysCall call, int at, int error)
{
    f->fault = (FileFault) { .kinds = 1u << call, .at = at, .error = error };
}

/* A vector of three unequal pieces over @buf. */
static void make_pieces(IOVector *iov, uint8_t *buf, size_t bytes)
{
    io_vector_init(iov, 3);
    io_vector_add(iov, buf, 1);
    io_vector_add(iov, buf + 1, bytes / 3);
    io_vector_add(iov, buf + 1 + bytes / 3, bytes - 1 - bytes / 3);
}

static void test_read_whole(Fixture *f, gconstpointer data)
{
    uint8_t buf[5000];
    g_auto(IOVector) iov = { 0 };

    make_pieces(&iov, buf, sizeof(buf));
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 0, 123, 1), ==, sizeof(buf));
    g_assert_cmpmem(buf, sizeof(buf), f->content + 123, sizeof(buf));
}

static void test_read_short(Fixture *f, gconstpointer data)
{
    uint8_t buf[5000];
    g_auto(IOVector) iov = { 0 };

    make_pieces(&iov, buf, sizeof(buf));
    plan(f, FILE_SYS_PREAD, 1, 0);
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 0, 123, 1), ==, sizeof(buf));
    g_assert_cmpint(f->fault.calls, ==, 2);
    g_assert_cmpmem(buf, sizeof(buf), f->content + 123, sizeof(buf));
}

static void test_read_skip(Fixture *f, gconstpointer data)
{
    uint8_t buf[5000];
    g_auto(IOVector) iov = { 0 };

    memset(buf, 0xee, sizeof(buf));
    make_pieces(&iov, buf, sizeof(buf));
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 700, 823, 1), ==, sizeof(buf) - 700);
    g_assert_cmpint(buf[699], ==, 0xee);
    g_assert_cmpmem(buf + 700, sizeof(buf) - 700, f->content + 823, sizeof(buf) - 700);
}

static void test_read_at_end(Fixture *f, gconstpointer data)
{
    uint8_t buf[5000];
    IOVector iov;

    io_vector_init_buf(&iov, buf, sizeof(buf));
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 0, FILE_BYTES - 100, 1), ==, 100);
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 0, FILE_BYTES + 5, 1), ==, 0);
}

static void test_read_many_elements(Fixture *f, gconstpointer data)
{
    g_autofree uint8_t *buf = g_malloc(FILE_BYTES);
    g_auto(IOVector) iov = { 0 };

    io_vector_init(&iov, 5000);
    for (int i = 0; i < 5000; i++) {
        io_vector_add(&iov, buf + 2 * i, 2);
    }
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 0, 0, 1), ==, FILE_BYTES);
    g_assert_cmpmem(buf, FILE_BYTES, f->content, FILE_BYTES);
}

static void test_read_cached_end(Fixture *f, gconstpointer data)
{
    uint8_t buf[200];
    IOVector iov;
    bool eof;
    ssize_t ret;

    io_vector_init_buf(&iov, buf, sizeof(buf));
    g_assert_cmpint(file_sys_preadv(&f->sys, f->fd, &iov, 0, FILE_BYTES - 100, 1), ==, 100);
    ret = file_sys_preadv_cached(&f->sys, f->fd, &iov, FILE_BYTES - 100, &eof);
    if (ret < 0) {
        g_test_skip("this file system cannot read without waiting");
        return;
    }
    g_assert_cmpint(ret, ==, 100);
    g_assert_true(eof);
}

static void test_read_cached_again(Fixture *f, gconstpointer data)
{
    uint8_t buf[200];
    IOVector iov;
    bool eof;

    io_vector_init_buf(&iov, buf, sizeof(buf));
    plan(f, FILE_SYS_PREAD_NOWAIT, 1, EAGAIN);
    g_assert_cmpint(file_sys_preadv_cached(&f->sys, f->fd, &iov, 0, &eof), ==, -EAGAIN);
    g_assert_cmpint(f->fault.calls, ==, 1);
}

static void assert_written(Fixture *f, FileSysCall call, int error, int expected)
{
    uint8_t buf[3000], back[3000];
    g_auto(IOVector) iov = { 0 };

    memset(buf, 0x5a, sizeof(buf));
    make_pieces(&iov, buf, sizeof(buf));
    plan(f, call, 1, error);
    g_assert_cmpint(file_sys_pwritev(&f->sys, f->fd, &iov, 4000, 0), ==, expected);
    g_assert_cmpint(pread(f->fd, back, sizeof(back), 4000), ==, sizeof(back));
    g_assert_cmpmem(back, sizeof(back), expected ? f->content + 4000 : buf, sizeof(buf));
    g_assert_cmpint(pread(f->fd, back, 1, 7000), ==, 1);
    g_assert_cmpint(back[0], ==, f->content[7000]);
}

static void test_write_short(Fixture *f, gconstpointer data)
{
    assert_written(f, FILE_SYS_PWRITE, 0, 0);
    g_assert_cmpint(f->fault.calls, ==, 2);
}

static void test_write_interrupted(Fixture *f, gconstpointer data)
{
    assert_written(f, FILE_SYS_PWRITE, EINTR, 0);
    g_assert_cmpint(f->fault.calls, ==, 2);
}

static void test_write_again(Fixture *f, gconstpointer data)
{
    assert_written(f, FILE_SYS_PWRITE, EAGAIN, 0);
    g_assert_cmpint(f->fault.calls, ==, 2);
}

static void test_write_full(Fixture *f, gconstpointer data)
{
    assert_written(f, FILE_SYS_PWRITE, ENOSPC, -ENOSPC);
}

static int call_by_kind(Fixture *f, FileSysCall call)
{
    struct stat st;
    struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1 };
    int flags = 0;

    switch (call) {
    case FILE_SYS_OPEN:
        return file_sys_open(&f->sys, "/dev/null", O_RDONLY, 0);
    case FILE_SYS_STAT:
        return file_sys_fstat(&f->sys, f->fd, &st);
    case FILE_SYS_FDATASYNC:
        return file_sys_fdatasync(&f->sys, f->fd);
    case FILE_SYS_FSYNC:
        return file_sys_fsync(&f->sys, f->fd);
    case FILE_SYS_FALLOCATE:
        return file_sys_fallocate(&f->sys, f->fd, 0, 0, 1);
    case FILE_SYS_FTRUNCATE:
        return file_sys_ftruncate(&f->sys, f->fd, FILE_BYTES);
    case FILE_SYS_LSEEK:
        return file_sys_lseek(&f->sys, f->fd, 0, SEEK_SET);
    case FILE_SYS_IOCTL:
        return file_sys_ioctl(&f->sys, f->fd, 0x541b /* FIONREAD */, &flags);
    case FILE_SYS_LOCK:
        return file_sys_lock(&f->sys, f->fd, F_OFD_SETLK, &fl);
    case FILE_SYS_FCNTL:
        return file_sys_set_flags(&f->sys, f->fd, 0);
    case FILE_SYS_COPY_RANGE:
        return file_sys_copy_range(&f->sys, f->fd, 0, f->fd, FILE_BYTES / 2, 512);
    case FILE_SYS_FADVISE:
        return file_sys_drop_cache(&f->sys, f->fd);
    default:
        return -1;
    }
}

static const FileSysCall plain_calls[] = {
    FILE_SYS_OPEN, FILE_SYS_STAT, FILE_SYS_FDATASYNC, FILE_SYS_FSYNC, FILE_SYS_FALLOCATE,
    FILE_SYS_FTRUNCATE, FILE_SYS_LSEEK, FILE_SYS_IOCTL, FILE_SYS_LOCK, FILE_SYS_FCNTL,
    FILE_SYS_COPY_RANGE, FILE_SYS_FADVISE,
};

static void test_each_fails(Fixture *f, gconstpointer data)
{
    for (size_t i = 0; i < G_N_ELEMENTS(plain_calls); i++) {
        plan(f, plain_calls[i], 1, ENOMEM);
        g_assert_cmpint(call_by_kind(f, plain_calls[i]), ==, -ENOMEM);
    }
}

static void test_each_repeats(Fixture *f, gconstpointer data)
{
    for (size_t i = 0; i + 1 < G_N_ELEMENTS(plain_calls); i++) {
        int ret;

        plan(f, plain_calls[i], 1, EINTR);
        ret = call_by_kind(f, plain_calls[i]);
        g_assert_cmpint(ret, >=, 0);
        g_assert_cmpint(f->fault.calls, ==, 2);
        if (plain_calls[i] == FILE_SYS_OPEN) {
            close(ret);
        }
    }
}

static void test_unlink_fails(Fixture *f, gconstpointer data)
{
    plan(f, FILE_SYS_UNLINK, 1, EPERM);
    g_assert_cmpint(file_sys_unlink(&f->sys, f->path), ==, -EPERM);
    g_assert_true(g_file_test(f->path, G_FILE_TEST_EXISTS));
}

#define ADD(path, func) g_test_add("/file/sys/" path, Fixture, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("read/fills-the-vector", test_read_whole);
    ADD("read/short/is-continued", test_read_short);
    ADD("read/skip/leaves-the-first-bytes", test_read_skip);
    ADD("read/at-end/tells-how-much-there-was", test_read_at_end);
    ADD("read/more-than-iov-max-elements/is-split", test_read_many_elements);
    ADD("read-cached/at-end/says-so", test_read_cached_end);
    ADD("read-cached/would-wait/is-not-repeated", test_read_cached_again);
    ADD("write/short/is-continued", test_write_short);
    ADD("write/interrupted/is-repeated", test_write_interrupted);
    ADD("write/eagain/is-repeated", test_write_again);
    ADD("write/enospc/is-told", test_write_full);
    ADD("fault/each-call/fails-as-told", test_each_fails);
    ADD("fault/eintr/is-repeated", test_each_repeats);
    ADD("fault/unlink/leaves-the-file", test_unlink_fails);
    return g_test_run();
}
