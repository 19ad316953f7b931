/* SPDX-License-Identifier: MIT */
/*
 * The control lock of a context: one thread at a time opens, closes, reopens or changes the graph.
 *
 * 1. It is recursive within a thread: a driver's open may call what takes it again.
 * 2. A thread that waits keeps serving its AioContext: the holder may be draining requests that
 *    run on just that thread.
 * 3. It is never taken inside a coroutine, so no request can wait for it.
 * 4. What completes while the holder polls is told to its owner when the lock is free again: the
 *    owner may close what the holder is at work on.
 */
#include "block/block-int.h"

typedef struct CtlDeferred {
    AioContext *aio;            /* owned reference */
    AioFunc *func;
    void *opaque;
} CtlDeferred;

/* This thread's: how often it holds control locks, of any context; what waits for the end of that. */
static __thread int ctl_depth;
static __thread GSList *ctl_deferred;       /* CtlDeferred *, newest first */

struct CtlLock {
    GMutex mutex;               /* guards the rest; never held while waiting */
    GCond cond;                 /* for threads without an AioContext */
    GThread *owner;             /* NULL: free */
    int depth;
    GSList *waiting;            /* AioContext * of polling threads, one entry a wait */
};

CtlLock *ctl_lock_new(void)
{
    CtlLock *ctl = g_new0(CtlLock, 1);

    g_mutex_init(&ctl->mutex);
    g_cond_init(&ctl->cond);
    return ctl;
}

void ctl_lock_free(CtlLock *ctl)
{
    g_assert(!ctl->owner && !ctl->waiting);
    g_mutex_clear(&ctl->mutex);
    g_cond_clear(&ctl->cond);
    g_free(ctl);
}

/* Called and returns with the mutex held. */
static void ctl_wait(CtlLock *ctl)
{
    AioContext *aio = aio_context_current();

    if (!aio) {
        g_cond_wait(&ctl->cond, &ctl->mutex);
        return;
    }
    ctl->waiting = g_slist_prepend(ctl->waiting, aio);
    g_mutex_unlock(&ctl->mutex);
    aio_context_poll(aio, true);
    g_mutex_lock(&ctl->mutex);
    ctl->waiting = g_slist_remove(ctl->waiting, aio);
}

void ctl_lock(CairnContext *ctx)
{
    CtlLock *ctl = ctx->ctl;

    g_assert(!coroutine_in());
    g_mutex_lock(&ctl->mutex);
    while (ctl->owner && ctl->owner != g_thread_self()) {
        ctl_wait(ctl);
    }
    ctl->owner = g_thread_self();
    ctl->depth++;
    ctl_depth++;
    g_mutex_unlock(&ctl->mutex);
}

bool ctl_defer(AioContext *aio, AioFunc *func, void *opaque)
{
    CtlDeferred *deferred;

    if (G_LIKELY(!ctl_depth)) {
        return false;
    }
    deferred = g_new(CtlDeferred, 1);
    *deferred = (CtlDeferred){ .aio = aio_context_ref(aio), .func = func, .opaque = opaque };
    ctl_deferred = g_slist_prepend(ctl_deferred, deferred);
    return true;
}

static void ctl_run_deferred(void)
{
    GSList *list = g_slist_reverse(g_steal_pointer(&ctl_deferred));

    for (GSList *l = list; l; l = l->next) {
        CtlDeferred *deferred = l->data;

        aio_bh_schedule_oneshot(deferred->aio, deferred->func, deferred->opaque);
        aio_context_unref(deferred->aio);
        g_free(deferred);
    }
    g_slist_free(list);
}

void ctl_unlock(CairnContext *ctx)
{
    CtlLock *ctl = ctx->ctl;

    g_mutex_lock(&ctl->mutex);
    g_assert(ctl->owner == g_thread_self() && ctl->depth > 0);
    if (--ctl->depth == 0) {
        ctl->owner = NULL;
        g_cond_signal(&ctl->cond);
        for (GSList *l = ctl->waiting; l; l = l->next) {
            aio_notify(l->data);
        }
    }
    g_mutex_unlock(&ctl->mutex);
    if (--ctl_depth == 0) {
        ctl_run_deferred();
    }
}

bool ctl_is_held(CairnContext *ctx)
{
    CtlLock *ctl = ctx->ctl;

    g_mutex_lock(&ctl->mutex);
    bool held = ctl->owner == g_thread_self();
    g_mutex_unlock(&ctl->mutex);
    return held;
}
