/* SPDX-License-Identifier: MIT */
/* What an encryption format implements. One file a format; block.c holds the table. */
#ifndef CRYPTO_BLOCK_PRIV_H
#define CRYPTO_BLOCK_PRIV_H

#include "crypto/block.h"
#include "crypto/cipher.h"
#include "crypto/ivgen.h"
#include "crypto/secmem.h"

struct QCryptoBlock {
    const QCryptoBlockDriver *drv;
    QCryptoCipher *cipher;      /* NULL: opened without a secret, for no I/O */
    QCryptoIVGen *ivgen;
    size_t sector_size;         /* bytes, a power of two, multiple of 16 */
    uint64_t payload_offset;    /* bytes */
};

struct QCryptoBlockDriver {
    const char *name;           /* as encrypt.format= says it */
    /*
     * Both fill @block. @secret: NULL where no I/O will be done (open only); @secret_id names it in
     * messages. @io: the format's header.
     */
    bool (*open)(QCryptoBlock *block, const SecMem *secret, const char *secret_id,
                 const QCryptoBlockIO *io, GError **error);
    bool (*create)(QCryptoBlock *block, const SecMem *secret, const char *secret_id,
                   const QCryptoBlockIO *io, GError **error);
};

extern const QCryptoBlockDriver qcrypto_block_driver_qcow;

#endif
