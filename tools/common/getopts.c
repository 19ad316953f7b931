/* SPDX-License-Identifier: MIT */
/*
 * getopt_long() that reports by GError.
 */
#include "common/tool.h"

#include <string.h>

/* The option at fault as the user wrote it: getopt has stepped past it, or stands inside "-abc". */
static char *getopt_culprit(char **argv)
{
    const char *word = argv[optind - 1];
    bool is_short = optopt > 0 && optopt < 128 && word[0] == '-' && word[1] != '-';

    if (is_short || (optopt > 0 && strncmp(word, "--", 2))) {
        return g_strdup_printf("-%c", optopt);
    }
    return g_strdup(word);
}

/* Long options may be misspelt; the known names, with their hyphens. */
static void getopt_suggest(const char *culprit, const struct option *longopts, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *word = g_strndup(culprit, strcspn(culprit, "="));

    for (; longopts->name; longopts++) {
        g_ptr_array_add(names, g_strconcat("--", longopts->name, NULL));
    }
    g_ptr_array_add(names, NULL);
    cairn_error_append_nearest(error, word, (const char *const *)names->pdata);
}

int tool_getopt(int argc, char **argv, const char *shortopts, const struct option *longopts,
                GError **error)
{
    int c;

    opterr = 0;
    c = getopt_long(argc, argv, shortopts, longopts, NULL);
    if (c == ':' || c == '?') {
        g_autofree char *culprit = getopt_culprit(argv);

        tool_usage_error(error, c == ':' ? "missing argument for option '%s'"
                                         : "unrecognized option '%s'", culprit);
        if (c == '?' && g_str_has_prefix(culprit, "--")) {
            getopt_suggest(culprit, longopts, error);
        }
        return '?';
    }
    return c;
}
