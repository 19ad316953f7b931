/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* The image under test is "t", its raw copy "r"; both are also open in backends of their own. */
typedef struct VerifyFixture {
    CairnContext *ctx;
    BlockBackend *raw_blk, *test_blk, *blk;
    MemState *raw, *test;
    GString *heard;             /* warnings, a line each */
    uint8_t buf[65536];
} VerifyFixture;

static void verify_hear(const char *text, void *opaque)
{
    g_string_append_printf(opaque, "%s\n", text);
}

static BlockBackend *verify_side(VerifyFixture *f, const char *options)
{
    return mem_open_blk(f->ctx, options, BLK_O_RDWR | BLK_O_SHARE_WRITE | BLK_O_UNMAP);
}

static void verify_setup_sides(VerifyFixture *f, const char *raw, const char *test)
{
    f->ctx = mem_context();
    f->raw_blk = verify_side(f, raw);
    f->test_blk = verify_side(f, test);
    f->raw = mem_below(f->raw_blk);
    f->test = mem_below(f->test_blk);
    f->blk = verify_side(f, "driver=blkverify,raw=r,test=t");
    f->heard = g_string_new(NULL);
    cairn_context_set_warn_func(f->ctx, verify_hear, f->heard);
}

static void verify_setup(VerifyFixture *f, gconstpointer data)
{
    verify_setup_sides(f, "driver=mem,node-name=r,size=1M", "driver=mem,node-name=t,size=1M");
}

static void verify_teardown(VerifyFixture *f, gconstpointer data)
{
    blk_unref(f->blk);
    blk_unref(f->raw_blk);
    blk_unref(f->test_blk);
    cairn_context_unref(f->ctx);
    g_string_free(f->heard, TRUE);
}

static void verify_expect(VerifyFixture *f, const char *text)
{
    g_assert_cmpstr(f->heard->str, ==, text);
    g_string_truncate(f->heard, 0);
}

/* ---- agreement ---------------------------------------------------------------------- */

static void test_both_get_it(VerifyFixture *f, gconstpointer data)
{
    mem_fill(f->buf, sizeof(f->buf), 1);
    g_assert_cmpint(blk_pwrite(f->blk, 1000, 60000, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f->blk, 4096, 4096, 0), ==, 0);
    g_assert_cmpmem(f->raw->data, 65536, f->test->data, 65536);
    g_assert_cmpint(f->raw->data[1000], ==, f->buf[0]);
    g_assert_cmpint(f->test->data[8191], ==, 0);
    g_assert_cmpint(f->raw->zeroes, ==, 1);
    g_assert_cmpint(f->test->zeroes, ==, 1);
    g_assert_cmpint(blk_pread(f->blk, 0, 65536, f->buf), ==, 0);
    g_assert_cmpmem(f->buf, 65536, f->test->data, 65536);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    g_assert_cmpint(f->raw->flushes, ==, 1);
    g_assert_cmpint(f->test->flushes, ==, 1);
    verify_expect(f, "");
}

static void test_fua(VerifyFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f->raw->flushes, ==, 1);
    g_assert_cmpint(f->test->flushes, ==, 1);
}

static void test_same_failure(VerifyFixture *f, gconstpointer data)
{
    f->raw->fail = f->test->fail = ENOSPC;
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, -ENOSPC);
    g_assert_cmpint(blk_pread(f->blk, 0, 512, f->buf), ==, -ENOSPC);
    f->raw->fail = f->test->fail = 0;
    verify_expect(f, "");
}

/* ---- difference ------------------------------------------------------------------------ */

static void test_mismatch(VerifyFixture *f, gconstpointer data)
{
    f->test->data[700] = 1;
    f->test->data[701] = 2;
    g_assert_cmpint(blk_pread(f->blk, 0, 512, f->buf), ==, 0);
    verify_expect(f, "");
    g_assert_cmpint(blk_pread(f->blk, 512, 4096, f->buf), ==, -EIO);
    verify_expect(f, "blkverify: read offset=512 bytes=4096 contents mismatch at offset 700\n");
    g_assert_cmpint(blk_pread(f->blk, 701, 1, f->buf), ==, -EIO);
    verify_expect(f, "blkverify: read offset=701 bytes=1 contents mismatch at offset 701\n");
    f->raw->data[700] = 1;
    f->raw->data[701] = 2;
    g_assert_cmpint(blk_pread(f->blk, 512, 4096, f->buf), ==, 0);
    verify_expect(f, "");
}

static void test_mismatch_of_parts(VerifyFixture *f, gconstpointer data)
{
    g_auto(IOVector) iov;

    io_vector_init(&iov, 3);
    io_vector_add(&iov, f->buf, 100);
    io_vector_add(&iov, f->buf + 1000, 1);
    io_vector_add(&iov, f->buf + 2000, 900);
    f->raw->data[1000] = 1;
    g_assert_cmpint(blk_preadv(f->blk, 0, &iov, 0), ==, -EIO);
    verify_expect(f, "blkverify: read offset=0 bytes=1001 contents mismatch at offset 1000\n");
    f->raw->data[100] = 1;
    g_assert_cmpint(blk_preadv(f->blk, 0, &iov, 0), ==, -EIO);
    verify_expect(f, "blkverify: read offset=0 bytes=1001 contents mismatch at offset 100\n");
}

static void test_one_fails(VerifyFixture *f, gconstpointer data)
{
    f->test->fail = ENOSPC;
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, -EIO);
    verify_expect(f, "blkverify: write offset=0 bytes=512 return value mismatch -28 != 0\n");
    g_assert_cmpint(blk_pwrite_zeroes(f->blk, 0, 512, 0), ==, -EIO);
    verify_expect(f, "blkverify: write zeroes offset=0 bytes=512 return value mismatch -28 != 0\n");
    f->test->fail = 0;
    f->raw->fail = EIO;
    g_assert_cmpint(blk_pread(f->blk, 0, 512, f->buf), ==, -EIO);
    verify_expect(f, "blkverify: read offset=0 bytes=512 return value mismatch 0 != -5\n");
    f->raw->fail = 0;
}

static void test_flush_fails(VerifyFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
    f->raw->fail = ENOSPC;
    g_assert_cmpint(blk_flush(f->blk), ==, -ENOSPC);
    f->raw->fail = 0;
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    verify_expect(f, "");
}

/* ---- discards ---------------------------------------------------------------------------- */

/* Here a discard gives zeros; whatever it gives, the copy takes it over. */
static void test_discard(VerifyFixture *f, gconstpointer data)
{
    memset(f->buf, 7, sizeof(f->buf));
    g_assert_cmpint(blk_pwrite(f->blk, 0, 65536, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(f->blk, 4096, 8192), ==, 0);
    g_assert_cmpint(f->test->discards, ==, 1);
    g_assert_cmpint(f->raw->discards, ==, 0);
    g_assert_cmpint(f->raw->data[4095], ==, 7);
    g_assert_cmpint(f->raw->data[4096], ==, 0);
    g_assert_cmpint(f->raw->data[12287], ==, 0);
    g_assert_cmpint(f->raw->data[12288], ==, 7);
    g_assert_cmpint(blk_pread(f->blk, 0, 65536, f->buf), ==, 0);
    f->test->data[5000] = 1;            /* but from then on it stays */
    g_assert_cmpint(blk_pread(f->blk, 0, 65536, f->buf), ==, -EIO);
    verify_expect(f, "blkverify: read offset=0 bytes=65536 contents mismatch at offset 5000\n");
}

static void test_compressed(VerifyFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 4096, f->buf, BDRV_REQ_WRITE_COMPRESSED), ==, -ENOTSUP);
    g_assert_cmpint(f->raw->writes + f->test->writes, ==, 0);
}

/* ---- lengths ------------------------------------------------------------------------------- */

static void test_lengths(void)
{
    g_autoptr(CairnContext) ctx = mem_context();
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open_opts(ctx, "driver=blkverify,raw.driver=mem,raw.size=1024,"
                                "test.driver=mem,test.size=1M", 0, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_cmpstr(error->message, ==, "The raw copy has 1024 bytes, the image 1048576");
}

/* A raw file of 700 bytes is a disk of two sectors. */
static void test_last_sector(void)
{
    uint8_t buf[324];
    VerifyFixture f;

    verify_setup_sides(&f, "driver=mem,node-name=r,size=700", "driver=mem,node-name=t,size=1024");
    g_assert_cmpint(blk_pread(f.blk, 700, sizeof(buf), buf), ==, 0);
    memset(buf, 7, sizeof(buf));
    g_assert_cmpint(blk_pwrite(f.blk, 700, sizeof(buf), buf, 0), ==, 0);
    g_assert_cmpint(blk_pread(f.blk, 700, sizeof(buf), buf), ==, 0);
    verify_teardown(&f, NULL);
}

static void test_resize(VerifyFixture *f, gconstpointer data)
{
    g_assert_true(blk_truncate(f->blk, 2 * MiB, PREALLOC_MODE_OFF, NULL));
    g_assert_cmpint(f->raw->length, ==, 2 * MiB);
    g_assert_cmpint(f->test->length, ==, 2 * MiB);
    g_assert_cmpint(blk_getlength(f->blk), ==, 2 * MiB);
    g_assert_true(blk_truncate(f->blk, 4096, PREALLOC_MODE_OFF, NULL));
    g_assert_cmpint(f->raw->length, ==, 4096);
    g_assert_cmpint(f->test->length, ==, 4096);
}

/* The larger of the two. */
static void test_alignment(void)
{
    VerifyFixture f;

    verify_setup_sides(&f, "driver=mem,node-name=r,align=512", "driver=mem,node-name=t,align=4096");
    g_assert_cmpint(blk_get_request_alignment(f.blk), ==, 4096);
    memset(f.buf, 7, 4096);
    g_assert_cmpint(blk_pwrite(f.blk, 1, 5, f.buf, 0), ==, 0);
    g_assert_cmpmem(f.raw->data, 8192, f.test->data, 8192);
    verify_teardown(&f, NULL);
}

static void test_large(void)
{
    g_autofree uint8_t *buf = g_malloc(40 * MiB);
    VerifyFixture f;

    verify_setup_sides(&f, "driver=mem,node-name=r,size=48M", "driver=mem,node-name=t,size=48M");
    mem_fill(buf, 40 * MiB, 3);
    g_assert_cmpint(blk_pwrite(f.blk, 5, 40 * MiB, buf, 0), ==, 0);
    g_assert_cmpint(blk_pread(f.blk, 5, 40 * MiB, buf), ==, 0);
    f.test->data[30 * MiB] ^= 1;
    g_assert_cmpint(blk_pread(f.blk, 5, 40 * MiB, buf), ==, -EIO);
    g_assert_true(g_str_has_suffix(f.heard->str, "contents mismatch at offset 31457280\n"));
    g_assert_cmpint(blk_pdiscard(f.blk, 0, 40 * MiB), ==, 0);
    g_assert_cmpint(blk_pread(f.blk, 0, 40 * MiB, buf), ==, 0);
    verify_teardown(&f, NULL);
}

/* ---- requests that overlap ---- */

enum { VERIFY_THREADS = 3, VERIFY_ROUNDS = 300 };

typedef struct VerifyThread {
    BlockBackend *blk;
    int number;
} VerifyThread;

static int verify_random_request(BlockBackend *blk, GRand *rand, uint8_t *buf)
{
    int64_t offset = g_rand_int_range(rand, 0, 8192), bytes = g_rand_int_range(rand, 1, 8192);

    memset(buf, g_rand_int_range(rand, 0, 256), (size_t)bytes);
    switch (g_rand_int_range(rand, 0, 5)) {
    case 0:
        return blk_pwrite_zeroes(blk, offset, bytes, 0);
    case 1:
        return blk_pdiscard(blk, offset, bytes);
    case 2:
    case 3:
        return blk_pwrite(blk, offset, bytes, buf, 0);
    default:
        return blk_pread(blk, offset, bytes, buf);
    }
}

static gpointer verify_thread(void *opaque)
{
    VerifyThread *t = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)t->number);
    g_autofree uint8_t *buf = g_malloc(8192);

    for (int i = 0; i < VERIFY_ROUNDS; i++) {
        g_assert_cmpint(verify_random_request(t->blk, rand, buf), ==, 0);
    }
    return NULL;
}

/* Anything at once on the same bytes: none of it is a difference. */
static void test_threads(VerifyFixture *f, gconstpointer data)
{
    VerifyThread threads[VERIFY_THREADS];
    GThread *handles[VERIFY_THREADS];

    f->raw->yields = 1;                 /* so that others come between the two sides */
    for (int i = 0; i < VERIFY_THREADS; i++) {
        threads[i] = (VerifyThread){ .blk = f->blk, .number = i };
        handles[i] = g_thread_new("requests", verify_thread, &threads[i]);
    }
    for (int i = 0; i < VERIFY_THREADS; i++) {
        g_thread_join(handles[i]);
    }
    verify_expect(f, "");
    g_assert_cmpmem(f->raw->data, 16384, f->test->data, 16384);
}

/* ---- names ---- */

static void verify_refuse(CairnContext *ctx, const char *name, const char *options,
                          const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(options ? blk_open_opts(ctx, options, 0, &error)
                          : blk_open(ctx, name, BLK_O_PROBE, &error));
    g_assert_true(g_str_has_prefix(error->message, message));
}

static void test_bad_names(void)
{
    static const char *const both = "blkverify requires raw copy and original image path";
    g_autoptr(CairnContext) ctx = mem_context();

    verify_refuse(ctx, "blkverify:", NULL, both);
    verify_refuse(ctx, "blkverify:x", NULL, both);
    verify_refuse(ctx, "blkverify::x", NULL, "The 'file' block driver requires a file name");
    verify_refuse(ctx, NULL, "driver=blkverify",
                  "A block device must be specified for \"raw\"");
    verify_refuse(ctx, NULL, "driver=blkverify,raw.driver=mem",
                  "A block device must be specified for \"test\"");
    verify_refuse(ctx, NULL, "driver=blkverify,raw.driver=mem,test.filename=x",
                  "Must specify either driver or file");
    verify_refuse(ctx, NULL, "driver=blkverify,raw.driver=mem,test.driver=mem,bogus=1",
                  "Block protocol 'blkverify' doesn't support the option 'bogus'");
}

static char *verify_make_file(const char *dir, const char *name, const char *content)
{
    char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, content, -1, NULL));
    return path;
}

static void verify_try_name(const char *name, CairnImagePolicy policy, const char *message)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = NULL;
    char buf[10];

    cairn_context_set_image_policy(ctx, policy);
    blk = blk_open(ctx, name, BLK_O_PROBE, &error);
    if (message) {
        g_assert_null(blk);
        g_assert_true(g_str_has_prefix(error->message, message));
        return;
    }
    g_assert_no_error(error);
    g_assert_cmpstr(blk_get_filename(blk), ==, name);
    g_assert_cmpint(blk_pread(blk, 0, sizeof(buf), buf), ==, 0);
    g_assert_cmpmem(buf, sizeof(buf), "0123456789", 10);
}

/* The image's format is looked for, where names may be looked at at all. */
static void test_names(void)
{
    g_autofree char *dir = g_dir_make_tmp("cairn-blkverify-XXXXXX", NULL);
    g_autofree char *raw = verify_make_file(dir, "r.raw", "0123456789");
    g_autofree char *test = verify_make_file(dir, "t.raw", "0123456789");
    g_autofree char *bad = verify_make_file(dir, "b.raw", "0123x56789");
    g_autofree char *name = g_strdup_printf("blkverify:%s:%s", raw, test);
    g_autofree char *bad_name = g_strdup_printf("blkverify:%s:%s", raw, bad);
    g_autofree char *qcow = g_strdup_printf("driver=blkverify,x-raw=%s,x-image=%s", raw, test);
    g_autoptr(CairnContext) ctx = cairn_context_new();

    verify_try_name(name, CAIRN_IMAGE_POLICY_ALLOW_ALL, NULL);
    verify_try_name(bad_name, CAIRN_IMAGE_POLICY_ALLOW_ALL,
                    "Could not read image for determining its format: Input/output error");
    verify_refuse(ctx, NULL, qcow, "no format given: name it, or allow probing");
    g_unlink(raw);
    g_unlink(test);
    g_unlink(bad);
    g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void test_info(VerifyFixture *f, gconstpointer data)
{
    g_autoptr(QDict) info = blk_get_image_info(f->blk, NULL);

    g_assert_false(qdict_haskey(info, "actual-size"));
    g_assert_cmpstr(qdict_get_try_str(info, "filename"), ==,
                    "json:{\"driver\": \"blkverify\", \"raw\": {\"driver\": \"mem\", \"size\": "
                    "\"1M\"}, \"test\": {\"driver\": \"mem\", \"size\": \"1M\"}}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, func) \
    g_test_add(path, VerifyFixture, NULL, verify_setup, func, verify_teardown)
    ADD("/blkverify/write/reaches-both", test_both_get_it);
    ADD("/blkverify/write/is-durable-on-both", test_fua);
    ADD("/blkverify/failure/of-both-is-no-difference", test_same_failure);
    ADD("/blkverify/difference/fails-the-read-and-is-told", test_mismatch);
    ADD("/blkverify/difference/is-found-in-any-part", test_mismatch_of_parts);
    ADD("/blkverify/failure/of-one-is-told", test_one_fails);
    ADD("/blkverify/failure/of-a-flush-is-a-failure-only", test_flush_fails);
    ADD("/blkverify/discard/the-image-chooses-once", test_discard);
    ADD("/blkverify/compressed/is-refused", test_compressed);
    g_test_add_func("/blkverify/length/must-agree", test_lengths);
    g_test_add_func("/blkverify/length/is-of-whole-sectors", test_last_sector);
    ADD("/blkverify/resize/is-of-both", test_resize);
    g_test_add_func("/blkverify/limit/alignment-suits-both", test_alignment);
    g_test_add_func("/blkverify/limit/large-requests-are-compared-whole", test_large);
    ADD("/blkverify/threads/timing-is-no-difference", test_threads);
    g_test_add_func("/blkverify/name/bad-ones-are-refused", test_bad_names);
    g_test_add_func("/blkverify/name/opens-and-is-printed", test_names);
    ADD("/blkverify/info/takes-no-space-of-its-own", test_info);
    return g_test_run();
}
