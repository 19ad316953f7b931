/* SPDX-License-Identifier: MIT */
/*
 * Reads, writes and flushes of the file driver.
 *
 * (1) A read that the page cache can answer is answered inline; all else runs where it may block.
 * (2) After a failed sync the kernel may call pages clean that the disk never got, and tells of it
 *     only once. So the node then refuses writes and flushes until it is reopened; reads go on.
 * (3) The first flush that succeeds makes the file's name durable too.
 */
#include "block/drivers/file.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_BULK (32 << 10)    /* bytes: a smaller write is done before another thread knows of it */

typedef struct FileJob {
    BlockDriverState *bs;
    FileState *s;
    const IOVector *iov;
    size_t skip;                /* bytes of iov, from its start, that are done */
    int64_t offset;
    bool is_fua;
} FileJob;

int file_check_writable(FileState *s)
{
    return g_atomic_int_get(&s->sync_error) ? -EIO : 0;
}

static int file_note_sync_error(FileState *s, int ret)
{
    if (ret < 0) {
        g_atomic_int_compare_and_exchange(&s->sync_error, 0, -ret);
    }
    return ret;
}

/*
 * The kernel tells of a lost page to one caller only. So of two syncs at once, the second waits:
 * it then sees what the first was told.
 */
static int file_sync(FileState *s)
{
    g_autoptr(GMutexLocker) G_GNUC_UNUSED locker =
        g_mutex_locker_new(&s->sync_lock);
    int ret = file_check_writable(s);

    if (ret < 0) {
        return ret;
    }
    ret = file_sys_fdatasync(&s->sys, s->fd);
    if (ret == -EINVAL && s->kind == FILE_KIND_CHAR) {
        return 0;               /* nothing there that could be lost */
    }
    return file_note_sync_error(s, ret);
}

/* ---- reads --------------------------------------------------------------- */

static int file_read_job(void *opaque)
{
    FileJob *job = opaque;
    FileState *s = job->s;
    ssize_t ret = file_sys_preadv(&s->sys, s->fd, job->iov, job->skip, job->offset,
                                  s->direct_align);

    if (ret < 0) {
        return ret;
    }
    io_vector_memset(job->iov, job->skip + ret, 0, job->iov->size - job->skip - ret);
    return 0;
}

static int coroutine_fn threads_co_preadv(BlockDriverState *bs, const IOVector *iov, size_t skip,
                                          int64_t offset)
{
    FileJob job = { .bs = bs, .s = bs->opaque, .iov = iov, .skip = skip, .offset = offset };

    return bdrv_co_run_work(bs, BDRV_WORK_IO, file_read_job, &job);
}

/* The bytes done by what the page cache holds; all of them where the rest lies past the end. */
static size_t file_read_cached(FileState *s, const IOVector *iov, int64_t offset)
{
    bool eof;
    ssize_t ret;

    if (s->is_direct || (g_atomic_int_get(&s->refused) & FILE_REFUSES_NOWAIT)) {
        return 0;
    }
    ret = file_sys_preadv_cached(&s->sys, s->fd, iov, offset, &eof);
    if (ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -EINVAL) {
        g_atomic_int_or((guint *)&s->refused, FILE_REFUSES_NOWAIT);
    }
    if (ret < 0) {
        return 0;               /* a read that may wait tells what is wrong, if anything is */
    }
    if (eof) {
        io_vector_memset(iov, ret, 0, iov->size - ret);
        return iov->size;
    }
    return ret;
}

int coroutine_fn file_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov, int flags)
{
    FileState *s = bs->opaque;
    size_t done = file_read_cached(s, iov, offset);

    return done == iov->size ? 0 : s->engine->co_preadv(bs, iov, done, offset + done);
}

/* ---- writes --------------------------------------------------------------- */

/* Of a write that was to be durable at once: did the writing fail, not the syncing? */
static bool file_failed_before_sync(int ret)
{
    return ret == -ENOSPC || ret == -EDQUOT || ret == -EFBIG || ret == -EINVAL ||
           ret == -EOPNOTSUPP;
}

/*
 * With direct I/O the kernel can make one write durable by itself. Through the page cache it is a
 * write and a sync, so that an error says which of the two failed.
 */
static int file_write_durable(FileState *s, const FileJob *job)
{
    int ret;

    if (s->is_direct && !(g_atomic_int_get(&s->refused) & FILE_REFUSES_DSYNC)) {
        ret = file_sys_pwritev(&s->sys, s->fd, job->iov, job->offset, RWF_DSYNC);
        if (ret != -EOPNOTSUPP) {
            return file_failed_before_sync(ret) ? ret : file_note_sync_error(s, ret);
        }
        g_atomic_int_or((guint *)&s->refused, FILE_REFUSES_DSYNC);
    }
    ret = file_sys_pwritev(&s->sys, s->fd, job->iov, job->offset, 0);
    return ret < 0 ? ret : file_sync(s);
}

static int file_write_job(void *opaque)
{
    FileJob *job = opaque;
    FileState *s = job->s;

    return job->is_fua ? file_write_durable(s, job)
                       : file_sys_pwritev(&s->sys, s->fd, job->iov, job->offset, 0);
}

static int coroutine_fn threads_co_pwritev(BlockDriverState *bs, const IOVector *iov,
                                           int64_t offset, bool fua)
{
    FileJob job = {
        .bs = bs, .s = bs->opaque, .iov = iov, .offset = offset, .is_fua = fua,
    };
    BdrvWorkKind kind = iov->size < FILE_BULK ? BDRV_WORK_CACHED_WRITE : BDRV_WORK_BULK_WRITE;

    if (fua || job.s->is_direct) {
        kind = BDRV_WORK_IO;
    }
    return bdrv_co_run_work(bs, kind, file_write_job, &job);
}

int coroutine_fn file_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 const IOVector *iov, int flags)
{
    FileState *s = bs->opaque;
    bool fua = (flags & BDRV_REQ_FUA) && !(bs->open_flags & BLK_O_NO_FLUSH);
    int ret = file_check_writable(s);

    return ret < 0 ? ret : s->engine->co_pwritev(bs, iov, offset, fua);
}

/* ---- flush ---------------------------------------------------------------- */

/* Best effort: the folder may be unreadable, or the file have no name any more. */
static void file_sync_folder(FileState *s)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", s->fd);
    g_autofree char *path = g_file_read_link(link, NULL);
    g_autofree char *folder = path ? g_path_get_dirname(path) : NULL;
    int fd = folder ? file_sys_open(&s->sys, folder, O_RDONLY | O_DIRECTORY, 0) : -1;

    if (fd >= 0) {
        file_sys_fsync(&s->sys, fd);
        file_sys_close(&s->sys, fd);
    }
}

static int file_flush_job(void *opaque)
{
    FileState *s = opaque;
    int ret = file_sync(s);

    if (ret == 0 && s->kind == FILE_KIND_REGULAR &&
        g_atomic_int_compare_and_exchange(&s->folder_synced, 0, 1)) {
        file_sync_folder(s);
    }
    return ret;
}

static int coroutine_fn threads_co_fdatasync(BlockDriverState *bs)
{
    return bdrv_co_run_work(bs, BDRV_WORK_IO, file_flush_job, bs->opaque);
}

int coroutine_fn file_co_flush(BlockDriverState *bs)
{
    FileState *s = bs->opaque;
    int ret;

    if (bs->open_flags & BLK_O_NO_FLUSH) {
        return 0;
    }
    ret = file_check_writable(s);
    return ret < 0 ? ret : s->engine->co_fdatasync(bs);
}

const FileEngine file_engine_threads = {
    .name         = "threads",
    .co_preadv    = threads_co_preadv,
    .co_pwritev   = threads_co_pwritev,
    .co_fdatasync = threads_co_fdatasync,
};
