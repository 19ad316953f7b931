/* SPDX-License-Identifier: MIT */
/*
 * compress: what is written through the filter is stored compressed. memcow counts; qcow really
 * does it.
 */
#include "io-driver.h"

#include <glib/gstdio.h>

#define STACK "driver=compress,file.driver=memcow,file.node-name=cow,file.file.driver=mem"

static MemCowState *cow_state(CairnContext *ctx)
{
    return bdrv_find_node(ctx, "cow")->opaque;
}

static int zf_write(BlockBackend *blk, int64_t offset, int64_t bytes, int byte)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, byte, bytes);
    return blk_pwrite(blk, offset, bytes, buf, 0);
}

static void assert_bytes(BlockBackend *blk, int64_t offset, int64_t bytes, int byte)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    g_assert_cmpint(blk_pread(blk, offset, bytes, buf), ==, 0);
    for (int64_t i = 0; i < bytes; i++) {
        g_assert_cmpint(buf[i], ==, byte);
    }
}

static void test_whole_clusters(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, STACK, BLK_O_RDWR);

    g_assert_cmpuint(blk_get_request_alignment(blk), ==, 4096);
    g_assert_cmpint(blk_get_cluster_size(blk), ==, 4096);
    g_assert_cmpint(zf_write(blk, 4096, 8192, 1), ==, 0);
    g_assert_cmpint(cow_state(ctx)->compressed, ==, 1);
    assert_bytes(blk, 4096, 8192, 1);
    assert_bytes(blk, 0, 4096, 0);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

static void test_parts(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, STACK, BLK_O_RDWR);

    g_assert_cmpint(zf_write(blk, 0, 16384, 1), ==, 0);
    g_assert_cmpint(zf_write(blk, 5000, 5000, 2), ==, 0);
    g_assert_cmpint(cow_state(ctx)->compressed, ==, 2);
    assert_bytes(blk, 0, 5000, 1);
    assert_bytes(blk, 5000, 5000, 2);
    assert_bytes(blk, 10000, 6384, 1);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 100, 50, 0), ==, 0);
    assert_bytes(blk, 0, 100, 1);
    assert_bytes(blk, 100, 50, 0);
    assert_bytes(blk, 150, 4850, 1);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* The last cluster is short: 1001 KiB are 250 clusters and 1024 bytes. */
static void test_last_cluster(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, STACK ",file.file.size=1001k", BLK_O_RDWR);
    uint8_t buf[1024] = { 7 };

    g_assert_cmpint(zf_write(blk, 1001 * 1024 - 100, 100, 1), ==, 0);
    g_assert_cmpint(zf_write(blk, 999 * 1024, 2048, 2), ==, 0);
    assert_bytes(blk, 999 * 1024, 2048, 2);
    g_assert_cmpint(zf_write(blk, 1001 * 1024 - 100, 101, 1), ==, -EIO);
    g_assert_cmpint(blk_pwrite(blk, 1000 * 1024, 1024, buf, BDRV_REQ_WRITE_COMPRESSED), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 1000 * 1024, 512, buf, BDRV_REQ_WRITE_COMPRESSED), ==,
                    -EINVAL);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* A copy on read is a write like others. */
static void test_copy_on_read(void)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(
        ctx, "driver=copy-on-read,file.driver=compress,file.file.driver=memcow,"
        "file.file.node-name=cow,file.file.file.driver=mem,file.file.backing.driver=mem,"
        "file.file.backing.node-name=base", BLK_O_RDWR);
    MemState *base = bdrv_find_node(ctx, "base")->opaque;

    memset(base->data, 5, MiB);
    assert_bytes(blk, 5000, 100, 5);
    g_assert_cmpint(cow_state(ctx)->compressed, ==, 1);
    for (int i = 0; i < 100; i++) {
        g_assert_cmpint(cow_state(ctx)->is_allocated[i], ==, i >= 8 && i < 16);
    }
    blk_unref(blk);
    cairn_context_unref(ctx);
}

static void assert_refused(CairnContext *ctx, const char *options, int flags, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_null(blk_open_opts(ctx, options, flags, &error));
    lines = g_strsplit(error->message, "\n", 2);
    g_assert_cmpstr(lines[0], ==, message);
}

static void test_refusals(void)
{
    CairnContext *ctx = mem_context();

    assert_refused(ctx, "driver=compress,file.driver=raw,file.file.driver=mem", BLK_O_RDWR,
                   "Compression is not supported for underlying format: raw");
    assert_refused(ctx, "driver=compress,file.driver=mem", 0,
                   "Compression is not supported for underlying format: mem");
    g_assert_true(cairn_object_add(ctx, "throttle-group,id=g", NULL));
    assert_refused(ctx, "driver=compress,file.driver=throttle,file.throttle-group=g,"
                   "file.file.driver=mem", 0,
                   "Compression is not supported for underlying format: mem");
    assert_refused(ctx, "driver=compress", 0, "A block device must be specified for \"file\"");
    assert_refused(ctx, STACK ",bogus=1", 0,
                   "Block format 'compress' does not support the option 'bogus'");
    cairn_context_unref(ctx);
}

/* ---- on a real image ------------------------------------------------------------------- */

typedef struct ZfImage {
    CairnContext *ctx;
    char *dir, *path;
} ZfImage;

static void zf_create(ZfImage *z, const QDict *options)
{
    g_autoptr(GError) error = NULL;

    z->ctx = cairn_context_new();
    z->dir = g_dir_make_tmp("cairn-compress-XXXXXX", NULL);
    z->path = g_build_filename(z->dir, "a.qcow", NULL);
    g_assert_true(cairn_object_add(z->ctx, "secret,id=s,data=abc", NULL));
    g_assert_true(cairn_object_add(z->ctx, "throttle-group,id=g", NULL));
    blk_create(z->ctx, z->path, "qcow", options, 4 * MiB, &error);
    g_assert_no_error(error);
}

static void zf_destroy(ZfImage *z)
{
    g_unlink(z->path);
    g_rmdir(z->dir);
    g_free(z->path);
    g_free(z->dir);
    cairn_context_unref(z->ctx);
}

static void test_qcow(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *options = NULL;
    BlockCheckResult result = { 0 };
    BlockBackend *blk;
    ZfImage z;

    zf_create(&z, NULL);
    options = g_strdup_printf("driver=compress,file.driver=throttle,file.throttle-group=g,"
                              "file.file.driver=qcow,file.file.file.filename=%s", z.path);
    blk = mem_open_blk(z.ctx, options, BLK_O_RDWR);
    g_assert_cmpint(zf_write(blk, 0, 2 * MiB, 1), ==, 0);
    g_assert_cmpint(zf_write(blk, 1000, 1 * MiB, 2), ==, 0);
    assert_bytes(blk, 0, 1000, 1);
    assert_bytes(blk, 1000, 1 * MiB, 2);
    assert_bytes(blk, 1 * MiB + 1000, 1 * MiB - 1000, 1);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_true(blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, &error));
    g_assert_cmpint(result.corruptions, ==, 0);
    g_assert_cmpint(result.allocated_clusters, ==, 512);
    g_assert_cmpint(result.compressed_clusters, ==, 512);
    blk_unref(blk);
    zf_destroy(&z);
}

static void test_encrypted(void)
{
    g_autoptr(QDict) create = qdict_new();
    g_autofree char *options = NULL;
    ZfImage z;

    qdict_put_str(create, "encrypt.format", "aes");
    qdict_put_str(create, "encrypt.key-secret", "s");
    zf_create(&z, create);
    options = g_strdup_printf("driver=compress,file.driver=qcow,file.encrypt.key-secret=s,"
                              "file.file.filename=%s", z.path);
    assert_refused(z.ctx, options, BLK_O_RDWR,
                   "Compression and encryption not supported at the same time");
    blk_unref(mem_open_blk(z.ctx, options, 0));
    zf_destroy(&z);
}

/*
 * Neighbours in one cluster, each with bytes of its own: data, zeros, and one who writes whole
 * clusters elsewhere. Nobody's bytes go back.
 */
enum { ZF_THREADS = 4, ZF_ROUNDS = 60 };

typedef struct ZfThread {
    BlockBackend *blk;
    int index;
} ZfThread;

static void *zf_writer(void *opaque)
{
    ZfThread *t = opaque;
    int64_t offset = t->index * 700;

    for (int i = 1; i <= ZF_ROUNDS; i++) {
        int byte = i % 3 ? i : 0;

        g_assert_cmpint(byte ? zf_write(t->blk, offset, 700, byte)
                             : blk_pwrite_zeroes(t->blk, offset, 700, 0), ==, 0);
        assert_bytes(t->blk, offset, 700, byte);
        g_assert_cmpint(zf_write(t->blk, 65536 + t->index * 4096, 4096, i), ==, 0);
    }
    return NULL;
}

static void test_threads(void)
{
    g_autofree char *options = NULL;
    ZfThread states[ZF_THREADS];
    GThread *threads[ZF_THREADS];
    BlockBackend *blk;
    ZfImage z;

    zf_create(&z, NULL);
    options = g_strdup_printf("driver=compress,file.driver=qcow,file.file.filename=%s", z.path);
    blk = mem_open_blk(z.ctx, options, BLK_O_RDWR);
    for (int i = 0; i < ZF_THREADS; i++) {
        states[i] = (ZfThread){ .blk = blk, .index = i };
        threads[i] = g_thread_new("compress", zf_writer, &states[i]);
    }
    for (int i = 0; i < ZF_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    assert_bytes(blk, 0, 700 * ZF_THREADS, 0);
    assert_bytes(blk, 65536, 4096 * ZF_THREADS, ZF_ROUNDS);
    blk_unref(blk);
    zf_destroy(&z);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/driver-compress/whole-clusters/are-compressed", test_whole_clusters);
    g_test_add_func("/driver-compress/parts/keep-the-rest", test_parts);
    g_test_add_func("/driver-compress/last-cluster/may-be-short", test_last_cluster);
    g_test_add_func("/driver-compress/copy-on-read/is-compressed", test_copy_on_read);
    g_test_add_func("/driver-compress/each-mistake/has-its-message", test_refusals);
    g_test_add_func("/driver-compress/qcow/holds-streams", test_qcow);
    g_test_add_func("/driver-compress/encrypted/is-refused", test_encrypted);
    g_test_add_func("/driver-compress/threads/none-is-lost", test_threads);
    return g_test_run();
}
