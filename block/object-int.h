/* SPDX-License-Identifier: MIT */
/*
 * Object descriptions ("secret,id=sec0,data=...") without leaving their secret bytes on the heap.
 */
#ifndef BLOCK_OBJECT_INT_H
#define BLOCK_OBJECT_INT_H

#include "crypto/secmem.h"

/*
 * Splits @text, an option string or a JSON object, into the value of its property "data" (*@data,
 * NULL if it has none) and the text without that value (*@rest; free with g_free()).
 */
bool object_split_data(const char *text, char **rest, SecMem **data, GError **error);

/* JSON objects start so. */
bool object_is_json(const char *text);

#endif
