/* SPDX-License-Identifier: MIT */
/* preallocate: a file that is extended ahead of what is appended, and nobody sees it. */
#include "io-driver.h"

#include <glib/gstdio.h>

/* "tail": a format that writes where it is told to, also past the end of its file. */
static bool tail_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_IMAGE, error);
}

static int64_t coroutine_fn tail_co_getlength(BlockDriverState *bs)
{
    return 32 * MiB;
}

static int coroutine_fn tail_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    int64_t length = ROUND_UP_TO(bdrv_co_getlength(bs->file), 512);
    int64_t n = CLAMP(length - offset, 0, bytes);
    g_auto(IOVector) part = {0};

    io_vector_memset(iov, n, 0, bytes - n);
    io_vector_slice(&part, iov, 0, n);
    return n ? bdrv_co_preadv(bs->file, offset, n, &part, 0) : 0;
}

static int coroutine_fn tail_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        const IOVector *iov, int flags)
{
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, 0);
}

static int coroutine_fn tail_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                              int flags)
{
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static bool coroutine_fn tail_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                          PreallocMode prealloc, GError **error)
{
    return bdrv_co_truncate(bs->file, bytes, exact, prealloc, error);
}

static const BlockDriver bdrv_tail = {
    .format_name = "tail", .is_format = true, .bdrv_open = tail_open,
    .bdrv_co_getlength = tail_co_getlength, .bdrv_co_preadv = tail_co_preadv,
    .bdrv_co_pwritev = tail_co_pwritev, .bdrv_co_pwrite_zeroes = tail_co_pwrite_zeroes,
    .bdrv_co_truncate = tail_co_truncate,
};

/* "full": a filter below which zeros find space only every second time. */
static int coroutine_fn full_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                              int flags)
{
    return g_atomic_int_add((gint *)bs->opaque, 1) % 2
        ? bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags) : -ENOSPC;
}

static bool full_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    bs->supported_zero_flags = BDRV_REQ_NO_FALLBACK;
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static const BlockDriver bdrv_full = {
    .format_name = "full", .instance_size = sizeof(gint), .is_filter = true, .bdrv_open = full_open,
    .bdrv_co_pwrite_zeroes = full_co_pwrite_zeroes,
};

/* ---- the stack --------------------------------------------------------------------- */

typedef struct PrFixture {
    CairnContext *ctx;
    BlockBackend *keep;         /* keeps the memory when the stack is closed */
    BlockBackend *blk;
    MemState *mem;
} PrFixture;

#define MEM "driver=mem,node-name=mem,read-only=off,size=1000"
#define STACK "driver=tail,file.driver=preallocate,file.node-name=pre,file.file=mem," \
    "file.prealloc-size=1M,file.prealloc-align=64k"

static void pr_init(PrFixture *f, const char *mem)
{
    *f = (PrFixture){ .ctx = mem_context() };
    g_assert_true(bdrv_register(f->ctx, &bdrv_tail, NULL));
    g_assert_true(bdrv_register(f->ctx, &bdrv_full, NULL));
    f->keep = mem_open_blk(f->ctx, mem, BLK_O_SHARE_WRITE);
    f->mem = bdrv_find_node(f->ctx, "mem")->opaque;
}

static void pr_open(PrFixture *f, const char *mem, const char *options)
{
    pr_init(f, mem);
    f->blk = mem_open_blk(f->ctx, options, BLK_O_RDWR);
}

static void pr_close(PrFixture *f)
{
    blk_unref(f->blk);
    blk_unref(f->keep);
    cairn_context_unref(f->ctx);
}

static int pr_write(PrFixture *f, int64_t offset, int64_t bytes, int byte)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, byte, bytes);
    return blk_pwrite(f->blk, offset, bytes, buf, 0);
}

/* As those see it who use the filter. */
static int64_t pr_length(PrFixture *f)
{
    return bdrv_getlength(f->blk->root->bs->file);
}

static void pr_reopen(PrFixture *f, const char *key, const char *value, const char *message)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(options, key, value);
    g_assert_cmpint(blk_reopen(f->blk, options, &error), ==, !message);
    if (message) {
        g_assert_cmpstr(error->message, ==, message);
    }
}

/* ---- extending ---------------------------------------------------------------------------- */

static void test_ahead(void)
{
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(pr_length(&f), ==, 1000);
    g_assert_cmpint(pr_write(&f, 0, 1000, 1), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 1000);           /* nothing appended */
    g_assert_cmpint(pr_write(&f, 1000, 1000, 2), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);     /* 2000 and a MiB, rounded up */
    g_assert_cmpint(pr_length(&f), ==, 2000);
    g_assert_cmpint(pr_write(&f, 65536, 65536, 3), ==, 0);
    g_assert_cmpint(pr_write(&f, 10 * 65536, 7 * 65536, 4), ==, 0);
    g_assert_cmpint(f.mem->zeroes, ==, 1);              /* there was room */
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);
    g_assert_cmpint(pr_length(&f), ==, 17 * 65536);
    g_assert_cmpint(pr_write(&f, 17 * 65536, 1, 5), ==, 0);
    g_assert_cmpint(f.mem->zeroes, ==, 2);
    g_assert_cmpint(f.mem->length, ==, 34 * 65536);     /* 17 * 64k + 1 + 1M, rounded up */
    g_assert_cmpint(pr_length(&f), ==, 17 * 65536 + 1);
    g_assert_cmpint(f.mem->data[999], ==, 1);
    g_assert_cmpint(f.mem->data[1000], ==, 2);
    g_assert_true(cairn_buffer_is_zero(f.mem->data + 2000, 65536 - 2000));
    g_assert_cmpint(f.mem->data[17 * 65536 - 1], ==, 4);
    g_assert_cmpint(f.mem->data[17 * 65536], ==, 5);
    pr_close(&f);
}

/* Zeros that users write past the end count as data. */
static void test_zeroes(void)
{
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 4096, 4096, 0), ==, 0);
    g_assert_cmpint(pr_length(&f), ==, 8192);
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);
    g_clear_pointer(&f.blk, blk_unref);
    g_assert_cmpint(f.mem->length, ==, 8192);
    pr_close(&f);
}

static void test_past_the_data(void)
{
    uint8_t buf[1024], zeros[1024] = { 0 };
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(pr_write(&f, 1000, 100, 1), ==, 0);
    memset(f.mem->data + 1100, 0x77, 100);      /* as a write leaves it that failed half way */
    memset(buf, 1, sizeof(buf));
    g_assert_cmpint(blk_pread(f.blk, 1100, 436, buf), ==, 0);
    g_assert_cmpmem(buf, 436, zeros, 436);
    pr_close(&f);
}

/* ---- cutting off ------------------------------------------------------------------------- */

static void test_close(void)
{
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(pr_write(&f, 5000, 1000, 2), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);     /* a flush leaves the room */
    g_clear_pointer(&f.blk, blk_unref);
    g_assert_cmpint(f.mem->length, ==, 6000);
    g_assert_cmpint(f.mem->data[5999], ==, 2);
    pr_close(&f);
}

static void test_read_only(void)
{
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(pr_write(&f, 5000, 1000, 2), ==, 0);
    pr_reopen(&f, "read-only", "on", NULL);
    g_assert_cmpint(f.mem->length, ==, 6000);
    g_assert_cmpint(pr_length(&f), ==, 6000);
    pr_reopen(&f, "read-only", "off", NULL);
    g_assert_cmpint(pr_write(&f, 6000, 1000, 3), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);
    g_clear_pointer(&f.blk, blk_unref);
    g_assert_cmpint(f.mem->length, ==, 7000);
    pr_close(&f);
}

/* ---- what fails -------------------------------------------------------------------------- */

/* A file system that cannot: everything else as ever. */
static void assert_plain(PrFixture *f)
{
    for (int i = 0; i < 5; i++) {
        g_assert_cmpint(pr_write(f, 1000 + i * 1000, 1000, 1 + i), ==, 0);
        g_assert_cmpint(pr_length(f), ==, 2000 + i * 1000);
        g_assert_cmpint(f->mem->length, ==, 2000 + i * 1000);
    }
    g_assert_cmpint(pr_write(f, 20000, 1000, 9), ==, 0);
    g_assert_cmpint(pr_length(f), ==, 21000);
    for (int i = 0; i < 5000; i++) {
        g_assert_cmpint(f->mem->data[1000 + i], ==, 1 + i / 1000);
    }
    g_assert_true(cairn_buffer_is_zero(f->mem->data + 6000, 14000));
    g_clear_pointer(&f->blk, blk_unref);
    g_assert_cmpint(f->mem->length, ==, 21000);
}

static void test_not_supported(void)
{
    PrFixture f;

    pr_open(&f, MEM ",no-zeroes=on", STACK);
    assert_plain(&f);
    pr_close(&f);
}

static void test_no_space(void)
{
    PrFixture f;

    pr_open(&f, MEM, "driver=tail,file.driver=preallocate,file.node-name=pre,"
            "file.file.driver=full,file.file.file=mem,file.prealloc-size=1M");
    assert_plain(&f);
    pr_close(&f);
}

static void test_failed_write(void)
{
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(pr_write(&f, 1000, 1000, 1), ==, 0);
    f.mem->fail = EIO;
    g_assert_cmpint(pr_write(&f, 2000, 1000, 2), ==, -EIO);
    f.mem->fail = 0;
    g_assert_cmpint(pr_length(&f), ==, 2000);
    g_clear_pointer(&f.blk, blk_unref);
    g_assert_cmpint(f.mem->length, ==, 2000);
    pr_close(&f);
}

static void test_refusals(void)
{
    static const struct {
        const char *options, *message;
    } cases[] = {
        { "driver=preallocate", "A block device must be specified for \"file\"" },
        { STACK ",file.prealloc-align=1000", "prealloc-align parameter of preallocate filter is "
          "not aligned to 512" },
        { STACK ",file.prealloc-align=1", "prealloc-align parameter of preallocate filter is not "
          "aligned to 512" },
        { STACK ",file.prealloc-size=-1", "Parameter 'prealloc-size' expects a non-negative number "
          "below 2^64" },
        { STACK ",file.bogus=1", "Block format 'preallocate' does not support the option 'bogus'" },
    };
    PrFixture f;

    pr_init(&f, MEM);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_null(blk_open_opts(f.ctx, cases[i].options, BLK_O_RDWR, &error));
        lines = g_strsplit(error->message, "\n", 2);
        g_assert_cmpstr(lines[0], ==, cases[i].message);
    }
    pr_close(&f);
}

/* Sizes that no file has are no harm. */
static void test_huge(void)
{
    PrFixture f;

    pr_open(&f, MEM, "driver=tail,file.driver=preallocate,file.node-name=pre,"
            "file.file.driver=full,file.file.file=mem,file.prealloc-size=15E,"
            "file.prealloc-align=8E");
    assert_plain(&f);
    pr_close(&f);
}

static void test_permissions(void)
{
    g_autoptr(GError) error = NULL;
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_null(blk_open_opts(f.ctx, "mem", BLK_O_RDWR | BLK_O_SHARE_WRITE, &error));
    g_assert_error(error, CAIRN_ERROR, EPERM);
    pr_close(&f);
}

/* ---- other lengths ----------------------------------------------------------------------- */

static void test_truncate(void)
{
    g_autoptr(GError) error = NULL;
    PrFixture f;

    pr_open(&f, MEM, STACK);
    g_assert_cmpint(pr_write(&f, 1000, 1000, 1), ==, 0);
    g_assert_true(blk_truncate(f.blk, 50000, PREALLOC_MODE_OFF, &error));
    g_assert_cmpint(f.mem->length, ==, 17 * 65536);     /* in the room */
    g_assert_cmpint(pr_length(&f), ==, 50000);
    g_assert_true(blk_truncate(f.blk, 2 * MiB, PREALLOC_MODE_OFF, &error));
    g_assert_cmpint(f.mem->length, ==, 2 * MiB);
    g_assert_cmpint(pr_write(&f, 2 * MiB, 1, 1), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 3 * MiB + 65536);
    g_assert_true(blk_truncate(f.blk, 2 * MiB + 2, PREALLOC_MODE_FULL, &error));
    g_assert_cmpint(f.mem->length, ==, 2 * MiB + 2);    /* cut first, then made anew */
    g_assert_cmpint(pr_write(&f, 2 * MiB + 2, 1, 1), ==, 0);
    g_assert_true(blk_truncate(f.blk, 1500, PREALLOC_MODE_OFF, &error));
    g_assert_cmpint(f.mem->length, ==, 1500);
    g_assert_cmpint(pr_length(&f), ==, 1500);
    g_assert_cmpint(pr_write(&f, 3000, 10, 1), ==, 0);
    g_assert_true(cairn_buffer_is_zero(f.mem->data + 1500, 1500));
    g_assert_cmpint(pr_length(&f), ==, 3010);
    pr_close(&f);
}

static void test_reopen_options(void)
{
    PrFixture f;

    pr_open(&f, MEM, STACK);
    pr_reopen(&f, "file.prealloc-align", "1000",
              "prealloc-align parameter of preallocate filter is not aligned to 512");
    pr_reopen(&f, "file.prealloc-size", "64k", NULL);
    g_assert_cmpint(pr_write(&f, 1000, 1, 1), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 2 * 65536);
    pr_reopen(&f, "file.prealloc-align", "1M", NULL);
    g_assert_cmpint(pr_write(&f, 2 * 65536, 1, 1), ==, 0);
    g_assert_cmpint(f.mem->length, ==, MiB);
    pr_close(&f);
}

/* On blocks of 4096 bytes the room begins, and ends, with one. */
static void test_blocks(void)
{
    PrFixture f;

    pr_open(&f, MEM ",align=4096", STACK ",file.prealloc-align=512,file.prealloc-size=10000");
    g_assert_cmpint(pr_write(&f, 1000, 5000, 1), ==, 0);
    g_assert_cmpint(f.mem->length, ==, 20480);  /* 8192 and 10000, rounded up */
    g_assert_cmpint(pr_length(&f), ==, 8192);
    g_assert_cmpint(f.mem->zeroes, ==, 1);
    pr_close(&f);
}

/* ---- threads ----------------------------------------------------------------------------- */

enum { PR_THREADS = 4, PR_WRITES = 200, PR_BYTES = 1500 };

typedef struct PrThread {
    PrFixture *f;
    gint *next;
} PrThread;

static void *pr_appender(void *opaque)
{
    PrThread *t = opaque;

    for (int i = 0; i < PR_WRITES; i++) {
        int n = g_atomic_int_add(t->next, 1);

        g_assert_cmpint(pr_write(t->f, 1000 + (int64_t)n * PR_BYTES, PR_BYTES, 1 + n % 250), ==,
                        0);
    }
    return NULL;
}

/* All append, each the next piece: no extension wipes out what another thread has written. */
static void test_threads(gconstpointer options)
{
    const int total = PR_THREADS * PR_WRITES;
    GThread *threads[PR_THREADS];
    PrThread state;
    gint next = 0;
    PrFixture f;

    pr_open(&f, MEM, options);
    f.mem->yields = 1;
    state = (PrThread){ .f = &f, .next = &next };
    for (int i = 0; i < PR_THREADS; i++) {
        threads[i] = g_thread_new("appender", pr_appender, &state);
    }
    for (int i = 0; i < PR_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpint(pr_length(&f), ==, 1000 + total * PR_BYTES);
    for (int n = 0; n < total; n++) {
        for (int i = 0; i < PR_BYTES; i++) {
            g_assert_cmpint(f.mem->data[1000 + n * PR_BYTES + i], ==, 1 + n % 250);
        }
    }
    g_clear_pointer(&f.blk, blk_unref);
    g_assert_cmpint(f.mem->length, ==, 1000 + total * PR_BYTES);
    pr_close(&f);
}

/* ---- under qcow -------------------------------------------------------------------------- */

/* A file that was never closed: the zeros that it ends with are no harm. */
static void test_crash(void)
{
    g_autofree char *dir = g_dir_make_tmp("cairn-preallocate-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "a.qcow", NULL);
    g_autofree char *copy = g_build_filename(dir, "b.qcow", NULL);
    g_autofree char *options = g_strdup_printf(
        "driver=qcow,file.driver=preallocate,file.prealloc-size=1M,file.file.driver=file,"
        "file.file.filename=%s", path);
    g_autofree char *after = g_strdup_printf("driver=qcow,file.filename=%s", copy);
    g_autofree char *content = NULL;
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;
    BlockCheckResult result = { 0 };
    uint8_t buf[8192], back[8192];
    gsize length;
    GStatBuf st;

    g_assert_true(blk_create(ctx, path, "qcow", NULL, 8 * MiB, &error));
    blk = mem_open_blk(ctx, options, BLK_O_RDWR);
    mem_fill(buf, sizeof(buf), 1);
    g_assert_cmpint(blk_pwrite(blk, 100000, sizeof(buf), buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_true(g_file_get_contents(path, &content, &length, &error));
    g_assert_cmpint(length, >, MiB);
    g_assert_true(g_file_set_contents(copy, content, length, &error));
    blk_unref(blk);
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, <, MiB);
    blk = mem_open_blk(ctx, after, BLK_O_RDWR);
    g_assert_cmpint(blk_pread(blk, 100000, sizeof(back), back), ==, 0);
    g_assert_cmpmem(back, sizeof(back), buf, sizeof(buf));
    g_assert_true(blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(result.corruptions, ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 500000, sizeof(buf), buf, 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 500000, sizeof(back), back), ==, 0);
    g_assert_cmpmem(back, sizeof(back), buf, sizeof(buf));
    g_assert_cmpint(blk_pread(blk, 600000, sizeof(back), back), ==, 0);
    g_assert_true(cairn_buffer_is_zero(back, sizeof(back)));
    blk_unref(blk);
    g_unlink(copy);
    g_unlink(path);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/preallocate/append/extends-ahead", test_ahead);
    g_test_add_func("/preallocate/zeroes/are-data", test_zeroes);
    g_test_add_func("/preallocate/past-the-data/reads-as-zero", test_past_the_data);
    g_test_add_func("/preallocate/close/cuts-off", test_close);
    g_test_add_func("/preallocate/read-only/cuts-off", test_read_only);
    g_test_add_func("/preallocate/not-supported/writes-as-ever", test_not_supported);
    g_test_add_func("/preallocate/no-space/writes-as-ever", test_no_space);
    g_test_add_func("/preallocate/failed-write/is-no-data", test_failed_write);
    g_test_add_func("/preallocate/each-mistake/has-its-message", test_refusals);
    g_test_add_func("/preallocate/huge-sizes/are-no-harm", test_huge);
    g_test_add_func("/preallocate/file/is-written-by-nobody-else", test_permissions);
    g_test_add_func("/preallocate/truncate/moves-the-end-of-data", test_truncate);
    g_test_add_func("/preallocate/reopen/changes-the-options", test_reopen_options);
    g_test_add_func("/preallocate/larger-blocks/are-whole", test_blocks);
    g_test_add_data_func("/preallocate/threads/no-data-is-wiped-out", STACK
                         ",file.prealloc-size=4k,file.prealloc-align=512", test_threads);
    g_test_add_data_func("/preallocate/threads/little-space/no-data-is-wiped-out",
                         "driver=tail,file.driver=preallocate,file.file.driver=full,"
                         "file.file.file=mem,file.prealloc-size=4k", test_threads);
    g_test_add_func("/preallocate/qcow/crash/leaves-zeros", test_crash);
    return g_test_run();
}
