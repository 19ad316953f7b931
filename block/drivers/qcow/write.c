/* SPDX-License-Identifier: MIT */
/*
 * Guest writes, run by run.
 *
 * 1. A mapped plain cluster is written in place, without a claim: its space is pinned, so that
 *    whatever happens to the mapping meanwhile, the bytes go where nobody else is yet.
 * 2. All other clusters get new space, under a claim held from the look-up to completion. Whole
 *    clusters are written: what the guest does not give comes from the old content (backing data, a
 *    stream, zeros).
 * 3. Entries change in memory only, after the data write has completed; the flush takes them to
 *    disk (flush.c).
 * 4. Before the file grows, barrier 0.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

/* One request, or what is left of it. */
typedef struct QcowWrite {
    int64_t offset, bytes;
    const IOVector *iov;        /* NULL: zeros */
    size_t iov_offset;
    int flags;
    bool needs_flush;
} QcowWrite;

static void write_add_zeros(const QcowState *s, IOVector *v, int64_t bytes)
{
    while (bytes > 0) {
        int64_t n = MIN(bytes, QCOW_ZERO_BYTES);

        io_vector_add(v, s->zeroes, n);
        bytes -= n;
    }
}

static void write_add_guest(const QcowState *s, const QcowWrite *w, IOVector *v, int64_t bytes)
{
    if (w->iov) {
        io_vector_concat(v, w->iov, w->iov_offset, bytes);
    } else {
        write_add_zeros(s, v, bytes);
    }
}

/* ---- in place ---- */

static int coroutine_fn write_plain_bytes(BlockDriverState *bs, const QcowWrite *w,
                                          int64_t host, int64_t bytes, int flags)
{
    g_auto(IOVector) slice = { 0 };

    if (!w->iov) {
        return bdrv_co_pwrite_zeroes(bs->file, host, bytes, flags);
    }
    if (w->iov_offset == 0 && w->iov->size == (size_t)bytes) {
        return bdrv_co_pwritev(bs->file, host, bytes, w->iov, flags);
    }
    io_vector_slice(&slice, w->iov, w->iov_offset, bytes);
    return bdrv_co_pwritev(bs->file, host, bytes, &slice, flags);
}

static int coroutine_fn write_cipher_bytes(BlockDriverState *bs, const QcowWrite *w,
                                           int64_t host, int64_t bytes, int flags)
{
    QcowState *s = bs->opaque;
    QcowWrite part = *w;
    uint8_t *buf = bdrv_buffer_alloc(bs, MIN(bytes, QCOW_MAX_CHUNK));
    int ret = buf ? 0 : -ENOMEM;

    for (int64_t done = 0; done < bytes && ret == 0;) {
        int64_t n = MIN(bytes - done, QCOW_MAX_CHUNK);
        g_auto(IOVector) v = { 0 };

        part.iov_offset = w->iov_offset + done;
        io_vector_init(&v, 4);
        write_add_guest(s, &part, &v, n);
        ret = qcow_encrypt(bs, w->offset + done, &v, buf);
        if (ret == 0) {
            ret = bdrv_co_pwrite(bs->file, host + done, n, buf, flags);
        }
        done += n;
    }
    bdrv_buffer_free(buf);
    return ret;
}

/*
 * Durable when it ends, with @flags BDRV_REQ_FUA. A sync that fails must be known here, and not only
 * by the child: so where the child would sync by a flush of its own, this node does; and where a
 * durable write has failed, another sync tells whether nothing is known of the disk any more.
 */
static int coroutine_fn write_place_bytes(BlockDriverState *bs, const QcowWrite *w, int64_t host,
                                          int64_t bytes, int flags)
{
    QcowState *s = bs->opaque;
    int below = flags & bs->file->bs->supported_write_flags;
    int ret = s->crypto ? write_cipher_bytes(bs, w, host, bytes, below)
                        : write_plain_bytes(bs, w, host, bytes, below);

    if (ret == 0 && flags != below) {
        return qcow_sync(bs);
    }
    if (ret < 0 && flags) {
        qcow_sync(bs);
    }
    return ret;
}

/* @run was looked up in this hold of the lock, which is left for good. */
static int64_t coroutine_fn write_in_place(BlockDriverState *bs, QcowWrite *w,
                                           const QcowRun *run)
{
    QcowState *s = bs->opaque;
    bool is_safe = !qcow_is_metadata_locked(s, run->host, run->bytes);
    bool is_suspect = qcow_is_suspect_locked(s, run->host, run->bytes);
    bool grows = run->host + run->bytes > s->file_end;
    QcowEpoch *pin = qcow_pin_locked(s);
    int flags = w->flags & BDRV_REQ_FUA;
    int ret = 0;

    g_mutex_unlock(&s->lock);
    if (!is_safe || is_suspect) {
        qcow_unpin(pin);
        if (!is_safe && !g_atomic_int_exchange(&s->is_corrupt, 1)) {
            bdrv_warn(bs, "Image '%s' is corrupt: a cluster's entry leads into its tables",
                      bs->filename);
        }
        return -EIO;
    }
    if (grows && !g_atomic_int_get(&s->scanned)) {
        qcow_unpin(pin);
        return qcow_barrier0(bs);       /* then the run is looked up again */
    }
    if (QCOW_MUTANT(FUA_IN_PLACE_IGNORED)) {
        flags = 0;
    }
    if (flags && run->is_pending) {
        w->needs_flush = !QCOW_MUTANT(FUA_OF_PENDING_IGNORED);
        flags = 0;
    }
    qcow_event(bs, "write_aio");
    ret = write_place_bytes(bs, w, run->host, run->bytes, flags);
    qcow_unpin(pin);
    return ret < 0 ? ret : run->bytes;
}

/* ---- into new space ---- */

/* Whole clusters around a part of a request; the claim on them is held. */
typedef struct QcowFresh {
    int64_t guest, total;       /* whole clusters */
    int64_t head, tail;         /* bytes of them before and after the request's */
    uint8_t *fill;              /* head, then tail; NULL: there are none */
    uint8_t *cipher;            /* all of it, encrypted; NULL: not encrypted */
} QcowFresh;

/* Guest content as it is now; zeros past the disk's end. */
static int coroutine_fn fresh_read_fill(BlockDriverState *bs, int64_t guest, int64_t bytes,
                                        uint8_t *buf)
{
    QcowState *s = bs->opaque;
    int64_t there = CLAMP(s->g.size - guest, 0, bytes);
    IOVector v;

    memset(buf + there, 0, bytes - there);
    if (QCOW_MUTANT(FILLS_WITH_ZEROS)) {
        memset(buf, 0, bytes);
        return 0;
    }
    io_vector_init_buf(&v, buf, there);
    return there ? qcow_read(bs, guest, there, &v, 0) : 0;
}

static int coroutine_fn fresh_prepare_fill(BlockDriverState *bs, QcowFresh *f)
{
    int ret;

    if (f->head + f->tail == 0) {
        return 0;
    }
    f->fill = bdrv_buffer_alloc(bs, f->head + f->tail);
    if (!f->fill) {
        return -ENOMEM;
    }
    qcow_event(bs, "cow_read");
    ret = fresh_read_fill(bs, f->guest, f->head, f->fill);
    if (ret < 0) {
        return ret;
    }
    return fresh_read_fill(bs, f->guest + f->total - f->tail, f->tail, f->fill + f->head);
}

static void fresh_add_plain(const QcowState *s, const QcowWrite *w, const QcowFresh *f,
                            IOVector *v)
{
    if (f->head) {
        io_vector_add(v, f->fill, f->head);
    }
    write_add_guest(s, w, v, f->total - f->head - f->tail);
    if (f->tail && (f->cipher || !QCOW_MUTANT(NO_TAIL))) {
        io_vector_add(v, f->fill + f->head, f->tail);
    }
}

static int coroutine_fn fresh_prepare_cipher(BlockDriverState *bs, const QcowWrite *w,
                                             QcowFresh *f)
{
    QcowState *s = bs->opaque;
    g_auto(IOVector) v = { 0 };
    int ret;

    if (!s->crypto) {
        return 0;
    }
    f->cipher = bdrv_buffer_alloc(bs, f->total);
    if (!f->cipher) {
        return -ENOMEM;
    }
    io_vector_init(&v, 8);
    fresh_add_plain(s, w, f, &v);
    ret = qcow_encrypt(bs, f->guest, &v, f->cipher);
    if (QCOW_MUTANT(FILL_NOT_ENCRYPTED) && f->fill) {
        memcpy(f->cipher, f->fill, f->head);
        memcpy(f->cipher + f->total - f->tail, f->fill + f->head, f->tail);
    }
    return ret;
}

/* One child write: the table's place where it has none yet, and the clusters. */
static int coroutine_fn fresh_write(BlockDriverState *bs, const QcowWrite *w, const QcowFresh *f,
                                    const QcowNew *n)
{
    QcowState *s = bs->opaque;
    g_auto(IOVector) v = { 0 };

    io_vector_init(&v, 8);
    write_add_zeros(s, &v, n->start - qcow_new_first(n));
    if (f->cipher) {
        io_vector_add(&v, f->cipher, f->total);
    } else {
        fresh_add_plain(s, w, f, &v);
    }
    return qcow_new_write(bs, n, &v);
}

static int coroutine_fn fresh_store(BlockDriverState *bs, const QcowWrite *w, const QcowFresh *f)
{
    QcowState *s = bs->opaque;
    QcowNew n;
    int ret;

    qcow_event(bs, "cluster_alloc");
    g_mutex_lock(&s->lock);
    ret = qcow_alloc_locked(bs, f->guest, f->total, s->g.cluster_size, &n);
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    qcow_event(bs, "write_aio");
    if (QCOW_MUTANT(PUBLISHES_EARLY)) {
        g_mutex_lock(&s->lock);
        for (int64_t at = 0; at < f->total; at += s->g.cluster_size) {
            qcow_publish_locked(s, n.table, f->guest + at, qcow_entry_plain(n.start + at));
        }
        g_mutex_unlock(&s->lock);
        ret = fresh_write(bs, w, f, &n);
        g_mutex_lock(&s->lock);
        qcow_alloc_written_locked(s, &n, ret);
        qcow_table_unref_locked(s, n.table);
        g_mutex_unlock(&s->lock);
        return ret;
    }
    ret = fresh_write(bs, w, f, &n);
    g_mutex_lock(&s->lock);
    qcow_alloc_written_locked(s, &n, ret);
    for (int64_t at = 0; ret == 0 && at < f->total; at += s->g.cluster_size) {
        qcow_publish_locked(s, n.table, f->guest + at, qcow_entry_plain(n.start + at));
    }
    qcow_table_unref_locked(s, n.table);
    g_mutex_unlock(&s->lock);
    return ret;
}

static int coroutine_fn write_fresh(BlockDriverState *bs, QcowWrite *w, int64_t bytes)
{
    QcowState *s = bs->opaque;
    int64_t end = ROUND_UP_TO(w->offset + bytes, s->g.cluster_size);
    int64_t head = qcow_in_cluster(&s->g, w->offset);
    QcowFresh f = {
        .guest = w->offset - head, .total = end - w->offset + head,
        .head = head, .tail = end - w->offset - bytes,
    };
    int ret = fresh_prepare_fill(bs, &f);

    if (ret == 0) {
        ret = fresh_prepare_cipher(bs, w, &f);
    }
    if (ret == 0) {
        ret = fresh_store(bs, w, &f);
    }
    bdrv_buffer_free(f.fill);
    bdrv_buffer_free(f.cipher);
    w->needs_flush |= (w->flags & BDRV_REQ_FUA) && !QCOW_MUTANT(FUA_OF_NEW_IGNORED);
    return ret;
}

/*
 * The lock is held, and left for good. Returns: bytes written; 0: something had to be waited for;
 * -errno.
 */
static int64_t coroutine_fn write_claimed(BlockDriverState *bs, QcowWrite *w)
{
    QcowState *s = bs->opaque;
    int64_t head = qcow_in_cluster(&s->g, w->offset);
    int64_t most = s->crypto ? QCOW_MAX_CHUNK : QCOW_MAX_NEW_RUN;
    int64_t bytes = qcow_map_fresh_locked(bs, w->offset, MIN(w->bytes, most - head));
    QcowClaim claim;
    int ret;

    if (bytes <= 0 ||
        !qcow_claim_lead_locked(s, &claim, w->offset - head,
                                ROUND_UP_TO(head + bytes, s->g.cluster_size))) {
        g_mutex_unlock(&s->lock);
        return MIN(bytes, 0);
    }
    g_mutex_unlock(&s->lock);
    bytes = MIN(bytes, claim.bytes - head);
    ret = write_fresh(bs, w, bytes);
    qcow_claim_end(s, &claim);
    return ret < 0 ? ret : bytes;
}

/* ---- requests ---- */

/* Returns as write_claimed(). */
static int64_t coroutine_fn write_step(BlockDriverState *bs, QcowWrite *w)
{
    QcowState *s = bs->opaque;
    QcowRun run;
    int ret;

    g_mutex_lock(&s->lock);
    ret = qcow_map_locked(bs, w->offset, w->bytes, &run);
    if (ret == 0 && run.kind == QCOW_PLAIN) {
        return write_in_place(bs, w, &run);
    }
    if (ret == 0 && run.kind != QCOW_BAD && g_atomic_int_get(&s->scanned)) {
        return write_claimed(bs, w);
    }
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    return run.kind == QCOW_BAD ? -EIO : qcow_barrier0(bs);
}

int coroutine_fn qcow_write(BlockDriverState *bs, int64_t offset, int64_t bytes,
                            const IOVector *iov, size_t iov_offset, int flags,
                            bool *needs_flush)
{
    QcowWrite w = {
        .offset = offset, .bytes = bytes, .iov = iov, .iov_offset = iov_offset, .flags = flags,
    };
    int64_t n = 0;

    while (w.bytes > 0 && n >= 0) {
        n = write_step(bs, &w);
        if (n > 0) {
            w.offset += n;
            w.iov_offset += n;
            w.bytes -= n;
        }
    }
    *needs_flush |= w.needs_flush;
    return n < 0 ? (int)n : 0;
}

int coroutine_fn qcow_write_begin(BlockDriverState *bs, int64_t end)
{
    QcowState *s = bs->opaque;

    if (g_atomic_int_get(&s->failed)) {
        return -g_atomic_int_get(&s->failed);
    }
    if (end > s->g.size) {
        return -ENOSPC;         /* a format above that appends: the disk does not grow by itself */
    }
    return qcow_index(bs);
}

int coroutine_fn qcow_write_end(BlockDriverState *bs, int ret, bool needs_flush)
{
    QcowState *s = bs->opaque;
    bool is_due;

    if (ret == 0 && needs_flush) {
        return qcow_co_flush(bs);
    }
    g_mutex_lock(&s->lock);
    is_due = qcow_checkpoint_due_locked(s);
    g_mutex_unlock(&s->lock);
    if (is_due) {
        /* nobody was promised this one; a failed sync shows on the next write */
        qcow_co_flush(bs);
    }
    return ret;
}

int coroutine_fn qcow_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                 const IOVector *iov, int flags)
{
    bool needs_flush = false;
    int ret = qcow_write_begin(bs, offset + bytes);

    if (ret < 0) {
        return ret;
    }
    ret = qcow_write(bs, offset, bytes, iov, 0, flags, &needs_flush);
    return qcow_write_end(bs, ret, needs_flush);
}
