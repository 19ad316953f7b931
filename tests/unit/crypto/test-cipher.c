/* SPDX-License-Identifier: MIT */
/* AES in CBC mode against published vectors. */
#include <errno.h>
#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <string.h>

#include "crypto/cbc-lanes.h"
#include "crypto/cipher.h"

#define VECTOR_MAX 64

typedef struct CipherVector {
    const char *path;           /* with its source */
    QCryptoCipherAlg alg;
    const char *key, *iv, *plain, *sealed;      /* hex */
} CipherVector;

#define SP800_38A_IV "000102030405060708090a0b0c0d0e0f"
#define SP800_38A_PLAIN                                                      \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"      \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define ZERO_IV "00000000000000000000000000000000"

static const CipherVector vectors[] = {
    { "/crypto/cipher/fips-197-c1-aes-128/matches", QCRYPTO_CIPHER_AES_128,
      "000102030405060708090a0b0c0d0e0f", ZERO_IV, "00112233445566778899aabbccddeeff",
      "69c4e0d86a7b0430d8cdb78070b4c55a" },
    { "/crypto/cipher/fips-197-c3-aes-256/matches", QCRYPTO_CIPHER_AES_256,
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", ZERO_IV,
      "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089" },
    { "/crypto/cipher/sp800-38a-f2-1-cbc-aes-128/matches", QCRYPTO_CIPHER_AES_128,
      "2b7e151628aed2a6abf7158809cf4f3c", SP800_38A_IV, SP800_38A_PLAIN,
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
      "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7" },
    { "/crypto/cipher/sp800-38a-f2-5-cbc-aes-256/matches", QCRYPTO_CIPHER_AES_256,
      "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", SP800_38A_IV,
      SP800_38A_PLAIN,
      "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
      "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b" },
};

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    g_assert_cmpuint(n, <=, VECTOR_MAX);
    for (size_t i = 0; i < n; i++) {
        out[i] = g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]);
    }
    return n;
}

static void test_vector(const void *opaque)
{
    const CipherVector *v = opaque;
    uint8_t key[VECTOR_MAX], iv[VECTOR_MAX], iv_before[16], plain[VECTOR_MAX];
    uint8_t sealed[VECTOR_MAX], out[VECTOR_MAX];
    size_t n = from_hex(v->plain, plain);
    g_autoptr(GError) error = NULL;
    g_autoptr(QCryptoCipher) cipher = NULL;

    cipher = qcrypto_cipher_new(v->alg, key, from_hex(v->key, key), &error);
    g_assert_no_error(error);
    from_hex(v->iv, iv);
    memcpy(iv_before, iv, 16);
    from_hex(v->sealed, sealed);

    qcrypto_cipher_cbc_encrypt(cipher, iv, plain, out, n);
    g_assert_cmpmem(out, n, sealed, n);
    qcrypto_cipher_cbc_decrypt(cipher, iv, sealed, out, n);
    g_assert_cmpmem(out, n, plain, n);

    memcpy(out, plain, n);              /* in place */
    qcrypto_cipher_cbc_encrypt(cipher, iv, out, out, n);
    g_assert_cmpmem(out, n, sealed, n);
    qcrypto_cipher_cbc_decrypt(cipher, iv, out, out, n);
    g_assert_cmpmem(out, n, plain, n);
    g_assert_cmpmem(iv, 16, iv_before, 16);
}

static void test_key_length(void)
{
    static const uint8_t key[64];
    const size_t lengths[] = { 0, 1, 15, 17, 24, 31, 33, 64 };

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(qcrypto_cipher_new(QCRYPTO_CIPHER_AES_128, key, lengths[i], &error));
        g_assert_error(error, CAIRN_ERROR, EINVAL);
        g_assert_null(qcrypto_cipher_new(QCRYPTO_CIPHER_AES_256, key, lengths[i], NULL));
    }
}

static void test_no_bytes(void)
{
    static const uint8_t key[16], iv[16];
    g_autoptr(QCryptoCipher) cipher = qcrypto_cipher_new(QCRYPTO_CIPHER_AES_128, key, 16, NULL);
    uint8_t byte = 0x77;

    qcrypto_cipher_cbc_encrypt(cipher, iv, &byte, &byte, 0);
    qcrypto_cipher_cbc_decrypt(cipher, iv, &byte, &byte, 0);
    g_assert_cmpuint(byte, ==, 0x77);
}

/* Enough for two groups of lanes and a rest. */
#define SECTORS_MAX 19
#define SECTOR_BYTES 512

static void assert_sectors(const QCryptoCipher *cipher, size_t count, size_t sector_bytes)
{
    static uint8_t in[SECTORS_MAX * SECTOR_BYTES], one[sizeof(in)], many[sizeof(in)];
    uint8_t ivs[SECTORS_MAX][16];
    size_t total = count * sector_bytes;

    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = i * 31 + i / 256;
    }
    for (size_t i = 0; i < sizeof(ivs); i++) {
        ((uint8_t *)ivs)[i] = i * 7 + count;
    }
    for (size_t i = 0; i < count; i++) {
        qcrypto_cipher_cbc_encrypt(cipher, ivs[i], in + i * sector_bytes, one + i * sector_bytes,
                                   sector_bytes);
    }
    memset(many, 0xee, sizeof(many));
    qcrypto_cipher_cbc_encrypt_sectors(cipher, (const uint8_t (*)[16])ivs, in, many, sector_bytes,
                                       count);
    g_assert_cmpmem(many, total, one, total);
    g_assert_true(total == sizeof(many) || many[total] == 0xee);
    memcpy(many, in, total);            /* in place */
    qcrypto_cipher_cbc_encrypt_sectors(cipher, (const uint8_t (*)[16])ivs, many, many,
                                       sector_bytes, count);
    g_assert_cmpmem(many, total, one, total);
}

static void test_sectors(gconstpointer opaque)
{
    QCryptoCipherAlg alg = GPOINTER_TO_INT(opaque);
    uint8_t key[32];
    g_autoptr(QCryptoCipher) cipher = NULL;

    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = 0xc3 ^ (i * 5);
    }
    cipher = qcrypto_cipher_new(alg, key, alg == QCRYPTO_CIPHER_AES_128 ? 16 : 32, NULL);
    for (size_t count = 0; count <= SECTORS_MAX; count++) {
        assert_sectors(cipher, count, SECTOR_BYTES);
        assert_sectors(cipher, count, 16);
    }
}

/* Against nettle alone: lengths that fill the lanes, and that leave a rest. */
#define BLOCKS_MAX 33

static void test_decrypt(gconstpointer opaque)
{
    QCryptoCipherAlg alg = GPOINTER_TO_INT(opaque);
    static uint8_t sealed[BLOCKS_MAX * 16 + 1], out[sizeof(sealed) + 1], wanted[sizeof(sealed)];
    uint8_t key[32], iv[16];
    union {
        struct aes128_ctx aes128;
        struct aes256_ctx aes256;
    } aes;
    bool is_128 = alg == QCRYPTO_CIPHER_AES_128;
    g_autoptr(QCryptoCipher) cipher = NULL;

    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = 0x5a ^ (i * 11);
    }
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] = i * 29 + i / 256;
    }
    if (is_128) {
        aes128_set_decrypt_key(&aes.aes128, key);
    } else {
        aes256_set_decrypt_key(&aes.aes256, key);
    }
    cipher = qcrypto_cipher_new(alg, key, is_128 ? 16 : 32, NULL);
    for (size_t bytes = 0; bytes <= BLOCKS_MAX * 16; bytes += 16) {
        const uint8_t *in = sealed + bytes / 16 % 2;    /* aligned to nothing, too */

        memset(iv, 0xa7, sizeof(iv));
        cbc_decrypt(&aes, is_128 ? (nettle_cipher_func *)aes128_decrypt
                                 : (nettle_cipher_func *)aes256_decrypt, 16, iv, bytes, wanted, in);
        memset(iv, 0xa7, sizeof(iv));
        memset(out, 0xee, sizeof(out));
        qcrypto_cipher_cbc_decrypt(cipher, iv, in, out, bytes);
        g_assert_cmpmem(out, bytes, wanted, bytes);
        g_assert_cmpuint(out[bytes], ==, 0xee);
        memcpy(out, in, bytes);         /* in place */
        qcrypto_cipher_cbc_decrypt(cipher, iv, out, out, bytes);
        g_assert_cmpmem(out, bytes, wanted, bytes);
        g_assert_cmpuint(out[bytes], ==, 0xee);
        g_assert_cmpuint(iv[0] & iv[15], ==, 0xa7);
    }
}

/* ---- lanes that are wrong: each beside nettle, with one mistake ---- */

static uint8_t lanes_secret[16];

static void lanes_set_key(CbcLanesKey *out, const uint8_t key[16])
{
    memcpy(lanes_secret, key, sizeof(lanes_secret));
}

static void lanes_encrypt(const CbcLanesKey *key, const uint8_t (*ivs)[16], const uint8_t *in,
                          uint8_t *out, size_t bytes)
{
    for (int i = 0; i < CBC_LANES; i++) {
        struct aes128_ctx aes;
        uint8_t iv[16];

        memcpy(iv, ivs[i], sizeof(iv));
        aes128_set_encrypt_key(&aes, lanes_secret);
        cbc_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, 16, iv, bytes, out + i * bytes,
                    in + i * bytes);
    }
}

static void lanes_encrypt_wrong_last(const CbcLanesKey *key, const uint8_t (*ivs)[16],
                                     const uint8_t *in, uint8_t *out, size_t bytes)
{
    lanes_encrypt(key, ivs, in, out, bytes);
    out[CBC_LANES * bytes - 1] ^= 1;
}

static void lanes_decrypt(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in,
                          uint8_t *out, size_t bytes)
{
    struct aes128_ctx aes;

    aes128_set_decrypt_key(&aes, lanes_secret);
    cbc_decrypt(&aes, (nettle_cipher_func *)aes128_decrypt, 16, chain, bytes, out, in);
}

static void lanes_decrypt_wrong_first(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in,
                                      uint8_t *out, size_t bytes)
{
    lanes_decrypt(key, chain, in, out, bytes);
    out[0] ^= 0x80;
}

static void lanes_decrypt_wrong_chain(const CbcLanesKey *key, uint8_t chain[16], const uint8_t *in,
                                      uint8_t *out, size_t bytes)
{
    lanes_decrypt(key, chain, in, out, bytes);
    chain[15]++;
}

static void test_lanes_checked(void)
{
    const CbcLanesOps right = { lanes_set_key, lanes_encrypt, lanes_decrypt };
    const CbcLanesOps own = { cbc_lanes_set_key, cbc_lanes_encrypt, cbc_lanes_decrypt };
    const CbcLanesOps wrong[] = {
        { lanes_set_key, lanes_encrypt_wrong_last, lanes_decrypt },
        { lanes_set_key, lanes_encrypt, lanes_decrypt_wrong_first },
        { lanes_set_key, lanes_encrypt, lanes_decrypt_wrong_chain },
    };

    g_assert_true(cbc_lanes_agree(&right));
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_assert_false(cbc_lanes_agree(&wrong[i]));
    }
    g_assert_true(!cbc_lanes_supported() || cbc_lanes_agree(&own));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
        g_test_add_data_func(vectors[i].path, &vectors[i], test_vector);
    }
    g_test_add_func("/crypto/cipher/wrong-key-length/is-refused", test_key_length);
    g_test_add_func("/crypto/cipher/no-bytes/change-nothing", test_no_bytes);
    g_test_add_data_func("/crypto/cipher/aes-128/sectors-at-once/equal-one-by-one",
                         GINT_TO_POINTER(QCRYPTO_CIPHER_AES_128), test_sectors);
    g_test_add_data_func("/crypto/cipher/aes-256/sectors-at-once/equal-one-by-one",
                         GINT_TO_POINTER(QCRYPTO_CIPHER_AES_256), test_sectors);
    g_test_add_data_func("/crypto/cipher/aes-128/decryption/equals-nettle",
                         GINT_TO_POINTER(QCRYPTO_CIPHER_AES_128), test_decrypt);
    g_test_add_data_func("/crypto/cipher/aes-256/decryption/equals-nettle",
                         GINT_TO_POINTER(QCRYPTO_CIPHER_AES_256), test_decrypt);
    g_test_add_func("/crypto/cipher/wrong-lanes/are-found-out", test_lanes_checked);
    return g_test_run();
}
