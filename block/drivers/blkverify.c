/* SPDX-License-Identifier: MIT */
/*
 * blkverify: an image under test, and a raw copy that says what it should hold. Both get every
 * write; both are read, and what differs is told by the context's warning callback and fails the
 * request.
 *
 * 1. A request that writes excludes all that overlap it until both sides have it, so a difference
 *    is never one of timing. Requests wait only for earlier ones.
 * 2. What a discarded range reads as is the image's to choose, once: the copy takes that over.
 * 3. A length is the same on both sides, or the image does not open.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define VERIFY_MAX_TRANSFER (16 * MiB)  /* what a read keeps a second time */
#define VERIFY_COPY_BYTES MiB

typedef struct VerifyState {
    BdrvChild *raw, *test;      /* never NULL while open */
    GMutex lock;                /* guards the two below; a leaf */
    GQueue ranges;              /* VerifyRange *, on coroutines' stacks, in order of arrival */
    CoQueue waiters;            /* woken whenever one ends */
} VerifyState;

typedef struct VerifyRange {
    VerifyState *s;
    int64_t offset, bytes;
    bool is_write;
    GList link;
} VerifyRange;

/* ---- requests that overlap --------------------------------------------------------- */

static bool verify_conflicts(const VerifyRange *a, const VerifyRange *b)
{
    return (a->is_write || b->is_write) && a->offset < b->offset + b->bytes
        && b->offset < a->offset + a->bytes;
}

/* With the lock held. */
static bool verify_must_wait(const VerifyRange *range)
{
    for (GList *l = range->link.prev; l; l = l->prev) {
        if (verify_conflicts(range, l->data)) {
            return true;
        }
    }
    return false;
}

static void coroutine_fn verify_range_begin(VerifyRange *range, VerifyState *s, int64_t offset,
                                            int64_t bytes, bool is_write)
{
    *range = (VerifyRange){ .s = s, .offset = offset, .bytes = bytes, .is_write = is_write };
    range->link.data = range;
    g_mutex_lock(&s->lock);
    g_queue_push_tail_link(&s->ranges, &range->link);
    while (verify_must_wait(range)) {
        co_queue_wait_thread(&s->waiters, &s->lock);
    }
    g_mutex_unlock(&s->lock);
}

static void verify_range_end(VerifyRange *range)
{
    g_mutex_lock(&range->s->lock);
    g_queue_unlink(&range->s->ranges, &range->link);
    co_queue_restart_all(&range->s->waiters);
    g_mutex_unlock(&range->s->lock);
}

/* ---- open and close ----------------------------------------------------------------- */

static bool verify_parse_filename(const char *filename, QDict *options, GError **error)
{
    const char *raw, *colon;

    if (!g_str_has_prefix(filename, "blkverify:")) {
        qdict_put_str(options, "x-image", filename);
        return true;
    }
    raw = filename + strlen("blkverify:");
    colon = strchr(raw, ':');
    if (!colon) {
        cairn_set_error(error, EINVAL, "blkverify requires raw copy and original image path");
        return false;
    }
    g_autofree char *name = g_strndup(raw, (gsize)(colon - raw));

    qdict_put_str(options, "x-raw", name);
    qdict_put_str(options, "x-image", colon + 1);
    return true;
}

static bool verify_length(BdrvChild *child, int64_t *bytes, GError **error)
{
    int64_t length = bdrv_getlength(child);

    if (length < 0) {
        cairn_set_error_errno(error, (int)-length, "Could not get the length of '%s'",
                              child->bs->filename);
        return false;
    }
    *bytes = ROUND_UP_TO(length, BDRV_SECTOR_SIZE);
    return true;
}

static bool verify_check_lengths(VerifyState *s, GError **error)
{
    int64_t raw, test;

    if (!verify_length(s->raw, &raw, error) || !verify_length(s->test, &test, error)) {
        return false;
    }
    if (raw != test) {
        cairn_set_error(error, EINVAL, "The raw copy has %" PRId64 " bytes, the image %" PRId64,
                        raw, test);
        return false;
    }
    return true;
}

static bool verify_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    VerifyState *s = bs->opaque;

    if (!bdrv_open_child_named(bs, "raw", qdict_get_try_str(opts, "x-raw"),
                               BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, &s->raw, error)
        || !bdrv_open_child_named(bs, "test", qdict_get_try_str(opts, "x-image"),
                                  BDRV_CHILD_DATA, &s->test, error)
        || !verify_check_lengths(s, error)) {
        return false;
    }
    g_mutex_init(&s->lock);
    g_queue_init(&s->ranges);
    co_queue_init(&s->waiters);
    bs->supported_write_flags = BDRV_REQ_FUA;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP;
    return true;
}

static void verify_close(BlockDriverState *bs)
{
    VerifyState *s = bs->opaque;

    g_assert(g_queue_is_empty(&s->ranges));
    g_mutex_clear(&s->lock);
}

/* ---- the graph ------------------------------------------------------------------------ */

static bool verify_refresh_limits(BlockDriverState *bs, GError **error)
{
    const VerifyState *s = bs->opaque;

    bs->bl.request_alignment = MAX(s->raw->bs->bl.request_alignment,
                                   s->test->bs->bl.request_alignment);
    bs->bl.max_transfer = VERIFY_MAX_TRANSFER;
    return true;
}

/* "blkverify:RAW:IMAGE" where that opens the same again: by its name, and by probing. */
static void verify_refresh_filename(BlockDriverState *bs)
{
    const VerifyState *s = bs->opaque;
    const BlockDriverState *raw = s->raw->bs, *test = s->test->bs;

    if (!raw->drv->protocol_name || !raw->exact_filename[0] || strchr(raw->exact_filename, ':')
        || !test->probed || !test->exact_filename[0]) {
        return;
    }
    g_free(bs->exact_filename);
    bs->exact_filename = g_strdup_printf("blkverify:%s:%s", raw->exact_filename,
                                         test->exact_filename);
}

/* ---- what differs ------------------------------------------------------------------------ */

typedef struct VerifyRequest {
    BlockDriverState *bs;
    const char *verb;           /* "read", "write" */
    int64_t offset, bytes;
} VerifyRequest;

/* What both sides gave, or -EIO where they do not agree. */
static int verify_returns(const VerifyRequest *r, int test, int raw)
{
    test = MIN(test, 0);
    raw = MIN(raw, 0);
    if (test == raw) {
        return test;
    }
    bdrv_warn(r->bs, "blkverify: %s offset=%" PRId64 " bytes=%" PRId64
              " return value mismatch %d != %d", r->verb, r->offset, r->bytes, test, raw);
    return -EIO;
}

/* Where @iov differs from @buf; -1: nowhere. */
static int64_t verify_first_difference(const IOVector *iov, const uint8_t *buf)
{
    int64_t done = 0;

    for (int i = 0; i < iov->niov; i++) {
        const uint8_t *p = iov->iov[i].iov_base;
        size_t length = iov->iov[i].iov_len, n = 0;

        if (!memcmp(p, buf + done, length)) {
            done += (int64_t)length;
            continue;
        }
        while (p[n] == buf[done + (int64_t)n]) {
            n++;
        }
        return done + (int64_t)n;
    }
    return -1;
}

static int verify_contents(const VerifyRequest *r, const IOVector *iov, const uint8_t *buf)
{
    int64_t at = verify_first_difference(iov, buf);

    if (at < 0) {
        return 0;
    }
    bdrv_warn(r->bs, "blkverify: read offset=%" PRId64 " bytes=%" PRId64
              " contents mismatch at offset %" PRId64, r->offset, r->bytes, r->offset + at);
    return -EIO;
}

/* ---- data ---------------------------------------------------------------------------------- */

static int64_t coroutine_fn verify_co_getlength(BlockDriverState *bs)
{
    VerifyState *s = bs->opaque;

    return bdrv_co_getlength(s->test);
}

static int64_t coroutine_fn verify_co_get_allocated_file_size(BlockDriverState *bs)
{
    return -ENOTSUP;            /* of which of the two? */
}

static int coroutine_fn verify_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    VerifyRequest r = { .bs = bs, .verb = "read", .offset = offset, .bytes = bytes };
    VerifyState *s = bs->opaque;
    uint8_t *buf = bdrv_buffer_alloc(bs, (size_t)bytes);
    VerifyRange range;
    int test, raw, ret;

    if (!buf) {
        return -ENOMEM;
    }
    verify_range_begin(&range, s, offset, bytes, false);
    test = bdrv_co_preadv(s->test, offset, bytes, iov, flags);
    raw = bdrv_co_pread(s->raw, offset, bytes, buf);
    verify_range_end(&range);
    ret = verify_returns(&r, test, raw);
    if (ret >= 0) {
        ret = verify_contents(&r, iov, buf);
    }
    bdrv_buffer_free(buf);
    return ret;
}

static int coroutine_fn verify_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          const IOVector *iov, int flags)
{
    VerifyRequest r = { .bs = bs, .verb = "write", .offset = offset, .bytes = bytes };
    VerifyState *s = bs->opaque;
    VerifyRange range;
    int test, raw;

    verify_range_begin(&range, s, offset, bytes, true);
    test = bdrv_co_pwritev(s->test, offset, bytes, iov, flags);
    raw = bdrv_co_pwritev(s->raw, offset, bytes, iov, flags);
    verify_range_end(&range);
    return verify_returns(&r, test, raw);
}

/* The copy could not be written like that: it would not be raw. */
static int coroutine_fn verify_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                     int64_t bytes, const IOVector *iov)
{
    return -ENOTSUP;
}

static int coroutine_fn verify_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                                int64_t bytes, int flags)
{
    VerifyRequest r = { .bs = bs, .verb = "write zeroes", .offset = offset, .bytes = bytes };
    VerifyState *s = bs->opaque;
    VerifyRange range;
    int test, raw;

    verify_range_begin(&range, s, offset, bytes, true);
    test = bdrv_co_pwrite_zeroes(s->test, offset, bytes, flags);
    raw = bdrv_co_pwrite_zeroes(s->raw, offset, bytes, flags);
    verify_range_end(&range);
    return verify_returns(&r, test, raw);
}

/* The copy gets what the image reads as. */
static int coroutine_fn verify_co_copy(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    VerifyState *s = bs->opaque;
    int64_t size = MIN(bytes, VERIFY_COPY_BYTES);
    void *buf = bdrv_buffer_alloc(bs, (size_t)size);
    int ret = buf ? 0 : -ENOMEM;

    while (bytes > 0 && ret >= 0) {
        int64_t n = MIN(bytes, size);

        ret = bdrv_co_pread(s->test, offset, n, buf);
        if (ret >= 0) {
            ret = bdrv_co_pwrite(s->raw, offset, n, buf, 0);
        }
        offset += n;
        bytes -= n;
    }
    bdrv_buffer_free(buf);
    return ret;
}

static int coroutine_fn verify_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    VerifyState *s = bs->opaque;
    VerifyRange range;
    int ret, copied;

    verify_range_begin(&range, s, offset, bytes, true);
    ret = bdrv_co_pdiscard(s->test, offset, bytes);
    copied = verify_co_copy(bs, offset, bytes);     /* also after a failure: a part may be gone */
    verify_range_end(&range);
    return ret < 0 ? ret : copied;
}

/* The bytes have to come by here. */
static int coroutine_fn verify_co_copy_range_from(BlockDriverState *bs, int64_t offset,
                                                  BdrvChild *target, int64_t target_offset,
                                                  int64_t bytes)
{
    return -ENOTSUP;
}

static int coroutine_fn verify_co_flush(BlockDriverState *bs)
{
    VerifyState *s = bs->opaque;
    int test = bdrv_co_flush(s->test);
    int raw = bdrv_co_flush(s->raw);

    return test < 0 ? test : raw;
}

/* Not raced by requests: the node is drained. */
static bool coroutine_fn verify_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                            PreallocMode prealloc, GError **error)
{
    VerifyState *s = bs->opaque;

    return bdrv_co_truncate(s->test, bytes, exact, prealloc, error)
        && bdrv_co_truncate(s->raw, bytes, exact, prealloc, error);
}

static const char *const verify_strong_options[] = { NULL };

const BlockDriver bdrv_blkverify = {
    .format_name                     = "blkverify",
    .protocol_name                   = "blkverify",
    .instance_size                   = sizeof(VerifyState),
    .is_filter                       = true,
    .runtime_options                 = qapi_options_BlockdevOptionsBlkverify,
    .strong_runtime_opts             = verify_strong_options,
    .bdrv_parse_filename             = verify_parse_filename,
    .bdrv_open                       = verify_open,
    .bdrv_close                      = verify_close,
    .bdrv_refresh_filename           = verify_refresh_filename,
    .bdrv_refresh_limits             = verify_refresh_limits,
    .bdrv_co_getlength               = verify_co_getlength,
    .bdrv_co_get_allocated_file_size = verify_co_get_allocated_file_size,
    .bdrv_co_preadv                  = verify_co_preadv,
    .bdrv_co_pwritev                 = verify_co_pwritev,
    .bdrv_co_pwritev_compressed      = verify_co_pwritev_compressed,
    .bdrv_co_pwrite_zeroes           = verify_co_pwrite_zeroes,
    .bdrv_co_pdiscard                = verify_co_pdiscard,
    .bdrv_co_copy_range_from         = verify_co_copy_range_from,
    .bdrv_co_flush                   = verify_co_flush,
    .bdrv_co_truncate                = verify_co_truncate,
};
