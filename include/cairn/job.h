/* SPDX-License-Identifier: MIT */
/*
 * Jobs: work on whole images, built on one copy engine.
 *
 * block_convert(), block_compare() and block_rebase() block, and progress comes by callback on the calling thread. The
 * others (commit, stream, mirror) go on in the AioContext of the thread that starts them, while the images are used; so
 * something must dispatch it: a main loop that its source is attached to, or block_job_wait().
 */
#ifndef CAIRN_JOB_H
#define CAIRN_JOB_H

#include <cairn/block.h>

G_BEGIN_DECLS

/** JobProgressFunc: bytes; called on the thread of the job, from inside it: no data or control call may be made. Returns: false to cancel (the job then fails with ECANCELED). */
typedef bool JobProgressFunc(int64_t done, int64_t total, void *opaque);

typedef struct BlockConvertOptions {
    int64_t sparse_size;        /* bytes: least run of zeros left out; 0: write everything */
    int coroutines;             /* 1..16; 0: default (8) */
    bool out_of_order;          /* writes may be made in any order */
    bool compressed;            /* units of the target's cluster size; those of several coroutines are made in parallel */
    int64_t rate_limit;         /* bytes a second; 0: none */
    bool target_is_new;         /* was just created: where has_zero_init, zeros need no writing */
    bool target_is_zero;
    bool skip_backing;          /* the target has a backing file: leave unallocated what the sources' top layer does not hold */
    bool copy_offload;          /* let the host copy data where it can: it may share blocks between files */
    bool salvage;               /* unreadable sectors become zeros */
    void (*on_read_error)(int64_t offset, int err, void *opaque);  /* with salvage; may be NULL */
    JobProgressFunc *progress;  /* may be NULL */
    void *opaque;               /* of both callbacks */
} BlockConvertOptions;

/** block_convert: copies the concatenation of @sources into @target. */
CAIRN_API bool block_convert(BlockBackend *const *sources, int source_count,
                             BlockBackend *target,
                             const BlockConvertOptions *options, GError **error);

typedef struct BlockCompareOptions {
    bool strict;                /* sizes and allocation must agree too */
    JobProgressFunc *progress;
    void *opaque;
} BlockCompareOptions;

typedef enum BlockCompareVerdict {
    BLOCK_COMPARE_IDENTICAL, BLOCK_COMPARE_CONTENT_DIFFERS,
    BLOCK_COMPARE_SIZE_DIFFERS, BLOCK_COMPARE_STATUS_DIFFERS,
    BLOCK_COMPARE_READ_ERROR, BLOCK_COMPARE_STATUS_ERROR,
} BlockCompareVerdict;

typedef struct BlockCompareResult {
    BlockCompareVerdict verdict;
    int64_t offset;             /* first difference, or place of the error */
    int which;                  /* READ_ERROR: 0 or 1, the image */
    bool size_mismatch;         /* lenient: the sizes differ, the rest was compared with zeros */
} BlockCompareResult;

/** block_compare: false with @error for errors of reading and status (the result then tells where). */
CAIRN_API bool block_compare(BlockBackend *a, BlockBackend *b,
                             const BlockCompareOptions *options,
                             BlockCompareResult *result, GError **error);

/* ---- jobs that go on while the images are used ------------------------------ */

typedef struct BlockJob BlockJob;

typedef enum BlockJobState {
    BLOCK_JOB_RUNNING,
    BLOCK_JOB_READY,            /* commit, mirror: the target holds all, and is kept so until block_job_complete() */
    BLOCK_JOB_DONE,
} BlockJobState;

typedef struct BlockJobStatus {
    BlockJobState state;
    int64_t done, total;        /* bytes; total may grow */
    bool cancelled;             /* was asked to end */
} BlockJobStatus;

/**
 * BlockJobDoneFunc: @error: NULL for success. Called in the job's AioContext, outside coroutines and control calls: control
 * calls may be made, and the job unreferenced.
 */
typedef void BlockJobDoneFunc(BlockJob *job, const GError *error, void *opaque);

/* What all jobs take; all may be 0. */
typedef struct BlockJobOptions {
    int64_t rate_limit;         /* bytes a second; 0: none */
    JobProgressFunc *progress;
    BlockJobDoneFunc *done;
    void *opaque;               /* of both callbacks */
} BlockJobOptions;

CAIRN_API BlockJob *block_job_ref(BlockJob *job);
/** block_job_unref: a job that runs goes on, and lives until it is done. */
CAIRN_API void block_job_unref(BlockJob *job);
/** block_job_cancel: the job soon ends with ECANCELED; what it has copied stays where it is. Any thread. */
CAIRN_API void block_job_cancel(BlockJob *job);
/** block_job_complete: a job that is ready, or will be, ends by its last step. Any thread. */
CAIRN_API void block_job_complete(BlockJob *job);
CAIRN_API void block_job_set_rate_limit(BlockJob *job, int64_t bytes_per_second);
CAIRN_API void block_job_get_status(BlockJob *job, BlockJobStatus *status);
/**
 * block_job_wait:
 * Waits for the end, polling. A job that would wait for block_job_complete() is completed.
 * Context: the thread that started the job, outside coroutines.
 * Returns: false with the job's error.
 */
CAIRN_API bool block_job_wait(BlockJob *job, GError **error);

typedef enum BlockCommitEnd {
    BLOCK_COMMIT_KEEP,          /* the overlay stays as it is */
    BLOCK_COMMIT_EMPTY,         /* it is emptied, and stays in use; only where nothing lies between it and the base */
    BLOCK_COMMIT_PIVOT,         /* its users go on with the base; it is given up */
} BlockCommitEnd;

typedef struct BlockCommitOptions {
    BlockJobOptions job;
    const char *base;           /* file or node name of a layer below; NULL: the next one */
    BlockCommitEnd end;
    bool wait_for_complete;     /* stay ready until block_job_complete() */
} BlockCommitOptions;

/**
 * block_commit_start:
 * Brings what @blk's layers above the base hold into the base, which grows where it is shorter. The base must not be
 * read by anyone but through @blk.
 * Errors: ENOENT: no such layer; EROFS: the base cannot be written; EPERM: another user does not allow it.
 */
CAIRN_API BlockJob *block_commit_start(BlockBackend *blk, const BlockCommitOptions *options,
                                       GError **error);

typedef struct BlockStreamOptions {
    BlockJobOptions job;
    const char *base;           /* file or node name of the layer that stays below; NULL: none does */
    const char *backing_name;   /* what the image then records; NULL: the base's own name */
} BlockStreamOptions;

/** block_stream_start: brings what the layers between @blk's image and the base hold into the image, which then has the base as backing file. */
CAIRN_API BlockJob *block_stream_start(BlockBackend *blk, const BlockStreamOptions *options,
                                       GError **error);

typedef struct BlockMirrorOptions {
    BlockJobOptions job;
    bool top_only;              /* what the image leaves to its backing file is not copied */
    bool target_is_zero;        /* the target reads as zeros */
    bool pivot;                 /* at the end @blk's node is replaced by the target's for all its users */
    bool wait_for_complete;
} BlockMirrorOptions;

/**
 * block_mirror_start:
 * Copies @blk's image into @target, at least as long, and keeps up with what is written to it. The job takes a reference
 * to @target; with @pivot it closes it at the end.
 */
CAIRN_API BlockJob *block_mirror_start(BlockBackend *blk, BlockBackend *target,
                                       const BlockMirrorOptions *options, GError **error);

typedef struct BlockRebaseOptions {
    const char *backing_name;   /* to be recorded; NULL: none */
    const char *backing_format; /* to be recorded; NULL: unknown */
    bool change_name_only;      /* nothing is read or copied: the owner knows that the new backing file holds the same */
    JobProgressFunc *progress;
    void *opaque;
} BlockRebaseOptions;

/**
 * block_rebase:
 * Gives @blk's image another backing file, and copies into it what would read otherwise with that one. @backing: the new
 * file, open for reading; NULL: none, or with change_name_only. Requests of @blk's users wait meanwhile; the backing file
 * that is open is not exchanged: reopen the image.
 */
CAIRN_API bool block_rebase(BlockBackend *blk, BlockBackend *backing,
                            const BlockRebaseOptions *options, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlockJob, block_job_unref)

G_END_DECLS

#endif
