/* SPDX-License-Identifier: MIT */
/*
 * 1. SIGUSR1 stays blocked and is asked for at each update: no handler, so no global and no
 *    interrupted system call. Threads started later inherit the blocking.
 * 2. A line on a terminal covers the one before it with blanks: no escape sequences, so it suits
 *    every terminal.
 */
#include "common/progress.h"

#include <cairn/size.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Least step that is worth a line, and on a terminal the least time between two. */
#define PROGRESS_STEP_PERCENT 1.0
#define PROGRESS_TERMINAL_US 100000
#define PROGRESS_RATE_SECONDS 0.2       /* before that a rate says little */

static void progress_block_signal(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool progress_take_signal(void)
{
    const struct timespec now = { 0 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return sigtimedwait(&set, NULL, &now) == SIGUSR1;
}

static double progress_percent(const ToolProgress *p)
{
    return p->total > 0 ? 100.0 * p->done / p->total : 0.0;
}

static double progress_seconds(const ToolProgress *p)
{
    return (p->last_us - p->start_us) / 1e6;
}

/* " 123 MiB/s, 0:01:07 left": what a person at a terminal wants to know beside the percentage. */
static void progress_append_rate(const ToolProgress *p, GString *line)
{
    double seconds = progress_seconds(p);
    double rate = seconds > PROGRESS_RATE_SECONDS ? p->done / seconds : 0;
    g_autofree char *text = NULL;
    int64_t left;

    if (rate < 1) {
        return;
    }
    text = cairn_format_size(rate);
    left = (p->total - p->done) / rate;
    g_string_append_printf(line, " %s/s, %" PRId64 ":%02d:%02d left", text, left / 3600,
                           (int)(left / 60 % 60), (int)(left % 60));
}

static void progress_print_text(ToolProgress *p, double percent)
{
    g_autoptr(GString) line = g_string_new(NULL);
    size_t width;

    g_string_append_printf(line, "    (%3.2f/100%%)", percent);
    if (p->is_terminal) {
        progress_append_rate(p, line);
    }
    width = line->len;
    while (p->is_terminal && line->len < p->last_width) {
        g_string_append_c(line, ' ');
    }
    p->last_width = width;
    printf("%s\r", line->str);
    fflush(stdout);
}

static void progress_print_json(const ToolProgress *p)
{
    fprintf(stderr, "{\"percent\": %.2f, \"done\": %" PRId64 ", \"total\": %" PRId64
            ", \"seconds\": %.3f}\n", progress_percent(p), p->done, p->total,
            progress_seconds(p));
}

static void progress_print(ToolProgress *p, double percent)
{
    p->last_percent = percent;
    if (p->mode == TOOL_PROGRESS_JSON) {
        progress_print_json(p);
    } else {
        progress_print_text(p, percent);
    }
}

void tool_progress_prepare(ToolProgress *p, ToolProgressMode mode, bool quiet)
{
    *p = (ToolProgress) {
        .mode = quiet ? TOOL_PROGRESS_NONE : mode,
        .is_terminal = isatty(STDOUT_FILENO),
        .start_us = g_get_monotonic_time(),
    };
    p->last_us = p->start_us;
    progress_block_signal();
}

void tool_progress_start(ToolProgress *p)
{
    p->last_us = p->start_us = g_get_monotonic_time();
    if (p->mode != TOOL_PROGRESS_NONE) {
        progress_print(p, 0);
    }
}

void tool_progress_begin(ToolProgress *p, ToolProgressMode mode, bool quiet)
{
    tool_progress_prepare(p, mode, quiet);
    tool_progress_start(p);
}

void tool_progress_update(ToolProgress *p, int64_t done, int64_t total)
{
    bool asked = progress_take_signal();
    int64_t now = g_get_monotonic_time();
    double percent, step;
    bool due;

    p->done = done;
    p->total = total;
    percent = progress_percent(p);
    step = percent - p->last_percent;
    due = step >= PROGRESS_STEP_PERCENT ||
          (p->is_terminal && step > 0 && now - p->last_us >= PROGRESS_TERMINAL_US);
    if (p->mode == TOOL_PROGRESS_NONE && asked) {
        fprintf(stderr, "    (%3.2f/100%%)\n", percent);
    } else if (p->mode != TOOL_PROGRESS_NONE && (due || asked)) {
        p->last_us = now;
        progress_print(p, percent);
    }
}

void tool_progress_complete(ToolProgress *p)
{
    if (p->mode == TOOL_PROGRESS_NONE) {
        return;
    }
    p->done = p->total;
    p->last_us = g_get_monotonic_time();
    if (p->mode == TOOL_PROGRESS_TEXT || p->last_percent < 100.0 || p->total == 0) {
        progress_print(p, 100.0);
    }
}

void tool_progress_end(ToolProgress *p)
{
    if (p->mode == TOOL_PROGRESS_TEXT) {
        putchar('\n');
        fflush(stdout);
    }
}
