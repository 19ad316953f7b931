/* SPDX-License-Identifier: MIT */
/*
 * The copy engine.
 *
 * 1. Data is written in runs as long as a buffer holds; zeros, whether the source's status or its
 *    bytes say so, are left out where the target reads as zeros already.
 * 2. Unless asked otherwise, writes begin in the order of their offsets, so that a target that
 *    appends lays the data out in the guest's order. Compressed units are the exception: they are
 *    made in parallel.
 * 3. An error of reading names the first sector that cannot be read, one of writing the byte where
 *    the failed range begins.
 * 4. A copy overlaps where the thread waits for nothing else and has a processor to spare: the next
 *    write begins as soon as one waits. Beside a guest it does not: its writes would be made by
 *    many threads, which wait for each other.
 */
#include "block/jobs/copy.h"
#include "util/cutils.h"
#include "util/patience.h"

#include <errno.h>

#define COPY_BUFFER_BYTES (1 * MiB)
#define COPY_COMPRESSED_BYTES (256 * KiB)       /* smaller: all workers get to compress */
#define COPY_WORKERS 8
#define COPY_UNIT_MAX 4096                      /* step of looking for zeros, or sparse_size */
#define COPY_DONE (-1)                          /* the kind of a range that the host has copied */

static int copy_fail(BlockCopy *s, int ret, const char *what, int64_t offset)
{
    if (!s->error && ret != -ECANCELED) {
        cairn_set_error_errno(&s->error, -ret, "error while %s %" G_GINT64_FORMAT, what, offset);
    }
    return ret;
}

static bool copy_is_in_order(const BlockCopy *s)
{
    return !s->out_of_order && !s->compressed;
}

/* ---- taking ranges ------------------------------------------------------- */

/*
 * Compression works on whole clusters: a range that is not data must cover some, else it is data
 * too.
 */
static void copy_align_compressed(BlockCopy *s, PipelineItem *item, int64_t limit)
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

/*
 * Whether there is another part of the source to copy. What an answer said of it before it was taken
 * does not count: its marks were set by writes since.
 */
static bool coroutine_fn copy_take_area(BlockCopy *s)
{
    int64_t offset = s->pos, bytes = s->runs.length - s->pos;

    if (s->next_area && !s->next_area(s, &offset, &bytes)) {
        return false;
    }
    runs_rewind(&s->runs);
    s->pos = offset;
    s->stop = MIN(offset + bytes, s->runs.length);
    return s->pos < s->stop;
}

/* The longest range of one kind from here that a buffer holds. */
static int coroutine_fn copy_next(Pipeline *pipe, PipelineItem *item)
{
    BlockCopy *s = pipe->opaque;
    int64_t limit, stop;
    int ret;

    if (s->pos >= s->stop && !copy_take_area(s)) {
        return 0;
    }
    limit = MIN(ROUND_DOWN_TO(s->pos, s->buffer_bytes) + s->buffer_bytes, s->stop);
    ret = runs_find(&s->runs, s->pos);
    if (ret < 0) {
        return copy_fail(s, ret, "reading block status at offset", s->pos);
    }
    item->offset = s->pos;
    item->kind = s->runs.kind;
    stop = s->runs.end;
    while (item->kind == RUN_DATA && stop < limit) {
        ret = runs_find(&s->runs, stop);
        if (ret < 0) {
            return copy_fail(s, ret, "reading block status at offset", stop);
        }
        if (s->runs.kind != RUN_DATA) {
            break;
        }
        stop = s->runs.end;
    }
    item->bytes = MIN(stop, item->kind == RUN_DATA ? limit : s->stop) - item->offset;
    if (s->compressed) {
        copy_align_compressed(s, item, limit);
    }
    s->pos = item->offset + item->bytes;
    return 1;
}

/* ---- reading -------------------------------------------------------------- */

/* What can be read, sector by sector; the rest becomes zeros. */
static int coroutine_fn copy_salvage(BlockCopy *s, int64_t offset, int64_t bytes,
                                     uint8_t *buf)
{
    for (int64_t pos = 0; pos < bytes; pos += BDRV_SECTOR_SIZE) {
        int64_t n = MIN(BDRV_SECTOR_SIZE, bytes - pos);
        int ret = runs_read(&s->runs, offset + pos, n, buf + pos);

        if (ret < 0) {
            memset(buf + pos, 0, n);
            if (s->on_read_error) {
                s->on_read_error(offset + pos, -ret, s->on_read_error_opaque);
            }
        }
    }
    return 0;
}

static int coroutine_fn copy_fail_read(BlockCopy *s, int ret, const PipelineItem *item)
{
    int64_t place = runs_find_unreadable(&s->runs, item->offset, item->bytes, item->buf);

    return copy_fail(s, ret, "reading at byte", place);
}

static int coroutine_fn copy_read(BlockCopy *s, PipelineItem *item)
{
    void *buf = pipeline_item_buffer(item);
    int ret;

    if (!buf) {
        return copy_fail(s, -ENOMEM, "reading at byte", item->offset);
    }
    ret = runs_read(&s->runs, item->offset, item->bytes, buf);
    if (ret < 0 && s->salvage) {
        ret = copy_salvage(s, item->offset, item->bytes, buf);
    }
    return ret < 0 ? copy_fail_read(s, ret, item) : 0;
}

/* ---- writing --------------------------------------------------------------- */

/* @buf: NULL for zeros. */
static int coroutine_fn copy_write_now(BlockCopy *s, int64_t offset, int64_t bytes,
                                       const uint8_t *buf, int flags)
{
    int ret = buf ? blk_co_pwrite(s->target, offset, bytes, buf, flags)
                  : blk_co_pwrite_zeroes(s->target, offset, bytes, BDRV_REQ_MAY_UNMAP);

    return ret < 0 ? copy_fail(s, ret, "writing at byte", offset) : 0;
}

typedef struct CopyPart {
    PipelineItem *item;
    int64_t offset, bytes;
    const uint8_t *buf;
} CopyPart;

static void coroutine_fn copy_part_entry(void *opaque)
{
    CopyPart part = *(CopyPart *)opaque;

    pipeline_end_part(part.item, copy_write_now(part.item->pipe->opaque, part.offset, part.bytes,
                                                part.buf, 0));
}

/* Makes the write, or, where copies overlap, begins it. */
static int coroutine_fn copy_write_part(BlockCopy *s, PipelineItem *item, int64_t offset,
                                        int64_t bytes, const uint8_t *buf)
{
    CopyPart part = { .item = item, .offset = offset, .bytes = bytes, .buf = buf };

    if (!buf && s->target_is_zero) {
        return 0;
    }
    return s->overlaps ? pipeline_begin_part(item, copy_part_entry, &part)
                       : copy_write_now(s, offset, bytes, buf, 0);
}

/* Where the unit that holds @pos of the range ends. */
static int64_t copy_unit_end(const BlockCopy *s, const PipelineItem *item, int64_t pos)
{
    int64_t stop = ROUND_DOWN_TO(item->offset + pos, s->zero_unit) + s->zero_unit;

    return MIN(stop - item->offset, item->bytes);
}

/* The length of the zeros at @pos, unit by unit; the range may begin and end inside one. */
static int64_t copy_zeros_at(const BlockCopy *s, const PipelineItem *item, int64_t pos)
{
    const uint8_t *buf = item->buf;
    int64_t n = 0;

    while (pos + n < item->bytes) {
        int64_t bytes = copy_unit_end(s, item, pos + n) - (pos + n);

        if (!cairn_buffer_is_zero(buf + pos + n, bytes)) {
            break;
        }
        n += bytes;
    }
    return n;
}

/* The length of what must be written at @pos: up to the next long run of zeros. */
static int64_t copy_data_at(const BlockCopy *s, const PipelineItem *item, int64_t pos,
                               int64_t *zeros)
{
    int64_t first = pos;

    *zeros = 0;
    while (pos < item->bytes) {
        int64_t n = copy_zeros_at(s, item, pos);

        if (n >= s->zero_run) {
            *zeros = n;
            break;
        }
        pos += n;
        pos = pos < item->bytes ? copy_unit_end(s, item, pos) : pos;
    }
    return pos - first;
}

static int coroutine_fn copy_write_runs(BlockCopy *s, PipelineItem *item)
{
    const uint8_t *buf = item->buf;
    int64_t zeros = 0;
    int ret = 0;

    if (!s->zero_unit) {
        return copy_write_part(s, item, item->offset, item->bytes, buf);
    }
    for (int64_t pos = 0; pos < item->bytes && ret >= 0; pos += zeros) {
        int64_t n = copy_data_at(s, item, pos, &zeros);

        if (n) {
            ret = copy_write_part(s, item, item->offset + pos, n, buf + pos);
        }
        pos += n;
        if (ret >= 0 && zeros) {
            ret = copy_write_part(s, item, item->offset + pos, zeros, NULL);
        }
    }
    return ret;
}

/* How many bytes of clusters at @pos are alike: empty (to be left out), or not. */
static int64_t copy_alike_clusters(const BlockCopy *s, const PipelineItem *item, int64_t pos,
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
static int coroutine_fn copy_write_clusters(BlockCopy *s, int64_t offset, int64_t bytes,
                                               const uint8_t *buf)
{
    int64_t whole = offset + bytes == s->target_length ? bytes
        : ROUND_DOWN_TO(bytes, s->cluster_size);
    int ret = 0;

    if (whole) {
        ret = copy_write_now(s, offset, whole, buf, BDRV_REQ_WRITE_COMPRESSED);
    }
    if (ret >= 0 && whole < bytes) {
        ret = copy_write_now(s, offset + whole, bytes - whole, buf + whole, 0);
    }
    return ret;
}

static int coroutine_fn copy_write_compressed(BlockCopy *s, PipelineItem *item)
{
    const uint8_t *buf = item->buf;
    int64_t n;
    int ret = 0;

    for (int64_t pos = 0; pos < item->bytes && ret >= 0; pos += n) {
        bool is_empty = false;

        n = copy_alike_clusters(s, item, pos, &is_empty);
        ret = is_empty ? copy_write_part(s, item, item->offset + pos, n, NULL)
                       : copy_write_clusters(s, item->offset + pos, n, buf + pos);
    }
    return ret;
}

/* Zeros that the caller wants as bytes. */
static int coroutine_fn copy_write_zero_bytes(BlockCopy *s, PipelineItem *item)
{
    uint8_t *buf = pipeline_item_buffer(item);
    int ret = 0;

    if (!buf) {
        return copy_fail(s, -ENOMEM, "writing at byte", item->offset);
    }
    memset(buf, 0, MIN(item->bytes, s->buffer_bytes));
    for (int64_t pos = 0; pos < item->bytes && ret >= 0; pos += s->buffer_bytes) {
        ret = copy_write_now(s, item->offset + pos, MIN(s->buffer_bytes, item->bytes - pos), buf,
                             0);
    }
    return ret;
}

static int coroutine_fn copy_write(BlockCopy *s, PipelineItem *item)
{
    switch (item->kind) {
    case COPY_DONE:
    case RUN_BACKING:
        return 0;
    case RUN_ZERO:
        return s->zero_unit ? copy_write_part(s, item, item->offset, item->bytes, NULL)
                            : copy_write_zero_bytes(s, item);
    default:
        return s->compressed ? copy_write_compressed(s, item)
                                   : copy_write_runs(s, item);
    }
}

/* ---- copies that the host makes ------------------------------------------- */

/* Returns: 0 done, 1 the bytes have to be read and written, -errno. */
static int coroutine_fn copy_by_host(BlockCopy *s, const PipelineItem *item)
{
    const RunSource *source = runs_source_at(&s->runs, item->offset);
    int ret;

    if (!s->offload || item->offset + item->bytes > source->start + source->length) {
        return 1;
    }
    ret = blk_co_copy_range(source->blk, item->offset - source->start, s->target, item->offset,
                            item->bytes);
    if (ret == -ENOTSUP) {
        s->offload = false;
        return 1;
    }
    return ret < 0 ? copy_fail(s, ret, "copying at byte", item->offset) : 0;
}

/* ---- the run --------------------------------------------------------------- */

/* The data of a range into a buffer, or into the target already. */
static int coroutine_fn copy_fetch(BlockCopy *s, PipelineItem *item)
{
    int ret = job_control_pace(s->control, item->bytes);

    if (ret < 0) {
        return ret;
    }
    ret = copy_by_host(s, item);
    if (ret == 0) {
        item->kind = COPY_DONE;
    }
    return ret == 1 ? copy_read(s, item) : ret;
}

static int coroutine_fn copy_work(Pipeline *pipe, PipelineItem *item)
{
    BlockCopy *s = pipe->opaque;
    int ret = item->kind == RUN_DATA ? copy_fetch(s, item) : 0;
    int parts_ret;

    if (ret >= 0 && copy_is_in_order(s)) {
        ret = pipeline_wait_turn(item);
    }
    if (ret >= 0) {
        ret = copy_write(s, item);
    }
    if (ret >= 0 && copy_is_in_order(s)) {
        pipeline_end_turn(item);
    }
    parts_ret = pipeline_wait_parts(item);      /* they write from the buffer */
    if (ret < 0 || parts_ret < 0) {
        return ret < 0 ? ret : parts_ret;
    }
    return job_control_advance(s->control, item->bytes);
}

/* How finely zeros are told from data: never finer than what the target can leave out. */
static void copy_choose_units(BlockCopy *s)
{
    int64_t sparse = s->sparse_size;

    s->buffer_bytes = s->compressed ? COPY_COMPRESSED_BYTES : COPY_BUFFER_BYTES;
    if (s->compressed) {
        s->buffer_bytes = ROUND_UP_TO(s->buffer_bytes, s->cluster_size);
    }
    if (!sparse) {
        return;
    }
    s->zero_unit = COPY_UNIT_MAX;
    while (s->zero_unit > BDRV_SECTOR_SIZE && s->zero_unit > sparse) {
        s->zero_unit /= 2;
    }
    if (s->cluster_size > s->zero_unit && s->cluster_size <= s->buffer_bytes
        && is_power_of_2(s->cluster_size)) {
        s->zero_unit = s->cluster_size;
    }
    s->zero_run = MAX(sparse, s->zero_unit);
}

bool copy_prepare(BlockCopy *s, GError **error)
{
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
    if (s->compressed && (!s->cluster_size
                          || !s->target->root->bs->drv->bdrv_co_pwritev_compressed)) {
        cairn_set_error(error, ENOTSUP, "Compression not supported for this file format");
        return false;
    }
    s->runs.guess_data = s->salvage;
    copy_choose_units(s);
    return true;
}

int coroutine_fn copy_co_run(BlockCopy *s)
{
    Pipeline pipe = {
        .workers = s->workers ? s->workers : COPY_WORKERS,
        .buffer_bytes = s->buffer_bytes, .next = copy_next, .work = copy_work, .opaque = s,
    };
    int ret;

    s->pos = s->stop = 0;
    s->overlaps = !s->compressed && pipe.workers > 1 && patience_is_had() &&
                  g_get_num_processors() > 1;
    if (s->overlaps) {
        patience_overlap_begin();
    }
    ret = pipeline_co_run(&pipe);
    if (s->overlaps) {
        patience_overlap_end();
    }
    if (ret == -ECANCELED && !s->error) {
        cairn_set_error(&s->error, ECANCELED, "the copy was cancelled");
    }
    g_assert(ret >= 0 || s->error);
    return ret;
}

void copy_destroy(BlockCopy *s)
{
    runs_destroy(&s->runs);
    g_clear_error(&s->error);
}
