/* SPDX-License-Identifier: MIT */
/* Limits on bytes and requests in time, as leaky buckets. */
#include "util/throttle.h"

#include <errno.h>

#define NS_PER_S 1000000000.0
#define THROTTLE_WAIT_MAX_NS (3600 * 1000000000LL)
#define THROTTLE_BURST_SHARE 10         /* of a second's worth: what may go at once */

/* ---- configuration -------------------------------------------------------------- */

void throttle_config_init(ThrottleConfig *config)
{
    *config = (ThrottleConfig){ .iops_size = 0 };
    for (int i = 0; i < THROTTLE_KINDS; i++) {
        config->limits[i].burst_length = 1;
    }
}

/* @total: of bytes or of requests; what is limited in total is not limited by direction, too. */
static bool throttle_check_total(const ThrottleLimit *total, GError **error)
{
    const ThrottleLimit *reads = total + 1, *writes = total + 2;

    if ((total->rate && (reads->rate || writes->rate))
        || (total->burst && (reads->burst || writes->burst))) {
        cairn_set_error(error, EINVAL, "bps/iops/max total values and read/write values cannot be "
                        "used at the same time");
        return false;
    }
    return true;
}

static bool throttle_is_rate(int64_t value)
{
    return value >= 0 && value <= THROTTLE_RATE_MAX;
}

static bool throttle_check_length(const ThrottleLimit *limit, GError **error)
{
    if (limit->burst_length <= 0) {
        cairn_set_error(error, EINVAL, "the burst length cannot be 0");
        return false;
    }
    if (limit->burst_length > 1 && !limit->burst) {
        cairn_set_error(error, EINVAL, "burst length set without burst rate");
        return false;
    }
    if (limit->burst && limit->burst_length > THROTTLE_RATE_MAX / limit->burst) {
        cairn_set_error(error, EINVAL, "burst length too high for this burst rate");
        return false;
    }
    return true;
}

static bool throttle_check_limit(const ThrottleLimit *limit, GError **error)
{
    if (!throttle_is_rate(limit->rate) || !throttle_is_rate(limit->burst)) {
        cairn_set_error(error, EINVAL, "bps/iops/max values must be within [0, %lld]",
                        THROTTLE_RATE_MAX);
        return false;
    }
    if (!throttle_check_length(limit, error)) {
        return false;
    }
    if (limit->burst && !limit->rate) {
        cairn_set_error(error, EINVAL, "bps_max/iops_max require corresponding bps/iops values");
        return false;
    }
    if (limit->burst && limit->burst < limit->rate) {
        cairn_set_error(error, EINVAL, "bps_max/iops_max cannot be lower than bps/iops");
        return false;
    }
    return true;
}

bool throttle_config_check(const ThrottleConfig *config, GError **error)
{
    const ThrottleLimit *limits = config->limits;

    if (!throttle_check_total(&limits[THROTTLE_BPS_TOTAL], error)
        || !throttle_check_total(&limits[THROTTLE_IOPS_TOTAL], error)) {
        return false;
    }
    if (config->iops_size && !limits[THROTTLE_IOPS_TOTAL].rate
        && !limits[THROTTLE_IOPS_READ].rate && !limits[THROTTLE_IOPS_WRITE].rate) {
        cairn_set_error(error, EINVAL, "iops size requires an iops value to be set");
        return false;
    }
    if (config->iops_size < 0) {
        cairn_set_error(error, EINVAL, "iops size cannot be negative");
        return false;
    }
    for (int i = 0; i < THROTTLE_KINDS; i++) {
        if (!throttle_check_limit(&limits[i], error)) {
            return false;
        }
    }
    return true;
}

/* ---- buckets --------------------------------------------------------------------- */

void throttle_init(Throttle *t, const ThrottleConfig *config, int64_t now_ns)
{
    *t = (Throttle){ .config = *config, .leaked_ns = now_ns };
}

static void throttle_leak(Throttle *t, int64_t now_ns)
{
    double seconds = (double)(now_ns - t->leaked_ns) / NS_PER_S;

    if (now_ns <= t->leaked_ns) {
        return;
    }
    t->leaked_ns = now_ns;
    for (int i = 0; i < THROTTLE_KINDS; i++) {
        const ThrottleLimit *limit = &t->config.limits[i];

        t->level[i] = MAX(0, t->level[i] - (double)limit->rate * seconds);
        t->burst_level[i] = MAX(0, t->burst_level[i] - (double)limit->burst * seconds);
    }
}

/* Seconds until the bucket @kind has room again. */
static double throttle_wait_bucket(const Throttle *t, ThrottleKind kind)
{
    const ThrottleLimit *limit = &t->config.limits[kind];
    double room = limit->burst ? (double)limit->burst * (double)limit->burst_length
                               : (double)limit->rate / THROTTLE_BURST_SHARE;
    double wait = 0;

    if (!limit->rate) {
        return 0;
    }
    if (t->level[kind] > room) {
        wait = (t->level[kind] - room) / (double)limit->rate;
    }
    room = (double)limit->burst / THROTTLE_BURST_SHARE;
    if (limit->burst_length > 1 && t->burst_level[kind] > room) {
        wait = MAX(wait, (t->burst_level[kind] - room) / (double)limit->burst);
    }
    return wait;
}

int64_t throttle_wait_ns(Throttle *t, bool is_write, int64_t now_ns)
{
    double wait = 0;

    throttle_leak(t, now_ns);
    wait = MAX(wait, throttle_wait_bucket(t, THROTTLE_BPS_TOTAL));
    wait = MAX(wait, throttle_wait_bucket(t, THROTTLE_BPS_READ + is_write));
    wait = MAX(wait, throttle_wait_bucket(t, THROTTLE_IOPS_TOTAL));
    wait = MAX(wait, throttle_wait_bucket(t, THROTTLE_IOPS_READ + is_write));
    return (int64_t)MIN(wait * NS_PER_S, (double)THROTTLE_WAIT_MAX_NS);
}

static void throttle_fill(Throttle *t, ThrottleKind kind, double amount)
{
    t->level[kind] += amount;
    t->burst_level[kind] += amount;
}

void throttle_account(Throttle *t, bool is_write, int64_t bytes)
{
    int64_t size = t->config.iops_size;
    double requests = size && bytes > size ? (double)bytes / (double)size : 1;

    throttle_fill(t, THROTTLE_BPS_TOTAL, (double)bytes);
    throttle_fill(t, THROTTLE_BPS_READ + is_write, (double)bytes);
    throttle_fill(t, THROTTLE_IOPS_TOTAL, requests);
    throttle_fill(t, THROTTLE_IOPS_READ + is_write, requests);
}
