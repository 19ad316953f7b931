/* SPDX-License-Identifier: MIT */
/* qcow's AES: a cluster of 4 KiB, which the processor may do side by side, and a lone sector. */
#include "bench/micro.h"
#include "crypto/block.h"

#include <cairn/secret.h>

enum { CLUSTER = 4096, SECTOR = 512 };

typedef struct Cipher {
    CairnSecrets *secrets;
    QCryptoBlock *block;
    uint8_t buf[CLUSTER];
} Cipher;

static void *setup(void)
{
    g_autoptr(GError) error = NULL;
    Cipher *c = g_new0(Cipher, 1);

    c->secrets = cairn_secrets_new();
    if (cairn_secrets_add_bytes(c->secrets, "key", "open sesame", 11, &error)) {
        c->block = qcrypto_block_open("aes", c->secrets, "key", NULL, 0, &error);
    }
    if (!c->block) {
        g_error("%s", error->message);
    }
    return c;
}

static void teardown(void *state)
{
    Cipher *c = state;

    qcrypto_block_free(c->block);
    cairn_secrets_unref(c->secrets);
    g_free(c);
}

static void run_encrypt(void *state, int64_t count)
{
    Cipher *c = state;

    for (int64_t i = 0; i < count; i++) {
        qcrypto_block_encrypt(c->block, i * CLUSTER, c->buf, c->buf, CLUSTER);
    }
}

static void run_decrypt(void *state, int64_t count)
{
    Cipher *c = state;

    for (int64_t i = 0; i < count; i++) {
        qcrypto_block_decrypt(c->block, i * CLUSTER, c->buf, c->buf, CLUSTER);
    }
}

static void run_encrypt_sector(void *state, int64_t count)
{
    Cipher *c = state;

    for (int64_t i = 0; i < count; i++) {
        qcrypto_block_encrypt(c->block, i * SECTOR, c->buf, c->buf, SECTOR);
    }
}

const MicroCase micro_cipher[] = {
    { "cipher: encrypt 4 KiB", 10000, CLUSTER, setup, run_encrypt, teardown },
    { "cipher: decrypt 4 KiB", 10000, CLUSTER, setup, run_decrypt, teardown },
    { "cipher: encrypt 512 bytes", 20000, SECTOR, setup, run_encrypt_sector, teardown },
    { NULL },
};
