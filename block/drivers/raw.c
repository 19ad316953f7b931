/* SPDX-License-Identifier: MIT */
/*
 * raw: the bytes of a file as a disk, or a part of them (offset, size). It has no metadata, so it
 * wants of its file just what its user wants of it, and lets others do what its user lets them do.
 *
 * The length is rounded up to whole sectors. Behind the end of the file the last sector reads as
 * zeros; writing there makes the file longer: both by the core's rules for requests that pass the
 * end of a node within its last sector.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <inttypes.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define RAW_PROBE_SCORE 1               /* what anything is that is nothing else */

typedef struct RawState {
    int64_t offset;             /* bytes: where the disk starts in the file */
    int64_t size;               /* bytes, a multiple of 512; -1: all that follows offset */
} RawState;

static int raw_probe(const uint8_t *buf, size_t bytes, const char *filename)
{
    return RAW_PROBE_SCORE;
}

/* ---- open -------------------------------------------------------------------- */

static bool raw_parse_size(QDict *opts, const char *name, int64_t fallback, int64_t *bytes,
                           GError **error)
{
    const QObject *value = qdict_get(opts, name);
    uint64_t number = 0;

    if (value && (!qobject_get_uint(value, &number) || number > INT64_MAX)) {
        cairn_set_error(error, EINVAL, "Parameter '%s' must be at most %" PRId64, name,
                        INT64_MAX);
        return false;
    }
    *bytes = value ? (int64_t)number : fallback;
    return true;
}

static bool raw_parse_options(RawState *s, QDict *opts, GError **error)
{
    if (!raw_parse_size(opts, "offset", 0, &s->offset, error) ||
        !raw_parse_size(opts, "size", -1, &s->size, error)) {
        return false;
    }
    if (s->size > 0 && s->size % BDRV_SECTOR_SIZE) {
        cairn_set_error(error, EINVAL, "Specified size is not multiple of %d", BDRV_SECTOR_SIZE);
        return false;
    }
    return true;
}

/* @length: of the file */
static bool raw_check_range(const RawState *s, int64_t length, GError **error)
{
    if (s->offset > length) {
        cairn_set_error(error, EINVAL, "Offset (%" PRId64 ") cannot be greater than size of the "
                        "containing file (%" PRId64 ")", s->offset, length);
        return false;
    }
    if (s->size >= 0 && !range_fits(s->offset, s->size, length)) {
        cairn_set_error(error, EINVAL, "The sum of offset (%" PRId64 ") and size (%" PRId64
                        ") has to be smaller or equal to the  actual size of the containing "
                        "file (%" PRId64 ")", s->offset, s->size, length);
        return false;
    }
    return true;
}

/* The file may end inside the last sector of the range. */
static bool raw_check_file(BlockDriverState *bs, const RawState *s, GError **error)
{
    int64_t length;

    if (s->offset == 0 && s->size < 0) {
        return true;
    }
    length = bdrv_getlength(bs->file);
    if (length < 0) {
        cairn_set_error_errno(error, -length, "Could not get image size");
        return false;
    }
    return raw_check_range(s, length, error);
}

/*
 * What the file can do with a request, raw can: it only moves it. The file may become another one.
 * It is also the file, if any, that reads blocks in order to write parts of them.
 */
static bool raw_refresh_limits(BlockDriverState *bs, GError **error)
{
    bs->bl.request_alignment = 1;
    bs->supported_write_flags = bs->file->bs->supported_write_flags & BDRV_REQ_FUA;
    bs->supported_zero_flags = bs->file->bs->supported_zero_flags &
                               (BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK);
    return true;
}

static bool raw_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    RawState *s = bs->opaque;

    if (!raw_parse_options(s, opts, error) ||
        !bdrv_open_child(bs, "file", BDRV_CHILD_DATA | BDRV_CHILD_PRIMARY, error) ||
        !raw_check_file(bs, s, error)) {
        return false;
    }
    return true;
}

/* ---- the graph ------------------------------------------------------------------ */

static void raw_child_perm(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                           const BlockReopenState *reopen, uint64_t perm, uint64_t shared,
                           uint64_t *nperm, uint64_t *nshared)
{
    *nperm = perm;
    *nshared = shared;
}

static bool raw_has_zero_init(BlockDriverState *bs)
{
    return bdrv_has_zero_init(bs->file->bs);
}

static bool raw_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error)
{
    return bdrv_get_info(bs->file->bs, info, error);
}

/* ---- data ----------------------------------------------------------------------- */

static int64_t coroutine_fn raw_co_getlength(BlockDriverState *bs)
{
    RawState *s = bs->opaque;
    int64_t length;

    if (s->size >= 0) {
        return s->size;
    }
    length = bdrv_co_getlength(bs->file);
    if (length < 0) {
        return length;
    }
    length = MAX(0, length - s->offset);
    return length > INT64_MAX - (BDRV_SECTOR_SIZE - 1) ? -EFBIG
                                                       : ROUND_UP_TO(length, BDRV_SECTOR_SIZE);
}

/* To the file's offset; a request that would pass 2^63 cannot be in the file. */
static bool raw_map(const RawState *s, int64_t *offset, int64_t bytes)
{
    if (!range_fits(*offset, bytes, INT64_MAX - s->offset)) {
        return false;
    }
    *offset += s->offset;
    return true;
}

static int coroutine_fn raw_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    if (!raw_map(bs->opaque, &offset, bytes)) {
        return -EIO;
    }
    bdrv_co_debug_event(bs->file->bs, "read_aio");
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

/* A disk of a given size does not reach into what follows it, however the request came. */
static int raw_map_write(const RawState *s, int64_t *offset, int64_t bytes)
{
    if (s->size >= 0 && !range_fits(*offset, bytes, s->size)) {
        return -ENOSPC;
    }
    return raw_map(s, offset, bytes) ? 0 : -EIO;
}

static int coroutine_fn raw_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    int ret = raw_map_write(bs->opaque, &offset, bytes);

    if (ret < 0) {
        return ret;
    }
    bdrv_co_debug_event(bs->file->bs, "write_aio");
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn raw_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                             int flags)
{
    int ret = raw_map_write(bs->opaque, &offset, bytes);

    return ret < 0 ? ret : bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn raw_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    int ret = raw_map_write(bs->opaque, &offset, bytes);

    return ret < 0 ? ret : bdrv_co_pdiscard(bs->file, offset, bytes);
}

static int coroutine_fn raw_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                            int64_t bytes, int64_t *pnum, int64_t *map,
                                            BlockDriverState **file)
{
    RawState *s = bs->opaque;

    *pnum = bytes;
    *map = offset + s->offset;
    *file = bs->file->bs;
    return BDRV_BLOCK_RAW | BDRV_BLOCK_OFFSET_VALID;
}

static int coroutine_fn raw_co_copy_range_from(BlockDriverState *bs, int64_t offset,
                                               BdrvChild *target, int64_t target_offset,
                                               int64_t bytes)
{
    if (!raw_map(bs->opaque, &offset, bytes)) {
        return -EIO;
    }
    return bdrv_co_copy_range_from(bs->file, offset, target, target_offset, bytes);
}

static int coroutine_fn raw_co_copy_range_to(BlockDriverState *bs, BlockDriverState *source,
                                             int64_t source_offset, int64_t offset,
                                             int64_t bytes)
{
    int ret = raw_map_write(bs->opaque, &offset, bytes);

    return ret < 0 ? ret : bdrv_co_copy_range_to(bs->file, source, source_offset, offset, bytes);
}

static bool coroutine_fn raw_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                         PreallocMode prealloc, GError **error)
{
    RawState *s = bs->opaque;

    if (s->size >= 0) {
        cairn_set_error(error, ENOTSUP, "Cannot resize fixed-size raw disks");
        return false;
    }
    if (bytes > INT64_MAX - s->offset) {
        cairn_set_error(error, EFBIG, "Disk size too large for the chosen offset");
        return false;
    }
    return bdrv_co_truncate(bs->file, bytes + s->offset, exact, prealloc, error);
}

/* ---- creation --------------------------------------------------------------------- */

/* The storage was made with the image's size: nothing is to be added. */
static bool coroutine_fn raw_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                       const QDict *options, GError **error)
{
    int64_t size = qdict_get_try_int(options, "size", 0);
    int64_t length = blk_co_getlength(file);

    if (length < 0) {
        cairn_set_error_errno(error, -length, "Could not get the length of '%s'",
                              target->filename);
        return false;
    }
    if (length < size) {
        cairn_set_error(error, EINVAL, "'%s' is shorter than the image", target->filename);
        return false;
    }
    return true;
}

static bool coroutine_fn raw_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                            GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(BlockBackend) file = bdrv_co_create_storage(target, opts, &local);

    if (g_error_matches(local, CAIRN_ERROR, EFBIG)) {
        cairn_set_error(error, EFBIG, "The image size is too large for file format 'raw'");
    } else if (local) {
        g_propagate_error(error, g_steal_pointer(&local));
    }
    return file != NULL;
}

static bool raw_measure(const QDict *options, BlockBackend *source, BlockMeasure *measure,
                        GError **error)
{
    int64_t size = qdict_get_try_int(options, "size", 0);

    if (size > INT64_MAX - (BDRV_SECTOR_SIZE - 1)) {
        cairn_set_error(error, EFBIG, "The image size is too large for file format 'raw'");
        return false;
    }
    measure->required = measure->fully_allocated = ROUND_UP_TO(size, BDRV_SECTOR_SIZE);
    return true;
}

static const char *const raw_strong_options[] = { "offset", "size", NULL };

const BlockDriver bdrv_raw = {
    .format_name            = "raw",
    .instance_size          = sizeof(RawState),
    .is_format              = true,
    .runtime_options        = qapi_options_BlockdevOptionsRaw,
    .create_options         = qapi_options_BlockdevCreateOptionsRaw,
    .strong_runtime_opts    = raw_strong_options,
    .bdrv_probe             = raw_probe,
    .bdrv_open              = raw_open,
    .bdrv_refresh_limits    = raw_refresh_limits,
    .bdrv_get_info          = raw_get_info,
    .bdrv_child_perm        = raw_child_perm,
    .bdrv_has_zero_init     = raw_has_zero_init,
    .bdrv_co_create         = raw_co_create,
    .bdrv_co_create_opts    = raw_co_create_opts,
    .bdrv_measure           = raw_measure,
    .bdrv_co_getlength      = raw_co_getlength,
    .bdrv_co_preadv         = raw_co_preadv,
    .bdrv_co_pwritev        = raw_co_pwritev,
    .bdrv_co_pwrite_zeroes  = raw_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = raw_co_pdiscard,
    .bdrv_co_copy_range_from = raw_co_copy_range_from,
    .bdrv_co_copy_range_to  = raw_co_copy_range_to,
    .bdrv_co_truncate       = raw_co_truncate,
    .bdrv_co_block_status   = raw_co_block_status,
};
