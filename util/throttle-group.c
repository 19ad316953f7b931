/* SPDX-License-Identifier: MIT */
/*
 * Coroutines that keep to limits together.
 *
 * 1. A request stands on its coroutine's stack. While it is in a queue others may touch it, under
 *    the group's lock; who takes it out admits it, wakes it, and does not touch it again.
 * 2. The first request of a direction that is not admitted has a timer running, or has been woken
 *    and will start one. It admits all that may go, others' too: one timer a direction.
 * 3. Members with requests take turns; a member's own go in order of arrival. Nobody overtakes:
 *    while something waits, a new request of its direction waits behind it.
 */
#include "util/throttle-group.h"

#include <cairn/aio.h>

#include <time.h>

struct ThrottleGroup {
    gint refs;
    GMutex lock;                /* guards the rest and the members' queues; not across a yield */
    Throttle throttle;
    GQueue turns[2];            /* ThrottleMember * with something waiting, the next one first */
    int64_t (*now_ns)(void);
};

typedef struct ThrottleRequest {
    ThrottleMember *member;
    bool is_write;
    int64_t bytes;
    Coroutine *co;
    GList link;                 /* in member->waiting */
    bool is_admitted;
    bool is_asleep;             /* is to be woken, once */
    bool is_timed;              /* and will be, by its timer */
} ThrottleRequest;

static int64_t throttle_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* ---- life ---------------------------------------------------------------------- */

ThrottleGroup *throttle_group_new(const ThrottleConfig *config)
{
    ThrottleGroup *group = g_new0(ThrottleGroup, 1);

    group->refs = 1;
    g_mutex_init(&group->lock);
    group->now_ns = throttle_clock;
    throttle_init(&group->throttle, config, group->now_ns());
    return group;
}

ThrottleGroup *throttle_group_ref(ThrottleGroup *group)
{
    g_atomic_int_inc(&group->refs);
    return group;
}

void throttle_group_unref(ThrottleGroup *group)
{
    if (!group || !g_atomic_int_dec_and_test(&group->refs)) {
        return;
    }
    g_assert(g_queue_is_empty(&group->turns[0]) && g_queue_is_empty(&group->turns[1]));
    g_mutex_clear(&group->lock);
    g_free(group);
}

void throttle_member_init(ThrottleMember *member, ThrottleGroup *group)
{
    *member = (ThrottleMember){ .group = throttle_group_ref(group) };
    for (int i = 0; i < 2; i++) {
        g_queue_init(&member->waiting[i]);
        member->turn[i].data = member;
    }
}

void throttle_member_destroy(ThrottleMember *member)
{
    g_assert(g_queue_is_empty(&member->waiting[0]) && g_queue_is_empty(&member->waiting[1]));
    throttle_group_unref(g_steal_pointer(&member->group));
}

void throttle_member_move(ThrottleMember *member, ThrottleGroup *group)
{
    ThrottleGroup *old = member->group;

    g_assert(g_queue_is_empty(&member->waiting[0]) && g_queue_is_empty(&member->waiting[1]));
    member->group = throttle_group_ref(group);
    throttle_group_unref(old);
}

/* ---- queues: with the lock held --------------------------------------------------- */

static ThrottleRequest *group_first(ThrottleGroup *group, bool is_write)
{
    ThrottleMember *member = g_queue_peek_head(&group->turns[is_write]);

    return member ? g_queue_peek_head(&member->waiting[is_write]) : NULL;
}

static void group_wake(ThrottleRequest *r)
{
    if (r->is_asleep) {
        r->is_asleep = false;
        aio_co_wake(r->co);
    }
}

static void group_enqueue(ThrottleGroup *group, ThrottleRequest *r)
{
    ThrottleMember *member = r->member;

    if (g_queue_is_empty(&member->waiting[r->is_write])) {
        g_queue_push_tail_link(&group->turns[r->is_write], &member->turn[r->is_write]);
    }
    r->link.data = r;
    g_queue_push_tail_link(&member->waiting[r->is_write], &r->link);
}

/* The oldest request of a member goes, and the member's turn is over. */
static void group_admit(ThrottleGroup *group, ThrottleMember *member, bool is_write)
{
    ThrottleRequest *r = g_queue_peek_head(&member->waiting[is_write]);

    g_queue_unlink(&member->waiting[is_write], &r->link);
    g_queue_unlink(&group->turns[is_write], &member->turn[is_write]);
    if (!g_queue_is_empty(&member->waiting[is_write])) {
        g_queue_push_tail_link(&group->turns[is_write], &member->turn[is_write]);
    }
    throttle_account(&group->throttle, is_write, r->bytes);
    r->is_admitted = true;
    group_wake(r);
}

/* Rule 2. @self: who calls, and sees to it itself. */
static void group_rouse_first(ThrottleGroup *group, bool is_write, const ThrottleRequest *self)
{
    ThrottleRequest *first = group_first(group, is_write);

    if (first && first != self && !first->is_timed) {
        group_wake(first);
    }
}

/* Admits what may go. Returns how long the first that may not has to wait. */
static int64_t group_run(ThrottleGroup *group, bool is_write, const ThrottleRequest *self)
{
    ThrottleRequest *first;
    int64_t wait = 0;

    while ((first = group_first(group, is_write))) {
        wait = throttle_wait_ns(&group->throttle, is_write, group->now_ns());
        if (wait > 0) {
            break;
        }
        group_admit(group, first->member, is_write);
    }
    group_rouse_first(group, is_write, self);
    return wait;
}

/* ---- requests ----------------------------------------------------------------------- */

static void request_timer(void *opaque)
{
    ThrottleRequest *r = opaque;
    ThrottleGroup *group = r->member->group;

    g_mutex_lock(&group->lock);
    group_wake(r);
    g_mutex_unlock(&group->lock);
}

/*
 * Called and returns with the lock held. @wait_ns: until it is to look again; 0: somebody else
 * sees to that.
 */
static void coroutine_fn request_sleep(ThrottleGroup *group, ThrottleRequest *r, int64_t wait_ns)
{
    AioTimer *timer = NULL;

    r->is_asleep = true;
    r->is_timed = wait_ns > 0;
    g_mutex_unlock(&group->lock);
    if (wait_ns > 0) {
        timer = aio_timer_new(aio_context_current(), request_timer, r);
        aio_timer_mod(timer, wait_ns);
    }
    coroutine_yield();
    aio_timer_free(timer);
    g_mutex_lock(&group->lock);
    r->is_timed = false;
}

static void coroutine_fn request_wait(ThrottleGroup *group, ThrottleRequest *r)
{
    int64_t wait_ns = group_run(group, r->is_write, r);

    while (!r->is_admitted) {
        request_sleep(group, r, group_first(group, r->is_write) == r ? wait_ns : 0);
        wait_ns = group_run(group, r->is_write, r);
    }
}

void coroutine_fn throttle_member_wait(ThrottleMember *member, bool is_write, int64_t bytes)
{
    ThrottleGroup *group = member->group;
    ThrottleRequest r = {
        .member = member, .is_write = is_write, .bytes = bytes, .co = coroutine_self(),
    };

    g_mutex_lock(&group->lock);
    if (member->is_lifted) {
        throttle_account(&group->throttle, is_write, bytes);
    } else {
        group_enqueue(group, &r);
        request_wait(group, &r);
    }
    g_mutex_unlock(&group->lock);
}

void throttle_member_lift(ThrottleMember *member, bool is_lifted)
{
    ThrottleGroup *group = member->group;

    g_mutex_lock(&group->lock);
    member->is_lifted = is_lifted;
    for (int i = 0; i < 2 && is_lifted; i++) {
        while (!g_queue_is_empty(&member->waiting[i])) {
            group_admit(group, member, i);
        }
        group_rouse_first(group, i, NULL);
    }
    g_mutex_unlock(&group->lock);
}

/* ---- tests --------------------------------------------------------------------------- */

void throttle_group_set_clock(ThrottleGroup *group, int64_t (*now_ns)(void))
{
    g_mutex_lock(&group->lock);
    group->now_ns = now_ns;
    throttle_init(&group->throttle, &group->throttle.config, now_ns());
    g_mutex_unlock(&group->lock);
}

void throttle_group_kick(ThrottleGroup *group)
{
    g_mutex_lock(&group->lock);
    group_run(group, false, NULL);
    group_run(group, true, NULL);
    g_mutex_unlock(&group->lock);
}
