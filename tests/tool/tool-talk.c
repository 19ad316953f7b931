/* SPDX-License-Identifier: MIT */
/* Speaking to a running tool through pipes. */
#include "tool-talk.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void tool_talk_start(ToolTalk *talk, const ToolFolder *folder, const char *words)
{
    g_autofree char *line = g_strdup_printf("%s %s", g_getenv("CAIRN_TOOL"), words);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = NULL;

    g_assert_true(g_shell_parse_argv(line, NULL, &argv, NULL));
    g_spawn_async_with_pipes(folder->path, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                             &talk->pid, &talk->in, &talk->out, NULL, &error);
    g_assert_no_error(error);
    talk->heard = g_string_new(NULL);
}

void tool_talk_say(ToolTalk *talk, const char *text)
{
    g_assert_cmpint(write(talk->in, text, strlen(text)), ==, (ssize_t)strlen(text));
}

void tool_talk_hear(ToolTalk *talk, const char *text)
{
    char data[256];

    while (!strstr(talk->heard->str, text)) {
        ssize_t bytes = read(talk->out, data, sizeof(data));

        g_assert_cmpint(bytes, >, 0);
        g_string_append_len(talk->heard, data, bytes);
    }
}

int tool_talk_end(ToolTalk *talk)
{
    int status;

    close(talk->in);
    g_assert_cmpint(waitpid(talk->pid, &status, 0), ==, talk->pid);
    g_spawn_close_pid(talk->pid);
    close(talk->out);
    g_string_free(talk->heard, TRUE);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
