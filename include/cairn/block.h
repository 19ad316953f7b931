/* SPDX-License-Identifier: MIT */
/*
 * The embedder's API: open an image, read and write it, ask what it is.
 *
 * Data calls come in three forms with one meaning. blk_NAME blocks (outside
 * coroutines); blk_co_NAME runs in a coroutine; blk_aio_NAME calls back. They may be
 * made on any thread, on several at once, and run in the thread's own AioContext.
 * They return 0 (or a count where said so) or -errno: -EIO outside the image, -ENOMEDIUM after
 * blk_close, -EROFS/-EPERM where writing is not allowed.
 *
 * blk_aio_NAME calls back when the thread's AioContext is dispatched, and not before: make one,
 * attach its source to the main loop (or poll it), and aio_context_push() it before the first call.
 *
 * Control calls (open, close, reopen, create, check, info) run outside
 * coroutines, one at a time in a context, and report by GError.
 */
#ifndef CAIRN_BLOCK_H
#define CAIRN_BLOCK_H

#include <cairn/context.h>
#include <cairn/iov.h>

G_BEGIN_DECLS

typedef struct BlockBackend BlockBackend;

#define BDRV_SECTOR_SIZE 512
#define BDRV_REQUEST_MAX_BYTES ((int64_t)(2147483648LL - 512))   /* of one request */

/* Flags of opening. The options "read-only", "cache.direct"... override those that match. */
enum {
    BLK_O_RDWR         = 1 << 0,
    BLK_O_PROBE        = 1 << 1,    /* guess the format where none is named */
    BLK_O_NO_BACKING   = 1 << 2,    /* do not open backing files */
    BLK_O_NO_IO        = 1 << 3,    /* no guest data will be read: keys are not needed */
    BLK_O_RESIZE       = 1 << 4,    /* hold the permission to resize from opening on */
    BLK_O_SHARE_WRITE  = 1 << 5,    /* let other users write and resize (the tools, on raw) */
    BLK_O_FORCE_SHARE  = 1 << 6,    /* take no locks; read-only opens only */
    BLK_O_NOCACHE      = 1 << 7,    /* cache.direct=on */
    BLK_O_NO_FLUSH     = 1 << 8,    /* cache.no-flush=on */
    BLK_O_WRITETHROUGH = 1 << 9,    /* every write is flushed */
    BLK_O_UNMAP        = 1 << 10,   /* discard=unmap */
    BLK_O_AUTO_RDONLY  = 1 << 11,   /* fall back to read-only */
    BLK_O_WARN_PROBE   = 1 << 12,   /* report the guess of raw on a writable open by the warning callback */
    BLK_O_AIO_NATIVE   = 1 << 13,   /* aio=native, for files whose options name none */
    BLK_O_AIO_URING    = 1 << 14,   /* aio=io_uring, likewise */
    BLK_O_AIO_THREADS  = 1 << 15,   /* aio=threads, likewise */
};

/* Flags of requests. */
typedef enum BdrvRequestFlags {
    BDRV_REQ_FUA              = 1 << 0,  /* durable when the request completes */
    BDRV_REQ_MAY_UNMAP        = 1 << 1,  /* zeroes: may deallocate */
    BDRV_REQ_NO_FALLBACK      = 1 << 2,  /* zeroes: -ENOTSUP rather than writing bytes */
    BDRV_REQ_WRITE_COMPRESSED = 1 << 3,
    BDRV_REQ_ZERO_WRITE       = 1 << 4,  /* internal: there is no data */
    BDRV_REQ_SERIALISING      = 1 << 5,  /* wait for all that overlaps */
    BDRV_REQ_WRITE_UNCHANGED  = 1 << 6,  /* what is read back stays the same */
} BdrvRequestFlags;

/**
 * blk_open:
 * @name: a path, "json:{...}", or "proto:..."
 * @flags: BLK_O_*
 * Returns: the handle, or NULL with @error. Without a driver named in @name and
 * without BLK_O_PROBE: "no format given: name it, or allow probing".
 */
CAIRN_API BlockBackend *blk_open(CairnContext *ctx, const char *name, int flags,
                                 GError **error);

/** blk_open_opts: @options: "driver=qcow,file.filename=x"; a bare first word is a node name. */
CAIRN_API BlockBackend *blk_open_opts(CairnContext *ctx, const char *options,
                                      int flags, GError **error);

/** blk_open_qdict: @filename: NULL, or as for blk_open(); @options: flat or nested, NULL for none; not changed. */
CAIRN_API BlockBackend *blk_open_qdict(CairnContext *ctx, const char *filename,
                                       const QDict *options, int flags,
                                       GError **error);

/** blk_ref, blk_unref: the last reference flushes and closes; errors of that are lost: call blk_close() to see them. */
CAIRN_API BlockBackend *blk_ref(BlockBackend *blk);
CAIRN_API void blk_unref(BlockBackend *blk);

/** blk_close: drains, flushes and closes; later requests give -ENOMEDIUM. Returns: 0 or the flush's -errno. */
CAIRN_API int blk_close(BlockBackend *blk);

/**
 * blk_reopen:
 * @options: flat runtime options to change ("read-only", "cache.direct", "l2-cache-size", "backing.read-only"...); "backing"
 * (null: none) and "file" name the node that takes the place of that child, "backing.file" one further down
 * Changes the whole chain in one transaction: on failure everything is as before.
 */
CAIRN_API bool blk_reopen(BlockBackend *blk, const QDict *options, GError **error);

/* ---- the graph (control calls; while requests run, too) ---------------- */

/**
 * blk_insert_filter: puts a filter ("driver" and its own options; its child "file" is @blk's root node) between the root
 * node and all its users. Requests wait meanwhile and go on through the filter.
 */
CAIRN_API bool blk_insert_filter(BlockBackend *blk, const QDict *options, GError **error);
/** blk_remove_filter: takes the root node, a filter, out again. */
CAIRN_API bool blk_remove_filter(BlockBackend *blk, GError **error);

/** cairn_node_replace: all users of node @node_name use node @with from now on, but those below @with. EBUSY: a job needs it as it is. */
CAIRN_API bool cairn_node_replace(CairnContext *ctx, const char *node_name, const char *with,
                                  GError **error);
/** cairn_node_set_backing: @backing: a node's name, NULL: none. What the image records is not changed (blk_change_backing_file()). */
CAIRN_API bool cairn_node_set_backing(CairnContext *ctx, const char *node_name,
                                      const char *backing, GError **error);

/* ---- questions (any thread) ------------------------------------------ */

CAIRN_API CairnContext *blk_get_context(BlockBackend *blk);
CAIRN_API const char *blk_get_format(BlockBackend *blk);       /* driver name of the root node */
CAIRN_API const char *blk_get_node_name(BlockBackend *blk);
CAIRN_API const char *blk_get_filename(BlockBackend *blk);     /* as the tools print it */
CAIRN_API bool blk_is_writable(BlockBackend *blk);
/** blk_get_probe_score: 0 where the format was named; else the winner's score (1..100). */
CAIRN_API int blk_get_probe_score(BlockBackend *blk);
CAIRN_API uint32_t blk_get_request_alignment(BlockBackend *blk);
CAIRN_API int64_t blk_get_cluster_size(BlockBackend *blk);     /* bytes; 0: none */
CAIRN_API int64_t blk_get_opt_transfer(BlockBackend *blk);     /* bytes; 0: none */
CAIRN_API bool blk_has_zero_init(BlockBackend *blk);           /* a fresh image reads as zeros */
CAIRN_API bool blk_is_encrypted(BlockBackend *blk);
CAIRN_API bool blk_has_backing(BlockBackend *blk);
/**
 * blk_reads_from: whether the image is made of the file @filename, found by device and inode: its own file, and
 * with @with_chain its backing files, also those that BLK_O_NO_BACKING left closed. A character device never is.
 */
CAIRN_API bool blk_reads_from(BlockBackend *blk, const char *filename, bool with_chain);
CAIRN_API void blk_set_write_cache(BlockBackend *blk, bool enabled);   /* false: each write is FUA */

/* ---- data, blocking -------------------------------------------------- */

CAIRN_API int64_t blk_getlength(BlockBackend *blk);
CAIRN_API int blk_pread(BlockBackend *blk, int64_t offset, int64_t bytes, void *buf);
CAIRN_API int blk_pwrite(BlockBackend *blk, int64_t offset, int64_t bytes,
                         const void *buf, BdrvRequestFlags flags);
CAIRN_API int blk_preadv(BlockBackend *blk, int64_t offset, const IOVector *iov,
                         BdrvRequestFlags flags);
CAIRN_API int blk_pwritev(BlockBackend *blk, int64_t offset, const IOVector *iov,
                          BdrvRequestFlags flags);
CAIRN_API int blk_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                                BdrvRequestFlags flags);
CAIRN_API int blk_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes);
CAIRN_API int blk_flush(BlockBackend *blk);

typedef enum PreallocMode {
    PREALLOC_MODE_OFF, PREALLOC_MODE_METADATA, PREALLOC_MODE_FALLOC,
    PREALLOC_MODE_FULL,
} PreallocMode;

/**
 * blk_truncate: sets the length of an image opened with BLK_O_RDWR. The permission to resize is held from opening on with
 * BLK_O_RESIZE; else it is taken for the duration of the call, which then fails if another user does not allow it.
 */
CAIRN_API bool blk_truncate(BlockBackend *blk, int64_t bytes, PreallocMode prealloc,
                            GError **error);

/* Answers of block status. */
enum {
    BDRV_BLOCK_DATA         = 1 << 0,   /* reads come from this node's storage */
    BDRV_BLOCK_ZERO         = 1 << 1,   /* reads as zeros */
    BDRV_BLOCK_OFFSET_VALID = 1 << 2,   /* host_offset holds */
    BDRV_BLOCK_RAW          = 1 << 3,   /* internal: ask the child that was named */
    BDRV_BLOCK_ALLOCATED    = 1 << 4,   /* this node answers, not its backing file */
    BDRV_BLOCK_EOF          = 1 << 5,   /* the run ends at the end of the node */
    BDRV_BLOCK_RECURSE      = 1 << 6,   /* internal: a child may know about holes */
    BDRV_BLOCK_COMPRESSED   = 1 << 7,
    BDRV_BLOCK_LOST         = 1 << 8,   /* the image says that data is here, but its file ends before: read as if never written */
};

typedef struct BlockStatus {
    int flags;                  /* BDRV_BLOCK_* */
    int64_t bytes;              /* length of the run, > 0 (0 at the end) */
    int64_t host_offset;        /* in @filename; valid with OFFSET_VALID */
    const char *filename;       /* file that holds the bytes; NULL if unknown; valid until the graph changes */
    int depth;                  /* 0: this image, 1: its backing file, ... */
    int lost_depth;             /* with LOST: of the first that says so, depth or less */
} BlockStatus;

/** blk_block_status: the image's own layer: ALLOCATED tells whether it answers itself. */
CAIRN_API int blk_block_status(BlockBackend *blk, int64_t offset, int64_t bytes,
                               BlockStatus *status);
/** blk_block_status_chain: follows backing files; depth says where the answer stands. Runs are as long as they can be found cheaply; equal neighbours may follow. */
CAIRN_API int blk_block_status_chain(BlockBackend *blk, int64_t offset,
                                     int64_t bytes, BlockStatus *status);

/* ---- data, in coroutines ---------------------------------------------- */

CAIRN_API int64_t coroutine_fn blk_co_getlength(BlockBackend *blk);
CAIRN_API int coroutine_fn blk_co_pread(BlockBackend *blk, int64_t offset,
                                        int64_t bytes, void *buf);
CAIRN_API int coroutine_fn blk_co_pwrite(BlockBackend *blk, int64_t offset,
                                         int64_t bytes, const void *buf,
                                         BdrvRequestFlags flags);
CAIRN_API int coroutine_fn blk_co_preadv(BlockBackend *blk, int64_t offset,
                                         const IOVector *iov, BdrvRequestFlags flags);
CAIRN_API int coroutine_fn blk_co_pwritev(BlockBackend *blk, int64_t offset,
                                          const IOVector *iov, BdrvRequestFlags flags);
CAIRN_API int coroutine_fn blk_co_pwrite_zeroes(BlockBackend *blk, int64_t offset,
                                                int64_t bytes, BdrvRequestFlags flags);
CAIRN_API int coroutine_fn blk_co_pdiscard(BlockBackend *blk, int64_t offset,
                                           int64_t bytes);
CAIRN_API int coroutine_fn blk_co_flush(BlockBackend *blk);
/** blk_co_copy_range: lets the host copy from @blk to @target, of one context. -ENOTSUP: it cannot; nothing has changed. */
CAIRN_API int coroutine_fn blk_co_copy_range(BlockBackend *blk, int64_t offset,
                                             BlockBackend *target, int64_t target_offset,
                                             int64_t bytes);
CAIRN_API int coroutine_fn blk_co_block_status(BlockBackend *blk, int64_t offset,
                                               int64_t bytes, BlockStatus *status);
CAIRN_API int coroutine_fn blk_co_block_status_chain(BlockBackend *blk, int64_t offset,
                                                     int64_t bytes, BlockStatus *status);

/* ---- data, by callback ------------------------------------------------ */

/**
 * BlockCompletionFunc: @ret: 0 or -errno. Called from the submitting thread's AioContext, never before the call returns
 * and never inside a control call of that thread: any call may be made in it.
 */
typedef void BlockCompletionFunc(void *opaque, int ret);

CAIRN_API void blk_aio_preadv(BlockBackend *blk, int64_t offset, const IOVector *iov,
                              BdrvRequestFlags flags, BlockCompletionFunc *cb, void *opaque);
CAIRN_API void blk_aio_pwritev(BlockBackend *blk, int64_t offset, const IOVector *iov,
                               BdrvRequestFlags flags, BlockCompletionFunc *cb, void *opaque);
CAIRN_API void blk_aio_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                                     BdrvRequestFlags flags, BlockCompletionFunc *cb,
                                     void *opaque);
CAIRN_API void blk_aio_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes,
                                BlockCompletionFunc *cb, void *opaque);
CAIRN_API void blk_aio_flush(BlockBackend *blk, BlockCompletionFunc *cb, void *opaque);

/** blk_io_plug: requests up to the matching blk_io_unplug() of this thread may be submitted together. */
CAIRN_API void blk_io_plug(BlockBackend *blk);
CAIRN_API void blk_io_unplug(BlockBackend *blk);

/** blk_drain: waits until no request of @blk runs. Outside coroutines. */
CAIRN_API void blk_drain(BlockBackend *blk);

/* ---- image management (control calls) --------------------------------- */

/** blk_get_specific: what the tools' info prints of an open image: keys of the schema's ImageInfo. */
CAIRN_API QDict *blk_get_image_info(BlockBackend *blk, GError **error);

/**
 * cairn_image_info:
 * Opens @filename (or @options) without its backing files and describes it: a list of one
 * ImageInfo, or with @chain one for each image of the chain, top first. A loop is an error that names the file.
 */
CAIRN_API QList *cairn_image_info(CairnContext *ctx, const char *filename,
                                  const QDict *options, int flags, bool chain,
                                  GError **error);

typedef struct BlockDriverInfo {
    int64_t cluster_size;       /* bytes; 0: none */
    int64_t vm_state_offset;    /* bytes; 0 where the format has none */
    bool is_dirty;
} BlockDriverInfo;

CAIRN_API bool blk_get_info(BlockBackend *blk, BlockDriverInfo *info, GError **error);

typedef enum BlockCheckFix {
    BLOCK_CHECK_FIX_NONE = 0, BLOCK_CHECK_FIX_LEAKS = 1, BLOCK_CHECK_FIX_ERRORS = 2,
} BlockCheckFix;

typedef struct BlockCheckResult {
    int64_t corruptions, leaks, check_errors;
    int64_t corruptions_fixed, leaks_fixed;
    int64_t allocated_clusters, total_clusters, fragmented_clusters,
            compressed_clusters;
    int64_t image_end_offset;   /* bytes */
    /* Called for each finding, one line without newline; may be NULL. */
    void (*report)(const char *message, void *opaque);
    void *opaque;
} BlockCheckResult;

/** blk_check: false with code ENOTSUP where the format has no checks. Findings are no error. */
CAIRN_API bool blk_check(BlockBackend *blk, BlockCheckResult *result,
                         BlockCheckFix fix, GError **error);

/** blk_make_empty: drops what the image holds above its backing file. */
CAIRN_API bool blk_make_empty(BlockBackend *blk, GError **error);

/* A creation in two steps, so that all that can be known is checked before anything is touched. */
typedef struct BlockCreate BlockCreate;

/**
 * blk_create_prepare:
 * @format: driver name
 * @backing, @backing_format: NULL for none; override options of that name
 * @options: flat creation options as text (see blk_create_help()); may be NULL; not changed
 * @size: bytes; -1: not given (then "size" of @options, or the backing file's)
 * @check_backing: open the backing file (create -u: false)
 */
CAIRN_API BlockCreate *blk_create_prepare(CairnContext *ctx, const char *filename,
                                          const char *format, const char *backing,
                                          const char *backing_format,
                                          const QDict *options, int64_t size,
                                          bool check_backing, GError **error);
/** blk_create_describe: "Formatting 'x', fmt=qcow size=..." Free with g_free(). */
CAIRN_API char *blk_create_describe(const BlockCreate *create);
CAIRN_API bool blk_create_run(BlockCreate *create, GError **error);
/**
 * blk_create_run_at: makes the image in another file of the same protocol and folder, for callers that rename it when
 * all of its content is there.
 */
CAIRN_API bool blk_create_run_at(BlockCreate *create, const char *filename, GError **error);
CAIRN_API void blk_create_free(BlockCreate *create);

/** blk_create: prepare and run in one. */
CAIRN_API bool blk_create(CairnContext *ctx, const char *filename, const char *format,
                          const QDict *options, int64_t size, GError **error);

/** blk_create_help: the text of "-o help"; @filename NULL: without the protocol's options. */
CAIRN_API char *blk_create_help(CairnContext *ctx, const char *format,
                                const char *filename, GError **error);

typedef struct BlockMeasure {
    int64_t required;           /* bytes the file takes with what is allocated now */
    int64_t fully_allocated;    /* bytes when every guest byte has been written */
} BlockMeasure;

/**
 * blk_measure:
 * @format: of the image that would be made
 * @options: flat creation options as text; may be NULL
 * @source: whose content it would hold; NULL: @size bytes, nothing of them allocated
 * Returns: false with @error; ENOTSUP where the driver cannot tell.
 */
CAIRN_API bool blk_measure(CairnContext *ctx, const char *format, const QDict *options,
                           BlockBackend *source, int64_t size, BlockMeasure *measure,
                           GError **error);

/**
 * blk_change_backing_file: writes another backing file's name into the image; the backing file that is open stays.
 * @name: NULL: none from now on
 * @format: NULL: unknown
 */
CAIRN_API bool blk_change_backing_file(BlockBackend *blk, const char *name, const char *format,
                                       GError **error);

typedef struct BlockCompactProgress {
    /* As JobProgressFunc of <cairn/job.h>: guest bytes; false cancels, with ECANCELED. May be NULL. */
    bool (*func)(int64_t done, int64_t total, void *opaque);
    void *opaque;
} BlockCompactProgress;

/**
 * blk_compact: makes @filename, which is overwritten, the same image as @blk without leaks and gaps. Nothing is decoded:
 * BLK_O_NO_IO is enough, and no key is needed; names of backing files stay as they are, and need not be open.
 * @progress: NULL: nobody asks
 * Returns: false with @error: EUCLEAN where a check of the image finds errors (@filename is not touched then), ENOTSUP
 * where the format cannot do it. After other failures @filename is empty.
 */
CAIRN_API bool blk_compact(BlockBackend *blk, const char *filename,
                           const BlockCompactProgress *progress, GError **error);

/*
 * Breakpoints of the first node below @blk whose driver has them ("blkdebug"): the next request that comes to @event stops
 * there until it is resumed. Outside coroutines, from any thread. ENOTSUP: no such node; ENOENT: no such tag.
 * Resuming, removing and asking wait for no other call, so they also work while another thread waits for just that
 * request (a drain). Closing a backend removes the breakpoints that were set by it.
 */
CAIRN_API bool blk_debug_breakpoint(BlockBackend *blk, const char *event, const char *tag,
                                    GError **error);
/** blk_debug_remove_breakpoint: requests that stand at @tag go on. */
CAIRN_API bool blk_debug_remove_breakpoint(BlockBackend *blk, const char *tag, GError **error);
CAIRN_API bool blk_debug_resume(BlockBackend *blk, const char *tag, GError **error);
/** blk_debug_is_suspended: 1 a request stands at @tag, 0 none does yet, -ENOENT or -ENOTSUP. */
CAIRN_API int blk_debug_is_suspended(BlockBackend *blk, const char *tag);

/* What a format's driver can do. */
enum {
    CAIRN_FORMAT_CREATE   = 1 << 0,     /* images of it can be made */
    CAIRN_FORMAT_BACKING  = 1 << 1,     /* may have a backing file */
    CAIRN_FORMAT_COMPRESS = 1 << 2,     /* takes compressed writes */
    CAIRN_FORMAT_CHECK    = 1 << 3,     /* blk_check() works */
    CAIRN_FORMAT_RESIZE   = 1 << 4,     /* blk_truncate() works */
    CAIRN_FORMAT_REBASE   = 1 << 5,     /* blk_change_backing_file() works */
    CAIRN_FORMAT_MEASURE  = 1 << 6,     /* blk_measure() works */
    CAIRN_FORMAT_COMPACT  = 1 << 7,     /* blk_compact() works */
};

/** cairn_format_features: Returns: a mask of CAIRN_FORMAT_*, or -1 if @ctx has no driver named @format. */
CAIRN_API int cairn_format_features(CairnContext *ctx, const char *format);

/**
 * cairn_suggest_format: hints below *@error, which says that @ctx has no format named @format to make an image in: those that
 * it has, and the nearest name. @error as for cairn_error_append_hint().
 */
CAIRN_API void cairn_suggest_format(CairnContext *ctx, const char *format, GError **error);

/**
 * cairn_describe_drivers: Returns: { "common-options": [...], "drivers": [...] }, drivers sorted by name, each with "name",
 * "kind" (format, filter, protocol), "prefix" (of file names; protocols), "can" (create, backing, ...), "runtime-options" and
 * "create-options"; an option has "name", "type" (str, bool, int, size), and where they apply "help", "default", "choices",
 * "reopenable".
 */
CAIRN_API QDict *cairn_describe_drivers(CairnContext *ctx);

/** cairn_probe: which format a file's bytes look like. Returns: a static name, with @score 1..100; NULL with @error. */
CAIRN_API const char *cairn_probe(CairnContext *ctx, const char *filename,
                                  int *score, GError **error);

/** BlockWarnFunc: texts for a person, complete lines without the last newline. May be called on any thread that uses the context; makes no call of the library. */
typedef void BlockWarnFunc(const char *text, void *opaque);
/** cairn_context_set_warn_func: who hears warnings of this context; default: nobody. */
CAIRN_API void cairn_context_set_warn_func(CairnContext *ctx, BlockWarnFunc *func,
                                           void *opaque);
/**
 * cairn_context_set_notice_func: who hears what is no warning: "blkdebug: Suspended request 'TAG'", told in that request's
 * coroutine, and "blkdebug: Resuming request 'TAG'", in that order. Default: nobody.
 */
CAIRN_API void cairn_context_set_notice_func(CairnContext *ctx, BlockWarnFunc *func,
                                             void *opaque);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlockBackend, blk_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlockCreate, blk_create_free)

G_END_DECLS

#endif
