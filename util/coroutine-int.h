/* SPDX-License-Identifier: MIT */
/*
 * A coroutine: what the switch, the event loop and the locks know of it. The struct
 * lies at the upper end of its own stack's mapping:
 *
 *   | guard page | stack ... | Coroutine |
 */
#ifndef UTIL_COROUTINE_INT_H
#define UTIL_COROUTINE_INT_H

#include "util/aio-task.h"
#include "util/coroutine-switch.h"
#include "util/sanitizer.h"

#include <cairn/aio.h>

struct Coroutine {
    AioTask wake;               /* must be first; in the queue of ctx while is_woken */
    int is_woken;               /* atomic; aio_co_wake() came and was not yet acted on */
    bool has_ended;
    CoroutineEntry *entry;
    void *opaque;
    Coroutine *caller;          /* who entered it; NULL while it does not run */
    AioContext *ctx;            /* NULL until first entered; not a reference */
    Coroutine *pool_next;       /* while in a pool */
    void *mapping;              /* NULL: stands for a thread's own stack */
    CoroutineSwitch sw;
    StackNote note;
};

#endif
