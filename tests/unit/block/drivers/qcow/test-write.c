/* SPDX-License-Identifier: MIT */
/*
 * Random requests against a shadow copy, at every legal geometry, with and without a backing file,
 * with flushes and reopens in between. In the end a parser of the test's own, which knows the
 * format and nothing of the driver, reads the file.
 */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define MAX_REQUEST (200 * 1024)

static CairnContext *ctx;

typedef struct Shadow {
    BlockBackend *blk;
    MemDisk *disk, *backing;    /* backing NULL: none */
    uint8_t *data;              /* what the guest must see */
    uint8_t *buf;               /* MAX_REQUEST bytes */
    int64_t size;
    GRand *rand;
} Shadow;

/* ---- the other reader ---- */

/* Plain clusters only. */
static void assert_file_holds(const MemDisk *d, const uint8_t *data, const MemDisk *backing)
{
    int cluster_bits = d->data[32], l2_bits = d->data[33];
    int64_t size = (int64_t)image_get64(d, 24), cluster = 1ll << cluster_bits;

    for (int64_t at = 0; at < size; at += cluster) {
        int64_t n = MIN(cluster, size - at);
        uint64_t l1 = image_get64(d, 48 + (at >> (cluster_bits + l2_bits)) * 8);
        int64_t i = at >> cluster_bits & ((1 << l2_bits) - 1);
        uint64_t l2 = l1 ? image_get64(d, (int64_t)l1 + i * 8) : 0;

        g_assert_cmpuint(l2 >> 63, ==, 0);
        if (l2) {
            g_assert_cmpint((int64_t)l2 + cluster, <=, d->size);
            g_assert_cmpmem(data + at, n, d->data + l2, n);
        } else {
            int64_t there = backing ? CLAMP(backing->size - at, 0, n) : 0;

            g_assert_cmpint(memcmp(data + at, backing ? backing->data + at : data + at, there),
                            ==, 0);
            g_assert_true(cairn_buffer_is_zero(data + at + there, n - there));
        }
    }
}

/* ---- requests ---- */

static int64_t pick_sector(Shadow *w, int64_t limit)
{
    return limit ? g_rand_int_range(w->rand, 0, (gint32)(limit / 512)) * 512ll : 0;
}

static void pick_range(Shadow *w, int64_t *offset, int64_t *bytes)
{
    *offset = pick_sector(w, w->size);
    *bytes = 512 + pick_sector(w, g_rand_boolean(w->rand) ? 4096 : MAX_REQUEST);
    *bytes = MIN(*bytes, w->size - *offset);
}

static void do_write(Shadow *w, int flags)
{
    int64_t offset, bytes;

    pick_range(w, &offset, &bytes);
    memset(w->buf, g_rand_int_range(w->rand, 1, 256), bytes);
    w->buf[bytes / 2] = 0;
    memcpy(w->data + offset, w->buf, bytes);
    g_assert_cmpint(blk_pwrite(w->blk, offset, bytes, w->buf, flags), ==, 0);
}

static void do_zero(Shadow *w, int flags)
{
    int64_t offset, bytes;

    pick_range(w, &offset, &bytes);
    memset(w->data + offset, 0, bytes);
    g_assert_cmpint(blk_pwrite_zeroes(w->blk, offset, bytes, flags), ==, 0);
}

static void do_read(Shadow *w)
{
    int64_t offset, bytes;

    pick_range(w, &offset, &bytes);
    g_assert_cmpint(blk_pread(w->blk, offset, bytes, w->buf), ==, 0);
    g_assert_cmpmem(w->buf, bytes, w->data + offset, bytes);
}

static void do_reopen(Shadow *w)
{
    mem_close_ok(w->blk);
    assert_file_holds(w->disk, w->data, w->backing);
    w->blk = mem_open_ok(ctx, w->disk, w->backing, BLK_O_RDWR | BLK_O_UNMAP);
}

static void do_something(Shadow *w)
{
    switch (g_rand_int_range(w->rand, 0, 16)) {
    case 0:
        g_assert_cmpint(blk_flush(w->blk), ==, 0);
        break;
    case 1:
        do_reopen(w);
        break;
    case 2:
        do_zero(w, 0);
        break;
    case 3:
        do_zero(w, BDRV_REQ_MAY_UNMAP);
        break;
    case 4:
        do_write(w, BDRV_REQ_FUA);
        break;
    case 5: case 6: case 7: case 8:
        do_read(w);
        break;
    default:
        do_write(w, 0);
    }
}

static void check_all(Shadow *w)
{
    for (int64_t at = 0; at < w->size; at += MAX_REQUEST) {
        int64_t n = MIN(MAX_REQUEST, w->size - at);

        g_assert_cmpint(blk_pread(w->blk, at, n, w->buf), ==, 0);
        g_assert_cmpmem(w->buf, n, w->data + at, n);
    }
}

static void run_geometry(int cluster_bits, int l2_bits, bool has_backing, guint32 seed)
{
    int64_t span = 1ll << (cluster_bits + l2_bits);
    int64_t size = CLAMP(span * 5 / 2, 256 * 1024, 3 * 1024 * 1024) / 512 * 512 + 512 * 3;
    g_autoptr(MemDisk) disk = image_new(size, cluster_bits, l2_bits);
    g_autoptr(MemDisk) backing = has_backing ? mem_disk_new(NULL, size * 2 / 3 / 512 * 512) : NULL;
    Shadow w = {
        .disk = disk, .backing = backing, .size = size, .rand = g_rand_new_with_seed(seed),
        .data = g_malloc0(size), .buf = g_malloc(MAX_REQUEST),
    };

    for (int64_t i = 0; backing && i < backing->size; i++) {
        w.data[i] = backing->data[i] = (uint8_t)(i / 512 * 7 + 1);
    }
    w.blk = mem_open_ok(ctx, disk, backing, BLK_O_RDWR | BLK_O_UNMAP);
    for (int i = 0; i < 150; i++) {
        do_something(&w);
    }
    check_all(&w);
    do_reopen(&w);
    check_all(&w);
    {
        BlockCheckResult r = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_true(blk_check(w.blk, &r, BLOCK_CHECK_FIX_NONE, &error));
        g_assert_cmpint(r.corruptions, ==, 0);
        g_assert_cmpint(r.check_errors, ==, 0);
    }
    mem_close_ok(w.blk);
    g_free(w.data);
    g_free(w.buf);
    g_rand_free(w.rand);
}

static void test_geometries(gconstpointer data)
{
    bool has_backing = GPOINTER_TO_INT(data);

    for (int c = 9; c <= 16; c++) {
        for (int l = 6; l <= 13; l++) {
            run_geometry(c, l, has_backing, (guint32)(c * 100 + l * 2 + has_backing));
        }
    }
}

/* ---- single facts ---- */

#define SIZE (8 << 20)

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

/* The table's place and its data are one stretch of the file. */
static void test_one_write_per_table(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_ok(blk, 0, 2 << 20, 1);
    g_assert_cmpint(d->writes, ==, 1);
    write_ok(blk, 2 << 20, 4 << 20, 2);
    g_assert_cmpint(d->writes, ==, 3);
    mem_disk_reset_counts(d);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(d->writes, ==, 4);      /* three tables, one piece of L1 */
    mem_close_ok(blk);
}

static void test_overwrite_in_place(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t size;

    write_ok(blk, 0, 64 << 10, 1);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    size = d->size;
    write_ok(blk, 512, 32 << 10, 2);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(d->size, ==, size);
    g_assert_true(holds(blk, 512, 32 << 10, 2));
    mem_close_ok(blk);
}

/* A write that fails maps nothing and gives its space back. */
static void test_failed_write(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    uint8_t buf[8192];
    BlockStatus st;

    memset(buf, 1, sizeof(buf));
    d->fail_write_in = 1;
    g_assert_cmpint(blk_pwrite(blk, 0, sizeof(buf), buf, 0), ==, -ENOSPC);
    g_assert_cmpint(blk_block_status(blk, 0, SIZE, &st), ==, 0);
    g_assert_false(st.flags & BDRV_BLOCK_DATA);
    write_ok(blk, 0, 8192, 3);
    g_assert_true(holds(blk, 0, 8192, 3));
    d->fail_write_in = 1;
    g_assert_cmpint(blk_pwrite(blk, 8192, sizeof(buf), buf, 0), ==, -ENOSPC);
    write_ok(blk, 8192, 8192, 4);
    mem_close_ok(blk);
    g_assert_cmpint(d->size, ==, 4096 + 4096 + 16384);
    blk = mem_open_ok(ctx, d, NULL, 0);
    g_assert_true(holds(blk, 0, 8192, 3));
    g_assert_true(holds(blk, 8192, 8192, 4));
    mem_close_ok(blk);
}

/* Rules of zeroes: who stays mapped, who is unmapped, who must not be. */
static void test_zero_rules(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autoptr(MemDisk) base = mem_disk_new(NULL, 16384);
    BlockBackend *blk;
    BlockStatus st;

    image_fill(base, 0, 9, 16384);
    blk = mem_open_ok(ctx, d, base, BLK_O_RDWR | BLK_O_UNMAP);
    /* nothing there: nothing happens */
    g_assert_cmpint(blk_pwrite_zeroes(blk, 1 << 20, 65536, 0), ==, 0);
    g_assert_cmpint(blk_block_status(blk, 1 << 20, 65536, &st), ==, 0);
    g_assert_false(st.flags & BDRV_BLOCK_DATA);
    /* backing data shows: bytes must be written, also with MAY_UNMAP */
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_MAY_UNMAP), ==, 0);
    g_assert_true(holds(blk, 0, 4096, 0));
    g_assert_true(holds(blk, 4096, 4096, 9));
    g_assert_cmpint(blk_pdiscard(blk, 0, 8192), ==, 0);
    g_assert_true(holds(blk, 0, 4096, 0));
    g_assert_true(holds(blk, 4096, 4096, 9));
    /* mapped, nothing below: stays mapped without MAY_UNMAP */
    write_ok(blk, 2 << 20, 65536, 5);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 2 << 20, 65536, 0), ==, 0);
    g_assert_cmpint(blk_block_status(blk, 2 << 20, 65536, &st), ==, 0);
    g_assert_true(st.flags & BDRV_BLOCK_DATA);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 2 << 20, 65536,
                                      BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK), ==, 0);
    g_assert_cmpint(blk_block_status(blk, 2 << 20, 65536, &st), ==, 0);
    g_assert_false(st.flags & BDRV_BLOCK_DATA);
    mem_close_ok(blk);
}

/* Discarded space is punched, but only after the unmapping is on disk. */
static void test_discard_punches(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);

    write_ok(blk, 0, 1 << 20, 5);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    mem_disk_reset_counts(d);
    g_assert_cmpint(blk_pdiscard(blk, 4096, 65536), ==, 0);
    g_assert_true(holds(blk, 4096, 65536, 0));
    g_assert_cmpint(d->punches, ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(d->punches, ==, 1);
    g_assert_true(holds(blk, 0, 4096, 5));
    g_assert_true(holds(blk, 4096, 65536, 0));
    g_assert_true(holds(blk, 69632, 4096, 5));
    mem_close_ok(blk);
}

static void test_discard_ignored(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_ok(blk, 0, 65536, 5);
    g_assert_cmpint(blk_pdiscard(blk, 0, 65536), ==, 0);
    g_assert_true(holds(blk, 0, 65536, 5));
    mem_close_ok(blk);
}

/* Barrier 0: what led past the end is cleared before the file grows over it. */
static void test_dangling_entries(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk;

    image_put64(d, 48, 4096);
    image_put64(d, 56, 12288);                          /* a table past the end */
    image_put64(d, 4096, 8192);                         /* a cluster cut in half */
    image_put64(d, 4104, 12288);                        /* past the end */
    image_put64(d, 4112, (uint64_t)1 << 63 | (uint64_t)100 << 51 | 16384);
    image_fill(d, 8192, 1, 2048);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    write_ok(blk, 4 << 20, 65536, 7);
    g_assert_true(holds(blk, 4096, 4096, 0));
    mem_close_ok(blk);
    g_assert_cmpuint(image_get64(d, 56), ==, 0);
    g_assert_cmpuint(image_get64(d, 4104), ==, 0);
    g_assert_cmpuint(image_get64(d, 4112), ==, (uint64_t)1 << 63);
    g_assert_cmpuint(image_get64(d, 4096), ==, 8192);
    g_assert_cmpuint(image_get64(d, 64), >=, 12288);
    blk = mem_open_ok(ctx, d, NULL, 0);
    g_assert_true(holds(blk, 0, 2048, 1));
    g_assert_true(holds(blk, 2048, 4096, 0));
    g_assert_true(holds(blk, 2 << 20, 2 << 20, 0));
    g_assert_true(holds(blk, 4 << 20, 65536, 7));
    mem_close_ok(blk);
}

/* Writes in place need no scan. */
static void test_in_place_needs_no_scan(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_ok(blk, 0, 65536, 7);
    mem_close_ok(blk);
    image_put64(d, 56, 1 << 30);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    write_ok(blk, 512, 1024, 8);
    mem_close_ok(blk);
    g_assert_cmpuint(image_get64(d, 56), ==, 1 << 30);
}

/* A format in an image of a format: what it appends has no place. */
static void test_format_above(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9), outer = image_new(SIZE, 12, 9);
    g_autoptr(QDict) opts = qdict_new();
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc0(SIZE);

    g_assert_cmpint(blk_pwrite(blk, 0, outer->size - outer->size % 512, outer->data, 0), ==, 0);
    mem_close_ok(blk);
    qdict_put_str(opts, "driver", "qcow");
    qdict_put_str(opts, "file.driver", "qcow");
    qdict_put_str(opts, "file.file.driver", "mem-disk");
    qdict_put_str(opts, "file.file.disk", d->id);
    blk = blk_open_qdict(ctx, NULL, opts, BLK_O_RDWR, NULL);
    g_assert_nonnull(blk);
    write_ok(blk, 0, 4096, 1);
    g_assert_cmpint(blk_pwrite(blk, 0, SIZE, buf, 0), ==, -ENOSPC);
    g_assert_true(holds(blk, 0, 4096, 0));
    blk_close(blk);
    blk_unref(blk);
}

/* ---- requests that meet in clusters which none has written yet ---- */

typedef struct Meeting {
    int64_t offset, bytes;
} Meeting;

/* 4 KiB clusters: inside each other, one after the other, and round what others hold. */
static const Meeting meetings[] = {
    { 0, 16384 }, { 8192, 16384 }, { 4096, 4096 }, { 20480, 12288 }, { 0, 40960 },
    { 12800, 1024 }, { 512, 512 }, { 28672, 8192 }, { 24576, 4096 }, { 36864, 4096 },
};

enum { MEETING_BYTES = 49152, MEETINGS = G_N_ELEMENTS(meetings) };

static void meeting_done(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    --*(int *)opaque;
}

/* All at once, in an order of @rand's. Each sector then is of one that wrote it, whole. */
static void run_meeting(MemDisk *d, GRand *rand)
{
    g_autofree uint8_t *data = g_malloc(MEETINGS * MEETING_BYTES);
    g_autofree uint8_t *now = g_malloc(MEETING_BYTES);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    IOVector iov[MEETINGS];
    int running = MEETINGS, first = g_rand_int_range(rand, 0, MEETINGS);

    for (int i = 0; i < MEETINGS; i++) {
        int k = (first + i * 3) % MEETINGS;     /* 3 and 10 share no factor */

        memset(data + k * MEETING_BYTES, k + 1, meetings[k].bytes);
        io_vector_init_buf(&iov[k], data + k * MEETING_BYTES, meetings[k].bytes);
        blk_aio_pwritev(blk, meetings[k].offset, &iov[k], 0, meeting_done, &running);
    }
    while (running) {
        aio_context_poll(aio_context_ensure(), true);
    }
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, MEETING_BYTES, now), ==, 0);
    for (int64_t at = 0; at < MEETING_BYTES; at += 512) {
        int who = now[at] - 1;

        g_assert_true(!memcmp(now + at, now + at + 1, 511));
        g_assert_true(who < 0 ? at >= 40960 : at >= meetings[who].offset &&
                      at < meetings[who].offset + meetings[who].bytes);
    }
    mem_close_ok(blk);
    assert_file_holds(d, now, NULL);
}

static void test_meetings(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);

    for (int i = 0; i < 200; i++) {
        g_autoptr(MemDisk) d = image_new(MEETING_BYTES, 12, 9);

        d->yields = true;
        run_meeting(d, rand);
    }
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/write/2-mib-of-data/is-one-child-write", test_one_write_per_table);
    g_test_add_func("/qcow/write/mapped-cluster/is-written-in-place", test_overwrite_in_place);
    g_test_add_func("/qcow/write/failed-write/maps-nothing", test_failed_write);
    g_test_add_func("/qcow/write/zeroes/follow-the-rules", test_zero_rules);
    g_test_add_func("/qcow/write/discard/punches-after-the-flush", test_discard_punches);
    g_test_add_func("/qcow/write/discard-ignored/changes-nothing", test_discard_ignored);
    g_test_add_func("/qcow/write/dangling-entries/are-cleared-before-growth",
                    test_dangling_entries);
    g_test_add_func("/qcow/write/in-place/needs-no-scan", test_in_place_needs_no_scan);
    g_test_add_func("/qcow/write/format-above-that-appends/finds-the-disk-full",
                    test_format_above);
    g_test_add_func("/qcow/write/meeting-in-new-clusters/leaves-whole-sectors", test_meetings);
    g_test_add_data_func("/qcow/write/all-geometries/agree-with-a-shadow",
                         GINT_TO_POINTER(false), test_geometries);
    g_test_add_data_func("/qcow/write/all-geometries-backed/agree-with-a-shadow",
                         GINT_TO_POINTER(true), test_geometries);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
