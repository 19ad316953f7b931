/* SPDX-License-Identifier: MIT */
/*
 * What makes a file more than its bytes: links, mounts, users, owner, mode, extended attributes.
 */
#include "img/stage-attr.h"

#include <glib.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define STAGE_XATTR_MAX (64 << 10)      /* the kernel's limit of a list and of a value */

/* ---- may it be replaced? ------------------------------------------------------- */

/*
 * A file may be mounted over a name (containers do so); such a name cannot be given to another
 * file.
 */
static bool stage_is_mounted(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    struct statx file, dir;

    return statx(AT_FDCWD, path, 0, STATX_MNT_ID, &file) == 0 &&
           statx(AT_FDCWD, folder, 0, STATX_MNT_ID, &dir) == 0 &&
           (file.stx_mask & dir.stx_mask & STATX_MNT_ID) && file.stx_mnt_id != dir.stx_mnt_id;
}

/*
 * Whether another process has the file open: such a one would keep the old file, and perhaps wait
 * for its new content. The kernel tells by refusing a lease. 1 it has, 0 it has not, -1 nobody
 * knows.
 */
static int stage_is_open_elsewhere(int fd)
{
    void (*before)(int) = signal(SIGIO, SIG_IGN);   /* tells of an open() at this moment */
    int ret = fcntl(fd, F_SETLEASE, F_WRLCK);
    int err = errno;

    if (ret == 0) {
        fcntl(fd, F_SETLEASE, F_UNLCK);
    }
    signal(SIGIO, before);
    if (ret == 0) {
        return 0;
    }
    return err == EAGAIN ? 1 : -1;
}

bool stage_may_replace(int fd, const char *path, const struct stat *st)
{
    int elsewhere;

    if (st->st_nlink != 1 || stage_is_mounted(path)) {
        return false;
    }
    elsewhere = stage_is_open_elsewhere(fd);
    /* An empty file loses nothing, and is often one that its maker still has open. */
    return elsewhere == 0 || (elsewhere < 0 && st->st_size > 0);
}

/* ---- making another one like it --------------------------------------------------- */

/* A list of names or a value; NULL if it cannot be had. No attributes are a list of length 0. */
static char *stage_read_xattr(int fd, const char *name, ssize_t *bytes)
{
    g_autofree char *buf = g_try_malloc(STAGE_XATTR_MAX);

    if (!buf) {
        *bytes = -1;
        return NULL;
    }
    *bytes = name ? fgetxattr(fd, name, buf, STAGE_XATTR_MAX)
                  : flistxattr(fd, buf, STAGE_XATTR_MAX);
    if (*bytes < 0 && !name && errno == EOPNOTSUPP) {
        *bytes = 0;
    }
    return *bytes < 0 ? NULL : g_steal_pointer(&buf);
}

static bool stage_copy_xattr(int old, int fd, const char *name)
{
    ssize_t wanted_bytes, bytes;
    g_autofree char *wanted = stage_read_xattr(old, name, &wanted_bytes);
    g_autofree char *value = stage_read_xattr(fd, name, &bytes);

    if (!wanted) {
        return false;
    }
    return (value && bytes == wanted_bytes && !memcmp(value, wanted, bytes)) ||
           fsetxattr(fd, name, wanted, wanted_bytes, 0) == 0;
}

static bool stage_list_has(const char *list, ssize_t bytes, const char *name)
{
    for (const char *p = list; p < list + bytes; p += strlen(p) + 1) {
        if (!strcmp(p, name)) {
            return true;
        }
    }
    return false;
}

/* What the folder has given the new file (a default access list), the old one may not have had. */
static bool stage_drop_xattrs(int fd, const char *wanted, ssize_t wanted_bytes)
{
    ssize_t bytes;
    g_autofree char *list = stage_read_xattr(fd, NULL, &bytes);
    bool ok = list != NULL;

    for (const char *p = list; ok && p < list + bytes; p += strlen(p) + 1) {
        ok = stage_list_has(wanted, wanted_bytes, p) || fremovexattr(fd, p) == 0;
    }
    return ok;
}

static bool stage_copy_xattrs(int old, int fd)
{
    ssize_t bytes;
    g_autofree char *list = stage_read_xattr(old, NULL, &bytes);
    bool ok = list && stage_drop_xattrs(fd, list, bytes);

    for (const char *p = list; ok && p < list + bytes; p += strlen(p) + 1) {
        ok = stage_copy_xattr(old, fd, p);
    }
    return ok;
}

/* The mode comes last: a new owner takes some of its bits away. */
bool stage_copy_attributes(int old, const struct stat *st, int fd)
{
    struct stat is;

    if (fstat(fd, &is) < 0) {
        return false;
    }
    if ((is.st_uid != st->st_uid || is.st_gid != st->st_gid) &&
        fchown(fd, st->st_uid, st->st_gid) < 0) {
        return false;
    }
    return stage_copy_xattrs(old, fd) && fchmod(fd, st->st_mode & 07777) == 0;
}
