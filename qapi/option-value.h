/* SPDX-License-Identifier: MIT */
/* Turns a value, however spelled, into what an option's type wants: for tables and visitors. */
#ifndef QAPI_OPTION_VALUE_H
#define QAPI_OPTION_VALUE_H

#include <cairn/qdict.h>

/*
 * @name: full, for the message; @choices: of OPTION_STRING, or NULL.
 * Returns: a new reference of the type's own kind (bool, number, string), or NULL with @error.
 */
QObject *option_value_convert(const char *name, OptionType type, const char *const *choices,
                              const QObject *value, GError **error);

#endif
