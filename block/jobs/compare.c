/* SPDX-License-Identifier: MIT */
/*
 * compare: whether two images hold the same.
 *
 * 1. What both know to be zero is not read. Past the end of the shorter image the longer one must
 *    read as zeros.
 * 2. Ranges are compared by several workers; the verdict is that of the lowest offset, so one that
 *    lies higher than a difference already found is not looked at.
 */
#include <cairn/job.h>

#include "block/jobs/pipeline.h"
#include "block/jobs/runs.h"
#include "util/cutils.h"

#include <errno.h>

#define COMPARE_BUFFER_BYTES (512 * KiB)        /* of each image */
#define COMPARE_WORKERS 4

typedef enum CompareKind {
    COMPARE_BOTH,               /* read both */
    COMPARE_FIRST, COMPARE_SECOND,      /* the other is zero: read one, expect zeros */
    COMPARE_NOTHING,            /* both are zero */
} CompareKind;

typedef struct CompareState {
    const BlockCompareOptions *opts;
    Runs runs[2];
    int64_t total;              /* bytes: the longer image */
    int64_t pos;
    int64_t done, reported;
    BlockCompareResult best;    /* of the lowest offset */
    int best_ret;               /* its -errno, for the errors */
} CompareState;

static void compare_note(CompareState *s, BlockCompareVerdict verdict, int64_t offset, int which,
                         int ret)
{
    if (s->best.verdict == BLOCK_COMPARE_IDENTICAL || offset < s->best.offset) {
        s->best = (BlockCompareResult){
            .verdict = verdict, .offset = offset, .which = which,
            .size_mismatch = s->best.size_mismatch,
        };
        s->best_ret = ret;
    }
}

/* ---- taking ranges ------------------------------------------------------------ */

/* Beyond its end an image is zero. Returns: 1 if found, 0 if an error was noted. */
static int coroutine_fn compare_find(CompareState *s, int which)
{
    Runs *runs = &s->runs[which];
    int ret;

    if (s->pos >= runs->length) {
        runs->end = s->total;
        runs->kind = RUN_ZERO;
        return 1;
    }
    ret = runs_find(runs, s->pos);
    if (ret < 0) {
        compare_note(s, BLOCK_COMPARE_STATUS_ERROR, s->pos, which, ret);
    }
    return ret >= 0;
}

static CompareKind compare_kind(const CompareState *s)
{
    bool zero0 = s->runs[0].kind == RUN_ZERO, zero1 = s->runs[1].kind == RUN_ZERO;

    if (zero0 && zero1) {
        return COMPARE_NOTHING;
    }
    return zero1 ? COMPARE_FIRST : zero0 ? COMPARE_SECOND : COMPARE_BOTH;
}

static int coroutine_fn compare_next(Pipeline *pipe, PipelineItem *item)
{
    const int kinds = BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
    CompareState *s = pipe->opaque;
    int64_t stop;

    if (s->pos >= s->total || s->best.verdict != BLOCK_COMPARE_IDENTICAL
        || !compare_find(s, 0) || !compare_find(s, 1)) {
        return 0;
    }
    if (s->opts->strict && (s->runs[0].flags & kinds) != (s->runs[1].flags & kinds)) {
        compare_note(s, BLOCK_COMPARE_STATUS_DIFFERS, s->pos, 0, 0);
        return 0;
    }
    stop = MIN(s->runs[0].end, s->runs[1].end);
    item->offset = s->pos;
    item->kind = compare_kind(s);
    item->bytes = stop - s->pos;
    if (item->kind != COMPARE_NOTHING) {
        item->bytes = MIN(item->bytes, COMPARE_BUFFER_BYTES - s->pos % COMPARE_BUFFER_BYTES);
    }
    s->pos += item->bytes;
    return 1;
}

/* ---- comparing ------------------------------------------------------------------- */

static bool coroutine_fn compare_read(CompareState *s, int which, const PipelineItem *item,
                                      uint8_t *buf)
{
    int ret = runs_read(&s->runs[which], item->offset, item->bytes, buf);

    if (ret < 0) {
        int64_t place = runs_find_unreadable(&s->runs[which], item->offset, item->bytes, buf);

        compare_note(s, BLOCK_COMPARE_READ_ERROR, place, which, ret);
    }
    return ret >= 0;
}

/* The first sector that differs; @b NULL: from zeros. -1: none does. */
static int64_t compare_buffers(const uint8_t *a, const uint8_t *b, int64_t bytes)
{
    if (b ? !memcmp(a, b, bytes) : cairn_buffer_is_zero(a, bytes)) {
        return -1;
    }
    for (int64_t pos = 0;; pos += BDRV_SECTOR_SIZE) {
        int64_t n = MIN(BDRV_SECTOR_SIZE, bytes - pos);

        if (b ? memcmp(a + pos, b + pos, n) != 0 : !cairn_buffer_is_zero(a + pos, n)) {
            return pos;
        }
    }
}

static int compare_progress(CompareState *s, int64_t bytes)
{
    s->done += bytes;
    if (!s->opts->progress
        || (s->done < s->total && s->done - s->reported < s->total / 10000)) {
        return 0;
    }
    s->reported = s->done;
    return s->opts->progress(s->done, s->total, s->opts->opaque) ? 0 : -ECANCELED;
}

static int coroutine_fn compare_work(Pipeline *pipe, PipelineItem *item)
{
    CompareState *s = pipe->opaque;
    int which = item->kind == COMPARE_SECOND ? 1 : 0;
    int64_t differs;
    uint8_t *a;

    if (item->kind == COMPARE_NOTHING) {
        return compare_progress(s, item->bytes);
    }
    a = pipeline_item_buffer(item);
    if (!a) {
        return -ENOMEM;
    }
    if (!compare_read(s, which, item, a)) {
        return 0;
    }
    if (item->kind == COMPARE_BOTH) {
        uint8_t *b = a + COMPARE_BUFFER_BYTES;

        if (!compare_read(s, 1, item, b)) {
            return 0;
        }
        differs = compare_buffers(a, b, item->bytes);
    } else {
        differs = compare_buffers(a, NULL, item->bytes);
    }
    if (differs >= 0) {
        compare_note(s, BLOCK_COMPARE_CONTENT_DIFFERS, item->offset + differs, which, 0);
    }
    return compare_progress(s, item->bytes);
}

/* ---- the job ----------------------------------------------------------------------- */

static bool compare_prepare(CompareState *s, BlockBackend *a, BlockBackend *b, GError **error)
{
    BlockBackend *blks[] = { a, b };

    for (int i = 0; i < 2; i++) {
        int ret = runs_init(&s->runs[i], &blks[i], 1, RUNS_SCOPE_CHAIN);

        if (ret < 0) {
            compare_note(s, BLOCK_COMPARE_STATUS_ERROR, 0, i, ret);
            cairn_set_error_errno(error, -ret, "cannot get the length of '%s'",
                                  blk_get_filename(blks[i]));
            return false;
        }
    }
    s->total = MAX(s->runs[0].length, s->runs[1].length);
    s->best.size_mismatch = s->runs[0].length != s->runs[1].length;
    if (s->best.size_mismatch && s->opts->strict) {
        s->best.verdict = BLOCK_COMPARE_SIZE_DIFFERS;
        s->best.offset = MIN(s->runs[0].length, s->runs[1].length);
    }
    return true;
}

/* What an image lost cannot be equal to anything. */
static void compare_note_lost(CompareState *s)
{
    for (int i = 0; i < 2; i++) {
        if (s->runs[i].lost) {
            compare_note(s, BLOCK_COMPARE_READ_ERROR, s->runs[i].first_lost, i, -ENODATA);
        }
    }
}

/* Returns: false with @error if the verdict is an error. */
static bool compare_finish(CompareState *s, GError **error)
{
    BlockBackend *blk;

    compare_note_lost(s);
    blk = s->runs[s->best.which].sources[0].blk;
    if (s->best.verdict == BLOCK_COMPARE_READ_ERROR) {
        bool is_lost = s->best_ret == -ENODATA;

        cairn_set_error_errno(error, is_lost ? EIO : -s->best_ret,
                              "Error while reading offset %" G_GINT64_FORMAT " of %s",
                              s->best.offset, blk_get_filename(blk));
        if (is_lost) {
            cairn_error_append_hint(error, "%" G_GINT64_FORMAT " bytes of guest data lie past the "
                                    "end of the file.", s->runs[s->best.which].lost);
        }
        return false;
    }
    if (s->best.verdict == BLOCK_COMPARE_STATUS_ERROR) {
        cairn_set_error_errno(error, -s->best_ret, "Sector allocation test failed for %s",
                              blk_get_filename(blk));
        return false;
    }
    return true;
}

static bool compare_run(CompareState *s, GError **error)
{
    Pipeline pipe = {
        .workers = COMPARE_WORKERS, .buffer_bytes = 2 * COMPARE_BUFFER_BYTES,
        .next = compare_next, .work = compare_work, .opaque = s,
    };
    int ret;

    if (s->best.verdict == BLOCK_COMPARE_SIZE_DIFFERS) {
        return true;
    }
    ret = pipeline_run(&pipe);
    if (ret == -ECANCELED) {
        cairn_set_error(error, ECANCELED, "the comparison was cancelled");
        return false;
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "cannot compare");
        return false;
    }
    return compare_finish(s, error);
}

bool block_compare(BlockBackend *a, BlockBackend *b, const BlockCompareOptions *options,
                   BlockCompareResult *result, GError **error)
{
    CompareState s = { .opts = options };
    bool ok = compare_prepare(&s, a, b, error) && compare_run(&s, error);

    *result = s.best;
    runs_destroy(&s.runs[0]);
    runs_destroy(&s.runs[1]);
    return ok;
}
