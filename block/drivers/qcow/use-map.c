/* SPDX-License-Identifier: MIT */
/*
 * Which sectors of the file are named, and whether by more than one owner.
 *
 * Memory is bounded whatever the file's length: the map shows a window of it, and whoever fills it
 * walks the tables once for each window, naming everything each time. A window begins where
 * something stands, so that a long file with little in it takes few. Three bits a sector:
 *   whole    belongs to a plain cluster or a table, or lies inside header, name or L1
 *   inner    lies wholly inside a stream
 *   touched  holds the first or last bytes of streams, or of header, name or L1
 */
#include "block/drivers/qcow/qcow.h"

#include <string.h>

#define USE_SECTOR 512
#define USE_WINDOW ((int64_t)1 << 27)   /* sectors: 64 GiB, in 3 x 16 MiB */

struct QcowUseMap {
    int64_t end;                /* sectors of the file */
    int64_t from, to;           /* sectors of the window; to 0: before the first */
    int64_t next;               /* the first one at or after to that is named */
    uint64_t *whole, *inner, *touched;
    int64_t used_from, used_to; /* words of them that are not 0; none outside */
};

static size_t window_words(const QcowUseMap *map)
{
    return (size_t)DIV_ROUND_UP(MIN(map->end, USE_WINDOW), 64);
}

QcowUseMap *qcow_use_map_new(int64_t end)
{
    QcowUseMap *map = g_new0(QcowUseMap, 1);
    size_t words;

    map->end = MAX(DIV_ROUND_UP(end, USE_SECTOR), 1);
    words = window_words(map);
    map->whole = g_try_new0(uint64_t, words);
    map->inner = g_try_new0(uint64_t, words);
    map->touched = g_try_new0(uint64_t, words);
    if (!map->whole || !map->inner || !map->touched) {
        qcow_use_map_free(map);
        return NULL;
    }
    return map;
}

void qcow_use_map_free(QcowUseMap *map)
{
    if (map) {
        g_free(map->whole);
        g_free(map->inner);
        g_free(map->touched);
        g_free(map);
    }
}

static void window_clear(QcowUseMap *map)
{
    size_t bytes = (size_t)MAX(map->used_to - map->used_from, 0) * 8;

    memset(map->whole + map->used_from, 0, bytes);
    memset(map->inner + map->used_from, 0, bytes);
    memset(map->touched + map->used_from, 0, bytes);
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
    map->to = MIN(map->from + USE_WINDOW, map->end);
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

/* [@a, @b): sectors of the file; what lies outside the window is left out. */
static bool bits_any(const QcowUseMap *map, const uint64_t *bits, int64_t a, int64_t b)
{
    a = MAX(a, map->from) - map->from;
    b = MIN(b, map->to) - map->from;
    for (int64_t w = a / 64; a < b && w <= (b - 1) / 64; w++) {
        if (bits[w] & word_mask(w, a, b)) {
            return true;
        }
    }
    return false;
}

static void bits_set(QcowUseMap *map, uint64_t *bits, int64_t a, int64_t b)
{
    a = MAX(a, map->from) - map->from;
    b = MIN(b, map->to) - map->from;
    if (a >= b) {
        return;
    }
    map->used_from = map->used_to ? MIN(map->used_from, a / 64) : a / 64;
    map->used_to = MAX(map->used_to, (b - 1) / 64 + 1);
    for (int64_t w = a / 64; a < b && w <= (b - 1) / 64; w++) {
        bits[w] |= word_mask(w, a, b);
    }
}

static QcowClash use_add_whole(QcowUseMap *map, int64_t a, int64_t b)
{
    bool clash = bits_any(map, map->whole, a, b) || bits_any(map, map->inner, a, b) ||
                 bits_any(map, map->touched, a, b);

    bits_set(map, map->whole, a, b);
    return clash ? QCOW_CLASH_WHOLE : QCOW_CLASH_NONE;
}

/* [@a, @b): touched; [@ia, @ib): wholly inside. */
static QcowClash use_add_edged(QcowUseMap *map, int64_t a, int64_t b, int64_t ia, int64_t ib,
                               uint64_t *inside)
{
    QcowClash clash = QCOW_CLASH_NONE;

    if (bits_any(map, map->whole, a, b)) {
        clash = QCOW_CLASH_WHOLE;
    } else if (bits_any(map, map->inner, a, b) || bits_any(map, map->touched, ia, ib)) {
        clash = QCOW_CLASH_STREAMS;
    }
    bits_set(map, map->touched, a, MIN(ia, b));
    bits_set(map, map->touched, MAX(a, ib), b);
    bits_set(map, inside, ia, ib);
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
                         use == QCOW_USE_FIXED ? map->whole : map->inner);
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

static uint64_t window_word(const QcowUseMap *map, int64_t w)
{
    return map->whole[w] | map->inner[w] | map->touched[w];
}

/* The first sector of the window from @i on that is named, or not; the window's length: none. */
static int64_t window_find(const QcowUseMap *map, int64_t i, bool is_named)
{
    int64_t n = map->to - map->from;
    uint64_t dull = is_named ? 0 : UINT64_MAX;

    while (i < n) {
        uint64_t word = i / 64 < map->used_to ? window_word(map, i / 64) : 0;

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
