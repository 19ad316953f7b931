/* SPDX-License-Identifier: MIT */
/* A coroutine's sleep: a timer of its AioContext. */
#include <cairn/aio.h>

static void co_sleep_done(void *opaque)
{
    aio_co_wake(opaque);
}

void coroutine_fn co_sleep_ns(int64_t ns)
{
    AioContext *ctx = aio_context_current();
    AioTimer *timer;

    g_assert(coroutine_in() && ctx && ns >= 0);
    timer = aio_timer_new(ctx, co_sleep_done, coroutine_self());
    aio_timer_mod(timer, ns);
    coroutine_yield();
    aio_timer_free(timer);
}
