/* SPDX-License-Identifier: MIT */
/* The encryption formats: key, vectors and errors of qcow's AES. */
#include <errno.h>
#include <string.h>

#include "crypto/block.h"

#define REQUIRED "Parameter 'encrypt.key-secret' is required for cipher"

static CairnSecrets *secrets_with(const char *id, const char *data, size_t bytes)
{
    CairnSecrets *store = cairn_secrets_new();

    g_assert_true(cairn_secrets_add_bytes(store, id, data, bytes, NULL));
    return store;
}

static QCryptoBlock *block_open(const char *password, size_t bytes)
{
    g_autoptr(CairnSecrets) store = secrets_with("s", password, bytes);
    g_autoptr(GError) error = NULL;
    QCryptoBlock *block = qcrypto_block_open("aes", store, "s", NULL, 0, &error);

    g_assert_no_error(error);
    return block;
}

static void assert_hex(const uint8_t *bytes, const char *hex)
{
    for (size_t i = 0; i < strlen(hex) / 2; i++) {
        g_assert_cmpint(bytes[i], ==, g_ascii_xdigit_value(hex[2 * i]) << 4 |
                                      g_ascii_xdigit_value(hex[2 * i + 1]));
    }
}

/*
 * First and last block of sectors 0 and 3, each 512 times 5a, in an image that the peer wrote;
 * openssl agrees.
 */
static void test_known_image(void)
{
    g_autoptr(QCryptoBlock) block = block_open("123456", 6);
    uint8_t plain[2048], sealed[2048], back[2048];

    memset(plain, 0x5a, sizeof(plain));
    g_assert_cmpint(qcrypto_block_encrypt(block, 0, plain, sealed, sizeof(plain)), ==, 0);
    assert_hex(sealed, "d4acadf089ab3379c8f168e1d65ed9e5");
    assert_hex(sealed + 496, "a4b5663b2afd3003003683c57293a010");
    assert_hex(sealed + 3 * 512, "f7f6ea79b59eb60be31a974fdbc9dee2");
    assert_hex(sealed + 3 * 512 + 496, "5098876c85df106ece344ad0ca5e2dae");
    g_assert_cmpint(qcrypto_block_decrypt(block, 0, sealed, back, sizeof(plain)), ==, 0);
    g_assert_cmpmem(back, sizeof(back), plain, sizeof(plain));
}

/* A sector's bytes depend on its own place only, not on the request that carried it. */
static void test_pieces(void)
{
    g_autoptr(QCryptoBlock) block = block_open("password", 8);
    const uint64_t start = (uint64_t)1 << 41;       /* sector numbers past 32 bits */
    uint8_t data[8 * 512], whole[8 * 512], pieces[8 * 512];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = i * 7 + i / 512;
    }
    qcrypto_block_encrypt(block, start, data, whole, sizeof(data));
    memcpy(pieces, data, sizeof(data));
    for (int i = 7; i >= 0; i--) {                  /* in place, backwards */
        qcrypto_block_encrypt(block, start + i * 512, pieces + i * 512, pieces + i * 512, 512);
    }
    g_assert_cmpmem(pieces, sizeof(pieces), whole, sizeof(whole));
    qcrypto_block_decrypt(block, start, whole, whole, sizeof(whole));
    g_assert_cmpmem(whole, sizeof(whole), data, sizeof(data));
}

static void seal_zeros(const char *password, size_t bytes, uint8_t out[512])
{
    static const uint8_t zeros[512];
    g_autoptr(QCryptoBlock) block = block_open(password, bytes);

    qcrypto_block_encrypt(block, 0, zeros, out, 512);
}

static void test_key(void)
{
    uint8_t a[512], b[512];

    seal_zeros("0123456789abcdef", 16, a);
    seal_zeros("0123456789abcdefREST", 20, b);
    g_assert_cmpmem(a, 512, b, 512);
    seal_zeros("0123456789abcde", 15, b);
    g_assert_cmpint(memcmp(a, b, 512), !=, 0);
    seal_zeros("", 0, a);
    assert_hex(a, "66e94bd4ef8a2c3b884cfa59ca342b2e");      /* AES-128 of zeros under a zero key */
}

static void assert_open_fails(const char *format, const char *key_secret, int code,
                              const char *message)
{
    g_autoptr(CairnSecrets) store = secrets_with("bin", "\xff\xfe", 2);
    g_autoptr(GError) error = NULL;

    g_assert_null(qcrypto_block_open(format, store, key_secret, NULL, 0, &error));
    g_assert_error(error, CAIRN_ERROR, code);
    g_assert_true(g_str_has_prefix(error->message, message));
    g_clear_error(&error);
    g_assert_null(qcrypto_block_create(format, store, key_secret, NULL, &error));
    g_assert_error(error, CAIRN_ERROR, code);
}

static void test_errors(void)
{
    assert_open_fails("aes", NULL, EINVAL, REQUIRED);
    assert_open_fails("aes", "sec0", ENOENT, "No secret with id 'sec0'");
    assert_open_fails("aes", "bin", EINVAL, "Data from secret bin is not valid UTF-8");
    assert_open_fails("luks", "bin", ENOTSUP, "Unsupported encryption format");
    assert_open_fails("rot13", "bin", EINVAL, "Parameter 'format' does not accept value 'rot13'");
    g_assert_null(qcrypto_block_find("rot13"));
    g_assert_null(qcrypto_block_find(NULL));
    g_assert_nonnull(qcrypto_block_find("aes"));
}

static void test_no_io(void)
{
    g_autoptr(CairnSecrets) store = cairn_secrets_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(QCryptoBlock) block = NULL;
    uint8_t sector[512] = { 1, 2, 3 };

    block = qcrypto_block_open("aes", store, NULL, NULL, QCRYPTO_BLOCK_OPEN_NO_IO, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(qcrypto_block_sector_size(block), ==, 512);
    g_assert_cmpuint(qcrypto_block_payload_offset(block), ==, 0);
    g_assert_cmpint(qcrypto_block_encrypt(block, 0, sector, sector, 512), ==, -ENOKEY);
    g_assert_cmpint(qcrypto_block_decrypt(block, 0, sector, sector, 512), ==, -ENOKEY);
    g_assert_cmpint(sector[2], ==, 3);
}

typedef struct SharedCase {
    const QCryptoBlock *block;
    uint8_t expect[4096];
} SharedCase;

static gpointer shared_body(gpointer opaque)
{
    SharedCase *c = opaque;
    uint8_t buf[4096];

    for (int i = 0; i < 200; i++) {
        memset(buf, 0x33, sizeof(buf));
        qcrypto_block_encrypt(c->block, 4096, buf, buf, sizeof(buf));
        g_assert_cmpmem(buf, sizeof(buf), c->expect, sizeof(c->expect));
    }
    return NULL;
}

static void test_threads(void)
{
    g_autoptr(QCryptoBlock) block = block_open("shared", 6);
    SharedCase c = { .block = block };
    GThread *threads[4];

    memset(c.expect, 0x33, sizeof(c.expect));
    qcrypto_block_encrypt(block, 4096, c.expect, c.expect, sizeof(c.expect));
    for (int i = 0; i < 4; i++) {
        threads[i] = g_thread_new("block", shared_body, &c);
    }
    for (int i = 0; i < 4; i++) {
        g_thread_join(threads[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crypto/block/known-image/matches", test_known_image);
    g_test_add_func("/crypto/block/pieces/equal-the-whole", test_pieces);
    g_test_add_func("/crypto/block/password/is-cut-or-padded-to-16", test_key);
    g_test_add_func("/crypto/block/each-mistake/has-its-message", test_errors);
    g_test_add_func("/crypto/block/opened-for-no-io/gives-enokey", test_no_io);
    g_test_add_func("/crypto/block/threads/share-one-block", test_threads);
    return g_test_run();
}
