/* SPDX-License-Identifier: MIT */
/*
 * Jobs: work on whole images, built on one copy engine. They block; progress comes by callback on
 * the calling thread.
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

G_END_DECLS

#endif
