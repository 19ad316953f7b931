/* SPDX-License-Identifier: MIT */
/*
 * Copies between two files that the kernel makes: by sharing blocks where the file system can, else
 * from page cache to page cache.
 */
#include "block/drivers/file.h"

#include <errno.h>

typedef struct FileCopy {
    FileState *from, *to;
    int64_t source_offset, offset, bytes;
} FileCopy;

/* What only means that it does not work this way. */
static bool file_copy_is_refusal(int ret)
{
    return ret == -EXDEV || ret == -ENOSYS || ret == -EINVAL || ret == -EOPNOTSUPP ||
           ret == -EBADF || ret == -EPERM;
}

static int file_copy_job(void *opaque)
{
    FileCopy *c = opaque;
    int ret = file_sys_copy_range(&c->to->sys, c->from->fd, c->source_offset, c->to->fd,
                                  c->offset, c->bytes);

    if (file_copy_is_refusal(ret)) {
        g_atomic_int_or((guint *)&c->to->refused, FILE_REFUSES_COPY_RANGE);
        return -ENOTSUP;
    }
    return ret;
}

int coroutine_fn file_co_copy_range_from(BlockDriverState *bs, int64_t offset, BdrvChild *target,
                                         int64_t target_offset, int64_t bytes)
{
    return bdrv_co_copy_range_to(target, bs, offset, target_offset, bytes);
}

int coroutine_fn file_co_copy_range_to(BlockDriverState *bs, BlockDriverState *source,
                                       int64_t source_offset, int64_t offset, int64_t bytes)
{
    FileCopy c = {
        .from = source->opaque, .to = bs->opaque, .source_offset = source_offset,
        .offset = offset, .bytes = bytes,
    };
    int ret;

    if (source->drv != bs->drv || c.to->kind != FILE_KIND_REGULAR ||
        c.from->kind != FILE_KIND_REGULAR ||
        (g_atomic_int_get(&c.to->refused) & FILE_REFUSES_COPY_RANGE)) {
        return -ENOTSUP;
    }
    ret = file_check_writable(c.to);
    return ret < 0 ? ret : bdrv_co_run_work(bs, BDRV_WORK_CACHED_WRITE, file_copy_job, &c);
}
