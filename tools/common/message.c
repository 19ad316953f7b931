/* SPDX-License-Identifier: MIT */
/*
 * What a tool says on stderr. Only the first line of an error carries the program's name:
 * scripts match on it; hints stand below as they are. No text that an image or an option holds
 * reaches the terminal as a control sequence.
 */
#include "common/tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *tool_prog(void)
{
    return program_invocation_short_name;
}

/* A terminal acts on these; those of two bytes are U+0080 to U+009F. */
static bool message_is_control(const unsigned char *p)
{
    return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

static char *message_escape(const char *text, const char *allowed)
{
    GString *shown = g_string_new(NULL);

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (!message_is_control(p) || strchr(allowed, *p)) {
            g_string_append_c(shown, (char)*p);
        } else if (*p == '\n') {
            g_string_append(shown, "\\n");
        } else {
            g_string_append_printf(shown, "\\%03o", *p);
        }
    }
    return g_string_free(shown, FALSE);
}

char *tool_printable(const char *text)
{
    return message_escape(text, "");
}

void tool_report(const GError *error)
{
    g_autofree char *shown = message_escape(error->message, "\n\t");

    fflush(stdout);
    fprintf(stderr, "%s: %s\n", tool_prog(), shown);
}

void tool_warn(const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *shown = message_escape(text, "\n\t");

    fflush(stdout);
    fprintf(stderr, "%s: warning: %s\n", tool_prog(), shown);
}

void tool_usage_error(GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    cairn_set_error(error, EINVAL, "%s\nTry '%s --help' for more information", text,
                    tool_prog());
}
