/* SPDX-License-Identifier: MIT */
/* cairn-io: breakpoints, at which requests stop until a later command lets them go on. */
#include "io/io.h"

#include <stdio.h>

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
        if (shell->pending == 0) {
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
