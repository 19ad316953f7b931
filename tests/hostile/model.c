/* SPDX-License-Identifier: MIT */
/*
 * What the description of the format says of an image: whether it opens, what a check finds, whether
 * all of it can be read. Written for small files and for clarity; shares nothing with the library.
 *
 * Where the description leaves it open (entries behind the disk's end), more than one verdict is
 * allowed.
 */
#include "hostile.h"

#include <string.h>
#include <zlib.h>

#define MODEL_MAX_L1 (((guint64)1 << 31) / 8 - 1)

/* Whose a byte of the file is: a mask. */
enum { OWNER_FIXED = 1, OWNER_TABLE = 2, OWNER_PLAIN = 4, OWNER_STREAM = 8 };

typedef struct Model {
    const guint8 *bytes;
    guint64 end;                /* of the file */
    int cluster_bits;
    guint64 cluster, l2_entries, size, l1, l1_entries;
    guint8 *owners;             /* one a byte of the file */
    gboolean is_corrupt, is_doubtful, is_lost, is_unreadable;
} Model;

/* Bytes past the end of the file are zero. */
static guint64 model_get(const Model *m, guint64 at, int width)
{
    guint64 value = 0;

    for (int i = 0; i < width; i++) {
        value = value << 8 | (at + (guint64)i < m->end ? m->bytes[at + (guint64)i] : 0);
    }
    return value;
}

/* Returns: what the message says, or NULL. */
static const char *model_header(Model *m)
{
    guint64 size = model_get(m, 24, 8), version = model_get(m, 4, 4);
    guint64 cluster_bits = model_get(m, 32, 1), l2_bits = model_get(m, 33, 1), span;

    if (m->end < 48 || model_get(m, 0, 4) != 0x514649fb) {
        return "Image not in qcow format";
    }
    if (version != 1) {
        return "does not support qcow version";
    }
    if (size < 2) {
        return "Image size is too small";
    }
    if (cluster_bits < 9 || cluster_bits > 16) {
        return "Cluster size must be between 512 and 64k";
    }
    if (l2_bits < 6 || l2_bits > 13) {
        return "L2 table size must be between 512 and 64k";
    }
    if (model_get(m, 36, 4) > 1) {
        return "invalid encryption method";
    }
    m->cluster_bits = (int)cluster_bits;
    m->cluster = (guint64)1 << cluster_bits;
    m->l2_entries = (guint64)1 << l2_bits;
    m->size = size / 512 * 512;
    m->l1 = model_get(m, 40, 8);
    span = m->cluster * m->l2_entries;
    m->l1_entries = size / span + (size % span != 0);
    if (m->l1_entries > MODEL_MAX_L1 || size > G_MAXUINT64 - (span - 1)) {
        return "Image too large";
    }
    if (m->l1 < 48 || m->l1 > (guint64)G_MAXINT64 - m->l1_entries * 8 - 48) {
        return "Invalid L1 table offset";
    }
    if (model_get(m, 8, 8) && model_get(m, 16, 4) > m->end - MIN(model_get(m, 8, 8), m->end)) {
        return "The name of the backing file leads past the end";
    }
    return NULL;
}

static void model_own(Model *m, guint64 at, guint64 bytes, guint8 owner)
{
    for (guint64 i = at; i < at + bytes && i < m->end; i++) {
        guint8 both = m->owners[i] | owner;

        m->is_corrupt |= m->owners[i] && both != OWNER_STREAM && both != OWNER_FIXED;
        m->owners[i] = both;
    }
}

static gboolean model_inflates(const Model *m, guint64 at, guint64 bytes)
{
    guint64 there = at < m->end ? MIN(bytes, m->end - at) : 0;
    g_autofree guint8 *out = g_malloc(m->cluster);
    z_stream z = { .next_in = (Bytef *)m->bytes + (there ? at : 0), .avail_in = (uInt)there,
                   .next_out = out, .avail_out = (uInt)m->cluster };

    g_assert(inflateInit2(&z, -12) == Z_OK);
    inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return z.avail_out == 0;
}

static void model_stream(Model *m, guint64 entry)
{
    int offset_bits = 63 - m->cluster_bits;
    guint64 bytes = (entry & ~((guint64)1 << 63)) >> offset_bits;
    guint64 at = entry & (((guint64)1 << offset_bits) - 1);

    if (bytes == 0 || !model_inflates(m, at, bytes)) {
        m->is_corrupt = m->is_unreadable = TRUE;
    }
    model_own(m, at, at < m->end ? bytes : 0, OWNER_STREAM);
}

static void model_entry(Model *m, guint64 guest, guint64 entry)
{
    guint64 needed = MIN(m->cluster, m->size - guest);

    if (entry >> 63) {
        model_stream(m, entry);
    } else if (entry % 512) {
        m->is_corrupt = m->is_unreadable = TRUE;
    } else if (entry >= m->end || entry + needed > m->end) {
        m->is_corrupt = m->is_lost = TRUE;
    }
    if (!(entry >> 63) && entry % 512 == 0) {
        model_own(m, entry, entry < m->end ? m->cluster : 0, OWNER_PLAIN);
    }
}

static void model_table(Model *m, guint64 guest, guint64 at)
{
    if (guest >= m->size) {
        m->is_doubtful = TRUE;          /* behind the disk's end, as an odd size may leave it */
        return;
    }
    if (at >= m->end) {
        m->is_corrupt = m->is_lost = TRUE;
        return;
    }
    m->is_corrupt |= at % 8 != 0;
    m->is_doubtful |= at % 512 != 0;    /* it shares sectors with what it does not overlap */
    if (m->l2_entries * 8 > m->end - at) {
        m->is_corrupt = m->is_lost = TRUE;
    }
    model_own(m, at, m->l2_entries * 8, OWNER_TABLE);
    for (guint64 i = 0; i < m->l2_entries; i++) {
        guint64 entry = model_get(m, at + i * 8, 8);

        if (entry && guest + i * m->cluster < m->size) {
            model_entry(m, guest + i * m->cluster, entry);
        } else if (entry) {
            m->is_doubtful = TRUE;      /* behind the disk's end */
        }
    }
}

/* Whether there is room for a leak: a run of bytes that nothing names. */
static gboolean model_may_leak(const Model *m)
{
    guint64 run = 0, longest = 0;

    for (guint64 i = 0; i < m->end; i++) {
        run = m->owners[i] ? 0 : run + 1;
        longest = MAX(longest, run);
    }
    return longest >= MAX(m->cluster, 4096);
}

static void model_walk(Model *m)
{
    guint64 name = model_get(m, 8, 8), name_bytes = name ? model_get(m, 16, 4) : 0;

    model_own(m, 0, 48, OWNER_FIXED);
    model_own(m, name, MIN(name_bytes, 1023), OWNER_FIXED);
    model_own(m, m->l1, m->l1_entries * 8, OWNER_FIXED);
    if (m->l1_entries * 8 > m->end - MIN(m->l1, m->end)) {
        m->is_corrupt = m->is_lost = TRUE;
    }
    for (guint64 i = 0; i < m->l1_entries && m->l1 + i * 8 < m->end; i++) {
        guint64 table = model_get(m, m->l1 + i * 8, 8);

        if (table) {
            model_table(m, i * m->cluster * m->l2_entries, table);
        }
    }
}

HostileVerdict hostile_model(const GByteArray *image)
{
    Model m = { .bytes = image->data, .end = image->len };
    g_autofree guint8 *owners = g_malloc0(image->len + 1);
    HostileVerdict v = { .refused = model_header(&m) };

    if (v.refused) {
        return v;
    }
    m.owners = owners;
    model_walk(&m);
    v.check = m.is_corrupt ? HOSTILE_CORRUPT : HOSTILE_CLEAN;
    v.check |= m.is_doubtful ? HOSTILE_CLEAN | HOSTILE_CORRUPT : 0;
    v.check |= model_may_leak(&m) && !m.is_corrupt ? HOSTILE_LEAKS : 0;
    v.read = m.is_lost || m.is_unreadable ? HOSTILE_READ_FAILS : HOSTILE_READS;
    return v;
}
