/* SPDX-License-Identifier: MIT */
/* Entries of both tables, streams, and garbage. */
#include "hostile.h"

#include <string.h>

static const struct {
    int cluster_bits, l2_bits;
} geometries[] = { { 9, 6 }, { 12, 9 }, { 16, 13 } };

static void tables_try(HostileRunner *r, const char *name, const HostileImage *image)
{
    HostileVerdict verdict = hostile_model(image->bytes);

    hostile_try_image(r, name, "-f qcow", image->bytes, &verdict);
}

/* ---- entries ---- */

#define ENTRY_PLACES 12
#define ENTRY_DELTAS 9
#define ENTRY_POWERS (64 * 3)
#define ENTRY_VALUES (ENTRY_PLACES * ENTRY_DELTAS + ENTRY_POWERS)

/* Onto all that stands in the file, and around each power of two. */
static guint64 entry_value(const HostileImage *image, int i)
{
    static const gint64 deltas[ENTRY_DELTAS] = { -512, -8, -1, 0, 1, 8, 256, 512, 4096 };
    const gint64 places[ENTRY_PLACES] = {
        0, 48, image->l1, image->l1 + 8 * HOSTILE_L1_ENTRIES, image->tables[0], image->tables[1],
        image->tables[1] + image->l2_bytes, image->data[0], image->data[1], image->stream,
        (image->bytes->len + 511) / 512 * 512, image->bytes->len,
    };

    if (i < ENTRY_PLACES * ENTRY_DELTAS) {
        return (guint64)(places[i / ENTRY_DELTAS] + deltas[i % ENTRY_DELTAS]);
    }
    i -= ENTRY_PLACES * ENTRY_DELTAS;
    return ((guint64)1 << i / 3) + (guint64)(i % 3) - 1;
}

/* The entry of an unused place: in the first L2 table, in its last entry, in the L1 table. */
static gint64 entry_place(const HostileImage *image, int where)
{
    const gint64 places[] = {
        image->tables[0] + 8, image->tables[0] + image->l2_bytes - 8, image->l1 + 16,
    };

    return places[where];
}

void hostile_entries(HostileRunner *r)
{
    static const char *const places[] = { "l2", "l2-last", "l1" };

    for (size_t g = 0; g < G_N_ELEMENTS(geometries); g++) {
        for (int i = 0; i < 3 * ENTRY_VALUES; i++) {
            g_auto(HostileImage) image = { 0 };
            g_autofree char *name = NULL;
            int where = i / ENTRY_VALUES;

            if (hostile_wants(r, g == 0 ? 1 : 5, &name, "entries/%d/%s/%d",
                              geometries[g].cluster_bits, places[where], i % ENTRY_VALUES)) {
                hostile_image_init(&image, geometries[g].cluster_bits, geometries[g].l2_bits, TRUE);
                hostile_put(image.bytes, entry_place(&image, where), 8,
                            entry_value(&image, i % ENTRY_VALUES));
                tables_try(r, name, &image);
            }
        }
    }
}

/* ---- streams ---- */

/* Where a stream is said to begin. */
static gint64 stream_place(const HostileImage *image, int i)
{
    const gint64 places[] = {
        image->stream, image->stream + 1, 0, image->l1, image->tables[0], image->data[0],
        image->bytes->len - 1, image->bytes->len, (gint64)1 << (62 - image->cluster_bits),
    };

    return places[i];
}

static gboolean streams_is_wanted(HostileRunner *r, size_t g, int place, int length, char **name)
{
    const int most = (1 << geometries[g].cluster_bits) - 1;
    gboolean is_edge = length < 3 || length > most - 3;

    return hostile_wants(r, is_edge ? 1 : (g == 0 && place == 0 ? 1 : 97), name,
                         "streams/%d/%d/%d", geometries[g].cluster_bits, place, length);
}

void hostile_streams(HostileRunner *r)
{
    for (size_t g = 0; g < G_N_ELEMENTS(geometries); g++) {
        const int cluster_bits = geometries[g].cluster_bits;

        for (int i = 0; i < 9 << cluster_bits; i += cluster_bits > 9 ? 61 : 1) {
            int place = i >> cluster_bits, length = i & ((1 << cluster_bits) - 1);
            g_auto(HostileImage) image = { 0 };
            g_autofree char *name = NULL;

            if (streams_is_wanted(r, g, place, length, &name)) {
                hostile_image_init(&image, cluster_bits, geometries[g].l2_bits, TRUE);
                hostile_put(image.bytes, image.tables[0] + 16, 8,
                            (guint64)1 << 63 | (guint64)length << (63 - cluster_bits)
                            | (guint64)stream_place(&image, place));
                tables_try(r, name, &image);
            }
        }
    }
}

/* ---- garbage ---- */

/* A word that is a likely entry as often as not. */
static guint64 garbage_word(GRand *rand, const HostileImage *image)
{
    guint64 word = (guint64)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0: return word;
    case 1: return word % image->bytes->len;
    case 2: return word % image->bytes->len / 512 * 512;
    default:
        return (guint64)1 << 63 | word % image->bytes->len
            | (word >> 32 & (guint64)(image->cluster - 1)) << (63 - image->cluster_bits);
    }
}

static void garbage_fill(HostileImage *image, guint32 seed)
{
    GRand *rand = g_rand_new_with_seed(seed);
    int count = g_rand_int_range(rand, 1, 40);

    while (count-- > 0) {
        gint64 tables = g_rand_boolean(rand) ? image->tables[0] : image->tables[1];
        gint64 at = g_rand_int_range(rand, 0, 8) == 0
            ? image->l1 + 8 * g_rand_int_range(rand, 0, HOSTILE_L1_ENTRIES)
            : tables + 8 * g_rand_int_range(rand, 0, 1 << image->l2_bits);

        hostile_put(image->bytes, at, 8, garbage_word(rand, image));
    }
    g_rand_free(rand);
}

void hostile_garbage(HostileRunner *r)
{
    for (guint32 seed = 0; seed < 20000; seed++) {
        const int g = seed % 10 == 9;
        g_auto(HostileImage) image = { 0 };
        g_autofree char *name = NULL;

        if (hostile_wants(r, 60, &name, "garbage/%u", seed)) {
            hostile_image_init(&image, geometries[g].cluster_bits, geometries[g].l2_bits, TRUE);
            garbage_fill(&image, seed);
            tables_try(r, name, &image);
        }
    }
}
