/* SPDX-License-Identifier: MIT */
/*
 * Proves the harness: with each rule of the protocol broken in turn it must find a violation. Each
 * mutant runs in a process of its own, as a broken driver may well end it.
 */
#include "harness.h"
#include "mutants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_CAUGHT 3

QcowMutant qcow_mutant;

static const struct { const char *name, *text; } mutants[MUTANT_COUNT] = {
    [MUTANT_NONE] = { "NONE", "the protocol as it is" },
#define MUTANT_TEXT(name, text) [MUTANT_##name] = { #name, text },
    MUTANTS(MUTANT_TEXT)
#undef MUTANT_TEXT
};

static gint64 opt_states = 100000;
static gint opt_seed = 1;
static gboolean opt_verbose;
static char *opt_only;

static const GOptionEntry entries[] = {
    { "states", 0, 0, G_OPTION_ARG_INT64, &opt_states, "Distinct states for each, at most", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &opt_seed, "Which workloads and subsets", "S" },
    { "only", 0, 0, G_OPTION_ARG_STRING, &opt_only, "This one", "NAME" },
    { "verbose", 0, 0, G_OPTION_ARG_NONE, &opt_verbose, "Say what was found", NULL },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static void mutant_child(QcowMutant mutant)
{
    Plan plan = {
        .epoch_budget = 150, .session_rate = 40, .limit = (uint64_t)MAX(opt_states, 1),
    };
    Harness *h;
    char *wrong;

    qcow_mutant = mutant;
    h = harness_new();
    wrong = schedule_run(h, &plan, (guint32)opt_seed);
    if (wrong && opt_verbose) {
        printf("    %s\n", wrong);
    }
    printf("    %" G_GUINT64_FORMAT " states\n", harness_counts(h)->distinct);
    fflush(stdout);
    _exit(wrong ? STATUS_CAUGHT : 0);
}

/* A broken driver that stops the program with an assertion is caught too, by itself. */
static bool mutant_is_caught(QcowMutant mutant)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (!opt_verbose
            && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))) {
            _exit(0);
        }
        mutant_child(mutant);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return false;
    }
    return WIFSIGNALED(status) || WEXITSTATUS(status) == STATUS_CAUGHT;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- breaks the protocol's rules");
    g_autoptr(GError) error = NULL;
    int missed = 0, run = 0;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "crash-mutants: %s\n", error->message);
        return 2;
    }
    for (int i = MUTANT_NONE; i < MUTANT_COUNT; i++) {
        if (opt_only ? strcmp(opt_only, mutants[i].name) != 0 : i == MUTANT_NONE) {
            continue;
        }
        bool caught = mutant_is_caught((QcowMutant)i);

        printf("%s  %-28s %s\n", caught ? "caught    " : "NOT CAUGHT", mutants[i].name,
               mutants[i].text);
        fflush(stdout);
        missed += !caught;
        run++;
    }
    printf("%d of %d mutants caught\n", run - missed, run);
    return missed || run == 0;
}
