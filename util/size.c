/* SPDX-License-Identifier: MIT */
/*
 * The public face of cutils' sizes.
 */
#include <cairn/size.h>

#include <string.h>

#include "util/cutils.h"

int cairn_parse_size(const char *text, uint64_t *bytes, bool *hex_suffix)
{
    if (hex_suffix) {
        *hex_suffix = false;
    }
    return cutils_parse_size(text, bytes, hex_suffix);
}

/* "10MB" and the like without the letters that a suffix does not have here; NULL for other texts. */
static char *size_trim_unit(const char *text)
{
    size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits + strspn(text + digits, " ");
    bool has_prefix = unit[0] && strchr("kKmMgGtTpPeE", unit[0]);
    const char *rest = unit + has_prefix;
    uint64_t bytes;
    g_autofree char *size = g_strdup_printf("%.*s%.*s", (int)digits, text, has_prefix, unit);

    if (*rest && g_ascii_strcasecmp(rest, "b") && g_ascii_strcasecmp(rest, "ib") &&
        g_ascii_strcasecmp(rest, "byte") && g_ascii_strcasecmp(rest, "bytes")) {
        return NULL;
    }
    return cutils_parse_size(size, &bytes, NULL) == 0 ? g_steal_pointer(&size) : NULL;
}

void cairn_error_append_size(GError **error, const char *text)
{
    g_autofree char *size = size_trim_unit(text);

    if (size) {
        cairn_error_append_hint(error, "Did you mean '%s'?", size);
    }
}

char *cairn_format_size(uint64_t bytes)
{
    return cutils_format_size(bytes);
}
