/* SPDX-License-Identifier: MIT */
/* One run of cairn-img: forked, bounded, its output kept. */
#ifndef TESTS_HOSTILE_RUN_H
#define TESTS_HOSTILE_RUN_H

#include <glib.h>

/* Then it hangs: of CPU, and of waiting, on a machine that has other work too. */
#define RUN_CPU_SECONDS 10
#define RUN_SECONDS 60

typedef struct ToolRun {
    int status;                 /* of the exit; 128 + n for signal n */
    char *out, *err;
    gint64 rss;                 /* bytes: the most that was resident at once */
    gint64 cpu_us;
} ToolRun;

/*
 * @tool: the program to execute, or NULL: the same code, linked in, which saves its start.
 * @words: after the program's name, NULL-ended.
 */
ToolRun tool_run(const char *tool, const char *folder, const char *const *words);
void tool_run_clear(ToolRun *run);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ToolRun, tool_run_clear)

#endif
