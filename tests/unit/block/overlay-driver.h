/* SPDX-License-Identifier: MIT */
/*
 * "ov": a disk in memory with a backing file, for the tests of jobs. It knows by units of 4096 bytes what
 * it holds itself, and can be told to fail.
 *
 * Options: size=, hex= (first bytes of what is its own from the start). Requests are aligned to a unit.
 */
#ifndef TESTS_OVERLAY_DRIVER_H
#define TESTS_OVERLAY_DRIVER_H

#include "block/block-int.h"
#include "util/cutils.h"

#include <errno.h>
#include <string.h>

#define OV_UNIT 4096

typedef struct OvState {
    GMutex lock;
    uint8_t *data;
    bool *is_own;               /* a unit each */
    int64_t size;
    int fail_writes, fail_reads, fail_flush;    /* errno of the next ones; 0: none */
    bool fail_change;
    gint writes, flushes;       /* atomic */
    char *recorded;             /* name and format, as last changed */
} OvState;

static bool ov_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    OvState *s = bs->opaque;

    s->size = qdict_get_try_int(opts, "size", 1 << 20);
    s->data = g_malloc0((gsize)s->size);
    s->is_own = g_new0(bool, s->size / OV_UNIT + 1);
    g_mutex_init(&s->lock);
    return true;
}

static void ov_close(BlockDriverState *bs)
{
    OvState *s = bs->opaque;

    g_free(s->data);
    g_free(s->is_own);
    g_free(s->recorded);
    g_mutex_clear(&s->lock);
}

static bool ov_refresh_limits(BlockDriverState *bs, GError **error)
{
    bs->bl.request_alignment = OV_UNIT;
    return true;
}

static int64_t coroutine_fn ov_co_getlength(BlockDriverState *bs)
{
    OvState *s = bs->opaque;

    return s->size;
}

static int coroutine_fn ov_read_below(BlockDriverState *bs, int64_t offset, uint8_t *buf)
{
    int64_t length = bs->backing ? bdrv_co_getlength(bs->backing) : 0;
    int64_t there = CLAMP(length - offset, 0, OV_UNIT);

    memset(buf + there, 0, OV_UNIT - there);
    return there ? bdrv_co_pread(bs->backing, offset, there, buf) : 0;
}

static int coroutine_fn ov_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                     const IOVector *iov, int flags)
{
    OvState *s = bs->opaque;
    g_autofree uint8_t *buf = g_malloc(bytes);
    int ret = -s->fail_reads;

    for (int64_t at = 0; at < bytes && ret == 0; at += OV_UNIT) {
        g_mutex_lock(&s->lock);
        bool is_own = s->is_own[(offset + at) / OV_UNIT];

        memcpy(buf + at, s->data + offset + at, OV_UNIT);
        g_mutex_unlock(&s->lock);
        ret = is_own ? 0 : ov_read_below(bs, offset + at, buf + at);
    }
    io_vector_from_buf(iov, buf, bytes);
    return ret;
}

static int coroutine_fn ov_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    OvState *s = bs->opaque;

    g_atomic_int_inc(&s->writes);
    if (s->fail_writes) {
        return -s->fail_writes;
    }
    co_sleep_ns(1);             /* others come in between */
    g_mutex_lock(&s->lock);
    io_vector_to_buf(iov, s->data + offset, bytes);
    for (int64_t at = 0; at < bytes; at += OV_UNIT) {
        s->is_own[(offset + at) / OV_UNIT] = true;
    }
    g_mutex_unlock(&s->lock);
    return 0;
}

static int coroutine_fn ov_co_flush(BlockDriverState *bs)
{
    OvState *s = bs->opaque;

    g_atomic_int_inc(&s->flushes);
    return -s->fail_flush;
}

static int coroutine_fn ov_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                           int64_t bytes, int64_t *pnum, int64_t *map,
                                           BlockDriverState **file)
{
    OvState *s = bs->opaque;
    int64_t n = 0;

    g_mutex_lock(&s->lock);
    bool is_own = s->is_own[offset / OV_UNIT];

    while (n < bytes && s->is_own[(offset + n) / OV_UNIT] == is_own) {
        n += OV_UNIT;
    }
    g_mutex_unlock(&s->lock);
    *pnum = MIN(n, bytes);
    return is_own ? BDRV_BLOCK_DATA : 0;
}

static bool coroutine_fn ov_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                        PreallocMode prealloc, GError **error)
{
    OvState *s = bs->opaque;

    s->data = g_realloc(s->data, bytes);
    s->is_own = g_realloc(s->is_own, bytes / OV_UNIT + 1);
    if (bytes > s->size) {
        memset(s->data + s->size, 0, bytes - s->size);
        memset(s->is_own + s->size / OV_UNIT, 0, bytes / OV_UNIT + 1 - s->size / OV_UNIT);
    }
    s->size = bytes;
    return true;
}

static bool ov_make_empty(BlockDriverState *bs, GError **error)
{
    OvState *s = bs->opaque;

    memset(s->is_own, 0, s->size / OV_UNIT + 1);
    return true;
}

static bool ov_change_backing_file(BlockDriverState *bs, const char *name, const char *format,
                                   GError **error)
{
    OvState *s = bs->opaque;

    if (s->fail_change) {
        cairn_set_error(error, ENOSPC, "no room for the name");
        return false;
    }
    g_free(s->recorded);
    s->recorded = g_strdup_printf("%s as %s", name ? name : "none", format ? format : "unknown");
    return true;
}

static const OptionDesc ov_options[] = {
    { "size", OPTION_SIZE, "Bytes" },
    { NULL },
};

static const BlockDriver bdrv_ov = {
    .format_name = "ov",
    .instance_size = sizeof(OvState),
    .is_format = true,
    .supports_backing = true,
    .runtime_options = ov_options,
    .bdrv_open = ov_open,
    .bdrv_close = ov_close,
    .bdrv_refresh_limits = ov_refresh_limits,
    .bdrv_make_empty = ov_make_empty,
    .bdrv_change_backing_file = ov_change_backing_file,
    .bdrv_co_getlength = ov_co_getlength,
    .bdrv_co_preadv = ov_co_preadv,
    .bdrv_co_pwritev = ov_co_pwritev,
    .bdrv_co_flush = ov_co_flush,
    .bdrv_co_truncate = ov_co_truncate,
    .bdrv_co_block_status = ov_co_block_status,
};

/* ---- help for tests ---- */

static G_GNUC_UNUSED CairnContext *ov_context_new(void)
{
    CairnContext *ctx = cairn_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_ov, NULL));
    return ctx;
}

static G_GNUC_UNUSED BlockBackend *ov_open_blk(CairnContext *ctx, const char *options,
                                               int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open_opts(ctx, options, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static OvState *ov_state(CairnContext *ctx, const char *node_name)
{
    BlockDriverState *bs = bdrv_find_node(ctx, node_name);

    g_assert_nonnull(bs);
    g_assert_true(bs->drv == &bdrv_ov);
    return bs->opaque;
}

/* Units @first.. hold @byte, and are the node's own. */
static void ov_put(CairnContext *ctx, const char *node_name, int first, int count, uint8_t byte)
{
    OvState *s = ov_state(ctx, node_name);

    memset(s->data + (int64_t)first * OV_UNIT, byte, (size_t)count * OV_UNIT);
    for (int i = first; i < first + count; i++) {
        s->is_own[i] = true;
    }
}

/* What a user reads of unit @unit: one byte value, all through. */
static G_GNUC_UNUSED int ov_get(BlockBackend *blk, int unit)
{
    uint8_t buf[OV_UNIT];

    g_assert_cmpint(blk_pread(blk, (int64_t)unit * OV_UNIT, OV_UNIT, buf), ==, 0);
    for (int i = 1; i < OV_UNIT; i++) {
        g_assert_cmpint(buf[i], ==, buf[0]);
    }
    return buf[0];
}

#endif
