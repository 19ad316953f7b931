/* SPDX-License-Identifier: MIT */
/*
 * Sizes as people write them and read them: "64k", "1.5G", "1 MiB".
 */
#ifndef CAIRN_SIZE_H
#define CAIRN_SIZE_H

#include <cairn/error.h>

G_BEGIN_DECLS

/**
 * cairn_parse_size:
 * @text: decimal, 0x hex, or a decimal fraction with a suffix b k M G T P E (either case; powers of 1024)
 * @bytes: set on success
 * @hex_suffix: set to whether a suffix stood on a hex number (deprecated); may be NULL
 *
 * Returns: 0; -EINVAL for what is no number or no whole number of bytes; -ERANGE for more than 2^64 - 1.
 */
CAIRN_API int cairn_parse_size(const char *text, uint64_t *bytes, bool *hex_suffix);

/**
 * cairn_error_append_size: the hint "Did you mean '10M'?" for a @text such as "10MB", "10 MiB" or "10 bytes". @error as for
 * cairn_error_append_hint().
 */
CAIRN_API void cairn_error_append_size(GError **error, const char *text);

/** cairn_format_size: three significant digits: "1 MiB", "999 KiB", "0.977 MiB". Free with g_free(). */
CAIRN_API char *cairn_format_size(uint64_t bytes);

G_END_DECLS

#endif
