/* SPDX-License-Identifier: MIT */
/*
 * A library to preload: the k-th allocation of at least so many bytes fails.
 *
 *   CAIRN_FAIL_ALLOC=k:bytes
 *   CAIRN_KILL_COUNT=file    a process that ends by itself writes there how many there were
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

static atomic_long count;
static long fail_at;
static size_t least;

/* glibc's own names, which need no look-up: that would allocate. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t number, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

__attribute__((constructor)) static void fail_alloc_init(void)
{
    const char *text = getenv("CAIRN_FAIL_ALLOC");
    size_t bytes;

    if (text) {
        if (sscanf(text, "%ld:%zu", &fail_at, &bytes) != 2) {
            abort();
        }
        least = bytes;
    }
}

__attribute__((destructor)) static void fail_alloc_end(void)
{
    const char *name = getenv("CAIRN_KILL_COUNT");
    long made = atomic_load(&count);
    FILE *file = name ? fopen(name, "w") : NULL;

    if (file) {
        fprintf(file, "%ld\n", made);
        fclose(file);
    }
}

static bool fails(size_t bytes)
{
    if (least == 0 || bytes < least || atomic_fetch_add(&count, 1) + 1 != fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

EXPORT void *malloc(size_t bytes)
{
    return fails(bytes) ? NULL : __libc_malloc(bytes);
}

EXPORT void *calloc(size_t number, size_t bytes)
{
    size_t total;

    return !__builtin_mul_overflow(number, bytes, &total) && fails(total)
        ? NULL : __libc_calloc(number, bytes);
}

EXPORT void *realloc(void *old, size_t bytes)
{
    return fails(bytes) ? NULL : __libc_realloc(old, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(bytes) ? NULL : __libc_memalign(alignment, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    void *data = fails(bytes) ? NULL : __libc_memalign(alignment, bytes);

    if (data) {
        *out = data;
    }
    return data ? 0 : ENOMEM;
}
