/* SPDX-License-Identifier: MIT */
/*
 * Limits on a clock that the test moves. The waits are those that the peer was seen to take, to
 * 10 ms.
 */
#include <errno.h>

#include "util/throttle.h"

#define KIB 1024
#define MS 1000000LL
#define S (1000 * MS)

static ThrottleConfig config_of(ThrottleKind kind, int64_t rate, int64_t burst, int64_t length)
{
    ThrottleConfig config;

    throttle_config_init(&config);
    config.limits[kind] = (ThrottleLimit){ rate, burst, length };
    g_assert_true(throttle_config_check(&config, NULL));
    return config;
}

/* ---- configuration ------------------------------------------------------------ */

static void assert_refused(const ThrottleConfig *config, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(throttle_config_check(config, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_refusals(void)
{
    static const struct {
        ThrottleKind kind;
        ThrottleLimit limit;
        const char *message;
    } cases[] = {
        { THROTTLE_BPS_READ, { -1, 0, 1 },
          "bps/iops/max values must be within [0, 1000000000000000]" },
        { THROTTLE_BPS_READ, { THROTTLE_RATE_MAX + 1, 0, 1 },
          "bps/iops/max values must be within [0, 1000000000000000]" },
        { THROTTLE_IOPS_WRITE, { 1, THROTTLE_RATE_MAX + 1, 1 },
          "bps/iops/max values must be within [0, 1000000000000000]" },
        { THROTTLE_IOPS_TOTAL, { 0, 5, 1 },
          "bps_max/iops_max require corresponding bps/iops values" },
        { THROTTLE_IOPS_TOTAL, { 0, 5, 5 },
          "bps_max/iops_max require corresponding bps/iops values" },
        { THROTTLE_BPS_TOTAL, { 10, 5, 1 }, "bps_max/iops_max cannot be lower than bps/iops" },
        { THROTTLE_BPS_TOTAL, { 10, 50, 0 }, "the burst length cannot be 0" },
        { THROTTLE_BPS_TOTAL, { 0, 0, 0 }, "the burst length cannot be 0" },
        { THROTTLE_BPS_TOTAL, { 10, 0, 2 }, "burst length set without burst rate" },
        { THROTTLE_BPS_TOTAL, { 10, THROTTLE_RATE_MAX, 2 },
          "burst length too high for this burst rate" },
        { THROTTLE_BPS_TOTAL, { 10, THROTTLE_RATE_MAX, INT64_MAX },
          "burst length too high for this burst rate" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ThrottleConfig config;

        throttle_config_init(&config);
        config.limits[cases[i].kind] = cases[i].limit;
        assert_refused(&config, cases[i].message);
    }
}

static void test_contradictions(void)
{
    static const char *const both = "bps/iops/max total values and read/write values cannot be "
        "used at the same time";
    ThrottleConfig config;

    throttle_config_init(&config);
    g_assert_true(throttle_config_check(&config, NULL));
    config.limits[THROTTLE_BPS_TOTAL].rate = 1;
    config.limits[THROTTLE_IOPS_READ].rate = 1;
    g_assert_true(throttle_config_check(&config, NULL));
    config.limits[THROTTLE_BPS_WRITE].rate = 1;
    assert_refused(&config, both);
    throttle_config_init(&config);
    config.limits[THROTTLE_IOPS_TOTAL] = (ThrottleLimit){ 1, 1, 1 };
    config.limits[THROTTLE_IOPS_READ].burst = 1;
    assert_refused(&config, both);
    throttle_config_init(&config);
    config.iops_size = 100;
    assert_refused(&config, "iops size requires an iops value to be set");
    config.limits[THROTTLE_IOPS_WRITE].rate = 1;
    g_assert_true(throttle_config_check(&config, NULL));
    config.iops_size = -100;
    assert_refused(&config, "iops size cannot be negative");
}

/* ---- waits ----------------------------------------------------------------------- */

/* Each of @sizes goes as soon as it may; the waits, in ms. */
static void assert_waits(const ThrottleConfig *config, bool is_write, const int64_t *sizes,
                         const int *waits, int count)
{
    int64_t now = 1234567;
    Throttle t;

    throttle_init(&t, config, now);
    for (int i = 0; i < count; i++) {
        int64_t wait = throttle_wait_ns(&t, is_write, now);

        g_assert_cmpint((wait + MS / 2) / MS, ==, waits[i]);
        now += wait + 1;
        g_assert_cmpint(throttle_wait_ns(&t, is_write, now), ==, 0);
        throttle_account(&t, is_write, sizes[i]);
    }
}

static void test_average(void)
{
    ThrottleConfig config = config_of(THROTTLE_BPS_TOTAL, 256 * KIB, 0, 1);
    const int64_t sizes[] = { 64 * KIB, 64 * KIB, 64 * KIB, 64 * KIB, 128 * KIB, 1 };
    const int waits[] = { 0, 150, 250, 250, 250, 500 };

    assert_waits(&config, false, sizes, waits, 6);
    assert_waits(&config, true, sizes, waits, 6);
}

static void test_burst(void)
{
    ThrottleConfig config = config_of(THROTTLE_BPS_WRITE, 256 * KIB, 512 * KIB, 1);
    const int64_t sizes[] = { 128 * KIB, 128 * KIB, 128 * KIB, 128 * KIB, 128 * KIB, 128 * KIB,
                              128 * KIB };
    const int waits[] = { 0, 0, 0, 0, 0, 500, 500 };

    assert_waits(&config, true, sizes, waits, 7);
}

/* Longer bursts keep to the burst's rate; then the average comes. */
static void test_long_burst(void)
{
    ThrottleConfig config = config_of(THROTTLE_BPS_TOTAL, 128 * KIB, 256 * KIB, 2);
    int64_t sizes[14];
    int waits[14] = { 0, 400, 500, 500, 500, 500, 500, 500 };

    for (int i = 0; i < 14; i++) {
        sizes[i] = 128 * KIB;
        waits[i] = i < 8 ? waits[i] : 1000;
    }
    /*
     * Then the bucket of 512 KiB is full: half a second for the burst, and a tenth more for the
     * average.
     */
    waits[8] = 600;
    assert_waits(&config, false, sizes, waits, 14);
}

static void test_requests(void)
{
    ThrottleConfig config = config_of(THROTTLE_IOPS_TOTAL, 4, 0, 1);
    const int64_t sizes[] = { 1, 1 * KIB * KIB, 512, 1, 1 };
    const int waits[] = { 0, 150, 250, 250, 250 };

    assert_waits(&config, false, sizes, waits, 5);
}

static void test_iops_size(void)
{
    ThrottleConfig config = config_of(THROTTLE_IOPS_TOTAL, 10, 0, 1);
    const int64_t sizes[] = { 8192, 8192, 16384, 1024, 1024, 5120, 1024 };
    const int waits[] = { 0, 100, 200, 400, 100, 100, 125 };

    config.iops_size = 4096;
    assert_waits(&config, true, sizes, waits, 7);
}

/* A limit of one direction leaves the other alone; the tightest of several counts. */
static void test_directions(void)
{
    ThrottleConfig config = config_of(THROTTLE_BPS_READ, 1000, 0, 1);
    Throttle t;

    config.limits[THROTTLE_IOPS_TOTAL].rate = 100;
    throttle_init(&t, &config, 0);
    throttle_account(&t, true, 100000);
    g_assert_cmpint(throttle_wait_ns(&t, true, 0), ==, 0);
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 0);
    throttle_account(&t, false, 1100);
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 1 * S);
    g_assert_cmpint(throttle_wait_ns(&t, true, 0), ==, 0);
    for (int i = 0; i < 10; i++) {
        throttle_account(&t, true, 1);
    }
    g_assert_cmpint(throttle_wait_ns(&t, true, 0), ==, 20 * MS);
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 1 * S);
}

static void test_no_limits(void)
{
    ThrottleConfig config;
    Throttle t;

    throttle_config_init(&config);
    throttle_init(&t, &config, 0);
    for (int i = 0; i < 1000; i++) {
        g_assert_cmpint(throttle_wait_ns(&t, i % 2, 0), ==, 0);
        throttle_account(&t, i % 2, INT32_MAX);
    }
}

/* Rest is not saved up beyond what the bucket holds; a clock that goes back changes nothing. */
static void test_time(void)
{
    ThrottleConfig config = config_of(THROTTLE_BPS_TOTAL, 1000, 0, 1);
    Throttle t;

    throttle_init(&t, &config, 0);
    g_assert_cmpint(throttle_wait_ns(&t, false, 3600 * S), ==, 0);
    throttle_account(&t, false, 200);
    g_assert_cmpint(throttle_wait_ns(&t, false, 3600 * S), ==, 100 * MS);
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 100 * MS);
    g_assert_cmpint(throttle_wait_ns(&t, false, 3600 * S + 50 * MS), ==, 50 * MS);
}

/* The longest wait is an hour, whatever was let through before. */
static void test_extremes(void)
{
    ThrottleConfig config = config_of(THROTTLE_BPS_TOTAL, 1, 0, 1);
    Throttle t;

    throttle_init(&t, &config, 0);
    for (int i = 0; i < 1000; i++) {
        throttle_account(&t, false, INT64_MAX);
    }
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 3600 * S);
    config = config_of(THROTTLE_BPS_TOTAL, THROTTLE_RATE_MAX, 0, 1);
    throttle_init(&t, &config, 0);
    throttle_account(&t, false, INT32_MAX);
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 0);
    config = config_of(THROTTLE_BPS_TOTAL, 1, 1, 4294967295);
    throttle_init(&t, &config, 0);
    throttle_account(&t, false, 4294967295);
    g_assert_cmpint(throttle_wait_ns(&t, false, 0), ==, 3600 * S);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/throttle/config/each-mistake/has-its-message", test_refusals);
    g_test_add_func("/throttle/config/contradictions/are-refused", test_contradictions);
    g_test_add_func("/throttle/average/a-tenth-of-a-second-goes-at-once", test_average);
    g_test_add_func("/throttle/burst/a-second-goes-at-once", test_burst);
    g_test_add_func("/throttle/burst/longer/keeps-to-its-rate", test_long_burst);
    g_test_add_func("/throttle/requests/count-alike", test_requests);
    g_test_add_func("/throttle/requests/larger-than-iops-size/count-more", test_iops_size);
    g_test_add_func("/throttle/directions/have-limits-of-their-own", test_directions);
    g_test_add_func("/throttle/no-limits/never-wait", test_no_limits);
    g_test_add_func("/throttle/time/rest-is-not-saved-up", test_time);
    g_test_add_func("/throttle/extremes/stay-numbers", test_extremes);
    return g_test_run();
}
