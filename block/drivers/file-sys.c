/* SPDX-License-Identifier: MIT */
/*
 * The wrapper around the file driver's system calls.
 *
 * (1) No caller sees EINTR.
 * (2) A write of 0 bytes is an error, so no loop here runs for ever.
 * (3) A call that a fault stops is not made at all: nothing on disk changes by it.
 */
#include "block/drivers/file-sys.h"

#include <errno.h>
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "util/aio-ring.h"

#define SYS_AGAIN_TRIES 1000        /* a file that keeps saying EAGAIN: about a second */
#define SYS_AGAIN_WAIT_US 1000
#define SYS_RING_BYTES_MAX ((size_t)1 << 30)

/* Returns 0, an errno that the call is to fail with, or -1: transfer half. */
static int sys_fault(FileSys *sys, FileSysCall call)
{
    FileFault *fault = sys->fault;

    if (G_LIKELY(!fault) || !(fault->kinds & (1u << call))) {
        return 0;
    }
    if (g_atomic_int_add(&fault->calls, 1) + 1 != fault->at) {
        return 0;
    }
    return fault->error ? fault->error : -1;
}

/* Runs @expr until it is not interrupted; yields its value, or -errno. */
#define SYS_RETRY(sys, call, expr)                                           \
    ({                                                                       \
        int64_t ret_;                                                        \
        do {                                                                 \
            int fault_ = sys_fault(sys, call);                               \
            ret_ = fault_ > 0 ? -fault_ : ((expr) < 0 ? -errno : 0);         \
        } while (ret_ == -EINTR);                                            \
        ret_;                                                                \
    })

int file_sys_open(FileSys *sys, const char *path, int flags, mode_t mode)
{
    int fd = -1;
    int ret = SYS_RETRY(sys, FILE_SYS_OPEN, fd = open(path, flags | O_CLOEXEC, mode));

    return ret < 0 ? ret : fd;
}

/*
 * Linux frees the descriptor whatever close() says: no retry, and errors of writing come from
 * fdatasync.
 */
void file_sys_close(FileSys *sys, int fd)
{
    if (fd >= 0) {
        sys_fault(sys, FILE_SYS_CLOSE);
        close(fd);
    }
}

int file_sys_stat(FileSys *sys, const char *path, struct stat *st)
{
    return SYS_RETRY(sys, FILE_SYS_STAT, stat(path, st));
}

int file_sys_fstat(FileSys *sys, int fd, struct stat *st)
{
    return SYS_RETRY(sys, FILE_SYS_STAT, fstat(fd, st));
}

int file_sys_unlink(FileSys *sys, const char *path)
{
    return SYS_RETRY(sys, FILE_SYS_UNLINK, unlink(path));
}

/* ---- transfers --------------------------------------------------------- */

typedef struct SysTransfer {
    FileSysCall call;
    int rwf;
} SysTransfer;

static ssize_t sys_transfer_vector(const SysTransfer *t, int fd, const struct iovec *iov,
                                   int niov, int64_t offset)
{
    switch (t->call) {
    case FILE_SYS_PREAD:
        return niov == 1 ? pread(fd, iov->iov_base, iov->iov_len, offset)
                         : preadv(fd, iov, niov, offset);
    case FILE_SYS_PREAD_NOWAIT:
        return preadv2(fd, iov, niov, offset, RWF_NOWAIT);
    default:
        return t->rwf ? pwritev2(fd, iov, niov, offset, t->rwf)
                      : pwritev(fd, iov, niov, offset);
    }
}

/* One call for the bytes from @skip on, at most @limit of them. */
static ssize_t sys_transfer_part(const SysTransfer *t, int fd, const IOVector *iov, size_t skip,
                                 size_t limit, int64_t offset)
{
    IOVector part;
    ssize_t ret;

    if (skip == 0 && limit == iov->size && iov->niov <= IOV_MAX) {
        return sys_transfer_vector(t, fd, iov->iov, iov->niov, offset);
    }
    io_vector_slice(&part, iov, skip, limit);
    ret = sys_transfer_vector(t, fd, part.iov, MIN(part.niov, IOV_MAX), offset);
    if (ret < 0) {
        ret = -errno;
        io_vector_destroy(&part);
        errno = -ret;
        return -1;
    }
    io_vector_destroy(&part);
    return ret;
}

/* Half, as a fault asks for; all where that would be nothing. */
static size_t sys_half(const FileFault *fault, size_t bytes)
{
    size_t unit = MAX(fault->unit, 1), half = bytes / 2 / unit * unit;

    return half ? half : bytes;
}

/* One call, repeated while interrupted. Returns bytes or -errno. */
static ssize_t sys_transfer_once(FileSys *sys, const SysTransfer *t, int fd, const IOVector *iov,
                                 size_t skip, int64_t offset)
{
    ssize_t ret;

    do {
        int fault = sys_fault(sys, t->call);
        size_t bytes = iov->size - skip;

        if (fault > 0) {
            ret = -fault;
            continue;
        }
        if (fault < 0) {
            bytes = sys_half(sys->fault, bytes);
        }
        ret = sys_transfer_part(t, fd, iov, skip, bytes, offset);
        ret = ret < 0 ? -errno : ret;
    } while (ret == -EINTR);
    return ret;
}

/* As above, waiting for a file that has no room or no data just now. */
static ssize_t sys_transfer_wait(FileSys *sys, const SysTransfer *t, int fd, const IOVector *iov,
                                 size_t skip, int64_t offset)
{
    ssize_t ret;
    int tries = 0;

    while ((ret = sys_transfer_once(sys, t, fd, iov, skip, offset)) == -EAGAIN &&
           ++tries < SYS_AGAIN_TRIES) {
        g_usleep(SYS_AGAIN_WAIT_US);
    }
    return ret;
}

ssize_t file_sys_preadv(FileSys *sys, int fd, const IOVector *iov, size_t skip, int64_t offset,
                        uint32_t align)
{
    const SysTransfer t = { .call = FILE_SYS_PREAD };
    size_t done = skip;

    while (done < iov->size) {
        ssize_t ret = sys_transfer_wait(sys, &t, fd, iov, done, offset + (done - skip));

        if (ret < 0) {
            return ret;
        }
        done += ret;
        if (ret == 0 || ret % align) {
            break;
        }
    }
    return done - skip;
}

ssize_t file_sys_preadv_cached(FileSys *sys, int fd, const IOVector *iov, int64_t offset,
                               bool *eof)
{
    const SysTransfer t = { .call = FILE_SYS_PREAD_NOWAIT };
    size_t done = 0;

    *eof = false;
    while (done < iov->size) {
        ssize_t ret = sys_transfer_once(sys, &t, fd, iov, done, offset + done);

        if (ret < 0) {
            return done ? (ssize_t)done : ret;
        }
        if (ret == 0) {
            *eof = true;
            break;
        }
        done += ret;
    }
    return done;
}

int file_sys_pwritev(FileSys *sys, int fd, const IOVector *iov, int64_t offset, int rwf)
{
    const SysTransfer t = { .call = FILE_SYS_PWRITE, .rwf = rwf };
    size_t done = 0;

    while (done < iov->size) {
        ssize_t ret = sys_transfer_wait(sys, &t, fd, iov, done, offset + done);

        if (ret < 0) {
            return ret;
        }
        if (ret == 0) {
            return -ENOSPC;
        }
        done += ret;
    }
    return 0;
}

/* A slice of less than 2 GiB, in at most IOV_MAX pieces. */
static ssize_t coroutine_fn sys_ring_part(AioRingOp op, int fd, const IOVector *iov, size_t skip,
                                          size_t limit, int64_t offset)
{
    IOVector part;
    ssize_t ret;

    if (skip == 0 && limit == iov->size && iov->niov <= IOV_MAX) {
        return aio_ring_co_rw(op, fd, iov->iov, iov->niov, offset);
    }
    io_vector_slice(&part, iov, skip, limit);
    ret = aio_ring_co_rw(op, fd, part.iov, MIN(part.niov, IOV_MAX), offset);
    io_vector_destroy(&part);
    return ret;
}

ssize_t coroutine_fn file_sys_co_ring(FileSys *sys, FileSysCall call, int fd, const IOVector *iov,
                                      size_t skip, int64_t offset)
{
    int fault = sys_fault(sys, call);
    size_t bytes = MIN(iov->size - skip, SYS_RING_BYTES_MAX);

    if (fault > 0) {
        return -fault;
    }
    return sys_ring_part(call == FILE_SYS_RING_READ ? AIO_RING_READ : AIO_RING_WRITE, fd, iov,
                         skip, fault < 0 ? sys_half(sys->fault, bytes) : bytes, offset);
}

/* ---- the rest ---------------------------------------------------------- */

int file_sys_copy_range(FileSys *sys, int from, int64_t from_offset, int to, int64_t to_offset,
                        int64_t bytes)
{
    loff_t in = from_offset, out = to_offset;
    int64_t left = bytes;

    while (left > 0) {
        ssize_t n = 0;
        int64_t ret = SYS_RETRY(sys, FILE_SYS_COPY_RANGE,
                                n = copy_file_range(from, &in, to, &out, left, 0));

        if (ret < 0) {
            return (int)ret;
        }
        if (n == 0) {
            return -EINVAL;
        }
        left -= n;
    }
    return 0;
}

int file_sys_fdatasync(FileSys *sys, int fd)
{
    return SYS_RETRY(sys, FILE_SYS_FDATASYNC, fdatasync(fd));
}

int file_sys_fsync(FileSys *sys, int fd)
{
    return SYS_RETRY(sys, FILE_SYS_FSYNC, fsync(fd));
}

int file_sys_fallocate(FileSys *sys, int fd, int mode, int64_t offset, int64_t bytes)
{
    return SYS_RETRY(sys, FILE_SYS_FALLOCATE, fallocate(fd, mode, offset, bytes));
}

int file_sys_ftruncate(FileSys *sys, int fd, int64_t bytes)
{
    return SYS_RETRY(sys, FILE_SYS_FTRUNCATE, ftruncate(fd, bytes));
}

int64_t file_sys_lseek(FileSys *sys, int fd, int64_t offset, int whence)
{
    int64_t place = 0;
    int64_t ret = SYS_RETRY(sys, FILE_SYS_LSEEK, place = lseek(fd, offset, whence));

    return ret < 0 ? ret : place;
}

int file_sys_ioctl(FileSys *sys, int fd, unsigned long request, void *arg)
{
    return SYS_RETRY(sys, FILE_SYS_IOCTL, ioctl(fd, request, arg));
}

int file_sys_lock(FileSys *sys, int fd, int command, struct flock *fl)
{
    return SYS_RETRY(sys, FILE_SYS_LOCK, fcntl(fd, command, fl));
}

int file_sys_set_flags(FileSys *sys, int fd, int flags)
{
    return SYS_RETRY(sys, FILE_SYS_FCNTL, fcntl(fd, F_SETFL, flags));
}

int file_sys_drop_cache(FileSys *sys, int fd)
{
    int fault = sys_fault(sys, FILE_SYS_FADVISE);

    return fault > 0 ? -fault : -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

void file_sys_dio_align(FileSys *sys, int fd, uint32_t *memory, uint32_t *offset)
{
    *memory = *offset = 0;
#ifdef STATX_DIOALIGN
    struct statx sx = { 0 };

    if (SYS_RETRY(sys, FILE_SYS_STAT, statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx)) == 0 &&
        (sx.stx_mask & STATX_DIOALIGN)) {
        *memory = sx.stx_dio_mem_align;
        *offset = sx.stx_dio_offset_align;
    }
#endif
}
