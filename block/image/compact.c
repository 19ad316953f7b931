/* SPDX-License-Identifier: MIT */
/*
 * The same image in a new file without leaks and gaps, made by the format's driver.
 *
 * 1. Before the new file is touched: it is none of those that the image is made of, and a check of
 *    the image finds no error.
 * 2. What fails later leaves the new file empty.
 */
#include <errno.h>
#include <inttypes.h>

#include "block/image/create-int.h"

static BlockDriverState *compact_root(BlockBackend *blk, GError **error)
{
    BlockDriverState *bs = blk->root ? blk->root->bs : NULL;

    if (!bs) {
        cairn_set_error(error, ENOMEDIUM, "The image is closed");
        return NULL;
    }
    bs = bdrv_skip_filters(bs);
    if (!bs->drv->bdrv_co_compact) {
        cairn_set_error(error, ENOTSUP, "Images of format '%s' cannot be compacted",
                        bs->drv->format_name);
        return NULL;
    }
    return bs;
}

typedef struct CompactRun {
    BlockDriverState *bs;
    BlockBackend *storage;
    const BlockCompactProgress *progress;
    GError **error;
    bool ok;
} CompactRun;

static void coroutine_fn compact_check_entry(void *opaque)
{
    CompactRun *run = opaque;
    BlockCheckResult result = { 0 };

    run->ok = !run->bs->drv->bdrv_co_check ||
              run->bs->drv->bdrv_co_check(run->bs, &result, BLOCK_CHECK_FIX_NONE, run->error);
    if (run->ok && (result.corruptions || result.check_errors)) {
        run->ok = false;
        cairn_set_error(run->error, EUCLEAN, "'%s' has errors: a check finds %" PRId64
                        " corruptions, and could not read %" PRId64 " parts", run->bs->filename,
                        result.corruptions, result.check_errors);
        cairn_error_append_hint(run->error, "'cairn-img check -r all' repairs what can be "
                                "repaired.");
    }
}

static void coroutine_fn compact_entry(void *opaque)
{
    CompactRun *run = opaque;

    run->ok = run->bs->drv->bdrv_co_compact(run->bs, run->storage, run->progress, run->error);
}

static bool compact_fill(CompactRun *run, const char *filename)
{
    int ret;

    bdrv_run_co(compact_entry, run);
    if (!run->ok) {
        blk_truncate(run->storage, 0, PREALLOC_MODE_OFF, NULL);
    }
    ret = blk_close(run->storage);
    if (run->ok && ret < 0) {
        cairn_set_error_errno(run->error, -ret, "Could not write '%s'", filename);
        return false;
    }
    return run->ok;
}

static bool compact_run(BlockDriverState *bs, const char *filename,
                        const BlockCompactProgress *progress, GError **error)
{
    CompactRun run = { .bs = bs, .progress = progress, .error = error };
    g_autoptr(BlockBackend) storage = NULL;

    if (bdrv_reads_from(bs, filename, true)) {
        cairn_set_error(error, EINVAL, "'%s' is part of '%s'", filename, bs->filename);
        return false;
    }
    bdrv_run_co(compact_check_entry, &run);
    if (!run.ok) {
        return false;
    }
    run.storage = storage = create_storage(bs->priv->ctx, filename, error);
    return storage && compact_fill(&run, filename);
}

bool blk_compact(BlockBackend *blk, const char *filename, const BlockCompactProgress *progress,
                 GError **error)
{
    CTL_LOCK_GUARD(blk->ctx);
    BlockDriverState *bs = compact_root(blk, error);
    bool ok;

    if (!bs) {
        return false;
    }
    drain_blk_begin(blk);
    ok = compact_run(bs, filename, progress, error);
    drain_blk_end(blk);
    return ok;
}
