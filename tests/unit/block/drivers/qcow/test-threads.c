/* SPDX-License-Identifier: MIT */
/*
 * Four threads at random on one qcow, while another one reopens it and checks what must hold for
 * all. Each thread owns sectors of its own, laid so that threads share clusters and tables; it
 * knows at all times what they hold.
 */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SIZE (4 << 20)
#define SECTORS (SIZE / 512)
#define THREADS 4
#define ROUNDS 400

static CairnContext *ctx;

typedef struct Worker {
    BlockBackend *blk;
    /* owns sectors with index % THREADS == number, and a quarter of the second half */
    int number;
    uint32_t *values;           /* shared: each element has one owner; 0: zeros */
    GRand *rand;
    bool compresses;
} Worker;

static void stamp(uint8_t *sector, uint32_t value)
{
    for (int i = 0; i < 512; i += 4) {
        be32_store(sector + i, value);
    }
}

static void assert_stamp(const uint8_t *sector, uint32_t index, uint32_t value)
{
    for (int i = 0; i < 512; i += 4) {
        if (be32_load(sector + i) != value) {
            g_error("sector %u holds %08x, not %08x", index, be32_load(sector + i), value);
        }
    }
}

/* A sector that this thread owns among all the others'. */
static uint32_t pick_striped(Worker *w)
{
    return (uint32_t)g_rand_int_range(w->rand, 0, SECTORS / 2 / THREADS) * THREADS +
           (uint32_t)w->number;
}

static void write_striped(Worker *w, int flags)
{
    uint32_t i = pick_striped(w);
    uint8_t buf[512];

    w->values[i] = (uint32_t)g_rand_int_range(w->rand, 1, G_MAXINT32);
    stamp(buf, w->values[i]);
    g_assert_cmpint(blk_pwrite(w->blk, i * 512ll, 512, buf, flags), ==, 0);
}

static void read_striped(Worker *w)
{
    uint32_t i = pick_striped(w);
    uint8_t buf[512];

    g_assert_cmpint(blk_pread(w->blk, i * 512ll, 512, buf), ==, 0);
    assert_stamp(buf, i, w->values[i]);
}

/* A run of sectors in the part that is this thread's alone. */
static void pick_own(Worker *w, uint32_t *first, uint32_t *count)
{
    uint32_t quarter = SECTORS / 2 / THREADS;
    uint32_t at = (uint32_t)g_rand_int_range(w->rand, 0, (gint32)quarter);

    *count = (uint32_t)g_rand_int_range(w->rand, 1, 128);
    *count = MIN(*count, quarter - at);
    *first = SECTORS / 2 + (uint32_t)w->number * quarter + at;
}

static void write_own(Worker *w)
{
    uint32_t first, count;
    g_autofree uint8_t *buf = g_malloc(128 * 512);

    pick_own(w, &first, &count);
    for (uint32_t i = 0; i < count; i++) {
        w->values[first + i] = (uint32_t)g_rand_int_range(w->rand, 1, G_MAXINT32);
        stamp(buf + i * 512, w->values[first + i]);
    }
    g_assert_cmpint(blk_pwrite(w->blk, first * 512ll, count * 512ll, buf, 0), ==, 0);
}

static void zero_own(Worker *w, int flags)
{
    uint32_t first, count;

    pick_own(w, &first, &count);
    memset(w->values + first, 0, count * 4);
    g_assert_cmpint(blk_pwrite_zeroes(w->blk, first * 512ll, count * 512ll, flags), ==, 0);
}

static void compress_own(Worker *w)
{
    uint32_t first, count;
    g_autofree uint8_t *buf = g_malloc(128 * 512 + 4096);

    pick_own(w, &first, &count);
    first = (first + 7) & ~7u;
    count &= ~7u;
    if (count <= 8) {
        return;
    }
    count -= 8;
    for (uint32_t i = 0; i < count; i++) {
        w->values[first + i] = (uint32_t)g_rand_int_range(w->rand, 1, G_MAXINT32);
        stamp(buf + i * 512, w->values[first + i]);
    }
    g_assert_cmpint(blk_pwrite(w->blk, first * 512ll, count * 512ll, buf,
                               BDRV_REQ_WRITE_COMPRESSED), ==, 0);
}

static void read_own(Worker *w)
{
    uint32_t first, count;
    g_autofree uint8_t *buf = g_malloc(128 * 512);

    pick_own(w, &first, &count);
    g_assert_cmpint(blk_pread(w->blk, first * 512ll, count * 512ll, buf), ==, 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_stamp(buf + i * 512, first + i, w->values[first + i]);
    }
}

static gpointer worker_run(gpointer opaque)
{
    Worker *w = opaque;

    for (int i = 0; i < ROUNDS; i++) {
        switch (g_rand_int_range(w->rand, 0, 16)) {
        case 0:
            g_assert_cmpint(blk_flush(w->blk), ==, 0);
            break;
        case 1:
            zero_own(w, BDRV_REQ_MAY_UNMAP);
            break;
        case 2:
            zero_own(w, 0);
            break;
        case 3:
            write_striped(w, BDRV_REQ_FUA);
            break;
        case 4: case 5:
            w->compresses ? compress_own(w) : write_own(w);
            break;
        case 6: case 7: case 8:
            read_striped(w);
            break;
        case 9: case 10: case 11:
            read_own(w);
            break;
        default:
            g_rand_boolean(w->rand) ? write_striped(w, 0) : write_own(w);
        }
    }
    return NULL;
}

static void reopen_with_cache(BlockBackend *blk, int64_t bytes)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_int(options, "l2-cache-size", bytes);
    blk_reopen(blk, options, &error);
    g_assert_no_error(error);
}

static void check_end(MemDisk *d, MemDisk *backing, const uint32_t *values)
{
    BlockBackend *blk = mem_open_ok(ctx, d, backing, 0);
    g_autofree uint8_t *buf = g_malloc(SIZE);
    g_autoptr(GError) error = NULL;
    BlockCheckResult r = { 0 };

    g_assert_cmpint(blk_pread(blk, 0, SIZE, buf), ==, 0);
    for (uint32_t i = 0; i < SECTORS; i++) {
        assert_stamp(buf + i * 512, i, values[i]);
    }
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(r.corruptions, ==, 0);
    mem_close_ok(blk);
}

static void run_threads(int cluster_bits, int l2_bits, bool has_backing, guint32 seed)
{
    g_autoptr(MemDisk) d = image_new(SIZE, cluster_bits, l2_bits);
    g_autoptr(MemDisk) backing = has_backing ? mem_disk_new(NULL, SIZE) : NULL;
    g_autofree uint32_t *values = g_new0(uint32_t, SECTORS);
    BlockBackend *blk;
    Worker workers[THREADS];
    GThread *threads[THREADS];

    for (uint32_t i = 0; has_backing && i < SECTORS; i++) {
        values[i] = i + 1;
        stamp(backing->data + i * 512, i + 1);
    }
    d->yields = true;
    blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR | BLK_O_UNMAP);
    for (int t = 0; t < THREADS; t++) {
        workers[t] = (Worker) {
            .blk = blk, .number = t, .values = values, .compresses = cluster_bits == 12,
            .rand = g_rand_new_with_seed(seed * 10 + (guint32)t),
        };
        threads[t] = g_thread_new("worker", worker_run, &workers[t]);
    }
    for (int i = 0; i < 10; i++) {
        reopen_with_cache(blk, i % 2 ? 1 << 20 : 4096);
        g_usleep(2000);
    }
    for (int t = 0; t < THREADS; t++) {
        g_thread_join(threads[t]);
        g_rand_free(workers[t].rand);
    }
    mem_close_ok(blk);
    d->yields = false;
    check_end(d, backing, values);
}

static void test_default(void)
{
    run_threads(12, 9, false, 1);
}

static void test_backed(void)
{
    run_threads(9, 12, true, 2);
    run_threads(12, 9, true, 3);
}

static void test_small_tables(void)
{
    run_threads(12, 6, false, 4);
    run_threads(16, 6, true, 5);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/threads/default-geometry/every-thread-sees-its-own", test_default);
    g_test_add_func("/qcow/threads/backed/every-thread-sees-its-own", test_backed);
    g_test_add_func("/qcow/threads/many-tables/every-thread-sees-its-own", test_small_tables);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
