/* SPDX-License-Identifier: MIT */
/*
 * Which files an image is made of: they must not be overwritten while the image is needed. Locks do not
 * keep them from that: a backing file is shared with everybody.
 */
#include <sys/stat.h>

#include "block/block-int.h"

static const char *reads_path(const char *name)
{
    return g_str_has_prefix(name, "file:") ? name + strlen("file:") : name;
}

static bool reads_is_file(const char *name, const struct stat *file)
{
    struct stat st;

    return name && name[0] && stat(reads_path(name), &st) == 0 && st.st_dev == file->st_dev &&
           st.st_ino == file->st_ino;
}

/* The backing files that @bs names, which are not open. A chain that cannot be followed ends early. */
static bool reads_from_recorded(BlockDriverState *bs, const struct stat *file)
{
    int flags = BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_FORCE_SHARE | BLK_O_PROBE;
    g_autofree char *backing = bdrv_full_backing_name(bs, NULL);
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(QList) chain = NULL;

    if (reads_is_file(backing, file)) {
        return true;
    }
    qdict_put_str(options, "driver", bs->drv->format_name);
    chain = cairn_image_info(bs->priv->ctx, bs->filename, options, flags, true, NULL);
    for (size_t i = 0; chain && i < qlist_size(chain); i++) {
        const QDict *info = qobject_to_qdict(qlist_at(chain, i));

        if (reads_is_file(qdict_get_try_str(info, "filename"), file)) {
            return true;
        }
    }
    return false;
}

static bool reads_from(BlockDriverState *bs, const struct stat *file, bool with_chain)
{
    if (reads_is_file(bs->exact_filename, file)) {
        return true;
    }
    for (guint i = 0; i < bs->priv->children->len; i++) {
        BdrvChild *child = g_ptr_array_index(bs->priv->children, i);

        if ((child != bs->backing || with_chain) && reads_from(child->bs, file, with_chain)) {
            return true;
        }
    }
    return with_chain && bs->backing_file && (bs->open_flags & BLK_O_NO_BACKING) &&
           reads_from_recorded(bs, file);
}

bool bdrv_reads_from(BlockDriverState *bs, const char *filename, bool with_chain)
{
    struct stat file;

    return stat(reads_path(filename), &file) == 0 && !S_ISCHR(file.st_mode) &&
           reads_from(bs, &file, with_chain);
}

bool blk_reads_from(BlockBackend *blk, const char *filename, bool with_chain)
{
    CTL_LOCK_GUARD(blk->ctx);

    return blk->root && bdrv_reads_from(blk->root->bs, filename, with_chain);
}
