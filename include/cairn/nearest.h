/* SPDX-License-Identifier: MIT */
/*
 * Which known name a misspelt one was meant to be.
 */
#ifndef CAIRN_NEAREST_H
#define CAIRN_NEAREST_H

#include <cairn/error.h>

G_BEGIN_DECLS

/**
 * cairn_nearest_name:
 * @word: as it was written
 * @names: the known ones, NULL-ended
 *
 * Letters that are missing, too many, wrong or swapped count, their case does not. Names that
 * differ in their digits only ("qcow", "qcow2") stand for different things: neither is the other
 * misspelt.
 *
 * Returns: the likeliest of @names, the first of equals; NULL if none is near, or if @word is one of
 * them.
 */
CAIRN_API const char *cairn_nearest_name(const char *word, const char *const *names);

/**
 * cairn_error_append_nearest: the hint "Did you mean 'NAME'?", if there is a nearest name. @error as
 * for cairn_error_append_hint().
 */
CAIRN_API void cairn_error_append_nearest(GError **error, const char *word,
                                          const char *const *names);

G_END_DECLS

#endif
