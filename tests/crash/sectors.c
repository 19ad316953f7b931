/* SPDX-License-Identifier: MIT */
/* Each content of a sector has one number; what it says is found out once. */
#include "harness.h"

#include <nettle/aes.h>
#include <nettle/cbc.h>
#include <string.h>

#include "util/cutils.h"

typedef struct SectorInfo {
    uint64_t nonzero;                   /* bitmap of its entries */
    uint32_t guest, value;              /* of a stamp; value VALUE_FOREIGN: it is none */
} SectorInfo;

static GPtrArray *contents;             /* id -> 512 bytes */
static GArray *infos;                   /* id -> SectorInfo */
static GHashTable *by_content;          /* 512 bytes -> id */
static GHashTable *by_cipher;           /* id << 32 | guest -> value */
static struct aes128_ctx aes_key;

static guint content_hash(gconstpointer key)
{
    const uint8_t *p = key;
    uint64_t h = 0;

    for (int i = 0; i < SECTOR; i += 8) {
        uint64_t v;

        memcpy(&v, p + i, 8);
        h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return (guint)(h ^ h >> 32);
}

static gboolean content_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, SECTOR) == 0;
}

void sectors_reset(void)
{
    static const uint8_t zeroes[SECTOR];

    g_hash_table_remove_all(by_content);
    g_hash_table_remove_all(by_cipher);
    g_ptr_array_set_size(contents, 0);
    g_array_set_size(infos, 0);
    sectors_intern(zeroes);
}

void sectors_init(void)
{
    static const uint8_t key[16] = "secret";    /* as harness_new() gives the driver */

    contents = g_ptr_array_new_with_free_func(g_free);
    infos = g_array_new(FALSE, FALSE, sizeof(SectorInfo));
    by_content = g_hash_table_new(content_hash, content_equal);
    by_cipher = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    aes128_set_decrypt_key(&aes_key, key);
    sectors_reset();
}

uint32_t sectors_count(void)
{
    return contents->len;
}

/* Words of guest sector and value, all alike. */
static void info_init(SectorInfo *info, const uint8_t *bytes)
{
    *info = (SectorInfo) { .guest = be32_load(bytes), .value = be32_load(bytes + 4) };
    for (int i = 0; i < SECTOR / 8; i++) {
        info->nonzero |= (uint64_t)(be64_load(bytes + i * 8) != 0) << i;
        if (memcmp(bytes, bytes + i * 8, 8)) {
            info->value = VALUE_FOREIGN;
        }
    }
    if (info->nonzero && info->value == VALUE_ZERO) {
        info->value = VALUE_FOREIGN;
    }
}

SectorId sectors_intern(const uint8_t *bytes)
{
    gpointer id;
    uint8_t *copy;
    SectorInfo info;

    if (g_hash_table_lookup_extended(by_content, bytes, NULL, &id)) {
        return GPOINTER_TO_UINT(id);
    }
    copy = g_memdup2(bytes, SECTOR);
    info_init(&info, bytes);
    g_hash_table_insert(by_content, copy, GUINT_TO_POINTER(contents->len));
    g_ptr_array_add(contents, copy);
    g_array_append_val(infos, info);
    return contents->len - 1;
}

const uint8_t *sectors_bytes(SectorId id)
{
    return g_ptr_array_index(contents, id);
}

uint64_t sectors_nonzero(SectorId id)
{
    return g_array_index(infos, SectorInfo, id).nonzero;
}

static uint32_t info_value(const SectorInfo *info, uint32_t guest)
{
    return info->value == VALUE_ZERO || info->guest == guest ? info->value : VALUE_FOREIGN;
}

uint32_t sectors_value_of(const uint8_t *bytes, uint32_t guest)
{
    SectorInfo info;

    info_init(&info, bytes);
    return info_value(&info, guest);
}

/* AES-128 in CBC, the initial vector being the sector's number, little-endian. */
static uint32_t value_of_cipher(SectorId id, uint32_t guest)
{
    gint64 key = (gint64)id << 32 | guest;
    gpointer value;
    uint8_t iv[16] = { 0 }, plain[SECTOR];

    if (g_hash_table_lookup_extended(by_cipher, &key, NULL, &value)) {
        return GPOINTER_TO_UINT(value);
    }
    for (int i = 0; i < 4; i++) {
        iv[i] = (uint8_t)(guest >> (8 * i));
    }
    cbc_decrypt(&aes_key, (nettle_cipher_func *)aes128_decrypt, 16, iv, SECTOR, plain,
                sectors_bytes(id));
    value = GUINT_TO_POINTER(sectors_value_of(plain, guest));
    g_hash_table_insert(by_cipher, g_memdup2(&key, sizeof(key)), value);
    return GPOINTER_TO_UINT(value);
}

uint32_t sectors_value(SectorId id, uint32_t guest, bool aes)
{
    return aes ? value_of_cipher(id, guest)
               : info_value(&g_array_index(infos, SectorInfo, id), guest);
}

void sectors_stamp(uint8_t *bytes, uint32_t guest, uint32_t value)
{
    for (int i = 0; i < SECTOR; i += 8) {
        be32_store(bytes + i, value ? guest : 0);
        be32_store(bytes + i + 4, value);
    }
}
