/* SPDX-License-Identifier: MIT */
/*
 * For ThreadSanitizer builds only. GLib itself is not instrumented, so the sanitizer
 * does not see that a GMutex orders memory. These stand in front of GLib's functions
 * and tell it; the work is done by the originals.
 */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* Looks up the original once; the address is the same whoever finds it. */
#define ORIGINAL(name) ((__typeof__(&name))original(#name, &name##_original))

static void *original(const char *name, void **cache)
{
    void *found = __atomic_load_n(cache, __ATOMIC_ACQUIRE);

    if (!found) {
        found = dlsym(RTLD_NEXT, name);
        __atomic_store_n(cache, found, __ATOMIC_RELEASE);
    }
    return found;
}

static void *g_mutex_lock_original, *g_mutex_trylock_original, *g_mutex_unlock_original;
static void *g_cond_wait_original, *g_cond_wait_until_original, *g_once_init_leave_original;

void __attribute__((visibility("default"))) (g_mutex_lock)(GMutex *mutex)
{
    ORIGINAL(g_mutex_lock)(mutex);
    __tsan_acquire(mutex);
}

gboolean __attribute__((visibility("default"))) (g_mutex_trylock)(GMutex *mutex)
{
    gboolean is_taken = ORIGINAL(g_mutex_trylock)(mutex);

    if (is_taken) {
        __tsan_acquire(mutex);
    }
    return is_taken;
}

void __attribute__((visibility("default"))) (g_mutex_unlock)(GMutex *mutex)
{
    __tsan_release(mutex);
    ORIGINAL(g_mutex_unlock)(mutex);
}

void __attribute__((visibility("default"))) (g_cond_wait)(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    ORIGINAL(g_cond_wait)(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean __attribute__((visibility("default"))) (g_cond_wait_until)(GCond *cond, GMutex *mutex,
                                                                    gint64 end_time)
{
    gboolean in_time;

    __tsan_release(mutex);
    in_time = ORIGINAL(g_cond_wait_until)(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return in_time;
}

void __attribute__((visibility("default"))) (g_once_init_leave)(volatile void *location,
                                                                gsize result)
{
    __tsan_release((void *)location);
    ORIGINAL(g_once_init_leave)(location, result);
}
