/* SPDX-License-Identifier: MIT */
/*
 * The encryption of qcow version 1: AES-128-CBC of each 512-byte sector, plain64 vectors, and a
 * password used as the key.
 *
 * It is broken by today's standards: the key is not stretched, the vectors are predictable, nothing
 * is authenticated, and a wrong password goes unnoticed. It is here to get data out of old images.
 * Source: docs/formats/qcow.md, "Encryption".
 */
#include <errno.h>
#include <string.h>

#include "crypto/block-priv.h"

#define QCOW_KEY_BYTES 16
#define QCOW_SECTOR_BYTES 512

static bool block_qcow_open(QCryptoBlock *block, const SecMem *secret, const char *secret_id,
                            const QCryptoBlockIO *io, GError **error)
{
    g_autoptr(SecMem) key = NULL;

    block->ivgen = qcrypto_ivgen_plain64;
    block->sector_size = QCOW_SECTOR_BYTES;
    if (!secret) {
        return true;
    }
    /* What is no text could never have been typed as a password; other readers refuse it. */
    if (!g_utf8_validate_len((const char *)secret->data, secret->size, NULL)) {
        cairn_set_error(error, EINVAL, "Data from secret %s is not valid UTF-8", secret_id);
        return false;
    }
    key = secmem_new(QCOW_KEY_BYTES, error);
    if (!key) {
        return false;
    }
    memcpy(key->data, secret->data, MIN(secret->size, QCOW_KEY_BYTES));
    block->cipher = qcrypto_cipher_new(QCRYPTO_CIPHER_AES_128, key->data, key->size, error);
    return block->cipher != NULL;
}

/* The format keeps nothing of its key in the image, so making is opening. */
const QCryptoBlockDriver qcrypto_block_driver_qcow = {
    .name   = "aes",
    .open   = block_qcow_open,
    .create = block_qcow_open,
};
