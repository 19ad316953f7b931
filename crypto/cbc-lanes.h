/* SPDX-License-Identifier: MIT */
/*
 * AES-128-CBC encryption of several sectors at once. Inside a sector each block waits for the one
 * before it; sectors do not wait for each other, so a processor with AES instructions works on
 * eight of them in the time of one.
 */
#ifndef CRYPTO_CBC_LANES_H
#define CRYPTO_CBC_LANES_H

#include <cairn/macros.h>

#define CBC_LANES 8
#define CBC_LANES_ROUND_KEYS 11

typedef struct CbcLanesKey {
    uint8_t round[CBC_LANES_ROUND_KEYS][16];
} CbcLanesKey;

/* Whether this processor can; if not, the other two must not be called. */
bool cbc_lanes_supported(void);
void cbc_lanes_set_key(CbcLanesKey *out, const uint8_t key[16]);

/* CBC_LANES sectors that follow one another, of @bytes (a multiple of 16) each. */
void cbc_lanes_encrypt(const CbcLanesKey *key, const uint8_t (*ivs)[16], const uint8_t *in,
                       uint8_t *out, size_t bytes);

#endif
