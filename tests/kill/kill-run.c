/* SPDX-License-Identifier: MIT */
/* See kill-run.h. */
#include "kill-run.h"

#include <glib/gstdio.h>
#include <stdlib.h>

/* @library: the variable that names what is to be preloaded. */
static char **preload(const char *library, const char *variable, const char *value,
                      const char *count)
{
    char **env = g_get_environ();
    const char *options = g_environ_getenv(env, "ASAN_OPTIONS");
    g_autofree char *asan = g_strdup_printf("%s%sverify_asan_link_order=0",
                                            options ? options : "", options ? ":" : "");

    g_assert_nonnull(g_getenv(library));
    env = g_environ_setenv(env, "LD_PRELOAD", g_getenv(library), TRUE);
    env = g_environ_setenv(env, "ASAN_OPTIONS", asan, TRUE);
    env = g_environ_setenv(env, variable, value, TRUE);
    return count ? g_environ_setenv(env, "CAIRN_KILL_COUNT", count, TRUE) : env;
}

char **kill_environment(guint at, int part, const char *count)
{
    g_autofree char *value = g_strdup_printf("%u:%d", at, part);

    return preload("CAIRN_KILL_LIBRARY", "CAIRN_KILL_AT", value, count);
}

char **fail_environment(guint at, int error, const char *count)
{
    g_autofree char *value = g_strdup_printf("%u:%d", at, error);

    return preload("CAIRN_KILL_LIBRARY", "CAIRN_FAIL_AT", value, count);
}

char **alloc_environment(guint at, gsize least, const char *count)
{
    g_autofree char *value = g_strdup_printf("%u:%" G_GSIZE_FORMAT, at, least);

    return preload("CAIRN_ALLOC_LIBRARY", "CAIRN_FAIL_ALLOC", value, count);
}

guint kill_read_count(const char *count)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    g_file_get_contents(count, &text, NULL, &error);
    g_assert_no_error(error);
    g_unlink(count);
    return (guint)strtoul(text, NULL, 10);
}

void kill_each_seed(guint runs, KillRunFunc *func, gpointer opaque)
{
    const char *wanted = g_getenv("CAIRN_KILL_RUNS"), *first = g_getenv("CAIRN_KILL_SEED");
    guint32 seed = first ? (guint32)strtoul(first, NULL, 10) : 1;

    runs = wanted ? (guint)strtoul(wanted, NULL, 10) : runs;
    g_assert_cmpuint(runs, >, 0);
    for (guint i = 0; i < runs; i++, seed++) {
        g_test_message("CAIRN_KILL_SEED=%u CAIRN_KILL_RUNS=1", seed);
        func(seed, opaque);
    }
}
