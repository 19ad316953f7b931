/* SPDX-License-Identifier: MIT */
/*
 * How long a node is. The driver is asked; what it said last is kept, so that a request inside it
 * need not ask again.
 *
 * 1. The kept length only grows by requests: it may be too small (another user made the file
 *    longer), then the next request beyond it asks again. Only truncation, with no request under
 *    way, makes it smaller.
 * 2. Requests are checked against the length rounded up to 512: a raw file of 700 bytes is a disk
 *    of 1024.
 */
#include "block/io/io-int.h"

#define LENGTH_MAX (INT64_MAX - MiB)    /* rounding up to any alignment stays below 2^63 */

void bdrv_note_length(BlockDriverState *bs, int64_t bytes, bool exact)
{
    int64_t *length = &bs->priv->length;
    int64_t old = __atomic_load_n(length, __ATOMIC_RELAXED);

    if (exact) {
        __atomic_store_n(length, bytes, __ATOMIC_RELEASE);
        return;
    }
    while (bytes > old
           && !__atomic_compare_exchange_n(length, &old, bytes, true, __ATOMIC_RELEASE,
                                           __ATOMIC_RELAXED)) {
        /* another request grew it: look again */
    }
}

int64_t coroutine_fn bdrv_co_getlength_bs(BlockDriverState *bs)
{
    const BlockDriver *drv = bs->drv;
    BdrvChild *child = bs->file ? bs->file : bdrv_filtered_child(bs);
    int64_t length;

    if (drv->bdrv_co_getlength) {
        length = drv->bdrv_co_getlength(bs);
    } else {
        length = child ? bdrv_co_getlength_bs(child->bs) : -ENOTSUP;
    }
    if (length > LENGTH_MAX) {
        return -EFBIG;
    }
    if (length >= 0) {
        bdrv_note_length(bs, length, false);
    }
    return length;
}

int64_t coroutine_fn bdrv_co_getlength(BdrvChild *child)
{
    return bdrv_co_getlength_bs(child->bs);
}

int64_t coroutine_fn bdrv_co_limit(BlockDriverState *bs, int64_t wanted)
{
    int64_t length = __atomic_load_n(&bs->priv->length, __ATOMIC_ACQUIRE);

    if (length < wanted) {
        int64_t asked = bdrv_co_getlength_bs(bs);

        if (asked < 0) {
            return asked;
        }
        length = MAX(length, asked);
    }
    return ROUND_UP_TO(length, BDRV_SECTOR_SIZE);
}

int64_t coroutine_fn bdrv_co_get_allocated_file_size(BlockDriverState *bs)
{
    BdrvChild *child = bs->file ? bs->file : bdrv_filtered_child(bs);

    if (bs->drv->bdrv_co_get_allocated_file_size) {
        return bs->drv->bdrv_co_get_allocated_file_size(bs);
    }
    return child ? bdrv_co_get_allocated_file_size(child->bs) : -ENOTSUP;
}

/* ---- truncation ----------------------------------------------------------- */

static bool coroutine_fn length_driver_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                                PreallocMode prealloc, GError **error)
{
    BdrvChild *child = bdrv_filtered_child(bs);

    if (bs->drv->bdrv_co_truncate) {
        return bs->drv->bdrv_co_truncate(bs, bytes, exact, prealloc, error);
    }
    if (child) {
        return bdrv_co_truncate(child, bytes, exact, prealloc, error);
    }
    cairn_set_error(error, ENOTSUP, "Image format driver does not support resize");
    return false;
}

bool coroutine_fn bdrv_co_truncate(BdrvChild *child, int64_t bytes, bool exact,
                                   PreallocMode prealloc, GError **error)
{
    BlockDriverState *bs = child->bs;
    bool ok;

    g_assert(child->perm & BLK_PERM_RESIZE);
    if (bytes < 0) {
        cairn_set_error(error, EINVAL, "Image size cannot be negative");
        return false;
    }
    if (bytes > LENGTH_MAX) {
        cairn_set_error(error, EFBIG, "Image size is too large: at most %" G_GINT64_FORMAT " bytes",
                        LENGTH_MAX);
        return false;
    }
    if (bs->read_only) {
        cairn_set_error(error, EROFS, "Image is read-only");
        return false;
    }
    ok = length_driver_truncate(bs, bytes, exact, prealloc, error);
    /* Also a failed attempt may have changed it: ask at the next request. */
    bdrv_note_length(bs, -1, true);
    g_atomic_int_inc(&bs->priv->write_gen);
    return ok;
}
