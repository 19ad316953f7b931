/* SPDX-License-Identifier: MIT */
/*
 * Two drivers for tests. "mem" is a disk in memory with any alignment and limits, which checks that
 * the core keeps to them, counts calls, and can be told to fail, to wait, and to yield in the
 * middle of a request. "memcow" is a format over a file child that knows for each unit of 512 bytes
 * whether it holds it itself.
 */
#ifndef TESTS_IO_DRIVER_H
#define TESTS_IO_DRIVER_H

#include <cairn/driver.h>

#include <errno.h>
#include <string.h>

#include "block/block-int.h"
#include "util/cutils.h"

#define MEM_CAPACITY (64 * MiB)
#define MEM_UNIT 512

typedef struct MemState {
    GMutex lock;                /* guards data and length */
    uint8_t *data;              /* MEM_CAPACITY bytes, zero beyond length */
    int64_t length;
    bool *is_hole;              /* units that status calls zero */
    gint reads, writes, zeroes, discards, flushes, statuses;    /* calls so far, atomic */
    gint last_write_flags, last_zero_flags;
    gint yields;                /* atomic: how often each request gives way in the middle */
    int64_t yield_below;        /* only those that begin below this byte; 0: all */
    gint held;                  /* atomic: reads wait while it is not 0 */
    gint waiting;               /* atomic: reads that wait so */
    gint fail;                  /* atomic: errno of all requests to come; 0: none */
    int64_t fail_offset;        /* only of those that touch this byte; -1: all */
} MemState;

static const OptionDesc mem_options[] = {
    { .name = "size", .type = OPTION_SIZE },
    { .name = "align", .type = OPTION_SIZE },
    { .name = "max-transfer", .type = OPTION_SIZE },
    { .name = "max-iov", .type = OPTION_SIZE },
    { .name = "mem-align", .type = OPTION_SIZE },
    { .name = "zero-align", .type = OPTION_SIZE },
    { .name = "max-zeroes", .type = OPTION_SIZE },
    { .name = "discard-align", .type = OPTION_SIZE },
    { .name = "fua", .type = OPTION_BOOL },
    { .name = "no-zeroes", .type = OPTION_BOOL },
    { NULL },
};

static int64_t mem_option(QDict *opts, const char *name, int64_t otherwise)
{
    return qdict_haskey(opts, name) ? qdict_get_try_int(opts, name, otherwise) : otherwise;
}

static bool mem_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    MemState *s = bs->opaque;

    g_mutex_init(&s->lock);
    s->data = g_malloc0(MEM_CAPACITY);
    s->is_hole = g_new0(bool, MEM_CAPACITY / MEM_UNIT);
    s->length = mem_option(opts, "size", 1 * MiB);
    s->fail_offset = -1;
    bs->supported_write_flags = qdict_get_try_bool(opts, "fua", false) ? BDRV_REQ_FUA : 0;
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK
        | bs->supported_write_flags;
    return true;
}

static void mem_close(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    g_free(s->data);
    g_free(s->is_hole);
    g_mutex_clear(&s->lock);
}

static bool mem_refresh_limits(BlockDriverState *bs, GError **error)
{
    QDict *opts = bs->priv->driver_opts;

    bs->bl.request_alignment = mem_option(opts, "align", 1);
    bs->bl.max_transfer = mem_option(opts, "max-transfer", 0);
    bs->bl.max_iov = mem_option(opts, "max-iov", bs->bl.max_iov);
    bs->bl.mem_alignment = mem_option(opts, "mem-align", 1);
    bs->bl.pwrite_zeroes_alignment = mem_option(opts, "zero-align", 0);
    bs->bl.max_pwrite_zeroes = mem_option(opts, "max-zeroes", 0);
    bs->bl.pdiscard_alignment = mem_option(opts, "discard-align", 0);
    return true;
}

static int64_t coroutine_fn mem_co_getlength(BlockDriverState *bs)
{
    MemState *s = bs->opaque;
    int64_t length;

    g_mutex_lock(&s->lock);
    length = s->length;
    g_mutex_unlock(&s->lock);
    return length;
}

/* The core's promises. */
static void mem_check(BlockDriverState *bs, int64_t offset, int64_t bytes, const IOVector *iov)
{
    const BlockLimits *bl = &bs->bl;

    g_assert_cmpint(bytes, >, 0);
    g_assert_cmpint(offset % bl->request_alignment, ==, 0);
    g_assert_cmpint(bytes % bl->request_alignment, ==, 0);
    g_assert_true(range_fits(offset, bytes, MEM_CAPACITY));
    if (iov) {
        g_assert_cmpint(bytes, ==, iov->size);
        g_assert_cmpint(iov->niov, <=, bl->max_iov);
        g_assert_true(!bl->max_transfer || bytes <= bl->max_transfer);
    }
    for (int i = 0; iov && bl->mem_alignment > 1 && i < iov->niov; i++) {
        g_assert_cmpint((uintptr_t)iov->iov[i].iov_base % bl->mem_alignment, ==, 0);
        g_assert_cmpint(iov->iov[i].iov_len % bl->request_alignment, ==, 0);
    }
}

/* Gives other requests a chance; the error that the request is to end with. */
static int coroutine_fn mem_pause(MemState *s, int64_t offset, int64_t bytes)
{
    bool is_quick = s->yield_below && offset >= s->yield_below;

    for (int i = is_quick ? 0 : g_atomic_int_get(&s->yields); i > 0; i--) {
        co_sleep_ns(0);
    }
    if (s->fail_offset >= 0 && !(s->fail_offset >= offset && s->fail_offset - offset < bytes)) {
        return 0;
    }
    return -g_atomic_int_get(&s->fail);
}

static int coroutine_fn mem_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    MemState *s = bs->opaque;
    int ret;

    mem_check(bs, offset, bytes, iov);
    g_atomic_int_inc(&s->reads);
    g_assert_cmpint(offset + bytes, <=,
                    ROUND_UP_TO(mem_co_getlength(bs), bs->bl.request_alignment));
    g_atomic_int_inc(&s->waiting);
    while (g_atomic_int_get(&s->held)) {
        co_sleep_ns(10000);
    }
    g_atomic_int_add(&s->waiting, -1);
    ret = mem_pause(s, offset, bytes);
    if (ret < 0) {
        return ret;
    }
    g_mutex_lock(&s->lock);
    io_vector_from_buf(iov, s->data + offset, bytes);
    g_mutex_unlock(&s->lock);
    return 0;
}

static int coroutine_fn mem_store(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                  const IOVector *iov)
{
    MemState *s = bs->opaque;
    int ret = mem_pause(s, offset, bytes);

    if (ret < 0) {
        return ret;
    }
    g_mutex_lock(&s->lock);
    if (iov) {
        io_vector_to_buf(iov, s->data + offset, bytes);
    } else {
        memset(s->data + offset, 0, bytes);
    }
    s->length = MAX(s->length, offset + bytes);
    g_mutex_unlock(&s->lock);
    return 0;
}

static int coroutine_fn mem_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    MemState *s = bs->opaque;

    mem_check(bs, offset, bytes, iov);
    g_assert_cmpint(flags & ~bs->supported_write_flags, ==, 0);
    g_atomic_int_inc(&s->writes);
    g_atomic_int_set(&s->last_write_flags, flags);
    return mem_store(bs, offset, bytes, iov);
}

static int coroutine_fn mem_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                             int flags)
{
    const BlockLimits *bl = &bs->bl;
    int64_t align = MAX(bl->pwrite_zeroes_alignment, bl->request_alignment);
    MemState *s = bs->opaque;

    mem_check(bs, offset, bytes, NULL);
    g_assert_cmpint(flags & ~bs->supported_zero_flags, ==, 0);
    g_assert_true(!bl->max_pwrite_zeroes || bytes <= bl->max_pwrite_zeroes);
    if (offset % align || bytes % align) {
        g_assert_cmpint(offset / align, ==, (offset + bytes - 1) / align);
        return -ENOTSUP;
    }
    if (qdict_get_try_bool(bs->priv->driver_opts, "no-zeroes", false)) {
        return -ENOTSUP;
    }
    g_atomic_int_inc(&s->zeroes);
    g_atomic_int_set(&s->last_zero_flags, flags);
    return mem_store(bs, offset, bytes, NULL);
}

static int coroutine_fn mem_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    MemState *s = bs->opaque;

    mem_check(bs, offset, bytes, NULL);
    g_atomic_int_inc(&s->discards);
    return mem_store(bs, offset, bytes, NULL);
}

static int coroutine_fn mem_co_flush(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    g_atomic_int_inc(&s->flushes);
    return mem_pause(s, 0, MEM_CAPACITY);
}

static bool coroutine_fn mem_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                         PreallocMode prealloc, GError **error)
{
    MemState *s = bs->opaque;

    if (bytes > MEM_CAPACITY) {
        cairn_set_error(error, EFBIG, "more than the test's memory");
        return false;
    }
    g_mutex_lock(&s->lock);
    memset(s->data + MIN(bytes, s->length), 0, MEM_CAPACITY - MIN(bytes, s->length));
    s->length = bytes;
    g_mutex_unlock(&s->lock);
    return true;
}

/* A block is a hole where all its units are. */
static bool mem_is_hole(const MemState *s, int64_t offset, int64_t align)
{
    for (int64_t pos = offset; pos < offset + align; pos += MEM_UNIT) {
        if (!s->is_hole[pos / MEM_UNIT]) {
            return false;
        }
    }
    return true;
}

static int coroutine_fn mem_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                            int64_t bytes, int64_t *pnum, int64_t *map,
                                            BlockDriverState **file)
{
    MemState *s = bs->opaque;
    int64_t align = MAX(bs->bl.request_alignment, MEM_UNIT);
    int64_t pos = ROUND_DOWN_TO(offset, align);
    bool is_hole = mem_is_hole(s, pos, align);
    int ret = mem_pause(s, offset, bytes);

    g_atomic_int_inc(&s->statuses);
    if (ret < 0) {
        return ret;
    }
    mem_check(bs, offset, bytes, NULL);
    while (pos < offset + bytes && mem_is_hole(s, pos, align) == is_hole) {
        pos += align;
    }
    *pnum = MIN(pos - offset, bytes);
    *map = offset;
    *file = bs;
    return BDRV_BLOCK_OFFSET_VALID | (is_hole ? BDRV_BLOCK_ZERO : BDRV_BLOCK_DATA);
}

static bool mem_has_zero_init(BlockDriverState *bs)
{
    return true;
}

static const BlockDriver bdrv_mem = {
    .format_name = "mem",
    .protocol_name = "mem",
    .instance_size = sizeof(MemState),
    .runtime_options = mem_options,
    .bdrv_open = mem_open,
    .bdrv_close = mem_close,
    .bdrv_refresh_limits = mem_refresh_limits,
    .bdrv_has_zero_init = mem_has_zero_init,
    .bdrv_co_getlength = mem_co_getlength,
    .bdrv_co_preadv = mem_co_preadv,
    .bdrv_co_pwritev = mem_co_pwritev,
    .bdrv_co_pwrite_zeroes = mem_co_pwrite_zeroes,
    .bdrv_co_pdiscard = mem_co_pdiscard,
    .bdrv_co_flush = mem_co_flush,
    .bdrv_co_truncate = mem_co_truncate,
    .bdrv_co_block_status = mem_co_block_status,
};

/* ---- memcow --------------------------------------------------------------- */

typedef struct MemCowState {
    bool *is_allocated;         /* units of MEM_UNIT */
    int compressed;             /* compressed writes so far */
    int64_t lost_from;          /* unallocated units from here are called lost */
    bool may_have_holes;        /* status says that the file may know of holes */
} MemCowState;

static const OptionDesc memcow_options[] = { { NULL } };

static bool memcow_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    MemCowState *s = bs->opaque;

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_IMAGE, error)) {
        return false;
    }
    s->is_allocated = g_new0(bool, MEM_CAPACITY / MEM_UNIT);
    s->lost_from = INT64_MAX;
    return true;
}

static void memcow_close(BlockDriverState *bs)
{
    g_free(((MemCowState *)bs->opaque)->is_allocated);
}

static bool memcow_refresh_limits(BlockDriverState *bs, GError **error)
{
    bs->bl.request_alignment = MEM_UNIT;
    return true;
}

static bool memcow_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error)
{
    info->cluster_size = 4096;
    return true;
}

static int64_t memcow_run(const MemCowState *s, int64_t offset, int64_t bytes)
{
    int64_t pos = offset;

    while (pos < offset + bytes
           && s->is_allocated[pos / MEM_UNIT] == s->is_allocated[offset / MEM_UNIT]) {
        pos += MEM_UNIT;
    }
    return MIN(pos - offset, bytes);
}

static int coroutine_fn memcow_read_backing(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov)
{
    int64_t length = bs->backing ? ROUND_UP_TO(bdrv_co_getlength(bs->backing), 512) : 0;
    int64_t inside = CLAMP(length - offset, 0, bytes);

    io_vector_memset(iov, inside, 0, bytes - inside);
    if (!inside) {
        return 0;
    }
    g_auto(IOVector) part = {0};

    io_vector_slice(&part, iov, 0, inside);
    return bdrv_co_preadv(bs->backing, offset, inside, &part, 0);
}

static int coroutine_fn memcow_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    MemCowState *s = bs->opaque;
    int64_t pos = 0;
    int ret = 0;

    while (pos < bytes && ret >= 0) {
        int64_t n = memcow_run(s, offset + pos, bytes - pos);
        g_auto(IOVector) part = {0};

        io_vector_slice(&part, iov, pos, n);
        ret = s->is_allocated[(offset + pos) / MEM_UNIT]
            ? bdrv_co_preadv(bs->file, offset + pos, n, &part, 0)
            : memcow_read_backing(bs, offset + pos, n, &part);
        pos += n;
    }
    return ret;
}

static int coroutine_fn memcow_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          const IOVector *iov, int flags)
{
    MemCowState *s = bs->opaque;
    int ret = bdrv_co_pwritev(bs->file, offset, bytes, iov, 0);

    for (int64_t pos = offset; pos < offset + bytes && ret >= 0; pos += MEM_UNIT) {
        s->is_allocated[pos / MEM_UNIT] = true;
    }
    return ret;
}

/* Clusters; the last one may be short at the end. */
static int coroutine_fn memcow_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                     int64_t bytes, const IOVector *iov)
{
    MemCowState *s = bs->opaque;

    if (offset % 4096 || (bytes % 4096 && offset + bytes != bdrv_co_getlength(bs->file))) {
        return -EINVAL;
    }
    s->compressed++;
    return memcow_co_pwritev(bs, offset, bytes, iov, 0);
}

static int coroutine_fn memcow_co_block_status(BlockDriverState *bs, bool want_zero,
                                               int64_t offset, int64_t bytes, int64_t *pnum,
                                               int64_t *map, BlockDriverState **file)
{
    MemCowState *s = bs->opaque;

    *pnum = memcow_run(s, offset, bytes);
    if (!s->is_allocated[offset / MEM_UNIT]) {
        return offset >= s->lost_from ? BDRV_BLOCK_LOST : 0;
    }
    *map = offset;
    *file = bs->file->bs;
    return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID |
           (s->may_have_holes ? BDRV_BLOCK_RECURSE : 0);
}

static const BlockDriver bdrv_memcow = {
    .format_name = "memcow",
    .instance_size = sizeof(MemCowState),
    .is_format = true,
    .supports_backing = true,
    .runtime_options = memcow_options,
    .bdrv_open = memcow_open,
    .bdrv_close = memcow_close,
    .bdrv_refresh_limits = memcow_refresh_limits,
    .bdrv_get_info = memcow_get_info,
    .bdrv_has_zero_init = mem_has_zero_init,
    .bdrv_co_preadv = memcow_co_preadv,
    .bdrv_co_pwritev = memcow_co_pwritev,
    .bdrv_co_pwritev_compressed = memcow_co_pwritev_compressed,
    .bdrv_co_block_status = memcow_co_block_status,
};

/* ---- for the tests ---------------------------------------------------------- */

static G_GNUC_UNUSED CairnContext *mem_context(void)
{
    CairnContext *ctx = cairn_context_new();
    GError *error = NULL;

    bdrv_register(ctx, &bdrv_mem, &error);
    g_assert_no_error(error);
    bdrv_register(ctx, &bdrv_memcow, &error);
    g_assert_no_error(error);
    return ctx;
}

/* @options: "driver=mem,size=1M..." */
static inline BlockBackend *mem_open_blk(CairnContext *ctx, const char *options, int flags)
{
    GError *error = NULL;
    BlockBackend *blk = blk_open_opts(ctx, options, flags, &error);

    g_assert_no_error(error);
    return blk;
}

/* The state of the mem node that is the root, or the root's file. */
static inline MemState *mem_state(BlockBackend *blk)
{
    BlockDriverState *bs = blk->root->bs;

    return bs->drv == &bdrv_mem ? bs->opaque : bs->file->bs->opaque;
}

/* The state of the first mem node below the root, through formats and filters. */
static inline MemState *mem_below(BlockBackend *blk)
{
    BlockDriverState *bs = blk->root->bs;

    while (bs->drv != &bdrv_mem) {
        BdrvChild *child = bs->file ? bs->file : bdrv_filtered_child(bs);

        bs = child->bs;
    }
    return bs->opaque;
}

static inline void mem_fill(uint8_t *buf, size_t bytes, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    for (size_t i = 0; i < bytes; i++) {
        buf[i] = g_rand_int(rand) >> 24;
    }
}

#endif
