/* SPDX-License-Identifier: MIT */
/* A processor without AES instructions ("--wrap": the library's calls come here). */
#include "crypto/cbc-lanes.h"

bool __wrap_cbc_lanes_supported(void);

bool __wrap_cbc_lanes_supported(void)
{
    return false;
}
