/* SPDX-License-Identifier: MIT */
/*
 * Limits on bytes and requests in time, as leaky buckets. Pure: the time is an argument. Not
 * locked.
 *
 * A bucket leaks at its rate, and each request fills it by what it takes: a request may go when
 * what is in the bucket is not more than it holds. Without a burst the bucket holds a tenth of a
 * second's worth; with a burst it holds what the burst rate gives in the burst's length, and a
 * length of more than a second has a second bucket that keeps to the burst rate.
 */
#ifndef UTIL_THROTTLE_H
#define UTIL_THROTTLE_H

#include <cairn/error.h>

#define THROTTLE_RATE_MAX 1000000000000000LL

typedef enum ThrottleKind {
    THROTTLE_BPS_TOTAL, THROTTLE_BPS_READ, THROTTLE_BPS_WRITE,
    THROTTLE_IOPS_TOTAL, THROTTLE_IOPS_READ, THROTTLE_IOPS_WRITE,
    THROTTLE_KINDS,
} ThrottleKind;

typedef struct ThrottleLimit {
    int64_t rate;               /* bytes or requests in a second; 0: no limit */
    int64_t burst;              /* likewise, for a while; 0: none */
    int64_t burst_length;       /* seconds, > 0 */
} ThrottleLimit;

typedef struct ThrottleConfig {
    ThrottleLimit limits[THROTTLE_KINDS];
    int64_t iops_size;          /* bytes: a larger request counts as several; 0: it counts as one */
} ThrottleConfig;

typedef struct Throttle {
    ThrottleConfig config;
    double level[THROTTLE_KINDS];       /* bytes or requests in the bucket */
    double burst_level[THROTTLE_KINDS]; /* in that of the burst rate */
    int64_t leaked_ns;          /* when it was last looked at */
} Throttle;

/* No limits. */
void throttle_config_init(ThrottleConfig *config);
/* False with @error where the numbers contradict each other. */
bool throttle_config_check(const ThrottleConfig *config, GError **error);

/* @config: one that was checked. */
void throttle_init(Throttle *t, const ThrottleConfig *config, int64_t now_ns);

/*
 * How long a request has to wait as things are: 0: it may go. At most an hour, to be asked again
 * then.
 */
int64_t throttle_wait_ns(Throttle *t, bool is_write, int64_t now_ns);
/* A request goes. */
void throttle_account(Throttle *t, bool is_write, int64_t bytes);

#endif
