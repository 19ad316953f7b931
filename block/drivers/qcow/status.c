/* SPDX-License-Identifier: MIT */
/*
 * Block status: runs as long as the tables in memory, and a few more, can tell.
 */
#include "block/drivers/qcow/qcow.h"

#define STATUS_MAX_TABLES 64            /* looked into for one answer */

typedef struct StatusWalk {
    QcowRun first;
    int64_t offset, end;        /* what is left */
    bool needs_host;            /* the run must be contiguous in the file too */
} StatusWalk;

/* Unmapped: also over L1 entries without tables, many at once. */
static int coroutine_fn status_skip_empty_locked(BlockDriverState *bs, StatusWalk *w)
{
    QcowState *s = bs->opaque;
    int64_t left;
    int64_t n;

    if (w->offset & (s->g.l2_span - 1)) {
        return 0;
    }
    left = DIV_ROUND_UP(w->end - w->offset, s->g.l2_span);
    n = qcow_l1_empty_run_locked(bs, qcow_l1_index(&s->g, w->offset), (uint32_t)left);
    if (n > 0) {
        w->offset = MIN(w->end, w->offset + n * s->g.l2_span);
    }
    return n < 0 ? (int)n : 0;
}

static bool status_continues(const StatusWalk *w, const QcowRun *run, int64_t start)
{
    if (run->kind != w->first.kind) {
        return false;
    }
    return run->kind != QCOW_PLAIN || !w->needs_host ||
           run->host == w->first.host + (w->offset - start);
}

/* A run that ends inside a table ends there because what follows is of another kind, or elsewhere. */
static bool status_is_whole(const QcowState *s, const StatusWalk *w)
{
    return (w->offset & (s->g.l2_span - 1)) != 0 &&
           (w->first.kind == QCOW_NONE || (w->first.kind == QCOW_PLAIN && w->needs_host));
}

static int coroutine_fn status_walk_locked(BlockDriverState *bs, int64_t offset, StatusWalk *w)
{
    QcowState *s = bs->opaque;
    int tables = 0;
    int ret = 0;

    while (w->offset < w->end && tables < STATUS_MAX_TABLES) {
        QcowRun run;

        if (w->first.kind == QCOW_NONE && w->offset > offset) {
            ret = status_skip_empty_locked(bs, w);
            if (ret < 0 || w->offset >= w->end) {
                break;
            }
        }
        ret = qcow_map_locked(bs, w->offset, w->end - w->offset, &run);
        if (ret < 0) {
            break;
        }
        if (w->offset == offset) {
            w->first = run;
        } else if (!status_continues(w, &run, offset)) {
            break;
        }
        w->offset += run.bytes;
        if (status_is_whole(s, w)) {
            break;
        }
        tables += (w->offset & (s->g.l2_span - 1)) == 0;
    }
    return w->offset > offset ? 0 : ret;
}

/*
 * The part of a run, in sectors, that the file was cut off before; @w is cut to where the answer
 * holds. 1, 0, -errno.
 */
static int coroutine_fn status_find_lost_locked(BlockDriverState *bs, int64_t offset, StatusWalk *w)
{
    QcowState *s = bs->opaque;
    int64_t bytes = w->offset - offset, there;
    int ret = 0;

    if (w->first.kind == QCOW_NONE && qcow_may_have_lost_locked(s)) {
        ret = qcow_lost_run_locked(bs, offset, &bytes);
    } else if (w->first.kind == QCOW_PLAIN && s->end_at_open != INT64_MAX) {
        there = ROUND_DOWN_TO(CLAMP(s->end_at_open - w->first.host, 0, bytes), 512);
        ret = there == 0;
        bytes = there ? there : bytes;
    }
    w->offset = offset + bytes;
    return ret;
}

int coroutine_fn qcow_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                      int64_t bytes, int64_t *pnum, int64_t *map,
                                      BlockDriverState **file)
{
    QcowState *s = bs->opaque;
    StatusWalk w = { .offset = offset, .end = offset + bytes };
    int ret, lost = 0;

    g_mutex_lock(&s->lock);
    w.needs_host = s->header.crypt == QCOW_CRYPT_NONE || s->end_at_open != INT64_MAX;
    ret = status_walk_locked(bs, offset, &w);
    if (ret == 0) {
        ret = lost = status_find_lost_locked(bs, offset, &w);
    }
    g_mutex_unlock(&s->lock);
    if (ret < 0) {
        return ret;
    }
    lost = lost ? BDRV_BLOCK_LOST : 0;
    *pnum = w.offset - offset;
    *file = NULL;
    switch (w.first.kind) {
    case QCOW_NONE:
        return lost;
    case QCOW_PLAIN:
        if (s->header.crypt != QCOW_CRYPT_NONE) {
            return BDRV_BLOCK_DATA | lost;
        }
        *map = w.first.host;
        *file = bs->file->bs;
        return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID | lost;
    case QCOW_STREAM:
        return BDRV_BLOCK_DATA | BDRV_BLOCK_COMPRESSED;
    default:
        return BDRV_BLOCK_DATA;         /* reading it fails */
    }
}
