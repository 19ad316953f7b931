/* SPDX-License-Identifier: MIT */
/*
 * The same image in a new file, as short as it can be: what the tables name is copied as it stands
 * in the file. Streams stay streams and ciphertext stays ciphertext, so no key is needed, and
 * nothing is inflated.
 *
 * 1. Each table that maps something comes before its clusters. Its streams follow it, byte by byte,
 *    and then its plain clusters; both in the guest's order. Tables and plain clusters stand at
 *    multiples of the cluster size: not all readers take sectors.
 * 2. Everything is looked at before anything is written: an entry that leads nowhere ends the copy
 *    with an error.
 * 3. The header is written last, when all else is durable: until then the file is no qcow.
 * 4. Memory does not grow with the image: one table and one buffer.
 */
#include "block/drivers/qcow/create.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COMPACT_BUFFER ((int64_t)2 << 20)       /* bytes; at least a table, and many clusters */

typedef struct Compact {
    BlockDriverState *bs;
    BlockBackend *file;         /* the new one */
    const BlockCompactProgress *progress;
    QcowPlan plan;
    int64_t end;                /* of the old file */
    int64_t done, total;        /* guest bytes of clusters */
    uint64_t *entries;          /* of the table at hand */
    /* the new file from buf_at on, of which used bytes have their place in buf */
    uint8_t *buf;
    int64_t buf_at, used;
    QcowRange unread;           /* of the old file: goes to the end of what is used */
    uint8_t *l1;                /* a piece of the new L1 table, as on disk */
    uint32_t l1_first, l1_count;        /* entries; count up to the last one that is set */
} Compact;

/* ---- the first walk: what there is ---- */

static bool compact_is_sound(const Compact *c, int64_t guest, const QcowEntry *e)
{
    QcowState *s = c->bs->opaque;

    switch (e->kind) {
    case QCOW_PLAIN:
        return e->offset < c->end && MIN(e->bytes, s->g.size - guest) <= c->end - e->offset;
    case QCOW_STREAM:
        return e->offset < c->end;
    default:
        return e->kind == QCOW_NONE;
    }
}

/* Entries of the table at hand that stand below the disk's end. */
static uint32_t compact_count_entries(const Compact *c, uint32_t l1_index)
{
    QcowState *s = c->bs->opaque;
    int64_t left = s->g.size - (int64_t)l1_index * s->g.l2_span;

    return (uint32_t)CLAMP(DIV_ROUND_UP(left, s->g.cluster_size), 0, (int64_t)s->g.l2_entries);
}

static int coroutine_fn compact_read_table(Compact *c, uint64_t raw)
{
    QcowState *s = c->bs->opaque;

    if (raw % 8 || raw >= (uint64_t)c->end || s->g.l2_bytes > c->end - (int64_t)raw) {
        return -EUCLEAN;
    }
    return qcow_read_table(c->bs, (int64_t)raw, c->entries, s->g.l2_entries, c->end);
}

static int coroutine_fn compact_look(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                     void *opaque)
{
    Compact *c = opaque;
    QcowState *s = bs->opaque;
    int64_t guest = (int64_t)l1_index * s->g.l2_span;
    uint32_t count = compact_count_entries(c, l1_index);
    int ret = compact_read_table(c, raw);

    for (uint32_t i = 0; i < count && ret == 0; i++) {
        QcowEntry e = qcow_entry_decode(c->entries[i], s->g.cluster_bits);

        if (!compact_is_sound(c, guest + i * s->g.cluster_size, &e)) {
            ret = -EUCLEAN;
        }
        c->total += e.kind == QCOW_NONE ? 0 : s->g.cluster_size;
    }
    return ret;
}

/* ---- output ---- */

/* What was put off is read now. */
static int coroutine_fn compact_read(Compact *c)
{
    int64_t there = CLAMP(c->end - c->unread.offset, 0, c->unread.bytes);
    uint8_t *to = c->buf + c->used - c->unread.bytes;
    int ret = there ? bdrv_co_pread(c->bs->file, c->unread.offset, there, to) : 0;

    memset(to + there, 0, c->unread.bytes - there);
    c->unread.bytes = 0;
    return ret;
}

static int coroutine_fn compact_write(Compact *c)
{
    int ret = compact_read(c);

    if (ret == 0 && c->used) {
        ret = blk_co_pwrite(c->file, c->buf_at, c->used, c->buf, 0);
    }
    c->buf_at += c->used;
    c->used = 0;
    if (ret == 0 && c->progress && c->progress->func &&
        !c->progress->func(c->done, c->total, c->progress->opaque)) {
        ret = -ECANCELED;
    }
    return ret;
}

/* Makes room for @bytes more; the caller fills them. *@at: where. */
static int coroutine_fn compact_put(Compact *c, int64_t bytes, uint8_t **at)
{
    int ret = c->used + bytes > COMPACT_BUFFER ? compact_write(c) : compact_read(c);

    *at = c->buf + c->used;
    c->used += bytes;
    return ret;
}

static int coroutine_fn compact_pad(Compact *c, int64_t place)
{
    int64_t bytes = place - c->buf_at - c->used;
    uint8_t *at;
    int ret = bytes ? compact_put(c, bytes, &at) : 0;

    if (ret == 0 && bytes) {
        memset(at, 0, bytes);
    }
    return ret;
}

/* A run of the old file; neighbours are read together. */
static int coroutine_fn compact_copy(Compact *c, int64_t offset, int64_t bytes)
{
    int ret = 0;

    if (c->used + bytes > COMPACT_BUFFER) {
        ret = compact_write(c);
    } else if (c->unread.bytes && c->unread.offset + c->unread.bytes != offset) {
        ret = compact_read(c);
    }
    if (c->unread.bytes == 0) {
        c->unread.offset = offset;
    }
    c->unread.bytes += bytes;
    c->used += bytes;
    return ret;
}

/* ---- the second walk ---- */

/*
 * The entries of one kind in the new table, their clusters laid out from @at on. Returns: the end
 * of them, or -errno.
 */
static int64_t compact_lay_out(const Compact *c, uint32_t count, QcowKind kind, int64_t at,
                               uint8_t *raw)
{
    QcowState *s = c->bs->opaque;
    int bits = s->g.cluster_bits;

    for (uint32_t i = 0; i < count; i++) {
        QcowEntry e = qcow_entry_decode(c->entries[i], bits);

        if (e.kind != kind) {
            continue;
        }
        if (at > qcow_stream_max_offset(bits)) {
            return -EFBIG;
        }
        be64_store(raw + (size_t)i * 8, kind == QCOW_STREAM
                   ? qcow_entry_stream(at, e.bytes, bits) : qcow_entry_plain(at));
        at += e.bytes;
    }
    return at;
}

static int coroutine_fn compact_clusters(Compact *c, uint32_t count, QcowKind kind)
{
    QcowState *s = c->bs->opaque;
    int ret = 0;

    for (uint32_t i = 0; i < count && ret == 0; i++) {
        QcowEntry e = qcow_entry_decode(c->entries[i], s->g.cluster_bits);

        if (e.kind == kind) {
            ret = compact_copy(c, e.offset, e.bytes);
            c->done += s->g.cluster_size;
        }
    }
    return ret;
}

static int64_t compact_next_cluster(const Compact *c, int64_t at)
{
    QcowState *s = c->bs->opaque;

    return ROUND_UP_TO(at, s->g.cluster_size);
}

static int coroutine_fn compact_l1_write(Compact *c)
{
    int ret = c->l1_count == 0 ? 0
        : blk_co_pwrite(c->file, (int64_t)c->plan.header.l1_offset + (int64_t)c->l1_first * 8,
                        (int64_t)c->l1_count * 8, c->l1, 0);

    memset(c->l1, 0, QCOW_L1_PIECE * 8);
    c->l1_count = 0;
    return ret;
}

static int coroutine_fn compact_l1_set(Compact *c, uint32_t l1_index, int64_t place)
{
    int ret = 0;

    if (l1_index - c->l1_first >= QCOW_L1_PIECE) {
        ret = compact_l1_write(c);
        c->l1_first = ROUND_DOWN_TO(l1_index, QCOW_L1_PIECE);
    }
    c->l1_count = l1_index - c->l1_first + 1;
    be64_store(c->l1 + (size_t)(l1_index - c->l1_first) * 8, (uint64_t)place);
    return ret;
}

static bool compact_is_empty(const Compact *c, uint32_t count)
{
    return cairn_buffer_is_zero(c->entries, (size_t)count * sizeof(*c->entries));
}

/* The table's bytes, and then its clusters, as they were laid out. */
static int coroutine_fn compact_fill_table(Compact *c, uint32_t count, int64_t place)
{
    QcowState *s = c->bs->opaque;
    uint8_t *table = NULL;
    int64_t plain, end;
    int ret = compact_put(c, s->g.l2_bytes, &table);

    if (ret < 0) {
        return ret;
    }
    memset(table, 0, s->g.l2_bytes);
    end = compact_lay_out(c, count, QCOW_STREAM, place + s->g.l2_bytes, table);
    plain = compact_next_cluster(c, end);
    if (end >= 0) {
        end = compact_lay_out(c, count, QCOW_PLAIN, plain, table);
    }
    if (end < 0) {
        return (int)end;
    }
    ret = compact_clusters(c, count, QCOW_STREAM);
    if (ret == 0 && end > plain) {
        ret = compact_pad(c, plain);
    }
    return ret == 0 ? compact_clusters(c, count, QCOW_PLAIN) : ret;
}

static int coroutine_fn compact_table(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                      void *opaque)
{
    Compact *c = opaque;
    uint32_t count = compact_count_entries(c, l1_index);
    int64_t place = compact_next_cluster(c, c->buf_at + c->used);
    int ret = compact_read_table(c, raw);

    if (ret < 0 || compact_is_empty(c, count)) {
        return ret;
    }
    ret = compact_l1_set(c, l1_index, place);
    if (ret == 0) {
        ret = compact_pad(c, place);
    }
    return ret == 0 ? compact_fill_table(c, count, place) : ret;
}

/* ---- the whole ---- */

static bool compact_plan(Compact *c, GError **error)
{
    BlockDriverState *bs = c->bs;
    QcowState *s = bs->opaque;

    c->plan.header = s->header;
    qcow_plan_backing(&c->plan, bs->backing_file, bs->backing_format);
    return qcow_plan_places(&c->plan, error);
}

static int coroutine_fn compact_run(Compact *c)
{
    int ret = qcow_l1_foreach(c->bs, c->end, compact_look, c);

    if (ret == 0) {
        ret = qcow_plan_write_rest(c->file, &c->plan);
    }
    c->buf_at = compact_next_cluster(c, c->plan.file_bytes);
    if (ret == 0) {
        ret = qcow_l1_foreach(c->bs, c->end, compact_table, c);
    }
    if (ret == 0 && c->total) {
        ret = compact_pad(c, ROUND_UP_TO(c->buf_at + c->used, BDRV_SECTOR_SIZE));
    }
    if (ret == 0) {
        ret = compact_write(c);
    }
    if (ret == 0) {
        ret = compact_l1_write(c);
    }
    return ret == 0 ? qcow_plan_write_header(c->file, &c->plan) : ret;
}

static int64_t coroutine_fn compact_begin(BlockDriverState *bs)
{
    int ret = bs->read_only ? 0 : qcow_co_flush(bs);

    return ret < 0 ? ret : bdrv_co_getlength(bs->file);
}

bool coroutine_fn qcow_co_compact(BlockDriverState *bs, BlockBackend *file,
                                  const BlockCompactProgress *progress, GError **error)
{
    QcowState *s = bs->opaque;
    g_autofree uint64_t *entries = g_try_new(uint64_t, s->g.l2_entries);
    g_autofree uint8_t *l1 = g_try_malloc0(QCOW_L1_PIECE * 8);
    Compact c = {
        .bs = bs, .file = file, .progress = progress, .end = compact_begin(bs),
        .entries = entries, .l1 = l1, .buf = bdrv_buffer_alloc(bs, COMPACT_BUFFER),
    };
    int ret;

    if (!compact_plan(&c, error)) {
        bdrv_buffer_free(c.buf);
        return false;
    }
    ret = c.end < 0 ? (int)c.end : entries && l1 && c.buf ? compact_run(&c) : -ENOMEM;
    bdrv_buffer_free(c.buf);
    if (ret == -ECANCELED) {
        cairn_set_error(error, ECANCELED, "the copy was cancelled");
    } else if (ret == -EUCLEAN) {
        cairn_set_error(error, EUCLEAN, "'%s' has errors", bs->filename);
    } else if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not copy '%s'", bs->filename);
    }
    return ret == 0;
}
