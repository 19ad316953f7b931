/* SPDX-License-Identifier: MIT */
/*
 * One cluster to a raw deflate stream and back (window of 4096 bytes, no zlib header). Streams'
 * states are made once and used again; what an image says decides neither memory nor time beyond
 * one cluster.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

#define QCOW_WINDOW_BITS (-12)

static z_stream *stream_take(QcowState *s, GSList **pool)
{
    z_stream *z = NULL;

    g_mutex_lock(&s->stream_lock);
    if (*pool) {
        z = (*pool)->data;
        *pool = g_slist_delete_link(*pool, *pool);
    }
    g_mutex_unlock(&s->stream_lock);
    return z;
}

static void stream_give(QcowState *s, GSList **pool, z_stream *z)
{
    g_mutex_lock(&s->stream_lock);
    *pool = g_slist_prepend(*pool, z);
    g_mutex_unlock(&s->stream_lock);
}

static z_stream *inflater_get(QcowState *s)
{
    z_stream *z = stream_take(s, &s->inflaters);

    if (z) {
        inflateReset(z);
        return z;
    }
    z = g_new0(z_stream, 1);
    if (inflateInit2(z, QCOW_WINDOW_BITS) != Z_OK) {
        g_free(z);
        return NULL;
    }
    return z;
}

int qcow_inflate(QcowState *s, const uint8_t *in, size_t in_bytes, uint8_t *out,
                 size_t cluster_size)
{
    z_stream *z = inflater_get(s);
    bool is_full;

    if (!z) {
        return -ENOMEM;
    }
    z->next_in = (Bytef *)in;
    z->avail_in = (uInt)in_bytes;
    z->next_out = out;
    z->avail_out = (uInt)cluster_size;
    inflate(z, Z_FINISH);               /* a stream that holds more ends here just the same */
    is_full = z->avail_out == 0;
    stream_give(s, &s->inflaters, z);
    return is_full ? 0 : -EIO;
}

static z_stream *deflater_get(QcowState *s)
{
    z_stream *z = stream_take(s, &s->deflaters);

    if (z) {
        deflateReset(z);
        return z;
    }
    z = g_new0(z_stream, 1);
    if (deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, QCOW_WINDOW_BITS, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        g_free(z);
        return NULL;
    }
    return z;
}

/* ---- what is not worth trying ---- */

#define PROBE_BYTES 4096                /* looked at together: the window */
#define PROBE_MAX_MATCHES (PROBE_BYTES / 64)

/*
 * Whether all bytes are about equally frequent: for random ones the sum of the squares of their 256
 * counts is n + n * n / 256 on average. What has less than 8 bits a byte in it shows more.
 */
static bool probe_is_flat(const uint8_t *in, size_t n)
{
    uint32_t counts[256] = { 0 };
    uint64_t squares = 0;

    for (size_t i = 0; i < n; i++) {
        counts[in[i]]++;
    }
    for (int i = 0; i < 256; i++) {
        squares += (uint64_t)counts[i] * counts[i];
    }
    return squares < (n + n * n / 256) * 17 / 16;
}

/* Whether hardly any four bytes come twice. */
static bool probe_has_no_matches(const uint8_t *in, size_t n)
{
    uint16_t last[1024] = { 0 };        /* by hash: position + 1 */
    int matches = 0;

    for (size_t i = 0; i + 4 <= n; i++) {
        uint32_t four = be32_load(in + i);
        uint32_t hash = (four * 2654435761u) >> 22;

        matches += last[hash] && be32_load(in + last[hash] - 1) == four;
        last[hash] = (uint16_t)(i + 1);
    }
    return matches <= PROBE_MAX_MATCHES;
}

/* Deflating noise takes as long as deflating text, and gives nothing. */
static bool probe_is_noise(const uint8_t *in, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PROBE_BYTES) {
        size_t n = MIN(bytes - at, PROBE_BYTES);

        if (!probe_is_flat(in + at, n) || !probe_has_no_matches(in + at, n)) {
            return false;
        }
    }
    return true;
}

int qcow_deflate(QcowState *s, const uint8_t *in, uint8_t *out, size_t cluster_size)
{
    z_stream *z;
    int ret;

    if (probe_is_noise(in, cluster_size)) {
        return 0;
    }
    z = deflater_get(s);
    if (!z) {
        return -ENOMEM;
    }
    z->next_in = (Bytef *)in;
    z->avail_in = (uInt)cluster_size;
    z->next_out = out;
    z->avail_out = (uInt)cluster_size - 1;
    ret = deflate(z, Z_FINISH) == Z_STREAM_END ? (int)(cluster_size - 1 - z->avail_out) : 0;
    stream_give(s, &s->deflaters, z);
    return ret;
}

static void inflater_free(gpointer z)
{
    inflateEnd(z);
    g_free(z);
}

static void deflater_free(gpointer z)
{
    deflateEnd(z);
    g_free(z);
}

void qcow_streams_free(QcowState *s)
{
    g_slist_free_full(g_steal_pointer(&s->inflaters), inflater_free);
    g_slist_free_full(g_steal_pointer(&s->deflaters), deflater_free);
}
