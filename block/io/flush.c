/* SPDX-License-Identifier: MIT */
/*
 * Flushes.
 *
 * 1. flushed_gen is a value that write_gen had before a flush began that succeeded: where both are
 *    equal nothing has ended since, and there is nothing to do. A filter asks its children even
 *    then: it may have come after the writes.
 * 2. The node whose data is flushed, if it stands below another, hears flush_to_os of every flush
 *    of that one, flush_to_disk where there is something to do and flushes are not ignored.
 * 3. cache.no-flush leaves out the host's sync (that of protocol nodes), never a format's own order
 *    of writes.
 */
#include "block/io/io-int.h"

static bool flush_reaches(const BdrvChild *child)
{
    return child->role & (BDRV_CHILD_DATA | BDRV_CHILD_METADATA | BDRV_CHILD_FILTERED);
}

static int coroutine_fn flush_children(BlockDriverState *bs)
{
    GPtrArray *children = bs->priv->children;
    int result = 0;

    for (guint i = 0; i < children->len; i++) {
        BdrvChild *child = g_ptr_array_index(children, i);
        int ret = 0;

        if (flush_reaches(child)) {
            ret = bdrv_co_flush_bs(child->bs);
        }
        if (ret < 0 && result == 0) {
            result = ret;
        }
    }
    return result;
}

/* A filter stands at the bottom by its name only: formats may stand below it. */
static int coroutine_fn flush_driver(BlockDriverState *bs)
{
    if (bs->drv->protocol_name && !bs->drv->is_filter && bs->open_flags & BLK_O_NO_FLUSH) {
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

static void coroutine_fn flush_announce(BlockDriverState *bs, const char *event)
{
    BdrvChild *child = bs->file ? bs->file : bdrv_filtered_child(bs);

    if (child) {
        bdrv_co_debug_event(child->bs, event);
    }
}

int coroutine_fn bdrv_co_flush_bs(BlockDriverState *bs)
{
    BdrvNodePrivate *p = bs->priv;
    gint gen;
    int ret;

    if (bs->read_only) {
        return 0;
    }
    flush_announce(bs, "flush_to_os");
    gen = g_atomic_int_get(&p->write_gen);
    if (gen == g_atomic_int_get(&p->flushed_gen)) {
        return bs->drv->is_filter ? flush_children(bs) : 0;
    }
    if (!(bs->open_flags & BLK_O_NO_FLUSH)) {
        flush_announce(bs, "flush_to_disk");
    }
    ret = flush_driver(bs);
    if (ret >= 0) {
        flush_note(p, gen);
    }
    return MIN(ret, 0);
}

void bdrv_child_expect_flush(BdrvChild *child)
{
    GPtrArray *children = child->bs->priv->children;

    g_atomic_int_inc(&child->bs->priv->write_gen);
    for (guint i = 0; i < children->len; i++) {
        if (flush_reaches(g_ptr_array_index(children, i))) {
            bdrv_child_expect_flush(g_ptr_array_index(children, i));
        }
    }
}

int coroutine_fn bdrv_co_flush(BdrvChild *child)
{
    return bdrv_co_flush_bs(child->bs);
}
