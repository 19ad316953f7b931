/* SPDX-License-Identifier: MIT */
/*
 * Crashes: what a disk may hold when the machine stops at some point of a recorded log. Durable is
 * what came before the last completed sync; of what came after it, any sectors.
 */
#ifndef TEST_CRASH_H
#define TEST_CRASH_H

#include "mem-disk.h"

/* What @state holds; it may be written to. */
typedef void CrashCheckFunc(MemDisk *state, gpointer opaque);

/*
 * Calls @check for each prefix of @log played onto @start, and for @lossy states of each in which
 * sectors of the epoch under way are missing.
 */
void crash_replay(const MemDisk *start, const GArray *log, int lossy, guint32 seed,
                  CrashCheckFunc *check, gpointer opaque);

/* One such state: the first @at records, those after the last sync in part. */
MemDisk *crash_state_lossy(const MemDisk *start, const GArray *log, guint at, GRand *rand);

/* The image opens to be read, with no corruption, no loss. Its content is the caller's to free. */
uint8_t *crash_read_clean(CairnContext *ctx, MemDisk *d, MemDisk *backing, int64_t *size);

#endif
