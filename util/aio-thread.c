/* SPDX-License-Identifier: MIT */
/*
 * Which AioContext is a thread's current one: the top of a stack that belongs to
 * the thread. A context is on the stack of one thread at a time.
 */
#include "util/aio-int.h"
#include "util/patience.h"

typedef struct AioPushed {
    AioContext *ctx;            /* a reference */
    struct AioPushed *below;
} AioPushed;

static void aio_thread_end(gpointer data);

/* Set (to anything) by aio_context_push(): so that the stack is freed with its thread. */
static GPrivate aio_thread_key = G_PRIVATE_INIT(aio_thread_end);
static __thread AioPushed *aio_thread_top;

static __thread int patience_depth, patience_overlap_depth;

void patience_begin(void)
{
    patience_depth++;
}

void patience_end(void)
{
    patience_depth--;
}

bool patience_is_had(void)
{
    return patience_depth > 0;
}

void patience_overlap_begin(void)
{
    patience_overlap_depth++;
}

void patience_overlap_end(void)
{
    patience_overlap_depth--;
}

bool patience_overlaps(void)
{
    return patience_overlap_depth > 0;
}

AioContext *aio_context_current(void)
{
    AioPushed *top = aio_thread_top;

    return top ? top->ctx : NULL;
}

void aio_context_push(AioContext *ctx)
{
    GThread *self = g_thread_self(), *owner = __atomic_load_n(&ctx->owner, __ATOMIC_ACQUIRE);
    AioPushed *top = g_new(AioPushed, 1);

    g_assert(!owner || owner == self);      /* another thread's */
    __atomic_store_n(&ctx->owner, self, __ATOMIC_RELAXED);
    ctx->push_count++;
    *top = (AioPushed) { .ctx = aio_context_ref(ctx), .below = aio_thread_top };
    aio_thread_top = top;
    if (!top->below) {
        g_private_set(&aio_thread_key, &aio_thread_key);
    }
}

void aio_context_pop(AioContext *ctx)
{
    AioPushed *top = aio_thread_top;

    g_assert(top && top->ctx == ctx);
    aio_thread_top = top->below;
    g_free(top);
    if (--ctx->push_count == 0) {
        __atomic_store_n(&ctx->owner, NULL, __ATOMIC_RELEASE);
    }
    aio_context_unref(ctx);
}

AioContext *aio_context_ensure(void)
{
    AioContext *ctx = aio_context_current();
    g_autoptr(GError) error = NULL;

    if (ctx) {
        return ctx;
    }
    ctx = aio_context_new(&error);
    if (!ctx) {
        g_error("%s", error->message);
    }
    aio_context_push(ctx);      /* stays to the thread's end */
    aio_context_unref(ctx);
    return ctx;
}

static void aio_thread_end(gpointer data)
{
    while (aio_thread_top) {
        AioContext *ctx = aio_thread_top->ctx;

        while (aio_context_poll(ctx, false)) {
            continue;           /* what is still scheduled belongs to this thread */
        }
        aio_context_pop(ctx);
    }
}
