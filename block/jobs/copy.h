/* SPDX-License-Identifier: MIT */
/*
 * The copy engine under convert, commit and mirror: brings what a source holds into a target, in
 * ranges that several coroutines read and write.
 */
#ifndef BLOCK_JOBS_COPY_H
#define BLOCK_JOBS_COPY_H

#include "block/jobs/control.h"
#include "block/jobs/pipeline.h"
#include "block/jobs/runs.h"

#define COPY_DEFAULT_SPARSE 4096        /* bytes */

typedef struct BlockCopy BlockCopy;

struct BlockCopy {
    /* By the caller. */
    Runs runs;                  /* of the source; freed by copy_destroy() */
    BlockBackend *target;       /* at least as long */
    JobControl *control;
    int workers;                /* 1..PIPELINE_WORKERS_MAX; 0: default */
    int64_t sparse_size;        /* bytes: least run of zeros left out or written as such; 0: none */
    bool out_of_order;
    bool compressed;            /* units of the target's cluster size, out of order */
    bool target_is_zero;        /* what is not written reads as zeros */
    bool offload;               /* let the host copy where it can; turned off once it cannot */
    bool salvage;               /* unreadable sectors become zeros */
    void (*on_read_error)(int64_t offset, int err, void *opaque);
    void *on_read_error_opaque;
    /*
     * The next part of the source to look at, in ascending order; false: no more. May yield. NULL: all of it, once.
     */
    bool coroutine_fn (*next_area)(BlockCopy *copy, int64_t *offset, int64_t *bytes);
    void *opaque;               /* of next_area */

    GError *error;              /* the first; the caller's after a failed run */
    /*< private >*/
    int64_t target_length;
    int64_t cluster_size;       /* of the target: unit of compression; 0: none */
    int64_t zero_unit;          /* zeros are looked for in aligned units of this; 0: not at all */
    int64_t zero_run;           /* and must be as many bytes in a row */
    int64_t buffer_bytes;
    bool overlaps;              /* writes are begun, and waited for at a range's end */
    int64_t pos, stop;          /* of the area at hand: where the next range begins */
};

/* Checks lengths and abilities, chooses units. Outside coroutines. */
bool copy_prepare(BlockCopy *copy, GError **error);
/* May be called several times. Returns: 0 or -errno, with copy->error set. */
int coroutine_fn copy_co_run(BlockCopy *copy);
void copy_destroy(BlockCopy *copy);

#endif
