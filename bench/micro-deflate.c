/* SPDX-License-Identifier: MIT */
/* Streams of qcow's clusters, and the look that tells noise. */
#include "bench/micro.h"
#include "bench/mixed.h"
#include "block/drivers/qcow/qcow.h"

enum { CLUSTER = 4096, CLUSTERS = 16, SEED = 1 };

typedef void FillFunc(uint8_t *buf, size_t bytes);

typedef struct Deflate {
    QcowState s;                /* of no image: all that is used are its codecs */
    uint8_t clusters[CLUSTERS][CLUSTER];
    uint8_t streams[CLUSTERS][CLUSTER];
    int bytes[CLUSTERS];        /* of each stream */
    uint8_t out[CLUSTER];
} Deflate;

static void *deflate_setup(FillFunc *fill)
{
    Deflate *d = g_new0(Deflate, 1);

    g_mutex_init(&d->s.codec_lock);
    mixed_seed(SEED);
    for (int i = 0; i < CLUSTERS; i++) {
        fill(d->clusters[i], CLUSTER);
        d->bytes[i] = qcow_deflate(&d->s, d->clusters[i], d->streams[i], CLUSTER);
    }
    return d;
}

static void *setup_text(void)
{
    return deflate_setup(mixed_fill_text);
}

static void *setup_records(void)
{
    return deflate_setup(mixed_fill_records);
}

static void *setup_noise(void)
{
    return deflate_setup(mixed_fill_random);
}

static void teardown(void *state)
{
    Deflate *d = state;

    qcow_codecs_free(&d->s);
    g_mutex_clear(&d->s.codec_lock);
    g_free(d);
}

static void run_deflate(void *state, int64_t count)
{
    Deflate *d = state;

    for (int64_t i = 0; i < count; i++) {
        qcow_deflate(&d->s, d->clusters[i % CLUSTERS], d->out, CLUSTER);
    }
}

static void run_inflate(void *state, int64_t count)
{
    Deflate *d = state;

    for (int64_t i = 0; i < count; i++) {
        int n = (int)(i % CLUSTERS);

        g_assert_true(qcow_inflate(&d->s, d->streams[n], d->bytes[n], d->out, CLUSTER) == 0);
    }
}

static void run_look(void *state, int64_t count)
{
    Deflate *d = state;
    int64_t found = 0;

    for (int64_t i = 0; i < count; i++) {
        found += qcow_is_noise(d->clusters[i % CLUSTERS], CLUSTER);
    }
    g_assert_true(found == 0 || found == count);
}

const MicroCase micro_deflate[] = {
    { "deflate: text", 1600, CLUSTER, setup_text, run_deflate, teardown },
    { "deflate: records", 1600, CLUSTER, setup_records, run_deflate, teardown },
    { "deflate: is text noise?", 8000, CLUSTER, setup_text, run_look, teardown },
    { "deflate: is noise noise?", 8000, CLUSTER, setup_noise, run_look, teardown },
    { "inflate: text", 1600, CLUSTER, setup_text, run_inflate, teardown },
    { "inflate: records", 1600, CLUSTER, setup_records, run_inflate, teardown },
    { NULL },
};
