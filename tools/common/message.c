/* SPDX-License-Identifier: MIT */
/*
 * What a tool says on stderr. Only the first line of an error carries the program's name:
 * scripts match on it; hints stand below as they are.
 */
#include "common/tool.h"

#include <errno.h>
#include <stdio.h>

const char *tool_prog(void)
{
    return program_invocation_short_name;
}

void tool_report(const GError *error)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", tool_prog(), error->message);
}

void tool_warn(const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "%s: warning: %s\n", tool_prog(), text);
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
