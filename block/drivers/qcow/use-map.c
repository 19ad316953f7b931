/* SPDX-License-Identifier: MIT */
/*
 * Which sectors of the file are named, and whether by more than one owner.
 *
 * Memory is bounded whatever the file's length: the map shows a window of it, and whoever fills it
 * walks the tables once for each window, naming everything each time. A window begins where
 * something stands, so that a long file with little in it takes few. Two bits a sector, of which
 * the greatest use stays, as it decides what clashes with others:
 *   0  free
 *   1  touched: holds the first or last bytes of streams, or of header, name or L1
 *   2  inner: lies wholly inside a stream
 *   3  whole: belongs to a plain cluster or a table, or lies inside header, name or L1
 */
#include "block/drivers/qcow/qcow.h"

#include <string.h>

#define USE_SECTOR 512

typedef enum UseState { USE_FREE, USE_TOUCHED, USE_INNER, USE_WHOLE } UseState;

struct QcowUseMap {
    int64_t end;                /* sectors of the file */
    int64_t window;             /* sectors, at most */
    int64_t from, to;           /* sectors of the window; to 0: before the first */
    int64_t next;               /* the first one at or after to that is named */
    uint64_t *low, *high;       /* the two bits of each sector's UseState */
    int64_t used_from, used_to; /* words of them that are not 0; none outside */
};

QcowUseMap *qcow_use_map_new(int64_t end, int64_t window)
{
    QcowUseMap *map = g_new0(QcowUseMap, 1);
    size_t words;

    map->end = MAX(DIV_ROUND_UP(end, USE_SECTOR), 1);
    map->window = MIN(map->end, window / USE_SECTOR);
    words = (size_t)DIV_ROUND_UP(map->window, 64);
    map->low = g_try_new0(uint64_t, words);
    map->high = g_try_new0(uint64_t, words);
    if (!map->low || !map->high) {
        qcow_use_map_free(map);
        return NULL;
    }
    return map;
}

void qcow_use_map_free(QcowUseMap *map)
{
    if (map) {
        g_free(map->low);
        g_free(map->high);
        g_free(map);
    }
}

static void window_clear(QcowUseMap *map)
{
    size_t bytes = (size_t)MAX(map->used_to - map->used_from, 0) * 8;

    memset(map->low + map->used_from, 0, bytes);
    memset(map->high + map->used_from, 0, bytes);
    map->used_from = map->used_to = 0;
}

bool qcow_use_map_next(QcowUseMap *map)
{
    int64_t from = map->to ? map->next : 0;

    if (from >= map->end) {
        return false;
    }
    window_clear(map);
    map->from = from;
    map->to = MIN(map->from + map->window, map->end);
    map->next = map->end;
    return true;
}

bool qcow_use_map_is_first(const QcowUseMap *map)
{
    return map->from == 0;
}

/* The bits of word @w that lie in [@a, @b). */
static uint64_t word_mask(int64_t w, int64_t a, int64_t b)
{
    uint64_t mask = UINT64_MAX;

    if (a > w * 64) {
        mask &= UINT64_MAX << (a - w * 64);
    }
    if (b < w * 64 + 64) {
        mask &= UINT64_MAX >> (w * 64 + 64 - b);
    }
    return mask;
}

/* Which sectors of a word have that state or a greater one. */
static uint64_t word_with(const QcowUseMap *map, int64_t w, UseState least)
{
    uint64_t low = map->low[w], high = map->high[w];

    return least == USE_WHOLE ? low & high : least == USE_INNER ? high : low | high;
}

static void word_raise(QcowUseMap *map, int64_t w, uint64_t mask, UseState state)
{
    mask &= ~word_with(map, w, state);
    map->low[w] = state & 1 ? map->low[w] | mask : map->low[w] & ~mask;
    map->high[w] = state & 2 ? map->high[w] | mask : map->high[w] & ~mask;
}

/* [@a, @b): sectors of the file; what lies outside the window is left out. */
static bool use_any(const QcowUseMap *map, int64_t a, int64_t b, UseState least)
{
    a = MAX(a, map->from) - map->from;
    b = MIN(b, map->to) - map->from;
    for (int64_t w = a / 64; a < b && w <= (b - 1) / 64; w++) {
        if (word_with(map, w, least) & word_mask(w, a, b)) {
            return true;
        }
    }
    return false;
}

static void use_raise(QcowUseMap *map, int64_t a, int64_t b, UseState state)
{
    a = MAX(a, map->from) - map->from;
    b = MIN(b, map->to) - map->from;
    if (a >= b) {
        return;
    }
    map->used_from = map->used_to ? MIN(map->used_from, a / 64) : a / 64;
    map->used_to = MAX(map->used_to, (b - 1) / 64 + 1);
    for (int64_t w = a / 64; w <= (b - 1) / 64; w++) {
        word_raise(map, w, word_mask(w, a, b), state);
    }
}

static QcowClash use_add_whole(QcowUseMap *map, int64_t a, int64_t b)
{
    bool clash = use_any(map, a, b, USE_TOUCHED);

    use_raise(map, a, b, USE_WHOLE);
    return clash ? QCOW_CLASH_WHOLE : QCOW_CLASH_NONE;
}

/* [@a, @b): touched; [@ia, @ib): wholly inside. */
static QcowClash use_add_edged(QcowUseMap *map, int64_t a, int64_t b, int64_t ia, int64_t ib,
                               UseState inside)
{
    QcowClash clash = QCOW_CLASH_NONE;

    if (use_any(map, a, b, USE_WHOLE)) {
        clash = QCOW_CLASH_WHOLE;
    } else if (use_any(map, a, b, USE_INNER) || use_any(map, ia, ib, USE_TOUCHED)) {
        clash = QCOW_CLASH_STREAMS;
    }
    use_raise(map, a, MIN(ia, b), USE_TOUCHED);
    use_raise(map, MAX(a, ib), b, USE_TOUCHED);
    use_raise(map, ia, ib, inside);
    return clash;
}

QcowClash qcow_use_map_add(QcowUseMap *map, int64_t offset, int64_t bytes, QcowUse use)
{
    int64_t end = offset + bytes;
    int64_t a = offset / USE_SECTOR, b = DIV_ROUND_UP(end, USE_SECTOR);
    int64_t ia = DIV_ROUND_UP(offset, USE_SECTOR), ib = end / USE_SECTOR;

    if (bytes <= 0) {
        return QCOW_CLASH_NONE;
    }
    if (b > map->to) {
        map->next = MIN(map->next, MAX(a, map->to));
    }
    if (use == QCOW_USE_WHOLE) {
        return use_add_whole(map, a, b);
    }
    return use_add_edged(map, a, b, ia, MAX(ia, ib),
                         use == QCOW_USE_FIXED ? USE_WHOLE : USE_INNER);
}

void qcow_use_map_add_fixed(QcowUseMap *map, const QcowState *s)
{
    qcow_use_map_add(map, 0, QCOW_HEADER_BYTES, QCOW_USE_FIXED);
    qcow_use_map_add(map, s->g.l1_offset, (int64_t)s->g.l1_entries * 8, QCOW_USE_FIXED);
    if (s->record_offset) {
        qcow_use_map_add(map, s->record_offset, qcow_name_end(s) - s->record_offset,
                         QCOW_USE_FIXED);
    }
}

/* The first sector of the window from @i on that is named, or not; the window's length: none. */
static int64_t window_find(const QcowUseMap *map, int64_t i, bool is_named)
{
    int64_t n = map->to - map->from;
    uint64_t dull = is_named ? 0 : UINT64_MAX;

    while (i < n) {
        uint64_t word = i / 64 < map->used_to ? word_with(map, i / 64, USE_TOUCHED) : 0;

        if (is_named && i / 64 >= map->used_to) {
            return n;
        }
        if (word == dull) {
            i = (i / 64 + 1) * 64;
        } else if ((word >> (i % 64) & 1) == is_named) {
            return i;
        } else {
            i++;
        }
    }
    return n;
}

bool qcow_use_map_next_free(QcowUseMap *map, int64_t *offset, int64_t *bytes)
{
    int64_t n = map->to - map->from, stop = map->next - map->from;
    int64_t i = MAX(*offset / USE_SECTOR, map->from) - map->from, end;

    i = i < n ? window_find(map, i, false) : i;
    if (i >= stop) {
        return false;
    }
    end = i < n ? window_find(map, i, true) : n;
    end = end >= n ? stop : end;        /* between two windows nothing is named */
    *offset = (map->from + i) * USE_SECTOR;
    *bytes = (end - i) * USE_SECTOR;
    return true;
}
