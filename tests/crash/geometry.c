/* SPDX-License-Identifier: MIT */
/* Images to begin with: made by hand, by the format's description. */
#include "harness.h"

#include <string.h>

#include "util/cutils.h"

#define NAME "base.raw"
#define L1_OFFSET 56                    /* after the name */

const Geometry geometries[] = {
    { "512-backed", 9, 6, 67 * 1024 + 512, 40 * 1024, false, true },
    { "512-long", 9, 6, 33 * 1024, 50 * 1024, false, true },
    { "512-wide", 9, 12, 2 * 1024 * 1024 + 8704, 2 * 1024 * 1024 + 2048, false, false },
    { "4k", 12, 6, 256 * 1024 + 3072, 0, false, true },
    { "4k-backed", 12, 6, 264 * 1024 + 512, 64 * 1024, false, true },
    { "4k-aes", 12, 6, 260 * 1024, 0, true, true },
    { "512-aes", 9, 6, 33 * 1024, 16 * 1024, true, true },
    { "64k", 16, 6, 4 * 1024 * 1024 + 66 * 1024, 0, false, false },
    { "64k-aes", 16, 6, 256 * 1024, 0, true, false },
};
const guint n_geometries = G_N_ELEMENTS(geometries);
const char *const start_names[START_KINDS] = { "fresh", "mapped", "peer", "cut" };

MemDisk *geometry_new_backing(const Geometry *g)
{
    MemDisk *d;

    if (!g->backing) {
        return NULL;
    }
    d = mem_disk_new(NULL, g->backing);
    for (int64_t at = 0; at < g->backing; at += SECTOR) {
        sectors_stamp(d->data + at, (uint32_t)(at / SECTOR), VALUE_BACKING);
    }
    return d;
}

MemDisk *geometry_new_image(const Geometry *g)
{
    uint32_t entries = (uint32_t)DIV_ROUND_UP(g->size, geometry_span(g));
    MemDisk *d = mem_disk_new(NULL, ROUND_UP_TO(L1_OFFSET + entries * 8, SECTOR));

    memcpy(d->data, "QFI\xfb\0\0\0\1", 8);
    if (g->backing) {
        image_put64(d, 8, 48);
        be32_store(d->data + 16, strlen(NAME));
        memcpy(d->data + 48, NAME, strlen(NAME));
    }
    image_put64(d, 24, (uint64_t)g->size);
    d->data[32] = (uint8_t)g->cluster_bits;
    d->data[33] = (uint8_t)g->l2_bits;
    be32_store(d->data + 36, g->aes);
    image_put64(d, 40, L1_OFFSET);
    return d;
}

/* ---- the peer's order --------------------------------------------------------------- */

typedef struct PeerWrite {
    int64_t offset;
    uint64_t entry;                     /* 0: @bytes of data */
    uint32_t guest;
    int64_t bytes;
} PeerWrite;

/*
 * L1 entry, table, entry, data, each as soon as there is a place for it. Sectors of an encrypted
 * disk are not made: what stands there reads as nobody's bytes.
 */
static void peer_allocate(const Geometry *g, const MemDisk *disk, GArray *writes, int64_t *end,
                          uint32_t cluster, uint64_t *tables)
{
    int64_t cluster_size = geometry_cluster(g);
    uint32_t index = cluster >> g->l2_bits, in_table = cluster & ((1u << g->l2_bits) - 1);
    uint64_t old;
    PeerWrite w = { 0 };

    if (!tables[index]) {
        tables[index] = image_get64(disk, L1_OFFSET + index * 8);
    }
    if (!tables[index]) {
        tables[index] = (uint64_t)ROUND_UP_TO(*end, cluster_size);
        *end = (int64_t)tables[index] + ((int64_t)8 << g->l2_bits);
        w = (PeerWrite) { .offset = L1_OFFSET + index * 8, .entry = tables[index] };
        g_array_append_val(writes, w);
    }
    old = image_get64(disk, (int64_t)tables[index] + in_table * 8);
    if (old) {
        return;
    }
    *end = ROUND_UP_TO(*end, cluster_size) + cluster_size;
    w = (PeerWrite) { .offset = (int64_t)tables[index] + in_table * 8,
                      .entry = (uint64_t)(*end - cluster_size) };
    g_array_append_val(writes, w);
    w = (PeerWrite) { .offset = *end - cluster_size, .bytes = cluster_size,
                      .guest = cluster * (uint32_t)(cluster_size / SECTOR) };
    g_array_append_val(writes, w);
}

static void peer_land(MemDisk *disk, const PeerWrite *w, GRand *rand)
{
    for (int64_t done = 0; done < w->bytes; done += SECTOR) {
        uint8_t sector[SECTOR];

        sectors_stamp(sector, w->guest + (uint32_t)(done / SECTOR), 1);
        if (g_rand_boolean(rand)) {
            image_fill(disk, w->offset + done, 0, SECTOR);
            memcpy(disk->data + w->offset + done, sector, SECTOR);
        }
    }
    if (w->entry && g_rand_int_range(rand, 0, 4)) {
        int64_t end = disk->size;

        image_put64(disk, w->offset, w->entry);
        image_resize(disk, MAX(end, ROUND_UP_TO(w->offset + 8, SECTOR)));
    }
}

void geometry_crash_peer(const Geometry *g, MemDisk *disk, GRand *rand)
{
    uint32_t clusters = (uint32_t)DIV_ROUND_UP(g->size, geometry_cluster(g));
    g_autofree uint64_t *tables = g_new0(uint64_t, (clusters >> g->l2_bits) + 1);
    g_autoptr(GArray) writes = g_array_new(FALSE, FALSE, sizeof(PeerWrite));
    int64_t end = disk->size;
    gint32 count = g_rand_int_range(rand, 1, 6);

    for (gint32 i = 0; i < count; i++) {
        uint32_t near = (uint32_t)g_rand_int_range(rand, 0, 8);
        uint32_t cluster = g_rand_boolean(rand) ? near : clusters - 1 - near;

        peer_allocate(g, disk, writes, &end, MIN(cluster, clusters - 1), tables);
    }
    for (guint i = 0; i < writes->len; i++) {
        peer_land(disk, &g_array_index(writes, PeerWrite, i), rand);
    }
    if (g_rand_boolean(rand)) {
        int64_t cut = g_rand_int_range(rand, SECTOR, (gint32)MAX(end, disk->size) + 1);

        image_resize(disk, ROUND_DOWN_TO(cut, 8));      /* no entry is ever written in part */
    }
}
