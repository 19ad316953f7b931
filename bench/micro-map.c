/* SPDX-License-Identifier: MIT */
/*
 * A walk over the map of a qcow image, an extent each time: of an image that is full, so that one
 * table says much, and of one with a lone cluster in each of its tables. Its end is its start again.
 */
#include "bench/micro.h"

#include <cairn/block.h>

enum { CLUSTER = 4096, PER_TABLE = 512 * CLUSTER, TABLES = 1024 };

typedef struct Map {
    char *name;
    BlockBackend *blk;
    int64_t place;              /* bytes */
} Map;

/* Writes a cluster in every @step bytes. */
static void *map_setup(int64_t step)
{
    g_autoptr(GError) error = NULL;
    const int64_t bytes = (int64_t)TABLES * PER_TABLE;
    static const uint8_t data[CLUSTER] = { 1 };
    Map *m = g_new0(Map, 1);

    m->name = micro_temp_name("map.qcow");
    if (blk_create(NULL, m->name, "qcow", NULL, bytes, &error)) {
        m->blk = blk_open(NULL, m->name, BLK_O_RDWR | BLK_O_NO_FLUSH | BLK_O_PROBE, &error);
    }
    if (!m->blk) {
        g_error("%s", error->message);
    }
    for (int64_t place = 0; place < bytes; place += step) {
        g_assert_true(blk_pwrite(m->blk, place, CLUSTER, data, 0) == 0);
    }
    g_assert_true(blk_flush(m->blk) == 0);
    return m;
}

static void *setup_scattered(void)
{
    return map_setup(PER_TABLE);
}

static void *setup_eight(void)
{
    return map_setup(64 * CLUSTER);
}

static void teardown(void *state)
{
    Map *m = state;

    blk_unref(m->blk);
    micro_temp_remove(m->name);
    g_free(m);
}

static void run(void *state, int64_t count)
{
    Map *m = state;
    const int64_t bytes = (int64_t)TABLES * PER_TABLE;

    for (int64_t i = 0; i < count; i++) {
        BlockStatus status;

        g_assert_true(blk_block_status(m->blk, m->place, bytes - m->place, &status) == 0);
        m->place = (m->place + status.bytes) % bytes;
    }
}

const MicroCase micro_map[] = {
    { "map: an extent, one a table", 2 * TABLES, 0, setup_scattered, run, teardown },
    { "map: an extent, eight a table", 16 * TABLES, 0, setup_eight, run, teardown },
    { NULL },
};
