/* SPDX-License-Identifier: MIT */
/*
 * Write zeroes and discard, by the cheapest means that the file system or the device has. What it
 * refuses is remembered for the node and gives -ENOTSUP: the core then writes zeros, or leaves a
 * discard out.
 *
 * (1) Success of write zeroes means: the range reads as zeros and lies inside the file.
 * (2) Space is given back only with BDRV_REQ_MAY_UNMAP, or by a discard.
 */
#include "block/drivers/file.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

typedef struct ZeroJob {
    FileState *s;
    int64_t offset;
    int64_t bytes;
    int flags;                  /* BDRV_REQ_* */
} ZeroJob;

/* Turns "cannot do that" into -ENOTSUP, and remembers it unless only this range was not liked. */
static int zero_note_refusal(FileState *s, int what, int ret)
{
    switch (ret) {
    case -EOPNOTSUPP:
    case -ENOSYS:
    case -ENOTTY:
    case -ENODEV:
        g_atomic_int_or((guint *)&s->refused, what);
        return -ENOTSUP;
    case -EINVAL:
        return -ENOTSUP;
    default:
        return ret;
    }
}

static int zero_fallocate(FileState *s, int what, int mode, int64_t offset, int64_t bytes)
{
    if (g_atomic_int_get(&s->refused) & what) {
        return -ENOTSUP;
    }
    return zero_note_refusal(s, what, file_sys_fallocate(&s->sys, s->fd, mode, offset, bytes));
}

static int zero_device_ioctl(FileState *s, int what, unsigned long request, int64_t offset,
                             int64_t bytes)
{
    uint64_t range[2] = { offset, bytes };

    if (g_atomic_int_get(&s->refused) & what) {
        return -ENOTSUP;
    }
    return zero_note_refusal(s, what, file_sys_ioctl(&s->sys, s->fd, request, range));
}

static int zero_punch(FileState *s, int64_t offset, int64_t bytes)
{
    return zero_fallocate(s, FILE_REFUSES_PUNCH, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          offset, bytes);
}

/*
 * Makes the file at least @end long. Allocates the last byte, as ftruncate could cut what
 * others just wrote.
 */
static int zero_extend(FileState *s, int64_t end)
{
    struct stat st;
    int ret;

    if (s->kind != FILE_KIND_REGULAR) {
        return 0;
    }
    ret = file_sys_fstat(&s->sys, s->fd, &st);
    if (ret < 0 || st.st_size >= end) {
        return ret;
    }
    return zero_fallocate(s, FILE_REFUSES_ALLOCATE, 0, end - 1, 1);
}

/* Zeros that keep their space. */
static int zero_allocated(FileState *s, const ZeroJob *job)
{
    int ret = zero_fallocate(s, FILE_REFUSES_ZERO_RANGE, FALLOC_FL_ZERO_RANGE, job->offset,
                             job->bytes);

    if (ret != -ENOTSUP) {
        return ret;
    }
    if (s->kind == FILE_KIND_BLOCK) {
        return zero_device_ioctl(s, FILE_REFUSES_ZEROOUT, BLKZEROOUT, job->offset, job->bytes);
    }
    if (g_atomic_int_get(&s->refused) & FILE_REFUSES_ALLOCATE) {
        return -ENOTSUP;
    }
    ret = zero_punch(s, job->offset, job->bytes);
    return ret < 0 ? ret
         : zero_fallocate(s, FILE_REFUSES_ALLOCATE, 0, job->offset, job->bytes);
}

static int zero_job(void *opaque)
{
    const ZeroJob *job = opaque;
    FileState *s = job->s;

    if (job->flags & BDRV_REQ_MAY_UNMAP) {
        int ret = zero_punch(s, job->offset, job->bytes);

        if (ret == 0) {
            ret = zero_extend(s, job->offset + job->bytes);
        }
        if (ret != -ENOTSUP) {
            return ret;
        }
    }
    if (s->kind == FILE_KIND_BLOCK && (job->flags & BDRV_REQ_NO_FALLBACK)) {
        return -ENOTSUP;        /* the kernel might write zeros itself */
    }
    return zero_allocated(s, job);
}

int coroutine_fn file_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       int flags)
{
    FileState *s = bs->opaque;
    ZeroJob job = { .s = s, .offset = offset, .bytes = bytes, .flags = flags };
    int ret = file_check_writable(s);

    if (ret < 0 || s->kind == FILE_KIND_CHAR) {
        return ret < 0 ? ret : -ENOTSUP;
    }
    return bdrv_co_run_work(bs, BDRV_WORK_IO, zero_job, &job);
}

static int zero_discard_job(void *opaque)
{
    const ZeroJob *job = opaque;

    return job->s->kind == FILE_KIND_BLOCK
        ? zero_device_ioctl(job->s, FILE_REFUSES_DISCARD, BLKDISCARD, job->offset, job->bytes)
        : zero_punch(job->s, job->offset, job->bytes);
}

int coroutine_fn file_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    FileState *s = bs->opaque;
    ZeroJob job = { .s = s, .offset = offset, .bytes = bytes };
    int ret = file_check_writable(s);

    if (ret < 0 || s->kind == FILE_KIND_CHAR) {
        return ret < 0 ? ret : -ENOTSUP;
    }
    return bdrv_co_run_work(bs, BDRV_WORK_IO, zero_discard_job, &job);
}
