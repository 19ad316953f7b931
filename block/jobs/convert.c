/* SPDX-License-Identifier: MIT */
/*
 * convert: copies one or several images, concatenated, into another.
 *
 * 1. Data is written in runs as long as a buffer holds; zeros, whether the source's status or its
 *    bytes say so, are left out where the target reads as zeros already.
 * 2. Unless asked otherwise, writes begin in the order of their offsets, so that a target that
 *    appends lays the data out in the guest's order. Compressed units are the exception: they are
 *    made in parallel.
 * 3. An error of reading names the first sector that cannot be read, one of writing the byte where
 *    the failed range begins.
 */
#include <cairn/job.h>

#include "block/jobs/pipeline.h"
#include "block/jobs/runs.h"
#include "util/cutils.h"

#include <errno.h>

#define CONVERT_BUFFER_BYTES (1 * MiB)
#define CONVERT_COMPRESSED_BYTES (256 * KiB)    /* smaller: all workers get to compress */
#define CONVERT_WORKERS 8
#define CONVERT_UNIT_MAX 4096                   /* step of looking for zeros, or sparse_size */

typedef struct ConvertState {
    const BlockConvertOptions *opts;
    Runs runs;
    BlockBackend *target;
    int64_t target_length;
    bool target_is_zero;        /* what is not written reads as zeros */
    int64_t cluster_size;       /* of the target: unit of compression; 0: none */
    int64_t zero_unit;          /* zeros are looked for in aligned units of this; 0: not at all */
    int64_t zero_run;           /* and must be as many bytes in a row */
    int64_t buffer_bytes;
    int64_t pos;                /* where the next range begins */
    int64_t done, reported;     /* bytes */
    int64_t start_us;           /* for the rate limit */
    GError *error;              /* the first */
} ConvertState;

static int convert_fail(ConvertState *s, int ret, const char *what, int64_t offset)
{
    if (!s->error && ret != -ECANCELED) {
        cairn_set_error_errno(&s->error, -ret, "error while %s %" G_GINT64_FORMAT, what, offset);
    }
    return ret;
}

/* ---- taking ranges ------------------------------------------------------- */

/*
 * Compression works on whole clusters: a range that is not data must cover some, else it is data
 * too.
 */
static void convert_align_compressed(ConvertState *s, PipelineItem *item, int64_t limit)
{
    if (item->kind != RUN_DATA) {
        item->bytes = item->offset + item->bytes == s->runs.length
            ? item->bytes : ROUND_DOWN_TO(item->bytes, s->cluster_size);
    }
    if (item->kind == RUN_DATA || !item->bytes) {
        int64_t stop = item->offset + MAX(item->bytes, 1);

        item->kind = RUN_DATA;
        stop = MIN(ROUND_UP_TO(stop, s->cluster_size), limit);
        item->bytes = stop - item->offset;
    }
}

static int coroutine_fn convert_throttle(ConvertState *s, int64_t bytes)
{
    int64_t due_us;

    if (!s->opts->rate_limit) {
        return 0;
    }
    due_us = (int64_t)((double)(s->done + bytes) / s->opts->rate_limit * G_USEC_PER_SEC);
    due_us -= g_get_monotonic_time() - s->start_us;
    if (due_us > 0) {
        co_sleep_ns(due_us * 1000);
    }
    return 0;
}

/* The longest range of one kind from here that a buffer holds. */
static int coroutine_fn convert_next(Pipeline *pipe, PipelineItem *item)
{
    ConvertState *s = pipe->opaque;
    int64_t limit, stop;
    int ret;

    if (s->pos >= s->runs.length) {
        return 0;
    }
    limit = MIN(ROUND_DOWN_TO(s->pos, s->buffer_bytes) + s->buffer_bytes, s->runs.length);
    ret = runs_find(&s->runs, s->pos);
    if (ret < 0) {
        return convert_fail(s, ret, "reading block status at offset", s->pos);
    }
    item->offset = s->pos;
    item->kind = s->runs.kind;
    stop = s->runs.end;
    while (item->kind == RUN_DATA && stop < limit) {
        ret = runs_find(&s->runs, stop);
        if (ret < 0) {
            return convert_fail(s, ret, "reading block status at offset", stop);
        }
        if (s->runs.kind != RUN_DATA) {
            break;
        }
        stop = s->runs.end;
    }
    item->bytes = (item->kind == RUN_DATA ? MIN(stop, limit) : stop) - item->offset;
    if (s->opts->compressed) {
        convert_align_compressed(s, item, limit);
    }
    s->pos = item->offset + item->bytes;
    return 1;
}

/* ---- reading -------------------------------------------------------------- */

/* What can be read, sector by sector; the rest becomes zeros. */
static int coroutine_fn convert_salvage(ConvertState *s, int64_t offset, int64_t bytes,
                                        uint8_t *buf)
{
    for (int64_t pos = 0; pos < bytes; pos += BDRV_SECTOR_SIZE) {
        int64_t n = MIN(BDRV_SECTOR_SIZE, bytes - pos);
        int ret = runs_read(&s->runs, offset + pos, n, buf + pos);

        if (ret < 0) {
            memset(buf + pos, 0, n);
            if (s->opts->on_read_error) {
                s->opts->on_read_error(offset + pos, -ret, s->opts->opaque);
            }
        }
    }
    return 0;
}

static int coroutine_fn convert_fail_read(ConvertState *s, int ret, const PipelineItem *item)
{
    int64_t place = runs_find_unreadable(&s->runs, item->offset, item->bytes, item->buf);

    return convert_fail(s, ret, "reading at byte", place);
}

static int coroutine_fn convert_read(ConvertState *s, PipelineItem *item)
{
    void *buf = pipeline_item_buffer(item);
    int ret;

    if (!buf) {
        return convert_fail(s, -ENOMEM, "reading at byte", item->offset);
    }
    ret = runs_read(&s->runs, item->offset, item->bytes, buf);
    if (ret < 0 && s->opts->salvage) {
        ret = convert_salvage(s, item->offset, item->bytes, buf);
    }
    return ret < 0 ? convert_fail_read(s, ret, item) : 0;
}

/* ---- writing --------------------------------------------------------------- */

static int coroutine_fn convert_write_zeroes(ConvertState *s, int64_t offset, int64_t bytes)
{
    int ret;

    if (s->target_is_zero) {
        return 0;
    }
    ret = blk_co_pwrite_zeroes(s->target, offset, bytes, BDRV_REQ_MAY_UNMAP);
    return ret < 0 ? convert_fail(s, ret, "writing at byte", offset) : 0;
}

static int coroutine_fn convert_write_data(ConvertState *s, int64_t offset, int64_t bytes,
                                           const uint8_t *buf, int flags)
{
    int ret = blk_co_pwrite(s->target, offset, bytes, buf, flags);

    return ret < 0 ? convert_fail(s, ret, "writing at byte", offset) : 0;
}

/* Where the unit that holds @pos of the range ends. */
static int64_t convert_unit_end(const ConvertState *s, const PipelineItem *item, int64_t pos)
{
    int64_t stop = ROUND_DOWN_TO(item->offset + pos, s->zero_unit) + s->zero_unit;

    return MIN(stop - item->offset, item->bytes);
}

/* The length of the zeros at @pos, unit by unit; the range may begin and end inside one. */
static int64_t convert_zeros_at(const ConvertState *s, const PipelineItem *item, int64_t pos)
{
    const uint8_t *buf = item->buf;
    int64_t n = 0;

    while (pos + n < item->bytes) {
        int64_t bytes = convert_unit_end(s, item, pos + n) - (pos + n);

        if (!cairn_buffer_is_zero(buf + pos + n, bytes)) {
            break;
        }
        n += bytes;
    }
    return n;
}

/* The length of what must be written at @pos: up to the next long run of zeros. */
static int64_t convert_data_at(const ConvertState *s, const PipelineItem *item, int64_t pos,
                               int64_t *zeros)
{
    int64_t first = pos;

    *zeros = 0;
    while (pos < item->bytes) {
        int64_t n = convert_zeros_at(s, item, pos);

        if (n >= s->zero_run) {
            *zeros = n;
            break;
        }
        pos += n;
        pos = pos < item->bytes ? convert_unit_end(s, item, pos) : pos;
    }
    return pos - first;
}

static int coroutine_fn convert_write_runs(ConvertState *s, PipelineItem *item)
{
    const uint8_t *buf = item->buf;
    int64_t zeros = 0;
    int ret = 0;

    if (!s->zero_unit) {
        return convert_write_data(s, item->offset, item->bytes, buf, 0);
    }
    for (int64_t pos = 0; pos < item->bytes && ret >= 0; pos += zeros) {
        int64_t n = convert_data_at(s, item, pos, &zeros);

        if (n) {
            ret = convert_write_data(s, item->offset + pos, n, buf + pos, 0);
        }
        pos += n;
        if (ret >= 0 && zeros) {
            ret = convert_write_zeroes(s, item->offset + pos, zeros);
        }
    }
    return ret;
}

/* How many bytes of clusters at @pos are alike: empty (to be left out), or not. */
static int64_t convert_alike_clusters(const ConvertState *s, const PipelineItem *item, int64_t pos,
                                      bool *is_empty)
{
    const uint8_t *buf = item->buf;
    int64_t stop = pos;

    while (stop < item->bytes) {
        int64_t n = MIN(s->cluster_size, item->bytes - stop);
        bool is_zero = s->zero_unit && cairn_buffer_is_zero(buf + stop, n);

        if (stop > pos && is_zero != *is_empty) {
            break;
        }
        *is_empty = is_zero;
        stop += n;
    }
    return stop - pos;
}

/*
 * Whole clusters; one that is cut off by the end of the sources, but not of the target, is stored
 * plain.
 */
static int coroutine_fn convert_write_clusters(ConvertState *s, int64_t offset, int64_t bytes,
                                               const uint8_t *buf)
{
    int64_t whole = offset + bytes == s->target_length ? bytes
        : ROUND_DOWN_TO(bytes, s->cluster_size);
    int ret = 0;

    if (whole) {
        ret = convert_write_data(s, offset, whole, buf, BDRV_REQ_WRITE_COMPRESSED);
    }
    if (ret >= 0 && whole < bytes) {
        ret = convert_write_data(s, offset + whole, bytes - whole, buf + whole, 0);
    }
    return ret;
}

static int coroutine_fn convert_write_compressed(ConvertState *s, PipelineItem *item)
{
    const uint8_t *buf = item->buf;
    int64_t n;
    int ret = 0;

    for (int64_t pos = 0; pos < item->bytes && ret >= 0; pos += n) {
        bool is_empty = false;

        n = convert_alike_clusters(s, item, pos, &is_empty);
        ret = is_empty ? convert_write_zeroes(s, item->offset + pos, n)
                       : convert_write_clusters(s, item->offset + pos, n, buf + pos);
    }
    return ret;
}

/* Zeros that the caller wants as bytes. */
static int coroutine_fn convert_write_zero_bytes(ConvertState *s, PipelineItem *item)
{
    uint8_t *buf = pipeline_item_buffer(item);
    int ret = 0;

    if (!buf) {
        return convert_fail(s, -ENOMEM, "writing at byte", item->offset);
    }
    memset(buf, 0, MIN(item->bytes, s->buffer_bytes));
    for (int64_t pos = 0; pos < item->bytes && ret >= 0; pos += s->buffer_bytes) {
        ret = convert_write_data(s, item->offset + pos, MIN(s->buffer_bytes, item->bytes - pos),
                                 buf, 0);
    }
    return ret;
}

static int coroutine_fn convert_write(ConvertState *s, PipelineItem *item)
{
    switch (item->kind) {
    case RUN_BACKING:
        return 0;
    case RUN_ZERO:
        return s->zero_unit ? convert_write_zeroes(s, item->offset, item->bytes)
                            : convert_write_zero_bytes(s, item);
    default:
        return s->opts->compressed ? convert_write_compressed(s, item)
                                   : convert_write_runs(s, item);
    }
}

/* ---- the job --------------------------------------------------------------- */

static int convert_progress(ConvertState *s, int64_t bytes)
{
    s->done += bytes;
    if (!s->opts->progress
        || (s->done < s->runs.length && s->done - s->reported < s->runs.length / 10000)) {
        return 0;
    }
    s->reported = s->done;
    if (s->opts->progress(s->done, s->runs.length, s->opts->opaque)) {
        return 0;
    }
    if (!s->error) {
        cairn_set_error(&s->error, ECANCELED, "the copy was cancelled");
    }
    return -ECANCELED;
}

static int coroutine_fn convert_work(Pipeline *pipe, PipelineItem *item)
{
    ConvertState *s = pipe->opaque;
    bool in_order = !s->opts->out_of_order && !s->opts->compressed;
    int ret = convert_throttle(s, item->bytes);

    if (item->kind == RUN_DATA) {
        ret = convert_read(s, item);
    }
    if (ret >= 0 && in_order) {
        ret = pipeline_wait_turn(item);
    }
    if (ret >= 0) {
        ret = convert_write(s, item);
    }
    if (ret >= 0) {
        ret = convert_progress(s, item->bytes);
    }
    if (ret >= 0 && in_order) {
        pipeline_end_turn(item);
    }
    return ret;
}

/* How finely zeros are told from data: never finer than what the target can leave out. */
static void convert_choose_units(ConvertState *s)
{
    int64_t sparse = s->opts->sparse_size;

    s->buffer_bytes = s->opts->compressed ? CONVERT_COMPRESSED_BYTES : CONVERT_BUFFER_BYTES;
    if (s->opts->compressed) {
        s->buffer_bytes = ROUND_UP_TO(s->buffer_bytes, s->cluster_size);
    }
    if (!sparse) {
        return;
    }
    s->zero_unit = CONVERT_UNIT_MAX;
    while (s->zero_unit > BDRV_SECTOR_SIZE && s->zero_unit > sparse) {
        s->zero_unit /= 2;
    }
    if (s->cluster_size > s->zero_unit && s->cluster_size <= s->buffer_bytes
        && is_power_of_2(s->cluster_size)) {
        s->zero_unit = s->cluster_size;
    }
    s->zero_run = MAX(sparse, s->zero_unit);
}

static bool convert_prepare(ConvertState *s, GError **error)
{
    const BlockConvertOptions *o = s->opts;
    int64_t length = blk_getlength(s->target);

    if (length < 0) {
        cairn_set_error_errno(error, -length, "cannot get the length of the target");
        return false;
    }
    if (length < s->runs.length) {
        cairn_set_error(error, ENOSPC, "output file is smaller than input file");
        return false;
    }
    s->target_length = length;
    s->cluster_size = blk_get_cluster_size(s->target);
    if (o->compressed && (!s->cluster_size
                          || !s->target->root->bs->drv->bdrv_co_pwritev_compressed)) {
        cairn_set_error(error, ENOTSUP, "Compression not supported for this file format");
        return false;
    }
    s->target_is_zero = o->target_is_zero
        || (o->target_is_new && blk_has_zero_init(s->target) && !blk_has_backing(s->target));
    s->runs.guess_data = o->salvage;
    s->start_us = g_get_monotonic_time();
    convert_choose_units(s);
    return true;
}

/* A source that was cut off is copied, but not without a word. */
static int convert_check_lost(ConvertState *s)
{
    if (!s->runs.lost || s->opts->salvage) {
        return 0;
    }
    cairn_set_error(&s->error, EIO, "%" G_GINT64_FORMAT " bytes of guest data lie past the end of "
                    "the source's file, the first at byte %" G_GINT64_FORMAT
                    "; they were copied as if never written", s->runs.lost, s->runs.first_lost);
    return -EIO;
}

static bool convert_run(ConvertState *s, GError **error)
{
    Pipeline pipe = {
        .workers = s->opts->coroutines ? s->opts->coroutines : CONVERT_WORKERS,
        .buffer_bytes = s->buffer_bytes, .buffer_blk = s->target, .next = convert_next,
        .work = convert_work, .opaque = s,
    };
    int ret = pipeline_run(&pipe);

    if (ret >= 0) {
        ret = blk_flush(s->target);
        if (ret < 0) {
            cairn_set_error_errno(&s->error, -ret, "error while flushing the target");
        }
    }
    if (ret >= 0) {
        ret = convert_check_lost(s);
    }
    if (ret < 0) {
        g_assert(s->error);
        g_propagate_error(error, s->error);
    }
    return ret >= 0;
}

bool block_convert(BlockBackend *const *sources, int source_count, BlockBackend *target,
                   const BlockConvertOptions *options, GError **error)
{
    ConvertState s = { .opts = options, .target = target };
    int ret = runs_init(&s.runs, sources, source_count, options->skip_backing);
    bool ok;

    g_assert(options->coroutines >= 0 && options->coroutines <= PIPELINE_WORKERS_MAX);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "cannot get the length of a source");
        return false;
    }
    ok = convert_prepare(&s, error) && convert_run(&s, error);
    runs_destroy(&s.runs);
    return ok;
}
