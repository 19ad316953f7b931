/* SPDX-License-Identifier: MIT */
/*
 * The library context of a tool, and the objects that the user puts into it.
 */
#include "common/tool.h"

#include <stdio.h>
#include <string.h>

/* The warning about a guessed format is a block of its own and carries no prefix: scripts know it so. */
static void context_print_warning(const char *text, void *opaque)
{
    if (g_str_has_prefix(text, "WARNING: ")) {
        fflush(stdout);
        fprintf(stderr, "%s\n", text);
    } else {
        tool_warn("%s", text);
    }
}

CairnContext *tool_context_new(bool strict)
{
    CairnContext *ctx = cairn_context_new();

    cairn_context_set_warn_func(ctx, context_print_warning, NULL);
    if (!strict) {
        cairn_context_set_image_policy(ctx, CAIRN_IMAGE_POLICY_ALLOW_ALL);
    }
    return ctx;
}

static bool object_print_help(const char *type, GError **error)
{
    g_autofree char *text = cairn_object_help(type, error);

    if (!text) {
        return false;
    }
    fputs(text, stdout);
    return true;
}

/* The name of a type whose properties are asked for ("secret,help"), or NULL. */
static char *object_help_type(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);

    if (!words[0] || !words[1] || strchr(words[0], '{')) {
        return NULL;
    }
    for (char **word = words + 1; *word; word++) {
        if (!strcmp(*word, "help") || !strcmp(*word, "?")) {
            return g_strdup(g_str_has_prefix(words[0], "qom-type=") ? words[0] + 9 : words[0]);
        }
    }
    return NULL;
}

static void object_hide_data(char *text)
{
    char *data = strstr(text, "data");

    for (char *p = data ? data + 4 : NULL; p && *p; p++) {
        *p = '*';
    }
}

bool tool_object_add(CairnContext *ctx, char *text, bool *is_help, GError **error)
{
    g_autofree char *help_type = object_help_type(text);
    bool ok;

    *is_help = help_type || !strcmp(text, "help") || !strcmp(text, "?");
    if (*is_help) {
        return object_print_help(help_type, error);
    }
    ok = cairn_object_add(ctx, text, error);
    object_hide_data(text);
    return ok;
}
