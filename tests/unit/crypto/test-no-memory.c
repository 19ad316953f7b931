/* SPDX-License-Identifier: MIT */
/*
 * Secret memory that cannot be had: each mapping and each change of protection that an operation
 * asks for fails once. It then says so and leaves nothing behind: no secret, no mapping.
 *
 * The linker leads the library's calls of mmap(), mprotect() and munmap() here ("--wrap=F": calls
 * of F come to __wrap_F, and __real_F is F).
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/base64.h"
#include "crypto/block.h"
#include "crypto/cipher.h"
#include "crypto/secret-int.h"

enum { MAX_CALLS = 100 };

static int fail_in;             /* calls until one fails; 0: none does */
static int mapped;              /* mappings that are there */

static bool call_fails(void)
{
    return fail_in > 0 && --fail_in == 0;
}

/* By the names that a 32-bit build gives them, too. */
#define WRAP_MAPPING(name, Offset)                                                      \
    void *__real_##name(void *at, size_t bytes, int prot, int flags, int fd, Offset from);  \
    void *__wrap_##name(void *at, size_t bytes, int prot, int flags, int fd, Offset from);  \
    void *__wrap_##name(void *at, size_t bytes, int prot, int flags, int fd, Offset from)   \
    {                                                                                   \
        void *map = MAP_FAILED;                                                         \
                                                                                        \
        if (call_fails()) {                                                             \
            errno = ENOMEM;                                                             \
        } else {                                                                        \
            map = __real_##name(at, bytes, prot, flags, fd, from);                      \
        }                                                                               \
        mapped += map != MAP_FAILED;                                                    \
        return map;                                                                     \
    }
WRAP_MAPPING(mmap, off_t)
WRAP_MAPPING(mmap64, off_t)

int __real_mprotect(void *at, size_t bytes, int prot);
int __wrap_mprotect(void *at, size_t bytes, int prot);
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);

int __wrap_mprotect(void *at, size_t bytes, int prot)
{
    if (call_fails()) {
        errno = ENOMEM;
        return -1;
    }
    return __real_mprotect(at, bytes, prot);
}

int __wrap_munmap(void *at, size_t bytes)
{
    mapped--;
    return __real_munmap(at, bytes);
}

/* ---- operations: each asks for secret memory and gives it back ---- */

static CairnSecrets *store;     /* with "key", 32 zero bytes; and "password" */
static char *long_file;         /* more than a page of bytes */

static bool op_copy(GError **error)
{
    g_autoptr(SecMem) mem = secmem_new_copy("password", 8, error);

    g_assert_true(!mem || !memcmp(mem->data, "password", 8));
    return mem;
}

static bool op_cipher(GError **error)
{
    static const uint8_t key[16];
    g_autoptr(QCryptoCipher) cipher = NULL;

    cipher = qcrypto_cipher_new(QCRYPTO_CIPHER_AES_128, key, sizeof(key), error);
    return cipher;
}

static bool op_base64(GError **error)
{
    g_autoptr(SecMem) mem = qcrypto_base64_decode((const uint8_t *)"QUJD", 4, error);

    g_assert_true(!mem || (mem->size == 3 && !memcmp(mem->data, "ABC", 3)));
    return mem;
}

static bool op_block(GError **error)
{
    g_autoptr(QCryptoBlock) block = qcrypto_block_open("aes", store, "password", NULL, 0, error);

    return block;
}

static bool op_bytes(GError **error)
{
    return cairn_secrets_add_bytes(store, "new", "password", 8, error);
}

static bool add_secret(const char *props, GError **error)
{
    g_autoptr(QDict) dict = qdict_from_keyval(props, NULL, NULL);

    return cairn_secrets_add(store, dict, error);
}

/* As openssl seals "hello" under that key. */
static bool op_sealed(GError **error)
{
    return add_secret("id=new,keyid=key,iv=AAAAAAAAAAAAAAAAAAAAAA==,format=base64,"
                      "data=wjXeJNI54DzI43fGBPymew==", error);
}

static bool op_long_file(GError **error)
{
    g_autofree char *props = g_strdup_printf("id=new,file=%s", long_file);

    return add_secret(props, error);
}

typedef struct Op {
    const char *name;
    bool (*run)(GError **error);
    int calls;                  /* at least so many can fail */
} Op;

static const Op ops[] = {
    { "copy", op_copy, 2 },
    { "cipher", op_cipher, 2 },
    { "base64", op_base64, 2 },
    { "block", op_block, 4 },
    { "secret-of-bytes", op_bytes, 2 },
    { "sealed-secret", op_sealed, 8 },
    { "secret-in-long-file", op_long_file, 4 },
};

static void test_each(gconstpointer data)
{
    const Op *op = data;
    int before = mapped;
    bool ok = false;
    int k = 0;

    while (!ok) {
        g_autoptr(GError) error = NULL;

        fail_in = ++k;
        ok = op->run(&error);
        g_assert_true(ok == (fail_in > 0));
        fail_in = 0;
        if (!ok) {
            g_assert_error(error, CAIRN_ERROR, ENOMEM);
            g_assert_false(secrets_has(store, "new"));
            g_assert_cmpint(mapped, ==, before);
        }
        g_assert_cmpint(k, <, MAX_CALLS);
    }
    g_assert_cmpint(k - 1, >=, op->calls);
    cairn_secrets_remove(store, "new");
    g_assert_cmpint(mapped, ==, before);
}

int main(int argc, char **argv)
{
    static char text[6000];
    g_autofree char *name = g_build_filename(g_get_tmp_dir(), "cairn-secret-XXXXXX", NULL);
    int ret;

    g_test_init(&argc, &argv, NULL);
    close(g_mkstemp(name));
    long_file = name;
    memset(text, 'x', sizeof(text));
    g_assert_true(g_file_set_contents(name, text, sizeof(text), NULL));
    store = cairn_secrets_new();
    g_assert_true(cairn_secrets_add_bytes(store, "key", (uint8_t[32]) { 0 }, 32, NULL));
    g_assert_true(cairn_secrets_add_bytes(store, "password", "123456", 6, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autofree char *path = g_strdup_printf("/crypto/no-memory/%s/says-so-and-leaves-nothing",
                                                ops[i].name);

        g_test_add_data_func(path, &ops[i], test_each);
    }
    ret = g_test_run();
    cairn_secrets_unref(store);
    g_unlink(name);
    return ret;
}
