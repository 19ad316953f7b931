/* SPDX-License-Identifier: MIT */
/* Small files whose tables lead again and again to the same places: a check has to notice, and end. */
#include "hostile.h"

#define BOMB_CLUSTER_BITS 12
#define BOMB_L2_BITS 9
#define BOMB_L1 512
#define BOMB_L1_ENTRIES 15000
#define BOMB_TABLES 131072              /* where the tables begin */
#define BOMB_TABLE_BYTES 4096

static const struct {
    const char *name;
    int table_count, table_step;        /* places of tables, and bytes from one to the next */
    gboolean is_any_length;             /* each entry says another length of the one stream */
} bombs[] = {
    { "same-table", 1, 0, FALSE },
    { "same-table-any-length", 1, 0, TRUE },
    { "shifted-tables", 8 * 512, 8, FALSE },
    { "shifted-tables-any-length", 8 * 512, 8, TRUE },
};

/* The first cluster of the disk cannot be read, so that what copies the disk ends at once. */
static GByteArray *bomb_new(size_t k)
{
    const gint64 cluster = 1 << BOMB_CLUSTER_BITS;
    gint64 tables_end = BOMB_TABLES + (bombs[k].table_count - 1) * bombs[k].table_step
        + BOMB_TABLE_BYTES;
    GByteArray *bytes = hostile_zeros(tables_end);
    gint64 stream_bytes = hostile_add_stream(bytes, cluster);

    hostile_put_header(bytes, BOMB_CLUSTER_BITS, BOMB_L2_BITS,
                       (guint64)BOMB_L1_ENTRIES << (BOMB_CLUSTER_BITS + BOMB_L2_BITS), BOMB_L1);
    for (int i = 0; i < BOMB_L1_ENTRIES; i++) {
        hostile_put(bytes, BOMB_L1 + i * 8, 8,
                    (guint64)(BOMB_TABLES + i % bombs[k].table_count * bombs[k].table_step));
    }
    for (gint64 at = BOMB_TABLES; at < tables_end; at += 8) {
        gint64 more = bombs[k].is_any_length ? at / 8 % (cluster - stream_bytes) : 0;

        hostile_put(bytes, at, 8, (guint64)1 << 63
                    | (guint64)(stream_bytes + more) << (63 - BOMB_CLUSTER_BITS)
                    | (guint64)tables_end);
    }
    hostile_put(bytes, BOMB_TABLES, 8, (guint64)1 << 63);
    return bytes;
}

void hostile_bombs(HostileRunner *r)
{
    static const HostileVerdict verdict = { .check = HOSTILE_UNCHECKABLE, .read = HOSTILE_READ_FAILS };

    for (size_t k = 0; k < G_N_ELEMENTS(bombs); k++) {
        g_autofree char *name = NULL;

        if (hostile_wants(r, 1, &name, "bombs/%s", bombs[k].name)) {
            g_autoptr(GByteArray) bytes = bomb_new(k);

            hostile_try_image(r, name, "-f qcow", bytes, &verdict);
        }
    }
}
