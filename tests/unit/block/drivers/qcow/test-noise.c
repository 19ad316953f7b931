/* SPDX-License-Identifier: MIT */
/* What is taken for noise. Each verdict is checked on data made from several seeds. */
#include "block/drivers/qcow/qcow.h"

#include <string.h>

#define SEEDS 100
#define BIGGEST 65536
#define WINDOW 4096                     /* of deflate: what repeats, repeats within one */

static GRand *dice;

static void fill_noise(uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 4) {
        guint32 four = g_rand_int(dice);

        memcpy(buf + i, &four, 4);
    }
}

static void test_noise(void)
{
    static uint8_t buf[BIGGEST];

    for (size_t bytes = 512; bytes <= BIGGEST; bytes *= 2) {
        int seen = 0;

        for (guint32 seed = 0; seed < SEEDS; seed++) {
            g_rand_set_seed(dice, seed);
            fill_noise(buf, bytes);
            seen += qcow_is_noise(buf, bytes);
        }
        g_test_message("%zu bytes: %d of %d", bytes, seen, SEEDS);
        g_assert_cmpint(seen, >=, bytes == 512 ? SEEDS * 9 / 10 : SEEDS * 97 / 100);
    }
}

/* ---- what shrinks ---- */

static void fill_text(uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buf[i] = "etaoin shrdlu"[g_rand_int_range(dice, 0, 13)];
    }
}

static void fill_base64(uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buf[i] = ' ' + (g_rand_int(dice) & 63);
    }
}

static void fill_seven_bits(uint8_t *buf, size_t bytes)
{
    fill_noise(buf, bytes);
    for (size_t i = 0; i < bytes; i++) {
        buf[i] &= 0x7f;
    }
}

static void fill_counting(uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buf[i] = (uint8_t)i;
    }
}

static void fill_half_text(uint8_t *buf, size_t bytes)
{
    fill_noise(buf, bytes);
    fill_text(buf + (g_rand_boolean(dice) ? 0 : bytes / 2), bytes / 2);
}

static void fill_twice(uint8_t *buf, size_t bytes)
{
    fill_noise(buf, bytes / 2);
    memcpy(buf + bytes / 2, buf, bytes / 2);
}

/* Equal frequencies, and an eighth of it comes again, not aligned to anything. */
static void fill_repeat(uint8_t *buf, size_t bytes)
{
    size_t part = bytes / 8, from = g_rand_int_range(dice, 0, (gint32)(bytes / 2 - part));
    size_t to = bytes / 2 + g_rand_int_range(dice, 0, (gint32)(bytes / 2 - part));

    fill_noise(buf, bytes);
    memcpy(buf + to, buf + from, part);
}

/* Records of @size bytes: noise, but for one byte in four that is always the same. */
static void fill_records(uint8_t *buf, size_t bytes, size_t size)
{
    size_t same = g_rand_int_range(dice, 0, (gint32)(size - size / 4 + 1));

    fill_noise(buf, bytes);
    for (size_t i = 0; i < bytes; i++) {
        if (i % size >= same && i % size < same + size / 4) {
            buf[i] = 0;
        }
    }
}

static void fill_records_8(uint8_t *buf, size_t bytes)
{
    fill_records(buf, bytes, 8);
}

static void fill_records_256(uint8_t *buf, size_t bytes)
{
    fill_records(buf, bytes, 256);
}

static void fill_records_1024(uint8_t *buf, size_t bytes)
{
    fill_records(buf, bytes, 1024);
}

/* Equal frequencies: records of 16 bytes with one of 64 labels of 6 bytes anywhere in them. */
static void fill_labels(uint8_t *buf, size_t bytes)
{
    uint8_t labels[64][6];
    size_t at = g_rand_int_range(dice, 0, 11);

    fill_noise((uint8_t *)labels, sizeof(labels));
    fill_noise(buf, bytes);
    for (size_t i = 0; i < bytes; i += 16) {
        memcpy(buf + i + at, labels[g_rand_int_range(dice, 0, 64)], sizeof(labels[0]));
    }
}

static void test_shrinks(void)
{
    static const struct {
        const char *name;
        void (*fill)(uint8_t *buf, size_t bytes);
        size_t least;           /* bytes */
    } cases[] = {
        { "text", fill_text, 512 },
        { "base64", fill_base64, 512 },
        { "seven bits", fill_seven_bits, 1024 },
        { "counting", fill_counting, 1024 },
        { "half text", fill_half_text, 512 },
        { "twice the same", fill_twice, 1024 },
        { "a part again", fill_repeat, 4096 },
        { "records of 8", fill_records_8, 1024 },
        { "records of 256", fill_records_256, 1024 },
        { "records of 1024", fill_records_1024, 4096 },
        { "labels", fill_labels, 4096 },
    };
    static uint8_t buf[BIGGEST];

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (size_t bytes = cases[i].least; bytes <= BIGGEST; bytes *= 2) {
            int wrong = 0;

            for (guint32 seed = 0; seed < SEEDS; seed++) {
                g_rand_set_seed(dice, seed);
                for (size_t at = 0; at < bytes; at += MIN(bytes, WINDOW)) {
                    cases[i].fill(buf + at, MIN(bytes, WINDOW));
                }
                wrong += qcow_is_noise(buf, bytes);
            }
            g_test_message("%s, %zu bytes: %d wrong", cases[i].name, bytes, wrong);
            g_assert_cmpint(wrong, ==, 0);
        }
    }
}

/* One window that shrinks among others that do not. */
static void test_any_window(void)
{
    static uint8_t buf[BIGGEST];

    for (size_t at = 0; at < BIGGEST; at += WINDOW) {
        g_rand_set_seed(dice, (guint32)at);
        fill_noise(buf, BIGGEST);
        fill_text(buf + at, WINDOW);
        g_assert_false(qcow_is_noise(buf, BIGGEST));
    }
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    dice = g_rand_new_with_seed(0);
    g_test_add_func("/qcow/noise/random-bytes/are-noise", test_noise);
    g_test_add_func("/qcow/noise/what-shrinks/is-none", test_shrinks);
    g_test_add_func("/qcow/noise/any-window/counts", test_any_window);
    ret = g_test_run();
    g_rand_free(dice);
    return ret;
}
