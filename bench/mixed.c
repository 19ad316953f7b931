/* SPDX-License-Identifier: MIT */
#include "bench/mixed.h"

#include <string.h>

static uint64_t state;

void mixed_seed(uint64_t seed)
{
    state = 0x9e3779b97f4a7c15u ^ seed;
}

uint64_t mixed_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void mixed_fill_random(uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t n = mixed_random();

        memcpy(buf + i, &n, sizeof(n));
    }
}

void mixed_fill_text(uint8_t *buf, size_t bytes)
{
    static const char *const words[] = {
        "the ", "image ", "of ", "a ", "disk ", "holds ", "clusters ", "and ", "tables ", "that ",
        "name ", "them, ", "one ", "by ", "one.\n", "Reading ", "is ", "cheap; ", "writing ",
        "less ", "so. ", "however ", "between ", "offset ", "length ", "backing ", "file ",
    };
    size_t pos = 0;

    while (pos < bytes) {
        const char *word = words[mixed_random() % (sizeof(words) / sizeof(words[0]))];
        size_t n = strlen(word);

        n = n < bytes - pos ? n : bytes - pos;
        memcpy(buf + pos, word, n);
        pos += n;
    }
}

void mixed_fill_records(uint8_t *buf, size_t bytes)
{
    uint32_t key = mixed_random();

    for (size_t pos = 0; pos + 32 <= bytes; pos += 32, key++) {
        uint32_t record[8] = { key, 0x52454331, mixed_random() & 0xff, 0, 1700000000 + key / 7,
                               0, mixed_random() & 0xffff, 0 };

        memcpy(buf + pos, record, sizeof(record));
    }
}
