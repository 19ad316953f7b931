/* SPDX-License-Identifier: MIT */
/* What each fuzz target is: libFuzzer's entry point, also called by replay.c for the seeds. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
