/* SPDX-License-Identifier: MIT */
/*
 * CBC in lanes with the AES instructions of x86-64; elsewhere it says that it cannot.
 * Source: NIST FIPS 197 (key expansion), Intel's description of AESENC and AESKEYGENASSIST.
 */
#include "crypto/cbc-lanes.h"

#ifdef __x86_64__

#include <immintrin.h>

#define CBC_TARGET __attribute__((target("aes,sse2")))
/* So that the lanes are registers, also without -O3; gcc and clang both know the gcc spelling. */
#define CBC_EACH_LANE(i) _Pragma("GCC unroll 8") for (int i = 0; i < CBC_LANES; i++)

bool cbc_lanes_supported(void)
{
    return __builtin_cpu_supports("aes");
}

/* The next round key of @prev; @assist: AESKEYGENASSIST of it. */
CBC_TARGET static __m128i cbc_next_key(__m128i prev, __m128i assist)
{
    assist = _mm_shuffle_epi32(assist, 0xff);
    prev = _mm_xor_si128(prev, _mm_slli_si128(prev, 4));
    prev = _mm_xor_si128(prev, _mm_slli_si128(prev, 8));
    return _mm_xor_si128(prev, assist);
}

/* The round constant must be an immediate. */
#define CBC_EXPAND(i, rcon)                                                  \
    do {                                                                     \
        k = cbc_next_key(k, _mm_aeskeygenassist_si128(k, rcon));             \
        _mm_storeu_si128((__m128i *)out->round[i], k);                       \
    } while (0)

/* For AESDEC: the other way round, and with the columns mixed but for the first and the last. */
CBC_TARGET static void cbc_invert_key(CbcLanesKey *key)
{
    const __m128i *round = (const __m128i *)key->round;
    __m128i *inverse = (__m128i *)key->inverse;

    inverse[0] = round[CBC_LANES_ROUND_KEYS - 1];
    for (int i = 1; i < CBC_LANES_ROUND_KEYS - 1; i++) {
        inverse[i] = _mm_aesimc_si128(round[CBC_LANES_ROUND_KEYS - 1 - i]);
    }
    inverse[CBC_LANES_ROUND_KEYS - 1] = round[0];
}

CBC_TARGET void cbc_lanes_set_key(CbcLanesKey *out, const uint8_t key[16])
{
    __m128i k = _mm_loadu_si128((const __m128i *)key);

    _mm_storeu_si128((__m128i *)out->round[0], k);
    CBC_EXPAND(1, 0x01);
    CBC_EXPAND(2, 0x02);
    CBC_EXPAND(3, 0x04);
    CBC_EXPAND(4, 0x08);
    CBC_EXPAND(5, 0x10);
    CBC_EXPAND(6, 0x20);
    CBC_EXPAND(7, 0x40);
    CBC_EXPAND(8, 0x80);
    CBC_EXPAND(9, 0x1b);
    CBC_EXPAND(10, 0x36);
    cbc_invert_key(out);
}

/* One block of each lane. */
CBC_TARGET static inline void cbc_encrypt_blocks(const __m128i *round, __m128i *chain)
{
    CBC_EACH_LANE(i) {
        chain[i] = _mm_xor_si128(chain[i], round[0]);
    }
    _Pragma("GCC unroll 9") for (int r = 1; r < CBC_LANES_ROUND_KEYS - 1; r++) {
        CBC_EACH_LANE(i) {
            chain[i] = _mm_aesenc_si128(chain[i], round[r]);
        }
    }
    CBC_EACH_LANE(i) {
        chain[i] = _mm_aesenclast_si128(chain[i], round[CBC_LANES_ROUND_KEYS - 1]);
    }
}

CBC_TARGET void cbc_lanes_encrypt(const CbcLanesKey *key, const uint8_t (*ivs)[16],
                                  const uint8_t *in, uint8_t *out, size_t bytes)
{
    const __m128i *round = (const __m128i *)key->round;
    __m128i chain[CBC_LANES];

    CBC_EACH_LANE(i) {
        chain[i] = _mm_loadu_si128((const __m128i *)ivs[i]);
    }
    for (size_t pos = 0; pos < bytes; pos += 16) {
        CBC_EACH_LANE(i) {
            const __m128i *block = (const __m128i *)(in + i * bytes + pos);

            chain[i] = _mm_xor_si128(chain[i], _mm_loadu_si128(block));
        }
        cbc_encrypt_blocks(round, chain);
        CBC_EACH_LANE(i) {
            _mm_storeu_si128((__m128i *)(out + i * bytes + pos), chain[i]);
        }
    }
}

CBC_TARGET static inline void cbc_decrypt_blocks(const __m128i *inverse, __m128i *blocks)
{
    CBC_EACH_LANE(i) {
        blocks[i] = _mm_xor_si128(blocks[i], inverse[0]);
    }
    _Pragma("GCC unroll 9") for (int r = 1; r < CBC_LANES_ROUND_KEYS - 1; r++) {
        CBC_EACH_LANE(i) {
            blocks[i] = _mm_aesdec_si128(blocks[i], inverse[r]);
        }
    }
    CBC_EACH_LANE(i) {
        blocks[i] = _mm_aesdeclast_si128(blocks[i], inverse[CBC_LANES_ROUND_KEYS - 1]);
    }
}

CBC_TARGET void cbc_lanes_decrypt(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in,
                                  uint8_t *out, size_t bytes)
{
    const __m128i *inverse = (const __m128i *)key->inverse;
    __m128i before = _mm_loadu_si128((const __m128i *)chain), blocks[CBC_LANES];

    for (size_t pos = 0; pos < bytes; pos += sizeof(blocks)) {
        const __m128i *from = (const __m128i *)(in + pos);
        __m128i *to = (__m128i *)(out + pos);

        CBC_EACH_LANE(i) {
            blocks[i] = _mm_loadu_si128(from + i);
        }
        cbc_decrypt_blocks(inverse, blocks);
        blocks[0] = _mm_xor_si128(blocks[0], before);
        _Pragma("GCC unroll 8") for (int i = 1; i < CBC_LANES; i++) {
            blocks[i] = _mm_xor_si128(blocks[i], _mm_loadu_si128(from + i - 1));
        }
        before = _mm_loadu_si128(from + CBC_LANES - 1);
        CBC_EACH_LANE(i) {              /* nothing of @in is asked for after this */
            _mm_storeu_si128(to + i, blocks[i]);
        }
    }
    _mm_storeu_si128((__m128i *)chain, before);
}

#else

bool cbc_lanes_supported(void)
{
    return false;
}

void cbc_lanes_set_key(CbcLanesKey *out, const uint8_t key[16])
{
    g_assert_not_reached();
}

void cbc_lanes_encrypt(const CbcLanesKey *key, const uint8_t (*ivs)[16], const uint8_t *in,
                       uint8_t *out, size_t bytes)
{
    g_assert_not_reached();
}

void cbc_lanes_decrypt(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in, uint8_t *out,
                       size_t bytes)
{
    g_assert_not_reached();
}

#endif
