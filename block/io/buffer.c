/* SPDX-License-Identifier: MIT */
/*
 * Buffers of drivers.
 *
 * A few large ones are kept for the next request: malloc() gives them back to the system, and each
 * page of the next one would be cleared by the kernel at its first use again, which costs as much
 * as ciphering it. At most BUFFERS_KEPT * BUFFER_KEPT_MAX bytes, for the whole process, until a
 * context ends; they may hold what a guest has read or written, as freed memory may. Under
 * AddressSanitizer none are kept, so that it sees who uses a buffer that is not his any more.
 */
#include "block/block-int.h"
#include "util/sanitizer.h"

#include <malloc.h>
#include <stdlib.h>

#define BUFFER_KEPT_MIN ((size_t)64 << 10)      /* bytes */
#define BUFFER_KEPT_MAX ((size_t)2 << 20)

#define BUFFERS_MAX 4
#ifdef WITH_ASAN
#define BUFFERS_KEPT 0
#else
#define BUFFERS_KEPT BUFFERS_MAX
#endif

static GMutex buffers_lock;     /* guards the two below */
static void *buffers[BUFFERS_MAX];        /* the one kept last on top */
static int buffer_count;

static void *buffers_remove_locked(int i)
{
    void *buf = buffers[i];

    buffer_count--;
    memmove(&buffers[i], &buffers[i + 1], (buffer_count - i) * sizeof(buffers[0]));
    return buf;
}

/* One that is kept, not more than twice as large as need be; or NULL. */
static void *buffers_take(size_t bytes, size_t align)
{
    g_autoptr(GMutexLocker) G_GNUC_UNUSED locker = g_mutex_locker_new(&buffers_lock);

    for (int i = buffer_count - 1; i >= 0; i--) {
        size_t there = malloc_usable_size(buffers[i]);

        if (there >= bytes && there / 2 <= bytes && (uintptr_t)buffers[i] % align == 0) {
            return buffers_remove_locked(i);
        }
    }
    return NULL;
}

void *bdrv_buffer_alloc(BlockDriverState *bs, size_t bytes)
{
    size_t align = MAX(bs->bl.mem_alignment, sizeof(void *));
    void *buf = bytes >= BUFFER_KEPT_MIN ? buffers_take(bytes, align) : NULL;

    return buf || posix_memalign(&buf, align, MAX(bytes, 1)) == 0 ? buf : NULL;
}

void bdrv_buffer_free(void *buf)
{
    size_t bytes = malloc_usable_size(buf);

    if (BUFFERS_KEPT > 0 && bytes >= BUFFER_KEPT_MIN && bytes <= BUFFER_KEPT_MAX) {
        g_autoptr(GMutexLocker) G_GNUC_UNUSED locker = g_mutex_locker_new(&buffers_lock);
        void *oldest = buffer_count == BUFFERS_KEPT ? buffers_remove_locked(0) : NULL;

        buffers[buffer_count++] = buf;
        buf = oldest;
    }
    free(buf);
}

int bdrv_buffers_drop(void)
{
    g_autoptr(GMutexLocker) G_GNUC_UNUSED locker = g_mutex_locker_new(&buffers_lock);
    int count = buffer_count;

    while (buffer_count > 0) {
        free(buffers[--buffer_count]);
    }
    return count;
}
