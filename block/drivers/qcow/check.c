/* SPDX-License-Identifier: MIT */
/*
 * Checking an image: what its tables say is compared with the file, and each stream is inflated.
 *
 * 1. The tables are read from the file, after a flush, piece by piece; memory does not grow with
 *    the image (use-map.c). The walk is repeated for each window of the file; the first one counts
 *    and judges entries, all look for overlaps.
 * 2. A walk changes nothing. Errors are repaired after it (repair.c), and what that has done is
 *    told by another walk, not by the repair.
 * 3. Leaks are given back in a walk of their own, when nothing is pending and no error is left: an
 *    entry that cannot be believed may have named what looks like a leak.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

#define CHECK_MAX_REPORTS 1000          /* lines; a hostile image could give millions */

#define CHECK_MEMO 4096                 /* streams whose verdict is kept */

typedef enum CheckMode {
    CHECK_JUDGE,                /* everything */
    CHECK_GIVE_BACK,            /* leaks only, and they are given back */
} CheckMode;

/* A stream that was inflated; several clusters may share one. */
typedef struct CheckedStream {
    int64_t offset, bytes;      /* bytes 0: none */
    int ret;                    /* of qcow_inflate() */
} CheckedStream;

typedef struct QcowCheck {
    BlockDriverState *bs;
    BlockCheckResult *result;
    CheckMode mode;
    bool repairs;               /* what is found will be repaired: findings say how */
    bool is_blind;              /* something was not read: what it names is unknown */
    QcowEffort effort;
    QcowUseMap *use;
    int64_t end;                /* of the file */
    uint64_t *entries;          /* of the L2 table at hand */
    uint8_t *in, *out;          /* one cluster each */
    CheckedStream *memo;        /* CHECK_MEMO */
    int64_t next_host;          /* where a cluster is not fragmented; 0: any place is good */
    int reports;
} QcowCheck;

static void check_say(const BlockCheckResult *result, const char *text)
{
    if (result->report) {
        result->report(text, result->opaque);
    }
}

static void G_GNUC_PRINTF(2, 3) check_report(QcowCheck *c, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    if (!c->result->report || c->reports > CHECK_MAX_REPORTS) {
        return;
    }
    if (c->reports++ == CHECK_MAX_REPORTS) {
        c->result->report("Further findings are counted only", c->result->opaque);
        return;
    }
    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    c->result->report(text, c->result->opaque);
}

/* What a finding's line ends with. */
static const char *check_remedy(const QcowCheck *c, const char *remedy)
{
    return c->repairs ? remedy : "";
}

/* Returns 1, which ends the walk. */
static int check_give_up(QcowCheck *c)
{
    c->is_blind = true;
    c->result->check_errors++;
    check_say(c->result, "ERROR: the tables lead to more than the file holds, again and again to the "
              "same places; the check ends here");
    return 1;
}

/* ---- streams ---- */

/*
 * What inflating has cost, in bytes of streams. Bytes that are no stream mostly show it at once;
 * reading them is what costs, a fraction of inflating as many, or inflating all but the end of a
 * cluster, for which deflate needs a byte in 1032.
 */
static int64_t check_stream_cost(const QcowState *s, const QcowEntry *e, bool is_good)
{
    return is_good ? e->bytes : e->bytes / 64 + s->g.cluster_size / 1032;
}

static int coroutine_fn check_inflate(QcowCheck *c, int64_t guest, const QcowEntry *e)
{
    QcowState *s = c->bs->opaque;
    CheckedStream *seen = &c->memo[(e->offset ^ e->bytes << 5) % CHECK_MEMO];
    int64_t there = CLAMP(c->end - e->offset, 0, e->bytes);
    int ret;

    if (seen->offset == e->offset && seen->bytes == e->bytes) {
        return seen->ret;
    }
    ret = there ? bdrv_co_pread(c->bs->file, e->offset, there, c->in) : 0;
    if (ret < 0) {
        c->result->check_errors++;
        check_report(c, "ERROR: cannot read the compressed cluster at guest offset %#" PRIx64
                     ": %s", (uint64_t)guest, g_strerror(-ret));
        return 0;
    }
    ret = qcow_inflate(s, c->in, there, c->out, s->g.cluster_size);
    if (ret == -ENOMEM) {
        return ret;
    }
    *seen = (CheckedStream) { .offset = e->offset, .bytes = e->bytes, .ret = ret };
    return qcow_effort_spend(&c->effort, check_stream_cost(s, e, ret == 0)) ? ret
                                                                            : check_give_up(c);
}

static int coroutine_fn check_stream(QcowCheck *c, int64_t guest, const QcowEntry *e)
{
    int ret = check_inflate(c, guest, e);

    if (ret == -EIO) {
        c->result->corruptions++;
        check_report(c, "ERROR: the stream at offset %#" PRIx64 " does not give the cluster at "
                     "guest offset %#" PRIx64 "%s", (uint64_t)e->offset, (uint64_t)guest,
                     check_remedy(c, "; it is dropped"));
        ret = 0;
    }
    return ret;
}

/* ---- entries ---- */

static void check_count(QcowCheck *c, const QcowEntry *e)
{
    BlockCheckResult *r = c->result;
    bool is_stream = e->kind == QCOW_STREAM || e->kind == QCOW_DEAD;

    r->allocated_clusters++;
    r->compressed_clusters += is_stream;
    /* A stream is never in one row with others. */
    r->fragmented_clusters += is_stream || (c->next_host && c->next_host != e->offset);
    c->next_host = is_stream || e->offset >= c->end ? 0 : e->offset + e->bytes;
    r->image_end_offset = MAX(r->image_end_offset,
                              MIN(MIN(e->offset, c->end) + e->bytes, c->end));
}

/* A cluster may end with the file only where the guest's disk ends before that. */
static bool check_is_past_end(const QcowCheck *c, int64_t guest, const QcowEntry *e)
{
    QcowState *s = c->bs->opaque;
    int64_t needed = MIN(e->bytes, s->g.size - guest);

    return e->offset >= c->end || e->offset + MAX(needed, 0) > c->end;
}

static int coroutine_fn check_judge(QcowCheck *c, int64_t guest, const QcowEntry *e)
{
    const char *what = NULL, *remedy = "; it is dropped";

    if (e->kind == QCOW_STREAM) {
        return check_stream(c, guest, e);
    }
    if (e->kind == QCOW_DEAD) {
        what = "was lost by a crash";
    } else if (e->kind == QCOW_BAD) {
        what = "stands at an unaligned offset";
    } else if (check_is_past_end(c, guest, e)) {
        what = "leads past the end of the file";
        remedy = e->offset < c->end ? "; what is missing becomes zeros" : remedy;
    }
    if (what) {
        c->result->corruptions++;
        check_report(c, "ERROR: the cluster at guest offset %#" PRIx64 " (offset %#" PRIx64 ") "
                     "%s%s", (uint64_t)guest, (uint64_t)e->offset, what, check_remedy(c, remedy));
    }
    return 0;
}

static void check_overlap(QcowCheck *c, const char *what, int64_t guest, int64_t offset,
                          int64_t bytes, QcowUse use)
{
    if (offset >= c->end) {
        return;
    }
    if (qcow_use_map_add(c->use, offset, MIN(bytes, c->end - offset), use) == QCOW_CLASH_WHOLE) {
        c->result->corruptions++;
        check_report(c, "ERROR: %s of guest offset %#" PRIx64 " at offset %#" PRIx64
                     " overlaps something else%s", what, (uint64_t)guest, (uint64_t)offset,
                     check_remedy(c, "; it is copied"));
    }
}

static int coroutine_fn check_entry(QcowCheck *c, int64_t guest, uint64_t raw)
{
    QcowState *s = c->bs->opaque;
    QcowEntry e = qcow_entry_decode(raw, s->g.cluster_bits);
    int ret = 0;

    if (e.kind == QCOW_NONE) {
        c->next_host = 0;
        return 0;
    }
    if (!qcow_effort_spend(&c->effort, sizeof(raw))) {
        return check_give_up(c);
    }
    if (qcow_use_map_is_first(c->use) && c->mode == CHECK_JUDGE) {
        check_count(c, &e);
        ret = check_judge(c, guest, &e);
    }
    if (e.kind == QCOW_PLAIN) {
        check_overlap(c, "the cluster", guest, e.offset, e.bytes, QCOW_USE_WHOLE);
    } else if (e.kind == QCOW_STREAM) {
        check_overlap(c, "the stream", guest, e.offset, e.bytes, QCOW_USE_STREAM);
    }
    return ret;
}

/* ---- tables ---- */

static bool check_table_place(QcowCheck *c, uint32_t l1_index, uint64_t raw)
{
    QcowState *s = c->bs->opaque;
    const char *what = NULL, *remedy = "; it is copied";

    if (raw >= (uint64_t)c->end || s->g.l2_bytes > c->end - (int64_t)raw) {
        what = "leads past the end of the file";
        remedy = raw < (uint64_t)c->end ? "; what is missing becomes zeros" : "; it is dropped";
    } else if (raw % 8) {
        what = "stands at an unaligned offset";
    }
    if (what && qcow_use_map_is_first(c->use)) {
        c->result->corruptions++;
        check_report(c, "ERROR: L2 table %" PRIu32 " (offset %#" PRIx64 ") %s%s", l1_index, raw,
                     what, check_remedy(c, remedy));
    }
    return raw < (uint64_t)c->end;
}

static int coroutine_fn check_table(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                    void *opaque)
{
    QcowCheck *c = opaque;
    QcowState *s = bs->opaque;
    int64_t guest = (int64_t)l1_index * s->g.l2_span;
    int64_t end = MIN((int64_t)raw + s->g.l2_bytes, c->end);
    int ret;

    if (!check_table_place(c, l1_index, raw)) {
        return 0;
    }
    check_overlap(c, "the L2 table", guest, (int64_t)raw, s->g.l2_bytes, QCOW_USE_WHOLE);
    c->result->image_end_offset = MAX(c->result->image_end_offset, end);
    ret = qcow_read_table(bs, (int64_t)raw, c->entries, s->g.l2_entries, c->end);
    if (ret < 0) {
        c->is_blind = true;
        c->result->check_errors++;
        check_report(c, "ERROR: cannot read L2 table %" PRIu32 ": %s", l1_index, g_strerror(-ret));
        return 0;
    }
    c->next_host = 0;
    for (uint32_t i = 0; i < s->g.l2_entries && ret == 0; i++) {
        if (guest + i * s->g.cluster_size >= s->g.size && c->entries[i] == 0) {
            continue;
        }
        ret = check_entry(c, guest + i * s->g.cluster_size, c->entries[i]);
    }
    return ret;
}

/* Entries that are missing read as 0: what they led to is lost. */
static void check_l1_place(QcowCheck *c)
{
    QcowState *s = c->bs->opaque;

    if (range_fits(s->g.l1_offset, (int64_t)s->g.l1_entries * 8, c->end)) {
        return;
    }
    c->result->corruptions++;
    check_report(c, "ERROR: the L1 table (offset %#" PRIx64 ") leads past the end of the file%s",
                 (uint64_t)s->g.l1_offset, check_remedy(c, "; what is missing becomes zeros"));
}

/* ---- leaks ---- */

/* Bytes of a range that the host file really holds. */
static int64_t coroutine_fn check_held(QcowCheck *c, int64_t offset, int64_t bytes)
{
    int64_t held = 0;

    while (bytes > 0) {
        int64_t pnum = 0, map;
        BlockDriverState *file;
        int ret = bdrv_co_block_status(c->bs->file, true, offset, bytes, &pnum, &map, &file);

        if (ret < 0 || pnum <= 0) {
            return held + bytes;
        }
        held += ret & BDRV_BLOCK_ZERO ? 0 : MIN(pnum, bytes);
        offset += pnum;
        bytes -= pnum;
    }
    return held;
}

/* What is leaked at the end of the file makes it shorter. */
static bool coroutine_fn check_cut_off(QcowCheck *c, int64_t offset)
{
    QcowState *s = c->bs->opaque;

    if (!bdrv_co_truncate(c->bs->file, offset, true, PREALLOC_MODE_OFF, NULL)) {
        return false;           /* a device, for instance */
    }
    g_mutex_lock(&s->lock);
    s->file_end = offset;
    g_mutex_unlock(&s->lock);
    return true;
}

/* Counted in whole blocks of the host: it cannot give back less. */
static void coroutine_fn check_leak(QcowCheck *c, int64_t offset, int64_t bytes)
{
    QcowState *s = c->bs->opaque;
    int64_t least = MAX(s->g.cluster_size, QCOW_HOST_BLOCK);
    int64_t from = ROUND_UP_TO(offset, QCOW_HOST_BLOCK);
    int64_t whole = ROUND_DOWN_TO(MIN(offset + bytes, c->end), QCOW_HOST_BLOCK) - from;
    int64_t held = whole >= least ? check_held(c, from, whole) : 0;

    if (held < least) {
        return;
    }
    if (c->mode == CHECK_GIVE_BACK) {
        bool done = (offset + bytes >= c->end && check_cut_off(c, offset)) ||
                    bdrv_co_pdiscard(c->bs->file, from, whole) == 0;

        c->result->leaks_fixed += done ? held / s->g.cluster_size : 0;
        return;
    }
    c->result->leaks += held / s->g.cluster_size;
    check_report(c, "Leaked: %" PRId64 " bytes at offset %#" PRIx64 " belong to nothing",
                 held, (uint64_t)from);
}

static void coroutine_fn check_leaks(QcowCheck *c)
{
    int64_t offset = 0, bytes;

    while (!c->is_blind && qcow_use_map_next_free(c->use, &offset, &bytes)) {
        check_leak(c, offset, bytes);
        offset += bytes;
    }
}

/* ---- the walk ---- */

/* Returns: 0; 1: given up; -errno. */
static int coroutine_fn check_walk(QcowCheck *c)
{
    QcowState *s = c->bs->opaque;
    int ret = 0;

    check_l1_place(c);
    while (ret == 0 && qcow_use_map_next(c->use)) {
        qcow_use_map_add_fixed(c->use, s);
        c->effort.spent = 0;
        ret = qcow_l1_foreach(c->bs, c->end, check_table, c);
        if (ret == 0) {
            check_leaks(c);
        }
    }
    return ret;
}

static int coroutine_fn check_run(QcowCheck *c)
{
    QcowState *s = c->bs->opaque;
    int ret;

    c->use = qcow_use_map_new(c->end, QCOW_USE_WINDOW_CHECK);
    c->entries = g_try_new(uint64_t, s->g.l2_entries);
    c->in = g_try_malloc(s->g.cluster_size);
    c->out = g_try_malloc(s->g.cluster_size);
    c->memo = g_try_new0(CheckedStream, CHECK_MEMO);
    ret = c->use && c->entries && c->in && c->out && c->memo ? check_walk(c) : -ENOMEM;
    qcow_use_map_free(c->use);
    g_free(c->entries);
    g_free(c->in);
    g_free(c->out);
    g_free(c->memo);
    return ret;
}

/*
 * One walk over the image as it is on disk; *@result is filled anew, but for its callback. Returns
 * as check_walk().
 */
static int coroutine_fn check_pass(BlockDriverState *bs, CheckMode mode, bool repairs,
                                   BlockCheckResult *result)
{
    QcowState *s = bs->opaque;
    QcowCheck c = { .bs = bs, .result = result, .mode = mode, .repairs = repairs };
    int64_t length;
    int ret = bs->read_only ? 0 : qcow_co_flush(bs);

    length = ret == 0 ? bdrv_co_getlength(bs->file) : ret;
    if (length < 0) {
        return (int)length;
    }
    c.end = length;
    *result = (BlockCheckResult) { .report = result->report, .opaque = result->opaque };
    result->total_clusters = DIV_ROUND_UP(s->g.size, s->g.cluster_size);
    result->image_end_offset = MIN(qcow_fixed_end(s), c.end);
    qcow_effort_init(&c.effort, bs, c.end);
    return check_run(&c);
}

/* ---- repairing ---- */

/* The counts become those of a walk after the repair. */
static int coroutine_fn check_fix_errors(BlockDriverState *bs, BlockCheckResult *result)
{
    BlockCheckResult after = { 0 };
    int ret = qcow_repair(bs, result);

    if (ret == 0) {
        ret = check_pass(bs, CHECK_JUDGE, false, &after);
    }
    if (ret < 0) {
        return ret;
    }
    after.corruptions_fixed = MAX(result->corruptions - after.corruptions, 0);
    after.report = result->report;
    after.opaque = result->opaque;
    *result = after;
    return 0;
}

static int coroutine_fn check_fix_leaks(BlockDriverState *bs, BlockCheckResult *result)
{
    BlockCheckResult walk = { 0 };
    int ret;

    if (result->corruptions || result->check_errors) {
        check_say(result, "Leaks are left alone as long as the image has errors");
        return 0;
    }
    bdrv_child_expect_flush(bs->file);  /* a killed session may have unmapped them, and not durably */
    ret = qcow_sync(bs);
    if (ret == 0) {
        ret = check_pass(bs, CHECK_GIVE_BACK, false, &walk);
    }
    qcow_scan_forget(bs->opaque);
    if (ret >= 0) {
        result->leaks_fixed = walk.leaks_fixed;
        result->leaks = MAX(result->leaks - walk.leaks_fixed, 0);
        result->check_errors += walk.check_errors;
    }
    return ret;
}

static int coroutine_fn check_and_fix(BlockDriverState *bs, BlockCheckResult *result,
                                      BlockCheckFix fix)
{
    bool repairs = (fix & BLOCK_CHECK_FIX_ERRORS) != 0;
    int ret = check_pass(bs, CHECK_JUDGE, repairs, result);

    if (ret > 0 && repairs) {
        check_say(result, "Nothing is repaired");
    }
    if (ret == 0 && repairs && result->corruptions) {
        ret = check_fix_errors(bs, result);
    }
    if (ret == 0 && (fix & BLOCK_CHECK_FIX_LEAKS) && result->leaks) {
        ret = check_fix_leaks(bs, result);
    }
    return ret;
}

bool coroutine_fn qcow_co_check(BlockDriverState *bs, BlockCheckResult *result,
                                BlockCheckFix fix, GError **error)
{
    QcowState *s = bs->opaque;
    int ret = fix ? -g_atomic_int_get(&s->failed) : 0;

    if (ret == 0) {
        ret = check_and_fix(bs, result, fix);
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not %s '%s'", fix ? "repair" : "check",
                              bs->filename);
        return false;
    }
    return true;
}
