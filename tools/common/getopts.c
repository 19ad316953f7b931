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
        return '?';
    }
    return c;
}
