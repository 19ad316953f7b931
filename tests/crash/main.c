/* SPDX-License-Identifier: MIT */
/* Crash states of qcow, made and checked. docs/crash-testing.md */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gint64 opt_states = 1000000;
static gint opt_sequences, opt_seed = 1, opt_budget = 1000, opt_rate = 64;
static char *opt_replay;

static const GOptionEntry entries[] = {
    { "states", 0, 0, G_OPTION_ARG_INT64, &opt_states, "Distinct states to check", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &opt_seed, "Which workloads and subsets", "S" },
    { "epoch-budget", 0, 0, G_OPTION_ARG_INT, &opt_budget, "States between two syncs, at most",
      "N" },
    { "session-rate", 0, 0, G_OPTION_ARG_INT, &opt_rate,
      "One state in so many is opened by the driver and written to", "N" },
    { "sequences", 0, 0, G_OPTION_ARG_INT, &opt_sequences,
      "All sequences of up to so many operations, and no more; --epoch-budget of each", "DEPTH" },
    { "replay", 0, 0, G_OPTION_ARG_STRING, &opt_replay, "One workload, or one state of it",
      "WORKLOAD[@STATE]" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static void print_counts(const Counts *c, double seconds)
{
    printf("workloads          %10" G_GUINT64_FORMAT "\n"
           "states             %10" G_GUINT64_FORMAT "\n"
           "distinct           %10" G_GUINT64_FORMAT "  each read by the independent reader\n"
           "second sessions    %10" G_GUINT64_FORMAT "  each: opened, read, checked, written to\n"
           "their states       %10" G_GUINT64_FORMAT "  read by the independent reader\n"
           "third sessions     %10" G_GUINT64_FORMAT "  opened, read, checked\n"
           "seconds            %10.1f\n",
           c->workloads, c->states, c->distinct, c->sessions, c->session_states, c->third_reads,
           seconds);
}

static char *run_replay(Harness *h, Plan *plan)
{
    g_auto(GStrv) parts = g_strsplit(opt_replay, "@", 2);
    g_autoptr(GError) error = NULL;
    Workload w;
    char *found;

    if (!workload_parse(parts[0], &w, &error)) {
        return g_strdup(error->message);
    }
    plan->replay = parts[1];
    plan->limit = UINT64_MAX;
    found = harness_run(h, &w, plan);
    g_array_unref(w.ops);
    if (!found && harness_counts(h)->distinct == 0) {
        return g_strdup("this workload has no such state");
    }
    return found;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("- crash states of qcow images");
    g_autoptr(GError) error = NULL;
    g_autofree char *wrong = NULL;
    Harness *h;
    Plan plan;
    gint64 begun = g_get_monotonic_time();

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "crash: %s\n", error->message);
        return 2;
    }
    plan = (Plan) {
        .epoch_budget = (uint32_t)MAX(opt_budget, 1), .session_rate = (uint32_t)MAX(opt_rate, 1),
        .limit = (uint64_t)MAX(opt_states, 1),
    };
    h = harness_new();
    if (opt_replay) {
        wrong = run_replay(h, &plan);
    } else if (opt_sequences > 0) {
        plan.limit = UINT64_MAX;
        wrong = schedule_run_sequences(h, &plan, (guint)opt_sequences, (guint32)opt_seed);
    } else {
        wrong = schedule_run(h, &plan, (guint32)opt_seed);
    }
    print_counts(harness_counts(h), (double)(g_get_monotonic_time() - begun) / G_USEC_PER_SEC);
    if (wrong) {
        printf("VIOLATION: %s\n", wrong);
    } else {
        printf("no violation\n");
    }
    harness_free(h);
    return wrong ? 1 : 0;
}
