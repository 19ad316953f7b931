/* SPDX-License-Identifier: MIT */
/*
 * What the program that is killed tells the one that checks, and the bytes that it writes: each
 * sector names its place and the request that wrote it, so foreign bytes show.
 */
#ifndef TESTS_KILL_LOAD_H
#define TESTS_KILL_LOAD_H

#include <glib.h>
#include <string.h>

enum {
    LOAD_SECTOR = 512,
    LOAD_BYTES = 8 << 20,               /* of the image */
    LOAD_SECTORS = LOAD_BYTES / LOAD_SECTOR,
    LOAD_BACKING = 1,                   /* the number that the backing file's sectors bear */
};

typedef enum LoadKind { LOAD_WRITE, LOAD_ZERO, LOAD_DISCARD, LOAD_FLUSH } LoadKind;

/* One message, whole or not sent: before the request is made, and when it has succeeded. */
typedef struct LoadMessage {
    guint32 number;                     /* of the request, ascending, > LOAD_BACKING */
    guint8 kind;                        /* LoadKind */
    guint8 is_end;
    guint8 is_durable;                  /* FUA */
    guint8 unused;
    guint32 sector, count;
} LoadMessage;

/* Half of the requests write what does not compress. */
static inline void load_fill(guint8 out[LOAD_SECTOR], guint32 sector, guint32 number)
{
    guint64 word = (guint64)sector << 32 | number;

    for (int i = 0; i < LOAD_SECTOR; i += 8) {
        memcpy(out + i, &word, 8);
        if (number % 2) {
            word = word * 6364136223846793005u + 1442695040888963407u;
        }
    }
}

/* Returns: the number, 0 for zeros, or -1: nobody wrote these bytes there. */
static inline gint64 load_number(const guint8 in[LOAD_SECTOR], guint32 sector)
{
    guint8 expected[LOAD_SECTOR] = { 0 };
    guint64 word;

    if (!memcmp(in, expected, LOAD_SECTOR)) {
        return 0;
    }
    memcpy(&word, in, 8);
    load_fill(expected, sector, (guint32)word);
    return word >> 32 == sector && !memcmp(in, expected, LOAD_SECTOR) ? (gint64)(guint32)word : -1;
}

#endif
