/* SPDX-License-Identifier: MIT */
/* blkdebug's breakpoints: where requests stop, and what lets them go on. */
#ifndef BLOCK_DRIVERS_BLKDEBUG_BREAK_H
#define BLOCK_DRIVERS_BLKDEBUG_BREAK_H

#include <cairn/driver.h>

#include "qapi/block-types.h"

typedef struct BlkdebugBreaks {
    BlockDriverState *bs;       /* whose context is told */
    GMutex lock;                /* guards the lists; a leaf; notices are given under it */
    GQueue points;              /* BlkdebugPoint *, the newest first */
    GQueue stopped;             /* BlkdebugStopped *, on their coroutines' stacks; newest first */
    gint n_points;              /* atomic: length of points, readable without the lock */
} BlkdebugBreaks;

void blkdebug_breaks_init(BlkdebugBreaks *breaks, BlockDriverState *bs);
/* No request may stand. */
void blkdebug_breaks_cleanup(BlkdebugBreaks *breaks);

void blkdebug_breaks_add(BlkdebugBreaks *breaks, BlkdebugEvent event, const char *tag);
/* @tag NULL: all. Requests that stand there go on. Returns: whether there was anything. */
bool blkdebug_breaks_remove(BlkdebugBreaks *breaks, const char *tag);
/* The newest request that stands at @tag leaves it, and goes on unless it stands at another too.
 * Returns: whether one stood. */
bool blkdebug_breaks_resume(BlkdebugBreaks *breaks, const char *tag);
/* 1, 0 or -ENOENT */
int blkdebug_breaks_is_suspended(BlkdebugBreaks *breaks, const char *tag);

/* Whether an event has to be looked at. Any thread. */
static inline bool blkdebug_breaks_any(BlkdebugBreaks *breaks)
{
    return g_atomic_int_get(&breaks->n_points) != 0;
}

/* Stops at all breakpoints of the event, each of which is used up by it. */
void coroutine_fn blkdebug_breaks_event(BlkdebugBreaks *breaks, BlkdebugEvent event);

#endif
