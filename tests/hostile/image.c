/* SPDX-License-Identifier: MIT */
/* Images byte by byte, from the format's description. */
#include "hostile.h"

#include <string.h>
#include <zlib.h>

void hostile_put(GByteArray *bytes, gint64 at, int width, guint64 value)
{
    g_assert(at >= 0 && at + width <= bytes->len);
    for (int i = 0; i < width; i++) {
        bytes->data[at + i] = (guint8)(value >> (8 * (width - 1 - i)));
    }
}

void hostile_put_header(GByteArray *bytes, int cluster_bits, int l2_bits, guint64 size, gint64 l1)
{
    hostile_put(bytes, 0, 4, 0x514649fb);
    hostile_put(bytes, 4, 4, 1);
    hostile_put(bytes, 24, 8, size);
    hostile_put(bytes, 32, 1, (guint64)cluster_bits);
    hostile_put(bytes, 33, 1, (guint64)l2_bits);
    hostile_put(bytes, 40, 8, (guint64)l1);
}

GByteArray *hostile_zeros(gint64 length)
{
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_set_size(bytes, (guint)length);
    memset(bytes->data, 0, bytes->len);
    return bytes;
}

gint64 hostile_add_stream(GByteArray *bytes, gint64 cluster)
{
    g_autofree guint8 *plain = g_malloc((gsize)cluster), *packed = g_malloc((gsize)cluster);
    z_stream z = { .next_in = plain, .avail_in = (uInt)cluster, .next_out = packed,
                   .avail_out = (uInt)cluster };

    for (gint64 i = 0; i < cluster; i++) {
        plain[i] = (guint8)("stream"[i % 6] + i / 251);
    }
    g_assert(deflateInit2(&z, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY) == Z_OK);
    g_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    g_byte_array_append(bytes, packed, (guint)(cluster - z.avail_out));
    return cluster - z.avail_out;
}

static gint64 image_round_up(gint64 value, gint64 unit)
{
    return (value + unit - 1) / unit * unit;
}

void hostile_image_init(HostileImage *image, int cluster_bits, int l2_bits, gboolean has_backing)
{
    HostileImage m = { .cluster_bits = cluster_bits, .l2_bits = l2_bits,
                       .cluster = (gint64)1 << cluster_bits, .l2_bytes = (gint64)8 << l2_bits,
                       .l1 = 512 };
    guint64 span = (guint64)m.cluster << l2_bits;

    m.tables[0] = image_round_up(1024, m.cluster);
    m.tables[1] = image_round_up(m.tables[0] + m.l2_bytes, m.cluster);
    m.data[0] = image_round_up(m.tables[1] + m.l2_bytes, m.cluster);
    m.data[1] = m.data[0] + m.cluster;
    m.stream = m.data[1] + m.cluster;
    m.bytes = hostile_zeros(m.stream);
    hostile_put_header(m.bytes, cluster_bits, l2_bits, (HOSTILE_L1_ENTRIES - 1) * span + 512, m.l1);
    if (has_backing) {
        hostile_put(m.bytes, 8, 8, 56);
        hostile_put(m.bytes, 16, 4, 8);
        memcpy(m.bytes->data + 48, "CBF1\3rawbase.raw", 16);
    }
    for (int i = 0; i < 2; i++) {
        hostile_put(m.bytes, m.l1 + i * 8, 8, (guint64)m.tables[i]);
        hostile_put(m.bytes, m.tables[i], 8, (guint64)m.data[i]);
        memset(m.bytes->data + m.data[i], 0x11 + i, (size_t)m.cluster);
    }
    m.stream_bytes = hostile_add_stream(m.bytes, m.cluster);
    hostile_put(m.bytes, m.tables[0] + 16, 8,
                (guint64)1 << 63 | (guint64)m.stream_bytes << (63 - cluster_bits)
                | (guint64)m.stream);
    *image = m;
}

void hostile_image_clear(HostileImage *image)
{
    g_clear_pointer(&image->bytes, g_byte_array_unref);
}

GByteArray *hostile_overlay(const void *name, size_t name_bytes, const char *format)
{
    size_t record = format ? 5 + strlen(format) : 0;
    gint64 l1 = image_round_up((gint64)(48 + record + name_bytes), 8);
    GByteArray *bytes = hostile_zeros(image_round_up(l1 + 2 * 8, 512));

    hostile_put_header(bytes, 9, 6, 65536, l1);
    hostile_put(bytes, 8, 8, 48 + record);
    hostile_put(bytes, 16, 4, name_bytes);
    if (format) {
        memcpy(bytes->data + 48, "CBF1", 4);
        bytes->data[52] = (guint8)strlen(format);
        memcpy(bytes->data + 53, format, strlen(format));
    }
    memcpy(bytes->data + 48 + record, name, name_bytes);
    return bytes;
}
