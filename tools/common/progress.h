/* SPDX-License-Identifier: MIT */
/*
 * How far a long command has come. On stdout: to a pipe the form that scripts know, on a terminal
 * with rate and time left. On stderr: JSON lines; and one line where nothing of that is printed and
 * SIGUSR1 asks, which leaves stdout to what the command itself prints.
 */
#ifndef TOOLS_COMMON_PROGRESS_H
#define TOOLS_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ToolProgressMode {
    TOOL_PROGRESS_NONE, TOOL_PROGRESS_TEXT, TOOL_PROGRESS_JSON,
} ToolProgressMode;

typedef struct ToolProgress {
    ToolProgressMode mode;
    bool is_terminal;
    int64_t start_us, last_us;  /* monotonic */
    double last_percent;        /* as last printed */
    size_t last_width;          /* columns of the line on the terminal */
    int64_t done, total;        /* bytes, as last told */
} ToolProgress;

/* @quiet wins over @mode, but not over SIGUSR1. From here on SIGUSR1 does not end the program. */
void tool_progress_prepare(ToolProgress *progress, ToolProgressMode mode, bool quiet);
/* Prints the first line (0.00) in the modes that print. */
void tool_progress_start(ToolProgress *progress);
/* Both. */
void tool_progress_begin(ToolProgress *progress, ToolProgressMode mode, bool quiet);
/* Prints a line if enough has changed, or if SIGUSR1 has come. */
void tool_progress_update(ToolProgress *progress, int64_t done, int64_t total);
/* All done: prints 100.00. */
void tool_progress_complete(ToolProgress *progress);
/* Ends the line; call on success and on failure. */
void tool_progress_end(ToolProgress *progress);

#endif
