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
#include <string.h>
#include <sys/stat.h>

#include "block/image/create-int.h"

static const char *compact_path(const char *name)
{
    return g_str_has_prefix(name, "file:") ? name + strlen("file:") : name;
}

/* ---- what may not be overwritten ---- */

static bool compact_is_file(const char *name, const struct stat *target)
{
    struct stat st;

    return name && name[0] && stat(compact_path(name), &st) == 0 &&
           st.st_dev == target->st_dev && st.st_ino == target->st_ino;
}

/* The image's own files, and the backing files that it names, opened or not. */
static bool compact_reads_from(BlockDriverState *bs, const struct stat *target)
{
    int flags = BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_FORCE_SHARE | BLK_O_PROBE;
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(QList) chain = NULL;

    for (BlockDriverState *below = bs; below; below = below->file ? below->file->bs : NULL) {
        if (compact_is_file(below->exact_filename, target)) {
            return true;
        }
    }
    if (!bs->backing_file) {
        return false;
    }
    qdict_put_str(options, "driver", bs->drv->format_name);
    chain = cairn_image_info(bs->priv->ctx, bs->filename, options, flags, true, NULL);
    for (size_t i = 0; chain && i < qlist_size(chain); i++) {
        const QDict *info = qobject_to_qdict(qlist_at(chain, i));

        if (compact_is_file(qdict_get_try_str(info, "filename"), target)) {
            return true;
        }
    }
    return false;
}

static bool compact_check_target(BlockDriverState *bs, const char *filename, GError **error)
{
    g_autofree char *backing = NULL;
    struct stat target;

    if (stat(compact_path(filename), &target) < 0 || !S_ISREG(target.st_mode)) {
        return true;
    }
    backing = bs->backing_file ? bdrv_full_backing_name(bs, NULL) : NULL;
    if (compact_reads_from(bs, &target) || compact_is_file(backing, &target)) {
        cairn_set_error(error, EINVAL, "'%s' is part of '%s'", filename, bs->filename);
        return false;
    }
    return true;
}

/* ---- the image ---- */

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

    if (!compact_check_target(bs, filename, error)) {
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
