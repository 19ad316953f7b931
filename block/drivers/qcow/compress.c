/* SPDX-License-Identifier: MIT */
/*
 * Compressed writes: whole clusters, deflated in a worker, their streams appended byte by byte.
 *
 * 1. Streams are never written in place and always get new space, whatever the cluster was before.
 * 2. A stream's bytes may share a sector with the stream before it. That one is not touched: a
 *    write covers its own bytes only, and a flush rounds the cursor up, so that no stream begins in
 *    a sector that a flush has made durable.
 * 3. What does not shrink is stored plain, at a multiple of the cluster size.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

/* Clusters that are deflated together; all of one L2 table. */
typedef struct QcowDeflate {
    QcowState *s;
    int64_t guest;
    uint32_t count;
    uint8_t *in;                /* count clusters */
    uint8_t *out;               /* count clusters' room */
    uint32_t *lengths;          /* of the streams; 0: stays plain */
} QcowDeflate;

static int deflate_work(void *opaque)
{
    QcowDeflate *d = opaque;
    size_t cluster_size = d->s->g.cluster_size;

    for (uint32_t i = 0; i < d->count; i++) {
        int n = qcow_deflate(d->s, d->in + i * cluster_size, d->out + i * cluster_size,
                             cluster_size);

        if (n < 0) {
            return n;
        }
        d->lengths[i] = (uint32_t)n;
    }
    return 0;
}

/*
 * Writes @bytes of @buf to new space for the clusters [@first, @first + @count), all streams or all
 * plain.
 */
static int coroutine_fn deflate_store(BlockDriverState *bs, const QcowDeflate *d, uint32_t first,
                                      uint32_t count, uint8_t *buf, int64_t bytes)
{
    QcowState *s = bs->opaque;
    bool is_plain = d->lengths[first] == 0;
    int64_t guest = d->guest + first * s->g.cluster_size, at;
    g_auto(IOVector) v = { 0 };
    QcowNew n;
    int ret;

    qcow_event(bs, is_plain ? "cluster_alloc" : "cluster_alloc_bytes");
    g_mutex_lock(&s->lock);
    ret = qcow_alloc_locked(bs, guest, bytes, is_plain ? s->g.cluster_size : 1, &n);
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    io_vector_init(&v, 4);
    for (int64_t zeros = n.start - qcow_new_first(&n); zeros > 0; zeros -= QCOW_ZERO_BYTES) {
        io_vector_add(&v, s->zeroes, MIN(zeros, QCOW_ZERO_BYTES));
    }
    io_vector_add(&v, buf, bytes);
    qcow_event(bs, is_plain ? "write_aio" : "write_compressed");
    ret = n.after > qcow_stream_max_offset(s->g.cluster_bits)
        ? -EFBIG : qcow_new_write(bs, &n, &v);

    g_mutex_lock(&s->lock);
    qcow_alloc_written_locked(s, &n, ret);
    at = n.start;
    for (uint32_t i = first; ret == 0 && i < first + count; i++, guest += s->g.cluster_size) {
        int64_t length = is_plain ? s->g.cluster_size : d->lengths[i];

        qcow_publish_locked(s, n.table, guest,
                            is_plain ? qcow_entry_plain(at)
                                     : qcow_entry_stream(at, length, s->g.cluster_bits));
        at += length;
    }
    qcow_table_unref_locked(s, n.table);
    g_mutex_unlock(&s->lock);
    return ret;
}

/* Neighbours of one kind in one write: streams are moved together first. */
static int coroutine_fn deflate_store_all(BlockDriverState *bs, const QcowDeflate *d)
{
    QcowState *s = bs->opaque;
    int64_t cluster_size = s->g.cluster_size;
    int ret = 0;

    for (uint32_t i = 0, end; i < d->count && ret == 0; i = end) {
        bool is_plain = d->lengths[i] == 0;
        uint8_t *buf = (is_plain ? d->in : d->out) + i * cluster_size;
        int64_t bytes = 0;

        for (end = i; end < d->count && (d->lengths[end] == 0) == is_plain; end++) {
            int64_t length = is_plain ? cluster_size : d->lengths[end];

            if (!is_plain) {
                memmove(buf + bytes, d->out + end * cluster_size, length);
            }
            bytes += length;
        }
        ret = deflate_store(bs, d, i, end - i, buf, bytes);
    }
    return ret;
}

/* @bytes within one L2 table; the last cluster may be the disk's short one. */
static int coroutine_fn compress_chunk(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, size_t iov_offset)
{
    QcowState *s = bs->opaque;
    int64_t total = ROUND_UP_TO(bytes, s->g.cluster_size);
    QcowDeflate d = {
        .s = s, .guest = offset, .count = (uint32_t)(total / s->g.cluster_size),
        .in = bdrv_buffer_alloc(bs, total), .out = bdrv_buffer_alloc(bs, total),
    };
    QcowClaim claim;
    int ret = -ENOMEM;

    d.lengths = g_try_new0(uint32_t, d.count);
    if (d.in && d.out && d.lengths) {
        io_vector_to_buf_at(iov, iov_offset, d.in, bytes);
        memset(d.in + bytes, 0, total - bytes);
        ret = bdrv_co_run_work(bs, BDRV_WORK_CPU, deflate_work, &d);
    }
    if (ret == 0) {
        g_mutex_lock(&s->lock);
        qcow_claim_locked(s, &claim, offset, total);
        g_mutex_unlock(&s->lock);
        ret = deflate_store_all(bs, &d);
        qcow_claim_end(s, &claim);
    }
    bdrv_buffer_free(d.in);
    bdrv_buffer_free(d.out);
    g_free(d.lengths);
    return ret;
}

int coroutine_fn qcow_co_pwritev_compressed(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov)
{
    QcowState *s = bs->opaque;
    size_t iov_offset = 0;
    int ret;

    if (s->header.crypt != QCOW_CRYPT_NONE) {
        return -ENOTSUP;
    }
    if (qcow_in_cluster(&s->g, offset) ||
        (qcow_in_cluster(&s->g, bytes) && offset + bytes != s->g.size)) {
        return -EINVAL;
    }
    ret = qcow_write_begin(bs, offset + bytes);
    if (ret == 0) {
        ret = qcow_barrier0(bs);
    }
    while (ret == 0 && bytes > 0) {
        int64_t span_left = s->g.l2_span - (offset & (s->g.l2_span - 1));
        int64_t n = MIN(MIN(bytes, span_left), QCOW_MAX_CHUNK);

        ret = compress_chunk(bs, offset, n, iov, iov_offset);
        offset += n;
        iov_offset += n;
        bytes -= n;
    }
    return qcow_write_end(bs, ret, false);
}
