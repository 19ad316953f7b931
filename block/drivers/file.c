/* SPDX-License-Identifier: MIT */
/*
 * file: a regular file of the host. host_device: a block or character device. Both are this driver;
 * which one a plain name means, bdrv_probe_device decides. Here: open, permissions (as locks),
 * reopen, close, and the vtables.
 *
 * (1) Opening never waits: not for the other end of a FIFO, not for a lock.
 * (2) While a node has permissions, the bytes of file-lock.h that say so are locked, also at each
 *     moment of a reopen.
 * (3) A reopened node is the same file: the same device and inode.
 */
#include "block/drivers/file.h"

#include <errno.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "qapi/block-options.h"

/* ---- names ---------------------------------------------------------------- */

const char *file_strip_prefix(const char *filename, const char *prefix)
{
    return g_str_has_prefix(filename, prefix) ? filename + strlen(prefix) : filename;
}

/* What follows the prefix is a path, also where it looks like "proto:...". */
static bool file_parse_filename(const char *filename, QDict *options, GError **error)
{
    const char *path = file_strip_prefix(filename, "file:");
    bool is_odd = path != filename && path[strcspn(path, ":/")] == ':';
    g_autofree char *marked = g_strconcat(is_odd ? "./" : "", path, NULL);

    qdict_put_str(options, "filename", marked);
    return true;
}

static bool host_device_parse_filename(const char *filename, QDict *options, GError **error)
{
    qdict_put_str(options, "filename", file_strip_prefix(filename, "host_device:"));
    return true;
}

static bool host_cdrom_parse_filename(const char *filename, QDict *options, GError **error)
{
    qdict_put_str(options, "filename", file_strip_prefix(filename, "host_cdrom:"));
    return true;
}

static int host_device_probe_device(const char *filename)
{
    FileSys sys = { 0 };
    struct stat st;

    if (file_sys_stat(&sys, filename, &st) < 0) {
        return 0;
    }
    return S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode) ? 100 : 0;
}

/* A path that looks like "proto:..." must say that it is none. */
static void file_refresh_filename(BlockDriverState *bs)
{
    FileState *s = bs->opaque;
    const char *mark = strpbrk(s->filename, ":/");
    const char *prefix = mark && *mark == ':' ? "./" : "";

    g_free(bs->exact_filename);
    bs->exact_filename = g_strconcat(prefix, s->filename, NULL);
}

/* ---- open ------------------------------------------------------------------ */

bool file_check_type(const struct stat *st, const char *driver, const char *filename,
                     GError **error)
{
    bool want_device = strcmp(driver, "file");

    if (want_device && !S_ISBLK(st->st_mode) && !S_ISCHR(st->st_mode)) {
        cairn_set_error(error, EINVAL, "'%s' driver requires '%s' to be either a character or "
                        "block device", driver, filename);
        return false;
    }
    if (!want_device && !S_ISREG(st->st_mode)) {
        cairn_set_error(error, EINVAL, "'%s' driver requires '%s' to be a regular file", driver,
                        filename);
        return false;
    }
    return true;
}

static int file_open_mode(int flags)
{
    return (flags & BLK_O_RDWR ? O_RDWR : O_RDONLY) | (flags & BLK_O_NOCACHE ? O_DIRECT : 0);
}

static void file_set_open_error(FileState *s, int ret, int flags, GError **error)
{
    cairn_set_error_errno(error, -ret, "Could not open '%s'", s->filename);
    if (ret == -EINVAL && (flags & BLK_O_NOCACHE)) {
        cairn_error_append_hint(error, "The file system may not support cache.direct=on.");
    }
}

/* Looks before it opens, as opening a device or a FIFO may have effects of its own. */
static bool file_check_path(FileState *s, const char *driver, int flags, GError **error)
{
    struct stat st;
    int ret = file_sys_stat(&s->sys, s->filename, &st);

    if (ret == 0 && S_ISDIR(st.st_mode) && (flags & BLK_O_RDWR)) {
        ret = -EISDIR;
    }
    if (ret < 0) {
        file_set_open_error(s, ret, 0, error);
        return false;
    }
    return file_check_type(&st, driver, s->filename, error);
}

static bool file_may_fall_back(int ret, int flags)
{
    return (flags & BLK_O_RDWR) && (flags & BLK_O_AUTO_RDONLY) &&
           (ret == -EACCES || ret == -EPERM || ret == -EROFS);
}

/* Opens @path; clears BLK_O_RDWR of @flags where only reading is allowed and that will do. */
static int file_open_path(FileState *s, const char *path, int *flags)
{
    const int always = O_NONBLOCK | O_NOCTTY;
    int fd = file_sys_open(&s->sys, path, file_open_mode(*flags) | always, 0);

    if (fd < 0 && file_may_fall_back(fd, *flags)) {
        *flags &= ~BLK_O_RDWR;
        fd = file_sys_open(&s->sys, path, file_open_mode(*flags) | always, 0);
    }
    if (fd >= 0) {
        int ret = file_sys_set_flags(&s->sys, fd, file_open_mode(*flags) & O_DIRECT);

        if (ret < 0) {
            file_sys_close(&s->sys, fd);
            return ret;
        }
    }
    return fd;
}

static bool file_open_fd(BlockDriverState *bs, int *flags, GError **error)
{
    FileState *s = bs->opaque;
    const char *driver = bs->drv->format_name;
    struct stat st;
    int ret;

    if (!file_check_path(s, driver, *flags, error)) {
        return false;
    }
    s->fd = file_open_path(s, s->filename, flags);
    if (s->fd < 0) {
        file_set_open_error(s, s->fd, *flags, error);
        return false;
    }
    ret = file_sys_fstat(&s->sys, s->fd, &st);
    if (ret < 0) {
        file_set_open_error(s, ret, 0, error);
        return false;
    }
    s->kind = file_kind(&st);
    return file_check_type(&st, driver, s->filename, error)
        && bdrv_check_found(bs, s->filename, &st, error);
}

static bool file_open_locks(FileState *s, QDict *opts, GError **error)
{
    const char *mode = qdict_get_try_str(opts, "locking");
    bool is_off = g_strcmp0(mode, "off") == 0;
    bool can_lock = !is_off && file_lock_is_supported(&s->sys, s->fd);

    if (!can_lock && g_strcmp0(mode, "on") == 0) {
        cairn_set_error(error, ENOTSUP, "'%s' cannot be locked, as locking=on demands",
                        s->filename);
        return false;
    }
    file_lock_init(&s->lock, &s->sys, can_lock ? s->fd : -1);
    return true;
}

static bool file_check_aio(FileState *s, int flags, GError **error)
{
    if (!g_strcmp0(s->aio, "native") && !(flags & BLK_O_NOCACHE)) {
        cairn_set_error(error, EINVAL, "aio=native was specified, but it requires "
                        "cache.direct=on, which was not specified.");
        return false;
    }
    return true;
}

/* The option, or else what the opener of the whole chain wants; NULL: nothing. A string that stays. */
static const char *file_aio_mode(const QDict *opts, int flags)
{
    const char *mode = qdict_get_try_str(opts, "aio");

    if (mode) {
        return g_intern_string(mode);
    }
    return flags & BLK_O_AIO_THREADS ? "threads"
         : flags & BLK_O_AIO_NATIVE ? "native"
         : flags & BLK_O_AIO_URING ? "io_uring" : NULL;
}

static bool file_open_options(FileState *s, QDict *opts, const BlockDriver *drv, int flags,
                              GError **error)
{
    const char *filename = qdict_get_try_str(opts, "filename");

    if (!filename || !*filename) {
        cairn_set_error(error, EINVAL, "The '%s' block driver requires a file name",
                        drv->format_name);
        return false;
    }
    s->filename = g_strdup(filename);
    s->aio = file_aio_mode(opts, flags);
    return file_check_aio(s, flags, error);
}

static void file_close(BlockDriverState *bs)
{
    FileState *s = bs->opaque;

    if (s->fd >= 0 && g_atomic_int_get(&s->sync_error)) {
        file_sys_drop_cache(&s->sys, s->fd);    /* it may show what the disk never got */
    }
    file_sys_close(&s->sys, s->fd);
    file_sys_close(&s->sys, s->retired_fd);
    s->fd = s->retired_fd = s->lock.fd = -1;
    g_clear_pointer(&s->filename, g_free);
    g_mutex_clear(&s->sync_lock);
}

static bool file_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    FileState *s = bs->opaque;

    s->fd = s->retired_fd = s->lock.fd = -1;
    g_mutex_init(&s->sync_lock);
    if (!file_open_options(s, opts, bs->drv, flags, error) ||
        !file_open_fd(bs, &flags, error) ||
        !file_open_locks(s, opts, error)) {
        file_close(bs);
        return false;
    }
    s->is_direct = flags & BLK_O_NOCACHE;
    s->direct_align = 1;
    s->engine = file_choose_engine(s);
    if (!(flags & BLK_O_RDWR) && (bs->open_flags & BLK_O_RDWR)) {
        bs->read_only = true;
        bs->open_flags &= ~BLK_O_RDWR;
    }
    bs->supported_write_flags = BDRV_REQ_FUA;
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK;
    return true;
}

static bool file_refresh_limits(BlockDriverState *bs, GError **error)
{
    FileState *s = bs->opaque;
    int sector = 0;

    s->direct_align = 1;
    bs->bl.request_alignment = 1;
    bs->bl.mem_alignment = 1;
    bs->bl.max_iov = IOV_MAX;
    if (s->is_direct) {
        uint32_t memory;

        file_probe_alignment(&s->sys, s->fd, s->kind, &memory, &s->direct_align);
        bs->bl.request_alignment = s->direct_align;
        bs->bl.mem_alignment = memory;
    }
    if (s->kind == FILE_KIND_BLOCK &&
        file_sys_ioctl(&s->sys, s->fd, BLKSSZGET, &sector) == 0) {
        bs->bl.pdiscard_alignment = sector;
        bs->bl.pwrite_zeroes_alignment = sector;
    }
    return true;
}

static bool file_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error)
{
    *info = (BlockDriverInfo) { 0 };
    return true;
}

static bool file_has_zero_init(BlockDriverState *bs)
{
    FileState *s = bs->opaque;

    return s->kind == FILE_KIND_REGULAR;
}

/* ---- permissions -------------------------------------------------------------- */

static bool file_check_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared, GError **error)
{
    FileState *s = bs->opaque;
    bool is_forced = bs->open_flags & BLK_O_FORCE_SHARE;

    return file_lock_extend(&s->lock, perm, is_forced ? 0 : ~shared & BLK_PERM_ALL, !is_forced,
                            s->filename, error);
}

static void file_set_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared)
{
    FileState *s = bs->opaque;

    s->perm = perm;
    s->unshared = bs->open_flags & BLK_O_FORCE_SHARE ? 0 : ~shared & BLK_PERM_ALL;
    file_lock_reduce(&s->lock, s->perm, s->unshared);
}

static void file_abort_perm(BlockDriverState *bs)
{
    FileState *s = bs->opaque;

    file_lock_reduce(&s->lock, s->perm, s->unshared);
}

/* ---- reopen -------------------------------------------------------------------- */

typedef struct FileReopen {
    int fd;                     /* the new one */
    bool is_direct;
} FileReopen;

static bool file_is_same(FileState *s, int fd)
{
    struct stat was, is;

    return file_sys_fstat(&s->sys, s->fd, &was) == 0 && file_sys_fstat(&s->sys, fd, &is) == 0 &&
           was.st_dev == is.st_dev && was.st_ino == is.st_ino;
}

/* By the descriptor, which also finds a file that was renamed or deleted; without /proc by name. */
static int file_reopen_fd(FileState *s, int *flags, GError **error)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", s->fd);
    int fd = file_open_path(s, link, flags);

    if (fd == -ENOENT) {
        fd = file_open_path(s, s->filename, flags);
    }
    if (fd < 0) {
        file_set_open_error(s, fd, *flags, error);
        return -1;
    }
    if (!file_is_same(s, fd)) {
        cairn_set_error(error, ESTALE, "Could not reopen '%s': the name stands for another file "
                        "now", s->filename);
        file_sys_close(&s->sys, fd);
        return -1;
    }
    return fd;
}

static bool file_reopen_prepare(BlockReopenState *state, GError **error)
{
    FileState *s = state->bs->opaque;
    const int matters = BLK_O_RDWR | BLK_O_NOCACHE;
    int fd;

    state->opaque = NULL;
    if (!file_check_aio(s, state->flags, error)) {
        return false;
    }
    if (!((state->flags ^ state->bs->open_flags) & matters) && !file_check_writable(s)) {
        return true;
    }
    fd = file_reopen_fd(s, &state->flags, error);
    if (fd < 0) {
        return false;
    }
    state->opaque = g_new(FileReopen, 1);
    *(FileReopen *)state->opaque = (FileReopen) {
        .fd = fd, .is_direct = state->flags & BLK_O_NOCACHE,
    };
    return true;
}

/* The new descriptor takes the locks before the old one, whose closing would drop them, goes. */
static void file_switch_fd(FileState *s, int fd)
{
    int old = s->fd;

    s->fd = fd;
    if (file_lock_move(&s->lock, fd)) {
        file_sys_close(&s->sys, old);
        file_sys_close(&s->sys, s->retired_fd);
        s->retired_fd = -1;
    } else if (s->lock.fd == old) {
        s->retired_fd = old;
    } else {
        file_sys_close(&s->sys, old);
    }
}

static void file_reopen_commit(BlockReopenState *state)
{
    FileState *s = state->bs->opaque;
    g_autofree FileReopen *reopen = g_steal_pointer(&state->opaque);

    if (!reopen) {
        return;
    }
    if (file_check_writable(s) < 0) {
        file_sys_drop_cache(&s->sys, s->fd);
        g_atomic_int_set(&s->sync_error, 0);
    }
    file_switch_fd(s, reopen->fd);
    s->is_direct = reopen->is_direct;
    s->engine = file_choose_engine(s);
    g_atomic_int_set(&s->refused, 0);
}

static void file_reopen_abort(BlockReopenState *state)
{
    FileState *s = state->bs->opaque;
    g_autofree FileReopen *reopen = g_steal_pointer(&state->opaque);

    if (reopen) {
        file_sys_close(&s->sys, reopen->fd);
    }
}

/* ---- the vtables ----------------------------------------------------------------- */

static const char *const file_strong_options[] = { "filename", NULL };

/* What they have in common. */
#define FILE_DRIVER_CALLBACKS                                                \
    .instance_size          = sizeof(FileState),                             \
    .runtime_options        = qapi_options_BlockdevOptionsFile,              \
    .create_options         = qapi_options_BlockdevCreateOptionsFile,        \
    .strong_runtime_opts    = file_strong_options,                           \
    .bdrv_open              = file_open,                                     \
    .bdrv_close             = file_close,                                    \
    .bdrv_reopen_prepare    = file_reopen_prepare,                           \
    .bdrv_reopen_commit     = file_reopen_commit,                            \
    .bdrv_reopen_abort      = file_reopen_abort,                             \
    .bdrv_refresh_filename  = file_refresh_filename,                         \
    .bdrv_refresh_limits    = file_refresh_limits,                           \
    .bdrv_get_info          = file_get_info,                                 \
    .bdrv_check_perm        = file_check_perm,                               \
    .bdrv_set_perm          = file_set_perm,                                 \
    .bdrv_abort_perm        = file_abort_perm,                               \
    .bdrv_has_zero_init     = file_has_zero_init,                            \
    .bdrv_co_getlength      = file_co_getlength,                             \
    .bdrv_co_get_allocated_file_size = file_co_get_allocated_file_size,      \
    .bdrv_co_preadv         = file_co_preadv,                                \
    .bdrv_co_pwritev        = file_co_pwritev,                               \
    .bdrv_co_pwrite_zeroes  = file_co_pwrite_zeroes,                         \
    .bdrv_co_pdiscard       = file_co_pdiscard,                              \
    .bdrv_co_flush          = file_co_flush,                                 \
    .bdrv_co_truncate       = file_co_truncate,                              \
    .bdrv_co_block_status   = file_co_block_status

const BlockDriver bdrv_file = {
    .format_name            = "file",
    .protocol_name          = "file",
    .bdrv_parse_filename    = file_parse_filename,
    .bdrv_co_create         = file_co_create,
    .bdrv_co_create_opts    = file_co_create_opts,
    .bdrv_co_copy_range_from = file_co_copy_range_from,
    .bdrv_co_copy_range_to  = file_co_copy_range_to,
    FILE_DRIVER_CALLBACKS,
};

const BlockDriver bdrv_host_device = {
    .format_name            = "host_device",
    .protocol_name          = "host_device",
    .bdrv_probe_device      = host_device_probe_device,
    .bdrv_parse_filename    = host_device_parse_filename,
    .bdrv_co_create         = host_device_co_create,
    .bdrv_co_create_opts    = host_device_co_create_opts,
    FILE_DRIVER_CALLBACKS,
};

/* A device that a plain name would not pick this driver for. */
const BlockDriver bdrv_host_cdrom = {
    .format_name            = "host_cdrom",
    .protocol_name          = "host_cdrom",
    .bdrv_parse_filename    = host_cdrom_parse_filename,
    .bdrv_co_create         = host_device_co_create,
    .bdrv_co_create_opts    = host_device_co_create_opts,
    FILE_DRIVER_CALLBACKS,
};
