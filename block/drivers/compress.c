/* SPDX-License-Identifier: MIT */
/*
 * compress: a filter above an image. What is written through it is stored compressed.
 *
 * Compressed data comes in whole clusters, so the filter asks for requests of that size: the core
 * reads the rest of a cluster that is written in part, with other writes kept out. So no write
 * may pass by the filter's node: compressed ones and zeros, which go down as they are, have
 * callbacks for that reason.
 */
#include <cairn/driver.h>

#include <errno.h>

/* ---- open ------------------------------------------------------------------------- */

static bool compress_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    const BlockDriverState *image;

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error)) {
        return false;
    }
    image = bdrv_skip_filters(bs);
    if (!image->drv->bdrv_co_pwritev_compressed) {
        cairn_set_error(error, ENOTSUP, "Compression is not supported for underlying format: %s",
                        image->drv->format_name);
        return false;
    }
    if (image->encrypted && !bs->read_only) {
        cairn_set_error(error, ENOTSUP,
                        "Compression and encryption not supported at the same time");
        return false;
    }
    bs->supported_write_flags = BDRV_REQ_FUA | BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK
        | BDRV_REQ_WRITE_UNCHANGED;
    return true;
}

static bool compress_refresh_limits(BlockDriverState *bs, GError **error)
{
    BlockDriverInfo info;

    if (bdrv_get_info(bs->file->bs, &info, NULL) && info.cluster_size > 0) {
        bs->bl.request_alignment = (uint32_t)info.cluster_size;
    }
    return true;
}

/* ---- data ---------------------------------------------------------------------------- */

/* The last cluster may reach past the image's end; what of it is there is compressed. */
static int coroutine_fn compress_write(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    int64_t length = bdrv_co_getlength(bs->file);
    g_auto(IOVector) part = { 0 };

    if (length < 0) {
        return (int)length;
    }
    if (offset + bytes <= length) {
        return bdrv_co_pwritev(bs->file, offset, bytes, iov, flags | BDRV_REQ_WRITE_COMPRESSED);
    }
    bytes = MAX(length - offset, 0);
    io_vector_slice(&part, iov, 0, (size_t)bytes);
    return bdrv_co_pwritev(bs->file, offset, bytes, &part, flags | BDRV_REQ_WRITE_COMPRESSED);
}

static int coroutine_fn compress_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov, int flags)
{
    return compress_write(bs, offset, bytes, iov, flags);
}

static int coroutine_fn compress_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                       int64_t bytes, const IOVector *iov)
{
    return compress_write(bs, offset, bytes, iov, 0);
}

static int coroutine_fn compress_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                                  int64_t bytes, int flags)
{
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

const BlockDriver bdrv_compress = {
    .format_name            = "compress",
    .is_filter              = true,
    .bdrv_open              = compress_open,
    .bdrv_refresh_limits    = compress_refresh_limits,
    .bdrv_co_pwritev        = compress_co_pwritev,
    .bdrv_co_pwritev_compressed = compress_co_pwritev_compressed,
    .bdrv_co_pwrite_zeroes  = compress_co_pwrite_zeroes,
};
