/* SPDX-License-Identifier: MIT */
/* The kinds of bytes that the benchmarks' disks hold. The same seed gives the same bytes. */
#ifndef BENCH_MIXED_H
#define BENCH_MIXED_H

#include <stddef.h>
#include <stdint.h>

void mixed_seed(uint64_t seed);
uint64_t mixed_random(void);

/* @bytes: a multiple of 32. */
void mixed_fill_random(uint8_t *buf, size_t bytes);
void mixed_fill_text(uint8_t *buf, size_t bytes);
void mixed_fill_records(uint8_t *buf, size_t bytes);

#endif
