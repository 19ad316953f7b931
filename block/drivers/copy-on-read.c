/* SPDX-License-Identifier: MIT */
/*
 * copy-on-read: a filter. What is read of an image, and what its backing files have to give,
 * becomes the image's own on the way.
 *
 * 1. The copy is made before the read, by bdrv_co_copy_up(): no write comes between its look and
 *    its write, so old content is never put over new.
 * 2. A read whose copy fails fails, as nobody could tell otherwise that the image is not complete.
 * 3. What no backing file reaches is not copied: it reads as zeros with or without one.
 */
#include <cairn/driver.h>

#include <errno.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define COR_CHUNK_BYTES (1 * MiB)       /* of one copy: writes to it wait so long */

typedef struct CopyOnReadState {
    char *bottom;               /* name of the lowest node that is copied from; NULL: all are */
    int64_t cluster_size;       /* of the image; set by refresh_limits */
} CopyOnReadState;

/* ---- open ------------------------------------------------------------------------ */

static bool cor_check_bottom(BlockDriverState *bs, const char *bottom, GError **error)
{
    for (BlockDriverState *node = bs; node;) {
        BdrvChild *below = bdrv_filtered_child(node);
        bool is_bottom = !strcmp(node->node_name, bottom);

        if (is_bottom && below) {
            cairn_set_error(error, EINVAL, "Bottom node '%s' is a filter", bottom);
            return false;
        }
        if (is_bottom) {
            return true;
        }
        below = below ? below : node->backing;
        node = below ? below->bs : NULL;
    }
    cairn_set_error(error, ENOENT, "Bottom node '%s' not found", bottom);
    cairn_error_append_hint(error, "It is the node-name of the image or of one of its backing "
                            "files.");
    return false;
}

static bool cor_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    CopyOnReadState *s = bs->opaque;
    const char *bottom = qdict_get_try_str(opts, "bottom");

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error)) {
        return false;
    }
    if (bottom && !(flags & BLK_O_NO_BACKING) && !cor_check_bottom(bs, bottom, error)) {
        return false;
    }
    s->bottom = g_strdup(bottom);
    return true;
}

static void cor_close(BlockDriverState *bs)
{
    CopyOnReadState *s = bs->opaque;

    g_free(s->bottom);
}

static bool cor_refresh_limits(BlockDriverState *bs, GError **error)
{
    CopyOnReadState *s = bs->opaque;
    BlockDriverInfo info;

    s->cluster_size = bdrv_get_info(bs->file->bs, &info, NULL) ? MAX(info.cluster_size, 1) : 1;
    return true;
}

/* The image is written to whatever the user does. */
static void cor_child_perm(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                           const BlockReopenState *reopen, uint64_t perm, uint64_t shared,
                           uint64_t *nperm, uint64_t *nshared)
{
    *nperm = perm | BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE_UNCHANGED;
    *nshared = shared;
}

/* A bottom that has left the chain is no limit that anybody could keep: then nothing is copied. */
static bool cor_has_bottom(const CopyOnReadState *s, BdrvChild *layer)
{
    while (layer && strcmp(bdrv_skip_filters(layer->bs)->node_name, s->bottom) != 0) {
        layer = bdrv_skip_filters(layer->bs)->backing;
    }
    return layer != NULL;
}

/* ---- what is to be copied ---------------------------------------------------------- */

/*
 * Whether a layer at or below @layer, down to the bottom, holds the start of the range; @n is cut
 * to what shares the answer.
 */
static int coroutine_fn cor_is_below(const CopyOnReadState *s, BdrvChild *layer, int64_t offset,
                                     int64_t *n)
{
    while (layer) {
        BlockDriverState *image = bdrv_skip_filters(layer->bs);
        int64_t run;
        int flags = bdrv_co_block_status(layer, false, offset, *n, &run, NULL, NULL);

        if (flags < 0) {
            return flags;
        }
        if (!run) {
            return false;       /* too short: nothing further down is seen through it */
        }
        *n = run;
        if (flags & BDRV_BLOCK_ALLOCATED) {
            return true;
        }
        if (!strcmp(image->node_name, s->bottom)) {
            return false;
        }
        layer = image->backing;
    }
    return false;
}

/*
 * Whether the start of the range is to be copied; @n: in: its length, out: of what shares the
 * answer, 0: the end.
 */
static int coroutine_fn cor_wants(BlockDriverState *bs, int64_t offset, int64_t *n)
{
    CopyOnReadState *s = bs->opaque;
    BlockDriverState *image = bdrv_skip_filters(bs);
    int flags = bdrv_co_block_status(bs->file, false, offset, *n, n, NULL, NULL);
    int64_t length;

    if (flags < 0 || !*n || flags & BDRV_BLOCK_ALLOCATED || !image->backing) {
        return MIN(flags, 0);
    }
    length = bdrv_co_getlength(image->backing);
    if (length < 0) {
        return length;
    }
    length = ROUND_UP_TO(length, BDRV_SECTOR_SIZE);
    if (offset >= length) {
        return false;
    }
    *n = MIN(*n, length - offset);
    if (!s->bottom) {
        return true;
    }
    return cor_has_bottom(s, image->backing) ? cor_is_below(s, image->backing, offset, n) : 0;
}

/* ---- data ------------------------------------------------------------------------------ */

/* Whole clusters around a range: else the image would fetch the rest of each itself. */
static int coroutine_fn cor_copy(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    CopyOnReadState *s = bs->opaque;
    int64_t start = ROUND_DOWN_TO(offset, s->cluster_size);
    int64_t stop = ROUND_UP_TO(offset + bytes, s->cluster_size);
    int64_t length = bdrv_co_getlength(bs->file);
    int ret = 0;

    if (length < 0) {
        return length;
    }
    stop = MIN(stop, ROUND_UP_TO(length, BDRV_SECTOR_SIZE));
    while (start < stop && ret >= 0) {
        int64_t n = MIN(stop - start, MAX(COR_CHUNK_BYTES, s->cluster_size));

        ret = bdrv_co_copy_up(bs->file, start, n);
        start += n;
    }
    return ret;
}

static int coroutine_fn cor_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    for (int64_t pos = offset, n; pos < offset + bytes; pos += n) {
        int ret;

        n = offset + bytes - pos;
        ret = cor_wants(bs, pos, &n);
        if (ret > 0) {
            ret = cor_copy(bs, pos, n);
        }
        if (ret < 0) {
            return ret;
        }
        if (!n) {
            break;
        }
    }
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static const char *const cor_strong_options[] = { NULL };

const BlockDriver bdrv_copy_on_read = {
    .format_name            = "copy-on-read",
    .instance_size          = sizeof(CopyOnReadState),
    .is_filter              = true,
    .runtime_options        = qapi_options_BlockdevOptionsCopyOnRead,
    .strong_runtime_opts    = cor_strong_options,
    .bdrv_open              = cor_open,
    .bdrv_close             = cor_close,
    .bdrv_refresh_limits    = cor_refresh_limits,
    .bdrv_child_perm        = cor_child_perm,
    .bdrv_co_preadv         = cor_co_preadv,
};
