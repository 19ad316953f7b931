/* SPDX-License-Identifier: MIT */
/*
 * One workload: a start state, a session that is logged, the states that a crash may leave of it;
 * each is read by the independent reader, and a sample of them is opened by the driver: read,
 * checked, written to by a second session, whose crashes are read in turn, and one of these by a
 * third.
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "util/cutils.h"

#define MAX_SECTORS_KEPT 200000
#define SECOND_BUDGET 6                 /* states of an epoch of the second session */

struct Harness {
    CairnContext *ctx;
    Oracle *oracle, *second_oracle;
    Reader **readers;                   /* one for each geometry */
    MemDisk **backings, **pristine;     /* likewise; NULL: none */
    uint64_t *seen;                     /* hashes of the states of this epoch; 0: free */
    uint32_t n_seen, seen_slots;        /* slots: a power of two */
    uint32_t *values, *second_values;
    Counts counts;

    /* of the workload under way */
    const Workload *w;
    const Plan *plan;
    const Geometry *g;
    State *start;
    uint32_t sequence;
    char *replay;                       /* of the state that fails */
    char *error;
};

static void hush(const char *text, void *opaque)
{
}

Harness *harness_new(void)
{
    Harness *h = g_new0(Harness, 1);
    g_autoptr(GError) error = NULL;

    sectors_init();
    h->ctx = mem_context_new();
    cairn_context_set_warn_func(h->ctx, hush, NULL);
    cairn_object_add(h->ctx, "secret,id=s,data=secret", &error);
    g_assert_no_error(error);
    h->readers = g_new0(Reader *, n_geometries);
    h->backings = g_new0(MemDisk *, n_geometries);
    h->pristine = g_new0(MemDisk *, n_geometries);
    for (guint i = 0; i < n_geometries; i++) {
        h->readers[i] = reader_new(&geometries[i]);
        h->backings[i] = geometry_new_backing(&geometries[i]);
        h->pristine[i] = geometry_new_backing(&geometries[i]);
    }
    h->oracle = oracle_new();
    h->second_oracle = oracle_new();
    h->values = g_new0(uint32_t, GUEST_SECTORS);
    h->second_values = g_new0(uint32_t, GUEST_SECTORS);
    return h;
}

void harness_free(Harness *h)
{
    for (guint i = 0; i < n_geometries; i++) {
        reader_free(h->readers[i]);
        mem_disk_free(h->backings[i]);
        mem_disk_free(h->pristine[i]);
    }
    oracle_free(h->oracle);
    oracle_free(h->second_oracle);
    g_free(h->readers);
    g_free(h->backings);
    g_free(h->pristine);
    g_free(h->seen);
    g_free(h->values);
    g_free(h->second_values);
    cairn_context_unref(h->ctx);
    g_free(h);
}

const Counts *harness_counts(const Harness *h)
{
    return &h->counts;
}

/* Takes @text. Returns: false. */
static bool harness_fail(Harness *h, char *text)
{
    if (h->error) {
        g_free(text);
    } else {
        h->error = text;
    }
    return false;
}

static Reader *reader(Harness *h)
{
    return h->readers[h->w->geometry];
}

static MemDisk *backing(Harness *h)
{
    return h->backings[h->w->geometry];
}

static bool backing_is_untouched(Harness *h)
{
    const MemDisk *now = backing(h), *was = h->pristine[h->w->geometry];

    return !now || (now->size == was->size && now->writes == 0
                    && memcmp(now->data, was->data, (size_t)was->size) == 0)
        || harness_fail(h, g_strdup("the backing file has changed"));
}

/* ---- start states ------------------------------------------------------------------- */

/* Some of each kind of cluster, by the driver itself, closed in order. */
static bool start_map(Harness *h, MemDisk *disk)
{
    const Geometry *g = h->g;
    int64_t c = geometry_cluster(g), span = geometry_span(g);
    struct { int64_t offset, bytes; BdrvRequestFlags flags; } writes[] = {
        { 0, c, 0 }, { c, c, 0 }, { 2 * c, c, g->aes ? 0 : BDRV_REQ_WRITE_COMPRESSED },
        { 3 * c, c, g->aes ? 0 : BDRV_REQ_WRITE_COMPRESSED },
        { span - c, 2 * c, 0 }, { g->size - SECTOR, SECTOR, 0 },
    };
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = session_open_plain(h->ctx, g, disk, backing(h), BLK_O_RDWR, &error);
    int ret = 0;

    if (!blk) {
        return harness_fail(h, g_strdup_printf("start: %s", error->message));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(writes) && ret == 0; i++) {
        int64_t offset = writes[i].offset, bytes = MIN(writes[i].bytes, g->size - offset);
        g_autofree uint8_t *buf = bytes > 0 ? g_malloc((gsize)bytes) : NULL;

        for (int64_t at = 0; at < bytes; at += SECTOR) {
            sectors_stamp(buf + at, (uint32_t)((offset + at) / SECTOR), 1);
        }
        ret = bytes > 0 ? blk_pwrite(blk, offset, bytes, buf, writes[i].flags) : 0;
    }
    ret = ret < 0 ? ret : blk_close(blk);
    blk_unref(blk);
    return ret == 0 || harness_fail(h, g_strdup_printf("start: %s", g_strerror(-ret)));
}

static bool start_make(Harness *h)
{
    g_autoptr(MemDisk) disk = geometry_new_image(h->g);
    g_autoptr(GRand) rand = g_rand_new_with_seed(h->w->start_seed);
    StartKind kind = h->w->start;

    if (kind == START_MAPPED || kind == START_CUT
        || (kind == START_PEER && g_rand_boolean(rand))) {
        if (!start_map(h, disk)) {
            return false;
        }
    }
    if (kind == START_PEER) {
        geometry_crash_peer(h->g, disk, rand);
    } else if (kind == START_CUT) {
        image_resize(disk, ROUND_DOWN_TO(g_rand_int_range(rand, SECTOR, (gint32)disk->size), 8));
    }
    h->start = state_new(disk->data, disk->size);
    return true;
}

/* What stands in @start is what the oracle begins with. */
static bool oracle_learn(Harness *h, Oracle *o, const State *start, int64_t size,
                         bool has_backing, uint32_t *values)
{
    char *error;

    oracle_reset(o, h->g, size, has_backing);
    error = reader_learn(reader(h), start, o, values);
    if (error) {
        return harness_fail(h, error);
    }
    for (uint32_t i = 0; (int64_t)i * SECTOR < size; i++) {
        oracle_start_value(o, i, values[i]);
    }
    return true;
}

/* ---- sessions ----------------------------------------------------------------------- */

/* The log must say all that happened to the disk. */
static bool log_is_complete(Harness *h, const State *start, const GArray *records,
                            const MemDisk *disk)
{
    g_autoptr(State) replayed = state_copy(start);
    g_autoptr(State) there = state_new(disk->data, disk->size);

    for (guint i = 0; i < records->len; i++) {
        const Record *r = &g_array_index(records, Record, i);

        if (r->op == RECORD_WRITE) {
            state_set_end(replayed, MAX(replayed->end, (int64_t)(r->sector + r->count) * SECTOR));
        } else if (r->op == RECORD_TRUNCATE) {
            state_set_end(replayed, r->bytes);
        }
        for (uint32_t k = 0; r->op != RECORD_FLUSH && k < r->count; k++) {
            state_set(replayed, r->sector + k, r->op == RECORD_WRITE ? r->ids[k] : 0);
        }
    }
    return replayed->hash == there->hash
        || harness_fail(h, g_strdup("replaying the whole log does not give the file"));
}

/* Runs @ops on a copy of @start. Returns: the log's records, or NULL. */
static GArray *session_record(Harness *h, Oracle *o, const State *start, int64_t size,
                              bool has_backing, const GArray *ops)
{
    g_autoptr(MemDisk) disk = state_to_disk(start);
    g_autoptr(MemDisk) log = mem_disk_new(NULL, 0);
    g_autoptr(GArray) records = NULL;
    Session s = {
        .ctx = h->ctx, .g = h->g, .disk = disk, .log = log, .backing = backing(h), .oracle = o,
        .size = size, .has_backing = has_backing, .sequence = h->sequence,
    };
    char *error = NULL;

    for (uint32_t i = 0; (int64_t)i * SECTOR < size; i++) {
        s.may_fail |= h->values[i] == VALUE_EIO;
    }
    if (session_open(&s)) {
        for (guint i = 0; i < ops->len && session_run(&s, g_array_index(ops, guint, i)); i++) {
            /* until one fails */
        }
    }
    session_close(&s);
    h->sequence = s.sequence;
    if (s.error) {
        harness_fail(h, s.error);
        return NULL;
    }
    records = log_parse(log, &error);
    if (!records) {
        harness_fail(h, error);
        return NULL;
    }
    return log_is_complete(h, start, records, disk) && backing_is_untouched(h)
        ? g_steal_pointer(&records) : NULL;
}

/* ---- the driver's view -------------------------------------------------------------- */

static bool driver_reads_run(Harness *h, BlockBackend *blk, const uint32_t *values,
                             uint32_t guest, uint32_t count)
{
    g_autofree uint8_t *buf = g_malloc((gsize)count * SECTOR);
    int ret = blk_pread(blk, (int64_t)guest * SECTOR, (int64_t)count * SECTOR, buf);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t value = ret == 0 ? sectors_value_of(buf + i * SECTOR, guest + i) : VALUE_EIO;

        if (value != values[guest + i]) {
            return harness_fail(h, g_strdup_printf("the driver reads sector %u as %#x, the "
                                                   "independent reader as %#x", guest + i, value,
                                                   values[guest + i]));
        }
    }
    return true;
}

/* All sectors that the oracle knows read as @values. */
static bool driver_reads(Harness *h, BlockBackend *blk, const Oracle *o, int64_t size,
                         const uint32_t *values)
{
    guint n;
    const uint32_t *touched = oracle_touched(o, &n);

    for (guint i = 0, k; i < n; i = k) {
        uint32_t first = touched[i];

        for (k = i + 1; k < n && touched[k] == first + (k - i) && values[first] != VALUE_EIO
             && (int64_t)touched[k] * SECTOR < size && values[touched[k]] != VALUE_EIO; k++) {
            /* a run */
        }
        if ((int64_t)first * SECTOR < size && !driver_reads_run(h, blk, values, first, k - i)) {
            return false;
        }
    }
    return true;
}

/* Opens @state to be read: it reads as @values, and checks clean but for leaks. */
static bool driver_agrees(Harness *h, const State *state, const Oracle *o, const uint32_t *values)
{
    g_autoptr(MemDisk) disk = state_to_disk(state);
    g_autoptr(GError) error = NULL;
    Reader *r = reader(h);
    bool unclean = reader_is_unclean(r);
    BlockCheckResult result = { 0 };
    BlockBackend *blk = session_open_plain(h->ctx, h->g, disk,
                                           reader_has_backing(r) ? backing(h) : NULL, 0, &error);
    bool ok;

    if (!blk) {
        return harness_fail(h, g_strdup_printf("open: %s", error->message));
    }
    ok = blk_getlength(blk) == reader_size(r)
        || harness_fail(h, g_strdup("the driver and the reader see different lengths"));
    ok = ok && driver_reads(h, blk, o, reader_size(r), values);
    if (ok && !blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error)) {
        ok = harness_fail(h, g_strdup_printf("check: %s", error->message));
    }
    if (ok && !unclean && (result.corruptions || result.check_errors)) {
        ok = harness_fail(h, g_strdup_printf("check finds %" G_GINT64_FORMAT " corruptions",
                                             (gint64)result.corruptions));
    }
    blk_close(blk);
    blk_unref(blk);
    return ok;
}

/* ---- names -------------------------------------------------------------------------- */

static char *ops_name(const GArray *ops)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < ops->len; i++) {
        g_string_append_printf(text, "%s%s", i ? "," : "",
                               session_op_name(g_array_index(ops, guint, i)));
    }
    return g_string_free(text, FALSE);
}

/* "EPOCH/UNITS/END"; the units as runs that are lost and that landed, in turn. */
static char *subset_name(const Epoch *epoch, const Subset *subset)
{
    GString *text = g_string_new(NULL);
    uint8_t kind = 0;

    g_string_append_printf(text, "%u/", epoch->number);
    for (guint i = 0, n; i < epoch->units->len; i += n, kind = !kind) {
        for (n = 0; i + n < epoch->units->len && subset->has[i + n] == kind; n++) {
            /* a run */
        }
        g_string_append_printf(text, "%s%u", i ? "." : "", n);
    }
    g_string_append_printf(text, "/%" G_GINT64_FORMAT, (gint64)subset->end);
    return g_string_free(text, FALSE);
}

/* ---- the second session ------------------------------------------------------------- */

typedef struct Second {
    Harness *h;
    const State *start;
    const GArray *ops;
    uint32_t left;                      /* states until the one that the third session reads */
} Second;

static void second_epoch(const Epoch *epoch, void *opaque)
{
    oracle_at(((Second *)opaque)->h->second_oracle, epoch->limit);
}

static bool second_state(State *state, const Epoch *epoch, const Subset *subset, void *opaque)
{
    Second *second = opaque;
    Harness *h = second->h;
    bool is_third = second->left-- == 0;
    char *error = reader_check(reader(h), state, second->start, h->second_oracle,
                               is_third ? h->second_values : NULL);

    h->counts.session_states++;
    if (error) {
        g_autofree char *name = subset_name(epoch, subset);

        harness_fail(h, g_strdup_printf("%s in state %s", error, name));
        g_free(error);
        return false;
    }
    if (is_third) {
        h->counts.third_reads++;
        return driver_agrees(h, state, h->second_oracle, h->second_values);
    }
    return true;
}

static GArray *second_ops(const Geometry *g, GRand *rand)
{
    GArray *ops = g_array_new(FALSE, FALSE, sizeof(guint));
    guint count = (guint)g_rand_int_range(rand, 1, 5);

    while (ops->len < count) {
        guint op = (guint)g_rand_int_range(rand, 0, (gint32)session_ops());

        if (session_op_fits(g, op)) {
            g_array_append_val(ops, op);
        }
    }
    return ops;
}

/* Whether all went well; else the message gets what the session did. */
static bool second_tell(Harness *h, const GArray *ops)
{
    g_autofree char *error = g_steal_pointer(&h->error);
    g_autofree char *names = ops_name(ops);

    h->error = error ? g_strdup_printf("after a second session (%s): %s", names, error) : NULL;
    return !error;
}

/* @state has passed the reader. */
static bool second_session(Harness *h, const State *state)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)(state->hash ^ state->hash >> 32));
    g_autoptr(GArray) ops = second_ops(h->g, rand);
    g_autoptr(GArray) records = NULL;
    g_autoptr(State) start = state_copy(state);
    Second second = { .h = h, .start = start, .left = (uint32_t)g_rand_int_range(rand, 0, 12) };
    int64_t size = reader_size(reader(h));
    bool has_backing = reader_has_backing(reader(h));

    h->counts.sessions++;
    if (!oracle_learn(h, h->second_oracle, start, size, has_backing, h->values)
        || !driver_agrees(h, start, h->second_oracle, h->values)) {
        return false;
    }
    records = session_record(h, h->second_oracle, start, size, has_backing, ops);
    if (!records) {
        return second_tell(h, ops);
    }
    log_states(start, records, SECOND_BUDGET, rand, second_epoch, second_state, &second);
    return second_tell(h, ops);
}

/* ---- states of the first session ---------------------------------------------------- */

/* Returns: whether it is new. */
static bool seen_add(Harness *h, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (h->seen_slots - 1);

    hash |= 1;
    while (h->seen[i] && h->seen[i] != hash) {
        i = (i + 1) & (h->seen_slots - 1);
    }
    if (h->seen[i]) {
        return false;
    }
    if (h->n_seen < h->seen_slots / 2) {
        h->seen[i] = hash;
        h->n_seen++;
    }
    return true;
}

static void first_epoch(const Epoch *epoch, void *opaque)
{
    Harness *h = opaque;

    oracle_at(h->oracle, epoch->limit);
    memset(h->seen, 0, h->seen_slots * sizeof(*h->seen));
    h->n_seen = 0;
}

static bool first_state(State *state, const Epoch *epoch, const Subset *subset, void *opaque)
{
    Harness *h = opaque;
    const Plan *plan = h->plan;
    char *error;

    if (plan->replay) {
        g_autofree char *name = subset_name(epoch, subset);

        if (strcmp(name, plan->replay)) {
            return true;
        }
    }
    h->counts.states++;
    if (!seen_add(h, state->hash)) {
        return true;
    }
    h->counts.distinct++;
    error = reader_check(reader(h), state, h->start, h->oracle, NULL);
    if (error) {
        harness_fail(h, error);
    } else if (plan->replay || state->hash / 7 % plan->session_rate == 0) {
        second_session(h, state);
    }
    if (h->error) {
        h->replay = subset_name(epoch, subset);
    }
    return !h->error && h->counts.distinct < plan->limit;
}

/* ---- workloads ---------------------------------------------------------------------- */

char *workload_name(const Workload *w)
{
    g_autofree char *ops = ops_name(w->ops);

    return g_strdup_printf("%s/%s-%u/%s", geometries[w->geometry].name, start_names[w->start],
                           w->start_seed, ops);
}

static bool workload_parse_ops(const char *text, GArray *ops, GError **error)
{
    g_auto(GStrv) names = g_strsplit(text, ",", -1);

    for (guint i = 0; names[i]; i++) {
        guint op = 0;

        while (op < session_ops() && strcmp(session_op_name(op), names[i])) {
            op++;
        }
        if (op == session_ops()) {
            cairn_set_error(error, EINVAL, "No operation '%s'", names[i]);
            return false;
        }
        g_array_append_val(ops, op);
    }
    return true;
}

bool workload_parse(const char *text, Workload *w, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 3);
    char *dash;

    if (g_strv_length(parts) != 3 || !(dash = strchr(parts[1], '-'))) {
        cairn_set_error(error, EINVAL, "'%s' is not GEOMETRY/START-SEED/OPERATION,...", text);
        return false;
    }
    *w = (Workload) { .start_seed = (uint32_t)strtoul(dash + 1, NULL, 10) };
    *dash = 0;
    while (w->geometry < n_geometries && strcmp(geometries[w->geometry].name, parts[0])) {
        w->geometry++;
    }
    while (w->start < START_KINDS && strcmp(start_names[w->start], parts[1])) {
        w->start++;
    }
    if (w->geometry == n_geometries || w->start == START_KINDS) {
        cairn_set_error(error, EINVAL, "No geometry '%s' with start '%s'", parts[0], parts[1]);
        return false;
    }
    w->ops = g_array_new(FALSE, FALSE, sizeof(guint));
    return workload_parse_ops(parts[2], w->ops, error);
}

static void run_states(Harness *h)
{
    g_autofree char *name = workload_name(h->w);
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_str_hash(name));
    int64_t size = h->g->size;
    bool has_backing = h->g->backing > 0;
    g_autoptr(GArray) records = NULL;

    if (!oracle_learn(h, h->oracle, h->start, size, has_backing, h->values)) {
        return;
    }
    records = session_record(h, h->oracle, h->start, size, has_backing, h->w->ops);
    if (records) {
        log_states(h->start, records, h->plan->epoch_budget, rand, first_epoch, first_state, h);
    }
}

char *harness_run(Harness *h, const Workload *w, const Plan *plan)
{
    g_autofree char *name = workload_name(w);
    g_autofree char *error = NULL;
    g_autofree char *replay = NULL;

    h->w = w;
    h->plan = plan;
    h->g = &geometries[w->geometry];
    h->sequence = 2;
    if (h->seen_slots < 4 * plan->epoch_budget) {
        h->seen_slots = 1u << g_bit_storage(4 * (gulong)plan->epoch_budget);
        h->seen = g_renew(uint64_t, h->seen, h->seen_slots);
    }
    h->counts.workloads++;
    if (sectors_count() > MAX_SECTORS_KEPT) {
        sectors_reset();
    }
    if (start_make(h)) {
        run_states(h);
    }
    g_clear_pointer(&h->start, state_free);
    error = g_steal_pointer(&h->error);
    replay = g_steal_pointer(&h->replay);
    return error ? g_strdup_printf("%s\n    replay: ./dev crash --replay '%s%s%s'", error, name,
                                   replay ? "@" : "", replay ? replay : "") : NULL;
}
