/* SPDX-License-Identifier: MIT */
/*
 * Encryption formats of disk images behind one vtable. qcow's AES is the first
 * entry; LUKS fits the same shape: it reads and writes its header by the callbacks.
 */
#ifndef CRYPTO_BLOCK_H
#define CRYPTO_BLOCK_H

#include <cairn/secret.h>

typedef struct QCryptoBlock QCryptoBlock;

/* Storage of the format's own header; a format without one never calls them. Return 0 or -errno. */
typedef struct QCryptoBlockIO {
    int (*read)(void *opaque, int64_t offset, void *buf, size_t bytes);
    int (*write)(void *opaque, int64_t offset, const void *buf, size_t bytes);
    void *opaque;
} QCryptoBlockIO;

/* No data will be read: a missing secret is no error. */
enum { QCRYPTO_BLOCK_OPEN_NO_IO = 1 << 0 };

/* One encryption format, chosen by name. */
typedef struct QCryptoBlockDriver QCryptoBlockDriver;

/* NULL if there is no such format. */
const QCryptoBlockDriver *qcrypto_block_find(const char *format);

/*
 * @key_secret: id in @secrets, or NULL. Errors: "Parameter 'encrypt.key-secret' is required for
 * cipher", "No secret with id 'x'".
 */
QCryptoBlock *qcrypto_block_open(const char *format, CairnSecrets *secrets, const char *key_secret,
                                 const QCryptoBlockIO *io, int flags, GError **error);
/* Writes what the format keeps in the image (nothing for qcow's AES). */
QCryptoBlock *qcrypto_block_create(const char *format, CairnSecrets *secrets,
                                   const char *key_secret, const QCryptoBlockIO *io,
                                   GError **error);
void qcrypto_block_free(QCryptoBlock *block);

/*
 * @offset: [bytes] place on the guest's disk, a multiple of the sector size; @bytes likewise.
 * Any thread; several at once. @in == @out allowed. Returns: 0, or -ENOKEY (opened without a
 * secret).
 */
int qcrypto_block_encrypt(const QCryptoBlock *block, uint64_t offset, const void *in, void *out,
                          size_t bytes);
int qcrypto_block_decrypt(const QCryptoBlock *block, uint64_t offset, const void *in, void *out,
                          size_t bytes);
/* Whether both take hardly longer than a copy, so that another thread would not pay. */
bool qcrypto_block_is_fast(const QCryptoBlock *block);
size_t qcrypto_block_sector_size(const QCryptoBlock *block);        /* bytes */
uint64_t qcrypto_block_payload_offset(const QCryptoBlock *block);   /* bytes */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QCryptoBlock, qcrypto_block_free)

#endif
