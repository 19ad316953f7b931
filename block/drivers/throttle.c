/* SPDX-License-Identifier: MIT */
/*
 * throttle: a filter whose requests keep to the limits of a group (util/throttle-group.h),
 * together with those of the group's other disks.
 *
 * 1. A request waits before it goes on, never after; flushes and questions do not wait.
 * 2. Inside a drain nothing waits: what stands in the queue goes on at once, so that no close and
 *    no reopen takes as long as the limits say. It is counted, and slows down what comes later.
 */
#include <cairn/driver.h>

#include <errno.h>

#include "qapi/block-options.h"
#include "util/throttle-group.h"

typedef struct ThrottleState {
    ThrottleMember member;
} ThrottleState;

/* ---- open, close, reopen -------------------------------------------------------- */

/* Borrowed; NULL with @error. */
static ThrottleGroup *throttle_find_group(BlockDriverState *bs, const QDict *opts, GError **error)
{
    const char *id = qdict_get_try_str(opts, "throttle-group");
    ThrottleGroup *group;

    if (!id) {
        cairn_set_error(error, EINVAL, "Please specify a throttle group");
        return NULL;
    }
    group = bdrv_find_object(bs, "throttle-group", id);
    if (!group) {
        cairn_set_error(error, ENOENT, "Throttle group '%s' does not exist", id);
    }
    return group;
}

static bool throttle_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    ThrottleState *s = bs->opaque;
    ThrottleGroup *group;

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error)) {
        return false;
    }
    group = throttle_find_group(bs, opts, error);
    if (!group) {
        return false;
    }
    throttle_member_init(&s->member, group);
    bs->supported_write_flags = BDRV_REQ_FUA | BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK
        | BDRV_REQ_WRITE_UNCHANGED;
    return true;
}

static void throttle_close(BlockDriverState *bs)
{
    ThrottleState *s = bs->opaque;

    throttle_member_destroy(&s->member);
}

static bool throttle_reopen_prepare(BlockReopenState *state, GError **error)
{
    ThrottleGroup *group = throttle_find_group(state->bs, state->opts, error);

    state->opaque = group ? throttle_group_ref(group) : NULL;
    return group != NULL;
}

static void throttle_reopen_commit(BlockReopenState *state)
{
    ThrottleState *s = state->bs->opaque;
    g_autoptr(ThrottleGroup) group = g_steal_pointer(&state->opaque);

    throttle_member_move(&s->member, group);
}

static void throttle_reopen_abort(BlockReopenState *state)
{
    throttle_group_unref(g_steal_pointer(&state->opaque));
}

static void throttle_drain_begin(BlockDriverState *bs)
{
    ThrottleState *s = bs->opaque;

    throttle_member_lift(&s->member, true);
}

static void throttle_drain_end(BlockDriverState *bs)
{
    ThrottleState *s = bs->opaque;

    throttle_member_lift(&s->member, false);
}

/* ---- data ------------------------------------------------------------------------ */

static void coroutine_fn throttle_wait(BlockDriverState *bs, bool is_write, int64_t bytes)
{
    ThrottleState *s = bs->opaque;

    throttle_member_wait(&s->member, is_write, bytes);
}

static int coroutine_fn throttle_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                           const IOVector *iov, int flags)
{
    throttle_wait(bs, false, bytes);
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn throttle_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov, int flags)
{
    throttle_wait(bs, true, bytes);
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn throttle_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                       int64_t bytes, const IOVector *iov)
{
    throttle_wait(bs, true, bytes);
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, BDRV_REQ_WRITE_COMPRESSED);
}

static int coroutine_fn throttle_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                                  int64_t bytes, int flags)
{
    throttle_wait(bs, true, bytes);
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static int coroutine_fn throttle_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    throttle_wait(bs, true, bytes);
    return bdrv_co_pdiscard(bs->file, offset, bytes);
}

const BlockDriver bdrv_throttle = {
    .format_name            = "throttle",
    .instance_size          = sizeof(ThrottleState),
    .is_filter              = true,
    .runtime_options        = qapi_options_BlockdevOptionsThrottle,
    .bdrv_open              = throttle_open,
    .bdrv_close             = throttle_close,
    .bdrv_reopen_prepare    = throttle_reopen_prepare,
    .bdrv_reopen_commit     = throttle_reopen_commit,
    .bdrv_reopen_abort      = throttle_reopen_abort,
    .bdrv_drain_begin       = throttle_drain_begin,
    .bdrv_drain_end         = throttle_drain_end,
    .bdrv_co_preadv         = throttle_co_preadv,
    .bdrv_co_pwritev        = throttle_co_pwritev,
    .bdrv_co_pwritev_compressed = throttle_co_pwritev_compressed,
    .bdrv_co_pwrite_zeroes  = throttle_co_pwrite_zeroes,
    .bdrv_co_pdiscard       = throttle_co_pdiscard,
};
