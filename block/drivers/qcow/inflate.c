/* SPDX-License-Identifier: MIT */
/*
 * One cluster to a raw deflate stream and back (window of 4096 bytes, no zlib header). Streams' states are made once and
 * used again; what an image says decides neither memory nor time beyond one cluster.
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

int qcow_deflate(QcowState *s, const uint8_t *in, uint8_t *out, size_t cluster_size)
{
    z_stream *z = deflater_get(s);
    int ret;

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
