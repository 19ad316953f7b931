/* SPDX-License-Identifier: MIT */
/*
 * Which writes run, so that a read-modify-write of whole blocks has them for itself.
 *
 * 1. A write waits only for writes that arrived before it: no two wait for each other, and none
 *    starves.
 * 2. On a node whose alignment is 1 nothing is read to be written back, so its writes need no
 *    tracking: they are only counted. One that serialises there (a guarded first sector,
 *    copy-on-read) first announces itself, then waits until the count is 0; a write first counts
 *    itself, then looks for the announcement. Both are sequentially consistent, so at least one
 *    sees the other.
 * 3. Reads are not tracked: the bytes around a write are written back as they were.
 * 4. A write that a coroutine makes inside a range that it has claimed itself (copy-up.c) is part
 *    of that claim.
 */
#include "block/io/io-int.h"

void bdrv_node_io_init(BlockDriverState *bs)
{
    BdrvNodePrivate *p = bs->priv;

    g_mutex_init(&p->reqs_lock);
    g_queue_init(&p->tracked);
    co_queue_init(&p->serial_waiters);
    p->length = -1;
}

void bdrv_node_io_cleanup(BlockDriverState *bs)
{
    g_assert(g_queue_is_empty(&bs->priv->tracked));
    g_mutex_clear(&bs->priv->reqs_lock);
}

static void overlap_leave_untracked(BdrvNodePrivate *p)
{
    if (g_atomic_int_dec_and_test(&p->untracked) && g_atomic_int_get(&p->serialising)) {
        g_mutex_lock(&p->reqs_lock);
        co_queue_restart_all(&p->serial_waiters);
        g_mutex_unlock(&p->reqs_lock);
    }
}

static bool overlap_conflicts(const BdrvTrackedRequest *a, const BdrvTrackedRequest *b)
{
    return (a->is_serialising || b->is_serialising) && a->offset < b->offset + b->bytes
        && b->offset < a->offset + a->bytes;
}

/* With reqs_lock held. */
static bool overlap_must_wait(BdrvNodePrivate *p, BdrvTrackedRequest *req)
{
    if (req->is_serialising && g_atomic_int_get(&p->untracked)) {
        return true;
    }
    if (!g_atomic_int_get(&p->serialising)) {
        return false;
    }
    for (GList *l = req->link.prev; l; l = l->prev) {
        if (overlap_conflicts(req, l->data)) {
            return true;
        }
    }
    return false;
}

/* Rule 4. Only this coroutine could end the claim. */
static bool overlap_is_in_own_claim(BdrvNodePrivate *p, const BdrvTrackedRequest *req)
{
    bool is_inside = false;

    if (!g_atomic_int_get(&p->serialising)) {
        return false;
    }
    g_mutex_lock(&p->reqs_lock);
    for (GList *l = p->tracked.head; l && !is_inside; l = l->next) {
        const BdrvTrackedRequest *claim = l->data;

        is_inside = claim->is_serialising && claim->co == req->co
            && claim->offset <= req->offset
            && req->offset + req->bytes <= claim->offset + claim->bytes;
    }
    g_mutex_unlock(&p->reqs_lock);
    return is_inside;
}

static void overlap_grow(BdrvTrackedRequest *req, int64_t align)
{
    int64_t stop = ROUND_UP_TO(req->offset + req->bytes, align);

    req->offset = ROUND_DOWN_TO(req->offset, align);
    req->bytes = stop - req->offset;
}

void coroutine_fn tracked_request_begin(BdrvTrackedRequest *req, BlockDriverState *bs,
                                        int64_t offset, int64_t bytes, int64_t align,
                                        bool serialise)
{
    BdrvNodePrivate *p = bs->priv;

    *req = (BdrvTrackedRequest){
        .bs = bs, .offset = offset, .bytes = bytes, .is_serialising = serialise,
        .co = coroutine_self(),
    };
    if (!serialise && bs->bl.request_alignment <= 1) {
        g_atomic_int_inc(&p->untracked);
        if (!g_atomic_int_get(&p->serialising)) {
            return;
        }
        overlap_leave_untracked(p);
    }
    if (serialise) {
        overlap_grow(req, align);
    }
    req->is_in_claim = overlap_is_in_own_claim(p, req);
    if (req->is_in_claim) {
        return;
    }
    req->is_tracked = true;
    req->link.data = req;
    g_mutex_lock(&p->reqs_lock);
    g_queue_push_tail_link(&p->tracked, &req->link);
    if (serialise) {
        g_atomic_int_inc(&p->serialising);
    }
    while (overlap_must_wait(p, req)) {
        co_queue_wait_thread(&p->serial_waiters, &p->reqs_lock);
    }
    g_mutex_unlock(&p->reqs_lock);
}

void tracked_request_end(BdrvTrackedRequest *req)
{
    BdrvNodePrivate *p = req->bs->priv;

    if (req->is_in_claim) {
        return;
    }
    if (!req->is_tracked) {
        overlap_leave_untracked(p);
        return;
    }
    g_mutex_lock(&p->reqs_lock);
    g_queue_unlink(&p->tracked, &req->link);
    if (req->is_serialising) {
        g_atomic_int_add(&p->serialising, -1);
    }
    co_queue_restart_all(&p->serial_waiters);
    g_mutex_unlock(&p->reqs_lock);
}

/* ---- of drivers ------------------------------------------------------------------ */

struct BdrvClaim {
    BdrvTrackedRequest req;
};

BdrvClaim *coroutine_fn bdrv_co_claim(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    BdrvClaim *claim = g_new(BdrvClaim, 1);

    tracked_request_begin(&claim->req, bs, offset, bytes, bs->bl.request_alignment, true);
    return claim;
}

void bdrv_release(BdrvClaim *claim)
{
    tracked_request_end(&claim->req);
    g_free(claim);
}
