/* SPDX-License-Identifier: MIT */
/*
 * Arguments of -o: repeated ones concatenate, "help" may stand anywhere. What the options mean is
 * the library's affair.
 */
#include "common/tool.h"

#include <errno.h>
#include <string.h>

/* Commas that end the list, or begin it, stand for an option without a name; ",," is a literal one. */
static bool options_list_is_valid(const char *text)
{
    size_t length = strlen(text), commas = 0;

    while (commas < length && text[length - 1 - commas] == ',') {
        commas++;
    }
    return length > 0 && text[0] != ',' && commas % 2 == 0;
}

bool tool_options_append(char **list, const char *text, GError **error)
{
    g_autofree char *before = *list;

    *list = NULL;
    if (!options_list_is_valid(text)) {
        cairn_set_error(error, EINVAL, "Invalid option list: %s", text);
        return false;
    }
    *list = before ? g_strconcat(before, ",", text, NULL) : g_strdup(text);
    return true;
}

bool tool_options_ask_help(const char *list)
{
    g_auto(GStrv) words = g_strsplit(list ? list : "", ",", -1);

    return g_strv_contains((const char *const *)words, "help") ||
           g_strv_contains((const char *const *)words, "?");
}

QDict *tool_options_parse(const char *list, GError **error)
{
    return list ? qdict_from_keyval(list, NULL, error) : qdict_new();
}
