/* SPDX-License-Identifier: MIT */
/*
 * Emptying: what is left of the file, wherever name and L1 table stand; and that each crash leaves
 * clusters whole or gone.
 */
#include "crash.h"

#include <string.h>

#include "util/cutils.h"

#define SIZE (8 << 20)

static CairnContext *ctx;

static void write_ok(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, value, bytes);
    g_assert_cmpint(blk_pwrite(blk, offset, bytes, buf, 0), ==, 0);
}

static bool holds(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    g_assert_cmpint(blk_pread(blk, offset, bytes, buf), ==, 0);
    for (int64_t i = 0; i < bytes; i++) {
        if (buf[i] != value) {
            return false;
        }
    }
    return true;
}

static void test_what_is_left(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_ok(blk, 0, 1 << 20, 5);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    write_ok(blk, 4 << 20, 1 << 20, 6);
    mem_disk_reset_counts(d);
    g_assert_true(blk_make_empty(blk, &error));
    g_assert_cmpint(d->syncs, ==, 1);
    g_assert_cmpint(d->size, ==, 48 + 4 * 8);
    g_assert_true(holds(blk, 0, SIZE, 0));
    write_ok(blk, 4096, 4096, 7);
    mem_close_ok(blk);
    blk = mem_open_ok(ctx, d, NULL, 0);
    g_assert_true(holds(blk, 4096, 4096, 7));
    g_assert_true(holds(blk, 8192, SIZE - 8192, 0));
    mem_close_ok(blk);
}

/* The L1 table and the name stand behind the data. */
static void test_between(gconstpointer data)
{
    bool name_last = GPOINTER_TO_INT(data);
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 6), backing = mem_disk_new(NULL, 0);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    BlockCheckResult r = { 0 };

    write_ok(blk, 0, SIZE, 5);
    if (!name_last) {
        g_assert_true(blk_change_backing_file(blk, "b.raw", "raw", &error));
        write_ok(blk, 0, 512, 5);
    }
    g_assert_true(blk_truncate(blk, (int64_t)SIZE << 10, PREALLOC_MODE_OFF, &error));
    g_assert_no_error(error);
    write_ok(blk, SIZE, SIZE, 6);
    if (name_last) {
        g_assert_true(blk_change_backing_file(blk, "b.raw", "raw", &error));
    }
    write_ok(blk, SIZE * 4, SIZE, 7);
    g_assert_true(blk_make_empty(blk, &error));
    g_assert_cmpuint(image_get64(d, 40), >, SIZE);
    g_assert_cmpint(d->size, <, 3 * SIZE);
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(r.leaks + r.corruptions, ==, 0);
    write_ok(blk, 4096, 65536, 8);
    mem_close_ok(blk);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_NO_BACKING);
    g_assert_true(holds(blk, 4096, 65536, 8));
    g_assert_true(holds(blk, 1 << 20, 7 << 20, 0));
    mem_close_ok(blk);
}

/* ---- crashes ---- */

typedef struct EmptyCrash {
    uint8_t *before;
    MemDisk *backing;
} EmptyCrash;

static void empty_check_state(MemDisk *d, gpointer opaque)
{
    const EmptyCrash *c = opaque;
    int64_t size;
    g_autofree uint8_t *now = crash_read_clean(ctx, d, c->backing, &size), *later = NULL;
    BlockBackend *blk = mem_open_ok(ctx, d, c->backing, BLK_O_RDWR);

    for (int64_t at = 0; at < size; at += 512) {
        g_assert_true(!memcmp(now + at, c->before + at, 512) ||
                      !memcmp(now + at, c->backing->data + at, 512));
    }
    write_ok(blk, 1 << 20, 65536, 9);
    memset(now + (1 << 20), 9, 65536);
    mem_close_ok(blk);
    later = crash_read_clean(ctx, d, c->backing, &size);
    g_assert_cmpmem(later, size, now, size);
}

static void test_crashes(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 6);
    g_autoptr(MemDisk) backing = mem_disk_new(NULL, SIZE), start = NULL;
    g_autofree uint8_t *before = NULL;
    EmptyCrash c = { .backing = backing };
    BlockBackend *blk;
    int64_t size;

    image_fill(backing, 0, 0xbb, SIZE);
    blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    write_ok(blk, 4096, 1 << 20, 1);
    write_ok(blk, 4 << 20, 3 << 20, 2);
    mem_close_ok(blk);
    start = mem_disk_copy(d);
    c.before = before = crash_read_clean(ctx, start, backing, &size);
    mem_disk_record(d);
    blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    g_assert_true(blk_make_empty(blk, NULL));
    mem_close_ok(blk);
    crash_replay(start, d->log, 16, 1, empty_check_state, &c);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/empty/file/is-header-and-l1", test_what_is_left);
    g_test_add_data_func("/qcow/empty/l1-behind-the-data/gives-back-what-is-before",
                         GINT_TO_POINTER(false), test_between);
    g_test_add_data_func("/qcow/empty/name-behind-the-data/gives-back-what-is-before",
                         GINT_TO_POINTER(true), test_between);
    g_test_add_func("/qcow/empty/crash-at-every-step/keeps-or-drops", test_crashes);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
