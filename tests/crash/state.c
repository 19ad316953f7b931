/* SPDX-License-Identifier: MIT */
/* A file as an array of sectors; changes can be taken back. */
#include "harness.h"

#include <string.h>

#include "util/cutils.h"

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xc2b2ae3d27d4eb4f);

    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static uint64_t end_hash(int64_t end)
{
    return mix(UINT64_MAX, (uint64_t)end);
}

static uint64_t sector_hash(uint32_t sector, SectorId id)
{
    return id ? mix((uint64_t)sector + 1, id) : 0;
}

static void state_put(State *s, uint32_t sector, SectorId id)
{
    s->hash ^= sector_hash(sector, s->ids[sector]) ^ sector_hash(sector, id);
    s->ids[sector] = id;
}

void state_set(State *s, uint32_t sector, SectorId id)
{
    StateUndo undo = { sector, s->ids[sector] };

    g_assert(sector < STATE_SECTORS);
    if (id == undo.id) {
        return;
    }
    if (s->undo) {
        g_array_append_val(s->undo, undo);
    }
    state_put(s, sector, id);
}

static uint32_t sectors_of(int64_t bytes)
{
    return (uint32_t)DIV_ROUND_UP(bytes, SECTOR);
}

void state_set_end(State *s, int64_t end)
{
    for (uint32_t i = sectors_of(end); i < sectors_of(s->end); i++) {
        state_set(s, i, 0);
    }
    if (end < s->end && end % SECTOR) {         /* what is left of a sector */
        uint8_t part[SECTOR] = { 0 };

        memcpy(part, sectors_bytes(s->ids[end / SECTOR]), (size_t)(end % SECTOR));
        state_set(s, (uint32_t)(end / SECTOR), sectors_intern(part));
    }
    s->hash ^= end_hash(s->end) ^ end_hash(end);
    s->end = end;
}

State *state_new(const uint8_t *data, int64_t bytes)
{
    State *s = g_new0(State, 1);

    g_assert(bytes <= (int64_t)STATE_SECTORS * SECTOR);
    s->ids = g_new0(SectorId, STATE_SECTORS);
    s->end = bytes;
    s->hash = end_hash(bytes);
    for (int64_t at = 0; at < bytes; at += SECTOR) {
        uint8_t sector[SECTOR] = { 0 };

        memcpy(sector, data + at, (size_t)MIN(SECTOR, bytes - at));
        state_put(s, (uint32_t)(at / SECTOR), sectors_intern(sector));
    }
    return s;
}

State *state_copy(const State *other)
{
    State *s = g_new0(State, 1);

    s->ids = g_memdup2(other->ids, STATE_SECTORS * sizeof(SectorId));
    s->end = other->end;
    s->hash = other->hash;
    return s;
}

void state_free(State *s)
{
    if (s) {
        g_free(s->ids);
        if (s->undo) {
            g_array_unref(s->undo);
        }
        g_free(s);
    }
}

StateMark state_mark(State *s)
{
    if (!s->undo) {
        s->undo = g_array_new(FALSE, FALSE, sizeof(StateUndo));
    }
    return (StateMark) { s->undo->len, s->end };
}

void state_rollback(State *s, StateMark mark)
{
    while (s->undo->len > mark.undo) {
        const StateUndo *u = &g_array_index(s->undo, StateUndo, s->undo->len - 1);

        state_put(s, u->sector, u->id);
        g_array_set_size(s->undo, s->undo->len - 1);
    }
    s->hash ^= end_hash(s->end) ^ end_hash(mark.end);
    s->end = mark.end;
}

void state_keep(State *s)
{
    if (s->undo) {
        g_array_set_size(s->undo, 0);
    }
}

uint64_t state_get64(const State *s, int64_t offset)
{
    SectorId id;

    if (offset < 0 || offset > (int64_t)STATE_SECTORS * SECTOR - 8) {
        return 0;
    }
    id = s->ids[offset / SECTOR];
    return id ? be64_load(sectors_bytes(id) + offset % SECTOR) : 0;
}

MemDisk *state_to_disk(const State *s)
{
    MemDisk *d = mem_disk_new(NULL, s->end);

    for (int64_t at = 0; at < s->end; at += SECTOR) {
        SectorId id = s->ids[at / SECTOR];

        if (id) {
            memcpy(d->data + at, sectors_bytes(id), (size_t)MIN(SECTOR, s->end - at));
        }
    }
    return d;
}
