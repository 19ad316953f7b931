/* SPDX-License-Identifier: MIT */
/* Headers, and files that end too early. */
#include "hostile.h"

#include <string.h>

/* Small, usual, of large tables, largest. */
static const struct {
    int cluster_bits, l2_bits;
} geometries[] = { { 9, 6 }, { 12, 9 }, { 9, 12 }, { 16, 13 } };

static void header_try(HostileRunner *r, const char *name, const GByteArray *image)
{
    HostileVerdict verdict = hostile_model(image);

    hostile_try_image(r, name, "-f qcow", image, &verdict);
}

/* Valid ones have an image to go with them, and one that goes with another. */
void hostile_headers(HostileRunner *r)
{
    for (int cluster_bits = 0; cluster_bits < 256; cluster_bits++) {
        for (int l2_bits = 0; l2_bits < 256; l2_bits++) {
            gboolean is_near = cluster_bits <= 20 && l2_bits <= 20;
            g_auto(HostileImage) image = { 0 };
            g_autofree char *name = NULL;

            if (hostile_wants(r, is_near ? 1 : 293, &name, "headers/%dx%d", cluster_bits,
                              l2_bits)) {
                hostile_image_init(&image, 9, 6, TRUE);
                hostile_put(image.bytes, 32, 1, (guint64)cluster_bits);
                hostile_put(image.bytes, 33, 1, (guint64)l2_bits);
                header_try(r, name, image.bytes);
            }
        }
    }
}

void hostile_sizes(HostileRunner *r)
{
    static const int deltas[] = { -512, -1, 0, 1, 512 };

    for (size_t g = 0; g < G_N_ELEMENTS(geometries); g++) {
        for (int i = 0; i < 64 * 5; i++) {
            guint64 size = ((guint64)1 << i / 5) + (guint64)deltas[i % 5];
            g_auto(HostileImage) image = { 0 };
            g_autofree char *name = NULL;

            if (hostile_wants(r, g < 2 ? 1 : 3, &name, "sizes/%dx%d/2^%d%+d",
                              geometries[g].cluster_bits, geometries[g].l2_bits, i / 5,
                              deltas[i % 5])) {
                hostile_image_init(&image, geometries[g].cluster_bits, geometries[g].l2_bits,
                                   TRUE);
                hostile_put(image.bytes, 24, 8, size);
                header_try(r, name, image.bytes);
            }
        }
    }
}

static const struct {
    const char *name;
    int at, width;
} header_fields[] = {
    { "magic", 0, 4 }, { "version", 4, 4 }, { "backing-offset", 8, 8 }, { "backing-bytes", 16, 4 },
    { "mtime", 20, 4 }, { "size", 24, 8 }, { "cluster-bits", 32, 1 }, { "l2-bits", 33, 1 },
    { "padding", 34, 2 }, { "crypt", 36, 4 }, { "l1-offset", 40, 8 },
};

/* Of 64: small numbers, those around the file's places and its end, powers of two, all ones. */
static guint64 edge_value(int i, const HostileImage *image)
{
    const guint64 end = image->bytes->len;
    const guint64 places[] = {
        0, 1, 2, 3, 4, 7, 8, 9, 12, 16, 47, 48, 49, 56, 63, 64, 511, 512, 513, 1022, 1023, 1024,
        1025, (guint64)image->tables[0], (guint64)image->data[0], (guint64)image->stream, end - 512,
        end - 1, end, end + 1, end + 512, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, (guint64)1 << 40, ((guint64)1 << 54) - 512, (guint64)1 << 61,
        (guint64)1 << 62, G_MAXINT64 - 4095, G_MAXINT64 - 1023, G_MAXINT64 - 511, G_MAXINT64 - 48,
        G_MAXINT64 - 7, G_MAXINT64 - 1, G_MAXINT64, (guint64)1 << 63, G_MAXUINT64 - 1023,
        G_MAXUINT64 - 511, G_MAXUINT64 - 48, G_MAXUINT64 - 7, G_MAXUINT64 - 1, G_MAXUINT64, 0x101,
        0x1000001, 0x51464900, 0xfb494651, 0x02000000, 0x5a5a5a5a5a5a5a5a, 0x0102030405060708, 5,
    };

    G_STATIC_ASSERT(G_N_ELEMENTS(places) == 64);
    return places[i];
}

/* Elsewhere, or shorter, the name is that of no file; behind it stand zeros. */
static void fields_expect_chain(HostileVerdict *v, int at, guint64 value)
{
    if (at == 8 && value > G_MAXINT64 - 1023) {
        v->refused = "Invalid backing file name offset";
    } else if (at == 16 && value > 1023) {
        v->refused = "Backing file name too long";
    } else if ((at == 8 && value != 56) || (at == 16 && value < 8)) {
        v->chain = value ? "" : NULL;
    }
}

static void fields_try(HostileRunner *r, const char *name, HostileImage *image, size_t field,
                       guint64 value)
{
    const int at = header_fields[field].at, width = header_fields[field].width;
    HostileVerdict verdict;

    value &= width == 8 ? G_MAXUINT64 : ((guint64)1 << 8 * width) - 1;
    hostile_put(image->bytes, at, width, value);
    verdict = hostile_model(image->bytes);
    fields_expect_chain(&verdict, at, value);
    if (at == 36 && value == 1) {
        verdict.chain = "encrypt.key-secret";
    }
    hostile_try_image(r, name, "-f qcow", image->bytes, &verdict);
}

void hostile_fields(HostileRunner *r)
{
    for (size_t field = 0; field < G_N_ELEMENTS(header_fields); field++) {
        for (int i = 0; i < 64; i++) {
            g_auto(HostileImage) image = { 0 };
            g_autofree char *name = NULL;

            if (hostile_wants(r, 1, &name, "fields/%s/%d", header_fields[field].name, i)) {
                hostile_image_init(&image, 9, 6, TRUE);
                fields_try(r, name, &image, field, edge_value(i, &image));
            }
        }
    }
}

/* ---- cuts ---- */

/* The rest of the disk is where the backing file, or its end, is read; the model says what is lost. */
static void cuts_try(HostileRunner *r, const char *name, HostileImage *image, gint64 length)
{
    HostileVerdict verdict;

    g_byte_array_set_size(image->bytes, (guint)length);
    verdict = hostile_model(image->bytes);
    hostile_try_image(r, name, "-f qcow", image->bytes, &verdict);
}

static gboolean cuts_is_wanted(HostileRunner *r, int geometry, gint64 length, char **name)
{
    return hostile_wants(r, length < 1024 && length % 8 ? 5 : 1, name, "cuts/%dx%d/%" G_GINT64_FORMAT,
                         geometries[geometry].cluster_bits, geometries[geometry].l2_bits, length);
}

/* Each length up to 1 KiB, and around all that stands in the file. */
static gboolean cuts_is_edge(const HostileImage *image, gint64 length)
{
    static const gint64 around[] = { -512, -511, -9, -8, -7, -1, 0, 1, 7, 8, 9, 511, 512, 513 };
    const gint64 places[] = {
        image->tables[0], image->tables[0] + image->l2_bytes, image->tables[1],
        image->tables[1] + image->l2_bytes, image->data[0], image->data[1], image->stream,
        image->stream + image->stream_bytes,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(places) * G_N_ELEMENTS(around); i++) {
        if (length == places[i / G_N_ELEMENTS(around)] + around[i % G_N_ELEMENTS(around)]) {
            return TRUE;
        }
    }
    return length <= 1024;
}

void hostile_cuts(HostileRunner *r)
{
    for (int g = 0; g < (int)G_N_ELEMENTS(geometries); g++) {
        g_auto(HostileImage) whole = { 0 };

        hostile_image_init(&whole, geometries[g].cluster_bits, geometries[g].l2_bits, TRUE);
        for (gint64 length = 0; length <= whole.bytes->len; length++) {
            g_auto(HostileImage) image = { 0 };
            g_autofree char *name = NULL;

            /* What stands in the first 1 KiB is the same in all. */
            if ((g > 0 && length < 512) || !cuts_is_edge(&whole, length)
                || !cuts_is_wanted(r, g, length, &name)) {
                continue;
            }
            hostile_image_init(&image, whole.cluster_bits, whole.l2_bits, TRUE);
            cuts_try(r, name, &image, length);
        }
    }
}
