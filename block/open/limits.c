/* SPDX-License-Identifier: MIT */
/*
 * A node's limits: what a request to its driver may look like. They start from defaults, take
 * over what the child that carries the data says about memory, and are then the driver's to set.
 *
 * A filter takes requests of any alignment: they are brought into form where that is asked for, by
 * one node only, which then has the blocks to itself.
 */
#include "block/block-int.h"

#include <limits.h>

#include "util/cutils.h"

enum { ALIGNMENT_MAX = 1 << 20 };

void bdrv_reset_limits(BlockDriverState *bs)
{
    bs->bl = (BlockLimits) {
        .request_alignment = 1,
        .mem_alignment = 1,
        .max_iov = IOV_MAX,
    };
}

/* Buffers and their number pass through a driver unchanged, so they are bound from below. */
static void limits_take_over(BlockDriverState *bs, const BdrvChild *child)
{
    const BlockLimits *from = &child->bs->bl;

    bs->bl.mem_alignment = MAX(bs->bl.mem_alignment, from->mem_alignment);
    bs->bl.max_iov = MIN(bs->bl.max_iov, from->max_iov);
    bs->bl.opt_transfer = MAX(bs->bl.opt_transfer, from->opt_transfer);
}

uint32_t bdrv_alignment(BlockDriverState *bs)
{
    uint32_t align = bs->bl.request_alignment;
    BdrvChild *below;

    while ((below = bdrv_filtered_child(bs))) {
        bs = below->bs;
        align = MAX(align, bs->bl.request_alignment);
    }
    return align;
}

static void limits_merge_children(BlockDriverState *bs)
{
    for (guint i = 0; i < bs->priv->children->len; i++) {
        const BdrvChild *child = bs->priv->children->pdata[i];

        if (!(child->role & BDRV_CHILD_COW)) {
            limits_take_over(bs, child);
        }
        if (child == bs->file && !bs->drv->is_filter) {
            bs->bl.request_alignment = bdrv_alignment(child->bs);
        }
    }
}

static bool limits_check(BlockDriverState *bs, GError **error)
{
    const BlockLimits *bl = &bs->bl;

    if (!is_power_of_2(bl->request_alignment) || bl->request_alignment > ALIGNMENT_MAX
        || !is_power_of_2(bl->mem_alignment)) {
        cairn_set_error(error, EINVAL, "Driver '%s' asks for an alignment of %u bytes",
                        bs->drv->format_name, bl->request_alignment);
        return false;
    }
    return true;
}

bool bdrv_refresh_limits(BlockDriverState *bs, GError **error)
{
    bdrv_reset_limits(bs);
    limits_merge_children(bs);
    if (bs->drv->bdrv_refresh_limits && !bs->drv->bdrv_refresh_limits(bs, error)) {
        return false;
    }
    return limits_check(bs, error);
}
