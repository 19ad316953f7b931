/* SPDX-License-Identifier: MIT */
/*
 * blkdebug's breakpoints.
 *
 * 1. A breakpoint stops one request and is gone. A request that comes to several of one event
 *    stands at all of them, and goes on when all have let it go.
 * 2. A stopped request waits in its own thread's AioContext, which goes on with other things; it
 *    may be resumed on any thread.
 * 3. That a request stops is told before anybody can resume it, so the two texts come in order.
 */
#include "blkdebug-break.h"

#include <errno.h>
#include <string.h>

typedef struct BlkdebugPoint {
    BlkdebugEvent event;
    char *tag;
    GList link;
} BlkdebugPoint;

typedef struct BlkdebugStopped {
    GPtrArray *tags;            /* char *, owned: what it still stands at */
    CoQueue resumed;
    GList link;
} BlkdebugStopped;

void blkdebug_breaks_init(BlkdebugBreaks *breaks, BlockDriverState *bs)
{
    *breaks = (BlkdebugBreaks){ .bs = bs };
    g_mutex_init(&breaks->lock);
    g_queue_init(&breaks->points);
    g_queue_init(&breaks->stopped);
}

static void break_free_point(BlkdebugBreaks *breaks, BlkdebugPoint *point)
{
    g_queue_unlink(&breaks->points, &point->link);
    g_atomic_int_add(&breaks->n_points, -1);
    g_free(point->tag);
    g_free(point);
}

void blkdebug_breaks_cleanup(BlkdebugBreaks *breaks)
{
    g_assert(g_queue_is_empty(&breaks->stopped));
    while (breaks->points.head) {
        break_free_point(breaks, breaks->points.head->data);
    }
    g_mutex_clear(&breaks->lock);
}

void blkdebug_breaks_add(BlkdebugBreaks *breaks, BlkdebugEvent event, const char *tag)
{
    BlkdebugPoint *point = g_new0(BlkdebugPoint, 1);

    point->event = event;
    point->tag = g_strdup(tag);
    point->link.data = point;
    g_mutex_lock(&breaks->lock);
    g_queue_push_head_link(&breaks->points, &point->link);
    g_atomic_int_inc(&breaks->n_points);
    g_mutex_unlock(&breaks->lock);
}

/* ---- going on (with the lock held) ------------------------------------------- */

static bool break_find_tag(const BlkdebugStopped *stopped, const char *tag, guint *index)
{
    for (guint i = 0; i < stopped->tags->len; i++) {
        if (!tag || !strcmp(stopped->tags->pdata[i], tag)) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Lets the newest request that stands at @tag (NULL: any) leave it. */
static bool break_resume_one(BlkdebugBreaks *breaks, const char *tag)
{
    guint index;

    for (GList *l = breaks->stopped.head; l; l = l->next) {
        BlkdebugStopped *stopped = l->data;

        if (!break_find_tag(stopped, tag, &index)) {
            continue;
        }
        bdrv_notice(breaks->bs, "blkdebug: Resuming request '%s'",
                    (const char *)stopped->tags->pdata[index]);
        g_ptr_array_remove_index(stopped->tags, index);
        if (!stopped->tags->len) {
            co_queue_restart_all(&stopped->resumed);
        }
        return true;
    }
    return false;
}

bool blkdebug_breaks_resume(BlkdebugBreaks *breaks, const char *tag)
{
    bool found;

    g_mutex_lock(&breaks->lock);
    found = break_resume_one(breaks, tag);
    g_mutex_unlock(&breaks->lock);
    return found;
}

bool blkdebug_breaks_remove(BlkdebugBreaks *breaks, const char *tag)
{
    bool found = false;
    GList *next;

    g_mutex_lock(&breaks->lock);
    for (GList *l = breaks->points.head; l; l = next) {
        BlkdebugPoint *point = l->data;

        next = l->next;
        if (!tag || !strcmp(point->tag, tag)) {
            break_free_point(breaks, point);
            found = true;
        }
    }
    while (break_resume_one(breaks, tag)) {
        found = true;
    }
    g_mutex_unlock(&breaks->lock);
    return found;
}

int blkdebug_breaks_is_suspended(BlkdebugBreaks *breaks, const char *tag)
{
    int ret = -ENOENT;
    guint index;

    g_mutex_lock(&breaks->lock);
    for (GList *l = breaks->points.head; l; l = l->next) {
        ret = strcmp(((BlkdebugPoint *)l->data)->tag, tag) ? ret : 0;
    }
    for (GList *l = breaks->stopped.head; l; l = l->next) {
        ret = break_find_tag(l->data, tag, &index) ? 1 : ret;
    }
    g_mutex_unlock(&breaks->lock);
    return ret;
}

/* ---- stopping ------------------------------------------------------------------- */

/* With the lock held: the breakpoints of @event become what the request stands at. */
static void break_collect(BlkdebugBreaks *breaks, BlkdebugEvent event, BlkdebugStopped *stopped)
{
    GList *next;

    for (GList *l = breaks->points.head; l; l = next) {
        BlkdebugPoint *point = l->data;

        next = l->next;
        if (point->event == event) {
            bdrv_notice(breaks->bs, "blkdebug: Suspended request '%s'", point->tag);
            g_ptr_array_add(stopped->tags, g_strdup(point->tag));
            break_free_point(breaks, point);
        }
    }
}

void coroutine_fn blkdebug_breaks_event(BlkdebugBreaks *breaks, BlkdebugEvent event)
{
    BlkdebugStopped stopped = { .tags = g_ptr_array_new_with_free_func(g_free) };

    co_queue_init(&stopped.resumed);
    stopped.link.data = &stopped;
    g_mutex_lock(&breaks->lock);
    break_collect(breaks, event, &stopped);
    if (stopped.tags->len) {
        g_queue_push_head_link(&breaks->stopped, &stopped.link);
        while (stopped.tags->len) {
            co_queue_wait_thread(&stopped.resumed, &breaks->lock);
        }
        g_queue_unlink(&breaks->stopped, &stopped.link);
    }
    g_mutex_unlock(&breaks->lock);
    g_ptr_array_unref(stopped.tags);
}
