/* SPDX-License-Identifier: MIT */
/*
 * AES-128-CBC of several blocks at once: a processor with AES instructions works on eight of them
 * in the time of one. Encryption must wait for the block before inside a sector, so it takes eight
 * sectors; decryption waits for nothing, and takes eight blocks of one.
 */
#ifndef CRYPTO_CBC_LANES_H
#define CRYPTO_CBC_LANES_H

#include <cairn/macros.h>

#define CBC_LANES 8
#define CBC_LANES_ROUND_KEYS 11

/* Aligned to 16 bytes. */
typedef struct CbcLanesKey {
    uint8_t round[CBC_LANES_ROUND_KEYS][16];            /* in the order of their use */
    uint8_t inverse[CBC_LANES_ROUND_KEYS][16];
} CbcLanesKey;

/* Whether this processor can; if not, the others must not be called. */
bool cbc_lanes_supported(void);
void cbc_lanes_set_key(CbcLanesKey *out, const uint8_t key[16]);

/* CBC_LANES sectors that follow one another, of @bytes (a multiple of 16) each. */
void cbc_lanes_encrypt(const CbcLanesKey *key, const uint8_t (*ivs)[16], const uint8_t *in,
                       uint8_t *out, size_t bytes);

/*
 * @bytes: a multiple of CBC_LANES * 16; @chain: the vector, and the last block of @in afterwards.
 * @in == @out is allowed.
 */
void cbc_lanes_decrypt(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in, uint8_t *out,
                       size_t bytes);

typedef struct CbcLanesOps {
    void (*set_key)(CbcLanesKey *out, const uint8_t key[16]);
    void (*encrypt)(const CbcLanesKey *key, const uint8_t (*ivs)[16], const uint8_t *in,
                    uint8_t *out, size_t bytes);
    void (*decrypt)(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in, uint8_t *out,
                    size_t bytes);
} CbcLanesOps;

/* Whether they do as nettle does, with a key and data of its own. */
bool cbc_lanes_agree(const CbcLanesOps *ops);

#endif
