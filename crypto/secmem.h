/* SPDX-License-Identifier: MIT */
/*
 * Memory for passwords, keys and key schedules: pages of its own between guard pages, left out of
 * core dumps, empty in forked children, locked where the system allows, wiped on release.
 */
#ifndef CRYPTO_SECMEM_H
#define CRYPTO_SECMEM_H

#include <cairn/error.h>

typedef struct SecMem {
    uint8_t *data;              /* ends at the guard page when new; aligned to 16 */
    size_t size;                /* bytes; may be made smaller by secmem_shrink() only */
    /*< private >*/
    gint refs;
    void *map;
    size_t map_bytes;
} SecMem;

/* Zeroed. @bytes may be 0. NULL with @error (ENOMEM). */
SecMem *secmem_new(size_t bytes, GError **error);
SecMem *secmem_new_copy(const void *data, size_t bytes, GError **error);
SecMem *secmem_ref(SecMem *mem);
/* The last reference wipes; NULL is allowed. Any thread. */
void secmem_unref(SecMem *mem);

/* Wipes what lies past @bytes (<= size) and forgets it. Only while nobody else has @mem. */
void secmem_shrink(SecMem *mem, size_t bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SecMem, secmem_unref)

#endif
