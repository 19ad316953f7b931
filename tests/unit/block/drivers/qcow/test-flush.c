/* SPDX-License-Identifier: MIT */
/*
 * The two barriers: how many syncs each operation costs, what is durable before what, and crashes:
 * each prefix of what was done to the file, and epochs with writes left out, must open, check clean
 * and hold all that was flushed.
 */
#include "crash.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SIZE (8 << 20)
#define SECTORS (SIZE / 512)

static CairnContext *ctx;

static void write_flags(BlockBackend *blk, int64_t offset, int64_t bytes, int value, int flags)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, value, bytes);
    g_assert_cmpint(blk_pwrite(blk, offset, bytes, buf, flags), ==, 0);
}

static int syncs_of_flush(BlockBackend *blk, MemDisk *d)
{
    d->syncs = 0;
    g_assert_cmpint(blk_flush(blk), ==, 0);
    return d->syncs;
}

/* ---- the table of crash-safety.md ---- */

static void test_syncs_of_flush(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);

    g_assert_cmpint(syncs_of_flush(blk, d), ==, 0);
    write_flags(blk, 0, 65536, 1, 0);
    g_assert_cmpint(d->syncs, ==, 1);           /* barrier 0's, once a session */
    write_flags(blk, 1 << 20, 65536, 1, 0);
    g_assert_cmpint(d->syncs, ==, 1);
    g_assert_cmpint(syncs_of_flush(blk, d), ==, 2);
    g_assert_cmpint(syncs_of_flush(blk, d), ==, 0);
    write_flags(blk, 0, 4096, 2, 0);
    g_assert_cmpint(syncs_of_flush(blk, d), ==, 1);
    g_assert_cmpint(blk_pdiscard(blk, 0, 8192), ==, 0);
    g_assert_cmpint(syncs_of_flush(blk, d), ==, 1);
    write_flags(blk, 0, 512, 3, 0);
    g_assert_cmpint(syncs_of_flush(blk, d), ==, 2);
    mem_close_ok(blk);
}

static void test_syncs_of_fua(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_flags(blk, 3 << 20, 4096, 1, 0);      /* barrier 0, once a session */
    g_assert_cmpint(blk_flush(blk), ==, 0);
    d->syncs = 0;
    write_flags(blk, 0, 65536, 1, BDRV_REQ_FUA);
    g_assert_cmpint(d->syncs, ==, 2);
    d->syncs = 0;
    write_flags(blk, 4096, 512, 2, BDRV_REQ_FUA);           /* mapped on disk */
    g_assert_cmpint(d->syncs, ==, 1);
    write_flags(blk, 1 << 20, 65536, 1, 0);
    d->syncs = 0;
    write_flags(blk, 4096, 512, 3, BDRV_REQ_FUA);           /* others are pending, not this one */
    g_assert_cmpint(d->syncs, ==, 1);
    d->syncs = 0;
    write_flags(blk, 1 << 20, 512, 3, BDRV_REQ_FUA);        /* pending */
    g_assert_cmpint(d->syncs, ==, 2);
    mem_close_ok(blk);
}

/* Zeros over what is unmapped, but on disk not yet. */
static void test_fua_of_unmapped(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);

    write_flags(blk, 0, 8192, 1, BDRV_REQ_FUA);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 8192, BDRV_REQ_MAY_UNMAP), ==, 0);
    g_assert_cmphex(image_get64(d, 4096), !=, 0);
    d->syncs = 0;
    g_assert_cmpint(blk_pwrite_zeroes(blk, 4096, 512, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(d->syncs, ==, 1);
    g_assert_cmphex(image_get64(d, 4096), ==, 0);
    g_assert_cmphex(image_get64(d, 4104), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 4096, 512, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(d->syncs, ==, 1);
    mem_close_ok(blk);
}

static void test_syncs_of_barrier0(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk;

    image_put64(d, 56, 1 << 30);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    write_flags(blk, 0, 4096, 1, 0);
    g_assert_cmpint(d->syncs, ==, 1);
    write_flags(blk, 1 << 20, 4096, 1, 0);
    g_assert_cmpint(d->syncs, ==, 1);
    mem_close_ok(blk);
}

/*
 * A session that was killed may have cleared, or unmapped, what only this one makes durable: before
 * the file grows, and before leaked space is given back.
 */
static void test_syncs_after_a_killed_session(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockCheckResult r = { 0 };
    BlockBackend *blk;

    image_put64(d, 48, 4096);
    image_put64(d, 4096, 8192);
    image_fill(d, 8192, 1, 65536);              /* the rest is leaked */
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    mem_disk_record(d);
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_LEAKS, NULL));
    g_assert_cmpint(r.leaks_fixed, >, 0);
    g_assert_cmpuint(d->log->len, >, 1);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 0).op, ==, MEM_SYNC);
    g_array_set_size(d->log, 0);
    write_flags(blk, 1 << 20, 4096, 1, 0);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 0).op, ==, MEM_SYNC);
    mem_close_ok(blk);
}

/* A cluster that the file ends in is not written before the file's new length is durable. */
static void test_barrier0_extends_durably(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk;

    image_put64(d, 48, 4096);
    image_put64(d, 4096, 8192);
    image_resize(d, 8192 + 700);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    mem_disk_record(d);
    write_flags(blk, 512, 512, 1, 0);
    g_assert_cmpuint(d->log->len, ==, 4);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 0).op, ==, MEM_SYNC);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 1).op, ==, MEM_TRUNCATE);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 1).bytes, ==, 8192 + 4096);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 2).op, ==, MEM_SYNC);
    g_assert_cmpint(g_array_index(d->log, MemRecord, 3).op, ==, MEM_WRITE);
    mem_close_ok(blk);
}

/* ---- order ---- */

static bool record_meets(const MemRecord *r, int64_t offset, int64_t bytes)
{
    return r->op == MEM_WRITE && r->offset < offset + bytes && offset < r->offset + r->bytes;
}

/*
 * The position of the last write to a place before record @limit, and of the first sync after it.
 */
static void test_order(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int table = -1, data = -1, l1 = -1, first_sync = -1;

    mem_disk_record(d);
    write_flags(blk, 0, 65536, 1, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    for (guint i = 0; i < d->log->len; i++) {
        const MemRecord *r = &g_array_index(d->log, MemRecord, i);

        if (r->op == MEM_SYNC && data >= 0 && first_sync < 0) {     /* barrier 0's is before */
            first_sync = (int)i;
        }
        if (record_meets(r, 48, 32)) {
            l1 = (int)i;
        }
        if (record_meets(r, 4096, 4096)) {
            table = (int)i;
        }
        if (record_meets(r, 8192, 65536)) {
            data = (int)i;
        }
    }
    g_assert_cmpint(data, >=, 0);
    g_assert_cmpint(data, <, first_sync);
    g_assert_cmpint(table, <, first_sync);
    g_assert_cmpint(first_sync, <, l1);
    g_assert_cmpint(g_array_index(d->log, MemRecord, d->log->len - 1).op, ==, MEM_SYNC);
    mem_close_ok(blk);
}

/* ---- failures ---- */

static void test_failed_sync(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    uint8_t buf[512] = { 1 };
    int64_t writes;

    write_flags(blk, 0, 65536, 1, 0);
    d->fail_sync_in = 1;
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    writes = d->writes;
    g_assert_cmpint(blk_pwrite(blk, 0, 512, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 512, 0), ==, -EIO);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    g_assert_cmpint(d->writes, ==, writes);
    g_assert_cmpint(blk_pread(blk, 0, 512, buf), ==, 0);
    blk_close(blk);
    blk_unref(blk);
    g_assert_cmpint(d->writes, ==, writes);
    g_assert_cmpuint(image_get64(d, 48), ==, 0);
}

/* The disk is full when the tables are written: nothing is lost, the next flush brings it. */
static void assert_refused(bool ok, GError **error, int code)
{
    g_assert_false(ok);
    g_assert_error(*error, CAIRN_ERROR, code);
    g_clear_error(error);
}

/* What changes the image as a whole is refused, too, and changes nothing. */
static void test_failed_sync_of_control(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autoptr(MemDisk) before = NULL;
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_RESIZE);
    BlockCheckResult result = { 0 };
    g_autoptr(GError) error = NULL;

    write_flags(blk, 0, 4096, 1, 0);
    d->fail_sync_in = 1;
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    before = mem_disk_copy(d);
    assert_refused(blk_truncate(blk, 2 * SIZE, PREALLOC_MODE_OFF, &error), &error, EIO);
    assert_refused(blk_truncate(blk, SIZE / 2, PREALLOC_MODE_OFF, &error), &error, EIO);
    assert_refused(blk_change_backing_file(blk, "other", "raw", &error), &error, EIO);
    assert_refused(blk_change_backing_file(blk, NULL, NULL, &error), &error, EIO);
    assert_refused(blk_make_empty(blk, &error), &error, EIO);
    assert_refused(blk_check(blk, &result, BLOCK_CHECK_FIX_LEAKS | BLOCK_CHECK_FIX_ERRORS, &error),
                   &error, EIO);
    g_assert_cmpint(blk_pdiscard(blk, 0, 4096), <=, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_MAY_UNMAP), ==, -EIO);
    g_assert_cmpint(blk_getlength(blk), ==, SIZE);
    blk_close(blk);
    blk_unref(blk);
    g_assert_cmpmem(d->data, d->size, before->data, before->size);
}

static void test_failed_table_write(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    uint8_t buf[512];

    for (int in = 1; in <= 2; in++) {
        write_flags(blk, in << 20, 65536, in, 0);
        d->fail_write_in = in;
        g_assert_cmpint(blk_flush(blk), ==, in == 1 || d->fail_write_in == 0 ? -ENOSPC : 0);
        d->fail_write_in = 0;
    }
    g_assert_cmpint(blk_flush(blk), ==, 0);
    mem_close_ok(blk);
    blk = mem_open_ok(ctx, d, NULL, 0);
    for (int in = 1; in <= 2; in++) {
        g_assert_cmpint(blk_pread(blk, in << 20, 512, buf), ==, 0);
        g_assert_cmpint(buf[0], ==, in);
    }
    mem_close_ok(blk);
}

/* ---- crashes ---- */

typedef struct Crash {
    uint32_t *durable;          /* per sector: what the last completed flush promised */
    uint32_t *history;          /* per sector: first sequence number that may be seen */
    uint32_t next;              /* sequence number of the next write */
    GArray *marks;              /* Mark: after so many records, this was durable */
} Crash;

/* After record @at of the log had happened, each sector held at least values[]. */
typedef struct Mark {
    guint at;
    uint32_t *values;
} Mark;

static void mark_clear(gpointer data)
{
    g_free(((Mark *)data)->values);
}

/* Sequence number and address of a sector, so that foreign bytes show. */
static void stamp(uint8_t *sector, uint32_t index, uint32_t seq)
{
    for (int i = 0; i < 512; i += 8) {
        be32_store(sector + i, index);
        be32_store(sector + i + 4, seq);
    }
}

static void crash_write(BlockBackend *blk, uint32_t *newest, uint32_t sector, uint32_t count,
                        uint32_t seq, int flags)
{
    g_autofree uint8_t *buf = g_malloc(count * 512);

    for (uint32_t i = 0; i < count; i++) {
        stamp(buf + i * 512, sector + i, seq);
        newest[sector + i] = seq;
    }
    g_assert_cmpint(blk_pwrite(blk, sector * 512ll, count * 512ll, buf, flags), ==, 0);
}

static void crash_zero(BlockBackend *blk, uint32_t *newest, uint32_t sector, uint32_t count,
                       uint32_t *zeroed, uint32_t seq)
{
    for (uint32_t i = 0; i < count; i++) {
        newest[sector + i] = seq;
        zeroed[sector + i] = seq;
    }
    g_assert_cmpint(blk_pwrite_zeroes(blk, sector * 512ll, count * 512ll, BDRV_REQ_MAY_UNMAP),
                    ==, 0);
}

/*
 * What a sector may hold: its stamp with a sequence >= @least, or zeros written then or never
 * written.
 */
static void assert_sector(const uint8_t *buf, uint32_t sector, uint32_t least,
                          const uint32_t *zeroed)
{
    if (cairn_buffer_is_zero(buf, 512)) {
        g_assert_true(least == 0 || zeroed[sector] >= least);
        return;
    }
    g_assert_cmpuint(be32_load(buf), ==, sector);
    g_assert_cmpuint(be32_load(buf + 4), >=, least);
    for (int i = 8; i < 512; i += 8) {
        g_assert_cmpmem(buf, 8, buf + i, 8);
    }
}

static void assert_state(MemDisk *d, const uint32_t *least, const uint32_t *zeroed)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, 0);
    g_autofree uint8_t *buf = g_malloc(SIZE);
    g_autoptr(GError) error = NULL;
    BlockCheckResult r = { 0 };

    g_assert_cmpint(blk_pread(blk, 0, SIZE, buf), ==, 0);
    for (uint32_t i = 0; i < SECTORS; i++) {
        assert_sector(buf + i * 512, i, least[i], zeroed);
    }
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.check_errors, ==, 0);
    mem_close_ok(blk);
}

/* A second session on a crashed image: its writes must not touch what was there. */
static void assert_second_session(const MemDisk *crashed, const uint32_t *least,
                                  const uint32_t *zeroed, uint32_t seq)
{
    g_autoptr(MemDisk) d = mem_disk_copy(crashed);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    g_autofree uint32_t *newest = g_memdup2(least, SECTORS * 4);

    crash_write(blk, newest, 100, 16, seq, 0);
    crash_write(blk, newest, SECTORS / 2 + 3, 9, seq, 0);
    crash_write(blk, newest, SECTORS - 5, 5, seq, 0);
    mem_close_ok(blk);
    assert_state(d, newest, zeroed);
}

static const uint32_t *least_at(const Crash *c, guint at)
{
    const uint32_t *values = NULL;

    for (guint i = 0; i < c->marks->len; i++) {
        const Mark *m = &g_array_index(c->marks, Mark, i);

        if (m->at <= at) {
            values = m->values;
        }
    }
    return values;
}

static void crash_workload(MemDisk *d, Crash *c, uint32_t *zeroed, GRand *rand, int steps)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
    g_autofree uint32_t *newest = g_new0(uint32_t, SECTORS);

    for (int i = 0; i < steps; i++) {
        uint32_t sector = (uint32_t)g_rand_int_range(rand, 0, SECTORS / 8) * 8 +
                          (uint32_t)(g_rand_boolean(rand) ? g_rand_int_range(rand, 0, 8) : 0);
        uint32_t count = (uint32_t)g_rand_int_range(rand, 1, 40);
        int what = g_rand_int_range(rand, 0, 8);

        count = MIN(count, SECTORS - sector);

        if (what == 0) {
            crash_zero(blk, newest, sector & ~7u, (count + 7) & ~7u, zeroed, c->next++);
        } else if (what < 7) {
            crash_write(blk, newest, sector, count, c->next++, 0);
        } else {
            Mark m;

            g_assert_cmpint(blk_flush(blk), ==, 0);
            m = (Mark) { d->log->len, g_memdup2(newest, SECTORS * 4) };
            g_array_append_val(c->marks, m);
        }
    }
    /* no flush, no close in the log: what follows is not replayed */
    Mark last = { d->log->len + 1, NULL };

    g_array_append_val(c->marks, last);
    blk_close(blk);
    blk_unref(blk);
}

static void run_crashes(int cluster_bits, int l2_bits, guint32 seed)
{
    g_autoptr(MemDisk) start = image_new(SIZE, cluster_bits, l2_bits);
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    g_autoptr(MemDisk) prefix = mem_disk_copy(start);
    g_autofree uint32_t *zeroed = g_new0(uint32_t, SECTORS);
    g_autofree uint32_t *nothing = g_new0(uint32_t, SECTORS);
    GRand *rand = g_rand_new_with_seed(seed);
    Crash c = { .next = 1, .marks = g_array_new(FALSE, FALSE, sizeof(Mark)) };
    Mark none = { 0, g_memdup2(nothing, SECTORS * 4) };

    g_array_set_clear_func(c.marks, mark_clear);
    g_array_append_val(c.marks, none);
    mem_disk_record(d);
    crash_workload(d, &c, zeroed, rand, 24);
    {
        guint end = g_array_index(c.marks, Mark, c.marks->len - 1).at - 1;

        for (guint at = 0; at <= end; at++) {
            const uint32_t *least = least_at(&c, at);
            g_autoptr(MemDisk) lossy = crash_state_lossy(start, d->log, at, rand);

            assert_state(prefix, least, zeroed);
            assert_state(lossy, least, zeroed);
            assert_second_session(lossy, least, zeroed, c.next);
            if (at < end) {
                mem_disk_play(prefix, &g_array_index(d->log, MemRecord, at));
            }
        }
    }
    g_array_unref(c.marks);
    g_rand_free(rand);
}

static void test_crashes(void)
{
    run_crashes(12, 9, 1);
    run_crashes(12, 9, 2);
    run_crashes(9, 12, 3);
    run_crashes(16, 13, 4);
    run_crashes(9, 6, 5);
}

/* ---- checkpoints ---- */

static void test_checkpoint(void)
{
    int64_t size = (int64_t)1 << 30;
    g_autoptr(MemDisk) d = image_new(size, 16, 13);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc(16 << 20);
    int64_t start, periods;

    memset(buf, 1, 16 << 20);
    start = g_get_monotonic_time();
    for (int i = 0; i < 17; i++) {
        g_assert_cmpint(blk_pwrite(blk, (int64_t)i << 24, 16 << 20, buf, 0), ==, 0);
    }
    g_assert_cmpuint(image_get64(d, 48), !=, 0);    /* on disk without a guest's flush */
    /* One for the data, and one more for each period that a slow machine took. */
    periods = (g_get_monotonic_time() - start) / (5 * G_USEC_PER_SEC);
    g_assert_cmpint(d->syncs, >=, 1 + 2);           /* 1: barrier 0 */
    g_assert_cmpint(d->syncs, <=, 1 + 2 + 2 * periods);
    g_assert_cmpint(d->syncs % 2, ==, 1);
    mem_close_ok(blk);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/flush/syncs/are-as-few-as-promised", test_syncs_of_flush);
    g_test_add_func("/qcow/flush/fua/costs-1-mapped-and-2-new", test_syncs_of_fua);
    g_test_add_func("/qcow/flush/fua-zeros/over-a-pending-unmapping-flush", test_fua_of_unmapped);
    g_test_add_func("/qcow/flush/barrier-0/costs-1-once", test_syncs_of_barrier0);
    g_test_add_func("/qcow/flush/barrier-0/extends-durably", test_barrier0_extends_durably);
    g_test_add_func("/qcow/flush/after-a-killed-session/syncs-first",
                    test_syncs_after_a_killed_session);
    g_test_add_func("/qcow/flush/data-and-table/are-durable-before-l1", test_order);
    g_test_add_func("/qcow/flush/failed-sync/ends-writing", test_failed_sync);
    g_test_add_func("/qcow/flush/failed-sync/ends-changes-of-the-whole-image",
                    test_failed_sync_of_control);
    g_test_add_func("/qcow/flush/failed-table-write/is-made-good-by-the-next",
                    test_failed_table_write);
    g_test_add_func("/qcow/flush/crash-at-every-step/keeps-what-was-flushed", test_crashes);
    g_test_add_func("/qcow/flush/256-mib-without-a-flush/are-checkpointed", test_checkpoint);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
