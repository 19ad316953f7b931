/* SPDX-License-Identifier: MIT */
/* Encrypted images, compared with AES-CBC done by hand; and who may open them. */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include <nettle/aes.h>
#include <nettle/cbc.h>

#include "util/cutils.h"

#define SIZE (4 << 20)
#define CLUSTER 4096

static CairnContext *ctx;

static MemDisk *image_encrypted(void)
{
    MemDisk *d = image_new(SIZE, 12, 9);

    d->data[39] = 1;
    return d;
}

static BlockBackend *open_with(MemDisk *d, MemDisk *backing, const char *options, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = mem_open(ctx, d, backing, options, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static void assert_refused(MemDisk *d, const char *options, int flags, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(mem_open(ctx, d, NULL, options, flags, &error));
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, message));
}

/* What the guest's sector @sector looks like on disk with the password "123456". */
static void encrypt_by_hand(uint64_t sector, const uint8_t in[512], uint8_t out[512])
{
    static const uint8_t key[16] = "123456";
    struct aes128_ctx aes;
    uint8_t iv[16] = { 0 };

    for (int i = 0; i < 8; i++) {
        iv[i] = (uint8_t)(sector >> (8 * i));
    }
    aes128_set_encrypt_key(&aes, key);
    cbc_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, 16, iv, 512, out, in);
}

static const uint8_t *sector_on_disk(const MemDisk *d, uint64_t sector)
{
    uint64_t l2 = image_get64(d, 48 + (int64_t)(sector / 8 / 512) * 8);
    uint64_t at = image_get64(d, (int64_t)(l2 + sector / 8 % 512 * 8));

    g_assert_cmpuint(at, !=, 0);
    return d->data + at + sector % 8 * 512;
}

static void test_bytes_on_disk(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    BlockBackend *blk = open_with(d, NULL, "encrypt.key-secret=s", BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc(300 * 512);
    uint8_t expected[512], zeros[512] = { 0 };

    for (int i = 0; i < 300 * 512; i++) {
        buf[i] = (uint8_t)(i * 7 + i / 512);
    }
    g_assert_cmpint(blk_pwrite(blk, 3 * 512, 300 * 512, buf, 0), ==, 0);
    mem_close_ok(blk);
    for (uint64_t i = 0; i < 300; i++) {
        encrypt_by_hand(i + 3, buf + i * 512, expected);
        g_assert_cmpmem(sector_on_disk(d, i + 3), 512, expected, 512);
    }
    encrypt_by_hand(1, zeros, expected);        /* the fill is encrypted zeros */
    g_assert_cmpmem(sector_on_disk(d, 1), 512, expected, 512);
    encrypt_by_hand(303, zeros, expected);
    g_assert_cmpmem(sector_on_disk(d, 303), 512, expected, 512);
}

static void test_round_trip(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    g_autofree uint8_t *data = g_malloc0(SIZE);
    g_autofree uint8_t *buf = g_malloc(SIZE);
    GRand *rand = g_rand_new_with_seed(11);
    BlockBackend *blk = open_with(d, NULL, "encrypt.key-secret=s", BLK_O_RDWR);

    for (int i = 0; i < 200; i++) {
        int64_t at = g_rand_int_range(rand, 0, SIZE / 512) * 512ll;
        int64_t n = g_rand_int_range(rand, 1, 1200) * 512ll;

        n = MIN(n, SIZE - at);
        memset(data + at, i, n);
        if (i % 5) {
            g_assert_cmpint(blk_pwrite(blk, at, n, data + at, 0), ==, 0);
        } else {
            memset(data + at, 0, n);
            g_assert_cmpint(blk_pwrite_zeroes(blk, at, n, 0), ==, 0);
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        g_assert_cmpint(blk_pread(blk, 0, SIZE, buf), ==, 0);
        g_assert_cmpmem(buf, SIZE, data, SIZE);
        mem_close_ok(blk);
        blk = open_with(d, NULL, "encrypt.key-secret=s", 0);
    }
    mem_close_ok(blk);
    g_rand_free(rand);
}

/* Elements that are no whole sectors cannot be ciphered one by one. */
static void test_odd_vectors(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    BlockBackend *blk = open_with(d, NULL, "encrypt.key-secret=s", BLK_O_RDWR);
    uint8_t data[2048], back[2048], a[100], b[1000], c[948];
    g_auto(IOVector) iov = { 0 };

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 3);
    }
    g_assert_cmpint(blk_pwrite(blk, 512, sizeof(data), data, 0), ==, 0);
    io_vector_init(&iov, 3);
    io_vector_add(&iov, a, sizeof(a));
    io_vector_add(&iov, b, sizeof(b));
    io_vector_add(&iov, c, sizeof(c));
    g_assert_cmpint(blk_preadv(blk, 512, &iov, 0), ==, 0);
    g_assert_cmpmem(a, sizeof(a), data, sizeof(a));
    g_assert_cmpmem(b, sizeof(b), data + 100, sizeof(b));
    g_assert_cmpmem(c, sizeof(c), data + 1100, sizeof(c));
    for (int64_t at = 512; at < SIZE; at += SIZE / 2) {         /* in place, and a new cluster */
        memset(a, at == 512, sizeof(a));
        g_assert_cmpint(blk_pwritev(blk, at, &iov, 0), ==, 0);
        memcpy(data, a, sizeof(a));
        g_assert_cmpint(blk_pread(blk, at, sizeof(back), back), ==, 0);
        g_assert_cmpmem(back, sizeof(back), data, sizeof(data));
    }
    mem_close_ok(blk);
}

static void test_backing_is_plain(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    g_autoptr(MemDisk) base = mem_disk_new(NULL, SIZE);
    BlockBackend *blk;
    uint8_t buf[CLUSTER], expected[512], sector[512];

    image_fill(base, 0, 0x42, SIZE);
    blk = open_with(d, base, "encrypt.key-secret=s", BLK_O_RDWR);
    memset(buf, 1, 512);
    g_assert_cmpint(blk_pwrite(blk, 1024, 512, buf, 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, CLUSTER, buf), ==, 0);
    g_assert_cmpint(buf[0], ==, 0x42);
    g_assert_cmpint(buf[1024], ==, 1);
    g_assert_cmpint(buf[1536], ==, 0x42);
    mem_close_ok(blk);
    memset(sector, 0x42, 512);
    encrypt_by_hand(0, sector, expected);
    g_assert_cmpmem(sector_on_disk(d, 0), 512, expected, 512);
}

static void test_status_has_no_offset(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    BlockBackend *blk = open_with(d, NULL, "encrypt.key-secret=s", BLK_O_RDWR);
    uint8_t buf[512] = { 1 };
    BlockStatus st;

    g_assert_cmpint(blk_pwrite(blk, 0, 512, buf, 0), ==, 0);
    g_assert_cmpint(blk_block_status(blk, 0, SIZE, &st), ==, 0);
    g_assert_true(st.flags & BDRV_BLOCK_DATA);
    g_assert_false(st.flags & BDRV_BLOCK_OFFSET_VALID);
    g_assert_cmpint(st.bytes, ==, CLUSTER);
    mem_close_ok(blk);
}

static void test_compressed_is_refused(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    BlockBackend *blk = open_with(d, NULL, "encrypt.key-secret=s", BLK_O_RDWR);
    uint8_t buf[CLUSTER] = { 1 };

    g_assert_cmpint(blk_pwrite(blk, 0, CLUSTER, buf, BDRV_REQ_WRITE_COMPRESSED), ==, -ENOTSUP);
    mem_close_ok(blk);
}

static void test_opening(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    g_autoptr(MemDisk) plain = image_new(SIZE, 12, 9);
    BlockBackend *blk;

    assert_refused(d, NULL, 0, "Parameter 'encrypt.key-secret' is required for cipher");
    assert_refused(d, "encrypt.key-secret=x", 0, "No secret with id 'x'");
    assert_refused(d, "encrypt.key-secret=s,encrypt.format=luks", 0,
                   "Header reported 'aes' encryption format but options specify 'luks'");
    assert_refused(plain, "encrypt.format=aes,encrypt.key-secret=s", 0,
                   "No encryption in image header, but options specified format 'aes'");
    blk = open_with(d, NULL, NULL, BLK_O_NO_IO);
    g_assert_true(blk_is_encrypted(blk));
    mem_close_ok(blk);
    blk = open_with(d, NULL, "encrypt.key-secret=s,encrypt.format=aes", 0);
    mem_close_ok(blk);
}

static void keep_warning(const char *text, void *opaque)
{
    char **last = opaque;

    g_free(*last);
    *last = g_strdup(text);
}

static void test_useless_secret(void)
{
    static const struct {
        bool is_encrypted;
        const char *options, *warning;
    } cases[] = {
        { true, "encrypt.key-secret=s", NULL },
        { true, "encrypt.key-secret=x", "No secret with id 'x'" },
        { false, NULL, NULL },
        { false, "encrypt.key-secret=s", "is not encrypted: the secret 's' is not used" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MemDisk) d = cases[i].is_encrypted ? image_encrypted() : image_new(SIZE, 12, 9);
        g_autofree char *heard = NULL;

        cairn_context_set_warn_func(ctx, keep_warning, &heard);
        mem_close_ok(open_with(d, NULL, cases[i].options, BLK_O_NO_IO));
        cairn_context_set_warn_func(ctx, NULL, NULL);
        g_assert_true(!heard == !cases[i].warning);
        g_assert_true(!heard || strstr(heard, cases[i].warning));
    }
}

static void test_restricted(void)
{
    g_autoptr(MemDisk) d = image_encrypted();
    g_autoptr(MemDisk) plain = image_new(SIZE, 12, 9);
    BlockBackend *blk;

    cairn_context_set_restricted(ctx, true, NULL);
    assert_refused(d, "encrypt.key-secret=s", 0, "Use of AES-CBC encrypted qcow images is no "
                   "longer supported in system emulators\n");
    blk = open_with(plain, NULL, NULL, 0);
    mem_close_ok(blk);
    cairn_context_set_restricted(ctx, false, NULL);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_assert_true(cairn_secret_add_bytes(ctx, "s", "123456", 6, NULL));
    g_test_add_func("/qcow/crypt/sectors/are-aes-cbc-plain64", test_bytes_on_disk);
    g_test_add_func("/qcow/crypt/round-trip/keeps-the-bytes", test_round_trip);
    g_test_add_func("/qcow/crypt/odd-vectors/are-ciphered", test_odd_vectors);
    g_test_add_func("/qcow/crypt/fill-from-backing/is-encrypted", test_backing_is_plain);
    g_test_add_func("/qcow/crypt/status/gives-no-offset", test_status_has_no_offset);
    g_test_add_func("/qcow/crypt/compressed-write/is-refused", test_compressed_is_refused);
    g_test_add_func("/qcow/crypt/opening/needs-the-right-options", test_opening);
    g_test_add_func("/qcow/crypt/secret-of-no-use/is-warned-of", test_useless_secret);
    g_test_add_func("/qcow/crypt/restricted-mode/is-refused", test_restricted);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
