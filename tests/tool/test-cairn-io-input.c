/* SPDX-License-Identifier: MIT */
/* cairn-io: whatever comes on standard input, and how it ends. */
#include "tool-talk.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1 << 20)
#define MANY 4000

/* Standard input of the tool that is run next; used in the child. */
static int input_fd = -1;

static void use_input(gpointer data)
{
    dup2(input_fd, STDIN_FILENO);
}

/* Runs @words with @bytes of @text on standard input. */
static ToolRun run_with_input(const ToolFolder *f, const char *words, const char *text,
                              size_t bytes)
{
    g_autofree char *path = tool_path(f, "input");
    ToolRun run;

    tool_write_file(f, "input", text, bytes);
    input_fd = open(path, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint(input_fd, >=, 0);
    run = tool_run_setup(f, words, use_input);
    close(input_fd);
    return run;
}

/* ---- what is no line ------------------------------------------------------------- */

static void nul_is_refused(ToolFolder *f, gconstpointer data)
{
    static const char text[] = "length\0ignored\nlength\n";
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    run = run_with_input(f, "-f raw a", text, sizeof(text) - 1);
    g_assert_cmpstr(run.out, ==, "cairn-io> cairn-io> 1 MiB\ncairn-io> ");
    g_assert_cmpstr(run.err, ==, "cairn-io: a line with a NUL byte is ignored\n");
    g_assert_cmpint(run.status, ==, 1);
}

static void long_line_is_refused(ToolFolder *f, gconstpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    for (int i = 0; i < 400000; i++) {
        g_string_append(text, "length ");
    }
    g_string_append(text, "\nlength\n");
    run = run_with_input(f, "-f raw a", text->str, text->len);
    g_assert_cmpstr(run.out, ==, "cairn-io> cairn-io> 1 MiB\ncairn-io> ");
    g_assert_cmpstr(run.err, ==, "cairn-io: a line of more than 1048576 bytes is ignored\n");
    g_assert_cmpint(run.status, ==, 1);
}

static void long_line_without_end_is_refused(ToolFolder *f, gconstpointer data)
{
    g_autofree char *text = g_malloc(3 * MIB);
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    memset(text, 'x', 3 * MIB);
    run = run_with_input(f, "-f raw a", text, 3 * MIB);
    g_assert_cmpstr(run.err, ==, "cairn-io: a line of more than 1048576 bytes is ignored\n");
    g_assert_cmpint(run.status, ==, 1);
}

static void longest_line_is_taken(ToolFolder *f, gconstpointer data)
{
    g_autofree char *text = g_malloc(MIB + 1);
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    memset(text, ' ', MIB);
    memcpy(text + MIB - 6, "length\n", 7);
    run = run_with_input(f, "-f raw a", text, MIB + 1);
    g_assert_cmpstr(run.out, ==, "cairn-io> 1 MiB\ncairn-io> ");
    g_assert_cmpint(run.status, ==, 0);
}

static void noise_harms_nothing(ToolFolder *f, gconstpointer data)
{
    g_autofree guint8 *text = g_malloc(65536);
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    tool_make_raw(f, "a", MIB, 65536);
    tool_make_raw(f, "b", MIB, 65536);
    for (int round = 0; round < 8; round++) {
        g_auto(ToolRun) run = { 0 };

        for (int i = 0; i < 65536; i++) {
            text[i] = (guint8)g_rand_int(rand);
        }
        run = run_with_input(f, "-f raw a", (const char *)text, 65536);
        g_assert_cmpint(run.status, ==, 1);
    }
    tool_assert_same_files(f, "a", "b");
}

/* Words of commands in any order, on an image that may be spoilt: no crash, no hang. */
static void word_salad_ends(ToolFolder *f, gconstpointer data)
{
    static const char *const words[] = {
        "read", "write", "readv", "writev", "aio_read", "aio_write", "aio_flush", "discard",
        "flush", "map", "alloc", "length", "info", "truncate", "close", "open", "reopen", "help",
        "break", "resume", "wait_break", "remove_break", "-P", "-z", "-c", "-C", "-q", "-s", "-l", "-v",
        "-u", "-n", "-f", "-r", "-w", "-o", "-m", "0", "1", "512", "4k", "64k", "0x200", "-1",
        "8E", "off", "a", "driver=raw", "driver=qcow", "A", "pwritev", "none", "\n", "\n", "\n",
    };
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (int round = 0; round < 20; round++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_auto(ToolRun) run = { 0 };

        tool_make_raw(f, "a", MIB, 65536);
        for (int i = 0; i < 2000; i++) {
            g_string_append_printf(text, "%s ", words[g_rand_int_range(rand, 0,
                                                                     G_N_ELEMENTS(words))]);
        }
        run = run_with_input(f, "-f raw a", text->str, text->len);
        g_assert_cmpint(run.status, ==, 1);
    }
}

/* ---- much at once ------------------------------------------------------------------- */

static void many_requests_in_flight(ToolFolder *f, gconstpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(ToolRun) run = { 0 };
    g_autofree char *content = NULL;
    size_t bytes;

    tool_make_raw(f, "a", (gint64)MANY * 512, 0);
    for (int i = 0; i < MANY; i++) {
        g_string_append_printf(text, "aio_write -q -P %d %d 512\n", 1 + i % 255, i * 512);
    }
    run = run_with_input(f, "-f raw a", text->str, text->len);
    g_assert_cmpint(run.status, ==, 0);
    content = tool_read_file(f, "a", &bytes);
    g_assert_cmpuint(bytes, ==, MANY * 512);
    for (size_t i = 0; i < bytes; i++) {
        g_assert_cmpint((guint8)content[i], ==, 1 + i / 512 % 255);
    }
}

static void many_requests_then_quit(ToolFolder *f, gconstpointer data)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    for (int i = 0; i < MANY; i++) {
        g_string_append_printf(text, "aio_write -q -P 7 0 %dk\naio_read -q 0 64k\n", 1 + i % 64);
    }
    g_string_append(text, "quit\n");
    run = run_with_input(f, "-f raw a", text->str, text->len);
    g_assert_cmpstr(run.err, ==, "");
    g_assert_cmpint(run.status, ==, 0);
    tool_must(f, "-f raw -c 'read -q -P 7 0 64k' a");
}

/* ---- how it ends ---------------------------------------------------------------------- */

static void input_ends_in_a_line(ToolFolder *f, gconstpointer data)
{
    ToolTalk talk;

    tool_make_raw(f, "a", MIB, 0);
    tool_talk_start(&talk, f, "-f raw a");
    tool_talk_say(&talk, "aio_write -P 7 4k 1020k\nwrite -P 8 0 5");
    g_assert_cmpint(tool_talk_end(&talk), ==, 0);
    tool_must(f, "-f raw -c 'read -q -P 7 4k 1020k' -c 'read -q -P 8 0 5' a");
}

static void interrupt_ends(ToolFolder *f, gconstpointer data)
{
    ToolTalk talk;

    tool_make_raw(f, "a", MIB, 0);
    tool_talk_start(&talk, f, "-f raw a");
    tool_talk_say(&talk, "length\n");
    tool_talk_hear(&talk, "1 MiB\ncairn-io> ");
    kill(talk.pid, SIGINT);
    g_assert_cmpint(tool_talk_end(&talk), ==, 128 + SIGINT);
}

static void nobody_listens_ends(ToolFolder *f, gconstpointer data)
{
    int status;
    ToolTalk talk;

    tool_make_raw(f, "a", MIB, 0);
    tool_talk_start(&talk, f, "-f raw a");
    tool_talk_hear(&talk, "cairn-io> ");
    close(talk.out);
    tool_talk_say(&talk, "length\n");
    g_assert_cmpint(waitpid(talk.pid, &status, 0), ==, talk.pid);
    g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    close(talk.in);
    g_string_free(talk.heard, TRUE);
}

static void close_standard_files(gpointer data)
{
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    close(STDERR_FILENO);
}

static void closed_files_are_no_image(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 65536);
    tool_make_raw(f, "b", MIB, 65536);
    run = tool_run_setup(f, "-f raw -c length -c 'read 2M 1' -c bogus a", close_standard_files);
    g_assert_cmpint(run.status, ==, 1);
    tool_assert_same_files(f, "a", "b");
    tool_run_clear(&run);
    run = tool_run_setup(f, "-f raw a", close_standard_files);
    g_assert_cmpint(run.status, ==, 0);
    tool_assert_same_files(f, "a", "b");
}

static void use_full_output(gpointer data)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    dup2(fd, STDOUT_FILENO);
}

static void lost_output_is_a_failure(ToolFolder *f, gconstpointer data)
{
    g_auto(ToolRun) run = { 0 };

    tool_make_raw(f, "a", MIB, 0);
    run = tool_run_setup(f, "-f raw -c length a", use_full_output);
    g_assert_cmpstr(run.err, ==, "cairn-io: Could not write to standard output: "
                    "No space left on device\n");
    g_assert_cmpint(run.status, ==, 1);
}

#define CASE(path, function) \
    g_test_add(path, ToolFolder, NULL, tool_folder_setup, function, tool_folder_teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    CASE("/io/input/nul/is-refused", nul_is_refused);
    CASE("/io/input/long-line/is-refused", long_line_is_refused);
    CASE("/io/input/long-line-without-end/is-refused", long_line_without_end_is_refused);
    CASE("/io/input/longest-line/is-taken", longest_line_is_taken);
    CASE("/io/input/noise/harms-nothing", noise_harms_nothing);
    CASE("/io/input/word-salad/ends", word_salad_ends);
    CASE("/io/input/many-started/all-are-made", many_requests_in_flight);
    CASE("/io/input/many-started-then-quit/all-end", many_requests_then_quit);
    CASE("/io/input/ends-in-a-line/the-line-counts", input_ends_in_a_line);
    CASE("/io/input/interrupt/ends-it", interrupt_ends);
    CASE("/io/output/nobody-listens/ends-it", nobody_listens_ends);
    CASE("/io/output/closed-files/are-no-image", closed_files_are_no_image);
    CASE("/io/output/lost/is-a-failure", lost_output_is_a_failure);
    return g_test_run();
}
