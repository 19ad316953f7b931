/* SPDX-License-Identifier: MIT */
/* See alloc-fault.h. "--wrap=F" of the linker: calls of F come to __wrap_F, and __real_F is F. */
#include "alloc-fault.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>

int alloc_fault_in;

static bool alloc_fails(void)
{
    int left = g_atomic_int_get(&alloc_fault_in);

    while (left > 0 && !g_atomic_int_compare_and_exchange(&alloc_fault_in, left, left - 1)) {
        left = g_atomic_int_get(&alloc_fault_in);
    }
    return left == 1;
}

void *__real_g_try_malloc(gsize bytes);
void *__real_g_try_malloc0(gsize bytes);
void *__real_g_try_malloc_n(gsize count, gsize bytes);
void *__real_g_try_malloc0_n(gsize count, gsize bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
int __real_posix_memalign(void **out, size_t align, size_t bytes);

void *__wrap_g_try_malloc(gsize bytes);
void *__wrap_g_try_malloc0(gsize bytes);
void *__wrap_g_try_malloc_n(gsize count, gsize bytes);
void *__wrap_g_try_malloc0_n(gsize count, gsize bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
int __wrap_posix_memalign(void **out, size_t align, size_t bytes);

void *__wrap_g_try_malloc(gsize bytes)
{
    return alloc_fails() ? NULL : __real_g_try_malloc(bytes);
}

void *__wrap_g_try_malloc0(gsize bytes)
{
    return alloc_fails() ? NULL : __real_g_try_malloc0(bytes);
}

void *__wrap_g_try_malloc_n(gsize count, gsize bytes)
{
    return alloc_fails() ? NULL : __real_g_try_malloc_n(count, bytes);
}

void *__wrap_g_try_malloc0_n(gsize count, gsize bytes)
{
    return alloc_fails() ? NULL : __real_g_try_malloc0_n(count, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return alloc_fails() ? NULL : __real_aligned_alloc(align, bytes);
}

int __wrap_posix_memalign(void **out, size_t align, size_t bytes)
{
    return alloc_fails() ? ENOMEM : __real_posix_memalign(out, align, bytes);
}
