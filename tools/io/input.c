/* SPDX-License-Identifier: MIT */
/*
 * cairn-io: commands from standard input. While none has come, started requests are served, so that whoever
 * types, or feeds a pipe and waits for the answer, sees their results.
 */
#include "io/io.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/tool.h"

#define INPUT_BYTES 4096

/* What was read and not yet taken. No stdio: poll() must see all that is left. */
typedef struct IoInput {
    GString *text;
    bool at_end;
} IoInput;

static void input_wait(IoShell *shell)
{
    struct pollfd fds[2] = {
        { .fd = STDIN_FILENO, .events = POLLIN },
        { .fd = aio_context_get_fd(shell->aio), .events = POLLIN },
    };

    while (!fds[0].revents) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        while (aio_context_poll(shell->aio, false)) {
            /* until nothing is ready */
        }
        fflush(stdout);
    }
}

static void input_read(IoShell *shell, IoInput *input)
{
    char data[INPUT_BYTES];
    ssize_t bytes;

    input_wait(shell);
    bytes = read(STDIN_FILENO, data, sizeof(data));
    if (bytes > 0) {
        g_string_append_len(input->text, data, bytes);
    } else if (bytes == 0 || (errno != EINTR && errno != EAGAIN)) {
        input->at_end = true;
    }
}

/* The next line, without its end, which the last one need not have; NULL: no more. Free with g_free(). */
static char *input_line(IoShell *shell, IoInput *input)
{
    const char *end;
    char *line;

    while (!(end = memchr(input->text->str, '\n', input->text->len)) && !input->at_end) {
        input_read(shell, input);
    }
    if (!end && input->text->len == 0) {
        return NULL;
    }
    gsize length = end ? (gsize)(end - input->text->str) : input->text->len;

    line = g_strndup(input->text->str, length);
    g_string_erase(input->text, 0, length + (end ? 1 : 0));
    return line;
}

bool io_shell_run_stdin(IoShell *shell)
{
    g_autoptr(GString) text = g_string_new(NULL);
    IoInput input = { .text = text };
    bool ok = true;

    while (!shell->quit) {
        g_autofree char *line = NULL;

        printf("%s> ", tool_prog());
        fflush(stdout);
        line = input_line(shell, &input);
        if (!line) {
            break;
        }
        ok &= io_shell_run_line(shell, line);
    }
    return ok;
}
