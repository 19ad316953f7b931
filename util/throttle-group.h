/* SPDX-License-Identifier: MIT */
/*
 * Coroutines that keep to limits together. A group holds the limits; its members (a disk each)
 * take turns. Each direction has its own queue. Any thread: a request waits in its own
 * AioContext.
 */
#ifndef UTIL_THROTTLE_GROUP_H
#define UTIL_THROTTLE_GROUP_H

#include <cairn/coroutine.h>

#include "util/throttle.h"

typedef struct ThrottleGroup ThrottleGroup;

/* @config: one that was checked. */
ThrottleGroup *throttle_group_new(const ThrottleConfig *config);
ThrottleGroup *throttle_group_ref(ThrottleGroup *group);
void throttle_group_unref(ThrottleGroup *group);

typedef struct ThrottleMember {
    ThrottleGroup *group;       /* owned reference; changed only while nothing waits */
    /*< private >: under the group's lock */
    GQueue waiting[2];          /* ThrottleRequest *, of reads and of writes, in order of arrival */
    GList turn[2];              /* in the group's lists, while something waits */
    bool is_lifted;
} ThrottleMember;

void throttle_member_init(ThrottleMember *member, ThrottleGroup *group);
void throttle_member_destroy(ThrottleMember *member);   /* nothing waits */
/* Nothing waits. */
void throttle_member_move(ThrottleMember *member, ThrottleGroup *group);

/* Returns when the request may go; it counts from then on. */
void coroutine_fn throttle_member_wait(ThrottleMember *member, bool is_write, int64_t bytes);
/*
 * While lifted the member's requests, those that wait included, go at once. They count all the
 * same.
 */
void throttle_member_lift(ThrottleMember *member, bool is_lifted);

/* For tests: another clock; and looking at it anew. */
void throttle_group_set_clock(ThrottleGroup *group, int64_t (*now_ns)(void));
void throttle_group_kick(ThrottleGroup *group);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ThrottleGroup, throttle_group_unref)

#endif
