/* SPDX-License-Identifier: MIT */
/*
 * cairn-io: commands from standard input. While none has come, started requests are served, so that
 * whoever types, or feeds a pipe and waits for the answer, sees their results.
 *
 * 1. Whatever comes, memory is bounded: a line that is too long is refused, and skipped to its end.
 * 2. At a terminal an interrupt drops the line that is being typed, and ends a command that runs.
 */
#include "io/io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <unistd.h>

#include "common/tool.h"

#define INPUT_BYTES 4096
#define INPUT_MAX_LINE (1 << 20)

/* ---- interrupts ---- */

/* Readable when an interrupt has come; -1: interrupts end the program. */
static int interrupt_fd = -1;

static void interrupt_note(int signal)
{
    const uint64_t one = 1;
    int saved = errno;

    /* It can fail only when it is readable already. */
    if (write(interrupt_fd, &one, sizeof(one)) < 0) {
        errno = saved;
    }
}

static bool interrupt_take(void)
{
    uint64_t count;

    return interrupt_fd >= 0 && read(interrupt_fd, &count, sizeof(count)) > 0;
}

/* From now on an interrupt is noted, if it would have ended the program. */
static void interrupt_catch(struct sigaction *old)
{
    const struct sigaction noting = { .sa_handler = interrupt_note };

    sigaction(SIGINT, NULL, old);
    if (interrupt_fd >= 0 && old->sa_handler == SIG_DFL) {
        sigaction(SIGINT, &noting, NULL);
    }
}

/* ---- waiting ---- */

void io_input_async_line(IoShell *shell)
{
    if (shell->at_prompt) {
        putchar('\n');
        shell->at_prompt = false;
    }
}

bool io_input_wait(IoShell *shell, void (*prompt)(void *opaque), void *opaque)
{
    struct pollfd fds[] = {
        { .fd = STDIN_FILENO, .events = POLLIN },
        { .fd = aio_context_get_fd(shell->aio), .events = POLLIN },
        { .fd = interrupt_fd, .events = POLLIN },
    };

    while (!fds[0].revents) {
        bool was_at_prompt = shell->at_prompt;

        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR) {
            return true;        /* reading will tell */
        }
        if (interrupt_take()) {
            tcflush(STDIN_FILENO, TCIFLUSH);    /* what was typed of the line, and after it */
            return false;
        }
        while (aio_context_poll(shell->aio, false)) {
            /* until nothing is ready */
        }
        if (was_at_prompt && !shell->at_prompt) {
            prompt(opaque);
            shell->at_prompt = true;
        }
        fflush(stdout);
    }
    return true;
}

/* ---- lines ---- */

/* What was read and not yet taken. No stdio: poll() must see all that is left. */
typedef struct IoInput {
    IoShell *shell;
    GString *text;
    bool at_end, interrupted;
    IoEdit *edit;               /* NULL: lines come as they are */
} IoInput;

static void input_prompt(void *opaque)
{
    printf("%s> ", tool_prog());
    fflush(stdout);
}

static void input_read(IoInput *input)
{
    char data[INPUT_BYTES];
    ssize_t bytes;

    if (!io_input_wait(input->shell, input_prompt, NULL)) {
        input->interrupted = true;
        return;
    }
    bytes = read(STDIN_FILENO, data, sizeof(data));
    if (bytes > 0) {
        g_string_append_len(input->text, data, bytes);
    } else if (bytes == 0 || (errno != EINTR && errno != EAGAIN)) {
        input->at_end = true;
    }
}

/* Reads until a line's end is in the text, and returns it; NULL at the end and when interrupted. */
static const char *input_find_end(IoInput *input, bool *too_long)
{
    const char *end;

    *too_long = false;
    while (!(end = memchr(input->text->str, '\n', input->text->len)) && !input->at_end) {
        if (input->text->len > INPUT_MAX_LINE) {
            *too_long = true;
            g_string_truncate(input->text, 0);
        }
        input_read(input);
        if (input->interrupted) {
            g_string_truncate(input->text, 0);
            return NULL;
        }
    }
    return end;
}

/* Says what is wrong with a line that no command could be. */
static bool input_check(IoInput *input, const char *line, gsize length, bool too_long)
{
    if (too_long || length > INPUT_MAX_LINE) {
        io_error("a line of more than %d bytes is ignored", INPUT_MAX_LINE);
    } else if (memchr(line, '\0', length)) {
        io_error("a line with a NUL byte is ignored");
    } else {
        return true;
    }
    input->shell->line_refused = true;
    return false;
}

/*
 * The next line, without its end, which the last one need not have; "" for one that was refused or
 * interrupted, NULL for no more.
 */
static char *input_plain_line(IoInput *input)
{
    bool too_long;
    const char *end = input_find_end(input, &too_long);
    gsize length = end ? (gsize)(end - input->text->str) : input->text->len;
    char *line;

    if (!end && length == 0 && !too_long) {
        return input->interrupted ? g_strdup("") : NULL;
    }
    line = input_check(input, input->text->str, length, too_long)
        ? g_strndup(input->text->str, length) : g_strdup("");
    g_string_erase(input->text, 0, (gssize)(length + (end ? 1 : 0)));
    return line;
}

static char *input_line(IoInput *input)
{
    struct sigaction old;
    char *line;

    input->interrupted = false;
    input->shell->at_prompt = interrupt_fd >= 0;
    interrupt_catch(&old);
    if (input->edit) {
        line = io_edit_line(input->edit, &input->interrupted);
    } else {
        input_prompt(NULL);
        line = input_plain_line(input);
    }
    sigaction(SIGINT, &old, NULL);
    input->shell->at_prompt = false;
    if (interrupt_fd >= 0 && (!line || input->interrupted)) {
        putchar('\n');
    }
    return line;
}

bool io_shell_run_stdin(IoShell *shell)
{
    g_autoptr(GString) text = g_string_new(NULL);
    IoInput input = { .shell = shell, .text = text };
    bool ok = true;

    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        input.edit = io_edit_new(shell);
    }
    while (!shell->quit) {
        g_autofree char *line = input_line(&input);

        if (!line) {
            break;
        }
        ok &= io_shell_run_line(shell, line);
    }
    io_edit_free(input.edit);
    return ok && !shell->line_refused;
}
