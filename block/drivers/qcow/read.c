/* SPDX-License-Identifier: MIT */
/*
 * Guest reads: one child read for each contiguous run. What was looked up stays pinned until its
 * I/O has ended.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

#define READ_INLINE_INFLATE (8 << 10)   /* bytes: below, a switch of threads costs more */

int coroutine_fn qcow_read_host(BlockDriverState *bs, int64_t host, int64_t bytes,
                                const IOVector *iov, size_t iov_offset)
{
    QcowState *s = bs->opaque;
    g_auto(IOVector) slice = { 0 };
    int64_t there;
    int ret = 0;

    g_mutex_lock(&s->lock);
    there = CLAMP(s->file_end - host, 0, bytes);
    g_mutex_unlock(&s->lock);
    if (there > 0 && iov_offset == 0 && iov->size == (size_t)there) {
        return bdrv_co_preadv(bs->file, host, there, iov, 0);
    }
    if (there > 0) {
        io_vector_slice(&slice, iov, iov_offset, there);
        ret = bdrv_co_preadv(bs->file, host, there, &slice, 0);
    }
    if (ret == 0 && there < bytes) {
        io_vector_memset(iov, iov_offset + there, 0, bytes - there);
    }
    return ret;
}

static int coroutine_fn read_plain(BlockDriverState *bs, int64_t offset, const QcowRun *run,
                                   const IOVector *iov, size_t iov_offset)
{
    QcowState *s = bs->opaque;
    int ret;

    qcow_event(bs, "read_aio");
    ret = qcow_read_host(bs, run->host, run->bytes, iov, iov_offset);
    if (ret == 0 && s->crypto) {
        ret = qcow_decrypt_vector(bs, offset, iov, iov_offset, run->bytes);
    }
    return ret;
}

static int coroutine_fn read_unmapped(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, size_t iov_offset)
{
    int64_t there = 0;
    int ret = 0;

    if (bs->backing) {
        int64_t length = bdrv_co_getlength(bs->backing);

        if (length < 0) {
            return (int)length;
        }
        there = CLAMP(length - offset, 0, bytes);
    }
    if (there > 0) {
        g_auto(IOVector) slice = { 0 };

        qcow_event(bs, "read_backing_aio");
        io_vector_slice(&slice, iov, iov_offset, there);
        ret = bdrv_co_preadv(bs->backing, offset, there, &slice, 0);
    }
    if (ret == 0 && there < bytes) {
        io_vector_memset(iov, iov_offset + there, 0, bytes - there);
    }
    return ret;
}

/* ---- compressed clusters ---- */

/*
 * Streams of neighbouring clusters that stand close together: one child read, one turn of a worker.
 */
typedef struct QcowStreams {
    QcowState *s;
    GArray *ranges;             /* QcowRange: of the file */
    int64_t from, to;           /* of the file: what holds them all */
    int64_t there;              /* bytes of it that the file has */
    const uint8_t *in;
    uint8_t *out;               /* one cluster each */
} QcowStreams;

static int read_inflate_work(void *opaque)
{
    const QcowStreams *b = opaque;
    size_t cluster_size = b->s->g.cluster_size;
    int ret = 0;

    for (guint i = 0; i < b->ranges->len && ret == 0; i++) {
        const QcowRange *r = &g_array_index(b->ranges, QcowRange, i);
        int64_t at = MIN(r->offset - b->from, b->there);
        int64_t bytes = MIN(b->there - at, r->bytes);

        ret = qcow_inflate(b->s, b->in + at, bytes, b->out + i * cluster_size, cluster_size);
    }
    return ret;
}

/* Adds @r if all still stands within QCOW_MAX_CHUNK bytes of the file. */
static bool read_batch_add(QcowStreams *b, const QcowRange *r)
{
    int64_t from = b->ranges->len ? MIN(b->from, r->offset) : r->offset;
    int64_t to = b->ranges->len ? MAX(b->to, r->offset + r->bytes) : r->offset + r->bytes;

    if (to - from > QCOW_MAX_CHUNK ||
        (b->ranges->len + 1) * b->s->g.cluster_size > QCOW_MAX_CHUNK) {
        return false;
    }
    b->from = from;
    b->to = to;
    g_array_append_val(b->ranges, *r);
    return true;
}

/* The streams from @offset on, as they are now; with a pin. */
static int coroutine_fn read_batch_collect(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                           QcowStreams *b, QcowEpoch **pin)
{
    QcowState *s = bs->opaque;
    int64_t end = offset + bytes;
    QcowRun run;
    int ret = 0;

    g_mutex_lock(&s->lock);
    do {
        QcowRange r;

        ret = qcow_map_locked(bs, offset, end - offset, &run);
        r = (QcowRange) { run.host, run.host_bytes };
        if (ret < 0 || run.kind != QCOW_STREAM || !read_batch_add(b, &r)) {
            break;
        }
        offset += run.bytes;
        /* Only what one hold of the lock sees: the next table may have to be read. */
    } while (offset < end && (offset & (s->g.l2_span - 1)));
    b->there = CLAMP(s->file_end - b->from, 0, b->to - b->from);
    *pin = qcow_pin_locked(s);
    g_mutex_unlock(&s->lock);
    return b->ranges->len ? 0 : ret;
}

static int coroutine_fn read_batch_inflate(BlockDriverState *bs, QcowStreams *b)
{
    QcowState *s = bs->opaque;
    uint8_t *in = bdrv_buffer_alloc(bs, MAX(b->there, 1));
    int ret = in ? 0 : -ENOMEM;

    if (ret == 0 && b->there > 0) {
        qcow_event(bs, "read_compressed");
        ret = bdrv_co_pread(bs->file, b->from, b->there, in);
    }
    b->in = in;
    if (ret == 0 && b->ranges->len * s->g.cluster_size <= READ_INLINE_INFLATE) {
        ret = read_inflate_work(b);
    } else if (ret == 0) {
        ret = bdrv_co_run_work(bs, BDRV_WORK_CPU, read_inflate_work, b);
    }
    bdrv_buffer_free(in);
    return ret;
}

/* Whole clusters that stand in one piece of memory are inflated into it; others are copied. */
static int coroutine_fn read_batch_out(BlockDriverState *bs, QcowStreams *b, int64_t inside,
                                       int64_t bytes, const IOVector *iov, size_t iov_offset)
{
    QcowState *s = bs->opaque;
    int64_t whole = b->ranges->len * s->g.cluster_size;
    g_auto(IOVector) slice = { 0 };
    g_autofree uint8_t *bounce = NULL;
    int ret;

    io_vector_slice(&slice, iov, iov_offset, bytes);
    if (slice.niov == 1 && inside == 0 && bytes == whole) {
        b->out = slice.iov[0].iov_base;
        return read_batch_inflate(bs, b);
    }
    bounce = g_try_malloc(whole);
    if (!bounce) {
        return -ENOMEM;
    }
    b->out = bounce;
    ret = read_batch_inflate(bs, b);
    if (ret < 0) {
        return ret;
    }
    io_vector_from_buf(&slice, bounce + inside, bytes);
    if (b->ranges->len == 1) {          /* the rest of it may be asked for next */
        const QcowRange *r = &g_array_index(b->ranges, QcowRange, 0);

        g_mutex_lock(&s->lock);
        s->stream_at = r->offset;
        s->stream_bytes = r->bytes;
        memcpy(s->stream_data, bounce, whole);
        g_mutex_unlock(&s->lock);
    }
    return 0;
}

/*
 * Streams are never written in place and their space never holds another one, so what one gave
 * stays true.
 */
static bool read_from_last_stream(QcowState *s, const QcowRange *r, int64_t inside,
                                  int64_t bytes, const IOVector *iov, size_t iov_offset)
{
    bool hit;

    g_mutex_lock(&s->lock);
    hit = s->stream_at == r->offset && s->stream_bytes == r->bytes;
    if (hit) {
        io_vector_from_buf_at(iov, iov_offset, s->stream_data + inside, bytes);
    }
    g_mutex_unlock(&s->lock);
    return hit;
}

/* Returns: guest bytes read, or -errno; 0: the first cluster is no stream any more. */
static int64_t coroutine_fn read_streams(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, size_t iov_offset)
{
    QcowState *s = bs->opaque;
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    QcowStreams b = { .s = s, .ranges = ranges };
    int64_t inside = qcow_in_cluster(&s->g, offset);
    QcowEpoch *pin = NULL;
    int ret = read_batch_collect(bs, offset, bytes, &b, &pin);
    int64_t n = 0;

    if (ret == 0 && ranges->len > 0) {
        n = MIN(bytes, ranges->len * s->g.cluster_size - inside);
        if (ranges->len > 1 || n == s->g.cluster_size ||
            !read_from_last_stream(s, &g_array_index(ranges, QcowRange, 0), inside, n, iov,
                                   iov_offset)) {
            ret = read_batch_out(bs, &b, inside, n, iov, iov_offset);
        }
    }
    qcow_unpin(pin);
    return ret < 0 ? ret : n;
}

/* ---- requests ---- */

/* One run; the number of bytes read, > 0, or -errno. */
static int64_t coroutine_fn read_run(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                     const IOVector *iov, size_t iov_offset)
{
    QcowState *s = bs->opaque;
    QcowEpoch *pin = NULL;
    QcowRun run;
    int ret;

    g_mutex_lock(&s->lock);
    ret = qcow_map_locked(bs, offset, bytes, &run);
    if (ret == 0 && run.kind == QCOW_PLAIN) {
        pin = qcow_pin_locked(s);
    }
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    switch (run.kind) {
    case QCOW_PLAIN:
        ret = read_plain(bs, offset, &run, iov, iov_offset);
        qcow_unpin(pin);
        break;
    case QCOW_NONE:
        ret = read_unmapped(bs, offset, run.bytes, iov, iov_offset);
        break;
    case QCOW_STREAM:
        return read_streams(bs, offset, bytes, iov, iov_offset);
    default:
        ret = -EIO;
    }
    return ret < 0 ? ret : run.bytes;
}

int coroutine_fn qcow_read(BlockDriverState *bs, int64_t offset, int64_t bytes,
                           const IOVector *iov, size_t iov_offset)
{
    while (bytes > 0) {
        int64_t n = read_run(bs, offset, bytes, iov, iov_offset);

        if (n < 0) {
            return (int)n;
        }
        offset += n;
        iov_offset += n;
        bytes -= n;
    }
    return 0;
}

int coroutine_fn qcow_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov, int flags)
{
    return qcow_read(bs, offset, bytes, iov, 0);
}
