/* SPDX-License-Identifier: MIT */
/*
 * Unmapping, and writing of zeros.
 *
 * 1. A cluster is unmapped only where no backing data can show through it.
 * 2. The change is made in memory, in one hold of the lock, when no claim is on the cluster; it is
 *    pending until a flush. The space is freed then, and punched after that flush (pin.c).
 * 3. Barrier 0 comes before the first unmapping.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

/* In one hold of the lock: sets the entries of @n clusters from @offset on to 0. */
static void unmap_entries_locked(QcowState *s, QcowTable *t, int64_t offset, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        int64_t guest = offset + k * s->g.cluster_size;
        uint64_t raw = t->entries[qcow_l2_index(&s->g, guest)];

        if (raw && qcow_entry_decode(raw, s->g.cluster_bits).kind != QCOW_BAD) {
            qcow_publish_locked(s, t, guest, 0);
        }
    }
}

int coroutine_fn qcow_unmap(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    QcowState *s = bs->opaque;
    QcowTable *t;
    int ret = qcow_barrier0(bs);

    if (ret < 0) {
        return ret;
    }
    g_mutex_lock(&s->lock);
    for (;;) {
        ret = qcow_l2_get_locked(bs, qcow_l1_index(&s->g, offset), &t);
        if (ret < 0 || !t || !qcow_is_claimed_locked(s, offset, bytes)) {
            break;
        }
        co_queue_wait_thread(&s->claim_waiters, &s->lock);
    }
    if (ret == 0 && t) {
        if (!qcow_table_may_change_locked(s, t)) {
            ret = -EIO;
        } else if (!qcow_l2_reserve_pending_locked(s, t)) {
            ret = -ENOMEM;
        } else {
            qcow_table_ref_locked(s, t);
            unmap_entries_locked(s, t, offset, DIV_ROUND_UP(bytes, s->g.cluster_size));
            qcow_table_unref_locked(s, t);
        }
    }
    g_mutex_unlock(&s->lock);
    return ret;
}

/* The whole clusters of a range; the disk's end counts as the end of a cluster. *@bytes 0: none. */
static void whole_clusters(const QcowState *s, int64_t *offset, int64_t *bytes)
{
    int64_t end = *offset + *bytes;

    *offset = ROUND_UP_TO(*offset, s->g.cluster_size);
    if (end < s->g.size) {
        end = ROUND_DOWN_TO(end, s->g.cluster_size);
    }
    *bytes = MAX(end - *offset, 0);
}

/* ---- discard ---- */

int coroutine_fn qcow_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    QcowState *s = bs->opaque;
    int64_t shows = qcow_backing_shows(bs, offset, bytes);
    int ret = shows < 0 ? (int)shows : qcow_write_begin(bs, offset + bytes);

    offset += MAX(shows, 0);
    bytes -= MAX(shows, 0);
    whole_clusters(s, &offset, &bytes);
    while (ret == 0 && bytes > 0) {
        int64_t n = MIN(bytes, s->g.l2_span - (offset & (s->g.l2_span - 1)));
        QcowRun run;

        g_mutex_lock(&s->lock);
        ret = qcow_map_locked(bs, offset, n, &run);
        g_mutex_unlock(&s->lock);
        if (ret == 0 && run.kind == QCOW_NONE) {
            n = run.bytes;
        } else if (ret == 0) {
            ret = qcow_unmap(bs, offset, n);
        }
        offset += n;
        bytes -= n;
    }
    return qcow_write_end(bs, ret, false);
}

/* ---- zeros ---- */

static int64_t coroutine_fn zero_by_writing(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            int flags, bool *needs_flush)
{
    int ret;

    if (flags & BDRV_REQ_NO_FALLBACK) {
        return -ENOTSUP;
    }
    ret = qcow_write(bs, offset, bytes, NULL, 0, flags & BDRV_REQ_FUA, needs_flush);
    return ret < 0 ? ret : bytes;
}

/* Nothing is mapped there. Bytes dealt with, or -errno. */
static int64_t coroutine_fn zero_unmapped(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          int flags, bool *needs_flush)
{
    int64_t shows = qcow_backing_shows(bs, offset, bytes);
    int64_t pnum = shows, map;
    BlockDriverState *file;
    int ret = 0;

    if (shows <= 0) {
        return shows < 0 ? shows : bytes;
    }
    if (bs->backing) {
        ret = bdrv_co_block_status(bs->backing, true, offset, shows, &pnum, &map, &file);
    }
    if (ret < 0 || pnum <= 0) {
        return ret < 0 ? ret : -EIO;
    }
    pnum = MIN(pnum, shows);
    return ret & BDRV_BLOCK_ZERO ? pnum
                                 : zero_by_writing(bs, offset, pnum, flags, needs_flush);
}

/* Something is mapped at @offset, for @bytes, within one L2 table. */
static int64_t coroutine_fn zero_mapped(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        int flags, bool *needs_flush)
{
    QcowState *s = bs->opaque;
    int64_t whole = offset, whole_bytes = bytes;
    int64_t shows = qcow_backing_shows(bs, offset, bytes);
    int ret;

    if (shows < 0) {
        return shows;
    }
    whole_clusters(s, &whole, &whole_bytes);
    if (QCOW_MUTANT(UNMAPS_OVER_BACKING) && whole_bytes >= bytes) {
        shows = 0;
    }
    if (!(flags & BDRV_REQ_MAY_UNMAP) || shows > 0 || whole_bytes == 0) {
        return zero_by_writing(bs, offset, shows > 0 ? shows : bytes, flags, needs_flush);
    }
    if (whole > offset) {               /* up to the first whole cluster */
        return zero_by_writing(bs, offset, whole - offset, flags, needs_flush);
    }
    ret = qcow_unmap(bs, whole, whole_bytes);
    *needs_flush |= (flags & BDRV_REQ_FUA) && !QCOW_MUTANT(FUA_OF_UNMAPPING_IGNORED);
    return ret < 0 ? ret : whole_bytes;
}

int coroutine_fn qcow_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       int flags)
{
    QcowState *s = bs->opaque;
    bool needs_flush = false;
    int64_t n = qcow_write_begin(bs, offset + bytes);

    while (n >= 0 && bytes > 0) {
        QcowRun run;

        g_mutex_lock(&s->lock);
        n = qcow_map_locked(bs, offset, bytes, &run);
        g_mutex_unlock(&s->lock);
        if (n == 0 && run.kind == QCOW_BAD) {
            n = -EIO;                   /* unmapping leaves such an entry as it is */
        } else if (n == 0) {
            /* what was unmapped before may still show after a crash */
            needs_flush |= (flags & BDRV_REQ_FUA) && run.kind == QCOW_NONE && run.is_pending
                && !QCOW_MUTANT(FUA_OVER_UNMAPPED_IGNORED);
            n = run.kind == QCOW_NONE
                ? zero_unmapped(bs, offset, run.bytes, flags, &needs_flush)
                : zero_mapped(bs, offset, run.bytes, flags, &needs_flush);
        }
        if (n > 0) {
            offset += n;
            bytes -= n;
        }
    }
    return qcow_write_end(bs, n < 0 ? (int)n : 0, needs_flush);
}
