/* SPDX-License-Identifier: MIT */
/*
 * Makes the data of the benchmarks: runs of 4 KiB to 1 MiB, a quarter of the bytes zeros (written,
 * not holes), a quarter random, 35 % text, 15 % binary records. The same seed gives the same bytes.
 *
 * mixed-data FILE MIB [SEED]
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, RUN_MAX = 256 };   /* blocks of a run */

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void fill_random(uint8_t *buf, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t n = next_random();

        memcpy(buf + i, &n, sizeof(n));
    }
}

static void fill_text(uint8_t *buf, size_t bytes)
{
    static const char *const words[] = {
        "the ", "image ", "of ", "a ", "disk ", "holds ", "clusters ", "and ", "tables ", "that ",
        "name ", "them, ", "one ", "by ", "one.\n", "Reading ", "is ", "cheap; ", "writing ",
        "less ", "so. ", "however ", "between ", "offset ", "length ", "backing ", "file ",
    };
    size_t pos = 0;

    while (pos < bytes) {
        const char *word = words[next_random() % (sizeof(words) / sizeof(words[0]))];
        size_t n = strlen(word);

        n = n < bytes - pos ? n : bytes - pos;
        memcpy(buf + pos, word, n);
        pos += n;
    }
}

static void fill_records(uint8_t *buf, size_t bytes)
{
    uint32_t key = next_random();

    for (size_t pos = 0; pos + 32 <= bytes; pos += 32, key++) {
        uint32_t record[8] = { key, 0x52454331, next_random() & 0xff, 0, 1700000000 + key / 7,
                               0, next_random() & 0xffff, 0 };

        memcpy(buf + pos, record, sizeof(record));
    }
}

static void fill(uint8_t *buf, size_t bytes)
{
    uint64_t kind = next_random() % 100;

    if (kind < 25) {
        memset(buf, 0, bytes);
    } else if (kind < 50) {
        fill_random(buf, bytes);
    } else if (kind < 85) {
        fill_text(buf, bytes);
    } else {
        fill_records(buf, bytes);
    }
}

int main(int argc, char **argv)
{
    static uint8_t buf[BLOCK * RUN_MAX];
    int64_t left;
    int fd;

    if (argc < 3) {
        fprintf(stderr, "usage: %s FILE MIB [SEED]\n", argv[0]);
        return 2;
    }
    left = strtoll(argv[2], NULL, 10) << 20;
    state = 0x9e3779b97f4a7c15u ^ (argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    while (left > 0) {
        int64_t n = (int64_t)BLOCK << next_random() % 9;

        n = n < left ? n : left;
        fill(buf, n);
        if (write(fd, buf, n) != n) {
            perror(argv[1]);
            return 1;
        }
        left -= n;
    }
    return close(fd) ? 1 : 0;
}
