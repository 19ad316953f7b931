/* SPDX-License-Identifier: MIT */
/*
 * A reader of qcow images that shares nothing with the driver: it follows the format's description,
 * and knows what a state may look like that the protocol has left.
 */
#include "harness.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "util/cutils.h"

#define COMPRESSED ((uint64_t)1 << 63)
#define MAX_CLUSTER 65536
#define MAX_STREAMS 256

typedef struct Stream {
    int64_t offset, bytes;
} Stream;

struct Reader {
    const Geometry *g;
    uint32_t round;                     /* of this check; marks of other rounds do not count */
    uint32_t *owned;                    /* sector of the file -> round in which it got an owner */
    uint32_t *streamed;                 /* likewise, by a stream */
    uint32_t *mapped;                   /* guest sector -> round in which it was seen mapped */
    Stream streams[MAX_STREAMS];
    guint n_streams;
    bool unclean;
    GHashTable *inflated;               /* what the stream reads as, by its bytes: StreamValues */

    /* of the state being checked */
    const State *s, *start;
    const Oracle *o;
    bool learns;                        /* all is allowed */
    uint32_t *values;
    int64_t size, l1_offset;
    uint32_t l1_entries;
    bool has_backing;
    char *error;
};

Reader *reader_new(const Geometry *g)
{
    Reader *r = g_new0(Reader, 1);

    r->g = g;
    r->owned = g_new0(uint32_t, STATE_SECTORS);
    r->streamed = g_new0(uint32_t, STATE_SECTORS);
    r->mapped = g_new0(uint32_t, GUEST_SECTORS);
    r->inflated = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                        (GDestroyNotify)g_bytes_unref, g_free);
    return r;
}

void reader_free(Reader *r)
{
    g_hash_table_destroy(r->inflated);
    g_free(r->owned);
    g_free(r->streamed);
    g_free(r->mapped);
    g_free(r);
}

int64_t reader_size(const Reader *r)
{
    return r->size;
}

bool reader_has_backing(const Reader *r)
{
    return r->has_backing;
}

bool reader_is_unclean(const Reader *r)
{
    return r->unclean;
}

static bool G_GNUC_PRINTF(2, 3) fail(Reader *r, const char *format, ...)
{
    va_list ap;

    if (!r->error) {
        va_start(ap, format);
        r->error = g_strdup_vprintf(format, ap);
        va_end(ap);
    }
    return false;
}

/* ---- who owns what ------------------------------------------------------------------ */

/* Whole sectors around the range; false: somebody else has one. */
static bool own(Reader *r, int64_t offset, int64_t bytes, const char *what)
{
    int64_t first = offset / SECTOR, last = (offset + bytes - 1) / SECTOR;

    if (last >= STATE_SECTORS) {
        return fail(r, "%s at %" PRId64 " stands too high", what, offset);
    }
    for (int64_t i = first; i <= last; i++) {
        if (r->owned[i] == r->round || r->streamed[i] == r->round) {
            return fail(r, "%s at %" PRId64 " shares sector %" PRId64 " with another owner", what,
                        offset, i);
        }
        r->owned[i] = r->round;
    }
    return true;
}

/* Streams share sectors with one another, but no bytes. */
static bool own_stream(Reader *r, int64_t offset, int64_t bytes)
{
    for (guint i = 0; i < r->n_streams; i++) {
        const Stream *other = &r->streams[i];

        if (offset < other->offset + other->bytes && other->offset < offset + bytes) {
            return fail(r, "streams at %" PRId64 " and %" PRId64 " overlap", offset,
                        other->offset);
        }
    }
    if (r->n_streams < MAX_STREAMS) {
        r->streams[r->n_streams++] = (Stream) { offset, bytes };
    }
    for (int64_t i = offset / SECTOR; i <= (offset + bytes - 1) / SECTOR; i++) {
        if (i >= STATE_SECTORS || r->owned[i] == r->round) {
            return fail(r, "the stream at %" PRId64 " shares sector %" PRId64
                        " with another owner", offset, i);
        }
        r->streamed[i] = r->round;
    }
    return true;
}

/* ---- values ------------------------------------------------------------------------- */

static bool see(Reader *r, uint32_t guest, uint32_t value)
{
    if ((int64_t)guest * SECTOR >= r->size) {
        return true;
    }
    r->mapped[guest] = r->round;
    if (r->values) {
        r->values[guest] = value;
    }
    if (r->learns || oracle_allows(r->o, guest, value, r->size)) {
        return true;
    }
    g_autofree char *allowed = oracle_describe(r->o, guest);

    return fail(r, "guest sector %u reads %#x, allowed: %s", guest, value, allowed);
}

static bool see_plain(Reader *r, uint32_t guest, int64_t offset)
{
    uint32_t n = (uint32_t)(geometry_cluster(r->g) / SECTOR);

    for (uint32_t i = 0; i < n; i++) {
        SectorId id = r->s->ids[offset / SECTOR + i];

        /* zeros of the file are no zeros of an encrypted disk */
        if (!see(r, guest + i, sectors_value(id, guest + i, r->g->aes))) {
            return false;
        }
    }
    return true;
}

static void copy_bytes(const State *s, int64_t offset, int64_t bytes, uint8_t *out)
{
    for (int64_t done = 0, n; done < bytes; done += n) {
        int64_t at = offset + done;

        n = MIN(bytes - done, SECTOR - at % SECTOR);
        memcpy(out + done, sectors_bytes(s->ids[at / SECTOR]) + at % SECTOR, (size_t)n);
    }
}

/* A raw deflate stream with a window of 4096 bytes; more than a cluster is ignored. */
static bool inflate_cluster(const uint8_t *in, int64_t bytes, uint8_t *out, int64_t cluster)
{
    z_stream z = { .next_in = (Bytef *)in, .avail_in = (uInt)bytes, .next_out = out,
                   .avail_out = (uInt)cluster };
    int ret;

    if (inflateInit2(&z, -12) != Z_OK) {
        return false;
    }
    ret = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return z.avail_out == 0 && (ret == Z_STREAM_END || ret == Z_BUF_ERROR || ret == Z_OK);
}

/* The values of each sector of the cluster at @guest. */
static const uint32_t *stream_values(Reader *r, uint32_t guest, int64_t offset, int64_t bytes)
{
    int64_t cluster = geometry_cluster(r->g), there = MIN(bytes, r->s->end - offset);
    uint32_t n = (uint32_t)(cluster / SECTOR);
    g_autofree uint8_t *in = g_malloc((size_t)there + 4);
    g_autofree uint8_t *out = g_malloc((size_t)cluster);
    g_autoptr(GBytes) key = NULL;
    uint32_t *values;
    bool whole;

    be32_store(in, guest);
    copy_bytes(r->s, offset, there, in + 4);
    key = g_bytes_new(in, (gsize)there + 4);
    values = g_hash_table_lookup(r->inflated, key);
    if (values) {
        return values;
    }
    whole = inflate_cluster(in + 4, there, out, cluster);
    values = g_new(uint32_t, n);
    for (uint32_t i = 0; i < n; i++) {
        values[i] = whole ? sectors_value_of(out + i * SECTOR, guest + i) : VALUE_EIO;
    }
    g_hash_table_insert(r->inflated, g_steal_pointer(&key), values);
    return values;
}

static bool see_stream(Reader *r, uint32_t guest, int64_t offset, int64_t bytes)
{
    uint32_t n = (uint32_t)(geometry_cluster(r->g) / SECTOR);
    const uint32_t *values = bytes ? stream_values(r, guest, offset, bytes) : NULL;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t value = values ? values[i] : VALUE_EIO;

        r->unclean |= value == VALUE_EIO;
        if (!see(r, guest + i, value)) {
            return false;
        }
    }
    return true;
}

/* ---- tables ------------------------------------------------------------------------- */

/* An entry that leads past the end: only one that did so when the session began. */
static bool may_dangle(Reader *r, int64_t at, uint64_t entry, const char *what)
{
    r->unclean = true;
    if (state_get64(r->start, at) == entry) {
        return true;
    }
    return fail(r, "%s %#" PRIx64 " at %" PRId64 " leads past the end, %" PRId64, what, entry, at,
                r->s->end);
}

static bool read_stream_entry(Reader *r, uint32_t guest, int64_t at, uint64_t entry)
{
    int bits = 63 - r->g->cluster_bits;
    int64_t offset = (int64_t)(entry & (((uint64_t)1 << bits) - 1));
    int64_t bytes = (int64_t)((entry & ~COMPRESSED) >> bits);

    if (bytes && offset + bytes > r->s->end && !may_dangle(r, at, entry, "stream's entry")) {
        return false;
    }
    if (bytes == 0 || offset >= r->s->end) {
        return see_stream(r, guest, 0, 0);
    }
    return own_stream(r, offset, MIN(bytes, r->s->end - offset))
        && see_stream(r, guest, offset, bytes);
}

static bool read_entry(Reader *r, uint32_t guest, int64_t at, uint64_t entry)
{
    int64_t cluster = geometry_cluster(r->g);

    if (entry & COMPRESSED) {
        return read_stream_entry(r, guest, at, entry);
    }
    if (entry % SECTOR) {
        return fail(r, "entry %#" PRIx64 " at %" PRId64 " is not aligned", entry, at);
    }
    if (entry >= (uint64_t)r->s->end) {
        return may_dangle(r, at, entry, "entry");
    }
    if ((int64_t)entry + cluster > r->s->end && !may_dangle(r, at, entry, "cluster's entry")) {
        return false;
    }
    return own(r, (int64_t)entry, cluster, "the cluster") && see_plain(r, guest, (int64_t)entry);
}

static bool read_table(Reader *r, uint32_t index, int64_t at, uint64_t table)
{
    int64_t bytes = (int64_t)8 << r->g->l2_bits;
    uint32_t sectors = (uint32_t)(geometry_cluster(r->g) / SECTOR);
    uint32_t guest = index * (uint32_t)(geometry_span(r->g) / SECTOR);

    if (table % 8) {
        return fail(r, "table %#" PRIx64 " is not aligned", table);
    }
    if (table >= (uint64_t)r->s->end) {
        return may_dangle(r, at, table, "table");
    }
    if ((int64_t)table + bytes > r->s->end && !may_dangle(r, at, table, "table")) {
        return false;
    }
    if (!own(r, (int64_t)table, bytes, "the table")) {
        return false;
    }
    for (int64_t i = 0; i < bytes; i += 8) {
        int64_t place = (int64_t)table + i;
        uint64_t entry;

        if (place % SECTOR == 0 && r->s->ids[place / SECTOR] == 0) {
            i += SECTOR - 8;                    /* 64 entries of 0 */
            continue;
        }
        entry = state_get64(r->s, place);
        if (entry && !read_entry(r, guest + (uint32_t)(i / 8) * sectors, place, entry)) {
            return false;
        }
    }
    return true;
}

static bool read_l1(Reader *r)
{
    for (uint32_t i = 0; i < r->l1_entries; i++) {
        int64_t at = r->l1_offset + (int64_t)i * 8;
        uint64_t entry;

        if (at % SECTOR == 0 && r->s->ids[at / SECTOR] == 0) {
            i += SECTOR / 8 - 1;
            continue;
        }
        entry = state_get64(r->s, at);
        if (entry && !read_table(r, i, at, entry)) {
            return false;
        }
    }
    return true;
}

/* ---- the header --------------------------------------------------------------------- */

static bool read_header(Reader *r)
{
    const uint8_t *raw = sectors_bytes(r->s->ids[0]);
    int64_t span = geometry_span(r->g);
    uint64_t name = be64_load(raw + 8);
    uint32_t name_bytes = be32_load(raw + 16);

    if (r->s->end < 48 || memcmp(raw, "QFI\xfb\0\0\0\1", 8) || raw[32] != r->g->cluster_bits
        || raw[33] != r->g->l2_bits || be32_load(raw + 36) != (r->g->aes ? 1u : 0u)) {
        return fail(r, "the header is damaged");
    }
    r->size = (int64_t)be64_load(raw + 24);
    r->has_backing = name_bytes > 0;
    r->l1_offset = (int64_t)be64_load(raw + 40);
    if (!r->learns && !oracle_allows_header(r->o, r->size, r->has_backing)) {
        return fail(r, "the header says %" PRId64 " bytes, %s", r->size,
                    r->has_backing ? "a backing file" : "no backing file");
    }
    r->l1_entries = (uint32_t)DIV_ROUND_UP(r->size, span);
    r->owned[0] = r->round;
    if (r->l1_offset < 48 || r->l1_offset % 8
        || r->l1_offset + (int64_t)r->l1_entries * 8 > (int64_t)STATE_SECTORS * SECTOR) {
        return fail(r, "the L1 table at %" PRId64 " is misplaced", r->l1_offset);
    }
    if (r->has_backing) {
        char text[64] = { 0 };

        if (name < 48 || name_bytes >= sizeof(text) || (int64_t)name + name_bytes > r->s->end) {
            return fail(r, "the backing file's name is misplaced");
        }
        copy_bytes(r->s, (int64_t)name, name_bytes, (uint8_t *)text);
        if (strlen(text) != name_bytes || !g_str_has_prefix(text, "base")) {
            return fail(r, "the backing file's name reads '%s'", text);
        }
        if (name >= SECTOR && !own(r, (int64_t)name, name_bytes, "the name")) {
            return false;
        }
    }
    return true;
}

/* Its first sector may be the header's, or the name's. */
static bool own_l1(Reader *r)
{
    int64_t end = r->l1_offset + (int64_t)r->l1_entries * 8;
    int64_t from = ROUND_UP_TO(r->l1_offset, SECTOR);

    return end <= from || own(r, from, end - from, "the L1 table");
}

/* ---- all of it ---------------------------------------------------------------------- */

static bool read_unmapped(Reader *r)
{
    guint n;
    const uint32_t *touched = oracle_touched(r->o, &n);

    for (guint i = 0; i < n; i++) {
        if (r->mapped[touched[i]] != r->round
            && !see(r, touched[i], oracle_unmapped(r->o, touched[i], r->has_backing))) {
            return false;
        }
    }
    return true;
}

static void fill_values(Reader *r)
{
    for (uint32_t i = 0; r->values && i < GUEST_SECTORS && (int64_t)i * SECTOR < r->size; i++) {
        r->values[i] = oracle_unmapped(r->o, i, r->has_backing);
    }
}

char *reader_learn(Reader *r, const State *state, const Oracle *oracle, uint32_t *values)
{
    char *error;

    r->learns = true;
    error = reader_check(r, state, state, oracle, values);
    r->learns = false;
    return error;
}

char *reader_check(Reader *r, const State *state, const State *start, const Oracle *oracle,
                   uint32_t *values)
{
    r->s = state;
    r->start = start;
    r->o = oracle;
    r->values = values;
    r->error = NULL;
    r->unclean = false;
    r->n_streams = 0;
    r->round++;
    if (read_header(r)) {
        fill_values(r);
        if (own_l1(r) && read_l1(r)) {
            read_unmapped(r);
        }
    }
    return g_steal_pointer(&r->error);
}
