/* SPDX-License-Identifier: MIT */
/*
 * Making files.
 *
 * (1) Options are checked before the file is touched.
 * (2) An existing file keeps its bytes until this process holds the locks for writing and
 *     resizing, and until the new length is known to be possible.
 * (3) A failure removes a file that was not there before.
 */
#include "block/drivers/file.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define CREATE_MODE 0644
#define CREATE_DEFAULT_EXTENT_HINT (1u << 20)

/* ---- options ------------------------------------------------------------------ */

bool file_create_parse(const QDict *options, FileCreateOptions *out, GError **error)
{
    uint64_t size = 0, hint = CREATE_DEFAULT_EXTENT_HINT;

    *out = (FileCreateOptions) { .size = 0 };
    qobject_get_uint(qdict_get(options, "size"), &size);
    qobject_get_uint(qdict_get(options, "extent_size_hint"), &hint);
    if (size > INT64_MAX) {
        cairn_set_error_errno(error, EINVAL, "Could not resize file");
        return false;
    }
    if (hint > UINT32_MAX) {
        cairn_set_error(error, EINVAL, "Extent size hint is too large");
        return false;
    }
    out->size = size;
    out->extent_size_hint = hint;
    out->is_nocow = qdict_get_try_bool(options, "nocow", false);
    return file_parse_prealloc(qdict_get_try_str(options, "preallocation"), &out->prealloc, error);
}

/* ---- a regular file -------------------------------------------------------------- */

typedef struct CreateState {
    FileSys *sys;
    const char *filename;
    int fd;
    bool is_new;                /* it was not there before */
} CreateState;

/*
 * O_TRUNC would destroy a file that another process uses. Tells what it made from what it found; a
 * link to nothing counts as found, as removing it would not undo the creation.
 */
static int create_open(CreateState *c)
{
    const int flags = O_RDWR | O_NONBLOCK | O_NOCTTY;

    c->fd = file_sys_open(c->sys, c->filename, flags | O_CREAT | O_EXCL, CREATE_MODE);
    c->is_new = c->fd >= 0;
    if (c->fd == -EEXIST) {
        c->fd = file_sys_open(c->sys, c->filename, flags | O_CREAT, CREATE_MODE);
    }
    return c->fd < 0 ? c->fd : 0;
}

static bool create_check_type(CreateState *c, const char *driver, GError **error)
{
    struct stat st;
    int ret = file_sys_fstat(c->sys, c->fd, &st);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not create '%s'", c->filename);
        return false;
    }
    return file_check_type(&st, driver, c->filename, error);
}

static bool create_lock(CreateState *c, FileLock *lock, GError **error)
{
    bool can_lock = file_lock_is_supported(c->sys, c->fd);

    file_lock_init(lock, c->sys, can_lock ? c->fd : -1);
    return file_lock_extend(lock, BLK_PERM_WRITE | BLK_PERM_RESIZE, BLK_PERM_RESIZE, true,
                            c->filename, error);
}

/* Only an empty file takes these; where the file system knows no such thing they are left out. */
static void create_set_attributes(CreateState *c, const FileCreateOptions *options)
{
    struct fsxattr attr;
    int flags;

    if (options->is_nocow && file_sys_ioctl(c->sys, c->fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        file_sys_ioctl(c->sys, c->fd, FS_IOC_SETFLAGS, &flags);
    }
    if (options->extent_size_hint &&
        file_sys_ioctl(c->sys, c->fd, FS_IOC_FSGETXATTR, &attr) == 0) {
        attr.fsx_xflags |= FS_XFLAG_EXTSIZE;
        attr.fsx_extsize = options->extent_size_hint;
        file_sys_ioctl(c->sys, c->fd, FS_IOC_FSSETXATTR, &attr);
    }
}

/* Tries the new length while the old bytes are still there: a longer file loses nothing. */
static bool create_try_length(CreateState *c, int64_t bytes, GError **error)
{
    int64_t length = file_length(c->sys, c->fd);

    return length >= bytes || file_resize(c->sys, c->fd, bytes, PREALLOC_MODE_OFF, error);
}

static bool create_fill(CreateState *c, const FileCreateOptions *options, GError **error)
{
    if (!create_check_type(c, "file", error) || !create_try_length(c, options->size, error) ||
        !file_resize(c->sys, c->fd, 0, PREALLOC_MODE_OFF, error)) {
        return false;
    }
    create_set_attributes(c, options);
    return file_resize(c->sys, c->fd, options->size, options->prealloc, error);
}

/* Removes the name only if it still stands for the file that was made. */
static void create_remove(CreateState *c)
{
    struct stat made, named;

    if (c->is_new && file_sys_fstat(c->sys, c->fd, &made) == 0 &&
        file_sys_stat(c->sys, c->filename, &named) == 0 && made.st_dev == named.st_dev &&
        made.st_ino == named.st_ino) {
        file_sys_unlink(c->sys, c->filename);
    }
}

bool file_create(FileSys *sys, const char *filename, const FileCreateOptions *options,
                 GError **error)
{
    CreateState c = { .sys = sys, .filename = filename };
    FileLock lock;
    bool ok;
    int ret = create_open(&c);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not create '%s'", filename);
        return false;
    }
    ok = create_lock(&c, &lock, error) && create_fill(&c, options, error);
    if (!ok) {
        create_remove(&c);
    }
    file_sys_close(sys, c.fd);
    return ok;
}

/* ---- a device ----------------------------------------------------------------------- */

/* So that nobody takes the new image for what stood there before. */
static bool create_clear_start(CreateState *c, int64_t length, GError **error)
{
    char zeros[512] = { 0 };
    IOVector iov;
    int ret;

    if (length == 0) {
        return true;
    }
    io_vector_init_buf(&iov, zeros, MIN(length, (int64_t)sizeof(zeros)));
    ret = file_sys_pwritev(c->sys, c->fd, &iov, 0, 0);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not clear the first sector of '%s'",
                              c->filename);
    }
    return ret == 0;
}

static bool create_measure_device(CreateState *c, const FileCreateOptions *options,
                                  GError **error)
{
    int64_t length;

    if (!create_check_type(c, "host_device", error)) {
        return false;
    }
    length = file_length(c->sys, c->fd);
    if (length < 0) {
        cairn_set_error_errno(error, -length, "Could not get the length of '%s'", c->filename);
        return false;
    }
    if (options->size > length) {
        cairn_set_error(error, EINVAL, "Cannot grow device files");
        return false;
    }
    return create_clear_start(c, length, error);
}

bool file_create_on_device(FileSys *sys, const char *filename, const FileCreateOptions *options,
                           GError **error)
{
    CreateState c = { .sys = sys, .filename = filename };
    FileLock lock;
    bool ok;

    if (options->prealloc != PREALLOC_MODE_OFF) {
        cairn_set_error(error, ENOTSUP, "A device cannot be preallocated");
        return false;
    }
    c.fd = file_sys_open(sys, filename, O_RDWR | O_NONBLOCK | O_NOCTTY, 0);
    if (c.fd < 0) {
        cairn_set_error_errno(error, -c.fd, "Could not open '%s'", filename);
        return false;
    }
    ok = create_lock(&c, &lock, error) && create_measure_device(&c, options, error);
    file_sys_close(sys, c.fd);
    return ok;
}

/* ---- callbacks ------------------------------------------------------------------------ */

bool coroutine_fn file_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                 const QDict *options, GError **error)
{
    FileSys sys = { 0 };
    FileCreateOptions parsed;

    return file_create_parse(options, &parsed, error) &&
           file_create(&sys, file_strip_prefix(target->filename, "file:"), &parsed, error);
}

bool coroutine_fn host_device_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                        const QDict *options, GError **error)
{
    FileSys sys = { 0 };
    FileCreateOptions parsed;

    return file_create_parse(options, &parsed, error) &&
           file_create_on_device(&sys, file_strip_prefix(target->filename, "host_device:"),
                                 &parsed, error);
}

/*
 * The typed options of the texts in @opts, with the size rounded up to a sector. NULL with
 * @error.
 */
static QDict *create_absorb(QDict *opts, GError **error)
{
    g_autoptr(QDict) options = options_absorb(qapi_options_BlockdevCreateOptionsFile, opts, error);
    uint64_t size = 0;

    if (!options) {
        return NULL;
    }
    if (qdict_size(opts)) {
        cairn_set_error(error, EINVAL, "Invalid parameter '%s'", qdict_key_at(opts, 0));
        return NULL;
    }
    qobject_get_uint(qdict_get(options, "size"), &size);
    if (size > INT64_MAX - (BDRV_SECTOR_SIZE - 1)) {
        cairn_set_error_errno(error, EINVAL, "Could not resize file");
        return NULL;
    }
    qdict_put_int(options, "size", ROUND_UP_TO(size, BDRV_SECTOR_SIZE));
    return g_steal_pointer(&options);
}

bool coroutine_fn file_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                      GError **error)
{
    g_autoptr(QDict) options = create_absorb(opts, error);

    return options && file_co_create(target, NULL, options, error);
}

bool coroutine_fn host_device_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                             GError **error)
{
    g_autoptr(QDict) options = create_absorb(opts, error);

    return options && host_device_co_create(target, NULL, options, error);
}
