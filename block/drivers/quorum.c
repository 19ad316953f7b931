/* SPDX-License-Identifier: MIT */
/*
 * quorum: several children with the same content. A write goes to all of them; a read asks all,
 * and what most of them say counts.
 *
 * 1. Children differ only where one has failed. So overlapping writes come one after the other
 *    (orders_writes), and what is written to all of them is one copy of the data, which the guest
 *    cannot change between two of them.
 * 2. A read that finds them different asks again with all writes kept out, as a write that is
 *    under way has reached some of them only. Only that second answer is voted on, reported and
 *    rewritten.
 * 3. A child that loses is reported once in each way, until the node is opened anew.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <inttypes.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define QUORUM_MAX_BYTES (1 * MiB)      /* of one request: each child has a buffer of that size */

/* What a child can be reported for. */
typedef enum QuorumFault {
    QUORUM_READ_FAILED, QUORUM_WRITE_FAILED, QUORUM_FLUSH_FAILED, QUORUM_DIFFERS,
    QUORUM_REWRITE_FAILED, QUORUM_FAULTS,
} QuorumFault;

typedef struct QuorumState {
    int count;                  /* of children, 1..BDRV_CHILDREN_MAX */
    int threshold;              /* 1..count: so many must agree */
    bool is_fifo;               /* read from the first child that can */
    bool is_blkverify;          /* two children: a difference is an error of both */
    bool rewrites;              /* who loses gets the winner's data */
    BdrvChild *children[BDRV_CHILDREN_MAX];
    gint reported[BDRV_CHILDREN_MAX];   /* atomic: 1 << QuorumFault */
} QuorumState;

/* ---- requests to all children ------------------------------------------------------ */

typedef struct QuorumCall QuorumCall;
typedef int coroutine_fn QuorumFunc(QuorumCall *call, int index);

struct QuorumCall {
    BlockDriverState *bs;
    QuorumFunc *func;
    int64_t offset, bytes;
    int flags;
    void *data;                 /* what is written; NULL: nothing, or zeros */
    void *bufs[BDRV_CHILDREN_MAX];      /* what was read; NULL unless a read */
    uint32_t skip;              /* mask: children that are left out, with 0 */
    int ret[BDRV_CHILDREN_MAX]; /* 0 or -errno */
    Coroutine *co;
    int pending;                /* only this thread counts */
    bool is_waiting;
};

typedef struct QuorumPart {
    QuorumCall *call;
    int index;
} QuorumPart;

static void coroutine_fn quorum_call_part(void *opaque)
{
    QuorumPart *part = opaque;
    QuorumCall *call = part->call;

    int ret = call->func(call, part->index);

    call->ret[part->index] = MIN(ret, 0);
    if (--call->pending == 0 && call->is_waiting) {
        aio_co_wake(call->co);
    }
}

/* All at once; returns when all have ended. */
static void coroutine_fn quorum_call(QuorumCall *call)
{
    QuorumState *s = call->bs->opaque;
    QuorumPart parts[BDRV_CHILDREN_MAX];
    Coroutine *co;

    call->co = coroutine_self();
    call->pending = 1;
    for (int i = 0; i < s->count; i++) {
        call->ret[i] = 0;
        if (call->skip & (1u << i)) {
            continue;
        }
        parts[i] = (QuorumPart){ .call = call, .index = i };
        call->pending++;
        co = coroutine_try_create(quorum_call_part, &parts[i]);
        if (co) {
            coroutine_enter(co);
        } else {
            quorum_call_part(&parts[i]);        /* in turn */
        }
    }
    if (--call->pending > 0) {
        call->is_waiting = true;
        coroutine_yield();
        call->is_waiting = false;
    }
}

static BdrvChild *quorum_child(const QuorumCall *call, int index)
{
    QuorumState *s = call->bs->opaque;

    return s->children[index];
}

static int coroutine_fn quorum_do_read(QuorumCall *call, int index)
{
    return bdrv_co_pread(quorum_child(call, index), call->offset, call->bytes, call->bufs[index]);
}

static int coroutine_fn quorum_do_write(QuorumCall *call, int index)
{
    return bdrv_co_pwrite(quorum_child(call, index), call->offset, call->bytes, call->data,
                          call->flags);
}

static int coroutine_fn quorum_do_zeroes(QuorumCall *call, int index)
{
    return bdrv_co_pwrite_zeroes(quorum_child(call, index), call->offset, call->bytes,
                                 call->flags);
}

static int coroutine_fn quorum_do_flush(QuorumCall *call, int index)
{
    return bdrv_co_flush(quorum_child(call, index));
}

/* ---- reports ------------------------------------------------------------------------- */

static void quorum_report(const QuorumCall *call, int index, QuorumFault fault)
{
    static const char *const texts[QUORUM_FAULTS] = {
        "reading failed", "writing failed", "flushing failed", "contents differ from the others'",
        "rewriting failed",
    };
    QuorumState *s = call->bs->opaque;
    g_autofree char *why = NULL;

    if (g_atomic_int_or((guint *)&s->reported[index], 1u << fault) & (1u << fault)) {
        return;
    }
    why = call->ret[index] < 0 ? g_strdup_printf(": %s", g_strerror(-call->ret[index])) : NULL;
    bdrv_warn(call->bs, "quorum '%s': child %d ('%s'): %s at offset %" PRId64 ", %" PRId64
              " bytes%s", call->bs->node_name, index, s->children[index]->bs->filename,
              texts[fault], call->offset, call->bytes, why ? why : "");
}

static void quorum_report_failed(const QuorumCall *call, QuorumFault fault)
{
    QuorumState *s = call->bs->opaque;

    for (int i = 0; i < s->count; i++) {
        if (call->ret[i] < 0) {
            quorum_report(call, i, fault);
        }
    }
}

/* ---- votes ------------------------------------------------------------------------------ */

/* The error that most children ended with; of several the last one's. 0: none failed. */
static int quorum_vote_error(const QuorumCall *call)
{
    QuorumState *s = call->bs->opaque;
    int winner = 0, most = 0;

    for (int i = 0; i < s->count; i++) {
        int votes = 0;

        for (int j = 0; j < s->count && call->ret[i] < 0; j++) {
            votes += call->ret[j] == call->ret[i];
        }
        if (votes >= most && votes) {
            winner = call->ret[i];
            most = votes;
        }
    }
    return winner;
}

static int quorum_successes(const QuorumCall *call)
{
    QuorumState *s = call->bs->opaque;
    int count = 0;

    for (int i = 0; i < s->count; i++) {
        count += call->ret[i] >= 0;
    }
    return count;
}

/* Enough have done it, else the error of the most. */
static int quorum_settle(const QuorumCall *call, QuorumFault fault)
{
    QuorumState *s = call->bs->opaque;

    quorum_report_failed(call, fault);
    return quorum_successes(call) >= s->threshold ? 0 : quorum_vote_error(call);
}

/*
 * Whose data most of the children that could be read have, the first one's of several; @votes:
 * how many. @losers: a mask of those that have other data. -1: none could be read.
 */
static int quorum_vote(const QuorumCall *call, int *votes, uint32_t *losers)
{
    QuorumState *s = call->bs->opaque;
    int version[BDRV_CHILDREN_MAX], count[BDRV_CHILDREN_MAX] = { 0 }, winner = -1;

    for (int i = 0; i < s->count; i++) {
        version[i] = i;
        for (int j = 0; j < i && call->ret[i] >= 0 && version[i] == i; j++) {
            if (call->ret[j] >= 0 && version[j] == j
                && !memcmp(call->bufs[j], call->bufs[i], (size_t)call->bytes)) {
                version[i] = j;
            }
        }
        count[version[i]] += call->ret[i] >= 0;
    }
    *losers = 0;
    for (int i = 0; i < s->count; i++) {
        winner = count[i] > (winner < 0 ? 0 : count[winner]) ? i : winner;
    }
    for (int i = 0; i < s->count && winner >= 0; i++) {
        *losers |= call->ret[i] >= 0 && version[i] != winner ? 1u << i : 0;
    }
    *votes = winner < 0 ? 0 : count[winner];
    return winner;
}

/* ---- reads -------------------------------------------------------------------------------- */

static int64_t quorum_first_difference(const uint8_t *a, const uint8_t *b, int64_t bytes)
{
    int64_t i = 0;

    while (i < bytes && a[i] == b[i]) {
        i++;
    }
    return i;
}

/* The winner's data for those that have other, while no write runs. */
static void coroutine_fn quorum_rewrite(const QuorumCall *read, int winner, uint32_t losers)
{
    QuorumCall call = {
        .bs = read->bs, .func = quorum_do_write, .offset = read->offset, .bytes = read->bytes,
        .data = read->bufs[winner], .skip = ~losers,
    };

    quorum_call(&call);
    quorum_report_failed(&call, QUORUM_REWRITE_FAILED);
}

/* Asks all, writes kept out, and lets the answers count. Returns the winner, or -errno. */
static int coroutine_fn quorum_decide(QuorumCall *call)
{
    QuorumState *s = call->bs->opaque;
    uint32_t losers;
    int winner, votes;

    quorum_call(call);
    winner = quorum_vote(call, &votes, &losers);
    quorum_report_failed(call, QUORUM_READ_FAILED);
    if (s->is_blkverify && losers) {
        bdrv_warn(call->bs, "quorum: offset=%" PRId64 " bytes=%" PRId64
                  " contents mismatch at offset %" PRId64, call->offset, call->bytes,
                  call->offset + quorum_first_difference(call->bufs[0], call->bufs[1],
                                                         call->bytes));
        return -EIO;
    }
    for (int i = 0; i < s->count; i++) {
        if (losers & (1u << i)) {
            quorum_report(call, i, QUORUM_DIFFERS);
        }
    }
    if (quorum_successes(call) < s->threshold) {
        return quorum_vote_error(call);
    }
    if (votes < s->threshold) {
        return -EIO;
    }
    if (s->rewrites && losers) {
        quorum_rewrite(call, winner, losers);
    }
    return winner;
}

static int coroutine_fn quorum_read_all(QuorumCall *call)
{
    QuorumState *s = call->bs->opaque;
    uint32_t losers;
    BdrvClaim *claim;
    int ret, votes;

    quorum_call(call);
    ret = quorum_vote(call, &votes, &losers);
    if (votes == s->count) {
        return ret;
    }
    if (!losers) {
        quorum_report_failed(call, QUORUM_READ_FAILED);
        return votes >= s->threshold ? ret : quorum_vote_error(call);
    }
    claim = bdrv_co_claim(call->bs, call->offset, call->bytes);
    ret = quorum_decide(call);
    bdrv_release(claim);
    return ret;
}

static int coroutine_fn quorum_read_votes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          const IOVector *iov)
{
    QuorumState *s = bs->opaque;
    QuorumCall call = {
        .bs = bs, .func = quorum_do_read, .offset = offset, .bytes = bytes,
    };
    int ret = 0;

    for (int i = 0; i < s->count; i++) {
        call.bufs[i] = bdrv_buffer_alloc(bs, (size_t)bytes);
        ret = call.bufs[i] ? ret : -ENOMEM;
    }
    if (ret >= 0) {
        ret = quorum_read_all(&call);
    }
    if (ret >= 0) {
        io_vector_from_buf(iov, call.bufs[ret], (size_t)bytes);
    }
    for (int i = 0; i < s->count; i++) {
        bdrv_buffer_free(call.bufs[i]);
    }
    return MIN(ret, 0);
}

static int coroutine_fn quorum_read_first(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          const IOVector *iov)
{
    QuorumState *s = bs->opaque;
    QuorumCall call = { .bs = bs, .offset = offset, .bytes = bytes };
    int ret = -EIO;

    for (int i = 0; i < s->count && ret < 0; i++) {
        ret = bdrv_co_preadv(s->children[i], offset, bytes, iov, 0);
        call.ret[i] = MIN(ret, 0);
    }
    quorum_report_failed(&call, QUORUM_READ_FAILED);
    return ret;
}

static int coroutine_fn quorum_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    QuorumState *s = bs->opaque;

    return s->is_fifo ? quorum_read_first(bs, offset, bytes, iov)
                      : quorum_read_votes(bs, offset, bytes, iov);
}

/* ---- writes and flushes --------------------------------------------------------------------- */

static int coroutine_fn quorum_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          const IOVector *iov, int flags)
{
    QuorumCall call = {
        .bs = bs, .func = quorum_do_write, .offset = offset, .bytes = bytes, .flags = flags,
        .data = bdrv_buffer_alloc(bs, (size_t)bytes),
    };

    if (!call.data) {
        return -ENOMEM;
    }
    io_vector_to_buf(iov, call.data, (size_t)bytes);
    quorum_call(&call);
    bdrv_buffer_free(call.data);
    return quorum_settle(&call, QUORUM_WRITE_FAILED);
}

static int coroutine_fn quorum_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                                int64_t bytes, int flags)
{
    QuorumCall call = {
        .bs = bs, .func = quorum_do_zeroes, .offset = offset, .bytes = bytes, .flags = flags,
    };

    quorum_call(&call);
    return quorum_settle(&call, QUORUM_WRITE_FAILED);
}

static int coroutine_fn quorum_co_flush(BlockDriverState *bs)
{
    QuorumCall call = { .bs = bs, .func = quorum_do_flush };

    quorum_call(&call);
    return quorum_settle(&call, QUORUM_FLUSH_FAILED);
}

/* ---- questions --------------------------------------------------------------------------- */

/* All have the same length, or there is none. */
static int64_t coroutine_fn quorum_co_getlength(BlockDriverState *bs)
{
    QuorumState *s = bs->opaque;
    int64_t length = bdrv_co_getlength(s->children[0]);

    for (int i = 1; i < s->count && length >= 0; i++) {
        int64_t other = bdrv_co_getlength(s->children[i]);

        length = other < 0 ? other : other == length ? length : -EIO;
    }
    return length;
}

static int64_t coroutine_fn quorum_co_get_allocated_file_size(BlockDriverState *bs)
{
    QuorumState *s = bs->opaque;
    int64_t sum = 0;

    for (int i = 0; i < s->count; i++) {
        int64_t bytes = bdrv_co_get_allocated_file_size(s->children[i]->bs);

        if (bytes < 0) {
            return bytes;
        }
        sum += bytes;
    }
    return sum;
}

/* Zeros where all say so. Who cannot tell may have data. */
static int coroutine_fn quorum_co_block_status(BlockDriverState *bs, bool want_zero,
                                               int64_t offset, int64_t bytes, int64_t *pnum,
                                               int64_t *map, BlockDriverState **file)
{
    QuorumState *s = bs->opaque;
    bool is_zero = true;

    *pnum = bytes;
    for (int i = 0; i < s->count; i++) {
        BlockStatus status;
        int ret = bdrv_co_block_status_chain(s->children[i], want_zero, offset, *pnum, &status);

        if (ret < 0 || !status.bytes) {
            is_zero = false;
            continue;
        }
        is_zero &= (status.flags & BDRV_BLOCK_ZERO) != 0;
        *pnum = MIN(*pnum, status.bytes);
    }
    return is_zero ? BDRV_BLOCK_ZERO : BDRV_BLOCK_DATA;
}

/* ---- open -------------------------------------------------------------------------------- */

static bool quorum_parse_pattern(QuorumState *s, QDict *opts, GError **error)
{
    const char *pattern = qdict_get_try_str(opts, "read-pattern");

    s->is_fifo = pattern && !strcmp(pattern, "fifo");
    if (pattern && !s->is_fifo && strcmp(pattern, "quorum") != 0) {
        cairn_set_error(error, EINVAL, "Please set read-pattern as fifo or quorum");
        return false;
    }
    if (s->is_fifo) {
        return true;
    }
    s->is_blkverify = qdict_get_try_bool(opts, "blkverify", false);
    if (s->is_blkverify && (s->count != 2 || s->threshold != 2)) {
        cairn_set_error(error, EINVAL, "blkverify=on can only be set if there are exactly two "
                        "files and vote-threshold is 2");
        return false;
    }
    s->rewrites = qdict_get_try_bool(opts, "rewrite-corrupted", false);
    if (s->rewrites && s->is_blkverify) {
        cairn_set_error(error, EINVAL, "rewrite-corrupted=on cannot be used with blkverify=on");
        return false;
    }
    return true;
}

static bool quorum_parse(BlockDriverState *bs, QDict *opts, GError **error)
{
    QuorumState *s = bs->opaque;
    int64_t threshold = qdict_get_try_int(opts, "vote-threshold", 0);

    s->count = bdrv_count_children(bs, "children", error);
    if (s->count < 0) {
        return false;
    }
    if (s->count == 0) {
        cairn_set_error(error, EINVAL, "Number of provided children must be 1 or more");
        return false;
    }
    if (threshold < 1) {
        cairn_set_error(error, EINVAL, "Parameter 'vote-threshold' expects a value >= 1");
        return false;
    }
    if (threshold > s->count) {
        cairn_set_error(error, EINVAL, "threshold may not exceed children count");
        return false;
    }
    s->threshold = (int)threshold;
    return quorum_parse_pattern(s, opts, error);
}

static bool quorum_open_children(BlockDriverState *bs, GError **error)
{
    QuorumState *s = bs->opaque;

    for (int i = 0; i < s->count; i++) {
        char name[32];

        g_snprintf(name, sizeof(name), "children.%d", i);
        if (!bdrv_open_child_named(bs, name, NULL, BDRV_CHILD_DATA, &s->children[i], error)) {
            return false;
        }
    }
    return true;
}

static bool quorum_check_lengths(BlockDriverState *bs, GError **error)
{
    QuorumState *s = bs->opaque;
    int64_t first = bdrv_getlength(s->children[0]);

    for (int i = 0; i < s->count; i++) {
        int64_t length = bdrv_getlength(s->children[i]);

        if (length == first && length >= 0) {
            continue;
        }
        cairn_set_error_errno(error, length < 0 ? (int)-length : EIO,
                              "Could not refresh total sector count");
        if (length >= 0) {
            cairn_error_append_hint(error, "children.0 has %" PRId64 " bytes, children.%d has "
                                    "%" PRId64 ".", first, i, length);
        }
        return false;
    }
    return true;
}

static bool quorum_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    bs->orders_writes = true;
    bs->supported_write_flags = BDRV_REQ_FUA | BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_WRITE_UNCHANGED;
    return quorum_parse(bs, opts, error) && quorum_open_children(bs, error)
        && quorum_check_lengths(bs, error);
}

static bool quorum_refresh_limits(BlockDriverState *bs, GError **error)
{
    bs->bl.max_transfer = QUORUM_MAX_BYTES;
    return true;
}

/* Nobody else may make the children different. */
static void quorum_child_perm(BlockDriverState *bs, BdrvChild *child, BdrvChildRole role,
                              const BlockReopenState *reopen, uint64_t perm, uint64_t shared,
                              uint64_t *nperm, uint64_t *nshared)
{
    QuorumState *s = bs->opaque;

    *nperm = perm | (s->rewrites ? BLK_PERM_WRITE : 0);
    *nshared = BLK_PERM_ALL & ~(uint64_t)(BLK_PERM_WRITE | BLK_PERM_RESIZE);
}

const BlockDriver bdrv_quorum = {
    .format_name            = "quorum",
    .instance_size          = sizeof(QuorumState),
    .runtime_options        = qapi_options_BlockdevOptionsQuorum,
    .bdrv_open              = quorum_open,
    .bdrv_refresh_limits    = quorum_refresh_limits,
    .bdrv_child_perm        = quorum_child_perm,
    .bdrv_co_getlength      = quorum_co_getlength,
    .bdrv_co_get_allocated_file_size = quorum_co_get_allocated_file_size,
    .bdrv_co_preadv         = quorum_co_preadv,
    .bdrv_co_pwritev        = quorum_co_pwritev,
    .bdrv_co_pwrite_zeroes  = quorum_co_pwrite_zeroes,
    .bdrv_co_flush          = quorum_co_flush,
    .bdrv_co_block_status   = quorum_co_block_status,
};
