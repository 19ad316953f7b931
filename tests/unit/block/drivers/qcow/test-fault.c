/* SPDX-License-Identifier: MIT */
/*
 * Each child request fails once, one after the other, under one workload. The guest's request fails
 * or does not; what it was about is then old or new, sector by sector. All else is as it was, then
 * and when the image is opened again, and it checks clean.
 */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SIZE (2 << 20)
#define SECTORS (SIZE / 512)

static CairnContext *ctx;

typedef struct Model {
    uint8_t now[SECTORS];       /* the byte that fills a sector */
    bool maybe[SECTORS][256];   /* after a failed write: what else it may hold */
    bool is_failed;             /* some request has failed */
} Model;

static void model_written(Model *m, int64_t offset, int64_t bytes, int value, int ret)
{
    for (int64_t i = offset / 512; i < (offset + bytes) / 512; i++) {
        if (ret == 0) {
            memset(m->maybe[i], 0, sizeof(m->maybe[i]));
        } else {
            m->maybe[i][m->now[i]] = m->maybe[i][value] = true;
        }
        m->now[i] = (uint8_t)value;
    }
    m->is_failed |= ret < 0;
}

static void do_write(BlockBackend *blk, Model *m, int64_t offset, int64_t bytes, int value,
                     int flags)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, value, bytes);
    model_written(m, offset, bytes, value, blk_pwrite(blk, offset, bytes, buf, flags));
}

static void do_zero(BlockBackend *blk, Model *m, int64_t offset, int64_t bytes, int flags)
{
    model_written(m, offset, bytes, 0, blk_pwrite_zeroes(blk, offset, bytes, flags));
}

static void assert_model(BlockBackend *blk, const Model *m)
{
    g_autofree uint8_t *buf = g_malloc(SIZE);

    g_assert_cmpint(blk_pread(blk, 0, SIZE, buf), ==, 0);
    for (int i = 0; i < SECTORS; i++) {
        uint8_t value = buf[i * 512];

        g_assert_true(value == m->now[i] || m->maybe[i][value]);
        for (int k = 1; k < 512; k++) {
            g_assert_cmpint(buf[i * 512 + k], ==, value);
        }
    }
}

static void workload(BlockBackend *blk, Model *m)
{
    do_write(blk, m, 0, 65536, 1, 0);
    do_write(blk, m, 512, 1024, 2, 0);
    m->is_failed |= blk_flush(blk) < 0;
    do_write(blk, m, 256 << 10, 32768, 3, BDRV_REQ_WRITE_COMPRESSED);
    do_write(blk, m, (256 << 10) + 512, 512, 4, 0);
    do_write(blk, m, 1 << 20, 300 * 512, 5, 0);
    do_zero(blk, m, 4096, 8192, 0);
    do_zero(blk, m, 16384, 16384, BDRV_REQ_MAY_UNMAP);
    m->is_failed |= blk_flush(blk) < 0;
    do_write(blk, m, 8192, 512, 6, BDRV_REQ_FUA);
    do_write(blk, m, (1 << 20) + 4096, 65536, 7, BDRV_REQ_FUA);
    do_write(blk, m, SIZE - 512, 512, 8, 0);
}

typedef enum Fault { FAULT_READ, FAULT_WRITE, FAULT_SYNC } Fault;

/*
 * The workload on an image that already holds something, its k-th request of a kind failing.
 * Returns: whether there was one.
 */
static bool run_with_fault(const MemDisk *start, const Model *before, MemDisk *backing,
                           Fault fault, int k)
{
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    g_autofree Model *m = g_memdup2(before, sizeof(*before));
    BlockBackend *blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR | BLK_O_UNMAP);
    int *in = fault == FAULT_READ ? &d->fail_read_in
            : fault == FAULT_WRITE ? &d->fail_write_in : &d->fail_sync_in;
    BlockCheckResult r = { 0 };
    bool happened;

    *in = k;
    workload(blk, m);
    happened = *in == 0;
    *in = 0;
    g_assert_true(happened || !m->is_failed);
    if (fault != FAULT_SYNC || !happened) {
        assert_model(blk, m);
        mem_close_ok(blk);
        blk = mem_open_ok(ctx, d, backing, 0);
        assert_model(blk, m);
    }
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL) || fault == FAULT_SYNC);
    g_assert_cmpint(r.corruptions, ==, 0);
    blk_close(blk);
    blk_unref(blk);
    return happened;
}

static void prepare(MemDisk *d, Model *m, MemDisk *backing)
{
    BlockBackend *blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);

    do_write(blk, m, 32768, 65536, 9, 0);
    do_write(blk, m, (1 << 20) + 65536, 65536, 10, BDRV_REQ_WRITE_COMPRESSED);
    g_assert_false(m->is_failed);
    mem_close_ok(blk);
}

static void run_faults(int cluster_bits, int l2_bits, bool has_backing, Fault fault)
{
    g_autoptr(MemDisk) start = image_new(SIZE, cluster_bits, l2_bits);
    g_autoptr(MemDisk) backing = has_backing ? mem_disk_new(NULL, SIZE) : NULL;
    g_autofree Model *m = g_new0(Model, 1);
    int k = 1;

    if (has_backing) {
        image_fill(backing, 0, 0xbb, SIZE);
        memset(m->now, 0xbb, sizeof(m->now));
    }
    prepare(start, m, backing);
    while (run_with_fault(start, m, backing, fault, k)) {
        k++;
    }
    g_assert_cmpint(k, >, 3);           /* there was something to fail */
}

static void test_faults(gconstpointer data)
{
    Fault fault = GPOINTER_TO_INT(data);

    run_faults(12, 9, false, fault);
    run_faults(12, 6, true, fault);
    run_faults(9, 12, true, fault);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_data_func("/qcow/fault/each-read/harms-its-request-only",
                         GINT_TO_POINTER(FAULT_READ), test_faults);
    g_test_add_data_func("/qcow/fault/each-write/harms-its-request-only",
                         GINT_TO_POINTER(FAULT_WRITE), test_faults);
    g_test_add_data_func("/qcow/fault/each-sync/leaves-a-clean-image",
                         GINT_TO_POINTER(FAULT_SYNC), test_faults);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
