/* SPDX-License-Identifier: MIT */
/*
 * Makes the data of the benchmarks: runs of 4 KiB to 1 MiB, a quarter of the bytes zeros (written,
 * not holes), a quarter random, 35 % text, 15 % binary records. The same seed gives the same bytes.
 *
 * mixed-data FILE MIB [SEED]
 */
#include "bench/mixed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4096, RUN_MAX = 256 };   /* blocks of a run */

static void fill(uint8_t *buf, size_t bytes)
{
    uint64_t kind = mixed_random() % 100;

    if (kind < 25) {
        memset(buf, 0, bytes);
    } else if (kind < 50) {
        mixed_fill_random(buf, bytes);
    } else if (kind < 85) {
        mixed_fill_text(buf, bytes);
    } else {
        mixed_fill_records(buf, bytes);
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
    mixed_seed(argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    while (left > 0) {
        int64_t n = (int64_t)BLOCK << mixed_random() % 9;

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
