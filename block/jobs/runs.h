/* SPDX-License-Identifier: MIT */
/*
 * What the bytes of one or several concatenated images are, run by run: the reading side of the
 * jobs.
 */
#ifndef BLOCK_JOBS_RUNS_H
#define BLOCK_JOBS_RUNS_H

#include "block/block-int.h"

#include <limits.h>

typedef enum RunKind {
    RUN_DATA,                   /* to be read */
    RUN_ZERO,                   /* reads as zeros */
    RUN_BACKING,                /* left to layers outside the scope */
} RunKind;

/* Which layers of the images are meant: those of depth first <= d < end. */
typedef struct RunsScope {
    int first, end;
} RunsScope;

#define RUNS_SCOPE_CHAIN ((RunsScope) { 0, INT_MAX })
#define RUNS_SCOPE_TOP ((RunsScope) { 0, 1 })

typedef struct RunSource {
    BlockBackend *blk;
    int64_t start, length;      /* bytes; where it stands in the concatenation */
} RunSource;

typedef struct Runs {
    RunSource *sources;
    int source_count;
    int64_t length;             /* of all together */
    RunsScope scope;
    bool guess_data;            /* a status that cannot be had is data */
    /* bytes: zeros that no layer holds are in the scope below this only; runs_init() sets INT64_MAX */
    int64_t cover;
    int64_t end;                /* of the run below; it starts where the last answer ended */
    RunKind kind;
    int flags;                  /* BDRV_BLOCK_* of the run */
    int depth;                  /* of the layer that answered */
    int64_t lost, first_lost;   /* bytes found so far in the scope that lie past the end of their file; where */
} Runs;

/* Outside coroutines; -errno. */
int runs_init(Runs *runs, BlockBackend *const *blks, int count, RunsScope scope);
void runs_destroy(Runs *runs);

/* The next question may be about any offset; answers so far are forgotten, but not what was lost. */
void runs_rewind(Runs *runs);

/* A source that was cut off is copied, but not without a word: false with @error if one was. */
bool runs_check_lost(const Runs *runs, GError **error);

/* Which image holds @offset. */
const RunSource *runs_source_at(const Runs *runs, int64_t offset);

/*
 * What stands at @offset, asked anew where the last answer does not reach it: runs->end, kind and
 * flags. -errno.
 */
int coroutine_fn runs_find(Runs *runs, int64_t offset);

/* Reads across images. */
int coroutine_fn runs_read(const Runs *runs, int64_t offset, int64_t bytes, void *buf);

/*
 * The first sector of an unreadable range that cannot be read; @offset if all of them can, one by
 * one. @buf: @bytes long.
 */
int64_t coroutine_fn runs_find_unreadable(const Runs *runs, int64_t offset, int64_t bytes,
                                          void *buf);

#endif
