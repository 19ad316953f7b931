/* SPDX-License-Identifier: MIT */
/*
 * The tools, killed at random moments. Whatever the moment: a new file is whole or is not there, or
 * the old one still is; an image that was changed in place reads as before or as after, and checks
 * clean but for leaks; what it only reads from is untouched. The same command, made again, ends
 * well, and leaves nothing behind.
 */
#include "commands.h"
#include "kill-run.h"

enum { RUNS = 36, KILLS = 4, KILLED = 128 + 9 };

static guint count_commands(void)
{
    guint n = 0;

    while (writing_commands[n].name) {
        n++;
    }
    return n;
}

static int run_status(const Run *run, char **env)
{
    g_auto(ToolRun) tool = run_tool(run, env);

    if (tool.status != KILLED && tool.status != 0) {
        g_error("%s: %d, %s", run->command->line, tool.status, tool.err);
    }
    return tool.status;
}

static void kill_command(guint32 seed, gpointer opaque)
{
    Run *run = opaque;
    GRand *rand = g_rand_new_with_seed(seed);
    g_autofree char *count = tool_path(&run->folder, "count");
    g_auto(Course) course = { 0 };

    run->command = &writing_commands[seed % count_commands()];
    course_init(&course, run, kill_environment(KILL_NEVER, 0, count));
    g_assert_cmpuint(course.calls, >, 0);
    for (int i = 0; i < KILLS; i++) {
        guint at = (guint)g_rand_int_range(rand, 1, (gint32)course.calls + 1);
        int part = g_rand_int_range(rand, 0, 1001);

        g_test_message("%s: killed at call %u of %u", run->command->name, at, course.calls);
        course_restart(&course, run);
        run->hits += run_status(run, kill_environment(at, part, NULL)) == KILLED;
        course_assert_stopped(&course, run);
        g_assert_cmpint(run_status(run, NULL), ==, 0);
        course_assert_done(&course, run);
    }
    g_rand_free(rand);
}

static void test_kill(void)
{
    Run run;

    run_setup(&run);
    kill_each_seed(RUNS, kill_command, &run);
    g_assert_cmpuint(run.hits, >, 0);
    g_test_message("%u commands killed", run.hits);
    run_teardown(&run);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kill/tools/old-or-new-and-the-next-run-ends-well", test_kill);
    return g_test_run();
}
