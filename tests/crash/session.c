/* SPDX-License-Identifier: MIT */
/*
 * What is done to a node. Every request tells the oracle what it may leave, before it begins, and
 * what it has promised, when it is done.
 */
#include "harness.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

/* ---- the alphabet ------------------------------------------------------------------- */

typedef enum OpKind {
    OP_WRITE, OP_COMPRESS, OP_ZERO, OP_DISCARD, OP_FLUSH, OP_GROW, OP_SHRINK, OP_REBASE, OP_DETACH,
    OP_EMPTY, OP_RACE, OP_RACE_TWO, OP_RACE_FLUSHES, OP_RACE_PLACE, OP_AROUND,
    OP_BAD_SYNC, OP_REOPEN,
} OpKind;

typedef enum Where {
    AT_FIRST, AT_PART, AT_WHOLE, AT_STRADDLE, AT_L2_EDGE, AT_LAST, AT_RUN, AT_FAR, AT_OTHER, AT_ALL,
} Where;

typedef struct Op {
    const char *name;
    OpKind kind;
    Where where;
    BdrvRequestFlags flags;
} Op;

static const Op ops[] = {
    { "write-sector", OP_WRITE, AT_FIRST, 0 },
    { "write-part", OP_WRITE, AT_PART, 0 },
    { "write-cluster", OP_WRITE, AT_WHOLE, 0 },
    { "write-straddling", OP_WRITE, AT_STRADDLE, 0 },
    { "write-l2-edge", OP_WRITE, AT_L2_EDGE, 0 },
    { "write-last", OP_WRITE, AT_LAST, 0 },
    { "write-run", OP_WRITE, AT_RUN, 0 },
    { "write-far", OP_WRITE, AT_FAR, 0 },
    { "fua-sector", OP_WRITE, AT_FIRST, BDRV_REQ_FUA },
    { "fua-far", OP_WRITE, AT_FAR, BDRV_REQ_FUA },
    { "compress-cluster", OP_COMPRESS, AT_WHOLE, 0 },
    { "compress-run", OP_COMPRESS, AT_RUN, 0 },
    { "compress-last", OP_COMPRESS, AT_LAST, 0 },
    { "flush", OP_FLUSH, AT_ALL, 0 },
    { "zero-part", OP_ZERO, AT_PART, 0 },
    { "zero-unmap-run", OP_ZERO, AT_RUN, BDRV_REQ_MAY_UNMAP },
    { "zero-fua-run", OP_ZERO, AT_RUN, BDRV_REQ_MAY_UNMAP | BDRV_REQ_FUA },
    { "discard-cluster", OP_DISCARD, AT_WHOLE, 0 },
    { "discard-run", OP_DISCARD, AT_RUN, 0 },
    { "discard-all", OP_DISCARD, AT_ALL, 0 },
    { "grow", OP_GROW, AT_LAST, 0 },
    { "grow-moving-l1", OP_GROW, AT_ALL, 0 },
    { "shrink", OP_SHRINK, AT_ALL, 0 },
    { "rebase", OP_REBASE, AT_ALL, 0 },
    { "detach", OP_DETACH, AT_ALL, 0 },
    { "make-empty", OP_EMPTY, AT_ALL, 0 },
    { "race-write", OP_RACE, AT_OTHER, 0 },
    { "race-overwrite", OP_RACE, AT_FIRST, 0 },
    { "race-far", OP_RACE, AT_FAR, 0 },
    { "race-two-of-a-cluster", OP_RACE_TWO, AT_OTHER, 0 },
    { "race-two-of-a-table", OP_RACE_TWO, AT_L2_EDGE, 0 },
    { "race-two-flushes", OP_RACE_FLUSHES, AT_OTHER, 0 },
    { "race-slow-table", OP_RACE_PLACE, AT_FAR, 0 },
    { "write-around", OP_AROUND, AT_OTHER, 0 },
    { "failed-sync", OP_BAD_SYNC, AT_FIRST, 0 },
    { "reopen", OP_REOPEN, AT_ALL, 0 },
};

guint session_ops(void)
{
    return G_N_ELEMENTS(ops);
}

const char *session_op_name(guint op)
{
    return ops[op].name;
}

bool session_op_fits(const Geometry *g, guint op)
{
    switch (ops[op].kind) {
    case OP_COMPRESS:
        return !g->aes;
    case OP_GROW:
        return ops[op].where == AT_LAST || g->can_move_l1;
    case OP_REBASE:
    case OP_DETACH:
        return g->backing > 0;
    default:
        return true;
    }
}

typedef struct Range {
    int64_t offset, bytes;
} Range;

/* Clipped to the disk; of no bytes if it lies outside. */
static Range op_range(const Session *s, Where where)
{
    int64_t c = geometry_cluster(s->g), span = geometry_span(s->g);
    Range ranges[] = {
        [AT_FIRST] = { 0, SECTOR },
        [AT_PART] = { c + (c > SECTOR ? SECTOR : 0), MAX(c / 2, SECTOR) },
        [AT_WHOLE] = { 2 * c, c },
        [AT_STRADDLE] = { c - SECTOR, 2 * SECTOR },
        [AT_L2_EDGE] = { span - SECTOR, 2 * SECTOR },
        [AT_LAST] = { ROUND_DOWN_TO(s->size - 1, c), c },
        [AT_RUN] = { 0, (c > 4096 ? 2 : 4) * c },
        [AT_FAR] = { span + 3 * c, SECTOR },
        [AT_OTHER] = { 6 * c, SECTOR },
        [AT_ALL] = { 0, s->size },
    };
    Range r = ranges[where];

    r.offset = MIN(r.offset, s->size);
    r.bytes = MIN(r.bytes, s->size - r.offset);
    return r;
}

/* ---- opening ------------------------------------------------------------------------ */

static BlockBackend *open_qcow(CairnContext *ctx, const Geometry *g, const QDict *file,
                               MemDisk *backing, int flags, GError **error)
{
    g_autoptr(QDict) opts = qdict_clone_shallow(file);

    qdict_put_str(opts, "driver", "qcow");
    if (backing) {
        qdict_put_str(opts, "backing.driver", "mem-disk");
        qdict_put_str(opts, "backing.disk", backing->id);
    }
    if (g->aes) {
        qdict_put_str(opts, "encrypt.key-secret", "s");
    }
    return blk_open_qdict(ctx, NULL, opts, flags, error);
}

BlockBackend *session_open_plain(CairnContext *ctx, const Geometry *g, MemDisk *disk,
                                 MemDisk *backing, int flags, GError **error)
{
    g_autoptr(QDict) opts = qdict_new();

    qdict_put_str(opts, "file.driver", "mem-disk");
    qdict_put_str(opts, "file.disk", disk->id);
    return open_qcow(ctx, g, opts, backing, flags, error);
}

static bool G_GNUC_PRINTF(2, 3) session_fail(Session *s, const char *format, ...)
{
    va_list ap;

    if (!s->error) {
        va_start(ap, format);
        s->error = g_strdup_vprintf(format, ap);
        va_end(ap);
    }
    return false;
}

bool session_open(Session *s)
{
    g_autoptr(QDict) opts = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(opts, "file.driver", "blklogwrites");
    qdict_put_str(opts, "file.log-append", "on");
    qdict_put_str(opts, "file.log-super-update-interval", "1");
    qdict_put_str(opts, "file.file.driver", "mem-disk");
    qdict_put_str(opts, "file.file.disk", s->disk->id);
    qdict_put_str(opts, "file.log.driver", "mem-disk");
    qdict_put_str(opts, "file.log.disk", s->log->id);
    s->blk = open_qcow(s->ctx, s->g, opts, s->has_backing ? s->backing : NULL,
                       BLK_O_RDWR | BLK_O_UNMAP, &error);
    return s->blk || session_fail(s, "open: %s", error->message);
}

/* ---- requests ----------------------------------------------------------------------- */

static uint32_t now(const Session *s)
{
    return log_length(s->log);
}

/* A cluster that a cut has made unreadable cannot be written in part: the session ends there. */
static bool done(Session *s, const char *what, int ret)
{
    s->gave_up |= ret == -EIO && s->may_fail;
    return ret == 0 || (!s->gave_up && session_fail(s, "%s: %s", what, g_strerror(-ret)));
}

static void tell_begin(Session *s, Range r, uint32_t value)
{
    for (int64_t i = 0; i < r.bytes / SECTOR; i++) {
        oracle_write(s->oracle, (uint32_t)(r.offset / SECTOR + i), value, now(s));
    }
}

static void tell_end(Session *s, Range r)
{
    for (int64_t i = 0; i < r.bytes / SECTOR; i++) {
        oracle_written(s->oracle, (uint32_t)(r.offset / SECTOR + i));
    }
}

/* What has been written till now is durable. */
static void tell_flushed(Session *s)
{
    oracle_flushed(s->oracle, oracle_flush_begins(s->oracle), now(s));
}

/* Of the sectors of @r alone, as a request with FUA promises. */
static void tell_fua(Session *s, Range r)
{
    oracle_flushed(s->oracle, oracle_range_begins(s->oracle, (uint32_t)(r.offset / SECTOR),
                                                  (uint32_t)(r.bytes / SECTOR)), now(s));
}

/* After a failed flush: what has not been promised may be there or not, and stays as it reads. */
static bool tell_lost(Session *s)
{
    guint n;
    const uint32_t *touched = oracle_touched(s->oracle, &n);

    for (guint i = 0; i < n; i++) {
        uint32_t guest = touched[i];
        uint8_t buf[SECTOR];
        int ret = 0;

        if ((int64_t)guest * SECTOR < s->size) {
            ret = blk_pread(s->blk, (int64_t)guest * SECTOR, SECTOR, buf);
            oracle_write(s->oracle, guest, ret ? VALUE_EIO : sectors_value_of(buf, guest), now(s));
            oracle_written(s->oracle, guest);
        }
    }
    return true;
}

static uint8_t *new_payload(Range r, uint32_t value)
{
    uint8_t *buf = g_malloc((gsize)r.bytes);

    for (int64_t i = 0; i < r.bytes / SECTOR; i++) {
        sectors_stamp(buf + i * SECTOR, (uint32_t)(r.offset / SECTOR + i), value);
    }
    return buf;
}

static bool do_write(Session *s, Range r, BdrvRequestFlags flags)
{
    uint32_t value = s->sequence++;
    g_autofree uint8_t *buf = new_payload(r, value);

    tell_begin(s, r, value);
    if (!done(s, "write", blk_pwrite(s->blk, r.offset, r.bytes, buf, flags))) {
        return false;
    }
    tell_end(s, r);
    if (flags & BDRV_REQ_FUA) {
        tell_fua(s, r);
    }
    return true;
}

static bool do_compress(Session *s, Range r)
{
    if (r.offset % geometry_cluster(s->g)
        || (r.bytes % geometry_cluster(s->g) && r.offset + r.bytes != s->size)) {
        return true;                    /* not for a disk of that length */
    }
    return do_write(s, r, BDRV_REQ_WRITE_COMPRESSED);
}

static bool do_zero(Session *s, Range r, BdrvRequestFlags flags)
{
    tell_begin(s, r, VALUE_ZERO);
    if (!done(s, "zero", blk_pwrite_zeroes(s->blk, r.offset, r.bytes, flags))) {
        return false;
    }
    tell_end(s, r);
    if (flags & BDRV_REQ_FUA) {
        tell_fua(s, r);
    }
    return true;
}

/* What it leaves is the driver's to choose, once: the old values, or zeros. */
static bool do_discard(Session *s, Range r)
{
    uint32_t at = now(s);

    if (!done(s, "discard", blk_pdiscard(s->blk, r.offset, r.bytes))) {
        return false;
    }
    for (int64_t i = 0; i < r.bytes / SECTOR; i++) {
        uint32_t guest = (uint32_t)(r.offset / SECTOR + i), old = oracle_newest(s->oracle, guest);
        uint8_t buf[SECTOR];
        int ret = blk_pread(s->blk, (int64_t)guest * SECTOR, SECTOR, buf);
        uint32_t value = ret == 0 ? sectors_value_of(buf, guest) : VALUE_EIO;

        if (value == old) {
            continue;
        }
        if (value != VALUE_ZERO) {
            return session_fail(s, "discard: sector %u reads %#x after %#x", guest, value, old);
        }
        oracle_write(s->oracle, guest, VALUE_ZERO, at);
        oracle_written(s->oracle, guest);
    }
    return true;
}

static bool do_flush(Session *s)
{
    OraclePromise *promise = oracle_flush_begins(s->oracle);

    if (!done(s, "flush", blk_flush(s->blk))) {
        oracle_promise_free(promise);
        return false;
    }
    oracle_flushed(s->oracle, promise, now(s));
    return true;
}

static bool do_resize(Session *s, int64_t size)
{
    g_autoptr(GError) error = NULL;

    if (size == s->size || size > (int64_t)GUEST_SECTORS * SECTOR || size <= 0) {
        return true;
    }
    oracle_resize(s->oracle, size, now(s));
    if (!blk_truncate(s->blk, size, PREALLOC_MODE_OFF, &error)) {
        s->gave_up |= s->may_fail;
        return !s->gave_up && session_fail(s, "resize: %s", error->message);
    }
    s->size = size;
    tell_flushed(s);
    return true;
}

static bool do_reopen(Session *s)
{
    OraclePromise *promise = oracle_flush_begins(s->oracle);
    int ret = blk_close(s->blk);

    g_clear_pointer(&s->blk, blk_unref);
    if (ret < 0) {
        oracle_promise_free(promise);
        return done(s, "close", ret);
    }
    oracle_flushed(s->oracle, promise, now(s));
    return session_open(s);
}

/* Another name for the same content. */
static bool do_rebase(Session *s)
{
    g_autoptr(GError) error = NULL;

    if (!s->has_backing) {
        return true;
    }
    if (!blk_change_backing_file(s->blk, "base-by-another-name.raw", "raw", &error)) {
        return session_fail(s, "rebase: %s", error->message);
    }
    tell_flushed(s);
    return true;
}

/* To no backing file: what shows through is copied first. */
static bool do_detach(Session *s)
{
    int64_t bytes = MIN(s->g->backing, s->size);
    g_autofree uint8_t *buf = g_malloc((gsize)bytes);
    g_autoptr(GError) error = NULL;

    if (!s->has_backing) {
        return true;
    }
    if (!done(s, "read", blk_pread(s->blk, 0, bytes, buf))
        || !done(s, "copy", blk_pwrite(s->blk, 0, bytes, buf, 0))) {
        return false;
    }
    oracle_rebase(s->oracle, false, now(s));
    if (!blk_change_backing_file(s->blk, NULL, NULL, &error)) {
        return session_fail(s, "detach: %s", error->message);
    }
    s->has_backing = false;
    tell_flushed(s);
    return do_reopen(s);
}

static bool do_make_empty(Session *s)
{
    g_autoptr(GError) error = NULL;
    guint n;
    const uint32_t *touched = oracle_touched(s->oracle, &n);

    for (guint i = 0; i < n; i++) {
        oracle_write(s->oracle, touched[i],
                     oracle_unmapped(s->oracle, touched[i], s->has_backing), now(s));
        oracle_written(s->oracle, touched[i]);
    }
    if (!blk_make_empty(s->blk, &error)) {
        return session_fail(s, "make-empty: %s", error->message);
    }
    tell_flushed(s);
    return true;
}

/* ---- races -------------------------------------------------------------------------- */

typedef struct RaceWrite {
    Session *s;
    Range range;
    uint8_t *buf;
    IOVector iov;
    int *running;
} RaceWrite;

typedef struct RaceFlush {
    Session *s;
    OraclePromise *promise;
    int *running;
} RaceFlush;

static void race_written(void *opaque, int ret)
{
    RaceWrite *w = opaque;

    if (done(w->s, "racing write", ret)) {
        tell_end(w->s, w->range);
    }
    --*w->running;
}

static void race_flushed(void *opaque, int ret)
{
    RaceFlush *f = opaque;

    if (done(f->s, "racing flush", ret)) {
        oracle_flushed(f->s->oracle, f->promise, now(f->s));
    } else {
        oracle_promise_free(f->promise);
    }
    --*f->running;
}

static void race_write(RaceWrite *w, Session *s, Range r, int *running)
{
    uint32_t value = s->sequence++;

    *w = (RaceWrite) { .s = s, .range = r, .buf = new_payload(r, value), .running = running };
    io_vector_init_buf(&w->iov, w->buf, (size_t)r.bytes);
    tell_begin(s, r, value);
    ++*running;
    blk_aio_pwritev(s->blk, r.offset, &w->iov, 0, race_written, w);
}

/* A flush between two writes (of no bytes: only one), all of them under way together. */
static bool do_race(Session *s, Range first, Range second)
{
    int running = 1;
    RaceWrite a = { 0 }, b = { 0 };
    RaceFlush f = { .s = s, .running = &running };

    s->disk->yields = true;
    if (first.bytes) {
        race_write(&a, s, first, &running);
    }
    f.promise = oracle_flush_begins(s->oracle);
    blk_aio_flush(s->blk, race_flushed, &f);
    if (second.bytes) {
        race_write(&b, s, second, &running);
    }
    while (running > 0) {
        aio_context_poll(aio_context_ensure(), true);
    }
    s->disk->yields = false;
    g_free(a.buf);
    g_free(b.buf);
    return !s->error && !s->gave_up;
}

static bool do_race_two(Session *s, Range r)
{
    Range first = { r.offset, MIN(r.bytes, SECTOR) };
    Range second = { r.offset + SECTOR, SECTOR };

    if (second.offset + second.bytes > s->size) {
        second.bytes = 0;
    }
    return do_race(s, first, second);
}

/* A write that ends while a flush runs, and a flush that comes then. */
static bool do_race_flushes(Session *s, Range r)
{
    int writing = 0, flushing = 1;
    RaceWrite w;
    RaceFlush first = { .s = s, .running = &flushing }, second = first;

    s->disk->yields = true;
    first.promise = oracle_flush_begins(s->oracle);
    blk_aio_flush(s->blk, race_flushed, &first);
    race_write(&w, s, r, &writing);
    while (writing > 0) {
        aio_context_poll(aio_context_ensure(), true);
    }
    flushing++;
    second.promise = oracle_flush_begins(s->oracle);
    blk_aio_flush(s->blk, race_flushed, &second);
    while (flushing > 0) {
        aio_context_poll(aio_context_ensure(), true);
    }
    s->disk->yields = false;
    g_free(w.buf);
    return !s->error && !s->gave_up;
}

/*
 * The first write to a new table is slow, and a flush comes when another one into that table has
 * ended.
 */
static bool do_race_place(Session *s, Range r)
{
    int slow = 0, writing = 0, flushing = 1;
    RaceWrite first, second = { 0 };
    RaceFlush f = { .s = s, .running = &flushing };
    Range next = { r.offset + geometry_cluster(s->g), SECTOR };

    s->disk->yields = true;
    s->disk->slow_write_in = 1;
    race_write(&first, s, r, &slow);
    if (next.offset + next.bytes <= s->size) {
        race_write(&second, s, next, &writing);
    }
    while (writing > 0) {
        aio_context_poll(aio_context_ensure(), true);
    }
    f.promise = oracle_flush_begins(s->oracle);
    blk_aio_flush(s->blk, race_flushed, &f);
    while (slow + flushing > 0) {
        aio_context_poll(aio_context_ensure(), true);
    }
    s->disk->yields = false;
    s->disk->slow_write_in = 0;
    g_free(first.buf);
    g_free(second.buf);
    return !s->error && !s->gave_up;
}

/* The clusters before and after that of @r. */
static bool do_write_around(Session *s, Range r)
{
    int64_t c = geometry_cluster(s->g);

    return do_write(s, (Range) { r.offset - c, SECTOR }, 0)
        && (r.offset + c >= s->size || do_write(s, (Range) { r.offset + c, SECTOR }, 0));
}

/* No write is taken after it, until the node is opened again. */
static bool do_failed_sync(Session *s, Range r)
{
    uint8_t buf[SECTOR] = { 0 };
    int64_t bytes;
    int ret;

    if (!do_write(s, r, 0)) {
        return false;
    }
    s->disk->fail_sync_in = 1;
    ret = blk_flush(s->blk);
    s->disk->fail_sync_in = 0;
    if (ret != -EIO) {
        return session_fail(s, "a failed sync gives %d", ret);
    }
    bytes = s->log->size;
    if (blk_pwrite(s->blk, r.offset, SECTOR, buf, 0) == 0 || blk_flush(s->blk) == 0
        || s->log->size != bytes) {
        return session_fail(s, "a write is taken after a failed sync");
    }
    blk_close(s->blk);
    g_clear_pointer(&s->blk, blk_unref);
    return session_open(s) && tell_lost(s);
}

/* ---- one operation ------------------------------------------------------------------ */

bool session_run(Session *s, guint op)
{
    const Op *o = &ops[op];
    Range r = op_range(s, o->where);
    int64_t span = geometry_span(s->g);

    if (r.bytes == 0) {
        return true;
    }
    switch (o->kind) {
    case OP_WRITE:
        return do_write(s, r, o->flags);
    case OP_COMPRESS:
        return do_compress(s, r);
    case OP_ZERO:
        return do_zero(s, r, o->flags);
    case OP_DISCARD:
        return do_discard(s, r);
    case OP_FLUSH:
        return do_flush(s);
    case OP_GROW:
        return do_resize(s, o->where == AT_ALL ? MAX(s->size, 512 * span)
                                               : s->size + span + SECTOR);
    case OP_SHRINK:
        return do_resize(s, ROUND_UP_TO(s->size / 3, SECTOR));
    case OP_REBASE:
        return do_rebase(s);
    case OP_DETACH:
        return do_detach(s);
    case OP_EMPTY:
        return do_make_empty(s);
    case OP_RACE:
        return do_race(s, (Range) { 0 }, r);
    case OP_RACE_TWO:
        return do_race_two(s, r);
    case OP_RACE_FLUSHES:
        return do_race_flushes(s, r);
    case OP_RACE_PLACE:
        return do_race_place(s, r);
    case OP_AROUND:
        return do_write_around(s, r);
    case OP_BAD_SYNC:
        return do_failed_sync(s, r);
    case OP_REOPEN:
        return do_reopen(s);
    }
    return false;
}

/* With a flush of all that was written. */
void session_close(Session *s)
{
    if (s->blk) {
        OraclePromise *promise = oracle_flush_begins(s->oracle);
        int ret = blk_close(s->blk);

        g_clear_pointer(&s->blk, blk_unref);
        if (done(s, "close", ret) && !s->gave_up) {
            oracle_flushed(s->oracle, promise, now(s));
        } else {
            oracle_promise_free(promise);
        }
    }
}
