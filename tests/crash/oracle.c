/* SPDX-License-Identifier: MIT */
/*
 * What each guest sector may hold after a crash: the value at the last completed flush, or one
 * written since. A sector has versions, in the order of the requests; a promise tells for each the
 * oldest one that may still be seen. The disk's length, and whether it has a backing file, have
 * versions likewise.
 */
#include "harness.h"

#include <string.h>

#include "util/cutils.h"

#define MAX_VERSIONS 64
#define MAX_SHAPES 16
#define MAX_CLUSTER 65536

typedef struct Version {
    uint32_t value;
    uint32_t begun;                     /* records in the log when the request began */
} Version;

typedef struct Sector {
    uint32_t guest;
    uint32_t count;
    uint32_t durable_next;              /* version that a flush which begins now covers */
    uint32_t lowest, highest;           /* oracle_at() */
    uint32_t floor, floor_shape;        /* from that shape on it is this version or a later one */
    Version v[MAX_VERSIONS];
} Sector;

/* The header's part: length and backing file. */
typedef struct Shape {
    int64_t size;
    bool has_backing;
    uint32_t begun;
} Shape;

struct OraclePromise {
    uint32_t at;                        /* records in the log when it was given */
    uint32_t shape;
    GArray *versions;                   /* uint32_t, by the sector's place in Oracle.sectors */
};

struct Oracle {
    int64_t backing;                    /* bytes */
    uint32_t *places;                   /* guest sector -> place in sectors + 1; 0: none */
    GArray *sectors;                    /* Sector */
    GArray *touched;                    /* uint32_t */
    Shape shapes[MAX_SHAPES];
    uint32_t n_shapes, lowest_shape, highest_shape;
    GPtrArray *promises;
};

static void promise_free(gpointer data)
{
    OraclePromise *p = data;

    g_array_unref(p->versions);
    g_free(p);
}

Oracle *oracle_new(void)
{
    Oracle *o = g_new0(Oracle, 1);

    o->places = g_new0(uint32_t, GUEST_SECTORS);
    o->sectors = g_array_new(FALSE, FALSE, sizeof(Sector));
    o->touched = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    o->promises = g_ptr_array_new_with_free_func(promise_free);
    return o;
}

void oracle_free(Oracle *o)
{
    g_array_unref(o->sectors);
    g_array_unref(o->touched);
    g_ptr_array_unref(o->promises);
    g_free(o->places);
    g_free(o);
}

void oracle_reset(Oracle *o, const Geometry *g, int64_t size, bool has_backing)
{
    o->backing = g->backing;
    for (guint i = 0; i < o->touched->len; i++) {
        o->places[g_array_index(o->touched, uint32_t, i)] = 0;
    }
    g_array_set_size(o->touched, 0);
    g_array_set_size(o->sectors, 0);
    g_ptr_array_set_size(o->promises, 0);
    o->shapes[0] = (Shape) { size, has_backing, 0 };
    o->n_shapes = 1;
}

static Sector *oracle_find(const Oracle *o, uint32_t guest)
{
    uint32_t place = guest < GUEST_SECTORS ? o->places[guest] : 0;

    return place ? &g_array_index(o->sectors, Sector, place - 1) : NULL;
}

uint32_t oracle_unmapped(const Oracle *o, uint32_t guest, bool has_backing)
{
    return has_backing && (int64_t)guest * SECTOR < o->backing ? VALUE_BACKING : VALUE_ZERO;
}

static void sector_add(Sector *s, uint32_t value, uint32_t at)
{
    g_assert(s->count < MAX_VERSIONS);
    s->v[s->count++] = (Version) { value, at };
}

/* By shape @i: what it had is dropped or zeroed, and what becomes visible is zero. */
static void sector_reshape(const Oracle *o, Sector *s, uint32_t i)
{
    const Shape *shape = &o->shapes[i];
    int64_t old = o->shapes[i - 1].size, offset = (int64_t)s->guest * SECTOR;

    if (old == shape->size || offset < MIN(old, shape->size)) {
        return;
    }
    sector_add(s, oracle_unmapped(o, s->guest, shape->has_backing), shape->begun);
    sector_add(s, VALUE_ZERO, shape->begun);
    s->durable_next = s->count - 1;
    if (offset >= old && offset < shape->size) {
        s->floor = s->count - 1;
        s->floor_shape = i;
    }
}

/* With its first version: what it reads as before any request, whatever that is past the end. */
static Sector *oracle_touch(Oracle *o, uint32_t guest)
{
    Sector *s = oracle_find(o, guest);

    if (!s) {
        Sector new = { .guest = guest, .count = 1 };

        g_assert(guest < GUEST_SECTORS);
        new.v[0].value = (int64_t)guest * SECTOR < o->shapes[0].size
            ? oracle_unmapped(o, guest, o->shapes[0].has_backing) : VALUE_ANY;
        for (uint32_t i = 1; i < o->n_shapes; i++) {
            sector_reshape(o, &new, i);
        }
        g_array_append_val(o->sectors, new);
        g_array_append_val(o->touched, guest);
        o->places[guest] = o->sectors->len;
        s = &g_array_index(o->sectors, Sector, o->sectors->len - 1);
    }
    return s;
}

void oracle_start_value(Oracle *o, uint32_t guest, uint32_t value)
{
    if (value != oracle_unmapped(o, guest, o->shapes[0].has_backing)) {
        oracle_touch(o, guest)->v[0].value = value;
    }
}

void oracle_write(Oracle *o, uint32_t guest, uint32_t value, uint32_t at)
{
    sector_add(oracle_touch(o, guest), value, at);
}

void oracle_written(Oracle *o, uint32_t guest)
{
    Sector *s = oracle_touch(o, guest);

    s->durable_next = s->count - 1;
}

/* Sectors that show the backing file get a version that says so. */
static void oracle_touch_backed(Oracle *o, int64_t from, int64_t to)
{
    bool has_backing = o->shapes[o->n_shapes - 1].has_backing;

    for (int64_t at = from; has_backing && at < MIN(to, o->backing); at += SECTOR) {
        oracle_touch(o, (uint32_t)(at / SECTOR));
    }
}

void oracle_resize(Oracle *o, int64_t size, uint32_t at)
{
    Shape shape = o->shapes[o->n_shapes - 1];

    g_assert(o->n_shapes < MAX_SHAPES);
    oracle_touch_backed(o, shape.size, size);           /* it could come to show there */
    oracle_touch_backed(o, size, MIN(shape.size, ROUND_UP_TO(size, MAX_CLUSTER)));  /* zeroed */
    shape.size = size;
    shape.begun = at;
    o->shapes[o->n_shapes++] = shape;
    for (guint i = 0; i < o->sectors->len; i++) {
        sector_reshape(o, &g_array_index(o->sectors, Sector, i), o->n_shapes - 1);
    }
}

void oracle_rebase(Oracle *o, bool has_backing, uint32_t at)
{
    Shape shape = o->shapes[o->n_shapes - 1];

    g_assert(o->n_shapes < MAX_SHAPES);
    oracle_touch_backed(o, 0, shape.size);
    shape.has_backing = has_backing;
    shape.begun = at;
    o->shapes[o->n_shapes++] = shape;
}

OraclePromise *oracle_flush_begins(const Oracle *o)
{
    OraclePromise *p = g_new0(OraclePromise, 1);

    p->shape = o->n_shapes - 1;
    p->versions = g_array_sized_new(FALSE, FALSE, sizeof(uint32_t), o->sectors->len);
    for (guint i = 0; i < o->sectors->len; i++) {
        g_array_append_val(p->versions, g_array_index(o->sectors, Sector, i).durable_next);
    }
    return p;
}

OraclePromise *oracle_range_begins(const Oracle *o, uint32_t guest, uint32_t count)
{
    const OraclePromise *last = o->promises->len
        ? g_ptr_array_index(o->promises, o->promises->len - 1) : NULL;
    OraclePromise *p = oracle_flush_begins(o);

    p->shape = last ? last->shape : 0;
    for (guint i = 0; i < p->versions->len; i++) {
        uint32_t at = g_array_index(o->sectors, Sector, i).guest;

        if (at < guest || at >= guest + count) {
            g_array_index(p->versions, uint32_t, i) = last && i < last->versions->len
                ? g_array_index(last->versions, uint32_t, i) : 0;
        }
    }
    return p;
}

void oracle_promise_free(OraclePromise *promise)
{
    promise_free(promise);
}

void oracle_flushed(Oracle *o, OraclePromise *promise, uint32_t at)
{
    promise->at = at;
    g_ptr_array_add(o->promises, promise);
}

uint32_t oracle_newest(const Oracle *o, uint32_t guest)
{
    const Sector *s = oracle_find(o, guest);

    return s ? s->v[s->count - 1].value
             : oracle_unmapped(o, guest, o->shapes[o->n_shapes - 1].has_backing);
}

void oracle_at(Oracle *o, uint32_t limit)
{
    const OraclePromise *last = NULL;

    for (guint i = 0; i < o->promises->len; i++) {
        const OraclePromise *p = g_ptr_array_index(o->promises, i);

        last = p->at <= limit ? p : last;
    }
    o->lowest_shape = last ? last->shape : 0;
    o->highest_shape = o->n_shapes - 1;
    while (o->shapes[o->highest_shape].begun > limit) {
        o->highest_shape--;
    }
    for (guint i = 0; i < o->sectors->len; i++) {
        Sector *s = &g_array_index(o->sectors, Sector, i);

        s->lowest = last && i < last->versions->len
            ? g_array_index(last->versions, uint32_t, i) : 0;
        s->highest = s->count - 1;
        while (s->highest > s->lowest && s->v[s->highest].begun > limit) {
            s->highest--;
        }
    }
}

bool oracle_allows_header(const Oracle *o, int64_t size, bool has_backing)
{
    for (uint32_t i = o->lowest_shape; i <= o->highest_shape; i++) {
        if (o->shapes[i].size == size && o->shapes[i].has_backing == has_backing) {
            return true;
        }
    }
    return false;
}

/* The first shape that the header may be in. */
static uint32_t oracle_shape_of(const Oracle *o, int64_t size)
{
    uint32_t i = o->lowest_shape;

    while (i < o->highest_shape && o->shapes[i].size != size) {
        i++;
    }
    return i;
}

bool oracle_allows(const Oracle *o, uint32_t guest, uint32_t value, int64_t size)
{
    const Sector *s = oracle_find(o, guest);
    uint32_t i;

    if (!s) {
        return value == ((int64_t)guest * SECTOR < o->shapes[0].size
                         ? oracle_unmapped(o, guest, o->shapes[0].has_backing) : VALUE_ZERO);
    }
    i = s->lowest;
    if (s->floor > i && oracle_shape_of(o, size) >= s->floor_shape) {
        i = s->floor;
    }
    for (; i <= s->highest; i++) {
        if (s->v[i].value == value || s->v[i].value == VALUE_ANY) {
            return true;
        }
    }
    return false;
}

char *oracle_describe(const Oracle *o, uint32_t guest)
{
    const Sector *s = oracle_find(o, guest);
    g_autoptr(GString) text = g_string_new(NULL);

    if (!s) {
        return g_strdup("what was there at first");
    }
    for (uint32_t i = s->lowest; i <= s->highest; i++) {
        g_string_append_printf(text, "%s%#x", i > s->lowest ? ", " : "", s->v[i].value);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

const uint32_t *oracle_touched(const Oracle *o, guint *count)
{
    *count = o->touched->len;
    return (const uint32_t *)(const void *)o->touched->data;
}
