/* SPDX-License-Identifier: MIT */
/*
 * A cluster's stream from hostile bytes: whatever inflates to a whole cluster does so again once
 * deflated, and nothing is written behind the cluster. The first byte chooses its size.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#include "block/drivers/qcow/qcow.h"

#define GUARD_BYTES 64

static void check_round_trip(QcowState *s, const uint8_t *cluster, size_t cluster_size)
{
    g_autofree uint8_t *stream = g_malloc(cluster_size), *again = g_malloc(cluster_size);
    int bytes = qcow_deflate(s, cluster, stream, cluster_size);

    g_assert_cmpint(bytes, >=, 0);
    g_assert_cmpint(bytes, <, (int)cluster_size);
    if (bytes > 0) {
        g_assert_cmpint(qcow_inflate(s, stream, (size_t)bytes, again, cluster_size), ==, 0);
        g_assert_cmpmem(again, cluster_size, cluster, cluster_size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    QcowState s = { 0 };
    size_t cluster_size = bytes ? (size_t)1 << (QCOW_MIN_CLUSTER_BITS + data[0] % 8) : 512;
    g_autofree uint8_t *out = g_malloc(cluster_size + GUARD_BYTES);
    int ret;

    g_mutex_init(&s.codec_lock);
    memset(out, 0xa5, cluster_size + GUARD_BYTES);
    ret = qcow_inflate(&s, data + (bytes > 0), bytes - (bytes > 0), out, cluster_size);
    g_assert_true(ret == 0 || ret == -EIO);
    for (size_t i = 0; i < GUARD_BYTES; i++) {
        g_assert_cmpint(out[cluster_size + i], ==, 0xa5);
    }
    if (ret == 0) {
        check_round_trip(&s, out, cluster_size);
    }
    qcow_codecs_free(&s);
    g_mutex_clear(&s.codec_lock);
    return 0;
}
