/* SPDX-License-Identifier: MIT */
/*
 * Zeros that make a target longer than the file it is made from.
 */
#include "img/img.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

void img_warn_of_padding(BlockBackend *source, const char *name)
{
    struct stat st;

    if (strcmp(blk_get_format(source), "raw") || stat(blk_get_filename(source), &st) < 0 ||
        !S_ISREG(st.st_mode) || st.st_size % BDRV_SECTOR_SIZE == 0) {
        return;
    }
    tool_warn("'%s' has %" PRId64 " bytes: zeros are added up to %" PRId64 " bytes, a multiple of"
              " %d", name, (int64_t)st.st_size, blk_getlength(source), BDRV_SECTOR_SIZE);
}
