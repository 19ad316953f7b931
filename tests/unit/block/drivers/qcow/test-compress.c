/* SPDX-License-Identifier: MIT */
/*
 * Compressed writes: which are taken, what they leave in the file, and what later writes make of
 * it.
 */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "block/drivers/qcow/table.h"
#include "util/cutils.h"

#define CLUSTER 4096
#define SIZE ((8 << 20) - 1024)         /* the last cluster is a short one */

static CairnContext *ctx;

static int write_c(BlockBackend *blk, int64_t offset, int64_t bytes, const void *buf)
{
    return blk_pwrite(blk, offset, bytes, buf, BDRV_REQ_WRITE_COMPRESSED);
}

/* Text that shrinks; different for each cluster. */
static uint8_t *make_text(int64_t bytes)
{
    uint8_t *buf = g_malloc0(bytes + 32);

    for (int64_t i = 0; i < bytes; i += 16) {
        g_snprintf((char *)buf + i, 17, "line %010d\n", (int)i);
    }
    return buf;
}

static uint8_t *make_noise(int64_t bytes, guint32 seed)
{
    uint8_t *buf = g_malloc(bytes);
    GRand *rand = g_rand_new_with_seed(seed);

    for (int64_t i = 0; i < bytes; i++) {
        buf[i] = (uint8_t)g_rand_int(rand);
    }
    g_rand_free(rand);
    return buf;
}

static void assert_holds(BlockBackend *blk, int64_t offset, int64_t bytes, const uint8_t *data)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    g_assert_cmpint(blk_pread(blk, offset, bytes, buf), ==, 0);
    g_assert_cmpmem(buf, bytes, data, bytes);
}

static QcowEntry entry_of(const MemDisk *d, int64_t guest)
{
    uint64_t l1 = image_get64(d, 48 + guest / (512 * CLUSTER) * 8);

    g_assert_cmpuint(l1, !=, 0);
    return qcow_entry_decode(image_get64(d, (int64_t)l1 + guest / CLUSTER % 512 * 8), 12);
}

static void test_round_trip(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *text = make_text(SIZE);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t next = 0;

    g_assert_cmpint(write_c(blk, 0, SIZE, text), ==, 0);
    assert_holds(blk, 0, SIZE, text);
    mem_close_ok(blk);
    g_assert_cmpint(d->size, <, SIZE / 4);
    for (int64_t at = 0; at < SIZE; at += CLUSTER) {
        QcowEntry e = entry_of(d, at);

        g_assert_cmpint(e.kind, ==, QCOW_STREAM);
        /* byte by byte, but for a table or a flush between */
        if (at % (512 * CLUSTER)) {
            g_assert_cmpint(e.offset, ==, next);
        }
        next = e.offset + e.bytes;
    }
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_holds(blk, 0, SIZE, text);
    assert_holds(blk, 512 * 3, 512 * 1000, text + 512 * 3);
    mem_close_ok(blk);
}

static void test_refused(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *text = make_text(4 * CLUSTER);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    static const struct {
        int64_t offset, bytes;
        int ret;
    } cases[] = {
        { 0, 512, -EINVAL }, { 512, CLUSTER, -EINVAL }, { 2048, CLUSTER, -EINVAL },
        { 0, CLUSTER + 512, -EINVAL }, { 0, 3 * CLUSTER, 0 }, { CLUSTER, CLUSTER, 0 },
        { SIZE - 3072, 3072, 0 }, { SIZE - 3072 - CLUSTER, 3072 + CLUSTER, 0 },
        { SIZE - 3072, 2048, -EINVAL }, { SIZE - 2048, 2048, -EINVAL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(write_c(blk, cases[i].offset, cases[i].bytes, text), ==, cases[i].ret);
    }
    mem_close_ok(blk);
}

/* What does not shrink is stored plain, at a cluster boundary. */
static void test_mixed(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *data = make_text(64 * CLUSTER);
    g_autofree uint8_t *noise = make_noise(64 * CLUSTER, 1);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    for (int i = 0; i < 64; i++) {
        if (i % 5 == 0 || i % 7 == 0) {
            memcpy(data + i * CLUSTER, noise + i * CLUSTER, CLUSTER);
        }
    }
    g_assert_cmpint(write_c(blk, CLUSTER, 64 * CLUSTER, data), ==, 0);
    assert_holds(blk, CLUSTER, 64 * CLUSTER, data);
    mem_close_ok(blk);
    for (int i = 0; i < 64; i++) {
        QcowEntry e = entry_of(d, (i + 1) * CLUSTER);

        g_assert_cmpint(e.kind, ==, i % 5 == 0 || i % 7 == 0 ? QCOW_PLAIN : QCOW_STREAM);
        g_assert_cmpint(e.kind == QCOW_PLAIN ? e.offset % CLUSTER : 0, ==, 0);
    }
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_holds(blk, CLUSTER, 64 * CLUSTER, data);
    mem_close_ok(blk);
}

/*
 * All bytes equally frequent, and yet it shrinks: the look at the data before must not take it for
 * noise.
 */
static void test_flat_data(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *data = make_noise(3 * CLUSTER, 4);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    for (int i = 0; i < CLUSTER; i++) {
        data[i] = (uint8_t)i;                           /* counts up */
    }
    memcpy(data + CLUSTER + CLUSTER / 2, data + CLUSTER, CLUSTER / 2);      /* half of it twice */
    memset(data + 2 * CLUSTER, 'x', CLUSTER / 4);       /* partly text */
    g_assert_cmpint(write_c(blk, 0, 3 * CLUSTER, data), ==, 0);
    assert_holds(blk, 0, 3 * CLUSTER, data);
    mem_close_ok(blk);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(entry_of(d, i * CLUSTER).kind, ==, QCOW_STREAM);
    }
}

static void test_overwrites(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *data = make_text(16 * CLUSTER);
    g_autofree uint8_t *noise = make_noise(16 * CLUSTER, 2);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    g_assert_cmpint(write_c(blk, 0, 16 * CLUSTER, data), ==, 0);
    memcpy(data + 512, noise, 1024);                /* part of one */
    g_assert_cmpint(blk_pwrite(blk, 512, 1024, data + 512, 0), ==, 0);
    memcpy(data + 3 * CLUSTER, noise, 2 * CLUSTER); /* whole ones */
    g_assert_cmpint(blk_pwrite(blk, 3 * CLUSTER, 2 * CLUSTER, data + 3 * CLUSTER, 0), ==, 0);
    memcpy(data + 7 * CLUSTER + 512, noise, 3 * CLUSTER);
    g_assert_cmpint(blk_pwrite(blk, 7 * CLUSTER + 512, 3 * CLUSTER, data + 7 * CLUSTER + 512, 0),
                    ==, 0);
    assert_holds(blk, 0, 16 * CLUSTER, data);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    memset(data + 3 * CLUSTER, 'x', CLUSTER);       /* compressed onto plain */
    g_assert_cmpint(write_c(blk, 3 * CLUSTER, CLUSTER, data + 3 * CLUSTER), ==, 0);
    memset(data + 12 * CLUSTER, 'y', CLUSTER);      /* and onto a stream */
    g_assert_cmpint(write_c(blk, 12 * CLUSTER, CLUSTER, data + 12 * CLUSTER), ==, 0);
    assert_holds(blk, 0, 16 * CLUSTER, data);
    mem_close_ok(blk);
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_holds(blk, 0, 16 * CLUSTER, data);
    mem_close_ok(blk);
}

/* Punching what a moved stream leaves must not touch its neighbours' bytes. */
static void test_freed_stream(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *noise = make_noise(16 * CLUSTER, 3);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);

    for (int i = 0; i < 16; i++) {
        memset(noise + i * CLUSTER, i, 600);        /* just enough to shrink */
    }
    g_assert_cmpint(write_c(blk, 0, 16 * CLUSTER, noise), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    for (int i = 1; i < 16; i += 2) {
        memset(noise + i * CLUSTER, 0, CLUSTER);
        g_assert_cmpint(blk_pdiscard(blk, i * CLUSTER, CLUSTER), ==, 0);
    }
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(d->punches, ==, 8);
    assert_holds(blk, 0, 16 * CLUSTER, noise);
    mem_close_ok(blk);
    blk = mem_open_ok(ctx, d, NULL, 0);
    assert_holds(blk, 0, 16 * CLUSTER, noise);
    mem_close_ok(blk);
}

/*
 * What neighbours share is punched when the last of them goes: rewriting a compressed image leaks
 * nothing.
 */
static void test_rewritten_image(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *text = make_text(SIZE);
    GRand *rand = g_rand_new_with_seed(5);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    BlockCheckResult r = { 0 };
    bool done[512] = { false };

    g_assert_cmpint(write_c(blk, 0, 512 * CLUSTER, text), ==, 0);
    g_assert_cmpint(write_c(blk, 512 * CLUSTER, CLUSTER, text), ==, 0);
    for (int left = 512; left > 0;) {
        int i = g_rand_int_range(rand, 0, 512);

        if (!done[i]) {
            memset(text + i * CLUSTER, i, CLUSTER);
            g_assert_cmpint(blk_pwrite(blk, i * CLUSTER, CLUSTER, text + i * CLUSTER, 0), ==, 0);
            done[i] = true;
            left--;
        }
        if (left % 16 == 0) {
            g_assert_cmpint(blk_flush(blk), ==, 0);
        }
    }
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.leaks, ==, 0);
    assert_holds(blk, 0, 512 * CLUSTER, text);
    mem_close_ok(blk);
    g_rand_free(rand);
}

/* After a flush no stream begins in a sector that the flush has made durable. */
static void test_cursor_after_flush(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *text = make_text(2 * CLUSTER);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    g_assert_cmpint(write_c(blk, 0, CLUSTER, text), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(write_c(blk, CLUSTER, CLUSTER, text + CLUSTER), ==, 0);
    mem_close_ok(blk);
    g_assert_cmpint(entry_of(d, CLUSTER).offset % 512, ==, 0);
}

static void test_all_cluster_sizes(void)
{
    for (int bits = 9; bits <= 16; bits++) {
        int64_t size = 300000 / 512 * 512;
        g_autoptr(MemDisk) d = image_new(size, bits, 6);
        g_autofree uint8_t *text = make_text(size);
        BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

        g_assert_cmpint(write_c(blk, 0, size, text), ==, 0);
        mem_close_ok(blk);
        blk = mem_open_ok(ctx, d, NULL, 0);
        assert_holds(blk, 0, size, text);
        mem_close_ok(blk);
    }
}

/* ---- streams of other writers ---- */

/* @flush: how the stream ends; @in_bytes of @in. Returns its length. */
static int make_stream(const uint8_t *in, size_t in_bytes, int flush, uint8_t *out, size_t room)
{
    z_stream z = { .next_in = (Bytef *)in, .avail_in = (uInt)in_bytes, .next_out = out,
                   .avail_out = (uInt)room };

    g_assert_cmpint(deflateInit2(&z, 1, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY), ==, Z_OK);
    g_assert_cmpint(deflate(&z, flush), >=, Z_OK);
    deflateEnd(&z);
    return (int)(room - z.avail_out);
}

/* What counts is that a stream gives a cluster, not how it goes on behind it. */
static void test_other_streams(void)
{
    static const struct {
        const char *name;
        size_t in_bytes;
        int flush, more;        /* more: bytes of something else that the entry counts in */
        bool is_whole;
    } cases[] = {
        { "ends", CLUSTER, Z_FINISH, 0, true },
        { "with something behind it", CLUSTER, Z_FINISH, 100, true },
        { "without an end", CLUSTER, Z_SYNC_FLUSH, 0, true },
        { "of more than a cluster", CLUSTER + 64, Z_FINISH, 0, true },
        { "of less than a cluster", CLUSTER - 1, Z_FINISH, 0, false },
        { "cut off", CLUSTER, Z_FINISH, -20, false },
    };
    g_autofree uint8_t *text = make_text(2 * CLUSTER);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
        uint8_t buf[CLUSTER], stream[CLUSTER] = { 0 };
        int bytes = make_stream(text, cases[i].in_bytes, cases[i].flush, stream, sizeof(stream));
        BlockBackend *blk;

        bytes += cases[i].more;
        image_put64(d, 48, CLUSTER);
        image_put64(d, CLUSTER, qcow_entry_stream(3 * CLUSTER, bytes, 12));
        image_resize(d, 4 * CLUSTER);
        memcpy(d->data + 3 * CLUSTER, stream, (size_t)bytes);
        blk = mem_open_ok(ctx, d, NULL, 0);
        g_test_message("a stream %s", cases[i].name);
        g_assert_cmpint(blk_pread(blk, 0, CLUSTER, buf), ==, cases[i].is_whole ? 0 : -EIO);
        if (cases[i].is_whole) {
            g_assert_cmpmem(buf, CLUSTER, text, CLUSTER);
        }
        mem_close_ok(blk);
    }
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/compress/round-trip/keeps-the-bytes", test_round_trip);
    g_test_add_func("/qcow/compress/parts-of-clusters/are-refused", test_refused);
    g_test_add_func("/qcow/compress/noise/is-stored-plain", test_mixed);
    g_test_add_func("/qcow/compress/flat-but-repeating/is-compressed", test_flat_data);
    g_test_add_func("/qcow/compress/overwrites/keep-the-rest", test_overwrites);
    g_test_add_func("/qcow/compress/freed-stream/leaves-its-neighbours", test_freed_stream);
    g_test_add_func("/qcow/compress/rewritten-image/leaks-nothing", test_rewritten_image);
    g_test_add_func("/qcow/compress/stream-after-flush/begins-a-sector", test_cursor_after_flush);
    g_test_add_func("/qcow/compress/streams-of-others/are-read", test_other_streams);
    g_test_add_func("/qcow/compress/all-cluster-sizes/round-trip", test_all_cluster_sizes);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
