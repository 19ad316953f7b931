/* SPDX-License-Identifier: MIT */
/*
 * Another size: what it costs, that what becomes visible reads as zeros, what is refused; and that
 * each crash and each failed request leaves the old disk or the new one.
 */
#include "crash.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SMALL (256 << 10)       /* with 512-byte clusters and 64 entries a table: 8 tables */
#define TABLE 512               /* of the first 32 KiB; the L1 table has room up to it */
#define DATA 1024

static CairnContext *ctx;

static void resize_ok(BlockBackend *blk, int64_t size)
{
    g_autoptr(GError) error = NULL;

    blk_truncate(blk, size, PREALLOC_MODE_OFF, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_getlength(blk), ==, size);
}

static void resize_fails(BlockBackend *blk, int64_t size, PreallocMode prealloc, int err,
                         const char *message)
{
    g_autoptr(GError) error = NULL;
    int64_t before = blk_getlength(blk);

    g_assert_false(blk_truncate(blk, size, prealloc, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, message));
    g_assert_cmpint(blk_getlength(blk), ==, before);
}

static int syncs_of_resize(BlockBackend *blk, MemDisk *d, int64_t size)
{
    d->syncs = 0;
    resize_ok(blk, size);
    return d->syncs;
}

static void write_byte(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, value, bytes);
    g_assert_cmpint(blk_pwrite(blk, offset, bytes, buf, 0), ==, 0);
}

static void assert_bytes(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    g_assert_cmpint(blk_pread(blk, offset, bytes, buf), ==, 0);
    for (int64_t i = 0; i < bytes; i++) {
        g_assert_cmpint(buf[i], ==, value);
    }
}

static void assert_clean(MemDisk *d, MemDisk *backing, int leaks)
{
    BlockBackend *blk = mem_open_ok(ctx, d, backing, 0);
    BlockCheckResult r = { 0 };

    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    g_assert_cmpint(r.corruptions + r.check_errors, ==, 0);
    g_assert_cmpint(r.leaks, ==, leaks);
    mem_close_ok(blk);
}

/* ---- the table of crash-safety.md ---- */

static void test_syncs_same_table(void)
{
    g_autoptr(MemDisk) d = image_new(64 << 20, 12, 9);      /* 32 entries of 64 that fit */
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    g_assert_cmpint(syncs_of_resize(blk, d, 65 << 20), ==, 1 + 1);      /* 1: barrier 0 */
    g_assert_cmpint(syncs_of_resize(blk, d, 128 << 20), ==, 1);
    g_assert_cmpint(syncs_of_resize(blk, d, 128 << 20), ==, 0);
    g_assert_cmpint(syncs_of_resize(blk, d, 64 << 20), ==, 1);
    write_byte(blk, 0, 65536, 1);
    g_assert_cmpint(syncs_of_resize(blk, d, 128 << 20), ==, 3);
    write_byte(blk, 0, 65536, 2);
    g_assert_cmpint(syncs_of_resize(blk, d, 64 << 20), ==, 2);
    g_assert_cmpuint(image_get64(d, 40), ==, 48);
    mem_close_ok(blk);
}

static void test_syncs_new_table(void)
{
    g_autoptr(MemDisk) d = image_new(64 << 20, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_byte(blk, 0, 65536, 1);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(syncs_of_resize(blk, d, (int64_t)4 << 30), ==, 2);
    g_assert_cmpuint(image_get64(d, 40), >, 65536);
    write_byte(blk, 1 << 20, 65536, 1);
    g_assert_cmpint(syncs_of_resize(blk, d, (int64_t)40 << 30), ==, 3);
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

static void test_syncs_visible(void)
{
    g_autoptr(MemDisk) d = image_new(64 << 20, 12, 9);
    g_autoptr(MemDisk) backing = mem_disk_new(NULL, 65 << 20);
    BlockBackend *blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);

    image_fill(backing, 64 << 20, 9, 65536);
    g_assert_cmpint(syncs_of_resize(blk, d, (int64_t)4 << 30), ==, 3 + 1);      /* 1: barrier 0 */
    assert_bytes(blk, 64 << 20, 1 << 20, 0);
    mem_close_ok(blk);
    assert_clean(d, backing, 0);
}

/* ---- growing ---- */

/* Garbage after the disk's end: in its last cluster, its last table, and the L1 table's room. */
static MemDisk *image_with_strays(void)
{
    MemDisk *d = image_new(SMALL + 1024, 9, 6);

    image_put64(d, 48, TABLE);
    image_put64(d, 48 + 8 * 8, DATA + 512);         /* of the last 1024 bytes */
    image_put64(d, 48 + 9 * 8, DATA);               /* past the end */
    image_fill(d, DATA, 7, 512);
    image_put64(d, TABLE, DATA);
    image_put64(d, DATA + 512, DATA + 1024);
    image_put64(d, DATA + 512 + 3 * 8, DATA + 1536);
    image_fill(d, DATA + 1024, 8, 1024);
    return d;
}

static void test_strays(void)
{
    g_autoptr(MemDisk) d = image_with_strays();
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    resize_ok(blk, SMALL + 65536);
    for (int i = 0; i < 2; i++) {
        assert_bytes(blk, 0, 512, 7);
        assert_bytes(blk, SMALL, 512, 8);
        assert_bytes(blk, SMALL + 512, 65536 - 512, 0);
        mem_close_ok(blk);
        g_assert_cmpuint(image_get64(d, 48 + 9 * 8), ==, 0);
        g_assert_cmpuint(image_get64(d, 40), ==, 48);
        blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    }
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

static void test_tail(gconstpointer data)
{
    bool is_compressed = GPOINTER_TO_INT(data) == 1, moves = GPOINTER_TO_INT(data) == 2;
    g_autoptr(MemDisk) d = image_new((1 << 20) + 1024, 12, 9);
    g_autofree uint8_t *buf = g_malloc(4096);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    memset(buf, 'a', 1024);
    g_assert_cmpint(blk_pwrite(blk, 1 << 20, 1024, buf,
                               is_compressed ? BDRV_REQ_WRITE_COMPRESSED : 0), ==, 0);
    mem_close_ok(blk);
    if (!is_compressed) {
        int64_t host = (int64_t)image_get64(d, 4096 + 256 * 8);

        image_fill(d, host + 1024, 0xee, 3072);
    }
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    resize_ok(blk, moves ? (int64_t)8 << 30 : 2 << 20);
    assert_bytes(blk, 1 << 20, 1024, 'a');
    assert_bytes(blk, (1 << 20) + 1024, (1 << 20) - 1024, 0);
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

static void test_longer_backing(gconstpointer data)
{
    int cluster_bits = GPOINTER_TO_INT(data);
    g_autoptr(MemDisk) d = image_new(SMALL + 512, cluster_bits, cluster_bits - 3);
    g_autoptr(MemDisk) backing = mem_disk_new(NULL, SMALL + 20000);
    BlockBackend *blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);

    image_fill(backing, 0, 5, SMALL + 20000);
    resize_ok(blk, SMALL + 65536);
    for (int i = 0; i < 2; i++) {
        assert_bytes(blk, 0, SMALL + 512, 5);
        assert_bytes(blk, SMALL + 512, 65536 - 512, 0);
        mem_close_ok(blk);
        blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    }
    mem_close_ok(blk);
    assert_clean(d, backing, 0);
}

/* A few entries, read and written across the move of the L1 table, several times. */
static void test_moves(void)
{
    g_autoptr(MemDisk) d = image_new(SMALL, 9, 6);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t size = SMALL;

    write_byte(blk, 0, SMALL, 1);
    for (int i = 2; i < 8; i++) {
        resize_ok(blk, size * 4);
        write_byte(blk, size * 4 - 4096, 4096, i);
        assert_bytes(blk, 0, SMALL, 1);
        assert_bytes(blk, size, size, 0);
        size *= 4;
        if (i % 3 == 0) {
            mem_close_ok(blk);
            blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
        }
        assert_bytes(blk, size - 4096, 4096, i);
    }
    g_assert_cmpuint(image_get64(d, 40), >, SMALL);
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

/* A disk of a petabyte has a table of 16 MiB, nearly all of it zeros that need no writing. */
static void test_huge(void)
{
    g_autoptr(MemDisk) d = image_new(1 << 20, 16, 13);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    mem_disk_record(d);
    resize_ok(blk, (int64_t)1 << 50);
    write_byte(blk, ((int64_t)1 << 50) - 512, 512, 3);
    assert_bytes(blk, ((int64_t)1 << 50) - 512, 512, 3);
    mem_close_ok(blk);
    for (guint i = 0; i < d->log->len; i++) {
        const MemRecord *r = &g_array_index(d->log, MemRecord, i);

        g_assert_true(r->op != MEM_WRITE || r->bytes <= 2 * 65536);
    }
    assert_clean(d, NULL, 0);
}

static void test_preallocated(void)
{
    g_autoptr(MemDisk) d = image_new(SMALL, 9, 6);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t before;

    g_assert_true(blk_truncate(blk, SMALL * 3, PREALLOC_MODE_FULL, &error));
    before = d->size;
    write_byte(blk, SMALL, SMALL * 2, 1);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(d->size, ==, before);       /* everything had its place */
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

/* ---- shrinking ---- */

static void test_shrink(gconstpointer data)
{
    bool is_compressed = GPOINTER_TO_INT(data) == 1;
    g_autoptr(MemDisk) d = image_new(4 << 20, 12, 6);       /* tables of 256 KiB */
    g_autofree uint8_t *buf = g_malloc(4 << 20);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    memset(buf, 6, 4 << 20);
    g_assert_cmpint(blk_pwrite(blk, 0, 4 << 20, buf,
                               is_compressed ? BDRV_REQ_WRITE_COMPRESSED : 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    resize_ok(blk, (1 << 20) + 512);
    for (int i = 0; i < 2; i++) {
        assert_bytes(blk, 0, (1 << 20) + 512, 6);
        mem_close_ok(blk);
        assert_clean(d, NULL, 0);
        for (int k = 5; k < 16; k++) {
            g_assert_cmpuint(image_get64(d, 48 + k * 8), ==, 0);
        }
        blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    }
    resize_ok(blk, 4 << 20);
    assert_bytes(blk, 0, (1 << 20) + 512, 6);
    assert_bytes(blk, (1 << 20) + 512, (3 << 20) - 512, 0);
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

/* The zeros are on disk before any growth asks for them. */
static void test_shrunk_tail(void)
{
    g_autoptr(MemDisk) d = image_new(1 << 20, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t host;

    write_byte(blk, 0, 65536, 6);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    host = (int64_t)image_get64(d, 4096);
    resize_ok(blk, 1024);
    g_assert_true(cairn_buffer_is_zero(d->data + host + 1024, 65536 - 1024));
    g_assert_cmpint(d->data[host + 1023], ==, 6);
    mem_close_ok(blk);
}

/* What was pending past the new end never reaches the disk. */
static void test_shrink_pending(void)
{
    g_autoptr(MemDisk) d = image_new(4 << 20, 12, 6);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_byte(blk, 0, 4 << 20, 6);
    resize_ok(blk, 1 << 20);
    assert_bytes(blk, 0, 1 << 20, 6);
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_bytes(blk, 0, 1 << 20, 6);
    mem_close_ok(blk);
}

/* ---- encrypted ---- */

static void test_encrypted(void)
{
    g_autoptr(MemDisk) d = image_new((1 << 20) + 1024, 12, 9);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    g_assert_true(cairn_secret_add_bytes(ctx, "key", "cairn", 5, &error));
    d->data[39] = 1;
    blk = mem_open(ctx, d, NULL, "encrypt.key-secret=key", BLK_O_RDWR, &error);
    g_assert_no_error(error);
    write_byte(blk, 0, (1 << 20) + 1024, 4);
    resize_ok(blk, 3 << 20);
    assert_bytes(blk, 0, (1 << 20) + 1024, 4);
    assert_bytes(blk, (1 << 20) + 1024, (2 << 20) - 1024, 0);
    resize_ok(blk, 512);
    resize_ok(blk, 8192);
    assert_bytes(blk, 0, 512, 4);
    assert_bytes(blk, 512, 8192 - 512, 0);
    mem_close_ok(blk);
}

/* ---- refusals ---- */

static void test_refusals(void)
{
    g_autoptr(MemDisk) d = image_new(SMALL, 9, 6);
    g_autofree uint8_t *before = g_memdup2(d->data, d->size);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t size = d->size;

    resize_fails(blk, 0, PREALLOC_MODE_OFF, EINVAL, "cannot be zero length");
    resize_fails(blk, (int64_t)1 << 50, PREALLOC_MODE_OFF, EFBIG, "Image too large");
    resize_fails(blk, 2 * SMALL, PREALLOC_MODE_METADATA, ENOTSUP,
                 "Unsupported preallocation mode: metadata");
    resize_fails(blk, 512, PREALLOC_MODE_FULL, EINVAL, "Cannot use preallocation for shrinking");
    mem_close_ok(blk);
    g_assert_cmpmem(d->data, d->size, before, size);
}

static void test_rounds_up(void)
{
    g_autoptr(MemDisk) d = image_new(SMALL, 9, 6);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    g_assert_true(blk_truncate(blk, SMALL + 1, PREALLOC_MODE_OFF, NULL));
    g_assert_cmpint(blk_getlength(blk), ==, SMALL + 512);
    mem_close_ok(blk);
    g_assert_cmpuint(image_get64(d, 24), ==, SMALL + 512);
}

static void test_backing_not_open(void)
{
    g_autoptr(MemDisk) d = image_new(SMALL, 9, 6);
    BlockBackend *blk;

    image_put64(d, 8, 1024);
    d->data[19] = 4;
    image_fill(d, 1024, 'b', 4);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_NO_BACKING);
    resize_fails(blk, 2 * SMALL, PREALLOC_MODE_OFF, EINVAL, "without its backing file");
    resize_ok(blk, SMALL / 2);
    mem_close_ok(blk);
}

/* An image whose tables share their places is left alone. */
static void test_corrupt(void)
{
    g_autoptr(MemDisk) d = image_with_strays();
    BlockBackend *blk;

    image_put64(d, TABLE + 8, DATA + 512);          /* data upon the table of the last cluster */
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    resize_fails(blk, SMALL * 2, PREALLOC_MODE_OFF, EIO, "check -r all");
    assert_bytes(blk, SMALL, 512, 8);
    mem_close_ok(blk);
    g_assert_cmpuint(image_get64(d, 24), ==, SMALL + 1024);
}

/* ---- crashes ---- */

typedef struct ResizeCase {
    int cluster_bits, l2_bits;
    int64_t from, to;
    bool has_backing;
    bool moves;                 /* a table stands right behind the L1 table, which must move */
} ResizeCase;

typedef struct ResizeCrash {
    const ResizeCase *c;
    MemDisk *backing;
    uint8_t *before, *after;    /* of the longer of the two sizes */
    bool is_flushed;            /* the workload must be there whole */
} ResizeCrash;

static const ResizeCase resize_cases[] = {
    { 9, 6, SMALL + 512, SMALL * 2, false, false },
    { 9, 6, SMALL + 512, SMALL * 4, false, true },
    { 9, 6, SMALL + 512, SMALL * 4, true, true },
    { 12, 6, SMALL + 512, SMALL * 3, true, true },
    { 16, 6, SMALL + 512, SMALL * 2, true, false },
    { 9, 6, SMALL * 2, SMALL + 512, false, false },
    { 12, 6, SMALL * 5, SMALL + 512, true, false },
};

static void resize_workload(BlockBackend *blk, const ResizeCase *c, int value)
{
    int64_t end = MIN(c->from, c->to);

    write_byte(blk, 1024, 4096, value);
    write_byte(blk, SMALL - 8192, 8192, value + 1);
    write_byte(blk, SMALL * 3 / 4, 512, value + 3);         /* a table of its own */
    write_byte(blk, end - 512, 512, value + 2);
}

/* Before the resize: some of it flushed, some not. */
static MemDisk *resize_start(const ResizeCase *c, MemDisk *backing)
{
    MemDisk *d = image_new(c->from, c->cluster_bits, c->l2_bits);
    int64_t entries = DIV_ROUND_UP(c->from, (int64_t)1 << (c->cluster_bits + c->l2_bits));
    BlockBackend *blk;

    if (c->moves) {
        image_put64(d, 40, (uint64_t)(512 - entries * 8));
        image_put64(d, 512 - entries * 8, 512);
        image_resize(d, 1024);
    }
    blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    write_byte(blk, 0, 65536, 1);
    write_byte(blk, c->from - 1024, 1024, 2);
    write_byte(blk, c->from / 2, 4096, 3);
    mem_close_ok(blk);
    return d;
}

static void read_all(MemDisk *d, MemDisk *backing, uint8_t *buf)
{
    int64_t size;
    g_autofree uint8_t *now = crash_read_clean(ctx, d, backing, &size);

    memcpy(buf, now, size);
}

/* Sector by sector: before or after; the new size only with everything that came before it. */
static void resize_check_content(const ResizeCrash *r, const uint8_t *now, int64_t size)
{
    const ResizeCase *c = r->c;
    bool is_new = size == c->to, is_flushed = is_new || r->is_flushed;

    g_assert_true(is_new || size == c->from);
    for (int64_t at = 0; at < size; at += 512) {
        bool as_after = !memcmp(now + at, r->after + at, 512);
        bool as_before = !memcmp(now + at, r->before + at, 512);

        if (at >= c->to) {                  /* shrunk: about to go */
            g_assert_true(as_before || now[at] == 0 || r->backing);
        } else {
            g_assert_true(as_after || (as_before && !is_flushed));
        }
    }
}

static void resize_check_state(MemDisk *d, gpointer opaque)
{
    const ResizeCrash *r = opaque;
    int64_t size, later = SMALL * 20;
    g_autofree uint8_t *now = crash_read_clean(ctx, d, r->backing, &size);
    BlockBackend *blk;

    resize_check_content(r, now, size);
    blk = mem_open_ok(ctx, d, r->backing, BLK_O_RDWR);
    write_byte(blk, 2048, 1024, 77);
    memset(now + 2048, 77, 1024);
    resize_ok(blk, later);
    write_byte(blk, later - 512, 512, 78);
    mem_close_ok(blk);
    {
        g_autofree uint8_t *grown = crash_read_clean(ctx, d, r->backing, &later);

        g_assert_cmpint(later, ==, SMALL * 20);
        g_assert_cmpmem(grown, size, now, size);
        g_assert_true(cairn_buffer_is_zero(grown + size, later - size - 512));
        g_assert_cmpint(grown[later - 1], ==, 78);
    }
}

static MemDisk *resize_backing(const ResizeCase *c)
{
    MemDisk *d = c->has_backing ? mem_disk_new(NULL, SMALL * 3 / 2) : NULL;

    if (d) {
        image_fill(d, 0, 0xbb, SMALL * 3 / 2);
    }
    return d;
}

static void test_crashes(gconstpointer data)
{
    const ResizeCase *c = data;
    g_autoptr(MemDisk) backing = resize_backing(c);
    g_autoptr(MemDisk) start = resize_start(c, backing);
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    int64_t most = MAX(c->from, c->to);
    g_autofree uint8_t *before = g_malloc0(most), *after = g_malloc0(most);
    ResizeCrash r = { c, backing, before, after, false };
    BlockBackend *blk;

    read_all(start, backing, before);
    mem_disk_record(d);
    blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    resize_workload(blk, c, 50);
    resize_ok(blk, c->to);
    mem_close_ok(blk);
    read_all(d, backing, after);
    g_assert_true((image_get64(d, 40) > 512) == c->moves);
    crash_replay(start, d->log, 16, 1, resize_check_state, &r);
}

/* ---- failures ---- */

static int *fault_counter(MemDisk *d, int kind)
{
    int *counters[] = { &d->fail_read_in, &d->fail_write_in, &d->fail_sync_in,
                        &d->fail_truncate_in };

    return counters[kind];
}

/*
 * The k-th request of a kind fails. The disk has its old size then, or the new one, and goes on
 * being used unless a sync failed, or the clearing of L1 entries.
 */
static bool resize_with_fault(const ResizeCase *c, const MemDisk *start, ResizeCrash *r, int kind,
                              int k)
{
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    BlockBackend *blk = mem_open_ok(ctx, d, r->backing, BLK_O_RDWR);
    int *in = fault_counter(d, kind);
    bool ok, happened;
    int64_t size;

    resize_workload(blk, c, 50);
    *in = k;
    ok = blk_truncate(blk, c->to, PREALLOC_MODE_OFF, NULL);
    happened = *in == 0;
    *in = 0;
    g_assert_true(ok || happened);
    g_assert_cmpint(blk_getlength(blk), ==, ok ? c->to : c->from);
    r->is_flushed = kind != 2 && !ok && c->to > c->from;
    if (r->is_flushed) {
        write_byte(blk, 1024, 4096, 50);        /* it goes on being used */
    }
    g_assert_true(blk_close(blk) == 0 || !r->is_flushed);
    blk_unref(blk);
    {
        g_autofree uint8_t *now = crash_read_clean(ctx, d, r->backing, &size);

        resize_check_content(r, now, size);
    }
    resize_check_state(d, r);
    return happened;
}

static void test_faults(gconstpointer data)
{
    const ResizeCase *c = data;
    g_autoptr(MemDisk) backing = resize_backing(c);
    g_autoptr(MemDisk) start = resize_start(c, backing);
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    int64_t most = MAX(c->from, c->to);
    g_autofree uint8_t *before = g_malloc0(most), *after = g_malloc0(most);
    ResizeCrash r = { c, backing, before, after, false };
    BlockBackend *blk;

    read_all(start, backing, before);
    blk = mem_open_ok(ctx, d, backing, BLK_O_RDWR);
    resize_workload(blk, c, 50);
    resize_ok(blk, c->to);
    mem_close_ok(blk);
    read_all(d, backing, after);
    for (int kind = 0; kind < 4; kind++) {
        for (int k = 1; resize_with_fault(c, start, &r, kind, k); k++) {
            g_assert_cmpint(k, <, 1000);
        }
    }
}

/* After a failed attempt the space that it took is free again. */
static void test_failed_leaves_no_leak(void)
{
    g_autoptr(MemDisk) d = image_new(SMALL, 9, 6);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_byte(blk, 0, SMALL, 1);
    for (int k = 2; k < 30; k += 9) {
        d->fail_write_in = k;
        g_assert_false(blk_truncate(blk, (int64_t)SMALL << 9, PREALLOC_MODE_FULL, NULL));
        assert_bytes(blk, 0, SMALL, 1);
    }
    mem_close_ok(blk);
    assert_clean(d, NULL, 0);
}

/* ---- main ---- */

static void add_case_tests(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(resize_cases); i++) {
        const ResizeCase *c = &resize_cases[i];
        g_autofree char *name = g_strdup_printf("%s-%d%s%s", c->to > c->from ? "grow" : "shrink",
                                                c->cluster_bits, c->moves ? "-moved" : "",
                                                c->has_backing ? "-backed" : "");
        g_autofree char *crash = g_strconcat("/qcow/resize/crash-at-every-step/", name,
                                             "/is-old-or-new", NULL);
        g_autofree char *fault = g_strconcat("/qcow/resize/each-request-fails/", name,
                                             "/is-old-or-new", NULL);

        g_test_add_data_func(crash, c, test_crashes);
        g_test_add_data_func(fault, c, test_faults);
    }
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/resize/table-with-room/costs-1-sync", test_syncs_same_table);
    g_test_add_func("/qcow/resize/table-that-moves/costs-2-syncs", test_syncs_new_table);
    g_test_add_func("/qcow/resize/visible-backing-data/costs-3-syncs", test_syncs_visible);
    g_test_add_func("/qcow/resize/grow/stray-entries-do-not-show", test_strays);
    g_test_add_data_func("/qcow/resize/grow/tail-of-the-last-cluster-is-zero",
                         GINT_TO_POINTER(0), test_tail);
    g_test_add_data_func("/qcow/resize/grow/tail-of-a-stream-is-zero", GINT_TO_POINTER(1),
                         test_tail);
    g_test_add_data_func("/qcow/resize/grow/tail-is-zero-when-the-table-moves",
                         GINT_TO_POINTER(2), test_tail);
    g_test_add_data_func("/qcow/resize/grow/longer-backing-does-not-show-at-512",
                         GINT_TO_POINTER(9), test_longer_backing);
    g_test_add_data_func("/qcow/resize/grow/longer-backing-does-not-show-at-4k",
                         GINT_TO_POINTER(12), test_longer_backing);
    g_test_add_data_func("/qcow/resize/grow/longer-backing-does-not-show-at-64k",
                         GINT_TO_POINTER(16), test_longer_backing);
    g_test_add_func("/qcow/resize/grow/again-and-again-keeps-the-data", test_moves);
    g_test_add_func("/qcow/resize/grow/to-a-petabyte-writes-little", test_huge);
    g_test_add_func("/qcow/resize/grow/preallocated-has-its-place", test_preallocated);
    g_test_add_data_func("/qcow/resize/shrink/drops-what-is-past-the-end", GINT_TO_POINTER(0),
                         test_shrink);
    g_test_add_data_func("/qcow/resize/shrink/drops-streams", GINT_TO_POINTER(1), test_shrink);
    g_test_add_func("/qcow/resize/shrink/zeroes-the-tail", test_shrunk_tail);
    g_test_add_func("/qcow/resize/shrink/forgets-what-is-pending", test_shrink_pending);
    g_test_add_func("/qcow/resize/encrypted/new-space-reads-zero", test_encrypted);
    g_test_add_func("/qcow/resize/what-cannot-be/is-refused", test_refusals);
    g_test_add_func("/qcow/resize/odd-size/is-rounded-up", test_rounds_up);
    g_test_add_func("/qcow/resize/backing-not-open/only-shrinks", test_backing_not_open);
    g_test_add_func("/qcow/resize/corrupt-image/is-left-alone", test_corrupt);
    g_test_add_func("/qcow/resize/failed/leaves-no-leak", test_failed_leaves_no_leak);
    add_case_tests();
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
