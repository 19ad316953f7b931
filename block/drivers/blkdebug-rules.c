/* SPDX-License-Identifier: MIT */
/*
 * blkdebug's rules.
 *
 * 1. An event makes active the inject-error rules that wait for it in the current state, in the
 *    place of all that were active; an event that no such rule waits for leaves them. Then the
 *    first set-state rule that waits for it in that state sets the state.
 * 2. The first active rule that a request matches decides. One that still skips counts the request
 *    and is passed over; one for once is gone when it has decided.
 * 3. All of this happens under one lock, so each request is counted once, whatever thread it is on.
 *    Where no rule is active a request costs one look at a number.
 */
#include "blkdebug-rules.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "util/cutils.h"

#define BLKDEBUG_SECTOR_BYTES 512
#define BLKDEBUG_MAX_ERRNO 4095         /* what the kernel's interfaces can carry */

typedef struct BlkdebugRule {
    BlkdebugEvent event;
    int64_t state;              /* 0: any */
    int64_t new_state;          /* set-state */
    unsigned iotypes;           /* inject-error, like all below: 1 << BlkdebugIotype */
    int errnum;                 /* 0: requests pass */
    int64_t sector;             /* -1: any */
    int64_t skip;               /* matching requests that still pass */
    bool once, immediately;
    bool is_spent;
} BlkdebugRule;

struct BlkdebugRules {
    GPtrArray *injects[BLKDEBUG_EVENT__MAX];    /* BlkdebugRule *, owned; NULL: none */
    GPtrArray *set_states[BLKDEBUG_EVENT__MAX];
    int n_injects, n_set_states;
    bool has_events;            /* rules of other events than "none" */

    GMutex lock;                /* guards what is below, and skip and is_spent of the rules */
    int64_t state;
    GPtrArray *active;          /* BlkdebugRule *, not owned */
    gint n_active;              /* atomic: active->len, readable without the lock */
};

/* ---- making them ---------------------------------------------------------- */

BlkdebugRules *blkdebug_rules_new(void)
{
    BlkdebugRules *rules = g_new0(BlkdebugRules, 1);

    g_mutex_init(&rules->lock);
    rules->state = 1;
    rules->active = g_ptr_array_new();
    return rules;
}

void blkdebug_rules_free(BlkdebugRules *rules)
{
    for (int event = 0; event < BLKDEBUG_EVENT__MAX; event++) {
        g_clear_pointer(&rules->injects[event], g_ptr_array_unref);
        g_clear_pointer(&rules->set_states[event], g_ptr_array_unref);
    }
    g_ptr_array_unref(rules->active);
    g_mutex_clear(&rules->lock);
    g_free(rules);
}

static bool rules_check_number(const char *name, bool is_given, int64_t value, int64_t min,
                               int64_t max, GError **error)
{
    if (is_given && (value < min || value > max)) {
        cairn_set_error(error, EINVAL, "Parameter '%s' must be between %" PRId64 " and %" PRId64,
                        name, min, max);
        return false;
    }
    return true;
}

bool blkdebug_check_inject(const BlkdebugInjectError *o, GError **error)
{
    return rules_check_number("state", o->has_state, o->state, 0, INT_MAX, error)
        && rules_check_number("errno", o->has_q_errno, o->q_errno, 0, BLKDEBUG_MAX_ERRNO, error)
        && rules_check_number("sector", o->has_sector, o->sector, -1,
                              INT64_MAX / BLKDEBUG_SECTOR_BYTES - 1, error)
        && rules_check_number("skip", o->has_skip, o->skip, 0, INT64_MAX, error);
}

bool blkdebug_check_set_state(const BlkdebugSetState *o, GError **error)
{
    return rules_check_number("state", o->has_state, o->state, 0, INT_MAX, error)
        && rules_check_number("new_state", o->has_new_state, o->new_state, 0, INT_MAX, error);
}

static bool rules_take(BlkdebugRules *rules, GPtrArray **by_event, int *count,
                       const BlkdebugRule *rule, GError **error)
{
    GPtrArray **list = &by_event[rule->event];

    if (*count >= BLKDEBUG_MAX_RULES) {
        cairn_set_error(error, E2BIG, "There are more than %d rules of one kind",
                        BLKDEBUG_MAX_RULES);
        return false;
    }
    if (!*list) {
        *list = g_ptr_array_new_with_free_func(g_free);
    }
    g_ptr_array_add(*list, g_memdup2(rule, sizeof(*rule)));
    (*count)++;
    rules->has_events |= rule->event != BLKDEBUG_EVENT_NONE;
    return true;
}

bool blkdebug_rules_add_inject(BlkdebugRules *rules, const BlkdebugInjectError *o,
                               GError **error)
{
    BlkdebugRule rule = {
        .event = o->event,
        .state = o->has_state ? o->state : 0,
        .iotypes = o->has_iotype ? 1U << o->iotype : ~(1U << BLKDEBUG_IOTYPE_BLOCK_STATUS),
        .errnum = o->has_q_errno ? (int)o->q_errno : EIO,
        .sector = o->has_sector ? o->sector : -1,
        .skip = o->has_skip ? o->skip : 0,
        .once = o->has_once && o->once,
        .immediately = o->has_immediately && o->immediately,
    };

    return blkdebug_check_inject(o, error)
        && rules_take(rules, rules->injects, &rules->n_injects, &rule, error);
}

bool blkdebug_rules_add_set_state(BlkdebugRules *rules, const BlkdebugSetState *o,
                                  GError **error)
{
    BlkdebugRule rule = {
        .event = o->event,
        .state = o->has_state ? o->state : 0,
        .new_state = o->has_new_state ? o->new_state : 0,
    };

    return blkdebug_check_set_state(o, error)
        && rules_take(rules, rules->set_states, &rules->n_set_states, &rule, error);
}

/* ---- events ---------------------------------------------------------------- */

BlkdebugEvent blkdebug_event_find(const char *name)
{
    int event = 0;

    while (event < BLKDEBUG_EVENT__MAX
           && strcmp(qapi_BlkdebugEvent_str((BlkdebugEvent)event), name)) {
        event++;
    }
    return (BlkdebugEvent)event;
}

bool blkdebug_rules_has_events(const BlkdebugRules *rules)
{
    return rules->has_events;
}

static bool rule_waits(const BlkdebugRules *rules, const BlkdebugRule *rule)
{
    return !rule->is_spent && (!rule->state || rule->state == rules->state);
}

/* With the lock held. */
static void rules_activate(BlkdebugRules *rules, const GPtrArray *injects)
{
    bool is_first = true;

    for (guint i = 0; injects && i < injects->len; i++) {
        if (!rule_waits(rules, injects->pdata[i])) {
            continue;
        }
        if (is_first) {
            g_ptr_array_set_size(rules->active, 0);
            is_first = false;
        }
        g_ptr_array_add(rules->active, injects->pdata[i]);
    }
    g_atomic_int_set(&rules->n_active, (gint)rules->active->len);
}

/* Likewise. */
static void rules_move(BlkdebugRules *rules, const GPtrArray *set_states)
{
    for (guint i = 0; set_states && i < set_states->len; i++) {
        const BlkdebugRule *rule = set_states->pdata[i];

        if (rule_waits(rules, rule)) {
            rules->state = rule->new_state;
            return;
        }
    }
}

void blkdebug_rules_event(BlkdebugRules *rules, BlkdebugEvent event)
{
    if (!rules->injects[event] && !rules->set_states[event]) {
        return;
    }
    g_mutex_lock(&rules->lock);
    rules_activate(rules, rules->injects[event]);
    rules_move(rules, rules->set_states[event]);
    g_mutex_unlock(&rules->lock);
}

/* ---- requests --------------------------------------------------------------- */

static bool rule_matches(const BlkdebugRule *rule, BlkdebugIotype iotype, int64_t offset,
                         int64_t bytes)
{
    int64_t start = rule->sector * BLKDEBUG_SECTOR_BYTES;

    if (!(rule->iotypes & 1U << iotype)) {
        return false;
    }
    return rule->sector < 0
        || (offset < start + BLKDEBUG_SECTOR_BYTES && start < offset + bytes);
}

/* With the lock held: the rule that decides, or NULL. */
static BlkdebugRule *rules_find(BlkdebugRules *rules, BlkdebugIotype iotype, int64_t offset,
                                int64_t bytes)
{
    for (guint i = 0; i < rules->active->len; i++) {
        BlkdebugRule *rule = rules->active->pdata[i];

        if (!rule_matches(rule, iotype, offset, bytes)) {
            continue;
        }
        if (!rule->skip) {
            return rule;
        }
        rule->skip--;
    }
    return NULL;
}

int blkdebug_rules_check(BlkdebugRules *rules, BlkdebugIotype iotype, int64_t offset,
                         int64_t bytes, bool *immediately)
{
    BlkdebugRule *rule;
    int ret = 0;

    if (!g_atomic_int_get(&rules->n_active)) {
        return 0;
    }
    g_mutex_lock(&rules->lock);
    rule = rules_find(rules, iotype, offset, bytes);
    if (rule) {
        ret = -rule->errnum;
        *immediately = rule->immediately;
    }
    if (rule && rule->once) {
        rule->is_spent = true;
        g_ptr_array_remove(rules->active, rule);
        g_atomic_int_set(&rules->n_active, (gint)rules->active->len);
    }
    g_mutex_unlock(&rules->lock);
    return ret;
}
