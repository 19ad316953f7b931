/* SPDX-License-Identifier: MIT */
/*
 * Flushes.
 *
 * 1. flushed_gen is a value that write_gen had before a flush began that succeeded: where both are
 *    equal nothing has ended since, and there is nothing to do.
 * 2. cache.no-flush leaves out the host's sync (that of protocol nodes), never a format's own order
 *    of writes.
 */
#include "block/io-int.h"

static int coroutine_fn flush_children(BlockDriverState *bs)
{
    GPtrArray *children = bs->priv->children;
    int result = 0;

    for (guint i = 0; i < children->len; i++) {
        BdrvChild *child = g_ptr_array_index(children, i);
        int ret = 0;

        if (child->role & (BDRV_CHILD_DATA | BDRV_CHILD_METADATA | BDRV_CHILD_FILTERED)) {
            ret = bdrv_co_flush_bs(child->bs);
        }
        if (ret < 0 && result == 0) {
            result = ret;
        }
    }
    return result;
}

static int coroutine_fn flush_driver(BlockDriverState *bs)
{
    if (bs->drv->protocol_name && bs->open_flags & BLK_O_NO_FLUSH) {
        return 0;
    }
    if (bs->drv->bdrv_co_flush) {
        return bs->drv->bdrv_co_flush(bs);
    }
    return flush_children(bs);
}

/* flushed_gen never goes back; generations wrap around. */
static void flush_note(BdrvNodePrivate *p, gint gen)
{
    gint old = g_atomic_int_get(&p->flushed_gen);

    while ((gint)((guint)gen - (guint)old) > 0
           && !g_atomic_int_compare_and_exchange(&p->flushed_gen, old, gen)) {
        old = g_atomic_int_get(&p->flushed_gen);
    }
}

int coroutine_fn bdrv_co_flush_bs(BlockDriverState *bs)
{
    BdrvNodePrivate *p = bs->priv;
    gint gen = g_atomic_int_get(&p->write_gen);
    int ret;

    if (bs->read_only || gen == g_atomic_int_get(&p->flushed_gen)) {
        return 0;
    }
    ret = flush_driver(bs);
    if (ret >= 0) {
        flush_note(p, gen);
    }
    return MIN(ret, 0);
}

int coroutine_fn bdrv_co_flush(BdrvChild *child)
{
    return bdrv_co_flush_bs(child->bs);
}
