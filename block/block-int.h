/* SPDX-License-Identifier: MIT */
/*
 * What the core's files share; drivers never include it.
 *
 * Lock order (outermost first): the context's control lock, a node's reqs_lock, then
 * leaf locks. Requests take no control lock: what they read of the graph (children, limits, flags) changes only
 * while the nodes are drained.
 */
#ifndef BLOCK_BLOCK_INT_H
#define BLOCK_BLOCK_INT_H

#include <cairn/driver.h>

#include "util/worker-pool.h"

typedef struct BdrvDirty BdrvDirty;
typedef struct BdrvTrackedRequest BdrvTrackedRequest;
typedef struct CtlLock CtlLock;
typedef struct PermUpdate PermUpdate;

typedef enum BdrvDetectZeroes {
    BDRV_DETECT_ZEROES_OFF, BDRV_DETECT_ZEROES_ON, BDRV_DETECT_ZEROES_UNMAP,
} BdrvDetectZeroes;

/* ---- context (context.c) ---- */

struct CairnContext {
    gint refs;
    CtlLock *ctl;               /* control lock: ctl_lock()/ctl_unlock() */
    GPtrArray *drivers;         /* const BlockDriver *: built in, then registered */
    GHashTable *nodes;          /* node_name -> BlockDriverState *, not owned; under ctl */
    GPtrArray *backends;        /* BlockBackend *, not owned; under ctl */
    GPtrArray *blockers;        /* BdrvBlocker *; under ctl */
    CairnSecrets *secrets;
    GHashTable *objects;        /* id -> CairnObject *; other than secrets; under ctl */
    WorkerPool *io_pool;        /* made at first use, worker-pool.h */
    WorkerPool *cpu_pool;
    WorkerPool *copy_pool;      /* one thread, which writes while copies read (work.c) */
    CairnImagePolicy policy;
    CairnImageGateFunc *gate_func;
    void *gate_opaque;
    char *found_path;           /* NULL, or the path found in an image that is opened next, under ctl; */
    bool found_exists;          /* and what must be there */
    dev_t found_dev;
    ino_t found_ino;
    bool restricted;
    char **allowed_drivers;     /* NULL: all */
    BlockWarnFunc *warn_func;
    void *warn_opaque;
    BlockWarnFunc *notice_func;
    void *notice_opaque;
    uint64_t next_node_id;
};

CairnContext *context_or_default(CairnContext *ctx);

/*
 * The control lock: recursive, of a thread. While it waits it polls the thread's own AioContext, so
 * that the holder can be waiting for this thread's requests. Outside coroutines only.
 */
CtlLock *ctl_lock_new(void);
void ctl_lock_free(CtlLock *ctl);
void ctl_lock(CairnContext *ctx);
void ctl_unlock(CairnContext *ctx);
bool ctl_is_held(CairnContext *ctx);        /* by this thread */
/*
 * Inside a control call of this thread: has @func called in a bottom half of @aio when the call has ended. False: this
 * thread is in none. For what tells a user that something is complete, as a user may then make control calls.
 */
bool ctl_defer(AioContext *aio, AioFunc *func, void *opaque);

static inline CairnContext *ctl_guard_lock(CairnContext *ctx)
{
    ctl_lock(ctx);
    return ctx;
}

static inline void ctl_guard_unlock(CairnContext **ctx)
{
    ctl_unlock(*ctx);
}

/* Holds the control lock to the end of the scope. The caller keeps the context alive. */
#define CTL_LOCK_GUARD(ctx)                                                  \
    __attribute__((cleanup(ctl_guard_unlock), unused))                       \
    CairnContext *ctl_guard = ctl_guard_lock(ctx)

void context_warn(CairnContext *ctx, const char *format, ...) G_GNUC_PRINTF(2, 3);

GHashTable *objects_new(void);              /* object.c */

/* ---- drivers (registry.c) ---- */

void registry_add_builtin(GPtrArray *drivers);
const BlockDriver *bdrv_find_format(CairnContext *ctx, const char *name);
/* The driver of a path or, with @allow_prefix, of "proto:...". */
const BlockDriver *bdrv_find_path_driver(CairnContext *ctx, const char *filename,
                                         bool allow_prefix, GError **error);
/* As above, with prefixes. */
const BlockDriver *bdrv_find_protocol(CairnContext *ctx, const char *filename, GError **error);
/* Restricted contexts open some drivers only. */
bool registry_check_allowed(CairnContext *ctx, const BlockDriver *drv, GError **error);

/* ---- misspelt names (suggest.c): hints for *error, which is set ---- */

/* @protocols: @name stood before a colon. */
void suggest_driver(CairnContext *ctx, const char *name, bool protocols, GError **error);
/* What @options name no file for @child by. */
void suggest_child_name(const QDict *options, const char *child, GError **error);
/* @options, of which nobody has taken these, name neither a driver nor a file. */
void suggest_root(const QDict *options, GError **error);
/* The tables may be NULL. */
void suggest_option(const OptionDesc *table, const OptionDesc *more, const char *key,
                    GError **error);

/* ---- nodes (node.c) ---- */

struct BdrvNodePrivate {
    CairnContext *ctx;          /* owned reference */
    int refs;                   /* under ctl */
    GPtrArray *children;        /* BdrvChild *, owned */
    GPtrArray *parents;         /* BdrvChild *, not owned */
    QDict *options;             /* flat: the node's own options as they were given, its children's left out */
    QDict *driver_opts;         /* typed: what the driver was given */
    BdrvChildRole role;         /* of the use it was opened for; 0: a root */
    BlockDriverState *inherits_from;    /* the parent whose flags it follows; NULL: its own master */
    BdrvDetectZeroes detect_zeroes;
    GSList *dirty;              /* BdrvDirty *; changed inside drains only */
    uint64_t perm, shared_perm; /* cumulative, as last set on the driver */
    bool is_open;               /* the driver's open has succeeded */
    bool is_complete;           /* the whole open has */
    int probe_score;

    /* During open only. */
    BlockDriverState *opener;   /* the node that is opening this one; NULL: a root */
    QDict *open_options;        /* flat: what nobody took yet (the children's) */
    QDict *backing_options;     /* flat, without "backing."; key "": the value of "backing" itself */
    char *file_name;            /* names the "file" child; NULL: the options do */
    BlockDriverState *file_node;    /* the "file" child, opened early for probing; owned */

    int drained;                /* nested driver drains; under ctl */

    /* The data plane's: bdrv_node_io_init(), bdrv_node_io_cleanup() (overlap.c). */
    GMutex reqs_lock;           /* guards the two below */
    GQueue tracked;             /* BdrvTrackedRequest *, in order of arrival */
    CoQueue serial_waiters;     /* woken whenever a tracked request ends */
    gint serialising;           /* atomic: serialising requests in tracked */
    gint untracked;             /* atomic: writes that run without being tracked */
    gint write_gen, flushed_gen;    /* atomic: writes completed; generation of the last flush */
    int64_t length;             /* atomic (__atomic_*): lower bound of the true length; -1: not asked yet */
};

/* ---- backends (backend.c) ---- */

#define BLK_QUIESCE (1 << 24)   /* one drain, in BlockBackend.activity */

struct BlockBackend {
    gint refs;
    CairnContext *ctx;          /* owned reference */
    BdrvChild *root;            /* NULL after blk_close */
    uint64_t perm, shared_perm;
    int flags;                  /* BLK_O_* of opening */
    gint write_cache;           /* atomic bool; false: writes are FUA */
    bool grows;                 /* writes past the end extend: files being created */
    bool is_job;                /* a job's own: stays at its node whatever replaces it */
    int quiesced_by_all;        /* nested drain_all_begin(); under ctl */

    /* The data plane's: blk_io_init(), blk_io_cleanup() (drain.c). */
    gint activity;              /* atomic: requests inside + BLK_QUIESCE * nested drains (then new requests wait) */
    GMutex lock;                /* guards what is below; a leaf but for the locks of debug_node's driver */
    BlockDriverState *debug_node;   /* whose breakpoints were set; owned reference, NULL: none were */
    CoQueue quiesced;           /* requests that wait for the drains to end */
    int queued;                 /* those, and the woken ones until they are in or out */
    GSList *drainers;           /* AioContext * to notify when the last request ends */
};

/* A job's own handle on a node. */
BlockBackend *blk_new_for_job(BlockDriverState *bs, uint64_t perm, uint64_t shared,
                              GError **error);

void blk_io_init(BlockBackend *blk);
void blk_io_cleanup(BlockBackend *blk);     /* no request may be left */

/*
 * Draining (drain.c), outside coroutines, drain_all_* under ctl; may be nested. All backends of the context, and the drivers' own I/O:
 * then no request runs anywhere. A backend may be made or closed in between.
 */
void drain_all_begin(CairnContext *ctx);
void drain_all_end(CairnContext *ctx);
void drain_blk_begin(BlockBackend *blk);
void drain_blk_end(BlockBackend *blk);
/* As drain_blk_*, and the drivers below @blk (which is open) are told; under ctl. Takes the nodes along to the end. */
GPtrArray *drain_tree_begin(BlockBackend *blk);
void drain_tree_end(BlockBackend *blk, GPtrArray *nodes);

/* Before a backend's last drain (debug.c): no request of it stays at a breakpoint. After it: forgets the node. */
void debug_release(BlockBackend *blk);
void debug_forget(BlockBackend *blk);

/* Request brackets (drain.c): waits while quiesced; -ENOMEDIUM when closed. */
int coroutine_fn blk_request_begin(BlockBackend *blk);
void blk_request_end(BlockBackend *blk);

/* ---- request tracking (overlap.c) ---- */

void bdrv_node_io_init(BlockDriverState *bs);
void bdrv_node_io_cleanup(BlockDriverState *bs);

/* A write under way. Reads are never tracked: no writer changes bytes that it was not asked to change. */
struct BdrvTrackedRequest {
    BlockDriverState *bs;
    int64_t offset, bytes;      /* grown to the alignment when serialising */
    bool is_tracked;
    bool is_serialising;
    bool is_in_claim;           /* part of a serialising request of the same coroutine */
    Coroutine *co;
    GList link;
};

/*
 * Enters a write. It waits for earlier ones that overlap it if it, or they, serialise: a read-modify-write of whole
 * blocks excludes all others from them. @align: what the range is grown to when serialising. Inside a serialising request of
 * its own a coroutine may make others, which do not wait.
 */
void coroutine_fn tracked_request_begin(BdrvTrackedRequest *req, BlockDriverState *bs,
                                        int64_t offset, int64_t bytes, int64_t align,
                                        bool serialise);
void tracked_request_end(BdrvTrackedRequest *req);

/* ---- changed ranges (dirty.c) ---- */

/* Nothing is marked; inside a drain. NULL without memory. */
BdrvDirty *bdrv_dirty_new(BlockDriverState *bs, int64_t length);
void bdrv_dirty_free(BdrvDirty *dirty);     /* inside a drain; NULL: nothing */
void bdrv_dirty_mark(BlockDriverState *bs, int64_t offset, int64_t bytes);
/* The next marked run that begins at or after @from; its marks are gone then. */
bool bdrv_dirty_take(BdrvDirty *dirty, int64_t from, int64_t *offset, int64_t *bytes);
int64_t bdrv_dirty_bytes(const BdrvDirty *dirty);

/* ---- graph (node.c, graph.c, perm.c) ---- */

BlockDriverState *bdrv_node_new(CairnContext *ctx, const char *node_name, GError **error);
void bdrv_ref(BlockDriverState *bs);
void bdrv_unref(BlockDriverState *bs);     /* the last closes: flush, driver close, children */
BlockDriverState *bdrv_find_node(CairnContext *ctx, const char *node_name);
/* A node that is open, for users; not referenced. NULL with @error. */
BlockDriverState *bdrv_lookup(CairnContext *ctx, const char *node_name, GError **error);
/* What messages call a node: the name that its user gave it, else its file's where that is known. */
const char *bdrv_label(const BlockDriverState *bs);

/* Attaches @bs (its reference is taken over, also on failure) under the new permissions. */
BdrvChild *bdrv_attach_child(BlockDriverState *parent, BlockDriverState *bs, const char *name,
                             BdrvChildRole role, GError **error);
BdrvChild *bdrv_attach_root(BlockBackend *blk, BlockDriverState *bs, uint64_t perm,
                            uint64_t shared, GError **error);
void bdrv_detach_child(BdrvChild *child);

/* Edges without permissions yet: made, put into both nodes' lists, taken out of them, freed. */
BdrvChild *bdrv_edge_new(BlockDriverState *parent, BlockDriverState *bs, const char *name,
                         BdrvChildRole role);
void bdrv_edge_link(BdrvChild *child);
void bdrv_edge_unlink(BdrvChild *child);
void bdrv_edge_free(BdrvChild *child);

BdrvChild *bdrv_find_child(BlockDriverState *bs, const char *name);     /* or NULL */
/* @bs and all below it, each once, parents before children. Free with g_ptr_array_unref(). */
GPtrArray *bdrv_graph_order(BlockDriverState *bs);
GPtrArray *bdrv_graph_order_of(BlockDriverState *const *roots, int count);

bool bdrv_child_try_set_perm(BdrvChild *child, uint64_t perm, uint64_t shared, GError **error);
/* What @bs needs of its child, given what its own users want. */
void bdrv_child_needs(BlockDriverState *bs, BdrvChild *child, const BlockReopenState *reopen,
                      uint64_t *nperm, uint64_t *nshared);
/*
 * Recomputes the permissions of @bs and all below it: all or nothing. @reopen: node -> BlockReopenState *, or NULL.
 * In two steps, prepare (NULL with @error: nothing has changed; of several nodes as one), then commit or abort, which
 * free the update.
 */
bool bdrv_refresh_perms(BlockDriverState *bs, GHashTable *reopen, GError **error);
PermUpdate *bdrv_perm_prepare(BlockDriverState *const *roots, int count, GHashTable *reopen,
                              GError **error);
void bdrv_perm_commit(PermUpdate *update);
void bdrv_perm_abort(PermUpdate *update);
char *bdrv_perm_names(uint64_t perm);

/* ---- changing the graph (graph-change.c): under ctl ---- */

bool bdrv_is_below(BlockDriverState *bs, BlockDriverState *top);    /* or is @top itself */
/*
 * All users of @from use @to from now on, but those that stand below @to, and jobs. Drains. May free @from. All or nothing.
 */
bool bdrv_replace_node(BlockDriverState *from, BlockDriverState *to, GError **error);
/* @backing: NULL: none. What the image records is not changed. */
bool bdrv_set_backing(BlockDriverState *bs, BlockDriverState *backing, GError **error);
/*
 * Another node as one child, in steps, inside a drain: check, apply, then (permissions granted or not) commit or undo. NULL
 * @to: none, for "backing" only.
 */
typedef struct BdrvSwap {
    BlockDriverState *parent;
    const char *name;
    BlockDriverState *to;
    BdrvChild *edge;            /* set by apply */
    BlockDriverState *old;
} BdrvSwap;
bool bdrv_swap_check(const BdrvSwap *swap, GError **error);
void bdrv_swap_apply(BdrvSwap *swap);
void bdrv_swap_undo(BdrvSwap *swap);
void bdrv_swap_commit(BdrvSwap *swap);
/* A filter with @options between @below and all its users; and out again. */
bool bdrv_insert_filter(BlockDriverState *below, const QDict *options, GError **error);
bool bdrv_remove_filter(BlockDriverState *filter, GError **error);

/* ---- opening (open.c, open-child.c, common-options.c, backing.c, probe.c, filename.c, limits.c) ---- */

enum { BDRV_O_PROTOCOL = 1 << 24 };     /* beside BLK_O_*: a name or options without a driver are a protocol's */

/*
 * Opens a node. @options (flat; taken over) may be NULL. @reference: a node name, or NULL.
 * @parent, @role: who will attach it, NULL/0 for a root.
 */
BlockDriverState *bdrv_open(CairnContext *ctx, const char *filename, const char *reference,
                            QDict *options, int flags, BlockDriverState *parent,
                            const char *child_name, BdrvChildRole role, GError **error);
/* Opens what the options of @bs say of a child, during the driver's open; the caller attaches it. */
BlockDriverState *bdrv_open_child_node(BlockDriverState *bs, const char *name,
                                       BdrvChildRole role, GError **error);
/* The error about an option that @drv does not know: names the ones it has. */
void bdrv_refuse_option(const BlockDriver *drv, const char *key, GError **error);
bool bdrv_reopen_backend(BlockBackend *blk, const QDict *options, GError **error);
/* Of a node that its parent's options made what it is; its own option "read-only" stands above this: EROFS then. */
bool bdrv_reopen_read_only(BlockDriverState *bs, bool read_only, GError **error);

/* @common: typed. Puts the node's own options over the @flags that it inherits. */
bool common_options_flags(const QDict *common, int *flags, BdrvDetectZeroes *detect_zeroes,
                          GError **error);
/* What a child inherits. @parent_drv: NULL: a format, not known yet. */
int bdrv_child_flags(const BlockDriver *parent_drv, int flags, BdrvChildRole role);

/* Moves "backing" and "backing.*" aside for bdrv_open_backing(). */
void backing_take_options(BlockDriverState *bs, QDict *options);
bool bdrv_open_backing(BlockDriverState *bs, GError **error);
/* Where backing files are not opened: "backing" must be a node that there is, or none. */
bool bdrv_check_backing_option(BlockDriverState *bs, GError **error);
/*
 * What the backing file of @bs is to be opened by, under the context's policy: *@path (to be freed; NULL: the options say
 * all), @options (flat, what the owner said of it; completed) and *@flags (BLK_O_PROBE added).
 */
bool bdrv_backing_target(BlockDriverState *bs, QDict *options, char **path, int *flags,
                         GError **error);
/* found-name.c: the path of the image's own backing file, if it may be opened; to be freed. What is opened next by it is compared. */
char *found_name_resolve(BlockDriverState *bs, GError **error);
/* It has been opened, or will not be. */
void found_name_forget(CairnContext *ctx);
/* bs->backing_file (not NULL), resolved against the image's folder; NULL with @error if that is unknown. */
char *bdrv_full_backing_name(BlockDriverState *bs, GError **error);
bool bdrv_reads_from(BlockDriverState *bs, const char *filename, bool with_chain);     /* as blk_reads_from() (image/reads-from.c) */

const BlockDriver *bdrv_probe_format(CairnContext *ctx, const uint8_t *buf, size_t bytes,
                                     const char *filename, int *score, const char **unsupported);
/* The format of what @file holds. */
const BlockDriver *bdrv_probe_node(CairnContext *ctx, BlockDriverState *file, int *score,
                                   GError **error);
/* The known format whose magic these first bytes carry, or NULL: what a probed raw node must not be given. */
const char *bdrv_known_magic(const uint8_t *buf, size_t bytes);
void bdrv_warn_probed(BlockDriverState *bs);

bool path_has_protocol(const char *path);
char *path_combine(const char *dir, const char *name);
/* "file:x" is "x" for "file", "file:a:b" is "./a:b". */
char *path_strip_protocol(const char *name, const char *protocol);
/* The folder that names in the image are relative to: "" or ending in "/"; NULL: unknown. */
char *bdrv_image_dir(BlockDriverState *bs);
void bdrv_refresh_filename(BlockDriverState *bs);
void bdrv_reset_limits(BlockDriverState *bs);
/* What suits @bs and all that it filters. */
uint32_t bdrv_alignment(BlockDriverState *bs);
bool bdrv_refresh_limits(BlockDriverState *bs, GError **error);

/* ---- blockers (blockers.c) ---- */

GPtrArray *blockers_new(void);
/* Frees what a node's name or blockers hold in the context. */
void blockers_remove_node(BlockDriverState *bs);

/* ---- buffers (buffer.c) ---- */

/* Frees those that are kept for later requests. Any thread. Returns: how many. */
int bdrv_buffers_drop(void);

/* ---- I/O on nodes (io.c, write.c, zeroes.c, discard.c, status.c, flush.c, length.c) ---- */

/* The end that requests are checked against: the true length, rounded up to 512. -errno. */
int64_t coroutine_fn bdrv_co_limit(BlockDriverState *bs, int64_t wanted);
/* After a write or truncate: the node is at least (or, @exact, just) that long. */
void bdrv_note_length(BlockDriverState *bs, int64_t bytes, bool exact);
/* Range, permission and the guard of probed images; -errno. */
int coroutine_fn bdrv_co_check_write(BdrvChild *child, int64_t offset, int64_t bytes, int flags);

int coroutine_fn bdrv_co_status_bs(BlockDriverState *bs, bool want_zero, int64_t offset,
                                   int64_t bytes, int64_t *pnum, int64_t *map,
                                   BlockDriverState **file);
/* As blk_block_status_chain(); @file: with OFFSET_VALID the node that holds the bytes, else NULL. */
int coroutine_fn bdrv_co_block_status_chain_file(BlockDriverState *bs, bool want_zero,
                                                 int64_t offset, int64_t bytes,
                                                 BlockStatus *status, BlockDriverState **file);
/* bdrv_co_copy_up(), and a write that leaves what is read as it was, as requests of a backend (copy-up.c). */
int coroutine_fn blk_co_copy_up(BlockBackend *blk, int64_t offset, int64_t bytes);
int coroutine_fn blk_co_pwrite_unchanged(BlockBackend *blk, int64_t offset, int64_t bytes,
                                         const void *buf);
int64_t coroutine_fn bdrv_co_getlength_bs(BlockDriverState *bs);
int coroutine_fn bdrv_co_flush_bs(BlockDriverState *bs);
int bdrv_flush_bs(BlockDriverState *bs);            /* blocking */

#endif
