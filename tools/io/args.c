/* SPDX-License-Identifier: MIT */
/* cairn-io: numbers, patterns and buffers of commands. What is wrong is said on standard output. */
#include "io/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tool.h"

#define BUFFER_ALIGN 4096
#define MISALIGN_BYTES 16

void io_error(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, format);
    text = g_strdup_vprintf(format, ap);
    va_end(ap);
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", tool_prog(), text);
}

bool io_parse_number(const char *text, int64_t *value)
{
    bool hex_suffix = false;
    uint64_t bytes = 0;
    int ret = cairn_parse_size(text, &bytes, &hex_suffix);

    if (ret == -ERANGE || (!ret && bytes > INT64_MAX)) {
        printf("Parsing error: argument too large -- %s\n", text);
        return false;
    }
    if (ret < 0) {
        printf("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- %s\n",
               text);
        return false;
    }
    if (hex_suffix) {
        tool_warn("Using a multiplier suffix on hex numbers is deprecated: %s", text);
    }
    *value = (int64_t)bytes;
    return true;
}

bool io_parse_length(const char *text, int64_t *value)
{
    if (!io_parse_number(text, value)) {
        return false;
    }
    if (*value > BDRV_REQUEST_MAX_BYTES) {
        printf("length cannot exceed %" PRId64 ", given %s\n", BDRV_REQUEST_MAX_BYTES, text);
        return false;
    }
    return true;
}

bool io_check_sectors(int64_t offset, int64_t bytes)
{
    bool offset_fits = offset % BDRV_SECTOR_SIZE == 0;

    if (offset_fits && bytes % BDRV_SECTOR_SIZE == 0) {
        return true;
    }
    printf("%" PRId64 " is not a sector-aligned value for '%s'\n", offset_fits ? bytes : offset,
           offset_fits ? "count" : "offset");
    return false;
}

bool io_parse_pattern(const char *text, int *pattern)
{
    char *end = NULL;
    long value;

    errno = 0;
    value = strtol(text, &end, 0);
    if (errno || end == text || *end || value < 0 || value > 255) {
        printf("%s is not a valid pattern byte\n", text);
        return false;
    }
    *pattern = (int)value;
    return true;
}

uint8_t *io_buffer_new(IoShell *shell, int64_t bytes, int fill)
{
    void *buf = NULL;
    size_t extra = shell->misalign ? MISALIGN_BYTES : 0;

    if (posix_memalign(&buf, BUFFER_ALIGN, (size_t)MAX(bytes, 1) + extra)) {
        printf("no memory for %" PRId64 " bytes\n", bytes);
        return NULL;
    }
    buf = (uint8_t *)buf + extra;
    memset(buf, fill, (size_t)bytes);
    return buf;
}

void io_buffer_free(IoShell *shell, uint8_t *buf)
{
    if (buf) {
        free(buf - (shell->misalign ? MISALIGN_BYTES : 0));
    }
}

bool io_verify(const uint8_t *buf, int64_t bytes, int pattern, int64_t offset)
{
    for (int64_t i = 0; i < bytes; i++) {
        if (buf[i] != pattern) {
            printf("Pattern verification failed at offset %" PRId64 ", %" PRId64 " bytes\n",
                   offset, bytes);
            return false;
        }
    }
    return true;
}
