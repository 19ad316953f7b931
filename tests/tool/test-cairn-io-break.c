/* SPDX-License-Identifier: MIT */
/* cairn-io's breakpoints, where the peer's tool would wait for ever. */
#include "tool-run.h"

#include <string.h>

#define IMAGE "-f raw blkdebug::a"
#define STARTED "-c 'break pwritev A' -c 'aio_write -q -P 1 0 512' -c 'wait_break A' "
#define SUSPENDED "blkdebug: Suspended request 'A'\n"
#define RESUMING "blkdebug: Resuming request 'A'\n"
#define NOBODY "Could not wait for breakpoint B: no started request can come to it\n"

typedef struct BreakCase {
    const char *claim, *commands, *out;
    int status;
} BreakCase;

/* wait_break: what is printed, and the exit status. */
static const BreakCase waits[] = {
    { "/io/wait_break/unknown-tag/fails-at-once", "-c 'wait_break A'",
      "Could not wait for breakpoint A: No such file or directory\n", 1 },
    { "/io/wait_break/no-request/fails-at-once",
      "-c 'break pwritev B' -c 'wait_break B'", NOBODY, 1 },
    { "/io/wait_break/removed/fails-at-once",
      "-c 'break pwritev A' -c 'remove_break A' -c 'wait_break A'",
      "Could not wait for breakpoint A: No such file or directory\n", 1 },
    { "/io/wait_break/all-have-stopped/fails-at-once",
      STARTED "-c 'break pwritev B' -c 'wait_break B' -c 'resume A'",
      SUSPENDED NOBODY RESUMING, 1 },
    { "/io/wait_break/one-stands-at-two/counts-once",
      "-c 'break pwritev A' -c 'break pwritev A' -c 'aio_write -q 0 512' -c 'break pwritev_done B' "
      "-c 'aio_write -q 4k 512' -c 'wait_break B' -c 'resume B' -c 'resume A' -c 'resume A'",
      SUSPENDED SUSPENDED "blkdebug: Suspended request 'B'\nblkdebug: Resuming request 'B'\n"
      RESUMING RESUMING, 0 },
    { "/io/wait_break/request-that-ends-elsewhere/fails",
      "-c 'break pwritev B' -c 'aio_read -q 0 512' -c 'wait_break B'", NOBODY, 1 },
    { "/io/break/while-another-command-waits/stays",
      "-c 'break pwritev_done A' -c 'aio_write -q 0 512' -c 'read -q 4k 512' -c 'readv -q 8k 512' "
      "-c 'wait_break A' -c 'resume A'", SUSPENDED RESUMING, 0 },
};

/* Commands that would wait for the stopped request. */
static const BreakCase deadlocks[] = {
    { "/io/break/aio_flush/lets-go-on", STARTED "-c aio_flush", SUSPENDED RESUMING },
    { "/io/break/close/lets-go-on", STARTED "-c close", SUSPENDED RESUMING },
    { "/io/break/end/lets-go-on", STARTED, SUSPENDED RESUMING },
    { "/io/break/quit/lets-go-on", STARTED "-c quit", SUSPENDED RESUMING },
    { "/io/break/reopen/lets-go-on", STARTED "-c 'reopen -r'", SUSPENDED RESUMING },
    { "/io/break/write/lets-go-on", "-c 'break pwritev A' -c 'write -q -P 1 0 512'",
      SUSPENDED RESUMING },
    { "/io/break/write-after-a-started-one/lets-go-on",
      "-c 'aio_read -q 4k 512' -c 'break pwritev A' -c 'write -q -P 1 0 512'", SUSPENDED RESUMING },
    { "/io/break/writev/lets-go-on", "-c 'break pwritev_done A' -c 'writev -q -P 1 0 256 256'",
      SUSPENDED RESUMING },
    { "/io/break/flush/lets-go-on",
      "-c 'write -q -P 1 0 512' -c 'break flush_to_disk A' -c flush", SUSPENDED RESUMING },
};

static ToolRun run_case(ToolFolder *f, const BreakCase *c)
{
    g_autofree char *line = g_strdup_printf("%s " IMAGE, c->commands);

    tool_make_raw(f, "a", 1 << 20, 65536);
    return tool_run(f, line);
}

static void test_wait(ToolFolder *f, gconstpointer data)
{
    const BreakCase *c = data;
    g_auto(ToolRun) run = run_case(f, c);

    g_assert_cmpstr(run.out, ==, c->out);
    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpint(run.status, ==, c->status);
}

static void test_deadlock(ToolFolder *f, gconstpointer data)
{
    const BreakCase *c = data;
    g_auto(ToolRun) run = run_case(f, c);

    g_assert_cmpstr(run.out, ==, c->out);
    g_assert_cmpstr(run.err, ==, "cairn-io: the request suspended at 'A' goes on: "
                    "the command waits for it\n");
    g_assert_cmpint(run.status, ==, 1);
    tool_must(f, "-f raw -c 'read -q -P 1 0 512' a");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(waits); i++) {
        g_test_add(waits[i].claim, ToolFolder, &waits[i], tool_folder_setup, test_wait,
                   tool_folder_teardown);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(deadlocks); i++) {
        g_test_add(deadlocks[i].claim, ToolFolder, &deadlocks[i], tool_folder_setup, test_deadlock,
                   tool_folder_teardown);
    }
    return g_test_run();
}
