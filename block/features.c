/* SPDX-License-Identifier: MIT */
/*
 * What a format can do, for callers that want to refuse a wish before they touch anything.
 */
#include "block/block-int.h"

int cairn_format_features(CairnContext *ctx, const char *format)
{
    const BlockDriver *drv = bdrv_find_format(context_or_default(ctx), format);

    if (!drv) {
        return -1;
    }
    return (drv->bdrv_co_create_opts ? CAIRN_FORMAT_CREATE : 0) |
           (drv->supports_backing ? CAIRN_FORMAT_BACKING : 0) |
           (drv->bdrv_co_pwritev_compressed ? CAIRN_FORMAT_COMPRESS : 0) |
           (drv->bdrv_co_check ? CAIRN_FORMAT_CHECK : 0) |
           (drv->bdrv_co_truncate ? CAIRN_FORMAT_RESIZE : 0) |
           (drv->bdrv_change_backing_file ? CAIRN_FORMAT_REBASE : 0) |
           (drv->bdrv_measure ? CAIRN_FORMAT_MEASURE : 0) |
           (drv->bdrv_co_compact ? CAIRN_FORMAT_COMPACT : 0);
}
