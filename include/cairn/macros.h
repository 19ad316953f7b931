/* SPDX-License-Identifier: MIT */
/*
 * What every public header needs: the mark of an exported symbol, and C
 * linkage for C++ callers (G_BEGIN_DECLS). Symbols without CAIRN_API stay
 * inside the library.
 */
#ifndef CAIRN_MACROS_H
#define CAIRN_MACROS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <inttypes.h>
#include <sys/types.h>

#define CAIRN_API __attribute__((visibility("default")))

#endif
