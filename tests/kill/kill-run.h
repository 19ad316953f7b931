/* SPDX-License-Identifier: MIT */
/* Runs of programs that are killed at a chosen call; see kill-at.c. */
#ifndef TESTS_KILL_RUN_H
#define TESTS_KILL_RUN_H

#include <glib.h>

enum { KILL_NEVER = 0 };

/*
 * The environment for a child that is killed at its call number @at, of which @part thousandths are
 * done; or that tells in the file @count how many calls it made (NULL: it does not). Free with
 * g_strfreev().
 */
char **kill_environment(guint at, int part, const char *count);

/* Likewise, for a child whose call number @at fails with the errno @error. */
char **fail_environment(guint at, int error, const char *count);
/* Likewise, for a child whose allocation number @at of those of at least @least bytes fails. */
char **alloc_environment(guint at, gsize least, const char *count);

/* How many calls a child made that told so in the file @count, which is removed. */
guint kill_read_count(const char *count);

typedef void KillRunFunc(guint32 seed, gpointer opaque);

/* CAIRN_KILL_RUNS runs (@runs by default), with seeds from CAIRN_KILL_SEED on. */
void kill_each_seed(guint runs, KillRunFunc *func, gpointer opaque);

#endif
