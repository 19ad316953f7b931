/* SPDX-License-Identifier: MIT */
/*
 * Which workloads: all of one operation, in each geometry from each kind of start, in turn with
 * random ones of two and three operations, and some long ones.
 */
#include "harness.h"

#define LONG_SHARE 8                    /* one workload in so many is a long one */

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

/* The workloads of one operation: false when these are through. */
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

char *schedule_run(Harness *h, const Plan *plan, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    g_autoptr(GArray) ops = g_array_new(FALSE, FALSE, sizeof(guint));
    Workload w = { .ops = ops };
    char *error = NULL;

    for (uint32_t i = 0; !error && harness_counts(h)->distinct < plan->limit; i++) {
        if (i % 2 || !workload_single(&w, i / 2)) {
            workload_random(&w, rand);
        }
        if (session_op_fits(&geometries[w.geometry], g_array_index(ops, guint, 0))) {
            error = harness_run(h, &w, plan);
        }
    }
    return error;
}

/* The sequence of @depth operations with this number; false: one does not suit the geometry. */
static bool workload_sequence(Workload *w, uint64_t number, guint depth)
{
    bool fits = true;

    g_array_set_size(w->ops, 0);
    for (guint i = 0; i < depth; i++, number /= session_ops()) {
        guint op = (guint)(number % session_ops());

        fits &= session_op_fits(&geometries[w->geometry], op);
        g_array_append_val(w->ops, op);
    }
    return fits;
}

char *schedule_run_sequences(Harness *h, const Plan *plan, guint depth, guint32 seed)
{
    g_autoptr(GArray) ops = g_array_new(FALSE, FALSE, sizeof(guint));
    Workload w = { .ops = ops };
    uint64_t count = 1;
    char *error = NULL;

    for (guint d = 1; d <= depth; d++) {
        count *= session_ops();
        for (uint64_t i = 0; i < count * n_geometries && !error; i++) {
            w.geometry = (guint)(i / count);
            w.start_seed = seed + (uint32_t)i;
            w.start = (StartKind)((i + i / START_KINDS) % START_KINDS);
            if (workload_sequence(&w, i % count, d)) {
                error = harness_run(h, &w, plan);
            }
        }
    }
    return error;
}
