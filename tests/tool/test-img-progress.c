/* SPDX-License-Identifier: MIT */
/*
 * How cairn-img tells how far it has come: to a pipe, on a terminal, as JSON, and when asked by a
 * signal.
 */
#include "tool-run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void pipe_has_known_form(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a.raw", 1 << 20, 1 << 20);
    run = tool_run(f, "convert -p a.raw b.raw");
    g_assert_true(g_str_has_prefix(run.out, "    (0.00/100%)\r"));
    g_assert_true(g_str_has_suffix(run.out, "    (100.00/100%)\r    (100.00/100%)\r\n"));
    g_assert_cmpstr(run.err, ==, "");
}

static void quiet_prints_nothing(ToolFolder *f, gconstpointer data)
{
    static const char *const lines[] = {
        "convert -p -q a.raw b.raw", "convert -q -p a.raw b.raw",
        "convert -q --progress=json a.raw b.raw",
    };

    tool_make_raw(f, "a.raw", 1 << 20, 1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run(f, lines[i]);

        g_assert_cmpstr(run.out, ==, "");
        g_assert_cmpstr(run.err, ==, "");
        g_assert_cmpint(run.status, ==, 0);
    }
}

static void json_is_lines_on_stderr(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };
    g_auto(GStrv) lines = NULL;
    guint count;

    tool_make_raw(f, "a.raw", 1 << 20, 1 << 20);
    run = tool_run(f, "convert --progress=json a.raw b.raw");
    g_assert_cmpstr(run.out, ==, "");
    lines = g_strsplit(run.err, "\n", -1);
    count = g_strv_length(lines);
    g_assert_cmpuint(count, >=, 3);
    for (guint i = 0; i + 1 < count; i++) {
        g_assert_true(g_regex_match_simple("^\\{\"percent\": [0-9.]+, \"done\": \\d+, "
                                           "\"total\": \\d+, \"seconds\": [0-9.]+\\}$",
                                           lines[i], 0, 0));
    }
    g_assert_true(g_str_has_prefix(lines[count - 2], "{\"percent\": 100.00, \"done\": 1048576"));
}

static void child_ask_for_progress(gpointer data)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);             /* stays pending across the exec */
}

static void signal_prints_one_line(ToolFolder *f, gconstpointer data)
{
    const char *lines[][2] = {
        { "convert a.raw b.raw", "^    \\(\\d+\\.\\d\\d/100%\\)\n$" },
        { "convert -q a.raw b.raw", "^    \\(\\d+\\.\\d\\d/100%\\)\n$" },
        { "dd if=a.raw of=c.raw", "^    \\(100\\.00/100%\\)\n$" },
    };

    tool_make_raw(f, "a.raw", 1 << 20, 1 << 20);
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(ToolRun) run = tool_run_setup(f, lines[i][0], child_ask_for_progress);

        g_assert_cmpint(run.status, ==, 0);
        g_assert_cmpstr(run.out, ==, "");
        g_assert_true(g_regex_match_simple(lines[i][1], run.err, 0, 0));
    }
}

/* ---- a terminal ------------------------------------------------------------- */

static int open_terminal(char **other_end)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(grantpt(fd), ==, 0);
    g_assert_cmpint(unlockpt(fd), ==, 0);
    *other_end = g_strdup(ptsname(fd));
    return fd;
}

static void child_use_terminal(gpointer data)
{
    int fd = open(data, O_RDWR | O_NOCTTY);

    dup2(fd, STDOUT_FILENO);
}

/* Reads what the program writes until it ends, which a terminal tells by an error. */
static char *read_terminal(int fd)
{
    GString *text = g_string_new(NULL);
    char buf[4096];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        g_string_append_len(text, buf, n);
    }
    return g_string_free(text, FALSE);
}

/* The copy is slowed down to some tenths of a second, so that there is a rate to show. */
static void terminal_shows_rate_and_time(ToolFolder *f, gconstpointer data)
{
    char *argv[] = { (char *)g_getenv("CAIRN_TOOL"), "convert", "-p", "-m", "1", "-r", "4M",
                     "a.raw", "b.raw", NULL };
    g_autofree char *name = NULL, *text = NULL;
    int fd = open_terminal(&name), status;
    GPid pid;

    tool_make_raw(f, "a.raw", 4 << 20, 4 << 20);
    g_assert_true(g_spawn_async(f->path, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
                                child_use_terminal, name, &pid, NULL));
    text = read_terminal(fd);
    waitpid(pid, &status, 0);
    close(fd);
    g_assert_cmpint(status, ==, 0);
    g_test_message("%s", text);
    g_assert_true(g_regex_match_simple("    \\(\\d+\\.\\d\\d/100%\\) [0-9.]+ [KM]iB/s, "
                                       "0:00:0\\d left *\r", text, 0, 0));
    g_assert_null(strchr(text, '\033'));
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/img/progress/pipe/has-the-known-form", pipe_has_known_form);
    CASE("/img/progress/quiet/prints-nothing", quiet_prints_nothing);
    CASE("/img/progress/json/is-lines-on-stderr", json_is_lines_on_stderr);
    CASE("/img/progress/signal/prints-one-line", signal_prints_one_line);
    CASE("/img/progress/terminal/shows-rate-and-time-left", terminal_shows_rate_and_time);
    return g_test_run();
}
