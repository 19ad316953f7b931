/* SPDX-License-Identifier: MIT */
/*
 * How large an image would be, before it is made.
 */
#include <errno.h>

#include "block/block-int.h"

/* What a file is made with may stand among the options; it does not change how large the file is. */
static bool measure_drop_storage_options(CairnContext *ctx, QDict *texts, GError **error)
{
    const BlockDriver *file = bdrv_find_format(ctx, "file");
    g_autoptr(QDict) typed = file ? options_absorb(file->create_options, texts, error) : NULL;

    return typed || !file;
}

/* The options as the driver's creation would get them, the size among them. */
static QDict *measure_options(CairnContext *ctx, const BlockDriver *drv, const QDict *options,
                              int64_t size, GError **error)
{
    g_autoptr(QDict) texts = options ? qdict_clone_shallow(options) : qdict_new();

    qdict_put_int(texts, "size", size);
    g_autoptr(QDict) typed = options_absorb(drv->create_options, texts, error);

    if (!typed || !measure_drop_storage_options(ctx, texts, error)) {
        return NULL;
    }
    if (qdict_size(texts) > 0) {
        cairn_set_error(error, EINVAL, "Invalid parameter '%s'", qdict_key_at(texts, 0));
        suggest_option(drv->create_options, NULL, qdict_key_at(texts, 0), error);
        return NULL;
    }
    return g_steal_pointer(&typed);
}

bool blk_measure(CairnContext *ctx, const char *format, const QDict *options,
                 BlockBackend *source, int64_t size, BlockMeasure *measure, GError **error)
{
    const BlockDriver *drv;

    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    drv = bdrv_find_format(ctx, format);
    if (!drv) {
        cairn_set_error(error, ENOENT, "Unknown file format '%s'", format);
        cairn_suggest_format(ctx, format, error);
        return false;
    }
    size = source ? blk_getlength(source) : size;
    if (size < 0) {
        cairn_set_error_errno(error, (int)-size, "Could not get the length of the source");
        return false;
    }
    g_autoptr(QDict) typed = drv->create_options
        ? measure_options(ctx, drv, options, size, error) : NULL;

    if (!typed && drv->create_options) {
        return false;
    }
    if (!typed || !drv->bdrv_measure) {
        cairn_set_error(error, ENOTSUP, "Block driver '%s' does not support size measurement",
                        format);
        return false;
    }
    return drv->bdrv_measure(typed, source, measure, error);
}
