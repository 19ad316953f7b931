/* SPDX-License-Identifier: MIT */
/*
 * The options that every node has, turned into flags, and what a child takes over from its
 * parent's flags. Open and reopen compute a node's flags the same way: what it inherits (or the
 * opener gave), then its own options on top.
 */
#include "block/block-int.h"

static void common_bool(const QDict *common, const char *key, int flag, int *flags)
{
    bool value;

    if (qobject_get_bool(qdict_get(common, key), &value)) {
        *flags = value ? *flags | flag : *flags & ~flag;
    }
}

static bool common_discard(const QDict *common, int *flags, GError **error)
{
    const char *text = qdict_get_try_str(common, "discard");

    if (!text) {
        return true;
    }
    if (!strcmp(text, "ignore") || !strcmp(text, "off")) {
        *flags &= ~BLK_O_UNMAP;
    } else if (!strcmp(text, "unmap") || !strcmp(text, "on")) {
        *flags |= BLK_O_UNMAP;
    } else {
        cairn_set_error(error, EINVAL, "Invalid discard option\n"
                        "Accepted values of 'discard': ignore, unmap, off, on");
        return false;
    }
    return true;
}

static bool common_detect_zeroes(const QDict *common, int flags, BdrvDetectZeroes *mode,
                                 GError **error)
{
    const char *text = qdict_get_try_str(common, "detect-zeroes");

    *mode = BDRV_DETECT_ZEROES_OFF;
    if (!text || !strcmp(text, "off")) {
        return true;
    }
    if (!strcmp(text, "on")) {
        *mode = BDRV_DETECT_ZEROES_ON;
        return true;
    }
    if (strcmp(text, "unmap")) {
        cairn_set_error(error, EINVAL, "invalid parameter value: %s\n"
                        "Accepted values of 'detect-zeroes': off, on, unmap", text);
        return false;
    }
    if (!(flags & BLK_O_UNMAP)) {
        cairn_set_error(error, EINVAL, "setting detect-zeroes to unmap is not allowed "
                        "without setting discard operation to unmap");
        return false;
    }
    *mode = BDRV_DETECT_ZEROES_UNMAP;
    return true;
}

bool common_options_flags(const QDict *common, int *flags, BdrvDetectZeroes *detect_zeroes,
                          GError **error)
{
    bool read_only;

    if (qobject_get_bool(qdict_get(common, "read-only"), &read_only)) {
        *flags = read_only ? *flags & ~BLK_O_RDWR : *flags | BLK_O_RDWR;
    }
    common_bool(common, "auto-read-only", BLK_O_AUTO_RDONLY, flags);
    common_bool(common, "force-share", BLK_O_FORCE_SHARE, flags);
    common_bool(common, "cache.direct", BLK_O_NOCACHE, flags);
    common_bool(common, "cache.no-flush", BLK_O_NO_FLUSH, flags);
    if (!common_discard(common, flags, error)
        || !common_detect_zeroes(common, *flags, detect_zeroes, error)) {
        return false;
    }
    if ((*flags & BLK_O_FORCE_SHARE) && (*flags & BLK_O_RDWR)) {
        cairn_set_error(error, EINVAL,
                        "force-share=on can only be used with read-only images");
        return false;
    }
    return true;
}

int bdrv_child_flags(const BlockDriver *parent_drv, int flags, BdrvChildRole role)
{
    bool is_format = !parent_drv || parent_drv->is_format;

    /* These speak of the root only; what is asked of a filter is meant for the image below. */
    flags &= ~(BLK_O_WARN_PROBE | BLK_O_RESIZE | BLK_O_SHARE_WRITE | BLK_O_WRITETHROUGH);
    if (role & BDRV_CHILD_FILTERED) {
        return flags | BDRV_O_PROTOCOL;
    }
    flags &= ~BLK_O_NO_BACKING;
    if (role & BDRV_CHILD_COW) {
        return flags & ~(BLK_O_RDWR | BLK_O_AUTO_RDONLY | BLK_O_UNMAP | BDRV_O_PROTOCOL);
    }
    if (!is_format && !(role & BDRV_CHILD_FILTERED)) {
        flags &= ~BDRV_O_PROTOCOL;      /* beside what it filters: images, as a user names them */
    }
    if (is_format) {
        /* A format decides itself what to discard, and its tables are needed in any case. */
        flags |= BDRV_O_PROTOCOL | BLK_O_UNMAP;
    }
    if (role & BDRV_CHILD_METADATA) {
        flags &= ~BLK_O_NO_IO;
    }
    return flags;
}
