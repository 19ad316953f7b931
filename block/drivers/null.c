/* SPDX-License-Identifier: MIT */
/*
 * null-co, null-aio: a disk that keeps nothing, for measuring what stands above it. null-co answers
 * at once, null-aio after a turn of the event loop, as a driver with a queue would.
 *
 * 1. Writes and flushes succeed and are dropped.
 * 2. Reads leave the buffer as it was, or give zeros. Where guests run (a restricted context) they
 *    give zeros in any case: what a buffer held before may be somebody's secret.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <inttypes.h>

#include "block/drivers.h"
#include "qapi/block-options.h"
#include "util/cutils.h"

#define NULL_DEFAULT_BYTES GiB
#define NULL_MAX_BYTES (INT64_MAX - MiB)    /* what the core takes for a length */

/* Set by open, never changed: needs no lock. */
typedef struct NullState {
    int64_t size;               /* bytes */
    int64_t latency_ns;
    bool takes_a_turn;          /* of the event loop: null-aio */
    bool read_zeroes;
    bool is_plain;              /* the name says all that changes what is read */
} NullState;

/* ---- open -------------------------------------------------------------------- */

static bool null_parse_filename(const char *filename, const char *own_name, GError **error)
{
    if (strcmp(filename, own_name)) {
        cairn_set_error(error, EINVAL, "The only allowed filename for this driver is '%s'",
                        own_name);
        return false;
    }
    return true;
}

static bool null_co_parse_filename(const char *filename, QDict *options, GError **error)
{
    return null_parse_filename(filename, "null-co://", error);
}

static bool null_aio_parse_filename(const char *filename, QDict *options, GError **error)
{
    return null_parse_filename(filename, "null-aio://", error);
}

static bool null_parse_size(NullState *s, QDict *opts, GError **error)
{
    const QObject *value = qdict_get(opts, "size");
    uint64_t number = NULL_DEFAULT_BYTES;

    if (value && (!qobject_get_uint(value, &number) || number > NULL_MAX_BYTES)) {
        cairn_set_error(error, EFBIG, "Parameter 'size' must be at most %" PRId64,
                        NULL_MAX_BYTES);
        return false;
    }
    s->size = (int64_t)number;
    return true;
}

static bool null_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    NullState *s = bs->opaque;

    if (!null_parse_size(s, opts, error)) {
        return false;
    }
    s->latency_ns = qdict_get_try_int(opts, "latency-ns", 0);
    if (s->latency_ns < 0) {
        cairn_set_error(error, EINVAL, "latency-ns is invalid");
        return false;
    }
    s->takes_a_turn = bs->drv == &bdrv_null_aio;
    s->read_zeroes = qdict_get_try_bool(opts, "read-zeroes", false) || bdrv_is_restricted(bs);
    s->is_plain = !qdict_haskey(opts, "size") && !qdict_haskey(opts, "read-zeroes");
    bs->supported_write_flags = BDRV_REQ_FUA;
    return true;
}

static void null_refresh_filename(BlockDriverState *bs)
{
    const NullState *s = bs->opaque;

    if (s->is_plain) {
        g_free(bs->exact_filename);
        bs->exact_filename = g_strconcat(bs->drv->protocol_name, "://", NULL);
    }
}

/* ---- data -------------------------------------------------------------------- */

static int64_t coroutine_fn null_co_getlength(BlockDriverState *bs)
{
    const NullState *s = bs->opaque;

    return s->size;
}

static int64_t coroutine_fn null_co_get_allocated_file_size(BlockDriverState *bs)
{
    return 0;
}

static void coroutine_fn null_co_wait(BlockDriverState *bs)
{
    const NullState *s = bs->opaque;

    if (s->latency_ns) {
        co_sleep_ns(s->latency_ns);
    } else if (s->takes_a_turn) {
        aio_co_wake(coroutine_self());
        coroutine_yield();
    }
}

static void null_fill(BlockDriverState *bs, const IOVector *iov)
{
    const NullState *s = bs->opaque;

    if (s->read_zeroes) {
        io_vector_memset(iov, 0, 0, iov->size);
    }
}

static int coroutine_fn null_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    null_co_wait(bs);
    null_fill(bs, iov);
    return 0;
}

static int coroutine_fn null_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        const IOVector *iov, int flags)
{
    null_co_wait(bs);
    return 0;
}

static int coroutine_fn null_co_flush(BlockDriverState *bs)
{
    null_co_wait(bs);
    return 0;
}

/* It holds neither data nor zeros, and nothing at all stands anywhere, unless it promises zeros. */
static int coroutine_fn null_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                             int64_t bytes, int64_t *pnum, int64_t *map,
                                             BlockDriverState **file)
{
    const NullState *s = bs->opaque;

    *pnum = bytes;
    *map = offset;
    *file = bs;
    return s->read_zeroes ? BDRV_BLOCK_OFFSET_VALID | BDRV_BLOCK_ZERO : 0;
}

static const char *const null_strong_options[] = { "size", "read-zeroes", NULL };

/* What both have in common. */
#define NULL_DRIVER_CALLBACKS                                                \
    .instance_size                   = sizeof(NullState),                    \
    .strong_runtime_opts             = null_strong_options,                  \
    .bdrv_open                       = null_open,                            \
    .bdrv_refresh_filename           = null_refresh_filename,                \
    .bdrv_co_getlength               = null_co_getlength,                    \
    .bdrv_co_get_allocated_file_size = null_co_get_allocated_file_size,      \
    .bdrv_co_preadv                  = null_co_preadv,                       \
    .bdrv_co_pwritev                 = null_co_pwritev,                      \
    .bdrv_co_flush                   = null_co_flush,                        \
    .bdrv_co_block_status            = null_co_block_status

const BlockDriver bdrv_null_co = {
    .format_name                     = "null-co",
    .protocol_name                   = "null-co",
    .runtime_options                 = qapi_options_BlockdevOptionsNullCo,
    .bdrv_parse_filename             = null_co_parse_filename,
    NULL_DRIVER_CALLBACKS,
};

const BlockDriver bdrv_null_aio = {
    .format_name                     = "null-aio",
    .protocol_name                   = "null-aio",
    .runtime_options                 = qapi_options_BlockdevOptionsNullAio,
    .bdrv_parse_filename             = null_aio_parse_filename,
    NULL_DRIVER_CALLBACKS,
};
