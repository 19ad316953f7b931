/* SPDX-License-Identifier: MIT */
/* What a guest may not write into the first sector of a disk whose format was guessed to be raw. */
#include "io-driver.h"

static const struct {
    const char *name;
    int offset;
    const char *bytes;
    int length;
} pg_magics[] = {
    { "qcow", 0, "QFI\xfb\0\0\0\1", 8 },
    { "qcow2", 0, "QFI\xfb\0\0\0\3", 8 },
    { "qed", 0, "QED\0", 4 },
    { "vmdk", 0, "KDMV", 4 },
    { "vmdk", 0, "COWD", 4 },
    { "vmdk", 0, "# Disk DescriptorFile", 21 },
    { "vdi", 64, "\x7f\x10\xda\xbe", 4 },
    { "vhdx", 0, "vhdxfile", 8 },
    { "vpc", 0, "conectix", 8 },
    { "parallels", 0, "WithoutFreeSpace", 16 },
    { "parallels", 0, "WithouFreSpacExt", 16 },
    { "bochs", 0, "Bochs Virtual HD Image", 22 },
    { "cloop", 0, "#!/bin/sh\n#V2.0 Format\n", 23 },
    { "dmg", 0, "koly", 4 },
    { "luks", 0, "LUKS\xba\xbe", 6 },
};

typedef struct PgFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;
} PgFixture;

static void pg_open(PgFixture *f, const char *options, int flags)
{
    f->ctx = mem_context();
    f->blk = mem_open_blk(f->ctx, options, BLK_O_RDWR | flags);
    f->mem = mem_state(f->blk);
    g_assert_cmpstr(blk_get_format(f->blk), ==, "raw");
}

static void pg_close(PgFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

/* Each magic, by a write that begins and ends anywhere around it. */
static void test_every_magic(const void *options)
{
    PgFixture f;

    pg_open(&f, options, BLK_O_PROBE);
    for (size_t i = 0; i < G_N_ELEMENTS(pg_magics); i++) {
        for (int start = 0; start <= pg_magics[i].offset; start += 16) {
            uint8_t buf[1024] = {0};
            int at = pg_magics[i].offset - start;

            memcpy(buf + at, pg_magics[i].bytes, pg_magics[i].length);
            g_assert_cmpint(blk_pwrite(f.blk, start, at + pg_magics[i].length, buf, 0), ==,
                            -EPERM);
            g_assert_cmpint(blk_pwrite(f.blk, start, sizeof(buf), buf, 0), ==, -EPERM);
        }
    }
    g_assert_cmpint(f.mem->writes, ==, 0);
    g_assert_true(cairn_buffer_is_zero(f.mem->data, 4096));
    pg_close(&f);
}

/*
 * The disk holds all of a magic but the bytes of [@from, @to), and a write of just these is refused.
 */
static void pg_try_gap(PgFixture *f, int magic, int from, int to)
{
    const char *bytes = pg_magics[magic].bytes;
    int offset = pg_magics[magic].offset, length = pg_magics[magic].length;
    g_autofree uint8_t *before = NULL;

    memset(f->mem->data, 0x55, 512);
    memcpy(f->mem->data + offset, bytes, length);
    memset(f->mem->data + offset + from, 0x55, to - from);
    before = g_memdup2(f->mem->data, 4096);
    g_assert_cmpint(blk_pwrite(f->blk, offset + from, to - from, bytes + from, 0), ==, -EPERM);
    g_assert_cmpmem(f->mem->data, 4096, before, 4096);
}

static void test_every_gap(const void *options)
{
    PgFixture f;

    pg_open(&f, options, BLK_O_PROBE);
    for (int i = 0; i < (int)G_N_ELEMENTS(pg_magics); i++) {
        /* what begins with the first four bytes is some version of qcow */
        int length = g_str_has_prefix(pg_magics[i].name, "qcow") ? 4 : pg_magics[i].length;

        for (int from = 0; from < length; from++) {
            for (int to = from + 1; to <= length; to++) {
                pg_try_gap(&f, i, from, to);
            }
        }
    }
    g_assert_cmpint(f.mem->writes, ==, 0);
    pg_close(&f);
}

/* Byte by byte: the last one is refused, those before stay. */
static void test_pieces(void)
{
    PgFixture f;

    pg_open(&f, "file.driver=mem,file.size=1M", BLK_O_PROBE);
    for (int i = 7; i > 0; i--) {
        g_assert_cmpint(blk_pwrite(f.blk, i, 1, &pg_magics[0].bytes[i], 0), ==, 0);
    }
    g_assert_cmpint(blk_pwrite(f.blk, 0, 1, &pg_magics[0].bytes[0], 0), ==, -EPERM);
    g_assert_cmpint(f.mem->data[0], ==, 0);
    g_assert_cmpmem(f.mem->data + 1, 7, pg_magics[0].bytes + 1, 7);
    pg_close(&f);
}

static void test_harmless(void)
{
    uint8_t buf[1024];
    PgFixture f;

    memset(buf, 0x55, sizeof(buf));
    pg_open(&f, "file.driver=mem,file.size=1M", BLK_O_PROBE);
    g_assert_cmpint(blk_pwrite(f.blk, 0, sizeof(buf), buf, 0), ==, 0);
    memcpy(buf, pg_magics[0].bytes, 8);
    g_assert_cmpint(blk_pwrite(f.blk, 512, sizeof(buf), buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(f.blk, 1, 100, buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, 0), ==, 0);
    pg_close(&f);
}

/* Zeros may complete a magic too: "QED\0". */
static void test_zeroes(void)
{
    PgFixture f;

    pg_open(&f, "file.driver=mem,file.size=1M", BLK_O_PROBE);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 4, "QEDx", 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 3, 1, 0), ==, -EPERM);
    g_assert_cmpint(f.mem->data[3], ==, 'x');
    pg_close(&f);
}

static void test_named(void)
{
    PgFixture f;

    pg_open(&f, "driver=raw,file.driver=mem,file.size=1M", 0);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 8, pg_magics[0].bytes, 0), ==, 0);
    pg_close(&f);
}

/* ---- two halves at once ------------------------------------------------------------- */

typedef struct PgHalf {
    BlockBackend *blk;
    int offset;
    int ret;
    int *running;
} PgHalf;

static void coroutine_fn pg_write_half(void *opaque)
{
    PgHalf *h = opaque;

    h->ret = blk_co_pwrite(h->blk, h->offset, 4, pg_magics[0].bytes + h->offset, 0);
    --*h->running;
}

static void test_halves(void)
{
    PgHalf halves[2];
    int running = 2;
    PgFixture f;

    pg_open(&f, "file.driver=mem,file.size=1M", BLK_O_PROBE);
    f.mem->yields = 2;
    for (int i = 0; i < 2; i++) {
        halves[i] = (PgHalf){ .blk = f.blk, .offset = 4 - 4 * i, .running = &running };
        coroutine_enter(coroutine_create(pg_write_half, &halves[i]));
    }
    while (running) {
        aio_context_poll(aio_context_ensure(), true);
    }
    g_assert_cmpint(halves[0].ret, ==, 0);
    g_assert_cmpint(halves[1].ret, ==, -EPERM);
    g_assert_cmpint(f.blk->root->bs->priv->serialising, ==, 0);
    pg_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/probe-guard/every-magic/is-refused",
                         "file.driver=mem,file.size=1M", test_every_magic);
    g_test_add_data_func("/probe-guard/every-magic-align-512/is-refused",
                         "file.driver=mem,file.size=1M,file.align=512", test_every_magic);
    g_test_add_data_func("/probe-guard/every-gap-of-a-magic/is-not-filled",
                         "file.driver=mem,file.size=1M", test_every_gap);
    g_test_add_data_func("/probe-guard/every-gap-of-a-magic-align-512/is-not-filled",
                         "file.driver=mem,file.size=1M,file.align=512", test_every_gap);
    g_test_add_func("/probe-guard/pieces/last-one-is-refused", test_pieces);
    g_test_add_func("/probe-guard/harmless-data/is-written", test_harmless);
    g_test_add_func("/probe-guard/zeros-that-complete-a-magic/are-refused", test_zeroes);
    g_test_add_func("/probe-guard/named-format/is-free", test_named);
    g_test_add_func("/probe-guard/two-halves-at-once/one-is-refused", test_halves);
    return g_test_run();
}
