/* SPDX-License-Identifier: MIT */
/*
 * Which parts of a node have changed since they were last taken: what a mirror has to copy again.
 *
 * 1. A write marks its range after its data has reached the driver and before it completes. So
 *    whoever takes a mark and then reads finds the data, or the write will mark once more.
 * 2. Marks are set on any thread, without a lock. Objects come and go inside drains only.
 */
#include "block/block-int.h"
#include "util/cutils.h"

#define DIRTY_GRANULARITY ((int64_t)64 << 10)
#define DIRTY_MAX_WORDS ((int64_t)1 << 20)      /* 8 MiB of marks */

struct BdrvDirty {
    BlockDriverState *bs;
    int64_t length;             /* bytes */
    int64_t granularity;        /* bytes, power of two */
    int64_t bits;
    int64_t marked;             /* atomic: bits that are set */
    uint64_t *words;            /* atomic each */
};

BdrvDirty *bdrv_dirty_new(BlockDriverState *bs, int64_t length)
{
    BdrvDirty *dirty = g_new0(BdrvDirty, 1);
    int64_t words;

    dirty->bs = bs;
    dirty->length = length;
    dirty->granularity = DIRTY_GRANULARITY;
    while (length / dirty->granularity / 64 >= DIRTY_MAX_WORDS) {
        dirty->granularity *= 2;
    }
    dirty->bits = DIV_ROUND_UP(length, dirty->granularity);
    words = MAX(DIV_ROUND_UP(dirty->bits, 64), 1);
    dirty->words = g_try_new0(uint64_t, words);
    if (!dirty->words) {
        g_free(dirty);
        return NULL;
    }
    bs->priv->dirty = g_slist_prepend(bs->priv->dirty, dirty);
    return dirty;
}

void bdrv_dirty_free(BdrvDirty *dirty)
{
    if (dirty) {
        dirty->bs->priv->dirty = g_slist_remove(dirty->bs->priv->dirty, dirty);
        g_free(dirty->words);
        g_free(dirty);
    }
}

static void dirty_mark_bits(BdrvDirty *dirty, int64_t first, int64_t last)
{
    while (first <= last) {
        int64_t n = MIN(64 - first % 64, last - first + 1);
        uint64_t mask = (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << (first % 64);
        uint64_t old = __atomic_fetch_or(&dirty->words[first / 64], mask, __ATOMIC_SEQ_CST);

        __atomic_add_fetch(&dirty->marked, __builtin_popcountll(mask & ~old), __ATOMIC_SEQ_CST);
        first += n;
    }
}

void bdrv_dirty_mark(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    for (GSList *l = bs->priv->dirty; l; l = l->next) {
        BdrvDirty *dirty = l->data;
        int64_t stop = MIN(offset + bytes, dirty->length);

        if (offset < stop) {
            dirty_mark_bits(dirty, offset / dirty->granularity, (stop - 1) / dirty->granularity);
        }
    }
}

/* Clears a bit; whether it was set. */
static bool dirty_take_bit(BdrvDirty *dirty, int64_t bit)
{
    uint64_t mask = UINT64_C(1) << (bit % 64);
    uint64_t old = __atomic_fetch_and(&dirty->words[bit / 64], ~mask, __ATOMIC_SEQ_CST);

    if (!(old & mask)) {
        return false;
    }
    __atomic_sub_fetch(&dirty->marked, 1, __ATOMIC_SEQ_CST);
    return true;
}

static int64_t dirty_next_bit(const BdrvDirty *dirty, int64_t bit)
{
    while (bit < dirty->bits) {
        uint64_t word = __atomic_load_n(&dirty->words[bit / 64], __ATOMIC_SEQ_CST) >> (bit % 64);

        if (word) {
            return bit + __builtin_ctzll(word);
        }
        bit = ROUND_DOWN_TO(bit, 64) + 64;
    }
    return -1;
}

bool bdrv_dirty_take(BdrvDirty *dirty, int64_t from, int64_t *offset, int64_t *bytes)
{
    int64_t first = dirty_next_bit(dirty, DIV_ROUND_UP(from, dirty->granularity)), bit;

    if (first < 0) {
        return false;
    }
    for (bit = first; bit < dirty->bits && dirty_take_bit(dirty, bit); bit++) {
        /* the run goes on */
    }
    *offset = first * dirty->granularity;
    *bytes = MIN(bit * dirty->granularity, dirty->length) - *offset;
    return true;
}

int64_t bdrv_dirty_bytes(const BdrvDirty *dirty)
{
    return __atomic_load_n(&dirty->marked, __ATOMIC_SEQ_CST) * dirty->granularity;
}
