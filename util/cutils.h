/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them, checked arithmetic, and big/little-endian
 * loads and stores of unaligned memory.
 */
#ifndef UTIL_CUTILS_H
#define UTIL_CUTILS_H

#include <cairn/error.h>

#define KiB ((int64_t)1 << 10)
#define MiB ((int64_t)1 << 20)
#define GiB ((int64_t)1 << 30)

#define ROUND_UP_TO(n, d) (((n) + (d) - 1) / (d) * (d))
#define ROUND_DOWN_TO(n, d) ((n) / (d) * (d))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))

/*
 * Sizes: decimal, 0x hex, or a decimal fraction with a suffix b k M G T P E (either case). Blanks
 * and one "+" may stand before. What is less than a byte is dropped behind k and above ("0.3k"
 * is 307), and refused in plain bytes ("1.5").
 * Returns: 0, -EINVAL (not such a number), -ERANGE (more than 2^64 - 1).
 * @hex_suffix: set if a suffix stood on a hex number (deprecated); may be NULL.
 */
int cutils_parse_size(const char *text, uint64_t *bytes, bool *hex_suffix);

/* "1 MiB", "999 KiB", "0.977 MiB": three significant digits, as the tools' info. Free with g_free(). */
char *cutils_format_size(uint64_t bytes);

/* offset + bytes <= limit, all >= 0, without overflow. */
static inline bool range_fits(int64_t offset, int64_t bytes, int64_t limit)
{
    return offset >= 0 && bytes >= 0 && offset <= limit && bytes <= limit - offset;
}

static inline bool is_power_of_2(uint64_t n)
{
    return n && !(n & (n - 1));
}

static inline uint16_t be16_load(const void *p)
{
    uint16_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return GUINT16_FROM_BE(v);
}

static inline uint32_t be32_load(const void *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return GUINT32_FROM_BE(v);
}

static inline uint64_t be64_load(const void *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof(v));
    return GUINT64_FROM_BE(v);
}

static inline void be16_store(void *p, uint16_t v)
{
    v = GUINT16_TO_BE(v);
    __builtin_memcpy(p, &v, sizeof(v));
}

static inline void be32_store(void *p, uint32_t v)
{
    v = GUINT32_TO_BE(v);
    __builtin_memcpy(p, &v, sizeof(v));
}

static inline void be64_store(void *p, uint64_t v)
{
    v = GUINT64_TO_BE(v);
    __builtin_memcpy(p, &v, sizeof(v));
}

static inline uint32_t le32_load(const void *p)
{
    uint32_t v;

    __builtin_memcpy(&v, p, sizeof(v));
    return GUINT32_FROM_LE(v);
}

static inline uint64_t le64_load(const void *p)
{
    uint64_t v;

    __builtin_memcpy(&v, p, sizeof(v));
    return GUINT64_FROM_LE(v);
}

static inline void le32_store(void *p, uint32_t v)
{
    v = GUINT32_TO_LE(v);
    __builtin_memcpy(p, &v, sizeof(v));
}

static inline void le64_store(void *p, uint64_t v)
{
    v = GUINT64_TO_LE(v);
    __builtin_memcpy(p, &v, sizeof(v));
}

#endif
