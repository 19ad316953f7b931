/* SPDX-License-Identifier: MIT */
/*
 * What writing a target would do to what is being read.
 */
#include "img/img.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

static const char *overwrite_path(const char *name)
{
    return g_str_has_prefix(name, "file:") ? name + strlen("file:") : name;
}

static bool overwrite_is_same(const char *name, const struct stat *target)
{
    struct stat st;

    return stat(overwrite_path(name), &st) == 0 && st.st_dev == target->st_dev &&
           st.st_ino == target->st_ino;
}

/* Also the backing files are read from. */
static bool overwrite_hits_chain(Img *img, BlockBackend *source, const struct stat *target)
{
    int flags = BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_FORCE_SHARE | BLK_O_PROBE;
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(QList) chain = NULL;

    qdict_put_str(options, "driver", blk_get_format(source));
    chain = cairn_image_info(img->ctx, blk_get_filename(source), options, flags, true, NULL);
    for (size_t i = 0; chain && i < qlist_size(chain); i++) {
        const QDict *info = qobject_to_qdict(qlist_at(chain, i));

        if (overwrite_is_same(qdict_get_try_str(info, "filename"), target)) {
            return true;
        }
    }
    return false;
}

bool img_overwrites_source(Img *img, BlockBackend *source, const char *target, bool with_chain)
{
    struct stat st;

    if (stat(overwrite_path(target), &st) < 0 || S_ISCHR(st.st_mode)) {
        return false;
    }
    return overwrite_is_same(blk_get_filename(source), &st) ||
           (with_chain && blk_has_backing(source) && overwrite_hits_chain(img, source, &st));
}

void img_warn_of_padding(BlockBackend *source, const char *name)
{
    struct stat st;

    if (strcmp(blk_get_format(source), "raw") || stat(blk_get_filename(source), &st) < 0 ||
        !S_ISREG(st.st_mode) || st.st_size % BDRV_SECTOR_SIZE == 0) {
        return;
    }
    tool_warn("'%s' has %" PRId64 " bytes: zeros are added up to %" PRId64 " bytes, a multiple of"
              " %d", name, (int64_t)st.st_size, blk_getlength(source), BDRV_SECTOR_SIZE);
}
