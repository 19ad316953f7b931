/* SPDX-License-Identifier: MIT */
/*
 * One cluster to a raw deflate stream and back (window of 4096 bytes, no zlib header).
 *
 * 1. The codecs are made once and used again; what an image says decides neither memory nor time
 *    beyond one cluster.
 * 2. Where libdeflate is built in it goes first. It has no window to choose, so it deflates only
 *    clusters in which no distance can be longer than readers allow.
 * 3. What a stream is worth, zlib says: libdeflate takes only streams that end with their cluster,
 *    so all others go to zlib.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <zlib.h>
#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

#define CODEC_WINDOW_BITS 12
/* Streams three in a hundred longer than those of level 3 (about zlib's default), in 0.6 times its time. */
#define CODEC_FAST_LEVEL 1

/* Of one direction; each half is made when first needed. */
struct QcowCodec {
    QcowCodec *next;            /* in its pool */
    z_stream z;
    bool has_z;
#ifdef HAVE_LIBDEFLATE
    struct libdeflate_compressor *fast_deflater;
    struct libdeflate_decompressor *fast_inflater;
#endif
};

static QcowCodec *codec_take(QcowState *s, QcowCodec **pool)
{
    QcowCodec *c;

    g_mutex_lock(&s->codec_lock);
    c = *pool;
    if (c) {
        *pool = c->next;
    }
    g_mutex_unlock(&s->codec_lock);
    return c ? c : g_new0(QcowCodec, 1);
}

static void codec_give(QcowState *s, QcowCodec **pool, QcowCodec *c)
{
    g_mutex_lock(&s->codec_lock);
    c->next = *pool;
    *pool = c;
    g_mutex_unlock(&s->codec_lock);
}

/* ---- inflating ---- */

#ifdef HAVE_LIBDEFLATE
static bool inflate_fast(QcowCodec *c, const uint8_t *in, size_t in_bytes, uint8_t *out,
                         size_t cluster_size)
{
    size_t used;

    if (!c->fast_inflater) {
        c->fast_inflater = libdeflate_alloc_decompressor();
    }
    /* Without a place for the length only exactly so many bytes are a success. */
    return c->fast_inflater &&
           libdeflate_deflate_decompress_ex(c->fast_inflater, in, in_bytes, out, cluster_size,
                                            &used, NULL) == LIBDEFLATE_SUCCESS;
}
#else
static bool inflate_fast(QcowCodec *c, const uint8_t *in, size_t in_bytes, uint8_t *out,
                         size_t cluster_size)
{
    return false;
}
#endif

static int inflate_zlib(QcowCodec *c, const uint8_t *in, size_t in_bytes, uint8_t *out,
                        size_t cluster_size)
{
    if (!c->has_z && inflateInit2(&c->z, -CODEC_WINDOW_BITS) != Z_OK) {
        return -ENOMEM;
    }
    c->has_z = true;
    inflateReset(&c->z);
    c->z.next_in = (Bytef *)in;
    c->z.avail_in = (uInt)in_bytes;
    c->z.next_out = out;
    c->z.avail_out = (uInt)cluster_size;
    inflate(&c->z, Z_FINISH);           /* a stream that holds more ends here just the same */
    return c->z.avail_out == 0 ? 0 : -EIO;
}

int qcow_inflate(QcowState *s, const uint8_t *in, size_t in_bytes, uint8_t *out,
                 size_t cluster_size)
{
    QcowCodec *c = codec_take(s, &s->inflaters);
    int ret = inflate_fast(c, in, in_bytes, out, cluster_size)
        ? 0 : inflate_zlib(c, in, in_bytes, out, cluster_size);

    codec_give(s, &s->inflaters, c);
    return ret;
}

/* ---- deflating ---- */

#ifdef HAVE_LIBDEFLATE
static bool deflate_fast(QcowCodec *c, const uint8_t *in, uint8_t *out, size_t cluster_size,
                         int *bytes)
{
    if (cluster_size > (size_t)1 << CODEC_WINDOW_BITS) {
        return false;
    }
    if (!c->fast_deflater) {
        c->fast_deflater = libdeflate_alloc_compressor(CODEC_FAST_LEVEL);
    }
    if (!c->fast_deflater) {
        return false;
    }
    *bytes = (int)libdeflate_deflate_compress(c->fast_deflater, in, cluster_size, out,
                                              cluster_size - 1);
    return true;
}
#else
static bool deflate_fast(QcowCodec *c, const uint8_t *in, uint8_t *out, size_t cluster_size,
                         int *bytes)
{
    return false;
}
#endif

static int deflate_zlib(QcowCodec *c, const uint8_t *in, uint8_t *out, size_t cluster_size)
{
    if (!c->has_z && deflateInit2(&c->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -CODEC_WINDOW_BITS, 9,
                                  Z_DEFAULT_STRATEGY) != Z_OK) {
        return -ENOMEM;
    }
    c->has_z = true;
    deflateReset(&c->z);
    c->z.next_in = (Bytef *)in;
    c->z.avail_in = (uInt)cluster_size;
    c->z.next_out = out;
    c->z.avail_out = (uInt)cluster_size - 1;
    return deflate(&c->z, Z_FINISH) == Z_STREAM_END ? (int)(cluster_size - 1 - c->z.avail_out) : 0;
}

int qcow_deflate(QcowState *s, const uint8_t *in, uint8_t *out, size_t cluster_size)
{
    QcowCodec *c;
    int bytes;

    if (qcow_is_noise(in, cluster_size)) {
        return 0;
    }
    c = codec_take(s, &s->deflaters);
    if (!deflate_fast(c, in, out, cluster_size, &bytes)) {
        bytes = deflate_zlib(c, in, out, cluster_size);
    }
    codec_give(s, &s->deflaters, c);
    return bytes;
}

/* ---- the end ---- */

static void codec_free(QcowCodec *c, int (*end_z)(z_stream *z))
{
    if (c->has_z) {
        end_z(&c->z);
    }
#ifdef HAVE_LIBDEFLATE
    if (c->fast_deflater) {
        libdeflate_free_compressor(c->fast_deflater);
    }
    if (c->fast_inflater) {
        libdeflate_free_decompressor(c->fast_inflater);
    }
#endif
    g_free(c);
}

static void codecs_free(QcowCodec **pool, int (*end_z)(z_stream *z))
{
    while (*pool) {
        QcowCodec *c = *pool;

        *pool = c->next;
        codec_free(c, end_z);
    }
}

void qcow_codecs_free(QcowState *s)
{
    codecs_free(&s->inflaters, inflateEnd);
    codecs_free(&s->deflaters, deflateEnd);
}
