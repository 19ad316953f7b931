/* SPDX-License-Identifier: MIT */
/*
 * The public face of cutils' sizes.
 */
#include <cairn/size.h>

#include "util/cutils.h"

int cairn_parse_size(const char *text, uint64_t *bytes, bool *hex_suffix)
{
    if (hex_suffix) {
        *hex_suffix = false;
    }
    return cutils_parse_size(text, bytes, hex_suffix);
}

char *cairn_format_size(uint64_t bytes)
{
    return cutils_format_size(bytes);
}
