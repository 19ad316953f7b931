/* SPDX-License-Identifier: MIT */
/*
 * Coroutines: creation, entering, yielding, and the pool of their stacks.
 *
 * 1. A coroutine runs in one thread only, so its thread-local data never
 *    changes under it. Its stack returns to the pool of that thread.
 * 2. A stack in a pool is suspended in coroutine_main(), ready for its next user.
 * 3. co->caller is set exactly while co is on the chain of running coroutines.
 */
#include "util/coroutine-int.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(WITH_ASAN) || defined(WITH_TSAN)
#define COROUTINE_STACK_BYTES (1024 * 1024)     /* red zones make frames several times larger */
#else
#define COROUTINE_STACK_BYTES (256 * 1024)
#endif

/* Stacks that a thread keeps for reuse: those of a deep queue, about 12 KiB touched in each. */
#define COROUTINE_POOL_MAX 128

typedef struct CoroutineThread {
    Coroutine leader;           /* stands for the thread's own stack */
    Coroutine *current;         /* never NULL */
    Coroutine *left;            /* who made the last switch */
    Coroutine *pool;
    unsigned pool_count;
} CoroutineThread;

static void coroutine_thread_free(gpointer data);

static GPrivate coroutine_thread_key = G_PRIVATE_INIT(coroutine_thread_free);
static __thread CoroutineThread *coroutine_thread;

/* Not inlined: the compiler must not keep the address of a thread-local over a switch. */
static __attribute__((noinline)) CoroutineThread *coroutine_thread_peek(void)
{
    __asm__ volatile("");
    return coroutine_thread;
}

static __attribute__((noinline)) CoroutineThread *coroutine_thread_new(void)
{
    CoroutineThread *t = g_new0(CoroutineThread, 1);

    stack_note_init_thread(&t->leader.note);
    t->current = &t->leader;
    coroutine_thread = t;
    g_private_set(&coroutine_thread_key, t);
    return t;
}

static CoroutineThread *coroutine_thread_get(void)
{
    CoroutineThread *t = coroutine_thread_peek();

    return t ? t : coroutine_thread_new();
}

static void coroutine_free(Coroutine *co)
{
    void *mapping = co->mapping;

    stack_note_destroy(&co->note);
    munmap(mapping, COROUTINE_STACK_BYTES);
}

/* Of the end of a thread. Other destructors may still use coroutines: they then start anew. */
static void coroutine_thread_free(gpointer data)
{
    CoroutineThread *t = data;

    g_assert(t->current == &t->leader);
    coroutine_thread = NULL;
    while (t->pool) {
        Coroutine *co = t->pool;

        t->pool = co->pool_next;
        coroutine_free(co);
    }
    g_free(t);
}

/* ---- switching -------------------------------------------------------- */

static inline __attribute__((always_inline)) void coroutine_transfer(CoroutineThread *t,
                                                                     Coroutine *from,
                                                                     Coroutine *to)
{
    t->current = to;
    t->left = from;
    stack_note_leave(&from->note, &to->note, from->has_ended);
    coroutine_switch_jump(&from->sw, &to->sw);
    stack_note_arrive(&from->note, &coroutine_thread_peek()->left->note);
}

/* The bottom frame of every stack: runs one user of the stack after the other. */
static void coroutine_main(void *opaque)
{
    Coroutine *self = opaque;

    stack_note_arrive(&self->note, &coroutine_thread_peek()->left->note);
    while (true) {
        self->entry(self->opaque);
        self->has_ended = true;
        coroutine_transfer(coroutine_thread_peek(), self, self->caller);
    }
}

static void coroutine_wake_run(AioTask *task)
{
    Coroutine *co = (Coroutine *)task;

    __atomic_store_n(&co->is_woken, 0, __ATOMIC_RELEASE);
    coroutine_enter(co);
}

static void coroutine_wake_drop(AioTask *task)
{
    g_error("an AioContext ended before its coroutine %p", (void *)task);
}

/* ---- stacks ------------------------------------------------------------ */

/* NULL with errno set: the process has no more memory, or mappings. */
static Coroutine *coroutine_new(void)
{
    size_t guard = sysconf(_SC_PAGESIZE);
    char *mapping = mmap(NULL, COROUTINE_STACK_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    char *stack = mapping + guard;
    Coroutine *co;
    size_t bytes;

    if (mapping == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(mapping, guard, PROT_NONE) < 0) {
        munmap(mapping, COROUTINE_STACK_BYTES);
        return NULL;
    }
    bytes = (COROUTINE_STACK_BYTES - guard - sizeof(Coroutine)) & ~(size_t)63;
    co = (Coroutine *)(stack + bytes);      /* the mapping is zeros, so is the struct */
    co->mapping = mapping;
    co->wake.run = coroutine_wake_run;
    co->wake.drop = coroutine_wake_drop;
    stack_note_init(&co->note, stack, bytes);
    coroutine_switch_prepare(&co->sw, stack, bytes, coroutine_main, co);
    return co;
}

static void coroutine_release(CoroutineThread *t, Coroutine *co)
{
    g_assert(!__atomic_load_n(&co->is_woken, __ATOMIC_RELAXED));
    if (t->pool_count >= COROUTINE_POOL_MAX) {
        coroutine_free(co);
        return;
    }
    co->pool_next = t->pool;
    t->pool = co;
    t->pool_count++;
}

Coroutine *coroutine_try_create(CoroutineEntry *entry, void *opaque)
{
    CoroutineThread *t = coroutine_thread_get();
    Coroutine *co = t->pool;

    if (co) {
        t->pool = co->pool_next;
        t->pool_count--;
        co->has_ended = false;
        co->ctx = NULL;
    } else {
        co = coroutine_new();
        if (!co) {
            return NULL;
        }
    }
    co->entry = entry;
    co->opaque = opaque;
    return co;
}

Coroutine *coroutine_create(CoroutineEntry *entry, void *opaque)
{
    Coroutine *co = coroutine_try_create(entry, opaque);

    if (!co) {
        g_error("no memory for a coroutine's stack: %s", g_strerror(errno));
    }
    return co;
}

/* ---- running ----------------------------------------------------------- */

void coroutine_enter(Coroutine *co)
{
    CoroutineThread *t = coroutine_thread_get();
    Coroutine *self = t->current;
    AioContext *ctx = aio_context_current();

    g_assert(!co->caller && !co->has_ended);
    g_assert(!co->ctx || co->ctx == ctx);
    co->ctx = ctx;
    co->caller = self;
    coroutine_transfer(t, self, co);
    co->caller = NULL;
    if (co->has_ended) {
        coroutine_release(t, co);
    }
}

void coroutine_fn coroutine_yield(void)
{
    CoroutineThread *t = coroutine_thread_peek();
    Coroutine *self = t ? t->current : NULL;

    g_assert(self && self->caller);         /* in a coroutine */
    g_assert(self->ctx);                    /* else nothing could wake it */
    coroutine_transfer(t, self, self->caller);
}

__attribute__((noinline)) Coroutine *coroutine_self(void)
{
    CoroutineThread *t = coroutine_thread_peek();

    return t && t->current != &t->leader ? t->current : NULL;
}

__attribute__((noinline)) bool coroutine_in(void)
{
    return coroutine_self() != NULL;
}
