/* SPDX-License-Identifier: MIT */
/*
 * Clusters that are not worth deflating: noise takes as long as text, and gives nothing. A look at a
 * part of their bytes is enough, so that it takes a tenth of what it saves. Both tests must pass.
 */
#include "block/drivers/qcow/qcow.h"

#include <string.h>

#define PROBE_BYTES 4096                /* looked at together: the window */
#define PROBE_GROUPS 16
#define PROBE_PIECE 64                  /* of a group: the most that is counted */
#define PROBE_HASH_BITS 10
#define PROBE_CHOSEN 32                 /* of 256 values: one place in eight */
#define PROBE_MAX_MATCHES (PROBE_BYTES / 64 / 8)

/*
 * Whether all bytes are about equally frequent: for random ones the sum of the squares of their 256
 * counts is n + n * n / 256 on average. What has less than 8 bits a byte in it shows more. One piece
 * of each group is counted, in turn another one, so that all parts of records are seen.
 */
static bool probe_is_flat(const uint8_t *in, size_t bytes)
{
    static const uint8_t turns[PROBE_GROUPS] = { 0, 1, 2, 3, 1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2 };
    size_t group = bytes / PROBE_GROUPS, piece = MIN(group, PROBE_PIECE);
    uint16_t counts[4][256] = { { 0 } };    /* neighbours in different ones: they do not wait */
    uint32_t squares = 0, n = (uint32_t)(PROBE_GROUPS * piece);

    for (size_t k = 0; k < PROBE_GROUPS; k++) {
        const uint8_t *at = in + k * group + turns[k] * piece % group;

        for (size_t i = 0; i < piece; i++) {
            counts[i % 4][at[i]]++;
        }
    }
    for (int i = 0; i < 256; i++) {
        uint32_t count = counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i];

        squares += count * count;
    }
    return squares < (n + n * n / 256) * 17 / 16;
}

/*
 * Whether hardly any four bytes come twice. Only such are looked at as begin with one of some
 * values: whatever comes again is looked at in the same places.
 */
static bool probe_has_no_matches(const uint8_t *in, size_t bytes)
{
    uint16_t places[PROBE_BYTES], hashes[PROBE_BYTES], last[1 << PROBE_HASH_BITS];
    size_t n = 0;
    int matches = 0;

    for (size_t i = 0; i + 4 <= bytes; i++) {
        places[n] = (uint16_t)i;
        n += in[i] < PROBE_CHOSEN;      /* no branch: nobody could foretell it */
    }
    for (size_t i = 0; i < n; i++) {
        hashes[i] = (be32_load(in + places[i]) * 2654435761u) >> (32 - PROBE_HASH_BITS);
        last[hashes[i]] = places[i];
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t other = last[hashes[i]];

        matches += (other != places[i]) & (memcmp(in + other, in + places[i], 4) == 0);
    }
    return matches <= PROBE_MAX_MATCHES;
}

bool qcow_is_noise(const uint8_t *in, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += PROBE_BYTES) {
        size_t n = MIN(bytes - at, PROBE_BYTES);

        if (!probe_is_flat(in + at, n) || !probe_has_no_matches(in + at, n)) {
            return false;
        }
    }
    return true;
}
