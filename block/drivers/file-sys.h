/* SPDX-License-Identifier: MIT */
/*
 * Every system call of the file driver passes here. The wrappers repeat what was interrupted,
 * finish short transfers, turn errors into -errno, and fail on demand: a test gives a node (or a
 * creation) a FileFault and so makes its k-th call fail.
 */
#ifndef BLOCK_DRIVERS_FILE_SYS_H
#define BLOCK_DRIVERS_FILE_SYS_H

#include <cairn/coroutine.h>
#include <cairn/iov.h>

#include <fcntl.h>
#include <sys/stat.h>

typedef enum FileSysCall {
    FILE_SYS_OPEN, FILE_SYS_CLOSE, FILE_SYS_STAT, FILE_SYS_PREAD, FILE_SYS_PREAD_NOWAIT,
    FILE_SYS_PWRITE, FILE_SYS_FDATASYNC, FILE_SYS_FSYNC, FILE_SYS_FALLOCATE, FILE_SYS_FTRUNCATE,
    FILE_SYS_LSEEK, FILE_SYS_IOCTL, FILE_SYS_LOCK, FILE_SYS_FCNTL, FILE_SYS_UNLINK,
    FILE_SYS_FADVISE, FILE_SYS_COPY_RANGE, FILE_SYS_RING_READ, FILE_SYS_RING_WRITE,
} FileSysCall;

#define FILE_FAULT_ALL (~(uint32_t)0)

/* A planned failure, a test's. Counting starts anew when a test sets calls to 0. */
typedef struct FileFault {
    uint32_t kinds;             /* 1 << FileSysCall: which calls count */
    gint at;                    /* the call that fails, 1 for the first; 0: none */
    int error;                  /* positive errno; 0: the transfer moves half of its bytes */
    size_t unit;                /* in units of so many, as direct I/O comes up short by sectors; 0: 1 */
    gint calls;                 /* atomic: counted so far */
} FileFault;

typedef struct FileSys {
    FileFault *fault;           /* not owned; NULL outside tests */
} FileSys;

/* All return -errno on failure. */
int file_sys_open(FileSys *sys, const char *path, int flags, mode_t mode);
void file_sys_close(FileSys *sys, int fd);
int file_sys_stat(FileSys *sys, const char *path, struct stat *st);
int file_sys_fstat(FileSys *sys, int fd, struct stat *st);
int file_sys_unlink(FileSys *sys, const char *path);

/*
 * Transfers of the bytes from @skip on of the vector, at @offset (the place of the byte @skip).
 * Reading: returns the bytes read, fewer than asked at the end of the file only. A transfer that
 * is no multiple of @align (of direct I/O, else 1) has met the end.
 */
ssize_t file_sys_preadv(FileSys *sys, int fd, const IOVector *iov, size_t skip, int64_t offset,
                        uint32_t align);
/*
 * What the page cache holds: the bytes read, with @eof set where the end of the file was met; the
 * rest is left for file_sys_preadv(). Never waits. -EOPNOTSUPP: the file system cannot do this.
 */
ssize_t file_sys_preadv_cached(FileSys *sys, int fd, const IOVector *iov, int64_t offset,
                               bool *eof);
/* @rwf: RWF_* of pwritev2(2). Returns 0 when all is written. */
int file_sys_pwritev(FileSys *sys, int fd, const IOVector *iov, int64_t offset, int rwf);

/*
 * One transfer by the thread's io_uring, as file_sys_preadv() counts. Returns the bytes moved, maybe
 * fewer than asked for, or an error: of the file, or of the ring, which may not be there. What to
 * make of either, a transfer of the kinds above finds out.
 */
ssize_t coroutine_fn file_sys_co_ring(FileSys *sys, FileSysCall call, int fd, const IOVector *iov,
                                      size_t skip, int64_t offset);

/* Returns 0 when all is copied. -EINVAL: the source ends before. */
int file_sys_copy_range(FileSys *sys, int from, int64_t from_offset, int to, int64_t to_offset,
                        int64_t bytes);
int file_sys_fdatasync(FileSys *sys, int fd);
int file_sys_fsync(FileSys *sys, int fd);
int file_sys_fallocate(FileSys *sys, int fd, int mode, int64_t offset, int64_t bytes);
int file_sys_ftruncate(FileSys *sys, int fd, int64_t bytes);
int64_t file_sys_lseek(FileSys *sys, int fd, int64_t offset, int whence);
int file_sys_ioctl(FileSys *sys, int fd, unsigned long request, void *arg);
/* fcntl(2) with F_OFD_SETLK or F_OFD_GETLK. */
int file_sys_lock(FileSys *sys, int fd, int command, struct flock *fl);
int file_sys_set_flags(FileSys *sys, int fd, int flags);
/* Drops what the page cache holds of the file. */
int file_sys_drop_cache(FileSys *sys, int fd);
/* Alignment of direct I/O, or 0, 0 where the kernel does not tell. */
void file_sys_dio_align(FileSys *sys, int fd, uint32_t *memory, uint32_t *offset);

#endif
