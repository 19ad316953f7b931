/* SPDX-License-Identifier: MIT */
/* Block ciphers in CBC mode, over nettle. */
#ifndef CRYPTO_CIPHER_H
#define CRYPTO_CIPHER_H

#include <cairn/error.h>

typedef enum QCryptoCipherAlg {
    QCRYPTO_CIPHER_AES_128, QCRYPTO_CIPHER_AES_256,
} QCryptoCipherAlg;

/*
 * Holds key schedules in secret memory. Read-only after it is made: safe on several threads at
 * once.
 */
typedef struct QCryptoCipher QCryptoCipher;

QCryptoCipher *qcrypto_cipher_new(QCryptoCipherAlg alg, const uint8_t *key, size_t key_bytes,
                                  GError **error);
void qcrypto_cipher_free(QCryptoCipher *cipher);

/* CBC over @bytes (a multiple of 16); @iv of 16 bytes is not changed; @in == @out is allowed. */
void qcrypto_cipher_cbc_encrypt(const QCryptoCipher *cipher, const uint8_t iv[16], const void *in,
                                void *out, size_t bytes);
void qcrypto_cipher_cbc_decrypt(const QCryptoCipher *cipher, const uint8_t iv[16], const void *in,
                                void *out, size_t bytes);

/*
 * CBC over each of @count sectors of @sector_bytes (a multiple of 16) that follow one another,
 * each with its own vector: faster than one by one. @in == @out is allowed.
 */
void qcrypto_cipher_cbc_encrypt_sectors(const QCryptoCipher *cipher, const uint8_t (*ivs)[16],
                                        const void *in, void *out, size_t sector_bytes,
                                        size_t count);

/* Whether many bytes take hardly longer than copying them: the processor has instructions for it. */
bool qcrypto_cipher_is_fast(const QCryptoCipher *cipher);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QCryptoCipher, qcrypto_cipher_free)

#endif
