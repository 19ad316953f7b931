/* SPDX-License-Identifier: MIT */
/*
 * Encrypted disks: the table of formats, the secret of each, and the walk over sectors.
 * Invariant: an opened block is read-only, so that requests on several threads may share it.
 */
#include "crypto/block.h"

#include <errno.h>

#include "crypto/block-priv.h"
#include "crypto/secret-int.h"

#define BLOCK_BATCH 16                  /* sectors whose vectors are made at once */

static const QCryptoBlockDriver *const block_drivers[] = {
    &qcrypto_block_driver_qcow,
};

const QCryptoBlockDriver *qcrypto_block_find(const char *format)
{
    for (size_t i = 0; i < G_N_ELEMENTS(block_drivers); i++) {
        if (g_strcmp0(block_drivers[i]->name, format) == 0) {
            return block_drivers[i];
        }
    }
    return NULL;
}

static QCryptoBlock *block_new(const char *format, GError **error)
{
    const QCryptoBlockDriver *drv = qcrypto_block_find(format);
    QCryptoBlock *block;

    if (!drv) {
        if (g_strcmp0(format, "luks")) {
            cairn_set_error(error, EINVAL, "Parameter 'format' does not accept value '%s'", format);
        } else {
            cairn_set_error(error, ENOTSUP, "Unsupported encryption format");
        }
        cairn_error_append_hint(error, "'%s' is not known; supported: aes", format);
        return NULL;
    }
    block = g_new0(QCryptoBlock, 1);
    block->drv = drv;
    return block;
}

static SecMem *block_secret(CairnSecrets *secrets, const char *key_secret, GError **error)
{
    if (!key_secret) {
        cairn_set_error(error, EINVAL, "Parameter 'encrypt.key-secret' is required for cipher");
        cairn_error_append_hint(error, "It is the id of a secret with the password: "
                                "--object secret,id=ID,file=PASSWORDFILE, encrypt.key-secret=ID");
        return NULL;
    }
    return secrets_lookup(secrets, key_secret, error);
}

QCryptoBlock *qcrypto_block_open(const char *format, CairnSecrets *secrets, const char *key_secret,
                                 const QCryptoBlockIO *io, int flags, GError **error)
{
    g_autoptr(QCryptoBlock) block = block_new(format, error);
    g_autoptr(SecMem) secret = NULL;

    if (!block) {
        return NULL;
    }
    if (!(flags & QCRYPTO_BLOCK_OPEN_NO_IO)) {
        secret = block_secret(secrets, key_secret, error);
        if (!secret) {
            return NULL;
        }
    }
    if (!block->drv->open(block, secret, key_secret, io, error)) {
        return NULL;
    }
    return g_steal_pointer(&block);
}

QCryptoBlock *qcrypto_block_create(const char *format, CairnSecrets *secrets,
                                   const char *key_secret, const QCryptoBlockIO *io,
                                   GError **error)
{
    g_autoptr(QCryptoBlock) block = block_new(format, error);
    g_autoptr(SecMem) secret = block ? block_secret(secrets, key_secret, error) : NULL;

    if (!secret || !block->drv->create(block, secret, key_secret, io, error)) {
        return NULL;
    }
    return g_steal_pointer(&block);
}

void qcrypto_block_free(QCryptoBlock *block)
{
    if (block) {
        qcrypto_cipher_free(block->cipher);
        g_free(block);
    }
}

/* @count sectors from number @sector on; at most BLOCK_BATCH. */
typedef void BlockCryptFunc(const QCryptoBlock *block, uint64_t sector, const uint8_t *in,
                            uint8_t *out, size_t count);

static void block_cbc_encrypt(const QCryptoBlock *block, uint64_t sector, const uint8_t *in,
                              uint8_t *out, size_t count)
{
    uint8_t ivs[BLOCK_BATCH][16];

    for (size_t i = 0; i < count; i++) {
        block->ivgen(sector + i, ivs[i]);
    }
    qcrypto_cipher_cbc_encrypt_sectors(block->cipher, ivs, in, out, block->sector_size, count);
}

/* Inside a sector decryption has no chain to wait for. */
static void block_cbc_decrypt(const QCryptoBlock *block, uint64_t sector, const uint8_t *in,
                              uint8_t *out, size_t count)
{
    uint8_t iv[16];

    for (size_t i = 0; i < count; i++) {
        block->ivgen(sector + i, iv);
        qcrypto_cipher_cbc_decrypt(block->cipher, iv, in + i * block->sector_size,
                                   out + i * block->sector_size, block->sector_size);
    }
}

static int block_walk(const QCryptoBlock *block, uint64_t offset, const uint8_t *in, uint8_t *out,
                      size_t bytes, BlockCryptFunc *func)
{
    size_t size = block->sector_size;
    size_t count = bytes / size;

    if (!block->cipher) {
        return -ENOKEY;
    }
    g_assert(offset % size == 0 && bytes % size == 0);
    for (size_t done = 0; done < count; done += BLOCK_BATCH) {
        func(block, offset / size + done, in + done * size, out + done * size,
             MIN(count - done, BLOCK_BATCH));
    }
    return 0;
}

int qcrypto_block_encrypt(const QCryptoBlock *block, uint64_t offset, const void *in, void *out,
                          size_t bytes)
{
    return block_walk(block, offset, in, out, bytes, block_cbc_encrypt);
}

int qcrypto_block_decrypt(const QCryptoBlock *block, uint64_t offset, const void *in, void *out,
                          size_t bytes)
{
    return block_walk(block, offset, in, out, bytes, block_cbc_decrypt);
}

bool qcrypto_block_is_fast(const QCryptoBlock *block)
{
    return block->cipher && qcrypto_cipher_is_fast(block->cipher);
}

size_t qcrypto_block_sector_size(const QCryptoBlock *block)
{
    return block->sector_size;
}

uint64_t qcrypto_block_payload_offset(const QCryptoBlock *block)
{
    return block->payload_offset;
}
