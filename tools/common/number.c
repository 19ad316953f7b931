/* SPDX-License-Identifier: MIT */
/*
 * Numbers as arguments. The two-line message carries the program's name on both lines, as
 * scripts written for the peer expect.
 */
#include "common/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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
        cairn_error_append_size(error, text);
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

bool tool_parse_size_option(const char *name, const char *text, uint64_t *bytes, GError **error)
{
    bool hex_suffix = false;
    int ret = cairn_parse_size(text, bytes, &hex_suffix);

    if (ret == -ERANGE) {
        cairn_set_error(error, ERANGE, "Value '%s' is out of range for parameter '%s'", text,
                        name);
        return false;
    }
    if (ret < 0) {
        cairn_set_error(error, EINVAL, "Parameter '%s' expects a non-negative number below 2^64\n"
                        "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-,"
                        " peta-\nand exabytes, respectively.", name);
        cairn_error_append_size(error, text);
        return false;
    }
    if (hex_suffix) {
        tool_warn("Using a multiplier suffix on hex numbers is deprecated: %s", text);
    }
    return true;
}

bool tool_parse_prealloc(const char *text, PreallocMode *mode, GError **error)
{
    static const char *const names[] = { "off", "metadata", "falloc", "full" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!strcmp(text, names[i])) {
            *mode = (PreallocMode)i;
            return true;
        }
    }
    cairn_set_error(error, EINVAL, "Invalid preallocation mode '%s'\n"
                    "Accepted values of 'preallocation': off, falloc, full", text);
    return false;
}

bool tool_parse_int(const char *text, int64_t min, int64_t max, int64_t *value)
{
    return g_ascii_string_to_signed(text, 10, min, max, value, NULL);
}
