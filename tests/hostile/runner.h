/* SPDX-License-Identifier: MIT */
/* The runner's state, between main.c and runner.c. */
#ifndef TESTS_HOSTILE_RUNNER_H
#define TESTS_HOSTILE_RUNNER_H

#include "hostile.h"

#define RUNNER_COMMANDS 8

typedef struct HostileMost {
    gint64 rss, cpu_us;         /* over all runs of a command; rss: over start-up */
    guint runs;
} HostileMost;

struct HostileRunner {
    const char *tool;           /* NULL: the code linked in */
    const char *only;           /* a pattern of names, or NULL */
    const char *make;           /* the folder that the chosen case is only written to, or NULL */
    gboolean is_all;            /* sampled families run whole */
    char *folder;               /* the case at hand */
    gint64 start_rss;           /* bytes: a run that does nothing */
    guint family_count, cases, failures;
    HostileMost most[RUNNER_COMMANDS];
};

extern const char *const runner_commands[RUNNER_COMMANDS];

#endif
