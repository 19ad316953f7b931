/* SPDX-License-Identifier: MIT */
/* What the file driver's files share. */
#ifndef BLOCK_DRIVERS_FILE_H
#define BLOCK_DRIVERS_FILE_H

#include <cairn/driver.h>

#include "block/drivers/file-lock.h"
#include "block/drivers/file-sys.h"

typedef enum FileKind { FILE_KIND_REGULAR, FILE_KIND_BLOCK, FILE_KIND_CHAR } FileKind;

/* What the file system, or the device, has refused once and need not be asked again. */
enum {
    FILE_REFUSES_NOWAIT     = 1 << 0,
    FILE_REFUSES_DSYNC      = 1 << 1,
    FILE_REFUSES_PUNCH      = 1 << 2,
    FILE_REFUSES_ZERO_RANGE = 1 << 3,
    FILE_REFUSES_ALLOCATE   = 1 << 4,
    FILE_REFUSES_ZEROOUT    = 1 << 5,
    FILE_REFUSES_DISCARD    = 1 << 6,
    FILE_REFUSES_SEEK_DATA  = 1 << 7,
    FILE_REFUSES_COPY_RANGE = 1 << 8,
};

/* How requests reach the kernel. Returns: 0 or -errno. */
typedef struct FileEngine {
    const char *name;
    /* The bytes from @skip on of @iov, at @offset; zeros past the end of the file. */
    int coroutine_fn (*co_preadv)(BlockDriverState *bs, const IOVector *iov, size_t skip,
                                  int64_t offset);
    int coroutine_fn (*co_pwritev)(BlockDriverState *bs, const IOVector *iov, int64_t offset,
                                   bool fua);
    int coroutine_fn (*co_fdatasync)(BlockDriverState *bs);
} FileEngine;

extern const FileEngine file_engine_threads;
extern const FileEngine file_engine_uring;

/*
 * What changes while requests run is atomic, all else changes while the node is drained.
 * fd and retired_fd are open from open to close, but for -1.
 */
typedef struct FileState {
    FileSys sys;                /* first: a test may set its fault before open */
    int fd;
    int retired_fd;             /* -1, or an earlier fd that the locks could not leave */
    FileKind kind;
    char *filename;             /* as given, without "file:" */
    FileLock lock;
    uint64_t perm, unshared;    /* BLK_PERM_*: as last set */
    const char *aio;            /* "threads", "native", "io_uring"; NULL: not said */
    const FileEngine *engine;   /* what that means for this file as it is open now */
    bool is_direct;             /* fd bypasses the page cache */
    uint32_t direct_align;      /* bytes; 1 if not is_direct */
    gint refused;               /* atomic: FILE_REFUSES_* */
    gint sync_error;            /* atomic: errno of the first failed sync; no write is taken then */
    gint folder_synced;         /* atomic bool */
    GMutex sync_lock;           /* a leaf, of worker threads: one sync at a time */
} FileState;

/* ---- file.c ---- */

/* Whether @st is what the driver of that name serves: "file", or one of devices; else false with @error. */
bool file_check_type(const struct stat *st, const char *driver, const char *filename,
                     GError **error);
/* The path in a name that may start with the driver's own prefix. */
const char *file_strip_prefix(const char *filename, const char *prefix);

/* ---- file-size.c ---- */

FileKind file_kind(const struct stat *st);
/* True length of what @fd stands for, or -errno. */
int64_t file_length(FileSys *sys, int fd);
bool file_parse_prealloc(const char *text, PreallocMode *mode, GError **error);
/* Sets a regular file's length. On failure it has the old length again. */
bool file_resize(FileSys *sys, int fd, int64_t bytes, PreallocMode prealloc, GError **error);
/*
 * Finds out what alignment direct I/O on @fd needs: bytes of addresses, and of offsets and
 * lengths.
 */
void file_probe_alignment(FileSys *sys, int fd, FileKind kind, uint32_t *memory,
                          uint32_t *offset);

int64_t coroutine_fn file_co_getlength(BlockDriverState *bs);
int64_t coroutine_fn file_co_get_allocated_file_size(BlockDriverState *bs);
bool coroutine_fn file_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                   PreallocMode prealloc, GError **error);

/* ---- file-io.c ---- */

/*
 * 0, or -EIO after a sync has failed: what the disk holds is not known, so nothing is built on
 * it.
 */
int file_check_writable(FileState *s);

int coroutine_fn file_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov, int flags);
int coroutine_fn file_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 const IOVector *iov, int flags);
int coroutine_fn file_co_flush(BlockDriverState *bs);

/* ---- file-uring.c ---- */

/* The engine for what the options ask for, as the file is open now. */
const FileEngine *file_choose_engine(const FileState *s);

/* ---- file-zero.c ---- */

int coroutine_fn file_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       int flags);
int coroutine_fn file_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes);

/* ---- file-copy.c ---- */

int coroutine_fn file_co_copy_range_from(BlockDriverState *bs, int64_t offset, BdrvChild *target,
                                         int64_t target_offset, int64_t bytes);
int coroutine_fn file_co_copy_range_to(BlockDriverState *bs, BlockDriverState *source,
                                       int64_t source_offset, int64_t offset, int64_t bytes);

/* ---- file-status.c ---- */

int coroutine_fn file_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                      int64_t bytes, int64_t *pnum, int64_t *map,
                                      BlockDriverState **file);

/* ---- file-create.c ---- */

typedef struct FileCreateOptions {
    int64_t size;               /* bytes */
    PreallocMode prealloc;
    bool is_nocow;
    uint32_t extent_size_hint;  /* bytes; 0: none */
} FileCreateOptions;

/* @options: typed. Touches nothing. */
bool file_create_parse(const QDict *options, FileCreateOptions *out, GError **error);
bool file_create(FileSys *sys, const char *filename, const FileCreateOptions *options,
                 GError **error);
/* A device cannot be made: it is locked, measured, and its first sector cleared. */
bool file_create_on_device(FileSys *sys, const char *filename, const FileCreateOptions *options,
                           GError **error);

bool coroutine_fn file_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                 const QDict *options, GError **error);
bool coroutine_fn file_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                      GError **error);
bool coroutine_fn host_device_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                        const QDict *options, GError **error);
bool coroutine_fn host_device_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                             GError **error);

#endif
