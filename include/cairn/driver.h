/* SPDX-License-Identifier: MIT */
/*
 * The driver author's API: the vtable, what a node looks like from inside its driver, and how
 * a driver talks to its children. docs/writing-a-driver.md walks through an example.
 *
 * 1. Callbacks with _co_ run in a coroutine and may yield; all others run outside coroutines, under
 *    the context's control lock, with the node drained (open and close included).
 * 2. Data callbacks of one node run on several threads at once; the driver guards its state.
 * 3. The core has checked each request: inside the node, aligned to request_alignment, at most
 *    max_transfer bytes. Writes may pass the end where the parent holds BLK_PERM_RESIZE (they extend), or within the
 *    last 512 bytes. The end is co_getlength() rounded up to request_alignment: bytes of a read past the true length
 *    are zeros, given by the driver up to that alignment, beyond it by the core.
 */
#ifndef CAIRN_DRIVER_H
#define CAIRN_DRIVER_H

#include <cairn/block.h>

#include <sys/stat.h>

G_BEGIN_DECLS

typedef struct BlockDriver BlockDriver;
typedef struct BlockDriverState BlockDriverState;
typedef struct BdrvChild BdrvChild;
typedef struct BdrvNodePrivate BdrvNodePrivate;

/* ---- permissions and roles -------------------------------------------- */

enum {
    BLK_PERM_CONSISTENT_READ = 1 << 0,
    BLK_PERM_WRITE           = 1 << 1,
    BLK_PERM_WRITE_UNCHANGED = 1 << 2,
    BLK_PERM_RESIZE          = 1 << 3,
    BLK_PERM_ALL             = 0xf,
};

typedef enum BdrvChildRole {
    BDRV_CHILD_DATA     = 1 << 0,
    BDRV_CHILD_METADATA = 1 << 1,
    BDRV_CHILD_FILTERED = 1 << 2,
    BDRV_CHILD_COW      = 1 << 3,
    BDRV_CHILD_PRIMARY  = 1 << 4,
    BDRV_CHILD_IMAGE    = BDRV_CHILD_DATA | BDRV_CHILD_METADATA | BDRV_CHILD_PRIMARY,
} BdrvChildRole;

/* An edge of the graph: one parent's use of one node. */
struct BdrvChild {
    BlockDriverState *bs;       /* never NULL while attached */
    char *name;                 /* "file", "backing", ...; "root" for a backend's */
    BdrvChildRole role;
    uint64_t perm;              /* BLK_PERM_*: granted to this parent */
    uint64_t shared_perm;       /* BLK_PERM_*: what it lets other parents have */
    BlockDriverState *parent_bs;    /* NULL: the parent is a BlockBackend */
    BlockBackend *parent_blk;       /* NULL: the parent is a node */
    /*< private >*/
    uint64_t saved_perm, saved_shared;  /* during a permission update */
    int frozen;                 /* jobs that count on this edge: it stays, and shares everything */
};

/* ---- a node ------------------------------------------------------------ */

typedef struct BlockLimits {
    uint32_t request_alignment; /* bytes, power of two, 1..1 MiB; default 1 */
    int64_t max_transfer;       /* bytes, 0: none */
    int64_t opt_transfer;       /* bytes, 0: none */
    int64_t max_pwrite_zeroes;  /* bytes, 0: none */
    uint32_t pwrite_zeroes_alignment;   /* bytes, 0: request_alignment */
    int64_t max_pdiscard;       /* bytes, 0: none */
    uint32_t pdiscard_alignment;        /* bytes, 0: request_alignment */
    size_t mem_alignment;       /* bytes, of each buffer's address; default 1. Above 1 the lengths of a vector's elements are multiples of request_alignment too */
    int max_iov;                /* elements of one vector; default IOV_MAX */
} BlockLimits;

struct BlockDriverState {
    const BlockDriver *drv;
    void *opaque;               /* driver's state: instance_size bytes, zeroed, freed after close */
    BdrvChild *file;            /* the child of that name, or NULL */
    BdrvChild *backing;         /* NULL: none, or not opened */
    BlockLimits bl;             /* written by refresh_limits only */
    int open_flags;             /* BLK_O_* as now in force; changed by reopen */
    bool read_only;             /* set, and BLK_O_RDWR cleared, by an open that falls back to reading (BLK_O_AUTO_RDONLY) */
    bool encrypted;             /* set by the driver's open */
    bool probed;                /* the format was guessed */
    bool orders_writes;         /* set by the driver's open: writes that overlap come one after the other (what is written twice stays the same) */
    int supported_write_flags;  /* BDRV_REQ_* that co_pwritev takes; the core does the rest */
    int supported_zero_flags;   /* likewise co_pwrite_zeroes */
    char *filename;             /* as the tools print it; never NULL */
    char *exact_filename;       /* plain name that opens the same node; "" if none */
    char node_name[32];
    char *backing_file;         /* name as found in the image, set by open; NULL: none */
    char *backing_format;       /* as recorded in the image; NULL: unknown */
    BdrvNodePrivate *priv;      /* the core's */
};

/* ---- the vtable -------------------------------------------------------- */

typedef struct BlockReopenState {
    BlockDriverState *bs;
    int flags;                  /* BLK_O_*: to be in force */
    QDict *opts;                /* typed: the driver's own options after the change */
    void *opaque;               /* driver's, from prepare to commit/abort */
} BlockReopenState;

typedef struct BlockCreateTarget {
    CairnContext *context;
    const char *filename;       /* as given by the user */
} BlockCreateTarget;

/*
 * Only format_name is required; the text at each slot says what the core does
 * without it. Returns of data callbacks: 0 or -errno.
 */
struct BlockDriver {
    const char *format_name;    /* "qcow" */
    const char *protocol_name;  /* "file": makes this a protocol driver, opened without a file child */
    size_t instance_size;       /* bytes of opaque */
    bool is_format;             /* interprets its file child; else it passes bytes or is a protocol */
    bool is_filter;             /* same content as its one FILTERED child; absent data slots pass through */
    const char *filtered_name;  /* what a filter calls that child; absent: "file" */
    bool supports_backing;      /* may have a "backing" child */
    const OptionDesc *runtime_options;      /* absent: none */
    const OptionDesc *create_options;       /* absent: cannot be created */
    const char *const *strong_runtime_opts; /* NULL-ended names of options that change what is read ("offset"); absent: all */

    /* -- probing and names -- */
    /* 0..100: how surely these first bytes are this format. Pure. Absent: never probed. */
    int (*bdrv_probe)(const uint8_t *buf, size_t bytes, const char *filename);
    /* 0..100: how surely a path names a device of this driver. Absent: 0. */
    int (*bdrv_probe_device)(const char *filename);
    /* Splits "proto:..." into options. Absent: "filename" = what follows the prefix. */
    bool (*bdrv_parse_filename)(const char *filename, QDict *options, GError **error);

    /* -- life -- */
    /* @opts: the driver's own options, checked by runtime_options, flat; the driver opens its children (bdrv_open_child). Absent: nothing to do. */
    bool (*bdrv_open)(BlockDriverState *bs, QDict *opts, int flags, GError **error);
    void (*bdrv_close)(BlockDriverState *bs);
    /* Absent prepare: flags may change, options may not. Prepare may clear BLK_O_RDWR of flags where BLK_O_AUTO_RDONLY is set. Commit and abort never fail. */
    bool (*bdrv_reopen_prepare)(BlockReopenState *state, GError **error);
    void (*bdrv_reopen_commit)(BlockReopenState *state);
    void (*bdrv_reopen_abort)(BlockReopenState *state);
    /* Sets bs->exact_filename from the options. Absent: as opened. */
    void (*bdrv_refresh_filename)(BlockDriverState *bs);
    /* Absent: alignment and memory limits of the file child, else defaults. A filter's alignment is 1 then: what it passes on is aligned below. */
    bool (*bdrv_refresh_limits)(BlockDriverState *bs, GError **error);
    bool (*bdrv_get_info)(BlockDriverState *bs, BlockDriverInfo *info, GError **error);
    /* Absent: ENOTSUP. Nothing of the node is in use by requests. */
    bool (*bdrv_make_empty)(BlockDriverState *bs, GError **error);
    bool (*bdrv_change_backing_file)(BlockDriverState *bs, const char *name,
                                     const char *format, GError **error);
    /*
     * Between them the node starts no I/O of its own and holds no request back. Begin is called while requests still run, on
     * any thread: those that the driver has made wait go on. Absent: it does neither.
     */
    void (*bdrv_drain_begin)(BlockDriverState *bs);
    void (*bdrv_drain_end)(BlockDriverState *bs);

    /* -- graph -- */
    /* What the node needs of a child, given what its parents want of it. Absent: bdrv_default_perms(). */
    void (*bdrv_child_perm)(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                            const BlockReopenState *reopen, uint64_t perm,
                            uint64_t shared, uint64_t *nperm, uint64_t *nshared);
    /* Two phases: check may fail, having then undone itself; else abort undoes it, or set, which never fails, makes it so. Absent: nothing to do. */
    bool (*bdrv_check_perm)(BlockDriverState *bs, uint64_t perm, uint64_t shared,
                            GError **error);
    void (*bdrv_set_perm)(BlockDriverState *bs, uint64_t perm, uint64_t shared);
    void (*bdrv_abort_perm)(BlockDriverState *bs);
    /* Whether a new image reads as zeros. Absent: false (filters: their child's). */
    bool (*bdrv_has_zero_init)(BlockDriverState *bs);

    /* -- creation -- */
    /* @options: typed and nested, checked by create_options; @file: open for writing and resizing, NULL for a protocol driver. */
    bool coroutine_fn (*bdrv_co_create)(const BlockCreateTarget *target, BlockBackend *file,
                                        const QDict *options, GError **error);
    /*
     * @opts: flat texts, this driver's and its protocol's; "size" is always there, as a number of bytes. Checks everything
     * first (options_absorb() by create_options), then a format driver calls bdrv_co_create_storage() with what is
     * left and its own co_create. Absent: the core does just that.
     */
    bool coroutine_fn (*bdrv_co_create_opts)(const BlockCreateTarget *target, QDict *opts,
                                             GError **error);

    /*
     * What an image with these options and this content would take. @options: flat, typed, checked by create_options,
     * "size" is always there; @source: NULL: unknown content. Outside coroutines. Absent: ENOTSUP.
     */
    bool (*bdrv_measure)(const QDict *options, BlockBackend *source, BlockMeasure *measure,
                         GError **error);

    /*
     * Writes the same image into @file, which is empty and grows, without leaks and gaps and without decoding anything;
     * what makes it an image of this format comes last, when all else is durable. A check has found no error in it just
     * before. @progress: NULL: nobody asks; ECANCELED where it says so. Absent: ENOTSUP.
     */
    bool coroutine_fn (*bdrv_co_compact)(BlockDriverState *bs, BlockBackend *file,
                                         const BlockCompactProgress *progress, GError **error);

    /* -- data -- */
    /* Bytes, or -errno. Absent: the file child's. */
    int64_t coroutine_fn (*bdrv_co_getlength)(BlockDriverState *bs);
    /* Allocated bytes in the host, or -errno. Absent: the file child's, else -ENOTSUP. */
    int64_t coroutine_fn (*bdrv_co_get_allocated_file_size)(BlockDriverState *bs);
    int coroutine_fn (*bdrv_co_preadv)(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags);
    int coroutine_fn (*bdrv_co_pwritev)(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        const IOVector *iov, int flags);
    /* Whole units of get_info's cluster_size, any number; the node's last may be short. Else -EINVAL. Absent: -ENOTSUP. */
    int coroutine_fn (*bdrv_co_pwritev_compressed)(BlockDriverState *bs, int64_t offset,
                                                   int64_t bytes, const IOVector *iov);
    /* Absent or -ENOTSUP: zeros are written. */
    int coroutine_fn (*bdrv_co_pwrite_zeroes)(BlockDriverState *bs, int64_t offset,
                                              int64_t bytes, int flags);
    /* Absent or -ENOTSUP: nothing happens, with success. */
    int coroutine_fn (*bdrv_co_pdiscard)(BlockDriverState *bs, int64_t offset, int64_t bytes);
    /*
     * Copies that the host makes. _from, of the source: passes the request on to a child (bdrv_co_copy_range_from()), or, where
     * it holds the bytes, to the target (bdrv_co_copy_range_to()). _to: @source is the node that holds them; only a driver that
     * knows how to read it directly can do this. Absent, or -ENOTSUP with nothing changed: the bytes are read and written.
     */
    int coroutine_fn (*bdrv_co_copy_range_from)(BlockDriverState *bs, int64_t offset,
                                                BdrvChild *target, int64_t target_offset,
                                                int64_t bytes);
    int coroutine_fn (*bdrv_co_copy_range_to)(BlockDriverState *bs, BlockDriverState *source,
                                              int64_t source_offset, int64_t offset,
                                              int64_t bytes);
    /* Makes completed writes durable. The core flushes neither the file child nor the backing for a driver that has this slot. Absent: the children that hold data or metadata are flushed. */
    int coroutine_fn (*bdrv_co_flush)(BlockDriverState *bs);
    /* Absent: ENOTSUP. @exact: exactly @bytes, no rounding. */
    bool coroutine_fn (*bdrv_co_truncate)(BlockDriverState *bs, int64_t bytes, bool exact,
                                          PreallocMode prealloc, GError **error);
    /* A mask of BDRV_BLOCK_*, or -errno; @pnum > 0. @map, @file: with OFFSET_VALID, @file NULL otherwise. Absent: all is data at the same offset of itself. */
    int coroutine_fn (*bdrv_co_block_status)(BlockDriverState *bs, bool want_zero,
                                             int64_t offset, int64_t bytes, int64_t *pnum,
                                             int64_t *map, BlockDriverState **file);
    /* Something happens to a request of this node ("pwritev_rmw_head"): test drivers fail or suspend it. Absent: nothing. */
    void coroutine_fn (*bdrv_co_debug_event)(BlockDriverState *bs, const char *event);
    /*
     * Breakpoints, by blk_debug_breakpoint() and the like; all four or none. They run outside coroutines, without the
     * control lock but the first, also while requests of the node run or a drain waits for them; they wait for nothing.
     * Absent: the file or filtered child is asked. @remove with @tag NULL: all there are. @is_suspended: 1, 0 or -ENOENT.
     */
    bool (*bdrv_debug_breakpoint)(BlockDriverState *bs, const char *event, const char *tag,
                                  GError **error);
    bool (*bdrv_debug_remove_breakpoint)(BlockDriverState *bs, const char *tag, GError **error);
    bool (*bdrv_debug_resume)(BlockDriverState *bs, const char *tag, GError **error);
    int (*bdrv_debug_is_suspended)(BlockDriverState *bs, const char *tag);
    /* Absent: ENOTSUP. */
    bool coroutine_fn (*bdrv_co_check)(BlockDriverState *bs, BlockCheckResult *result,
                                       BlockCheckFix fix, GError **error);
};

/** bdrv_register: adds a driver to @ctx (NULL: the default). @drv must outlive it. EEXIST if the name is taken. */
CAIRN_API bool bdrv_register(CairnContext *ctx, const BlockDriver *drv, GError **error);

/* ---- for open, close and reopen (outside coroutines) ------------------- */

/**
 * bdrv_open_child:
 * Opens the node that the options "NAME.*", or "NAME" (a reference), describe, and attaches it. For "file" of a node
 * opened by filename, that name.
 * Returns: false with @error; "A block device must be specified for "NAME"" if the options say nothing.
 */
CAIRN_API bool bdrv_open_child(BlockDriverState *bs, const char *name,
                               BdrvChildRole role, GError **error);

/**
 * bdrv_open_child_named:
 * As bdrv_open_child(), for a child that is not called "file", or that the driver's own options name.
 * @filename: a path, "proto:..." or "json:{...}", to which options "NAME.*" are added; NULL: these alone say what it is
 * @child: set to the edge, which is the node's as long as it is open
 */
CAIRN_API bool bdrv_open_child_named(BlockDriverState *bs, const char *name,
                                     const char *filename, BdrvChildRole role,
                                     BdrvChild **child, GError **error);

enum { BDRV_CHILDREN_MAX = 32 };

/**
 * bdrv_count_children: in the driver's open: how many items the list @name of children has, to be opened as "NAME.0", "NAME.1"...
 * Returns: 0..BDRV_CHILDREN_MAX, or -1 with @error.
 */
CAIRN_API int bdrv_count_children(BlockDriverState *bs, const char *name, GError **error);

/** bdrv_filtered_child: the child that a filter passes requests on to; NULL: the node is no filter. */
CAIRN_API BdrvChild *bdrv_filtered_child(BlockDriverState *bs);
/** bdrv_skip_filters: the node below all filters; @bs itself if it is none, or NULL. */
CAIRN_API BlockDriverState *bdrv_skip_filters(BlockDriverState *bs);

/** bdrv_default_perms: the usual needs of filters, formats and backing files, by @role. */
CAIRN_API void bdrv_default_perms(BlockDriverState *bs, BdrvChild *child,
                                  BdrvChildRole role, const BlockReopenState *reopen,
                                  uint64_t perm, uint64_t shared, uint64_t *nperm,
                                  uint64_t *nshared);

/** bdrv_refresh_child_perms: after a driver's needs changed by itself. */
CAIRN_API bool bdrv_refresh_child_perms(BlockDriverState *bs, GError **error);

/** bdrv_get_info, bdrv_has_zero_init: what the node's driver says, or where that is silent, what the node that it filters says. ENOTSUP: nobody. */
CAIRN_API bool bdrv_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error);
CAIRN_API bool bdrv_has_zero_init(BlockDriverState *bs);

CAIRN_API CairnContext *bdrv_get_context(BlockDriverState *bs);
CAIRN_API CairnSecrets *bdrv_get_secrets(BlockDriverState *bs);
CAIRN_API CairnSecrets *cairn_context_get_secrets(CairnContext *ctx);
/** bdrv_find_object: the object that a user made (cairn_object_add()), or NULL; for open and reopen. It goes with the context: take a reference. */
CAIRN_API void *bdrv_find_object(BlockDriverState *bs, const char *type, const char *id);
CAIRN_API bool bdrv_is_restricted(BlockDriverState *bs);
/** bdrv_is_probed_format: whether @name is a format that probing can find; an image may record only such a one for another. */
CAIRN_API bool bdrv_is_probed_format(BlockDriverState *bs, const char *name);
/**
 * bdrv_check_found: in a protocol driver's open, of the file it has opened by @path: false with EPERM if the path was found in
 * an image, and another file was there when the policy allowed it.
 */
CAIRN_API bool bdrv_check_found(BlockDriverState *bs, const char *path, const struct stat *st,
                                GError **error);
/** bdrv_warn, bdrv_notice: to the context's callback for warnings, or for what is none. Any thread. */
CAIRN_API void bdrv_warn(BlockDriverState *bs, const char *format, ...) G_GNUC_PRINTF(2, 3);
CAIRN_API void bdrv_notice(BlockDriverState *bs, const char *format, ...) G_GNUC_PRINTF(2, 3);

/** bdrv_add_blocker: @operation ("migration") is blocked while the node lives. @format may name the node by its node_name. */
CAIRN_API void bdrv_add_blocker(BlockDriverState *bs, const char *operation,
                                const char *format, ...) G_GNUC_PRINTF(3, 4);

/** bdrv_pread and the like: blocking, for open, close and reopen. Reads are -EIO past the length rounded up to 512; what lies between gives zeros. */
CAIRN_API int bdrv_pread(BdrvChild *child, int64_t offset, int64_t bytes, void *buf);
CAIRN_API int bdrv_pwrite(BdrvChild *child, int64_t offset, int64_t bytes,
                          const void *buf, int flags);
CAIRN_API int bdrv_flush(BdrvChild *child);
CAIRN_API int64_t bdrv_getlength(BdrvChild *child);
CAIRN_API bool bdrv_truncate(BdrvChild *child, int64_t bytes, bool exact,
                             PreallocMode prealloc, GError **error);

/** bdrv_run_co: runs @entry in a coroutine and waits for its end, polling the thread's AioContext. Outside coroutines. */
CAIRN_API void bdrv_run_co(CoroutineEntry *entry, void *opaque);

/* ---- for requests (in coroutines) --------------------------------------- */

CAIRN_API int coroutine_fn bdrv_co_preadv(BdrvChild *child, int64_t offset, int64_t bytes,
                                          const IOVector *iov, int flags);
CAIRN_API int coroutine_fn bdrv_co_pwritev(BdrvChild *child, int64_t offset, int64_t bytes,
                                           const IOVector *iov, int flags);
CAIRN_API int coroutine_fn bdrv_co_pread(BdrvChild *child, int64_t offset, int64_t bytes,
                                         void *buf);
CAIRN_API int coroutine_fn bdrv_co_pwrite(BdrvChild *child, int64_t offset, int64_t bytes,
                                          const void *buf, int flags);
CAIRN_API int coroutine_fn bdrv_co_pwrite_zeroes(BdrvChild *child, int64_t offset,
                                                 int64_t bytes, int flags);
CAIRN_API int coroutine_fn bdrv_co_pdiscard(BdrvChild *child, int64_t offset, int64_t bytes);
CAIRN_API int coroutine_fn bdrv_co_flush(BdrvChild *child);
/**
 * bdrv_child_expect_flush: the next flush of @child syncs even if nothing was written through it:
 * a process that was killed may have written before. Any thread.
 */
CAIRN_API void bdrv_child_expect_flush(BdrvChild *child);
CAIRN_API int coroutine_fn bdrv_co_copy_range_from(BdrvChild *child, int64_t offset,
                                                   BdrvChild *target, int64_t target_offset,
                                                   int64_t bytes);
CAIRN_API int coroutine_fn bdrv_co_copy_range_to(BdrvChild *child, BlockDriverState *source,
                                                 int64_t source_offset, int64_t offset,
                                                 int64_t bytes);
/**
 * bdrv_co_copy_up: what the child leaves to its backing file in this range becomes its own; no write comes between the look
 * and the copy. Whole blocks of request_alignment. Permission: write or write unchanged.
 */
CAIRN_API int coroutine_fn bdrv_co_copy_up(BdrvChild *child, int64_t offset, int64_t bytes);
CAIRN_API int64_t coroutine_fn bdrv_co_getlength(BdrvChild *child);
CAIRN_API bool coroutine_fn bdrv_co_truncate(BdrvChild *child, int64_t bytes, bool exact,
                                             PreallocMode prealloc, GError **error);
CAIRN_API int coroutine_fn bdrv_co_block_status(BdrvChild *child, bool want_zero,
                                                int64_t offset, int64_t bytes,
                                                int64_t *pnum, int64_t *map,
                                                BlockDriverState **file);

/** bdrv_co_block_status_chain: as blk_block_status_chain(): backing files are followed. */
CAIRN_API int coroutine_fn bdrv_co_block_status_chain(BdrvChild *child, bool want_zero,
                                                      int64_t offset, int64_t bytes,
                                                      BlockStatus *status);
/** bdrv_co_get_allocated_file_size: bytes in the host, or -errno. */
CAIRN_API int64_t coroutine_fn bdrv_co_get_allocated_file_size(BlockDriverState *bs);

typedef struct BdrvClaim BdrvClaim;

/**
 * bdrv_co_claim: for a driver, of its own node: when it returns no write to the range runs in the driver, and none begins until
 * bdrv_release(). Not inside a write.
 */
CAIRN_API BdrvClaim *coroutine_fn bdrv_co_claim(BlockDriverState *bs, int64_t offset,
                                                int64_t bytes);
CAIRN_API void bdrv_release(BdrvClaim *claim);

/** bdrv_co_debug_event: tells the node itself, for instance a driver its file child (child->bs), of @event. */
CAIRN_API void coroutine_fn bdrv_co_debug_event(BlockDriverState *bs, const char *event);

typedef enum BdrvWorkKind {
    BDRV_WORK_IO,               /* may block for long; many at once */
    BDRV_WORK_CACHED_WRITE,     /* as _IO, but rarely blocks: done at once in a thread that only waits for it */
    BDRV_WORK_BULK_WRITE,       /* the same of many bytes: but not in one that has more to copy meanwhile */
    BDRV_WORK_CPU,              /* as many at once as there are processors */
} BdrvWorkKind;

/** bdrv_co_run_work: runs @func in a worker thread while the coroutine waits. Returns: what @func returned. */
CAIRN_API int coroutine_fn bdrv_co_run_work(BlockDriverState *bs, BdrvWorkKind kind,
                                            int (*func)(void *opaque), void *opaque);

/**
 * bdrv_co_create_storage:
 * For co_create_opts of a format, once: creates the protocol's file by what is left in @opts (the file is as long as its
 * "size", else empty) and opens it for writing; what is written past its end makes it longer.
 * @target: the one that co_create_opts was given.
 * Returns: a reference, to be dropped with blk_unref() before co_create_opts ends (the core holds another, then flushes
 * and closes, and reports a failure of that); NULL with @error.
 */
CAIRN_API BlockBackend *coroutine_fn bdrv_co_create_storage(const BlockCreateTarget *target,
                                                            QDict *opts, GError **error);

/** bdrv_buffer_alloc: @bytes aligned to the node's mem_alignment; NULL without memory. Free with bdrv_buffer_free(). */
CAIRN_API void *bdrv_buffer_alloc(BlockDriverState *bs, size_t bytes);
CAIRN_API void bdrv_buffer_free(void *buf);

G_END_DECLS

#endif
