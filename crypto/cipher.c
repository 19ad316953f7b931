/* SPDX-License-Identifier: MIT */
/*
 * AES in CBC mode over nettle.
 * Invariant: nothing writes the key schedules after qcrypto_cipher_new() has returned.
 * Source: NIST FIPS 197 (AES), SP 800-38A (CBC).
 */
#include "crypto/cipher.h"

#include <errno.h>
#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <nettle/version.h>
#include <string.h>

#include "crypto/cbc-lanes.h"
#include "crypto/secmem.h"

/* Encryption chains block to block; since 3.8 nettle has the chain in one fast function. */
#define CIPHER_HAS_FAST_CBC \
    (NETTLE_VERSION_MAJOR > 3 || (NETTLE_VERSION_MAJOR == 3 && NETTLE_VERSION_MINOR >= 8))

typedef struct CipherKeys {
    CbcLanesKey lanes;          /* first, to be aligned; with has_lanes */
    union {
        struct aes128_ctx aes128;
        struct aes256_ctx aes256;
    } encrypt, decrypt;
} CipherKeys;

struct QCryptoCipher {
    QCryptoCipherAlg alg;
    bool has_lanes;             /* several sectors, or blocks, at once */
    SecMem *mem;
    const CipherKeys *keys;     /* in mem */
};

static size_t cipher_key_bytes(QCryptoCipherAlg alg)
{
    return alg == QCRYPTO_CIPHER_AES_128 ? AES128_KEY_SIZE : AES256_KEY_SIZE;
}

/* Asked once: where a compiler or an emulator gets them wrong, they must not write a disk. */
static bool cipher_lanes_work(void)
{
    static const CbcLanesOps ops = { cbc_lanes_set_key, cbc_lanes_encrypt, cbc_lanes_decrypt };
    static gsize verdict;       /* 0: not asked yet, 1: no, 2: yes */

    if (g_once_init_enter(&verdict)) {
        g_once_init_leave(&verdict, cbc_lanes_supported() && cbc_lanes_agree(&ops) ? 2 : 1);
    }
    return verdict == 2;
}

static void cipher_set_keys(QCryptoCipher *cipher, CipherKeys *keys, const uint8_t *key)
{
    if (cipher->alg == QCRYPTO_CIPHER_AES_128) {
        cipher->has_lanes = cipher_lanes_work();
        if (cipher->has_lanes) {
            cbc_lanes_set_key(&keys->lanes, key);
        }
        aes128_set_encrypt_key(&keys->encrypt.aes128, key);
        aes128_invert_key(&keys->decrypt.aes128, &keys->encrypt.aes128);
    } else {
        aes256_set_encrypt_key(&keys->encrypt.aes256, key);
        aes256_invert_key(&keys->decrypt.aes256, &keys->encrypt.aes256);
    }
}

QCryptoCipher *qcrypto_cipher_new(QCryptoCipherAlg alg, const uint8_t *key, size_t key_bytes,
                                  GError **error)
{
    QCryptoCipher *cipher;
    SecMem *mem;

    if (key_bytes != cipher_key_bytes(alg)) {
        cairn_set_error(error, EINVAL, "Cipher key length %zu should be %zu", key_bytes,
                        cipher_key_bytes(alg));
        return NULL;
    }
    mem = secmem_new(sizeof(CipherKeys), error);
    if (!mem) {
        return NULL;
    }
    cipher = g_new0(QCryptoCipher, 1);
    cipher->alg = alg;
    cipher->mem = mem;
    cipher->keys = (const CipherKeys *)mem->data;
    cipher_set_keys(cipher, (CipherKeys *)mem->data, key);
    return cipher;
}

void qcrypto_cipher_free(QCryptoCipher *cipher)
{
    if (cipher) {
        secmem_unref(cipher->mem);
        g_free(cipher);
    }
}

bool qcrypto_cipher_is_fast(const QCryptoCipher *cipher)
{
    return cipher->has_lanes;
}

void qcrypto_cipher_cbc_encrypt(const QCryptoCipher *cipher, const uint8_t iv[16], const void *in,
                                void *out, size_t bytes)
{
    uint8_t chain[AES_BLOCK_SIZE];

    g_assert(bytes % AES_BLOCK_SIZE == 0);
    memcpy(chain, iv, sizeof(chain));
#if CIPHER_HAS_FAST_CBC
    if (cipher->alg == QCRYPTO_CIPHER_AES_128) {
        cbc_aes128_encrypt(&cipher->keys->encrypt.aes128, chain, bytes, out, in);
    } else {
        cbc_aes256_encrypt(&cipher->keys->encrypt.aes256, chain, bytes, out, in);
    }
#else
    cbc_encrypt(&cipher->keys->encrypt,
                cipher->alg == QCRYPTO_CIPHER_AES_128
                ? (nettle_cipher_func *)aes128_encrypt : (nettle_cipher_func *)aes256_encrypt,
                AES_BLOCK_SIZE, chain, bytes, out, in);
#endif
}

void qcrypto_cipher_cbc_decrypt(const QCryptoCipher *cipher, const uint8_t iv[16], const void *in,
                                void *out, size_t bytes)
{
    size_t in_lanes = cipher->has_lanes ? bytes - bytes % (CBC_LANES * AES_BLOCK_SIZE) : 0;
    uint8_t chain[AES_BLOCK_SIZE];

    g_assert(bytes % AES_BLOCK_SIZE == 0);
    memcpy(chain, iv, sizeof(chain));
    if (in_lanes) {
        cbc_lanes_decrypt(&cipher->keys->lanes, chain, in, out, in_lanes);
    }
    if (in_lanes < bytes) {
        cbc_decrypt(&cipher->keys->decrypt,
                    cipher->alg == QCRYPTO_CIPHER_AES_128
                    ? (nettle_cipher_func *)aes128_decrypt : (nettle_cipher_func *)aes256_decrypt,
                    AES_BLOCK_SIZE, chain, bytes - in_lanes, (uint8_t *)out + in_lanes,
                    (const uint8_t *)in + in_lanes);
    }
}

void qcrypto_cipher_cbc_encrypt_sectors(const QCryptoCipher *cipher, const uint8_t (*ivs)[16],
                                        const void *in, void *out, size_t sector_bytes,
                                        size_t count)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    size_t done = 0;

    g_assert(sector_bytes % AES_BLOCK_SIZE == 0);
    for (; cipher->has_lanes && count - done >= CBC_LANES; done += CBC_LANES) {
        cbc_lanes_encrypt(&cipher->keys->lanes, ivs + done, from + done * sector_bytes,
                          to + done * sector_bytes, sector_bytes);
    }
    for (; done < count; done++) {
        qcrypto_cipher_cbc_encrypt(cipher, ivs[done], from + done * sector_bytes,
                                   to + done * sector_bytes, sector_bytes);
    }
}
