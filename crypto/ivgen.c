/* SPDX-License-Identifier: MIT */
/* Initialization vectors, as dm-crypt names them. */
#include "crypto/ivgen.h"

#include <string.h>

#include "util/cutils.h"

void qcrypto_ivgen_plain64(uint64_t sector, uint8_t iv[16])
{
    le64_store(iv, sector);
    memset(iv + 8, 0, 8);
}
