/* SPDX-License-Identifier: MIT */
/* See crash.h. */
#include "crash.h"

#include "util/cutils.h"

/* The first record after the last sync at or before @at. */
static guint epoch_start(const GArray *log, guint at)
{
    while (at > 0 && g_array_index(log, MemRecord, at - 1).op != MEM_SYNC) {
        at--;
    }
    return at;
}

/* Each sector of a write lands or does not; other records as a whole. */
static void play_part(MemDisk *d, const MemRecord *r, GRand *rand)
{
    int64_t at = r->offset, end = r->offset + r->bytes;

    if (r->op != MEM_WRITE) {
        if (g_rand_boolean(rand)) {
            mem_disk_play(d, r);
        }
        return;
    }
    while (at < end) {
        int64_t n = MIN(end, (at / 512 + 1) * 512) - at;
        MemRecord part = {
            .op = MEM_WRITE, .offset = at, .bytes = n, .data = r->data + (at - r->offset),
        };

        if (g_rand_boolean(rand)) {
            mem_disk_play(d, &part);
        }
        at += n;
    }
}

MemDisk *crash_state_lossy(const MemDisk *start, const GArray *log, guint at, GRand *rand)
{
    MemDisk *d = mem_disk_copy(start);
    guint epoch = epoch_start(log, at);
    bool whole_records = g_rand_boolean(rand);

    for (guint i = 0; i < at; i++) {
        const MemRecord *r = &g_array_index(log, MemRecord, i);

        if (i < epoch || (whole_records && g_rand_boolean(rand))) {
            mem_disk_play(d, r);
        } else if (!whole_records) {
            play_part(d, r, rand);
        }
    }
    return d;
}

void crash_replay(const MemDisk *start, const GArray *log, int lossy, guint32 seed,
                  CrashCheckFunc *check, gpointer opaque)
{
    g_autoptr(MemDisk) prefix = mem_disk_copy(start);
    GRand *rand = g_rand_new_with_seed(seed);

    for (guint at = 0; at <= log->len; at++) {
        g_autoptr(MemDisk) state = mem_disk_copy(prefix);

        check(state, opaque);
        for (int i = 0; i < lossy; i++) {
            g_autoptr(MemDisk) part = crash_state_lossy(start, log, at, rand);

            check(part, opaque);
        }
        if (at < log->len) {
            mem_disk_play(prefix, &g_array_index(log, MemRecord, at));
        }
    }
    g_rand_free(rand);
}

static void assert_nothing_lost(BlockBackend *blk, int64_t size)
{
    int64_t at = 0;

    while (at < size) {
        BlockStatus status;

        g_assert_cmpint(blk_block_status(blk, at, size - at, &status), ==, 0);
        g_assert_false(status.flags & BDRV_BLOCK_LOST);
        at += status.bytes;
    }
}

uint8_t *crash_read_clean(CairnContext *ctx, MemDisk *d, MemDisk *backing, int64_t *size)
{
    BlockBackend *blk = mem_open_ok(ctx, d, backing, 0);
    g_autoptr(GError) error = NULL;
    BlockCheckResult r = { 0 };
    uint8_t *buf;

    *size = blk_getlength(blk);
    buf = g_malloc(MAX(*size, 1));
    g_assert_cmpint(blk_pread(blk, 0, *size, buf), ==, 0);
    assert_nothing_lost(blk, *size);
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.check_errors, ==, 0);
    mem_close_ok(blk);
    return buf;
}
