/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

typedef struct StFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;
} StFixture;

static void st_open(StFixture *f, const char *options)
{
    f->ctx = mem_context();
    f->blk = mem_open_blk(f->ctx, options, BLK_O_RDWR);
    f->mem = mem_state(f->blk);
}

static void st_close(StFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

static MemCowState *st_cow(BlockDriverState *bs)
{
    return bs->opaque;
}

static void st_mark(bool *units, int64_t offset, int64_t bytes)
{
    for (int64_t pos = offset; pos < offset + bytes; pos += MEM_UNIT) {
        units[pos / MEM_UNIT] = true;
    }
}

#define ST_KINDS (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_EOF)

static void st_expect(BlockBackend *blk, bool chain, int64_t offset, int64_t bytes, int flags,
                      int64_t run, int depth)
{
    BlockStatus status;
    int ret = chain ? blk_block_status_chain(blk, offset, bytes, &status)
                    : blk_block_status(blk, offset, bytes, &status);

    g_assert_cmpint(ret, ==, 0);
    g_assert_cmphex(status.flags & ST_KINDS, ==, flags);
    g_assert_cmpint(status.bytes, ==, run);
    g_assert_cmpint(status.depth, ==, depth);
}

/* ---- one node --------------------------------------------------------------- */

static void test_runs(void)
{
    const int data = BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED;
    const int zero = BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED;
    BlockStatus status;
    StFixture f;

    st_open(&f, "driver=mem,size=64k");
    st_mark(f.mem->is_hole, 4096, 8192);
    st_expect(f.blk, false, 0, 65536, data, 4096, 0);
    st_expect(f.blk, false, 0, 100, data, 100, 0);
    st_expect(f.blk, false, 4096, 65536, zero, 8192, 0);
    st_expect(f.blk, false, 12288, 1 * MiB, data | BDRV_BLOCK_EOF, 53248, 0);
    g_assert_cmpint(blk_block_status(f.blk, 4608, 512, &status), ==, 0);
    g_assert_cmpint(status.host_offset, ==, 4608);
    g_assert_nonnull(status.filename);
    st_close(&f);
}

static void test_ends(void)
{
    BlockStatus status;
    StFixture f;

    st_open(&f, "driver=mem,size=64k");
    st_expect(f.blk, false, 65536, 512, BDRV_BLOCK_EOF, 0, 0);
    st_expect(f.blk, true, 65536, 512, BDRV_BLOCK_EOF, 0, 0);
    g_assert_cmpint(blk_block_status(f.blk, 65537, 512, &status), ==, -EINVAL);
    g_assert_cmpint(blk_block_status(f.blk, -1, 512, &status), ==, -EINVAL);
    g_assert_cmpint(blk_block_status_chain(f.blk, 65537, 512, &status), ==, -EINVAL);
    f.mem->fail = EIO;
    g_assert_cmpint(blk_block_status(f.blk, 0, 512, &status), ==, -EIO);
    f.mem->fail = 0;
    st_close(&f);
}

static void test_padding(void)
{
    StFixture f;

    st_open(&f, "driver=mem,size=700");
    st_expect(f.blk, true, 0, 1024, BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED, 700, 0);
    st_expect(f.blk, true, 700, 1024, BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_EOF,
              324, 0);
    st_close(&f);
}

static void test_alignment(void)
{
    StFixture f;

    st_open(&f, "driver=mem,size=64k,align=4096");
    st_mark(f.mem->is_hole, 0, 4096);
    st_expect(f.blk, false, 1000, 10, BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED, 10, 0);
    st_expect(f.blk, false, 1000, 65536 - 1000, BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED, 3096, 0);
    st_close(&f);
}

/* ---- backing files ------------------------------------------------------------- */

static void test_no_backing(void)
{
    StFixture f;

    st_open(&f, "driver=memcow,file.driver=mem,file.size=64k");
    st_mark(st_cow(f.blk->root->bs)->is_allocated, 4096, 4096);
    st_expect(f.blk, false, 0, 65536, BDRV_BLOCK_ZERO, 4096, 0);
    st_expect(f.blk, false, 4096, 65536, BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED, 4096, 0);
    st_expect(f.blk, true, 8192, 65536, BDRV_BLOCK_ZERO | BDRV_BLOCK_EOF, 57344, 0);
    st_close(&f);
}

#define ST_TWO_LAYERS "driver=memcow,file.driver=mem,file.size=64k,"                          \
                      "backing.driver=memcow,backing.file.driver=mem,backing.file.size=32k"

static void test_two_layers(void)
{
    const int data = BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED;
    StFixture f;

    st_open(&f, ST_TWO_LAYERS);
    st_mark(st_cow(f.blk->root->bs)->is_allocated, 0, 4096);
    st_mark(st_cow(f.blk->root->bs->backing->bs)->is_allocated, 4096, 8192);
    /*
     * what the top holds; what the lower one holds; what neither does, but the lower one covers;
     * the rest
     */
    st_expect(f.blk, true, 0, 65536, data, 4096, 0);
    st_expect(f.blk, true, 4096, 65536 - 4096, data, 8192, 1);
    st_expect(f.blk, true, 12288, 65536 - 12288, BDRV_BLOCK_ZERO, 20480, 1);
    st_expect(f.blk, true, 32768, 32768, BDRV_BLOCK_ZERO | BDRV_BLOCK_EOF, 32768, 0);
    /* the top layer alone: what it leaves to the backing file is neither */
    st_expect(f.blk, false, 4096, 65536 - 4096, BDRV_BLOCK_EOF, 61440, 0);
    st_close(&f);
}

/* Everything that status calls zero reads as zeros, and what it does not was put there. */
static void test_reads_agree(void)
{
    g_autofree uint8_t *buf = g_malloc(65536);
    int64_t pos = 0;
    StFixture f;

    st_open(&f, ST_TWO_LAYERS);
    mem_fill(f.mem->data, 65536, 1);
    memset(((MemState *)f.blk->root->bs->backing->bs->file->bs->opaque)->data, 0x77, 32768);
    st_mark(st_cow(f.blk->root->bs)->is_allocated, 512, 1024);
    st_mark(st_cow(f.blk->root->bs)->is_allocated, 60000 / 512 * 512, 1024);
    st_mark(st_cow(f.blk->root->bs->backing->bs)->is_allocated, 8192, 9216);
    while (pos < 65536) {
        BlockStatus status;

        g_assert_cmpint(blk_block_status_chain(f.blk, pos, 65536 - pos, &status), ==, 0);
        g_assert_cmpint(status.bytes, >, 0);
        g_assert_cmpint(blk_pread(f.blk, pos, status.bytes, buf), ==, 0);
        g_assert_true(cairn_buffer_is_zero(buf, status.bytes)
                      == !!(status.flags & BDRV_BLOCK_ZERO));
        if (!(status.flags & BDRV_BLOCK_ZERO)) {
            g_assert_cmpint(buf[0] == 0x77, ==, status.depth == 1);
        }
        pos += status.bytes;
    }
    st_close(&f);
}

static void test_error_below(void)
{
    BlockStatus status;
    StFixture f;

    st_open(&f, "driver=memcow,file.driver=mem,file.size=64k,backing.driver=mem,backing.size=32k");
    ((MemState *)f.blk->root->bs->backing->bs->opaque)->fail = EIO;
    g_assert_cmpint(blk_block_status_chain(f.blk, 0, 65536, &status), ==, -EIO);
    st_expect(f.blk, true, 32768, 32768, BDRV_BLOCK_ZERO | BDRV_BLOCK_EOF, 32768, 0);
    st_close(&f);
}

/* What a format holds may be a hole of its file: a hint, where it asks for one. */
static void test_holes_of_the_file(void)
{
    const int data = BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED;
    BlockStatus status;
    StFixture f;
    MemState *file;

    st_open(&f, "driver=memcow,file.driver=mem,file.size=64k");
    file = f.blk->root->bs->file->bs->opaque;
    st_mark(st_cow(f.blk->root->bs)->is_allocated, 0, 65536);
    st_mark(file->is_hole, 4096, 8192);
    st_mark(file->is_hole, 61440, 4096);
    st_expect(f.blk, false, 0, 65536, data | BDRV_BLOCK_EOF, 65536, 0);

    st_cow(f.blk->root->bs)->may_have_holes = true;
    st_expect(f.blk, false, 0, 65536, data, 4096, 0);
    st_expect(f.blk, false, 4096, 61440, data | BDRV_BLOCK_ZERO, 8192, 0);
    st_expect(f.blk, true, 12288, 53248, data, 49152, 0);
    st_expect(f.blk, true, 61440, 4096, data | BDRV_BLOCK_ZERO | BDRV_BLOCK_EOF, 4096, 0);
    g_assert_cmpint(blk_block_status(f.blk, 4096, 4096, &status), ==, 0);
    g_assert_cmpint(status.host_offset, ==, 4096);

    file->fail = EIO;
    st_expect(f.blk, false, 4096, 61440, data | BDRV_BLOCK_EOF, 61440, 0);
    st_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/status/runs/are-clamped-and-placed", test_runs);
    g_test_add_func("/status/end/is-empty-and-beyond-is-einval", test_ends);
    g_test_add_func("/status/padding-of-a-short-file/is-zero", test_padding);
    g_test_add_func("/status/alignment/driver-sees-whole-blocks", test_alignment);
    g_test_add_func("/status/no-backing/unallocated-is-zero", test_no_backing);
    g_test_add_func("/status/two-layers/depth-is-the-lowest-that-covers", test_two_layers);
    g_test_add_func("/status/two-layers/reads-agree", test_reads_agree);
    g_test_add_func("/status/error-below/is-reported-where-it-matters", test_error_below);
    g_test_add_func("/status/holes-of-the-file/are-told-as-zeros", test_holes_of_the_file);
    return g_test_run();
}
