/* SPDX-License-Identifier: MIT */
/* How an encryption format makes a sector's initialization vector of its number. */
#ifndef CRYPTO_IVGEN_H
#define CRYPTO_IVGEN_H

#include <cairn/macros.h>

typedef void QCryptoIVGen(uint64_t sector, uint8_t iv[16]);

/* The number as 64 bits little-endian, then zeros. */
void qcrypto_ivgen_plain64(uint64_t sector, uint8_t iv[16]);

#endif
