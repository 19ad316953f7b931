/* SPDX-License-Identifier: MIT */
/*
 * Secret memory over mmap: [guard page][pages, the data at their end][guard page].
 *
 * 1. The bytes are wiped before the pages go back to the kernel.
 * 2. The descriptor lives outside, on the heap: a forked child, whose copy of the pages is empty,
 *    can still release it.
 * 3. Locking is best effort (RLIMIT_MEMLOCK); all else that fails is an error.
 */
#include "crypto/secmem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECMEM_ALIGN 16
#define SECMEM_MAX_BYTES ((size_t)16 << 20)     /* no password or key comes near */

static void *secmem_map(size_t inner, size_t page)
{
    uint8_t *map = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(map + page, inner, PROT_READ | PROT_WRITE) < 0) {
        munmap(map, inner + 2 * page);
        return NULL;
    }
    /* Old kernels and some sandboxes refuse these; the memory is still private and wiped. */
    (void)madvise(map + page, inner, MADV_DONTDUMP);
    (void)madvise(map + page, inner, MADV_WIPEONFORK);
    (void)mlock(map + page, inner);
    return map;
}

SecMem *secmem_new(size_t bytes, GError **error)
{
    size_t page = sysconf(_SC_PAGESIZE);
    size_t used, inner;
    SecMem *mem;
    void *map;

    if (bytes > SECMEM_MAX_BYTES) {
        cairn_set_error(error, ENOMEM, "A secret of %zu bytes is too large", bytes);
        return NULL;
    }
    used = (bytes + SECMEM_ALIGN - 1) / SECMEM_ALIGN * SECMEM_ALIGN;
    inner = (MAX(used, 1) + page - 1) / page * page;
    map = secmem_map(inner, page);
    if (!map) {
        cairn_set_error(error, ENOMEM, "No memory for a secret of %zu bytes", bytes);
        return NULL;
    }
    mem = g_new0(SecMem, 1);
    mem->refs = 1;
    mem->map = map;
    mem->map_bytes = inner + 2 * page;
    mem->data = (uint8_t *)map + page + inner - used;
    mem->size = bytes;
    return mem;
}

SecMem *secmem_new_copy(const void *data, size_t bytes, GError **error)
{
    SecMem *mem = secmem_new(bytes, error);

    if (mem && bytes) {
        memcpy(mem->data, data, bytes);
    }
    return mem;
}

SecMem *secmem_ref(SecMem *mem)
{
    g_atomic_int_inc(&mem->refs);
    return mem;
}

void secmem_unref(SecMem *mem)
{
    size_t page = sysconf(_SC_PAGESIZE);

    if (!mem || !g_atomic_int_dec_and_test(&mem->refs)) {
        return;
    }
    explicit_bzero((uint8_t *)mem->map + page, mem->map_bytes - 2 * page);
    munmap(mem->map, mem->map_bytes);
    g_free(mem);
}

void secmem_shrink(SecMem *mem, size_t bytes)
{
    g_assert(bytes <= mem->size);
    explicit_bzero(mem->data + bytes, mem->size - bytes);
    mem->size = bytes;
}
