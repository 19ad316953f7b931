/* SPDX-License-Identifier: MIT */
/*
 * Block status: of one node, and of a node with its backing files.
 *
 * 1. A driver is asked inside the node's true length only, in whole blocks of its alignment; the
 *    rest of the last 512 bytes of a node reads as zeros.
 * 2. What a node leaves to a backing file that is missing, or too short to reach it, is zero; such
 *    zeros are not ALLOCATED, and their depth is that of the lowest layer that covers them. A node
 *    without backing files that says nothing of a range is taken at its word.
 */
#include "block/io/io-int.h"

#include <errno.h>

typedef struct StatusAnswer {
    int64_t pnum, map;
    BlockDriverState *file;
} StatusAnswer;

/* The driver's own answer, cut to the range. */
static int coroutine_fn status_of_driver(BlockDriverState *bs, bool want_zero, int64_t offset,
                                         int64_t bytes, StatusAnswer *a)
{
    int64_t start = io_align_down(bs, offset), stop = io_align_up(bs, offset + bytes);
    BdrvChild *child = bdrv_filtered_child(bs);
    int ret;

    *a = (StatusAnswer){ .pnum = bytes, .map = offset };
    if (!bs->drv->bdrv_co_block_status) {
        a->file = child ? child->bs : bs;
        return BDRV_BLOCK_OFFSET_VALID | (child ? BDRV_BLOCK_RAW : BDRV_BLOCK_DATA);
    }
    ret = bs->drv->bdrv_co_block_status(bs, want_zero, start, stop - start, &a->pnum, &a->map,
                                        &a->file);
    if (ret < 0) {
        return ret;
    }
    g_assert(a->pnum > offset - start);
    a->pnum = MIN(a->pnum - (offset - start), bytes);
    a->map += offset - start;
    return ret;
}

/* The child answers in the node's place: a filter's as it is, else with its whole chain. */
static int coroutine_fn status_of_raw(BlockDriverState *bs, bool want_zero, StatusAnswer *a)
{
    int64_t wanted = a->pnum;
    BlockStatus chain;
    BdrvChild *child;
    int ret;

    if (bs->drv->is_filter || !bs->file || bs->file->bs != a->file) {
        ret = bdrv_co_status_bs(a->file, want_zero, a->map, wanted, &a->pnum, &a->map, &a->file);
    } else {
        child = bs->file;
        ret = bdrv_co_block_status_chain_file(child->bs, want_zero, a->map, wanted, &chain,
                                              &a->file);
        if (ret >= 0) {
            a->pnum = chain.bytes;
            a->map = chain.host_offset;
            ret = chain.flags;
            ret |= ret & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO) ? BDRV_BLOCK_ALLOCATED : 0;
        }
    }
    if (ret >= 0 && !a->pnum) {
        a->pnum = wanted;
        a->file = NULL;
        ret = BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
    }
    return ret;
}

/* A data range of a format may be a hole of the file below. */
static int coroutine_fn status_recurse(BlockDriverState *bs, int flags, StatusAnswer *a)
{
    StatusAnswer below;
    int ret;

    if (a->file == bs) {
        return flags;
    }
    ret = bdrv_co_status_bs(a->file, true, a->map, a->pnum, &below.pnum, &below.map, &below.file);
    if (ret < 0) {
        return flags;           /* a hint that is not to be had */
    }
    if (!below.pnum || (ret & BDRV_BLOCK_EOF && ret & BDRV_BLOCK_ZERO)) {
        return flags | BDRV_BLOCK_ZERO;
    }
    a->pnum = below.pnum;
    return flags | (ret & BDRV_BLOCK_ZERO);
}

/* Whether nothing below @bs reaches @offset: then what the node does not hold is zero. */
static int coroutine_fn status_is_uncovered(BlockDriverState *bs, int64_t offset)
{
    int64_t length;

    if (!bs->backing) {
        return true;
    }
    length = bdrv_co_getlength_bs(bs->backing->bs);
    if (length < 0) {
        return length;
    }
    return offset >= ROUND_UP_TO(length, BDRV_SECTOR_SIZE);
}

static int coroutine_fn status_inside(BlockDriverState *bs, bool want_zero, int64_t offset,
                                      int64_t bytes, StatusAnswer *a)
{
    const int recurse = BDRV_BLOCK_RECURSE | BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
    int flags = status_of_driver(bs, want_zero, offset, bytes, a);
    int uncovered;

    if (flags < 0) {
        return flags;
    }
    if (flags & BDRV_BLOCK_RAW) {
        return status_of_raw(bs, want_zero, a);
    }
    if (flags & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO)) {
        flags |= BDRV_BLOCK_ALLOCATED;
    } else if (want_zero && bs->drv->supports_backing && !(flags & BDRV_BLOCK_ALLOCATED)) {
        uncovered = status_is_uncovered(bs, offset);
        if (uncovered < 0) {
            return uncovered;
        }
        flags |= uncovered ? BDRV_BLOCK_ZERO : 0;
    }
    if (want_zero && (flags & recurse) == recurse && a->file) {
        flags = status_recurse(bs, flags, a);
    }
    return flags;
}

int coroutine_fn bdrv_co_status_bs(BlockDriverState *bs, bool want_zero, int64_t offset,
                                   int64_t bytes, int64_t *pnum, int64_t *map,
                                   BlockDriverState **file)
{
    int64_t length = bdrv_co_getlength_bs(bs), limit;
    StatusAnswer a = { .map = offset };
    int flags;

    *pnum = 0;
    if (length < 0) {
        return length;
    }
    limit = ROUND_UP_TO(length, BDRV_SECTOR_SIZE);
    if (offset < 0 || bytes < 0 || offset > limit) {
        return -EINVAL;
    }
    bytes = MIN(bytes, limit - offset);
    if (!bytes) {
        return offset == limit ? BDRV_BLOCK_EOF : 0;
    }
    if (offset < length) {
        flags = status_inside(bs, want_zero, offset, MIN(bytes, length - offset), &a);
    } else {
        a = (StatusAnswer){ .pnum = bytes, .map = offset, .file = bs };
        flags = BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_OFFSET_VALID;
    }
    if (flags < 0) {
        return flags;
    }
    flags &= ~(BDRV_BLOCK_RAW | BDRV_BLOCK_RECURSE | BDRV_BLOCK_EOF);
    *pnum = a.pnum;
    *map = a.map;
    *file = flags & BDRV_BLOCK_OFFSET_VALID ? a.file : NULL;
    return flags | (offset + a.pnum == limit ? BDRV_BLOCK_EOF : 0);
}

int coroutine_fn bdrv_co_block_status(BdrvChild *child, bool want_zero, int64_t offset,
                                      int64_t bytes, int64_t *pnum, int64_t *map,
                                      BlockDriverState **file)
{
    int64_t any_map;
    BlockDriverState *any_file;

    return bdrv_co_status_bs(child->bs, want_zero, offset, bytes, pnum, map ? map : &any_map,
                             file ? file : &any_file);
}

/* ---- the chain ----------------------------------------------------------------- */

/* The layer below, or NULL where @offset is beyond it. -errno. */
static int coroutine_fn status_next_layer(BlockDriverState **bs, int64_t offset)
{
    BlockDriverState *layer = bdrv_skip_filters(*bs);
    int uncovered;

    *bs = NULL;
    uncovered = status_is_uncovered(layer, offset);
    if (uncovered < 0) {
        return uncovered;
    }
    if (!uncovered) {
        *bs = layer->backing->bs;
    }
    return 0;
}

int coroutine_fn bdrv_co_block_status_chain_file(BlockDriverState *bs, bool want_zero,
                                                 int64_t offset, int64_t bytes,
                                                 BlockStatus *status, BlockDriverState **file)
{
    const int answered = BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
    int64_t stop_of_top = -1;
    int depth = 0, lost = 0, flags, ret;

    for (;;) {
        flags = bdrv_co_status_bs(bs, want_zero, offset, bytes, &status->bytes,
                                  &status->host_offset, file);
        if (flags < 0) {
            return flags;
        }
        if (flags & BDRV_BLOCK_LOST && !lost) {
            lost = BDRV_BLOCK_LOST;
            status->lost_depth = depth;
        }
        if (!depth && flags & BDRV_BLOCK_EOF) {
            stop_of_top = status->bytes;
        }
        if (!status->bytes || flags & answered) {
            break;
        }
        ret = status_next_layer(&bs, offset);
        if (ret < 0) {
            return ret;
        }
        if (!bs) {
            break;
        }
        bytes = status->bytes;
        depth++;
    }
    status->depth = depth;
    status->flags = (flags & ~BDRV_BLOCK_EOF) | lost;
    if (status->bytes == stop_of_top) {
        status->flags |= BDRV_BLOCK_EOF;
    }
    status->filename = flags & BDRV_BLOCK_OFFSET_VALID && *file ? (*file)->filename : NULL;
    return 0;
}

int coroutine_fn bdrv_co_block_status_chain(BdrvChild *child, bool want_zero, int64_t offset,
                                            int64_t bytes, BlockStatus *status)
{
    BlockDriverState *file;

    return bdrv_co_block_status_chain_file(child->bs, want_zero, offset, bytes, status, &file);
}
