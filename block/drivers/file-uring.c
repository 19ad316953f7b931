/* SPDX-License-Identifier: MIT */
/*
 * The file driver's io_uring engine, and who gets it.
 *
 * It moves what the page cache has no part in, and reads that the page cache could not answer.
 * All else is the worker threads': writes to the page cache, which the kernel would hand to
 * threads of its own; syncs and durable writes, after whose failure nothing more may be written.
 * Theirs is also what the ring did not do whole, so there is one place that knows the end of a file
 * from an error. Doing a write again is harmless, as nobody was told yet that it was done.
 */
#include "block/drivers/file.h"

#include <string.h>

static int coroutine_fn uring_co_preadv(BlockDriverState *bs, const IOVector *iov, size_t skip,
                                        int64_t offset)
{
    FileState *s = bs->opaque;
    ssize_t ret = file_sys_co_ring(&s->sys, FILE_SYS_RING_READ, s->fd, iov, skip, offset);

    return ret == (ssize_t)(iov->size - skip)
        ? 0 : file_engine_threads.co_preadv(bs, iov, skip, offset);
}

static int coroutine_fn uring_co_pwritev(BlockDriverState *bs, const IOVector *iov,
                                         int64_t offset, bool fua)
{
    FileState *s = bs->opaque;

    if (s->is_direct && !fua &&
        file_sys_co_ring(&s->sys, FILE_SYS_RING_WRITE, s->fd, iov, 0, offset)
            == (ssize_t)iov->size) {
        return 0;
    }
    return file_engine_threads.co_pwritev(bs, iov, offset, fua);
}

static int coroutine_fn uring_co_fdatasync(BlockDriverState *bs)
{
    return file_engine_threads.co_fdatasync(bs);
}

const FileEngine file_engine_uring = {
    .name         = "io_uring",
    .co_preadv    = uring_co_preadv,
    .co_pwritev   = uring_co_pwritev,
    .co_fdatasync = uring_co_fdatasync,
};

const FileEngine *file_choose_engine(const FileState *s)
{
    bool wants_ring = s->aio ? strcmp(s->aio, "threads") != 0 : s->is_direct;

    /* Reading a character device may wait for ever, for somebody at the other end. */
    return wants_ring && s->kind != FILE_KIND_CHAR ? &file_engine_uring : &file_engine_threads;
}
