/* SPDX-License-Identifier: MIT */
/*
 * From a log to the states that a crash may leave.
 *
 * What stands before a flush that has completed is durable. Of what follows, up to the next one,
 * any sectors may have landed, and the file may end anywhere between where it did and where it
 * would; sectors below that end that did not land are as before, or zero. All of an epoch's states
 * are held against what was promised when its last record had been made: a state that lacks later
 * records is one of them too.
 */
#include "harness.h"

#include <string.h>

#include "util/cutils.h"

#define LOG_SECTOR 512
#define ENTRY_FLUSH 1
#define ENTRY_DISCARD 4
#define ENTRY_MARK 8
#define EXHAUSTIVE 12                   /* units of an epoch whose subsets are all tried */

/* ---- the format --------------------------------------------------------------------- */

static void record_clear(gpointer data)
{
    g_free(((Record *)data)->ids);
}

uint32_t log_length(const MemDisk *log)
{
    return log->size >= LOG_SECTOR ? (uint32_t)le64_load(log->data + 16) : 0;
}

static void record_read_data(Record *r, const uint8_t *data)
{
    r->ids = g_new(SectorId, r->count);
    for (uint32_t i = 0; i < r->count; i++) {
        r->ids[i] = sectors_intern(data + (size_t)i * LOG_SECTOR);
    }
}

/* Returns: whether @r is set: an entry may say nothing. */
static bool record_read(Record *r, const uint8_t *entry)
{
    uint64_t flags = le64_load(entry + 16);
    const char *text = (const char *)entry + 32;

    *r = (Record) {
        .sector = (uint32_t)le64_load(entry), .count = (uint32_t)le64_load(entry + 8),
    };
    if (flags & ENTRY_MARK) {
        r->op = RECORD_TRUNCATE;
        r->bytes = g_ascii_strtoll(text + strlen("truncate "), NULL, 10);
        return g_str_has_prefix(text, "truncate ");
    }
    r->op = flags & ENTRY_FLUSH ? RECORD_FLUSH
        : flags & ENTRY_DISCARD ? RECORD_DISCARD : RECORD_WRITE;
    return r->op == RECORD_FLUSH || r->count > 0;
}

GArray *log_parse(const MemDisk *log, char **error)
{
    g_autoptr(GArray) records = g_array_new(FALSE, FALSE, sizeof(Record));
    uint32_t count = log_length(log);
    int64_t at = LOG_SECTOR;

    g_array_set_clear_func(records, record_clear);
    for (uint32_t i = 0; i < count; i++) {
        Record r;

        if (at + LOG_SECTOR > log->size) {
            *error = g_strdup_printf("the log ends before its entry %u", i);
            return NULL;
        }
        bool says = record_read(&r, log->data + at);

        at += LOG_SECTOR;
        if (!says) {
            r.op = RECORD_DISCARD;              /* keeps its number; no sectors */
            r.count = 0;
        }
        if (r.op == RECORD_WRITE) {
            if ((int64_t)r.count * LOG_SECTOR > log->size - at
                || r.sector + r.count > STATE_SECTORS) {
                *error = g_strdup_printf("entry %u of the log is too long", i);
                return NULL;
            }
            record_read_data(&r, log->data + at);
            at += (int64_t)r.count * LOG_SECTOR;
        }
        g_array_append_val(records, r);
    }
    return g_steal_pointer(&records);
}

/* ---- units -------------------------------------------------------------------------- */

static void unit_apply(State *s, const Unit *u)
{
    switch (u->op) {
    case RECORD_WRITE:
        state_set(s, u->sector, u->id);
        break;
    case RECORD_DISCARD:
    case RECORD_TRUNCATE:               /* of what is cut off */
        for (uint32_t i = u->sector; i < MIN(u->sector + u->count, STATE_SECTORS); i++) {
            state_set(s, i, 0);
        }
        break;
    case RECORD_FLUSH:
        break;
    }
}

static void epoch_add_end(Epoch *e, int64_t end)
{
    guint i = 0;

    while (i < e->ends->len && g_array_index(e->ends, int64_t, i) < end) {
        i++;
    }
    if (i == e->ends->len || g_array_index(e->ends, int64_t, i) != end) {
        g_array_insert_val(e->ends, i, end);
    }
}

static void epoch_add_write(Epoch *e, State *now, const Record *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        Unit u = { RECORD_WRITE, r->sector + i, 1, r->ids[i], 0 };

        state_set_end(now, MAX(now->end, (int64_t)(u.sector + 1) * SECTOR));
        u.end = now->end;
        if (now->ids[u.sector] != u.id) {       /* else it changes nothing */
            state_set(now, u.sector, u.id);
            g_array_append_val(e->units, u);
        }
    }
}

/* Appends what @r may leave of itself; @now: the file with all of it. */
static void epoch_add(Epoch *e, State *now, const Record *r)
{
    Unit u = { r->op, r->sector, r->count, 0, 0 };

    switch (r->op) {
    case RECORD_WRITE:
        epoch_add_write(e, now, r);
        break;
    case RECORD_DISCARD:
        u.end = now->end;
        unit_apply(now, &u);
        if (u.count) {
            g_array_append_val(e->units, u);
        }
        break;
    case RECORD_TRUNCATE:
        u.sector = (uint32_t)DIV_ROUND_UP(r->bytes, SECTOR);
        u.count = r->bytes < now->end ? (uint32_t)DIV_ROUND_UP(now->end, SECTOR) - u.sector : 0;
        state_set_end(now, r->bytes);
        u.end = now->end;
        g_array_append_val(e->units, u);
        break;
    case RECORD_FLUSH:
        break;
    }
    epoch_add_end(e, now->end);
}

/* ---- subsets ------------------------------------------------------------------------ */

typedef struct Walk {
    State *base;
    Epoch epoch;
    Subset subset;
    GRand *rand;
    uint32_t left;                      /* of the budget */
    StateFunc *func;
    void *opaque;
    bool stopped;
} Walk;

/* The subset with the file's end at @end. */
static void walk_state(Walk *w, int64_t end)
{
    StateMark mark = state_mark(w->base);
    State *s = w->base;

    if (w->stopped) {
        return;
    }
    state_set_end(s, MAX(s->end, g_array_index(w->epoch.ends, int64_t, w->epoch.ends->len - 1)));
    for (guint i = 0; i < w->epoch.units->len; i++) {
        if (w->subset.has[i]) {
            unit_apply(s, &g_array_index(w->epoch.units, Unit, i));
        }
    }
    state_set_end(s, end);
    w->subset.end = end;
    w->left -= w->left > 0;
    w->stopped |= !w->func(s, &w->epoch, &w->subset, w->opaque);
    state_rollback(s, mark);
}

static int64_t walk_last_end(const Walk *w)
{
    return w->epoch.units->len
        ? g_array_index(w->epoch.units, Unit, w->epoch.units->len - 1).end
        : g_array_index(w->epoch.ends, int64_t, w->epoch.ends->len - 1);
}

static int64_t walk_random_end(Walk *w)
{
    gint32 i = g_rand_int_range(w->rand, 0, (gint32)w->epoch.ends->len);

    return g_array_index(w->epoch.ends, int64_t, i);
}

static void walk_all_subsets(Walk *w, bool all_ends)
{
    guint n = w->epoch.units->len;

    for (uint32_t mask = 0; mask < 1u << n && !w->stopped; mask++) {
        for (guint i = 0; i < n; i++) {
            w->subset.has[i] = mask >> i & 1;
        }
        for (guint e = 0; all_ends && e < w->epoch.ends->len; e++) {
            walk_state(w, g_array_index(w->epoch.ends, int64_t, e));
        }
        if (!all_ends) {
            walk_state(w, walk_last_end(w));
        }
    }
}

/* As many as fit in half the budget, evenly spread; all the ends. */
static void walk_prefixes(Walk *w)
{
    guint n = w->epoch.units->len, step = MAX(1, n / MAX(w->left / 2, 1));

    memset(w->subset.has, 0, n);
    walk_state(w, g_array_index(w->epoch.ends, int64_t, 0));
    for (guint i = 0; i < n; i++) {
        w->subset.has[i] = 1;
        if (i % step == step - 1 || i == n - 1) {
            walk_state(w, g_array_index(w->epoch.units, Unit, i).end);
        }
    }
    for (guint e = 0; e < w->epoch.ends->len && w->left > 0; e++) {
        walk_state(w, g_array_index(w->epoch.ends, int64_t, e));
    }
}

/* One missing, and two; half the budget for each. */
static void walk_omissions(Walk *w)
{
    guint n = w->epoch.units->len, step = MAX(1, n / MAX(w->left / 2, 1));
    uint32_t pairs;

    memset(w->subset.has, 1, n);
    for (guint i = step - 1; i < n; i += step) {
        w->subset.has[i] = 0;
        walk_state(w, walk_last_end(w));
        w->subset.has[i] = 1;
    }
    pairs = w->left / 2;
    for (guint i = 0; i + 1 < n && pairs > 0; i++, pairs--) {
        guint j = (guint)g_rand_int_range(w->rand, (gint32)i + 1, (gint32)n);

        w->subset.has[i] = w->subset.has[j] = 0;
        walk_state(w, walk_last_end(w));
        w->subset.has[i] = w->subset.has[j] = 1;
    }
}

/* Many missing, or few. */
static void walk_random(Walk *w)
{
    guint n = w->epoch.units->len;

    while (w->left > 0 && !w->stopped) {
        double share = g_rand_double(w->rand);

        for (guint i = 0; i < n; i++) {
            w->subset.has[i] = g_rand_double(w->rand) < share;
        }
        walk_state(w, walk_random_end(w));
    }
}

static void walk_epoch(Walk *w, uint32_t budget)
{
    guint n = w->epoch.units->len;

    w->left = budget;
    w->subset.has = g_malloc0(n + 1);
    if (n <= EXHAUSTIVE && ((uint64_t)w->epoch.ends->len << n) <= budget) {
        walk_all_subsets(w, true);
    } else {
        walk_prefixes(w);
        if (n <= EXHAUSTIVE && 1u << n <= w->left) {
            walk_all_subsets(w, false);
        } else if (w->left > 0) {
            walk_omissions(w);
        }
        walk_random(w);
    }
    g_free(w->subset.has);
}

/* All of the epoch is durable. */
static void walk_commit(Walk *w, int64_t end)
{
    state_set_end(w->base, MAX(w->base->end, g_array_index(w->epoch.ends, int64_t,
                                                           w->epoch.ends->len - 1)));
    for (guint i = 0; i < w->epoch.units->len; i++) {
        unit_apply(w->base, &g_array_index(w->epoch.units, Unit, i));
    }
    state_set_end(w->base, end);
    state_keep(w->base);
}

void log_states(const State *start, const GArray *records, uint32_t budget, GRand *rand,
                EpochFunc *epoch_func, StateFunc *func, void *opaque)
{
    g_autoptr(State) base = state_copy(start);
    g_autoptr(State) now = state_copy(start);
    Walk w = { .base = base, .rand = rand, .func = func, .opaque = opaque };

    w.epoch.units = g_array_new(FALSE, FALSE, sizeof(Unit));
    w.epoch.ends = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (guint at = 0; at <= records->len && !w.stopped; w.epoch.number++) {
        g_array_set_size(w.epoch.units, 0);
        g_array_set_size(w.epoch.ends, 0);
        epoch_add_end(&w.epoch, now->end);
        while (at < records->len && g_array_index(records, Record, at).op != RECORD_FLUSH) {
            epoch_add(&w.epoch, now, &g_array_index(records, Record, at++));
        }
        w.epoch.limit = at++;
        epoch_func(&w.epoch, opaque);
        walk_epoch(&w, budget);
        walk_commit(&w, now->end);
    }
    g_array_unref(w.epoch.units);
    g_array_unref(w.epoch.ends);
}
