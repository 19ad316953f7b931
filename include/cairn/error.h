/* SPDX-License-Identifier: MIT */
/*
 * Errors of the control plane. The first line of a message says what failed
 * and where; each further line is a hint for a person. The code is a positive
 * errno, so that a program can act on it.
 */
#ifndef CAIRN_ERROR_H
#define CAIRN_ERROR_H

#include <cairn/macros.h>

G_BEGIN_DECLS

#define CAIRN_ERROR (cairn_error_quark())

CAIRN_API GQuark cairn_error_quark(void);

/**
 * cairn_set_error:
 * @error: where to store the error, or NULL
 * @err: a positive errno; becomes the error's code
 * @format: the message; no trailing newline
 *
 * Context: any thread. Keeps errno.
 */
CAIRN_API void cairn_set_error(GError **error, int err, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/** cairn_set_error_errno: as cairn_set_error(), followed by ": " and the text of @err. */
CAIRN_API void cairn_set_error_errno(GError **error, int err,
                                     const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/**
 * cairn_error_append_hint:
 * @error: NULL, or the address of an error that is set (else nothing happens)
 *
 * Adds a line of advice after the message. Hints stand in the order added.
 */
CAIRN_API void cairn_error_append_hint(GError **error, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/**
 * cairn_error_errno:
 *
 * Returns: the positive errno that @error stands for; EIO when it is of
 * another domain than CAIRN_ERROR, 0 for NULL.
 */
CAIRN_API int cairn_error_errno(const GError *error);

G_END_DECLS

#endif
