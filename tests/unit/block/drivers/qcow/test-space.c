/* SPDX-License-Identifier: MIT */
/*
 * A disk that becomes full. It shows on the write that asks for space: what was written and
 * answered can be flushed, always, and is there afterwards; and the image goes on as soon as there
 * is room.
 */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SIZE ((int64_t)512 << 20)
#define PLACES 24
#define STEP (SIZE / PLACES / 65536 * 65536)    /* each in a table of its own */
#define MOST_BLOCKS 200

static CairnContext *ctx;

typedef struct SpaceCase {
    const char *name;
    int cluster_bits, l2_bits;
    bool is_encrypted;
    BdrvRequestFlags flags;
} SpaceCase;

static const SpaceCase cases[] = {
    { "4k", 12, 9 },
    { "64k", 16, 13 },
    { "512-wide-l1", 9, 6 },
    { "512-wide-l2", 9, 12 },
    { "4k-encrypted", 12, 9, .is_encrypted = true },
    { "4k-compressed", 12, 9, .flags = BDRV_REQ_WRITE_COMPRESSED },
    { "4k-fua", 12, 9, .flags = BDRV_REQ_FUA },
};

static BlockBackend *open_case(const SpaceCase *c, MemDisk *d)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = mem_open(ctx, d, NULL, c->is_encrypted ? "encrypt.key-secret=s" : NULL,
                                 BLK_O_RDWR, &error);

    g_assert_no_error(error);
    return blk;
}

static void assert_value(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    g_assert_cmpint(blk_pread(blk, offset, bytes, buf), ==, 0);
    g_assert_cmpint(buf[0], ==, value);
    g_assert_cmpint(memcmp(buf, buf + 1, bytes - 1), ==, 0);
}

/* Returns: how many writes found no room. */
static int fill(const SpaceCase *c, BlockBackend *blk, int64_t bytes, int value[PLACES])
{
    g_autofree uint8_t *buf = g_malloc(bytes);
    int full = 0;

    for (int i = 0; i < PLACES; i++) {
        int ret;

        memset(buf, i + 1, bytes);
        ret = blk_pwrite(blk, i * STEP, bytes, buf, c->flags);
        g_assert_true(ret == 0 || ret == -ENOSPC);
        value[i] = ret == 0 ? i + 1 : value[i];
        full += ret != 0;
        g_assert_cmpint(blk_flush(blk), ==, 0);
    }
    return full;
}

static int run_with_room(const SpaceCase *c, guint blocks)
{
    g_autoptr(MemDisk) d = image_new(SIZE, c->cluster_bits, c->l2_bits);
    int64_t bytes = MAX(8192, 1 << c->cluster_bits);
    BlockCheckResult r = { 0 };
    int value[PLACES] = { 0 }, full;
    BlockBackend *blk;

    d->data[39] = c->is_encrypted;
    mem_disk_limit(d, blocks);
    blk = open_case(c, d);
    full = fill(c, blk, bytes, value);
    mem_close_ok(blk);
    blk = open_case(c, d);
    for (int i = 0; i < PLACES; i++) {
        assert_value(blk, i * STEP, bytes, value[i]);
    }
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    g_assert_cmpint(r.corruptions, ==, 0);
    mem_disk_limit(d, G_MAXINT / 2);
    g_assert_cmpint(fill(c, blk, bytes, value), ==, 0);
    mem_close_ok(blk);
    return full;
}

static void test_space(gconstpointer data)
{
    const SpaceCase *c = data;
    int most = 0;

    for (guint blocks = 0; blocks < MOST_BLOCKS; blocks += blocks < 40 ? 1 : 9) {
        most = MAX(most, run_with_room(c, blocks));
    }
    g_assert_cmpint(most, >, 0);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_assert_true(cairn_secret_add_bytes(ctx, "s", "123456", 6, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = g_strdup_printf("/qcow/space/full/%s/shows-on-writes-only",
                                                cases[i].name);

        g_test_add_data_func(name, &cases[i], test_space);
    }
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
