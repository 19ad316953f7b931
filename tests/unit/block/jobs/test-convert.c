/* SPDX-License-Identifier: MIT */
#include <cairn/job.h>

#include "io-driver.h"

typedef struct CvFixture {
    CairnContext *ctx;
    BlockBackend *source, *target;
    MemState *from, *to;
    BlockConvertOptions opts;
} CvFixture;

static void cv_open(CvFixture *f, const char *source, const char *target)
{
    *f = (CvFixture){ .ctx = mem_context() };
    f->source = mem_open_blk(f->ctx, source, 0);
    f->target = mem_open_blk(f->ctx, target, BLK_O_RDWR | BLK_O_UNMAP);
    f->from = mem_state(f->source);
    f->to = mem_state(f->target);
    f->opts = (BlockConvertOptions){ .sparse_size = 4096, .target_is_new = true };
}

static void cv_close(CvFixture *f)
{
    blk_unref(f->source);
    blk_unref(f->target);
    cairn_context_unref(f->ctx);
}

static void cv_run(CvFixture *f)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(block_convert(&f->source, 1, f->target, &f->opts, &error));
    g_assert_no_error(error);
}

static void cv_run_fails(CvFixture *f, int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(block_convert(&f->source, 1, f->target, &f->opts, &error));
    g_assert_error(error, CAIRN_ERROR, code);
    g_assert_cmpstr(error->message, ==, message);
}

/* Data, zeros and holes in stretches of random length. */
static void cv_fill(MemState *mem, guint32 seed, int granularity)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    int64_t pos = 0;

    while (pos < mem->length) {
        int64_t n = g_rand_int_range(rand, 1, 40) * granularity;
        int kind = g_rand_int_range(rand, 0, 3);

        n = MIN(n, mem->length - pos);
        if (kind == 0) {
            mem_fill(mem->data + pos, n, pos);
        } else if (kind == 1) {
            for (int64_t unit = pos / MEM_UNIT; unit < (pos + n) / MEM_UNIT; unit++) {
                mem->is_hole[unit] = true;
            }
        }
        pos += n;
    }
}

static void cv_check_equal(const CvFixture *f)
{
    g_assert_cmpmem(f->to->data, f->from->length, f->from->data, f->from->length);
}

/* ---- content -------------------------------------------------------------------- */

static void test_random(const void *opaque)
{
    const char *const *options = opaque;

    for (int seed = 0; seed < 6; seed++) {
        CvFixture f;

        cv_open(&f, options[0], options[1]);
        cv_fill(f.from, seed, seed % 2 ? 512 : 4096);
        f.from->yields = seed % 3;
        f.to->yields = (seed + 1) % 3;
        f.opts.out_of_order = seed % 2;
        f.opts.coroutines = seed;
        cv_run(&f);
        cv_check_equal(&f);
        cv_close(&f);
    }
}

/* A target that holds something else, and is longer. */
static void test_existing_target(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=1M", "driver=mem,size=2M");
    cv_fill(f.from, 5, 512);
    memset(f.to->data, 0xee, 2 * MiB);
    f.opts.target_is_new = false;
    cv_run(&f);
    cv_check_equal(&f);
    g_assert_cmpint(f.to->data[1 * MiB], ==, 0xee);
    g_assert_cmpint(f.to->data[2 * MiB - 1], ==, 0xee);
    cv_close(&f);
}

static void test_concatenation(void)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *sources[2];
    MemState *second;
    CvFixture f;

    cv_open(&f, "driver=mem,size=700", "driver=mem,size=66k");
    mem_fill(f.from->data, 700, 1);
    sources[0] = f.source;
    sources[1] = mem_open_blk(f.ctx, "driver=mem,size=65k", 0);
    second = mem_state(sources[1]);
    mem_fill(second->data, 66560, 2);
    g_assert_true(block_convert(sources, 2, f.target, &f.opts, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(f.to->data, 700, f.from->data, 700);
    g_assert_true(cairn_buffer_is_zero(f.to->data + 700, 324));
    g_assert_cmpmem(f.to->data + 1024, 66560, second->data, 66560);
    blk_unref(sources[1]);
    cv_close(&f);
}

static void test_target_too_small(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=2M", "driver=mem,size=1M");
    cv_run_fails(&f, ENOSPC, "output file is smaller than input file");
    g_assert_cmpint(f.to->writes, ==, 0);
    cv_close(&f);
}

/* ---- what is written ---------------------------------------------------------------- */

static void test_few_large_calls(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=8M", "driver=mem,size=8M");
    mem_fill(f.from->data, 8 * MiB, 3);
    cv_run(&f);
    g_assert_cmpint(f.from->reads, <=, 8);
    g_assert_cmpint(f.to->writes, <=, 8);
    cv_close(&f);
}

/* A run of zeros counts from sparse_size on. */
static void test_sparse_size(void)
{
    static const struct { int64_t sparse; int writes; } cases[] = {
        { 4096, 3 }, { 8192, 2 }, { 16384, 1 }, { 0, 1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        CvFixture f;

        cv_open(&f, "driver=mem,size=64k", "driver=mem,size=64k");
        memset(f.from->data, 1, 65536);
        memset(f.from->data + 8192, 0, 4096);
        memset(f.from->data + 32768, 0, 8192);
        f.opts.sparse_size = cases[i].sparse;
        cv_run(&f);
        cv_check_equal(&f);
        g_assert_cmpint(f.to->writes, ==, cases[i].writes);
        cv_close(&f);
    }
}

static void test_sparse_zero_writes_all(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=1M", "driver=mem,size=1M");
    for (int i = 0; i < 1024; i++) {
        f.from->is_hole[i] = true;
    }
    f.opts.sparse_size = 0;
    cv_run(&f);
    g_assert_cmpint(f.to->writes, ==, 2);
    g_assert_cmpint(f.to->zeroes, ==, 0);
    cv_close(&f);
}

/* Holes are not read; into a target that may hold something they are written as zeros. */
static void test_holes(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=1M", "driver=mem,size=1M");
    for (int i = 0; i < 2048; i++) {
        f.from->is_hole[i] = true;
    }
    cv_run(&f);
    g_assert_cmpint(f.from->reads, ==, 0);
    g_assert_cmpint(f.to->writes + f.to->zeroes, ==, 0);
    f.opts.target_is_new = false;
    cv_run(&f);
    g_assert_cmpint(f.to->zeroes, ==, 1);
    g_assert_cmpint(f.to->last_zero_flags, ==, BDRV_REQ_MAY_UNMAP);
    f.opts.target_is_zero = true;
    cv_run(&f);
    g_assert_cmpint(f.to->zeroes, ==, 1);
    cv_close(&f);
}

static void test_skip_backing(void)
{
    MemCowState *source, *target;
    CvFixture f;

    cv_open(&f, "driver=memcow,file.driver=mem,file.size=64k,backing.driver=mem,backing.size=64k",
            "driver=memcow,file.driver=mem,file.size=64k,backing.driver=mem,backing.size=64k");
    source = f.source->root->bs->opaque;
    target = f.target->root->bs->opaque;
    memset(f.from->data, 5, 65536);
    for (int i = 16; i < 32; i++) {
        source->is_allocated[i] = true;
    }
    memset(f.from->data + 12288, 0, 4096);
    f.opts.skip_backing = true;
    cv_run(&f);
    for (int i = 0; i < 128; i++) {
        g_assert_cmpint(target->is_allocated[i], ==, i >= 16 && i < 32);
    }
    g_assert_cmpmem(f.to->data + 8192, 8192, f.from->data + 8192, 8192);
    cv_close(&f);
}

static void test_compressed(void)
{
    MemCowState *target;
    CvFixture f;

    cv_open(&f, "driver=mem,size=1022k", "driver=memcow,file.driver=mem,file.size=1022k");
    target = f.target->root->bs->opaque;
    cv_fill(f.from, 9, 512);
    memset(f.from->data + 8192, 0, 8192);
    f.from->data[1020 * 1024] = 1;
    f.opts.compressed = true;
    cv_run(&f);
    cv_check_equal(&f);
    g_assert_cmpint(target->compressed, >, 10);
    g_assert_cmpint(target->compressed, ==, f.to->writes);
    g_assert_false(target->is_allocated[16]);
    cv_close(&f);
}

static void test_compressed_refused(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=1M", "driver=mem,size=1M");
    f.opts.compressed = true;
    cv_run_fails(&f, ENOTSUP, "Compression not supported for this file format");
    cv_close(&f);
}

/* ---- errors ---------------------------------------------------------------------------- */

static void test_read_error(void)
{
    MemCowState *source;
    CvFixture f;

    /* the format's status comes from its own table, so only the read fails */
    cv_open(&f, "driver=memcow,file.driver=mem,file.size=4M", "driver=mem,size=4M");
    source = f.source->root->bs->opaque;
    memset(source->is_allocated, true, 8192 * sizeof(bool));
    mem_fill(f.from->data, 4 * MiB, 4);
    f.from->yields = 1;
    f.from->fail = EIO;
    f.from->fail_offset = 2 * MiB + 5000;
    cv_run_fails(&f, EIO, "error while reading at byte 2101760: Input/output error");
    f.from->fail = 0;
    cv_close(&f);
}

static void test_status_error(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    f.from->fail = EIO;
    cv_run_fails(&f, EIO,
                 "error while reading block status at offset 0: Input/output error");
    f.from->fail = 0;
    cv_close(&f);
}

static void test_write_error(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=4M", "driver=mem,size=4M");
    mem_fill(f.from->data, 4 * MiB, 4);
    f.to->yields = 2;
    f.to->fail = ENOSPC;
    f.to->fail_offset = 2 * MiB;
    cv_run_fails(&f, ENOSPC, "error while writing at byte 2097152: No space left on device");
    f.to->fail = 0;
    cv_close(&f);
}

static void cv_count_error(int64_t offset, int err, void *opaque)
{
    g_assert_cmpint(offset, ==, 1 * MiB + 512);
    g_assert_cmpint(err, ==, EIO);
    (*(int *)opaque)++;
}

static void test_salvage(void)
{
    int errors = 0;
    CvFixture f;

    cv_open(&f, "driver=mem,size=2M", "driver=mem,size=2M");
    mem_fill(f.from->data, 2 * MiB, 4);
    f.from->fail = EIO;
    f.from->fail_offset = 1 * MiB + 600;
    f.opts.salvage = true;
    f.opts.on_read_error = cv_count_error;
    f.opts.opaque = &errors;
    cv_run(&f);
    g_assert_cmpint(errors, ==, 1);
    memset(f.from->data + 1 * MiB + 512, 0, 512);
    cv_check_equal(&f);
    f.from->fail = 0;
    cv_close(&f);
}

/* A source whose file was cut off: the copy is made, and said to be incomplete. */
static void test_lost(void)
{
    MemCowState *source;
    CvFixture f;

    cv_open(&f, "driver=memcow,file.driver=mem,file.size=64k", "driver=mem,size=64k");
    source = f.source->root->bs->opaque;
    source->is_allocated[0] = source->is_allocated[127] = true;
    source->lost_from = 512;
    f.from->data[0] = f.from->data[65535] = 1;
    cv_run_fails(&f, EIO, "64512 bytes of guest data lie past the end of the source's file, the "
                 "first at byte 512; they were copied as if never written");
    cv_check_equal(&f);
    f.opts.salvage = true;
    cv_run(&f);
    cv_close(&f);
}

/* ---- progress -------------------------------------------------------------------------------- */

static bool cv_progress(int64_t done, int64_t total, void *opaque)
{
    int64_t *last = opaque;

    g_assert_cmpint(total, ==, 8 * MiB);
    g_assert_cmpint(done, >, *last);
    g_assert_cmpint(done, <=, total);
    *last = done;
    return true;
}

static void test_progress(void)
{
    int64_t last = 0;
    CvFixture f;

    cv_open(&f, "driver=mem,size=8M", "driver=mem,size=8M");
    cv_fill(f.from, 1, 4096);
    f.opts.progress = cv_progress;
    f.opts.opaque = &last;
    cv_run(&f);
    g_assert_cmpint(last, ==, 8 * MiB);
    cv_close(&f);
}

static bool cv_cancel(int64_t done, int64_t total, void *opaque)
{
    return done < 2 * MiB;
}

static void test_cancel(void)
{
    CvFixture f;

    cv_open(&f, "driver=mem,size=32M", "driver=mem,size=32M");
    mem_fill(f.from->data, 32 * MiB, 1);
    f.opts.progress = cv_cancel;
    cv_run_fails(&f, ECANCELED, "the copy was cancelled");
    g_assert_cmpint(f.to->writes, <, 32);
    cv_close(&f);
}

int main(int argc, char **argv)
{
    static const char *const shapes[][3] = {
        { "mem-to-mem", "driver=mem,size=3M", "driver=mem,size=3M" },
        { "align-4096", "driver=mem,size=3000k,align=4096", "driver=mem,size=3000k,align=4096" },
        { "odd-length", "driver=mem,size=1000001", "driver=mem,size=1000448" },
        { "to-format", "driver=mem,size=3M", "driver=memcow,file.driver=mem,file.size=3M" },
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        g_autofree char *path = g_strdup_printf("/convert/random/%s/is-equal", shapes[i][0]);

        g_test_add_data_func(path, &shapes[i][1], test_random);
    }
    g_test_add_func("/convert/existing-target/zeros-are-written-rest-is-kept",
                    test_existing_target);
    g_test_add_func("/convert/two-sources/are-concatenated", test_concatenation);
    g_test_add_func("/convert/small-target/is-refused", test_target_too_small);
    g_test_add_func("/convert/data/goes-in-large-calls", test_few_large_calls);
    g_test_add_func("/convert/sparse-size/is-the-shortest-run-left-out", test_sparse_size);
    g_test_add_func("/convert/sparse-size-0/writes-zeros-too", test_sparse_zero_writes_all);
    g_test_add_func("/convert/holes/are-not-read", test_holes);
    g_test_add_func("/convert/skip-backing/only-the-top-layer-is-copied", test_skip_backing);
    g_test_add_func("/convert/compressed/whole-clusters-without-empty-ones", test_compressed);
    g_test_add_func("/convert/compressed/unsupported-is-refused", test_compressed_refused);
    g_test_add_func("/convert/read-error/names-the-byte", test_read_error);
    g_test_add_func("/convert/status-error/names-the-offset", test_status_error);
    g_test_add_func("/convert/write-error/names-the-byte", test_write_error);
    g_test_add_func("/convert/salvage/bad-sectors-become-zeros", test_salvage);
    g_test_add_func("/convert/lost-data/is-counted", test_lost);
    g_test_add_func("/convert/progress/grows-to-the-total", test_progress);
    g_test_add_func("/convert/progress/false-cancels", test_cancel);
    return g_test_run();
}
