/* SPDX-License-Identifier: MIT */
/*
 * hostile-run: the cases, through the tool. Prints TAP, a test a family.
 */
#include "run.h"
#include "runner.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int __wrap_main(int argc, char **argv);

static const struct {
    const char *claim;
    HostileFamily *run;
} families[] = {
    { "headers: cluster bits x L2 bits", hostile_headers },
    { "sizes: at each power of two", hostile_sizes },
    { "fields: each at its edges", hostile_fields },
    { "cuts: files that end anywhere", hostile_cuts },
    { "entries: of both tables, onto everything", hostile_entries },
    { "streams: each length, places, past the end", hostile_streams },
    { "garbage: random bytes in all tables", hostile_garbage },
    { "bombs: small files that lead to much", hostile_bombs },
    { "chains: loops and depths", hostile_chains },
    { "canaries: never opened", hostile_canaries },
    { "names: of backing files", hostile_names },
    { "magics: never taken for raw", hostile_magics },
    { "options: strings and JSON", hostile_options },
};

static char *main_make_folder(void)
{
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
    char *folder = g_build_filename(parent, "cairn-hostile-XXXXXX", NULL);

    if (!g_mkdtemp(folder)) {
        perror(folder);
        exit(99);
    }
    return folder;
}

static void main_run_families(HostileRunner *r)
{
    printf("1..%zu\n", G_N_ELEMENTS(families));
    for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
        guint failures = r->failures, cases = r->cases;

        r->family_count = 0;
        families[i].run(r);
        printf("%sok %zu - %s (%u cases)\n", r->failures > failures ? "not " : "", i + 1,
               families[i].claim, r->cases - cases);
        fflush(stdout);
    }
    printf("# %u cases, %u failures; start-up takes %" G_GINT64_FORMAT " KiB\n", r->cases,
           r->failures, r->start_rss / 1024);
    for (int i = 0; i < RUNNER_COMMANDS; i++) {
        const HostileMost *most = &r->most[i];

        printf("# %-8s %6u runs, at most %6" G_GINT64_FORMAT " KiB over start-up and %4"
               G_GINT64_FORMAT " ms of CPU\n", runner_commands[i], most->runs,
               most->rss / 1024, most->cpu_us / 1000);
    }
}

int __wrap_main(int argc, char **argv)
{
    HostileRunner r = { 0 };
    g_autofree char *tool = NULL, *make = NULL;
    const GOptionEntry options[] = {
        { "all", 0, 0, G_OPTION_ARG_NONE, &r.is_all, "Run sampled families whole", NULL },
        { "tool", 0, 0, G_OPTION_ARG_FILENAME, &tool, "Execute this program", "PATH" },
        { "make", 0, 0, G_OPTION_ARG_FILENAME, &make, "Only write the cases' files", "FOLDER" },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("[PATTERN]");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    r.tool = tool;
    r.make = make;
    r.only = argc > 1 ? argv[1] : NULL;
    if (r.make) {
        r.folder = g_strdup(r.make);
        g_assert(g_mkdir_with_parents(r.folder, 0700) == 0);
        main_run_families(&r);
        g_free(r.folder);
        return 0;
    }
    g_autofree char *folder = main_make_folder();

    r.folder = g_build_filename(folder, "case", NULL);
    g_assert(g_mkdir(r.folder, 0700) == 0);
    g_auto(ToolRun) nothing = tool_run(r.tool, r.folder, (const char *[]){ "--version", NULL });

    r.start_rss = nothing.rss;
    main_run_families(&r);
    g_rmdir(r.folder);
    g_rmdir(folder);
    g_free(r.folder);
    return r.failures ? 1 : 0;
}
