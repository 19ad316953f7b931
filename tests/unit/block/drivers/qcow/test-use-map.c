/* SPDX-License-Identifier: MIT */
/* Which sectors of a file are named, by one owner or more, in files of any length. */
#include "block/drivers/qcow/qcow.h"

#define PIB ((int64_t)1 << 50)
#define WINDOW ((int64_t)1 << 30)

/* Each range is named once in a walk; more owners than one are what is counted. */
static int clashes(QcowUseMap *map, const QcowRange *ranges, size_t count, int *windows)
{
    int found = 0;

    for (*windows = 0; qcow_use_map_next(map); ++*windows) {
        for (size_t i = 0; i < count; i++) {
            found += qcow_use_map_add(map, ranges[i].offset, ranges[i].bytes, QCOW_USE_WHOLE) ==
                     QCOW_CLASH_WHOLE;
        }
        g_assert_cmpint(*windows, <, 100);
    }
    return found;
}

static void test_far_apart(void)
{
    static const QcowRange ranges[] = {
        { 4096, 4096 }, { PIB, 65536 }, { 8192, 512 }, { 3 * PIB, 512 }, { 3 * PIB, 512 },
        { PIB + 32768, 4096 },
    };
    QcowUseMap *map = qcow_use_map_new(4 * PIB, WINDOW);
    int windows;

    g_assert_cmpint(clashes(map, ranges, G_N_ELEMENTS(ranges), &windows), ==, 2);
    g_assert_cmpint(windows, ==, 3);
    qcow_use_map_free(map);
}

/* One that reaches over the end of a window shows in both. */
static void test_over_the_edge(void)
{
    static const int64_t edge = WINDOW;
    const QcowRange ranges[] = {
        { edge - 512, 4096 }, { edge + 2048, 512 }, { edge - 1024, 512 },
    };
    QcowUseMap *map = qcow_use_map_new(4 * edge, WINDOW);
    int windows;

    g_assert_cmpint(clashes(map, ranges, G_N_ELEMENTS(ranges), &windows), ==, 1);
    g_assert_cmpint(windows, ==, 2);
    qcow_use_map_free(map);
}

static void test_nothing(void)
{
    QcowUseMap *map = qcow_use_map_new(4 * PIB, WINDOW);
    int64_t offset = 0, bytes;

    g_assert_true(qcow_use_map_next(map));
    g_assert_true(qcow_use_map_is_first(map));
    g_assert_true(qcow_use_map_next_free(map, &offset, &bytes));
    g_assert_cmpint(offset, ==, 0);
    g_assert_cmpint(bytes, ==, 4 * PIB);
    offset += bytes;
    g_assert_false(qcow_use_map_next_free(map, &offset, &bytes));
    g_assert_false(qcow_use_map_next(map));
    qcow_use_map_free(map);
}

/* The free runs of all windows, one after the other, leave out exactly what is named. */
static void test_free(void)
{
    static const QcowRange named[] = {
        { 0, 512 }, { 65536, 4096 }, { PIB - 512, 1024 }, { 2 * PIB, 512 },
    };
    static const QcowRange unnamed[] = {
        { 512, 65536 - 512 }, { 69632, PIB - 512 - 69632 }, { PIB + 512, PIB - 512 },
        { 2 * PIB + 512, PIB - 512 },
    };
    QcowUseMap *map = qcow_use_map_new(3 * PIB, WINDOW);
    size_t found = 0;

    while (qcow_use_map_next(map)) {
        int64_t offset = 0, bytes;

        for (size_t i = 0; i < G_N_ELEMENTS(named); i++) {
            qcow_use_map_add(map, named[i].offset, named[i].bytes, QCOW_USE_WHOLE);
        }
        while (qcow_use_map_next_free(map, &offset, &bytes)) {
            g_assert_cmpuint(found, <, G_N_ELEMENTS(unnamed));
            g_assert_cmpint(offset, ==, unnamed[found].offset);
            g_assert_cmpint(bytes, ==, unnamed[found].bytes);
            found++;
            offset += bytes;
        }
    }
    g_assert_cmpuint(found, ==, G_N_ELEMENTS(unnamed));
    qcow_use_map_free(map);
}

/* Streams may share a sector with each other, but not with a cluster. */
static void test_streams(void)
{
    QcowUseMap *map = qcow_use_map_new(1 << 20, WINDOW);

    g_assert_true(qcow_use_map_next(map));
    g_assert_cmpint(qcow_use_map_add(map, 1000, 700, QCOW_USE_STREAM), ==, QCOW_CLASH_NONE);
    g_assert_cmpint(qcow_use_map_add(map, 1700, 100, QCOW_USE_STREAM), ==, QCOW_CLASH_NONE);
    g_assert_cmpint(qcow_use_map_add(map, 1100, 100, QCOW_USE_STREAM), ==, QCOW_CLASH_STREAMS);
    g_assert_cmpint(qcow_use_map_add(map, 1536, 512, QCOW_USE_WHOLE), ==, QCOW_CLASH_WHOLE);
    g_assert_cmpint(qcow_use_map_add(map, 2000, 10, QCOW_USE_STREAM), ==, QCOW_CLASH_WHOLE);
    g_assert_cmpint(qcow_use_map_add(map, 2048, 512, QCOW_USE_WHOLE), ==, QCOW_CLASH_NONE);
    qcow_use_map_free(map);
}

/* ---- any uses, in any order: beside a model that keeps all that was said of each sector ---- */

enum { SECTORS = 640, SECTOR = 512, TRIALS = 300, USES = 60 };

typedef struct Model {
    bool whole[SECTORS], inner[SECTORS], touched[SECTORS];
} Model;

static QcowClash model_add(Model *m, int64_t offset, int64_t bytes, QcowUse use)
{
    QcowClash clash = QCOW_CLASH_NONE;

    for (int64_t i = offset / SECTOR; i * SECTOR < offset + bytes; i++) {
        bool is_inside = i * SECTOR >= offset && (i + 1) * SECTOR <= offset + bytes;

        if (m->whole[i] || (use == QCOW_USE_WHOLE && (m->inner[i] || m->touched[i]))) {
            clash = QCOW_CLASH_WHOLE;
        } else if (m->inner[i] || (is_inside && m->touched[i])) {
            clash = MAX(clash, QCOW_CLASH_STREAMS);
        }
        m->whole[i] |= use == QCOW_USE_WHOLE || (use == QCOW_USE_FIXED && is_inside);
        m->inner[i] |= use == QCOW_USE_STREAM && is_inside;
        m->touched[i] |= use != QCOW_USE_WHOLE && !is_inside;
    }
    return clash;
}

static void test_model(void)
{
    for (int trial = 0; trial < TRIALS; trial++) {
        QcowUseMap *map = qcow_use_map_new(SECTORS * SECTOR, WINDOW);
        Model m = { 0 };
        int64_t free = 0, bytes;

        g_assert_true(qcow_use_map_next(map));
        for (int i = 0; i < USES; i++) {
            QcowUse use = (QcowUse)g_test_rand_int_range(QCOW_USE_FIXED, QCOW_USE_STREAM + 1);
            int unit = use == QCOW_USE_WHOLE ? SECTOR : 100;
            int64_t size = g_test_rand_int_range(1, 70 * SECTOR / unit) * unit;
            int64_t offset = g_test_rand_int_range(0, (SECTORS - 70) * SECTOR / unit) * unit;

            g_assert_cmpint(qcow_use_map_add(map, offset, size, use), ==,
                            model_add(&m, offset, size, use));
        }
        for (int i = 0; i < SECTORS; i++) {
            bool is_free = !m.whole[i] && !m.inner[i] && !m.touched[i];

            free = i * SECTOR;
            g_assert_true(is_free == (qcow_use_map_next_free(map, &free, &bytes) &&
                                      free == i * SECTOR));
        }
        qcow_use_map_free(map);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qcow/use-map/far-apart/takes-few-windows", test_far_apart);
    g_test_add_func("/qcow/use-map/over-the-edge/shows-in-both-windows", test_over_the_edge);
    g_test_add_func("/qcow/use-map/nothing-named/is-one-window", test_nothing);
    g_test_add_func("/qcow/use-map/free-runs/leave-out-what-is-named", test_free);
    g_test_add_func("/qcow/use-map/streams/share-sectors-among-themselves", test_streams);
    g_test_add_func("/qcow/use-map/any-uses/are-those-of-a-model", test_model);
    return g_test_run();
}
