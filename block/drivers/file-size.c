/* SPDX-License-Identifier: MIT */
/*
 * Lengths of files and devices: asking, setting with or without preallocation, and the alignment
 * that direct I/O needs. A resize that fails leaves the old length.
 */
#include "block/drivers/file.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/cutils.h"

#define SIZE_ZERO_BUFFER_BYTES ((size_t)1 << 20)
#define SIZE_MAX_DIRECT_ALIGN 4096

FileKind file_kind(const struct stat *st)
{
    return S_ISBLK(st->st_mode) ? FILE_KIND_BLOCK
         : S_ISCHR(st->st_mode) ? FILE_KIND_CHAR : FILE_KIND_REGULAR;
}

int64_t file_length(FileSys *sys, int fd)
{
    struct stat st;
    uint64_t bytes = 0;
    int64_t ret = file_sys_fstat(sys, fd, &st);

    if (ret < 0) {
        return ret;
    }
    switch (file_kind(&st)) {
    case FILE_KIND_BLOCK:
        ret = file_sys_ioctl(sys, fd, BLKGETSIZE64, &bytes);
        return ret < 0 ? ret : bytes > INT64_MAX ? -EFBIG : (int64_t)bytes;
    case FILE_KIND_CHAR:
        return 0;
    default:
        return st.st_size;
    }
}

int64_t coroutine_fn file_co_getlength(BlockDriverState *bs)
{
    FileState *s = bs->opaque;

    return file_length(&s->sys, s->fd);
}

int64_t coroutine_fn file_co_get_allocated_file_size(BlockDriverState *bs)
{
    FileState *s = bs->opaque;
    struct stat st;
    int ret = file_sys_fstat(&s->sys, s->fd, &st);

    return ret < 0 ? ret : (int64_t)st.st_blocks * 512;
}

/* ---- preallocation ------------------------------------------------------ */

static const char *const size_prealloc_names[] = {
    [PREALLOC_MODE_OFF] = "off", [PREALLOC_MODE_METADATA] = "metadata",
    [PREALLOC_MODE_FALLOC] = "falloc", [PREALLOC_MODE_FULL] = "full",
};

static bool size_check_prealloc(PreallocMode mode, GError **error)
{
    if (mode == PREALLOC_MODE_METADATA) {
        cairn_set_error(error, ENOTSUP, "Unsupported preallocation mode: metadata");
        return false;
    }
    return true;
}

bool file_parse_prealloc(const char *text, PreallocMode *mode, GError **error)
{
    *mode = PREALLOC_MODE_OFF;
    for (size_t i = 0; text && i < G_N_ELEMENTS(size_prealloc_names); i++) {
        if (g_str_equal(text, size_prealloc_names[i])) {
            *mode = i;
            return size_check_prealloc(i, error);
        }
    }
    if (text) {
        cairn_set_error(error, EINVAL, "invalid parameter value: %s", text);
        cairn_error_append_hint(error, "Accepted values of 'preallocation': off, falloc, full");
    }
    return !text;
}

static int size_write_zeros(FileSys *sys, int fd, int64_t offset, int64_t end)
{
    g_autofree void *zeros = g_try_malloc0(SIZE_ZERO_BUFFER_BYTES);

    if (!zeros) {
        return -ENOMEM;
    }
    while (offset < end) {
        g_auto(IOVector) iov = { 0 };
        int ret;

        io_vector_init_buf(&iov, zeros, MIN((int64_t)SIZE_ZERO_BUFFER_BYTES, end - offset));
        ret = file_sys_pwritev(sys, fd, &iov, offset, 0);
        if (ret < 0) {
            return ret;
        }
        offset += iov.size;
    }
    return 0;
}

/* Direct I/O wants aligned memory and lengths; zeros go through the page cache instead. */
static int size_write_zeros_cached(FileSys *sys, int fd, int64_t offset, int64_t end)
{
    int flags = fcntl(fd, F_GETFL);
    int ret = flags < 0 ? -errno : 0;

    if (ret == 0 && (flags & O_DIRECT)) {
        ret = file_sys_set_flags(sys, fd, flags & ~O_DIRECT);
    }
    if (ret == 0) {
        ret = size_write_zeros(sys, fd, offset, end);
    }
    if (ret == 0) {
        ret = file_sys_fdatasync(sys, fd);      /* a full disk shows at the latest here */
    }
    if (flags >= 0 && (flags & O_DIRECT)) {
        int restored = file_sys_set_flags(sys, fd, flags);

        ret = ret < 0 ? ret : restored;
    }
    return ret;
}

/* Gives the range, which lies past the end, space on disk; the file grows by it. */
static int size_preallocate(FileSys *sys, int fd, int64_t offset, int64_t end, PreallocMode mode)
{
    if (mode == PREALLOC_MODE_FALLOC) {
        int ret = file_sys_fallocate(sys, fd, 0, offset, end - offset);

        if (ret != -EOPNOTSUPP && ret != -ENOSYS) {
            return ret;
        }
    }
    return size_write_zeros_cached(sys, fd, offset, end);
}

bool file_resize(FileSys *sys, int fd, int64_t bytes, PreallocMode prealloc, GError **error)
{
    int64_t length = file_length(sys, fd);
    int ret;

    if (!size_check_prealloc(prealloc, error)) {
        return false;
    }
    if (length < 0) {
        cairn_set_error_errno(error, -length, "Could not get the file's length");
        return false;
    }
    if (prealloc == PREALLOC_MODE_OFF || bytes == length) {
        ret = file_sys_ftruncate(sys, fd, bytes);
        if (ret < 0) {
            cairn_set_error_errno(error, -ret, "Could not resize file");
        }
        return ret == 0;
    }
    if (bytes < length) {
        cairn_set_error(error, EINVAL, "Cannot use preallocation for shrinking files");
        return false;
    }
    ret = size_preallocate(sys, fd, length, bytes, prealloc);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not preallocate space for the file");
        file_sys_ftruncate(sys, fd, length);
    }
    return ret == 0;
}

/* ---- truncate ----------------------------------------------------------- */

typedef struct SizeTruncateJob {
    FileState *s;
    int64_t bytes;
    PreallocMode prealloc;
    GError **error;
} SizeTruncateJob;

static int size_truncate_job(void *opaque)
{
    SizeTruncateJob *job = opaque;

    return file_resize(&job->s->sys, job->s->fd, job->bytes, job->prealloc, job->error) ? 0 : -1;
}

/* A device has the length it has: a smaller one may be asked for, it stays unused behind it. */
static bool size_truncate_device(FileState *s, int64_t bytes, bool exact, PreallocMode prealloc,
                                 GError **error)
{
    int64_t length = file_length(&s->sys, s->fd);

    if (prealloc != PREALLOC_MODE_OFF) {
        cairn_set_error(error, ENOTSUP,
                        "Preallocation mode '%s' unsupported for this non-regular file",
                        size_prealloc_names[prealloc]);
    } else if (length < 0) {
        cairn_set_error_errno(error, -length, "Could not get the length of '%s'", s->filename);
    } else if (bytes > length) {
        cairn_set_error(error, EINVAL, "Cannot grow device files");
    } else if (exact && bytes != length) {
        cairn_set_error(error, ENOTSUP, "Cannot resize device files");
    } else {
        return true;
    }
    return false;
}

bool coroutine_fn file_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                   PreallocMode prealloc, GError **error)
{
    FileState *s = bs->opaque;
    SizeTruncateJob job = { .s = s, .bytes = bytes, .prealloc = prealloc, .error = error };

    if (file_check_writable(s) < 0) {
        cairn_set_error(error, EIO, "'%s' takes no more writes, as a flush of it has failed",
                        s->filename);
        return false;
    }
    if (s->kind != FILE_KIND_REGULAR) {
        return size_truncate_device(s, bytes, exact, prealloc, error);
    }
    return bdrv_co_run_work(bs, BDRV_WORK_IO, size_truncate_job, &job) == 0;
}

/* ---- alignment ---------------------------------------------------------- */

/* The least power of two, from 512 on, at which a direct read works. */
static uint32_t size_try_align(FileSys *sys, int fd, bool of_memory)
{
    void *buf = NULL;
    uint32_t align;

    if (posix_memalign(&buf, SIZE_MAX_DIRECT_ALIGN, 2 * SIZE_MAX_DIRECT_ALIGN) != 0) {
        return SIZE_MAX_DIRECT_ALIGN;
    }
    for (align = 512; align < SIZE_MAX_DIRECT_ALIGN; align *= 2) {
        IOVector iov;

        if (of_memory) {
            io_vector_init_buf(&iov, (char *)buf + align, SIZE_MAX_DIRECT_ALIGN);
        } else {
            io_vector_init_buf(&iov, buf, align);
        }
        if (file_sys_preadv(sys, fd, &iov, 0, 0, align) != -EINVAL) {
            break;
        }
    }
    free(buf);
    return align;
}

void file_probe_alignment(FileSys *sys, int fd, FileKind kind, uint32_t *memory, uint32_t *offset)
{
    int sector = 0;

    file_sys_dio_align(sys, fd, memory, offset);
    if (!is_power_of_2(*offset) && kind == FILE_KIND_BLOCK &&
        file_sys_ioctl(sys, fd, BLKSSZGET, &sector) == 0) {
        *offset = sector;
    }
    if (!is_power_of_2(*offset)) {
        *offset = size_try_align(sys, fd, false);
    }
    if (!is_power_of_2(*memory)) {
        uint32_t found = size_try_align(sys, fd, true);

        *memory = MAX(found, 512);
    }
}
