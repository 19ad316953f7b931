/* SPDX-License-Identifier: MIT */
/*
 * Numbers as arguments. The two-line message carries the program's name on both lines, as
 * scripts written for the peer expect.
 */
#include "common/tool.h"

#include <errno.h>
#include <inttypes.h>

bool tool_parse_size(const char *what, const char *text, int64_t min, int64_t max,
                     int64_t *bytes, GError **error)
{
    bool hex_suffix = false;
    uint64_t value = 0;
    int ret = cairn_parse_size(text, &value, &hex_suffix);

    if (ret == -EINVAL) {
        cairn_set_error(error, EINVAL, "Invalid %s specified. You may use k, M, G, T, P or E"
                        " suffixes for\n%s: kilobytes, megabytes, gigabytes, terabytes,"
                        " petabytes and exabytes.", what, tool_prog());
        return false;
    }
    if (ret < 0 || value > (uint64_t)max || (int64_t)value < min) {
        cairn_set_error(error, ERANGE, "Invalid %s specified. Must be between %" PRId64
                        " and %" PRId64 ".", what, min, max);
        return false;
    }
    if (hex_suffix) {
        tool_warn("Using a multiplier suffix on hex numbers is deprecated: %s", text);
    }
    *bytes = value;
    return true;
}

bool tool_parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
    return g_ascii_string_to_signed(text, 10, min, max, value, NULL);
}
