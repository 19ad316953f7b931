/* SPDX-License-Identifier: MIT */
/*
 * The locks of file-lock.h.
 *
 * (1) A byte is first locked, then its opposite tested: of two who come at once at least one sees
 *     the other.
 * (2) perm and unshared name exactly the bytes that are locked, but for bytes whose unlocking
 *     failed (more than needed is then held until the file is closed).
 */
#include "block/drivers/file-lock.h"

#include <cairn/driver.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK_PERM_BASE 100
#define LOCK_UNSHARED_BASE 200
#define LOCK_PERM_COUNT 4

static const char *const lock_perm_names[LOCK_PERM_COUNT] = {
    "consistent read", "write", "write unchanged", "resize",
};

void file_lock_init(FileLock *lock, FileSys *sys, int fd)
{
    *lock = (FileLock) { .sys = sys, .fd = fd };
}

bool file_lock_is_supported(FileSys *sys, int fd)
{
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

    return file_sys_lock(sys, fd, F_OFD_GETLK, &fl) == 0;
}

static int lock_byte(FileLock *lock, int fd, int byte, short type)
{
    struct flock fl = {
        .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
    };

    return file_sys_lock(lock->sys, fd, F_OFD_SETLK, &fl);
}

/* Releases the bytes of @held that are not in @wanted. */
static void lock_release(FileLock *lock, int base, uint64_t *held, uint64_t wanted)
{
    for (int i = 0; i < LOCK_PERM_COUNT; i++) {
        if ((*held & ~wanted & (1u << i)) && lock_byte(lock, lock->fd, base + i, F_UNLCK) == 0) {
            *held &= ~(1ull << i);
        }
    }
}

/* Locks the bytes of @wanted that @held lacks. */
static int lock_acquire(FileLock *lock, int fd, int base, uint64_t *held, uint64_t wanted)
{
    for (int i = 0; i < LOCK_PERM_COUNT; i++) {
        int ret;

        if (!(wanted & ~*held & (1u << i))) {
            continue;
        }
        ret = lock_byte(lock, fd, base + i, F_RDLCK);
        if (ret < 0) {
            return ret;
        }
        *held |= 1ull << i;
    }
    return 0;
}

/*
 * Whether file description @fd holds @byte, which somebody does, of the file @st: what another one
 * holds would be a conflict for it.
 */
static bool lock_is_holder(int fd, const struct stat *st, int byte)
{
    struct flock fl = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1,
    };
    struct stat other;

    return fstat(fd, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino &&
           fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type == F_UNLCK;
}

/* Whether another descriptor of this process holds @byte, and no one else; @lock does not. */
static bool lock_is_held_here(const FileLock *lock, int byte)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    struct stat st;
    const char *name;

    if (!dir || fstat(lock->fd, &st) < 0) {
        return false;
    }
    while ((name = g_dir_read_name(dir))) {
        if (lock_is_holder(atoi(name), &st, byte)) {
            return true;
        }
    }
    return false;
}

static void lock_set_conflict(const char *prefix, int perm, const struct flock *fl,
                              const char *filename, GError **error)
{
    cairn_set_error(error, EAGAIN, "Failed to get %s\"%s\" lock", prefix, lock_perm_names[perm]);
    cairn_error_append_hint(error, "Is another process using the image [%s]?", filename);
    if (fl->l_pid > 0) {
        /* The kernel knows the owner of a process's lock only, not of a file description's. */
        cairn_error_append_hint(error, "It is locked by process %ld.", (long)fl->l_pid);
    }
}

/* Fails if somebody else holds a byte base + n with n in @perms, *byte. */
static bool lock_test(FileLock *lock, int base, uint64_t perms, const char *prefix,
                      const char *filename, int *byte, GError **error)
{
    for (int i = 0; i < LOCK_PERM_COUNT; i++) {
        struct flock fl = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = base + i, .l_len = 1,
        };
        int ret;

        if (!(perms & (1u << i))) {
            continue;
        }
        ret = file_sys_lock(lock->sys, lock->fd, F_OFD_GETLK, &fl);
        if (ret < 0) {
            cairn_set_error_errno(error, -ret, "Failed to test the locks of '%s'", filename);
            return false;
        }
        if (fl.l_type != F_UNLCK) {
            lock_set_conflict(prefix, i, &fl, filename, error);
            *byte = base + i;
            return false;
        }
    }
    return true;
}

bool file_lock_extend(FileLock *lock, uint64_t perm, uint64_t unshared, bool test,
                      const char *filename, GError **error)
{
    const uint64_t old_perm = lock->perm, old_unshared = lock->unshared;
    int ret, byte = -1;

    if (lock->fd < 0) {
        return true;
    }
    ret = lock_acquire(lock, lock->fd, LOCK_PERM_BASE, &lock->perm, perm);
    if (ret == 0) {
        ret = lock_acquire(lock, lock->fd, LOCK_UNSHARED_BASE, &lock->unshared, unshared);
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Failed to lock '%s'", filename);
    } else if (!test ||
               (lock_test(lock, LOCK_UNSHARED_BASE, perm & ~old_perm, "", filename, &byte,
                          error) &&
                lock_test(lock, LOCK_PERM_BASE, unshared & ~old_unshared, "shared ", filename,
                          &byte, error))) {
        return true;
    }
    file_lock_reduce(lock, old_perm, old_unshared);
    if (byte >= 0 && lock_is_held_here(lock, byte)) {
        cairn_error_append_hint(error, "This process itself has it open already.");
    }
    return false;
}

void file_lock_reduce(FileLock *lock, uint64_t perm, uint64_t unshared)
{
    if (lock->fd >= 0) {
        lock_release(lock, LOCK_PERM_BASE, &lock->perm, perm);
        lock_release(lock, LOCK_UNSHARED_BASE, &lock->unshared, unshared);
    }
}

bool file_lock_move(FileLock *lock, int fd)
{
    uint64_t perm = 0, unshared = 0;

    if (lock->fd < 0) {
        return true;
    }
    if (lock_acquire(lock, fd, LOCK_PERM_BASE, &perm, lock->perm) < 0 ||
        lock_acquire(lock, fd, LOCK_UNSHARED_BASE, &unshared, lock->unshared) < 0) {
        return false;
    }
    lock->fd = fd;
    return true;
}
