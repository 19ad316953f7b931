/* SPDX-License-Identifier: MIT */
/*
 * Which sectors of the file are named, and whether by more than one owner.
 *
 * Memory is bounded whatever the file's length: the map shows a window of it, and whoever fills it
 * walks the tables once for each window. Three bits a sector:
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
    uint64_t *whole, *inner, *touched;
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
    map->whole = g_try_new(uint64_t, words);
    map->inner = g_try_new(uint64_t, words);
    map->touched = g_try_new(uint64_t, words);
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

bool qcow_use_map_next(QcowUseMap *map)
{
    size_t bytes = window_words(map) * 8;

    if (map->to >= map->end) {
        return false;
    }
    map->from = map->to;
    map->to = MIN(map->from + USE_WINDOW, map->end);
    memset(map->whole, 0, bytes);
    memset(map->inner, 0, bytes);
    memset(map->touched, 0, bytes);
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

static void bits_set(const QcowUseMap *map, uint64_t *bits, int64_t a, int64_t b)
{
    a = MAX(a, map->from) - map->from;
    b = MIN(b, map->to) - map->from;
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

bool qcow_use_map_next_free(QcowUseMap *map, int64_t *offset, int64_t *bytes)
{
    int64_t i = MAX(*offset / USE_SECTOR, map->from) - map->from;
    int64_t n = map->to - map->from, from;

    while (i < n) {
        uint64_t used = map->whole[i / 64] | map->inner[i / 64] | map->touched[i / 64];

        if (used == UINT64_MAX) {
            i = (i / 64 + 1) * 64;
        } else if (used >> (i % 64) & 1) {
            i++;
        } else {
            break;
        }
    }
    if (i >= n) {
        return false;
    }
    for (from = i; i < n; i++) {
        if ((map->whole[i / 64] | map->inner[i / 64] | map->touched[i / 64]) >> (i % 64) & 1) {
            break;
        }
    }
    *offset = (map->from + from) * USE_SECTOR;
    *bytes = (i - from) * USE_SECTOR;
    return true;
}
