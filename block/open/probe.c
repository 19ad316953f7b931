/* SPDX-License-Identifier: MIT */
/*
 * Probing: which format the first bytes of a file look like.
 *
 * 1. The highest score wins; raw scores 1 for anything.
 * 2. Bytes that carry the magic of a known format are never taken for raw, whether this build has a
 *    driver for it or not: a guest that writes such bytes must not choose how its disk is
 *    opened next time.
 */
#include "block/block-int.h"

#include "util/cutils.h"

enum { PROBE_BYTES = 512, PROBE_SCORE_RAW = 1, PROBE_SCORE_MAGIC = 100 };

#define QCOW_MAGIC 0x514649fbU

typedef struct ProbeMagic {
    const char *format;
    size_t offset;
    const char *bytes;
    size_t length;
} ProbeMagic;

#define MAGIC(format, offset, bytes) { format, offset, bytes, sizeof(bytes) - 1 }

/* Each at its place in the first sector. qcow and qcow2, not listed, differ by the version. */
static const ProbeMagic probe_magics[] = {
    MAGIC("qed", 0, "QED\0"),
    MAGIC("vmdk", 0, "KDMV"),
    MAGIC("vmdk", 0, "COWD"),
    MAGIC("vmdk", 0, "# Disk DescriptorFile"),
    MAGIC("vdi", 64, "\x7f\x10\xda\xbe"),
    MAGIC("vhdx", 0, "vhdxfile"),
    MAGIC("vpc", 0, "conectix"),
    MAGIC("parallels", 0, "WithoutFreeSpace"),
    MAGIC("parallels", 0, "WithouFreSpacExt"),
    MAGIC("bochs", 0, "Bochs Virtual HD Image"),
    MAGIC("cloop", 0, "#!/bin/sh\n#V2.0 Format\n"),
    MAGIC("dmg", 0, "koly"),
    MAGIC("luks", 0, "LUKS\xba\xbe"),
};

const char *bdrv_known_magic(const uint8_t *buf, size_t bytes)
{
    if (bytes >= 4 && be32_load(buf) == QCOW_MAGIC) {
        return bytes >= 8 && be32_load(buf + 4) == 1 ? "qcow" : "qcow2";
    }
    for (size_t i = 0; i < G_N_ELEMENTS(probe_magics); i++) {
        const ProbeMagic *magic = &probe_magics[i];

        if (range_fits((int64_t)magic->offset, (int64_t)magic->length, (int64_t)bytes)
            && !memcmp(buf + magic->offset, magic->bytes, magic->length)) {
            return magic->format;
        }
    }
    return NULL;
}

static const BlockDriver *probe_best(CairnContext *ctx, const uint8_t *buf, size_t bytes,
                                     const char *filename, int *best_score)
{
    const BlockDriver *best = NULL;

    *best_score = 0;
    for (guint i = 0; i < ctx->drivers->len; i++) {
        const BlockDriver *drv = ctx->drivers->pdata[i];
        int score = drv->bdrv_probe ? drv->bdrv_probe(buf, bytes, filename) : 0;

        if (score > *best_score) {
            best = drv;
            *best_score = score;
        }
    }
    return best;
}

const BlockDriver *bdrv_probe_format(CairnContext *ctx, const uint8_t *buf, size_t bytes,
                                     const char *filename, int *score,
                                     const char **unsupported)
{
    const BlockDriver *best = probe_best(ctx, buf, bytes, filename, score);
    const char *magic = bdrv_known_magic(buf, bytes);

    *unsupported = NULL;
    if (*score > PROBE_SCORE_RAW || !magic) {
        return best;
    }
    best = bdrv_find_format(ctx, magic);
    *score = best ? PROBE_SCORE_MAGIC : 0;
    *unsupported = best ? NULL : magic;
    return best;
}

/* Reads through an edge of no parent: it wants nothing that others could forbid. */
static int64_t probe_read(BlockDriverState *file, uint8_t buf[PROBE_BYTES])
{
    BdrvChild child = {
        .bs = file, .name = (char *)"probe",
        .perm = BLK_PERM_CONSISTENT_READ, .shared_perm = BLK_PERM_ALL,
    };
    int64_t length = bdrv_getlength(&child);

    memset(buf, 0, PROBE_BYTES);    /* a driver may leave it as it is (null-co) */
    if (length <= 0) {
        return length;
    }
    length = MIN(length, PROBE_BYTES);
    int ret = bdrv_pread(&child, 0, length, buf);

    return ret < 0 ? ret : length;
}

const BlockDriver *bdrv_probe_node(CairnContext *ctx, BlockDriverState *file, int *score,
                                   GError **error)
{
    uint8_t buf[PROBE_BYTES];
    const char *unsupported;
    int64_t bytes = probe_read(file, buf);

    if (bytes < 0) {
        cairn_set_error_errno(error, (int)-bytes,
                              "Could not read image for determining its format");
        return NULL;
    }
    const BlockDriver *drv = bdrv_probe_format(ctx, buf, (size_t)bytes, file->filename, score,
                                               &unsupported);
    if (unsupported) {
        cairn_set_error(error, ENOTSUP, "Format '%s' is not supported by this build",
                        unsupported);
        cairn_error_append_hint(error, "Use -f raw (driver=raw) to read the bytes of the file "
                                "itself.");
        return NULL;
    }
    if (!drv) {
        cairn_set_error(error, EINVAL,
                        "Could not determine image format: No compatible driver found");
    }
    return drv;
}

const char *cairn_probe(CairnContext *ctx, const char *filename, int *score, GError **error)
{
    int ignored;

    ctx = context_or_default(ctx);
    CTL_LOCK_GUARD(ctx);
    BlockDriverState *file = bdrv_open(ctx, filename, NULL, NULL, BDRV_O_PROTOCOL, NULL, NULL, 0,
                                       error);
    if (!file) {
        return NULL;
    }
    const BlockDriver *drv = bdrv_probe_node(ctx, file, score ? score : &ignored, error);

    bdrv_unref(file);
    return drv ? drv->format_name : NULL;
}

void bdrv_warn_probed(BlockDriverState *bs)
{
    context_warn(bs->priv->ctx,
                 "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
                 "         Automatically detecting the format is dangerous for raw images, "
                 "write operations on block 0 will be restricted.\n"
                 "         Specify the 'raw' format explicitly to remove the restrictions.",
                 bs->filename);
}
