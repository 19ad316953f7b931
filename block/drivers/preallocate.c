/* SPDX-License-Identifier: MIT */
/*
 * preallocate: a filter above a file that grows. A write past the file's end extends it far
 * ahead, in one piece, so that the next writes find space that is allocated and in one place.
 *
 *      0 ............ data_end ............ file_end
 *      what users know  |  zeros, ahead      |  the file ends here
 *
 * (1) Users never see the zeros ahead: the length is data_end, and they are cut off when the file
 *     is closed, or when nobody may resize it any more. A crash leaves them behind, as zeros.
 * (2) No write has touched, or is about to touch, anything at or past file_end: so extending,
 *     which writes zeros from there, hits no data. A write that reaches further takes the room
 *     first, with the lock held, whether the file could be extended for it or not.
 * (3) data_end moves only when a write has ended well.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <inttypes.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define PREALLOCATE_DEFAULT_SIZE (128 * MiB)
#define PREALLOCATE_DEFAULT_ALIGN (1 * MiB)
#define PREALLOCATE_ALIGN_UNIT 512

typedef struct PreallocateOptions {
    int64_t size;               /* bytes ahead of a write; 0: none but by align */
    int64_t align;              /* bytes: what the end of the file is rounded up to; > 0 */
} PreallocateOptions;

typedef struct PreallocateState {
    PreallocateOptions options; /* changed inside drains */
    gint may_grow;              /* atomic bool: a user holds write and resize */
    CoMutex lock;               /* guards what is below but data_end; held while file_end moves */
    int64_t data_end;           /* atomic (__atomic_*); -1: not looked at: the file's length */
    int64_t file_end;           /* >= data_end */
    int64_t quiet_until;        /* after a failure: no new attempt before a write ends behind it */
} PreallocateState;

/* ---- options ---------------------------------------------------------------------- */

/* A size that no file reaches is as good as that. */
static int64_t preallocate_size_of(const QDict *opts, const char *name, int64_t fallback)
{
    uint64_t number;

    if (!qobject_get_uint(qdict_get(opts, name), &number)) {
        return fallback;
    }
    return (int64_t)MIN(number, (uint64_t)INT64_MAX / 4);
}

static bool preallocate_parse(const QDict *opts, PreallocateOptions *options, GError **error)
{
    uint64_t align = PREALLOCATE_DEFAULT_ALIGN;

    qobject_get_uint(qdict_get(opts, "prealloc-align"), &align);
    if (align % PREALLOCATE_ALIGN_UNIT) {
        cairn_set_error(error, EINVAL, "prealloc-align parameter of preallocate filter is not "
                        "aligned to %d", PREALLOCATE_ALIGN_UNIT);
        return false;
    }
    options->size = preallocate_size_of(opts, "prealloc-size", PREALLOCATE_DEFAULT_SIZE);
    options->align = preallocate_size_of(opts, "prealloc-align", PREALLOCATE_DEFAULT_ALIGN);
    options->align = MAX(options->align, 1);
    return true;
}

/* ---- the end of the file ------------------------------------------------------------ */

static int64_t preallocate_data_end(const PreallocateState *s)
{
    return __atomic_load_n(&s->data_end, __ATOMIC_ACQUIRE);
}

static void preallocate_set_data_end(PreallocateState *s, int64_t end)
{
    __atomic_store_n(&s->data_end, end, __ATOMIC_RELEASE);
}

static void preallocate_note_data(PreallocateState *s, int64_t end)
{
    int64_t old = preallocate_data_end(s);

    while (old < end
           && !__atomic_compare_exchange_n(&s->data_end, &old, end, true, __ATOMIC_RELEASE,
                                           __ATOMIC_ACQUIRE)) {
        /* another write moved it: look again */
    }
}

/* With the lock held: the file as it is, where nobody has looked yet. */
static int coroutine_fn preallocate_look(BlockDriverState *bs)
{
    PreallocateState *s = bs->opaque;
    int64_t length;

    if (preallocate_data_end(s) >= 0) {
        return 0;
    }
    length = bdrv_co_getlength(bs->file);
    if (length < 0) {
        return (int)length;
    }
    s->file_end = length;
    preallocate_set_data_end(s, length);
    return 0;
}

/* What suits the nodes below. */
static int64_t preallocate_block_size(BlockDriverState *bs)
{
    int64_t align = 1;

    for (const BdrvChild *child = bs->file; child; child = bdrv_filtered_child(child->bs)) {
        align = MAX(align, (int64_t)child->bs->bl.request_alignment);
    }
    return align;
}

/*
 * With the lock held: zeros ahead of a write that ends at @end. Where that fails, the write does
 * what it always did.
 */
static void coroutine_fn preallocate_extend(BlockDriverState *bs, int64_t end)
{
    PreallocateState *s = bs->opaque;
    int64_t block = preallocate_block_size(bs);
    int64_t from = ROUND_UP_TO(s->file_end, block), to;
    int ret;

    if (end <= s->quiet_until || end > INT64_MAX / 4) {
        return;
    }
    to = ROUND_UP_TO(end + s->options.size, s->options.align);
    to = ROUND_UP_TO(to, block);
    if (to <= from) {
        return;
    }
    ret = bdrv_co_pwrite_zeroes(bs->file, from, to - from, BDRV_REQ_NO_FALLBACK);
    if (ret >= 0) {
        s->file_end = to;
    } else {
        s->quiet_until = ret == -ENOTSUP ? INT64_MAX : to;
    }
}

/* Before a write that ends at @end: see (2). */
static int coroutine_fn preallocate_make_room(BlockDriverState *bs, int64_t end)
{
    PreallocateState *s = bs->opaque;
    int ret;

    if (!g_atomic_int_get(&s->may_grow) || end <= preallocate_data_end(s)) {
        return 0;
    }
    CO_MUTEX_GUARD(&s->lock);
    ret = preallocate_look(bs);
    if (ret >= 0 && end > s->file_end) {
        preallocate_extend(bs, end);
        s->file_end = MAX(s->file_end, end);
    }
    return ret;
}

/* After it. */
static void preallocate_done(BlockDriverState *bs, int64_t end, int ret)
{
    PreallocateState *s = bs->opaque;

    if (ret >= 0 && g_atomic_int_get(&s->may_grow)) {
        preallocate_note_data(s, end);
    }
}

/* No request runs. What was ahead is gone, and the file's length is its own again. */
static bool preallocate_cut(BlockDriverState *bs, GError **error)
{
    PreallocateState *s = bs->opaque;
    int64_t data_end = preallocate_data_end(s);

    if (data_end >= 0 && bs->file->perm & BLK_PERM_RESIZE) {
        int64_t length = bdrv_getlength(bs->file);

        if (length > data_end
            && !bdrv_truncate(bs->file, data_end, true, PREALLOC_MODE_OFF, error)) {
            g_prefix_error(error, "Could not cut off what was preallocated: ");
            return false;
        }
    }
    preallocate_set_data_end(s, -1);
    return true;
}

/* ---- life ------------------------------------------------------------------------------ */

static bool preallocate_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    PreallocateState *s = bs->opaque;

    s->data_end = -1;
    if (!bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error)
        || !preallocate_parse(opts, &s->options, error)) {
        return false;
    }
    co_mutex_init(&s->lock);
    bs->supported_write_flags = BDRV_REQ_FUA | BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK
        | BDRV_REQ_WRITE_UNCHANGED;
    return true;
}

static void preallocate_close(BlockDriverState *bs)
{
    PreallocateState *s = bs->opaque;
    g_autoptr(GError) error = NULL;

    if (!preallocate_cut(bs, &error)) {
        bdrv_warn(bs, "preallocate '%s': %s", bs->node_name, error->message);
    }
    co_mutex_destroy(&s->lock);
}

static bool preallocate_reopen_prepare(BlockReopenState *state, GError **error)
{
    g_autofree PreallocateOptions *options = g_new0(PreallocateOptions, 1);

    if (!preallocate_parse(state->opts, options, error)) {
        return false;
    }
    state->opaque = g_steal_pointer(&options);
    return true;
}

static void preallocate_reopen_commit(BlockReopenState *state)
{
    PreallocateState *s = state->bs->opaque;
    g_autofree PreallocateOptions *options = g_steal_pointer(&state->opaque);

    s->options = *options;
    s->quiet_until = 0;
}

static void preallocate_reopen_abort(BlockReopenState *state)
{
    g_free(g_steal_pointer(&state->opaque));
}

/* ---- permissions ---------------------------------------------------------------------------- */

static bool preallocate_may_grow(uint64_t perm)
{
    return perm & BLK_PERM_WRITE && perm & BLK_PERM_RESIZE;
}

/* While there may be zeros ahead nobody else may see, or change, the file's length. */
static void preallocate_child_perm(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                                   const BlockReopenState *reopen, uint64_t perm, uint64_t shared,
                                   uint64_t *nperm, uint64_t *nshared)
{
    *nperm = perm;
    *nshared = shared;
    if (preallocate_may_grow(perm)) {
        *nshared &= ~(uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
    }
}

/* The child's permission to resize is still held here, and gone when the new ones are set. */
static bool preallocate_check_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared,
                                   GError **error)
{
    return preallocate_may_grow(perm) || preallocate_cut(bs, error);
}

static void preallocate_set_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared)
{
    PreallocateState *s = bs->opaque;

    g_atomic_int_set(&s->may_grow, preallocate_may_grow(perm));
}

/* ---- data -------------------------------------------------------------------------------- */

static int64_t coroutine_fn preallocate_co_getlength(BlockDriverState *bs)
{
    PreallocateState *s = bs->opaque;
    int64_t data_end = preallocate_data_end(s);

    return data_end >= 0 ? data_end : bdrv_co_getlength(bs->file);
}

static int coroutine_fn preallocate_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                              const IOVector *iov, int flags)
{
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn preallocate_co_pwritev(BlockDriverState *bs, int64_t offset,
                                               int64_t bytes, const IOVector *iov, int flags)
{
    int ret = preallocate_make_room(bs, offset + bytes);

    if (ret >= 0) {
        ret = bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
        preallocate_done(bs, offset + bytes, ret);
    }
    return ret;
}

static int coroutine_fn preallocate_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                                     int64_t bytes, int flags)
{
    int ret = preallocate_make_room(bs, offset + bytes);

    if (ret >= 0) {
        ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
        preallocate_done(bs, offset + bytes, ret);
    }
    return ret;
}

/* With the lock held. */
static bool coroutine_fn preallocate_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                              PreallocMode prealloc, GError **error)
{
    PreallocateState *s = bs->opaque;
    int64_t data_end = preallocate_data_end(s);
    bool is_there = bytes >= data_end && bytes <= s->file_end && prealloc == PREALLOC_MODE_OFF;

    /* What is to be allocated in a way of its own must be new. */
    if (bytes >= data_end && prealloc != PREALLOC_MODE_OFF && s->file_end > data_end) {
        if (!bdrv_co_truncate(bs->file, data_end, true, PREALLOC_MODE_OFF, error)) {
            return false;
        }
        s->file_end = data_end;
    }
    if (!is_there && !bdrv_co_truncate(bs->file, bytes, exact, prealloc, error)) {
        return false;
    }
    s->file_end = is_there ? s->file_end : bytes;
    preallocate_set_data_end(s, bytes);
    return true;
}

static bool coroutine_fn preallocate_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                                 PreallocMode prealloc, GError **error)
{
    PreallocateState *s = bs->opaque;
    int ret;

    if (!g_atomic_int_get(&s->may_grow)) {
        return bdrv_co_truncate(bs->file, bytes, exact, prealloc, error);
    }
    CO_MUTEX_GUARD(&s->lock);
    ret = preallocate_look(bs);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not get the length of '%s'",
                              bs->file->bs->filename);
        return false;
    }
    return preallocate_truncate(bs, bytes, exact, prealloc, error);
}

static const char *const preallocate_strong_options[] = { NULL };

const BlockDriver bdrv_preallocate = {
    .format_name            = "preallocate",
    .instance_size          = sizeof(PreallocateState),
    .is_filter              = true,
    .runtime_options        = qapi_options_BlockdevOptionsPreallocate,
    .strong_runtime_opts    = preallocate_strong_options,
    .bdrv_open              = preallocate_open,
    .bdrv_close             = preallocate_close,
    .bdrv_reopen_prepare    = preallocate_reopen_prepare,
    .bdrv_reopen_commit     = preallocate_reopen_commit,
    .bdrv_reopen_abort      = preallocate_reopen_abort,
    .bdrv_child_perm        = preallocate_child_perm,
    .bdrv_check_perm        = preallocate_check_perm,
    .bdrv_set_perm          = preallocate_set_perm,
    .bdrv_co_getlength      = preallocate_co_getlength,
    .bdrv_co_preadv         = preallocate_co_preadv,
    .bdrv_co_pwritev        = preallocate_co_pwritev,
    .bdrv_co_pwrite_zeroes  = preallocate_co_pwrite_zeroes,
    .bdrv_co_truncate       = preallocate_co_truncate,
};
