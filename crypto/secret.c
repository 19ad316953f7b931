/* SPDX-License-Identifier: MIT */
/*
 * The store of secrets: id -> bytes in secret memory.
 *
 * 1. A stored secret is decoded, decrypted and never changes; readers share it by reference.
 * 2. No byte of a secret, and nothing that depends on decrypted bytes, enters a message: whatever
 *    is wrong with an encrypted payload gives one text, found in constant time.
 * 3. The lock guards the table only; it is never held while a file is read.
 * Source: docs/secrets.md.
 */
#include "crypto/secret-int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "crypto/base64.h"
#include "crypto/cipher.h"

#define SECRET_MAX_BYTES ((size_t)1 << 20)      /* of one secret's file or data */
#define SECRET_KEY_BYTES 32
#define SECRET_BLOCK_BYTES 16

struct CairnSecrets {
    gint refs;
    GMutex lock;
    GHashTable *table;          /* id -> SecMem *, owned; under lock */
};

typedef struct SecretProps {
    const char *id, *data, *file, *keyid, *iv;  /* NULL: not given */
    bool is_base64;
} SecretProps;

CairnSecrets *cairn_secrets_new(void)
{
    CairnSecrets *store = g_new0(CairnSecrets, 1);

    store->refs = 1;
    g_mutex_init(&store->lock);
    store->table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify)secmem_unref);
    return store;
}

CairnSecrets *cairn_secrets_ref(CairnSecrets *store)
{
    g_atomic_int_inc(&store->refs);
    return store;
}

void cairn_secrets_unref(CairnSecrets *store)
{
    if (store && g_atomic_int_dec_and_test(&store->refs)) {
        g_hash_table_unref(store->table);
        g_mutex_clear(&store->lock);
        g_free(store);
    }
}

/* ---- the table ---------------------------------------------------------- */

static SecMem *secrets_find(CairnSecrets *store, const char *id)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);
    SecMem *mem = g_hash_table_lookup(store->table, id);

    return mem ? secmem_ref(mem) : NULL;
}

SecMem *secrets_lookup(CairnSecrets *store, const char *id, GError **error)
{
    SecMem *mem = secrets_find(store, id);

    if (!mem) {
        cairn_set_error(error, ENOENT, "No secret with id '%s'", id);
    }
    return mem;
}

bool secrets_has(CairnSecrets *store, const char *id)
{
    g_autoptr(SecMem) mem = secrets_find(store, id);

    return mem != NULL;
}

void object_set_duplicate(const char *id, GError **error)
{
    cairn_set_error(error, EEXIST,
                    "attempt to add duplicate property '%s' to object (type 'container')", id);
}

/* Takes over @mem. */
static bool secrets_insert(CairnSecrets *store, const char *id, SecMem *mem, GError **error)
{
    g_autoptr(SecMem) owned = mem;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);

    if (g_hash_table_contains(store->table, id)) {
        object_set_duplicate(id, error);
        return false;
    }
    g_hash_table_insert(store->table, g_strdup(id), g_steal_pointer(&owned));
    return true;
}

bool cairn_secrets_remove(CairnSecrets *store, const char *id)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&store->lock);

    return g_hash_table_remove(store->table, id);
}

/* ---- properties --------------------------------------------------------- */

bool object_check_id(const char *id, GError **error)
{
    bool is_valid = g_ascii_isalpha(id[0]);

    for (const char *p = id; is_valid && *p; p++) {
        is_valid = g_ascii_isalnum(*p) || strchr("-._", *p);
    }
    if (!is_valid) {
        cairn_set_error(error, EINVAL, "Parameter 'id' expects an identifier");
        cairn_error_append_hint(error, "Identifiers consist of letters, digits, '-', '.', '_', "
                                "starting with a letter.");
    }
    return is_valid;
}

/* Where the value of @key goes; NULL for an unknown key. */
static const char **secret_slot(SecretProps *props, const char **format, const char *key)
{
    const struct { const char *key; const char **slot; } slots[] = {
        { "id", &props->id }, { "data", &props->data }, { "file", &props->file },
        { "format", format }, { "keyid", &props->keyid }, { "iv", &props->iv },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(slots); i++) {
        if (g_str_equal(slots[i].key, key)) {
            return slots[i].slot;
        }
    }
    return NULL;
}

static bool secret_parse_format(SecretProps *props, const char *format, GError **error)
{
    props->is_base64 = g_strcmp0(format, "base64") == 0;
    if (format && !props->is_base64 && !g_str_equal(format, "raw")) {
        cairn_set_error(error, EINVAL, "Parameter 'format' does not accept value '%s'", format);
        cairn_error_append_hint(error, "Accepted values: raw, base64");
        return false;
    }
    return true;
}

/* The strings in @out live as long as @dict. */
static bool secret_parse_props(const QDict *dict, SecretProps *out, GError **error)
{
    const char *format = NULL;

    *out = (SecretProps) { 0 };
    for (size_t i = 0; i < qdict_size(dict); i++) {
        const char *key = qdict_key_at(dict, i);
        const char **slot = secret_slot(out, &format, key);

        if (!slot) {
            cairn_set_error(error, EINVAL, "Parameter '%s' is unexpected", key);
            cairn_error_append_hint(error, "A secret has: data, file, format, id, iv, keyid");
            return false;
        }
        *slot = qobject_get_str(qdict_value_at(dict, i));
        if (!*slot) {
            cairn_set_error(error, EINVAL, "Invalid parameter type for '%s', expected: string",
                            key);
            return false;
        }
    }
    if (!out->id) {
        cairn_set_error(error, EINVAL, "Parameter 'id' is missing");
        return false;
    }
    return secret_parse_format(out, format, error) && object_check_id(out->id, error);
}

/* ---- loading ------------------------------------------------------------ */

/* Returns: 0 or -errno; @size says how much of @mem was filled. */
static int secret_fill(int fd, SecMem *mem, size_t *size)
{
    while (*size < mem->size) {
        ssize_t n = read(fd, mem->data + *size, mem->size - *size);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : 0;
        }
        *size += n;
    }
    return 0;
}

/* Reads all of @fd, which may be a pipe, in growing pieces of secret memory. */
static SecMem *secret_read_fd(int fd, const char *file, GError **error)
{
    g_autoptr(SecMem) mem = secmem_new(4096, error);
    size_t size = 0;

    while (mem) {
        int ret = secret_fill(fd, mem, &size);
        g_autoptr(SecMem) bigger = NULL;

        if (ret < 0) {
            cairn_set_error(error, -ret, "Unable to read %s: Error reading file “%s”: %s", file,
                            file, g_strerror(-ret));
            return NULL;
        }
        if (size < mem->size) {
            secmem_shrink(mem, size);
            return g_steal_pointer(&mem);
        }
        if (size > SECRET_MAX_BYTES) {
            cairn_set_error(error, EFBIG, "Unable to read %s: a secret has at most %zu bytes",
                            file, SECRET_MAX_BYTES);
            return NULL;
        }
        bigger = secmem_new(2 * mem->size, error);
        if (bigger) {
            memcpy(bigger->data, mem->data, size);
        }
        secmem_unref(mem);
        mem = g_steal_pointer(&bigger);
    }
    return NULL;
}

static SecMem *secret_read_file(const char *file, GError **error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    SecMem *mem;

    if (fd < 0) {
        int err = errno;

        cairn_set_error(error, err, "Unable to read %s: Failed to open file “%s”: %s", file, file,
                        g_strerror(err));
        return NULL;
    }
    mem = secret_read_fd(fd, file, error);
    close(fd);
    return mem;
}

/* @data: the "data" that was kept out of the properties, or NULL. */
static SecMem *secret_load(const SecretProps *props, SecMem *data, GError **error)
{
    bool has_data = data || props->data;

    if (has_data && props->file) {
        cairn_set_error(error, EINVAL, "'file' and 'data' are mutually exclusive");
        return NULL;
    }
    if (!has_data && !props->file) {
        cairn_set_error(error, EINVAL, "Either 'file' or 'data' must be provided");
        return NULL;
    }
    if (props->file) {
        return secret_read_file(props->file, error);
    }
    return data ? secmem_ref(data) : secmem_new_copy(props->data, strlen(props->data), error);
}

/* ---- decryption --------------------------------------------------------- */

static bool secret_parse_iv(const char *text, uint8_t iv[SECRET_BLOCK_BYTES], GError **error)
{
    g_autoptr(SecMem) mem = NULL;

    if (!text) {
        cairn_set_error(error, EINVAL, "IV is required to decrypt secret");
        return false;
    }
    mem = qcrypto_base64_decode((const uint8_t *)text, strlen(text), error);
    if (!mem) {
        return false;
    }
    if (mem->size != SECRET_BLOCK_BYTES) {
        cairn_set_error(error, EINVAL, "IV should be %d bytes in length not %zu",
                        SECRET_BLOCK_BYTES, mem->size);
        return false;
    }
    memcpy(iv, mem->data, SECRET_BLOCK_BYTES);
    return true;
}

/* PKCS#7: the last n bytes all are n, 1..16. No branch depends on the bytes. Returns: n, or 0. */
static size_t secret_padding(const uint8_t last[SECRET_BLOCK_BYTES])
{
    unsigned n = last[SECRET_BLOCK_BYTES - 1];
    unsigned bad = ((n - 1) >> 4) != 0;

    for (unsigned i = 0; i < SECRET_BLOCK_BYTES; i++) {
        unsigned is_padding = -(unsigned)(i + n >= SECRET_BLOCK_BYTES);

        bad |= is_padding & (last[i] ^ n);
    }
    return n & -(unsigned)(bad == 0);
}

static SecMem *secret_decrypt_payload(const SecMem *key, const uint8_t *iv, const SecMem *input,
                                      GError **error)
{
    g_autoptr(QCryptoCipher) cipher = NULL;
    g_autoptr(SecMem) plain = NULL;
    size_t padding = 0;

    cipher = qcrypto_cipher_new(QCRYPTO_CIPHER_AES_256, key->data, key->size, error);
    plain = cipher ? secmem_new(input->size, error) : NULL;
    if (!plain) {
        return NULL;
    }
    if (input->size && input->size % SECRET_BLOCK_BYTES == 0) {
        qcrypto_cipher_cbc_decrypt(cipher, iv, input->data, plain->data, input->size);
        padding = secret_padding(plain->data + plain->size - SECRET_BLOCK_BYTES);
    }
    if (!padding) {
        cairn_set_error(error, EINVAL, "Incorrect number of padding bytes found on decrypted data");
        return NULL;
    }
    secmem_shrink(plain, plain->size - padding);
    return g_steal_pointer(&plain);
}

static SecMem *secret_decrypt(CairnSecrets *store, const SecretProps *props, const SecMem *input,
                              GError **error)
{
    g_autoptr(SecMem) key = secrets_lookup(store, props->keyid, error);
    uint8_t iv[SECRET_BLOCK_BYTES];

    if (!key) {
        return NULL;
    }
    if (key->size != SECRET_KEY_BYTES) {
        cairn_set_error(error, EINVAL, "Key should be %d bytes in length", SECRET_KEY_BYTES);
        return NULL;
    }
    if (!secret_parse_iv(props->iv, iv, error)) {
        return NULL;
    }
    return secret_decrypt_payload(key, iv, input, error);
}

/* ---- adding ------------------------------------------------------------- */

static SecMem *secret_make(CairnSecrets *store, const SecretProps *props, SecMem *data,
                           GError **error)
{
    g_autoptr(SecMem) mem = secret_load(props, data, error);

    if (mem && mem->size > SECRET_MAX_BYTES) {
        cairn_set_error(error, EFBIG, "A secret has at most %zu bytes", SECRET_MAX_BYTES);
        return NULL;
    }
    if (mem && props->is_base64) {
        SecMem *decoded = qcrypto_base64_decode(mem->data, mem->size, error);

        secmem_unref(mem);
        mem = decoded;
    }
    if (mem && props->keyid) {
        SecMem *plain = secret_decrypt(store, props, mem, error);

        secmem_unref(mem);
        mem = plain;
    }
    return g_steal_pointer(&mem);
}

bool secrets_add_data(CairnSecrets *store, const QDict *dict, SecMem *data, GError **error)
{
    SecretProps props;
    SecMem *mem;

    if (!secret_parse_props(dict, &props, error)) {
        return false;
    }
    if (secrets_has(store, props.id)) {
        object_set_duplicate(props.id, error);
        return false;
    }
    mem = secret_make(store, &props, data, error);
    return mem && secrets_insert(store, props.id, mem, error);
}

bool cairn_secrets_add(CairnSecrets *store, const QDict *props, GError **error)
{
    return secrets_add_data(store, props, NULL, error);
}

bool cairn_secrets_add_bytes(CairnSecrets *store, const char *id, const void *data, size_t bytes,
                             GError **error)
{
    SecMem *mem;

    if (!object_check_id(id, error)) {
        return false;
    }
    if (bytes > SECRET_MAX_BYTES) {
        cairn_set_error(error, EFBIG, "A secret has at most %zu bytes", SECRET_MAX_BYTES);
        return false;
    }
    mem = secmem_new_copy(data, bytes, error);
    return mem && secrets_insert(store, id, mem, error);
}
