/* SPDX-License-Identifier: MIT */
/*
 * Arguments of -o: repeated ones concatenate, "help" may stand anywhere. What the options mean is
 * the library's affair.
 */
#include "common/tool.h"

#include <errno.h>
#include <string.h>

/*
 * Commas that end the list, or begin it, stand for an option without a name; ",," is a literal one.
 */
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

/* "read-only" and "noread-only" were meant for what is on or off; "no" may also begin a name. */
QDict *tool_keyval_parse(const char *text, const char *implied_key, GError **error)
{
    g_auto(GStrv) bare = NULL;
    QDict *options = qdict_from_keyval_bare(text, implied_key, &bare, error);

    for (char **word = bare; options && *word; word++) {
        bool is_off = !qdict_haskey(options, *word);

        tool_warn("short-form boolean option '%s' deprecated\nPlease use %s=%s instead", *word,
                  *word + (is_off ? strlen("no") : 0), is_off ? "off" : "on");
    }
    return options;
}

QDict *tool_options_parse(const char *list, GError **error)
{
    return list ? qdict_from_keyval(list, NULL, error) : qdict_new();
}
