/* SPDX-License-Identifier: MIT */
/*
 * What the pieces cost; micro.py makes a table of it.
 *
 * micro --list        a line each: name, how often a round runs it, bytes it moves, by tabs
 * micro --time NAME   nanoseconds each time, the least of some rounds
 * micro NAME COUNT    runs it so many times and prints nothing: for tools that count instructions
 */
#include "bench/micro.h"

#include <glib/gstdio.h>
#include <stdbool.h>
#include <string.h>

enum { ROUNDS = 7 };

static const MicroCase *const micro_all[] = {
    micro_coroutine, micro_request, micro_cipher, micro_deflate, micro_map,
};

char *micro_temp_name(const char *name)
{
    g_autofree char *folder = g_dir_make_tmp("cairn-micro-XXXXXX", NULL);

    g_assert_nonnull(folder);
    return g_build_filename(folder, name, NULL);
}

void micro_temp_remove(char *name)
{
    g_autofree char *folder = g_path_get_dirname(name);

    g_unlink(name);
    g_rmdir(folder);
    g_free(name);
}

/* Another's turn on the processor only ever adds to a round, so the shortest says most. */
static double micro_measure(const MicroCase *c)
{
    g_autoptr(GTimer) timer = g_timer_new();
    void *state = c->setup ? c->setup() : NULL;
    double least = G_MAXDOUBLE;

    for (int i = 0; i < ROUNDS; i++) {
        g_timer_start(timer);
        c->run(state, c->count);
        least = MIN(least, g_timer_elapsed(timer, NULL));
    }
    if (c->teardown) {
        c->teardown(state);
    }
    return least / c->count;
}

static void micro_list(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(micro_all); i++) {
        for (const MicroCase *c = micro_all[i]; c->name; c++) {
            g_print("%s\t%" G_GINT64_FORMAT "\t%zu\n", c->name, c->count, c->bytes);
        }
    }
}

static const MicroCase *micro_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(micro_all); i++) {
        for (const MicroCase *c = micro_all[i]; c->name; c++) {
            if (!strcmp(c->name, name)) {
                return c;
            }
        }
    }
    return NULL;
}

static void micro_run(const MicroCase *c, int64_t count)
{
    void *state = c->setup ? c->setup() : NULL;

    c->run(state, count);
    if (c->teardown) {
        c->teardown(state);
    }
}

int main(int argc, char **argv)
{
    bool shall_time = argc == 3 && !strcmp(argv[1], "--time");
    const MicroCase *c = argc == 3 ? micro_find(argv[shall_time ? 2 : 1]) : NULL;

    if (argc == 2 && !strcmp(argv[1], "--list")) {
        micro_list();
    } else if (!c) {
        g_printerr("usage: micro --list | --time NAME | NAME COUNT\n");
        return 2;
    } else if (shall_time) {
        g_print("%.1f\n", micro_measure(c) * 1e9);
    } else {
        micro_run(c, g_ascii_strtoll(argv[2], NULL, 10));
    }
    return 0;
}
