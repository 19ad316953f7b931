/* SPDX-License-Identifier: MIT */
/*
 * Timers of an AioContext: a binary heap, and a timerfd for the earliest.
 *
 * 1. armed_ns is never later than the earliest running timer. It may be
 *    earlier, after a timer was deleted: then the poll only arms anew.
 * 2. Timers fire in order of time, those of the same instant in order of setting.
 */
#include "util/aio-int.h"

#include <sys/timerfd.h>
#include <time.h>

#define NS_PER_S 1000000000LL

struct AioTimer {
    AioContext *ctx;            /* outlives the timer */
    AioFunc *func;
    void *opaque;
    int64_t at_ns;              /* CLOCK_MONOTONIC */
    uint64_t serial;
    int index;                  /* in ctx->timers; -1: not running */
};

static int64_t aio_timer_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- the heap ----------------------------------------------------------- */

static bool aio_timer_is_before(const AioTimer *a, const AioTimer *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->serial < b->serial;
}

static void aio_heap_put(GPtrArray *heap, int index, AioTimer *timer)
{
    heap->pdata[index] = timer;
    timer->index = index;
}

static void aio_heap_sift_up(GPtrArray *heap, int index, AioTimer *timer)
{
    while (index > 0 && aio_timer_is_before(timer, heap->pdata[(index - 1) / 2])) {
        aio_heap_put(heap, index, heap->pdata[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    aio_heap_put(heap, index, timer);
}

static void aio_heap_sift_down(GPtrArray *heap, int index, AioTimer *timer)
{
    int count = heap->len;

    while (2 * index + 1 < count) {
        int child = 2 * index + 1;

        if (child + 1 < count
            && aio_timer_is_before(heap->pdata[child + 1], heap->pdata[child])) {
            child++;
        }
        if (!aio_timer_is_before(heap->pdata[child], timer)) {
            break;
        }
        aio_heap_put(heap, index, heap->pdata[child]);
        index = child;
    }
    aio_heap_put(heap, index, timer);
}

static void aio_heap_remove(GPtrArray *heap, AioTimer *timer)
{
    int index = timer->index;
    AioTimer *last = heap->pdata[heap->len - 1];

    g_ptr_array_set_size(heap, heap->len - 1);
    timer->index = -1;
    if (last == timer) {
        return;
    }
    if (aio_timer_is_before(last, timer)) {
        aio_heap_sift_up(heap, index, last);
    } else {
        aio_heap_sift_down(heap, index, last);
    }
}

/* ---- arming and firing --------------------------------------------------- */

static void aio_timers_arm(AioContext *ctx, int64_t at_ns)
{
    struct itimerspec spec = { 0 };
    int ret;

    ctx->armed_ns = at_ns;
    if (at_ns != INT64_MAX) {       /* zero disarms; so the instant 0 becomes 1 */
        spec.it_value.tv_sec = at_ns / NS_PER_S;
        spec.it_value.tv_nsec = MAX(at_ns, 1) % NS_PER_S;
    }
    ret = timerfd_settime(ctx->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    g_assert(ret == 0);
}

static AioTimer *aio_timers_first(AioContext *ctx)
{
    return ctx->timers && ctx->timers->len > 0 ? ctx->timers->pdata[0] : NULL;
}

bool aio_timers_due(AioContext *ctx)
{
    AioTimer *first = aio_timers_first(ctx);

    return first && first->at_ns <= aio_timer_now();
}

bool aio_timers_dispatch(AioContext *ctx)
{
    bool progress = false;
    AioTimer *first;
    int64_t now;

    if (ctx->armed_ns == INT64_MAX) {
        return false;
    }
    now = aio_timer_now();
    while ((first = aio_timers_first(ctx)) && first->at_ns <= now) {
        aio_heap_remove(ctx->timers, first);
        first->func(first->opaque);         /* may free the timer */
        progress = true;
    }
    if (ctx->armed_ns <= now) {             /* it fired: reset it */
        first = aio_timers_first(ctx);
        aio_timers_arm(ctx, first ? first->at_ns : INT64_MAX);
    }
    return progress;
}

void aio_timers_destroy(AioContext *ctx)
{
    if (ctx->timers) {
        g_assert(ctx->timers->len == 0);    /* a timer's owner deletes it before the context ends */
        g_ptr_array_unref(ctx->timers);
    }
}

/* ---- calls ----------------------------------------------------------------- */

AioTimer *aio_timer_new(AioContext *ctx, AioFunc *func, void *opaque)
{
    AioTimer *timer = g_new0(AioTimer, 1);

    timer->ctx = ctx;
    timer->func = func;
    timer->opaque = opaque;
    timer->index = -1;
    return timer;
}

void aio_timer_mod(AioTimer *timer, int64_t delay_ns)
{
    AioContext *ctx = timer->ctx;
    int64_t now = aio_timer_now();

    g_assert(delay_ns >= 0);
    aio_timer_del(timer);
    timer->at_ns = delay_ns < INT64_MAX - 1 - now ? now + delay_ns : INT64_MAX - 1;
    timer->serial = ctx->timer_serial++;
    if (!ctx->timers) {
        ctx->timers = g_ptr_array_new();
    }
    g_ptr_array_add(ctx->timers, timer);
    aio_heap_sift_up(ctx->timers, ctx->timers->len - 1, timer);
    if (timer->at_ns < ctx->armed_ns) {
        aio_timers_arm(ctx, timer->at_ns);
    }
}

void aio_timer_del(AioTimer *timer)
{
    if (timer->index >= 0) {
        aio_heap_remove(timer->ctx->timers, timer);
    }
}

void aio_timer_free(AioTimer *timer)
{
    if (timer) {
        aio_timer_del(timer);
        g_free(timer);
    }
}
