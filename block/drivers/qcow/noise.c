/* SPDX-License-Identifier: MIT */
/* Clusters that are not worth deflating: noise takes as long as text, and gives nothing. */
#include "block/drivers/qcow/qcow.h"

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
