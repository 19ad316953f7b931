/* SPDX-License-Identifier: MIT */
/*
 * What jansson cannot do of our JSON: single-quoted strings, integers from 2^63
 * on, and our limits. A pass over the text before it is parsed, and one after it is printed.
 */
#ifndef QAPI_JSON_SCAN_H
#define QAPI_JSON_SCAN_H

#include <cairn/qdict.h>

/*
 * Rewrites @text to what jansson takes. Integers outside int64_t become "0"; the values of all
 * numbers, in the order of the text, go to @numbers (QObject *).
 * It checks limits and bare words; all other syntax is left to jansson.
 * Returns: text to be freed, or NULL with @error.
 */
char *json_scan(const char *text, GPtrArray *numbers, GError **error);

/* Puts @numbers (char *; NULL: keep), in order, in place of the numbers of the valid JSON @text. */
char *json_replace_numbers(const char *text, const GPtrArray *numbers);

#endif
