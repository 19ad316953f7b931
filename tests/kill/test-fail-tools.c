/* SPDX-License-Identifier: MIT */
/*
 * The tools, when the system fails them once: each call that changes a file, and each allocation of
 * the sizes that images and options ask for. The command ends with a message and a status that is
 * not 0, or does its work; no signal ends it, nothing that looks whole is not, and nothing is left
 * behind.
 */
#include "commands.h"
#include "kill-run.h"

#include <errno.h>

/* Above buffers of a page, which are there whatever is asked for. */
enum { LEAST_BYTES = 4100 };

/* In @env the command fails, or makes up for what failed. */
static void run_failing(Run *run, const Course *course, char **env)
{
    g_auto(ToolRun) tool = { 0 };

    course_restart(course, run);
    tool = run_tool(run, env);
    if (tool.status > 5 || (tool.status && !tool.err[0])) {
        g_error("%s: ends with %d and says '%s'", run->command->line, tool.status, tool.err);
    }
    if (tool.status) {
        run->hits++;
        course_assert_stopped(course, run);
        course_assert_tidy(run);
    } else {
        course_assert_done(course, run);
    }
}

static void fail_calls(Run *run)
{
    g_autofree char *count = tool_path(&run->folder, "count");
    g_auto(Course) course = { 0 };

    course_init(&course, run, fail_environment(KILL_NEVER, EIO, count));
    g_assert_cmpuint(course.calls, >, 0);
    for (guint at = 1; at <= course.calls; at++) {
        g_test_message("%s: call %u of %u fails", run->command->name, at, course.calls);
        run_failing(run, &course, fail_environment(at, at % 2 ? EIO : ENOSPC, NULL));
    }
}

static void fail_allocations(Run *run)
{
    g_autofree char *count = tool_path(&run->folder, "count");
    g_auto(Course) course = { 0 };

    course_init(&course, run, alloc_environment(KILL_NEVER, LEAST_BYTES, count));
    for (guint at = 1; at <= course.calls; at++) {
        g_test_message("%s: allocation %u of %u fails", run->command->name, at, course.calls);
        run_failing(run, &course, alloc_environment(at, LEAST_BYTES, NULL));
    }
}

static void for_each(const Command *commands, void (*func)(Run *run))
{
    Run run;

    run_setup(&run);
    for (run.command = commands; run.command->name; run.command++) {
        func(&run);
    }
    g_assert_cmpuint(run.hits, >, 0);
    g_test_message("%u commands failed", run.hits);
    run_teardown(&run);
}

static void test_calls(void)
{
    for_each(writing_commands, fail_calls);
}

static void test_allocations_of_writers(void)
{
    for_each(writing_commands, fail_allocations);
}

static void test_allocations_of_readers(void)
{
    for_each(reading_commands, fail_allocations);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fail/tools/each-call/is-told", test_calls);
    if (g_getenv("CAIRN_ALLOC_LIBRARY")) {
        g_test_add_func("/fail/tools/each-allocation-of-writers/is-told",
                        test_allocations_of_writers);
        g_test_add_func("/fail/tools/each-allocation-of-readers/is-told",
                        test_allocations_of_readers);
    }
    return g_test_run();
}
