/* SPDX-License-Identifier: MIT */
/*
 * A node whose format was guessed to be raw stays one that is guessed to be raw: a write that would
 * make its first sector look like an image format is refused. Else a guest could turn its disk into
 * an image that names files of the host, and the next guess would follow them.
 *
 * Guarded writes serialise (overlap.c): two of them cannot put one half of a magic each.
 */
#include "block/io/io-int.h"

#include <errno.h>

bool io_is_guarded(BlockDriverState *bs, int64_t offset)
{
    return G_UNLIKELY(bs->probed) && offset < BDRV_SECTOR_SIZE
        && g_str_equal(bs->drv->format_name, "raw");
}

int coroutine_fn io_guard_check(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                const IOVector *iov)
{
    int64_t n = MIN(bytes, BDRV_SECTOR_SIZE - offset);
    uint8_t *sector;
    const BlockDriver *drv;
    const char *unsupported = NULL;
    int score, ret = 0;

    sector = bdrv_buffer_alloc(bs, BDRV_SECTOR_SIZE);
    if (!sector) {
        return -ENOMEM;
    }
    if (n < BDRV_SECTOR_SIZE) {
        ret = io_read_buffer(bs, 0, BDRV_SECTOR_SIZE, sector);
    }
    if (ret >= 0) {
        if (iov) {
            io_vector_to_buf(iov, sector + offset, n);
        } else {
            memset(sector + offset, 0, n);
        }
        drv = bdrv_probe_format(bs->priv->ctx, sector, BDRV_SECTOR_SIZE, "", &score, &unsupported);
        ret = drv == bs->drv && !unsupported ? 0 : -EPERM;
    }
    bdrv_buffer_free(sector);
    return ret;
}
