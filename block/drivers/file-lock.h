/* SPDX-License-Identifier: MIT */
/*
 * Byte-range locks by which programs that use one image agree who may do what: byte 100 + n says
 * "I use permission n", byte 200 + n "I do not let others have permission n". The locks are shared
 * ones, so they never fail by themselves; a conflict is found by testing the opposite byte. Other
 * emulators' tools use the same bytes.
 */
#ifndef BLOCK_DRIVERS_FILE_LOCK_H
#define BLOCK_DRIVERS_FILE_LOCK_H

#include <cairn/error.h>

#include "block/drivers/file-sys.h"

typedef struct FileLock {
    FileSys *sys;               /* not owned */
    int fd;                     /* whose file description holds the locks; not owned; -1: none */
    uint64_t perm;              /* BLK_PERM_*: bytes 100 + n that are locked */
    uint64_t unshared;          /* BLK_PERM_*: bytes 200 + n that are locked */
} FileLock;

/* @fd: -1: every call succeeds and does nothing. */
void file_lock_init(FileLock *lock, FileSys *sys, int fd);

/* Whether the file behind @fd can be locked at all. */
bool file_lock_is_supported(FileSys *sys, int fd);

/*
 * Holds, beside what is held already, what @perm and @unshared need. Where @test, another user's
 * conflicting lock is an error (EAGAIN, `Failed to get "write" lock`); then all is as before.
 * @filename is for the hint.
 */
bool file_lock_extend(FileLock *lock, uint64_t perm, uint64_t unshared, bool test,
                      const char *filename, GError **error);

/* Holds just what @perm and @unshared need; they are held already, so this cannot fail. */
void file_lock_reduce(FileLock *lock, uint64_t perm, uint64_t unshared);

/*
 * Takes all that is held on @fd too and goes on with that descriptor. On failure the lock stays on
 * the old one, which the caller must then keep open. Between the two calls nobody can come in.
 */
bool file_lock_move(FileLock *lock, int fd);

#endif
