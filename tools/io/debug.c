/* SPDX-License-Identifier: MIT */
/*
 * cairn-io: breakpoints, at which requests stop until a later command lets them go on.
 *
 * 1. Commands run one after the other, so while one waits nothing can resume a request: a command
 *    that waits for a stopped one lets it go on, says so, and has failed.
 * 2. wait_break waits only while some started request still moves.
 */
#include "io/io.h"

#include <stdio.h>
#include <string.h>

/* ---- what has stopped ---- */

/* One place where a request stands; it may stand at several breakpoints of one event. */
typedef struct IoStopped {
    char *tag;
    const Coroutine *request;
} IoStopped;

static void stopped_free(void *opaque)
{
    IoStopped *stopped = opaque;

    g_free(stopped->tag);
    g_free(stopped);
}

GPtrArray *io_debug_new(void)
{
    return g_ptr_array_new_with_free_func(stopped_free);
}

static void debug_add_stopped(IoShell *shell, char *tag)
{
    IoStopped *stopped = g_new(IoStopped, 1);

    *stopped = (IoStopped) { .tag = tag, .request = coroutine_self() };
    g_ptr_array_add(shell->stopped, stopped);
}

/* The newest at @tag goes first. */
static void debug_remove_stopped(IoShell *shell, const char *tag)
{
    for (guint i = shell->stopped->len; i-- > 0;) {
        const IoStopped *stopped = g_ptr_array_index(shell->stopped, i);

        if (!strcmp(stopped->tag, tag)) {
            g_ptr_array_remove_index(shell->stopped, i);
            return;
        }
    }
}

/* How many requests stand at breakpoints. */
static int debug_count_stopped(const IoShell *shell)
{
    g_autoptr(GHashTable) requests = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < shell->stopped->len; i++) {
        const IoStopped *stopped = g_ptr_array_index(shell->stopped, i);

        g_hash_table_add(requests, (gpointer)stopped->request);
    }
    return (int)g_hash_table_size(requests);
}

/* Whether the request that the running command waits for has stopped, as all have. */
static bool debug_is_stuck(const IoShell *shell)
{
    return shell->waiting && debug_count_stopped(shell) >= shell->pending + 1;
}

static void debug_resume_if_stuck(void *opaque)
{
    IoShell *shell = opaque;

    shell->resume_scheduled = false;
    if (debug_is_stuck(shell)) {
        io_debug_resume_stopped(shell);
        io_debug_check(shell);
    }
}

void io_debug_check(IoShell *shell)
{
    if (!shell->resume_scheduled && debug_is_stuck(shell)) {
        shell->resume_scheduled = true;
        aio_bh_schedule_oneshot(shell->aio, debug_resume_if_stuck, shell);
    }
}

/* The tag in "blkdebug: Suspended request 'TAG'"; NULL if @text does not begin with @start. */
static char *debug_tag_of(const char *text, const char *start)
{
    size_t length = strlen(text);

    if (!g_str_has_prefix(text, start) || text[length - 1] != '\'') {
        return NULL;
    }
    text += strlen(start);
    return g_strndup(text, strlen(text) - 1);
}

void io_debug_notice(const char *text, void *opaque)
{
    IoShell *shell = opaque;
    char *suspended = debug_tag_of(text, "blkdebug: Suspended request '");
    g_autofree char *resumed = debug_tag_of(text, "blkdebug: Resuming request '");

    io_input_async_line(shell);
    printf("%s\n", text);
    if (suspended) {
        debug_add_stopped(shell, suspended);
        io_debug_check(shell);
    } else if (resumed) {
        debug_remove_stopped(shell, resumed);
    }
}

void io_debug_resume_stopped(IoShell *shell)
{
    if (shell->stopped->len > 0) {
        const IoStopped *first = g_ptr_array_index(shell->stopped, 0);
        g_autofree char *tag = g_strdup(first->tag);

        io_error("the request suspended at '%s' goes on: the command waits for it", tag);
        shell->async_failed = true;
        blk_debug_resume(shell->blk, tag, NULL);
    }
}

/* ---- commands ---- */

/* Takes the error over, and says it after @what. Returns @ok. */
static bool debug_report(bool ok, const char *what, GError *error)
{
    if (!ok) {
        printf("%s: %s\n", what, error->message);
        g_error_free(error);
    }
    return ok;
}

bool io_cmd_break(IoShell *shell, int argc, char **argv)
{
    GError *error = NULL;
    bool ok = blk_debug_breakpoint(shell->blk, argv[1], argv[2], &error);

    return debug_report(ok, "Could not set breakpoint", error);
}

bool io_cmd_remove_break(IoShell *shell, int argc, char **argv)
{
    g_autofree char *what = g_strdup_printf("Could not remove breakpoint %s", argv[1]);
    GError *error = NULL;
    bool ok = blk_debug_remove_breakpoint(shell->blk, argv[1], &error);

    return debug_report(ok, what, error);
}

bool io_cmd_resume(IoShell *shell, int argc, char **argv)
{
    GError *error = NULL;
    bool ok = blk_debug_resume(shell->blk, argv[1], &error);

    return debug_report(ok, "Could not resume request", error);
}

bool io_cmd_wait_break(IoShell *shell, int argc, char **argv)
{
    const char *tag = argv[1];
    int ret;

    while ((ret = blk_debug_is_suspended(shell->blk, tag)) == 0) {
        if (debug_count_stopped(shell) >= shell->pending) {
            printf("Could not wait for breakpoint %s: no started request can come to it\n", tag);
            return false;
        }
        aio_context_poll(shell->aio, true);
    }
    if (ret < 0) {
        printf("Could not wait for breakpoint %s: %s\n", tag, g_strerror(-ret));
    }
    return ret > 0;
}
