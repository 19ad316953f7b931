/* SPDX-License-Identifier: MIT */
/* blkdebug's file of rules: pure, from text to structs. */
#ifndef BLOCK_DRIVERS_BLKDEBUG_CONFIG_H
#define BLOCK_DRIVERS_BLKDEBUG_CONFIG_H

#include "qapi/block-types.h"

#define BLKDEBUG_CONFIG_MAX_BYTES (1024 * 1024)

typedef struct BlkdebugConfig {
    GPtrArray *injects;         /* BlkdebugInjectError *, owned, in the order of the file */
    GPtrArray *set_states;      /* BlkdebugSetState *, likewise */
} BlkdebugConfig;

/*
 * @text: @bytes of any content, not ended by NUL
 * @filename: for messages, which begin with "FILE:LINE: "
 * Returns: NULL with @error.
 */
BlkdebugConfig *blkdebug_config_parse(const char *text, size_t bytes, const char *filename,
                                      GError **error);

/* Reads at most BLKDEBUG_CONFIG_MAX_BYTES, and parses them. */
BlkdebugConfig *blkdebug_config_read(const char *filename, GError **error);

void blkdebug_config_free(BlkdebugConfig *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BlkdebugConfig, blkdebug_config_free)

#endif
