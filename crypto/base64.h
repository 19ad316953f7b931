/* SPDX-License-Identifier: MIT */
/* Base64 into secret memory, leaving no copies elsewhere. */
#ifndef CRYPTO_BASE64_H
#define CRYPTO_BASE64_H

#include "crypto/secmem.h"

/*
 * @text: newlines are skipped; anything else outside the alphabet, or a cut-off end, is an error.
 */
SecMem *qcrypto_base64_decode(const uint8_t *text, size_t bytes, GError **error);

#endif
