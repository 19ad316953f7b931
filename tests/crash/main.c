/* SPDX-License-Identifier: MIT */
/* Crash states of qcow, made and checked. docs/crash-testing.md */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_SHARE 8                    /* one workload in so many is a long one */

static gint64 opt_states = 1000000;
static gint opt_seed = 1, opt_budget = 2000, opt_rate = 64;
static char *opt_replay;

static const GOptionEntry entries[] = {
    { "states", 0, 0, G_OPTION_ARG_INT64, &opt_states, "Distinct states to check", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT, &opt_seed, "Which workloads and subsets", "S" },
    { "epoch-budget", 0, 0, G_OPTION_ARG_INT, &opt_budget, "States between two flushes", "N" },
    { "session-rate", 0, 0, G_OPTION_ARG_INT, &opt_rate,
      "One state in so many is opened by the driver and written to", "N" },
    { "replay", 0, 0, G_OPTION_ARG_STRING, &opt_replay, "One workload, or one state of it",
      "WORKLOAD[@STATE]" },
    { NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
};

static guint random_op(const Geometry *g, GRand *rand)
{
    guint op;

    do {
        op = (guint)g_rand_int_range(rand, 0, (gint32)session_ops());
    } while (!session_op_fits(g, op));
    return op;
}

static void workload_random(Workload *w, GRand *rand)
{
    guint count = g_rand_int_range(rand, 0, LONG_SHARE) ? (guint)g_rand_int_range(rand, 2, 4)
                                                        : (guint)g_rand_int_range(rand, 5, 13);

    w->geometry = (guint)g_rand_int_range(rand, 0, (gint32)n_geometries);
    w->start = (StartKind)g_rand_int_range(rand, 0, START_KINDS);
    w->start_seed = (uint32_t)g_rand_int_range(rand, 0, 1000000);
    g_array_set_size(w->ops, 0);
    while (w->ops->len < count) {
        guint op = random_op(&geometries[w->geometry], rand);

        g_array_append_val(w->ops, op);
    }
}

/* All workloads of one operation come first: false when these are through. */
static bool workload_single(Workload *w, uint32_t number)
{
    guint op = number % session_ops();

    number /= session_ops();
    w->start = number % START_KINDS;
    w->geometry = number / START_KINDS;
    w->start_seed = number;
    g_array_set_size(w->ops, 0);
    g_array_append_val(w->ops, op);
    return w->geometry < n_geometries;
}

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

/* Returns: what is wrong, or NULL. */
static char *run_all(Harness *h, const Plan *plan)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)opt_seed);
    g_autoptr(GArray) ops = g_array_new(FALSE, FALSE, sizeof(guint));
    Workload w = { .ops = ops };
    uint32_t number = 0;
    char *error = NULL;

    while (!error && harness_counts(h)->distinct < plan->limit) {
        if (!workload_single(&w, number++)) {
            workload_random(&w, rand);
        }
        if (session_op_fits(&geometries[w.geometry], g_array_index(ops, guint, 0))) {
            error = harness_run(h, &w, plan);
        }
    }
    return error;
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
    wrong = opt_replay ? run_replay(h, &plan) : run_all(h, &plan);
    print_counts(harness_counts(h), (double)(g_get_monotonic_time() - begun) / G_USEC_PER_SEC);
    if (wrong) {
        printf("VIOLATION: %s\n", wrong);
    } else {
        printf("no violation\n");
    }
    harness_free(h);
    return wrong ? 1 : 0;
}
