/* SPDX-License-Identifier: MIT */
/*
 * cairn-img bench, in two parts: the command line (bench.c) and the run (bench-run.c).
 */
#ifndef TOOLS_IMG_BENCH_H
#define TOOLS_IMG_BENCH_H

#include "img/img.h"

typedef struct BenchArgs {
    ImgCommon common;
    const char *filename;
    int64_t count, depth, flush_interval;
    int64_t buffer_bytes;
    int64_t step;               /* bytes */
    int64_t offset;             /* bytes: where the first request starts */
    int64_t pattern;            /* byte that is written */
    bool is_write, no_drain;
    int flags;                  /* BLK_O_* of -t, -n and -i */
} BenchArgs;

/* Sends all requests and waits for them. */
bool bench_run(BlockBackend *blk, const BenchArgs *args, GError **error);

#endif
