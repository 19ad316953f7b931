/* SPDX-License-Identifier: MIT */
/*
 * blkdebug's rules: a state machine fed with events and asked about requests. No I/O, and no wait;
 * any thread.
 */
#ifndef BLOCK_DRIVERS_BLKDEBUG_RULES_H
#define BLOCK_DRIVERS_BLKDEBUG_RULES_H

#include "qapi/block-types.h"

#define BLKDEBUG_MAX_RULES 4096         /* of one kind */

typedef struct BlkdebugRules BlkdebugRules;

/* In state 1, without rules. */
BlkdebugRules *blkdebug_rules_new(void);
void blkdebug_rules_free(BlkdebugRules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkdebugRules, blkdebug_rules_free)

/* Whether the numbers make sense. */
bool blkdebug_check_inject(const BlkdebugInjectError *options, GError **error);
bool blkdebug_check_set_state(const BlkdebugSetState *options, GError **error);

/* Before the first event. Earlier rules come first; what is added is checked. */
bool blkdebug_rules_add_inject(BlkdebugRules *rules, const BlkdebugInjectError *options,
                               GError **error);
bool blkdebug_rules_add_set_state(BlkdebugRules *rules, const BlkdebugSetState *options,
                                  GError **error);

/* BLKDEBUG_EVENT__MAX where there is no such event. */
BlkdebugEvent blkdebug_event_find(const char *name);

/* Whether some rule waits for an event: without, events need not be looked at. */
bool blkdebug_rules_has_events(const BlkdebugRules *rules);

/* An event: active rules may be replaced, the state may change. */
void blkdebug_rules_event(BlkdebugRules *rules, BlkdebugEvent event);

/*
 * What becomes of a request: 0, it passes, or -errno. @bytes: 0 where it has no place (flush).
 * @immediately: set where it fails: without a turn of the loop
 */
int blkdebug_rules_check(BlkdebugRules *rules, BlkdebugIotype iotype, int64_t offset,
                         int64_t bytes, bool *immediately);

#endif
