/* SPDX-License-Identifier: MIT */
/* The length of a file, told before it is made; sources are converted, and the lengths compared. */
#include <cairn/job.h>

#include <glib/gstdio.h>
#include <string.h>

#include "mem-disk.h"

#include "util/cutils.h"

#define SIZE ((int64_t)24 << 20)

static CairnContext *ctx;
static char *dir;

static char *path_of(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static QDict *parse(const char *options)
{
    return options ? qdict_from_keyval(options, NULL, NULL) : qdict_new();
}

static BlockBackend *open_image(const char *name, const char *format, int flags)
{
    g_autofree char *path = path_of(name);
    g_autoptr(QDict) opts = qdict_new();
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    qdict_put_str(opts, "driver", format);
    blk = blk_open_qdict(ctx, path, opts, flags, &error);
    g_assert_no_error(error);
    return blk;
}

static void create(const char *name, const char *format, const char *options, int64_t size)
{
    g_autofree char *path = path_of(name);
    g_autoptr(QDict) opts = parse(options);
    g_autoptr(GError) error = NULL;

    blk_create(ctx, path, format, opts, size, &error);
    g_assert_no_error(error);
}

static int64_t length_of(const char *name)
{
    g_autofree char *path = path_of(name);
    GStatBuf st;

    g_assert_cmpint(g_stat(path, &st), ==, 0);
    return st.st_size;
}

/* A disk in memory, whose holes do not depend on the host's file system. */
static BlockBackend *open_raw(const MemDisk *d)
{
    g_autofree char *options = g_strdup_printf("driver=raw,file.driver=mem-disk,file.disk=%s",
                                               d->id);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open_opts(ctx, options, BLK_O_RDWR, &error);

    g_assert_no_error(error);
    return blk;
}

static void write_runs(BlockBackend *blk, guint32 seed, int runs, int unit)
{
    GRand *rand = g_rand_new_with_seed(seed);
    int64_t size = blk_getlength(blk);

    for (int i = 0; i < runs; i++) {
        int64_t bytes = (int64_t)g_rand_int_range(rand, 1, 40) * unit;
        int64_t at = (int64_t)g_rand_int_range(rand, 0, (gint32)(size / unit)) * unit;
        g_autofree uint8_t *buf = NULL;

        bytes = MIN(bytes, size - at);
        buf = g_malloc(bytes);
        memset(buf, i + 1, bytes);
        g_assert_cmpint(blk_pwrite(blk, at, bytes, buf, 0), ==, 0);
    }
    g_rand_free(rand);
}

static BlockMeasure measure(BlockBackend *source, const char *options, int64_t size)
{
    g_autoptr(QDict) opts = parse(options);
    g_autoptr(GError) error = NULL;
    BlockMeasure m = { 0 };

    blk_measure(ctx, "qcow", opts, source, size, &m, &error);
    g_assert_no_error(error);
    return m;
}

static void convert(BlockBackend *source, const char *options, bool skip_backing)
{
    BlockConvertOptions o = {
        .sparse_size = 4096, .target_is_new = true, .skip_backing = skip_backing,
        .out_of_order = true,
    };
    g_autoptr(GError) error = NULL;
    BlockBackend *target;

    create("target.qcow", "qcow", options, blk_getlength(source));
    target = open_image("target.qcow", "qcow", BLK_O_RDWR);
    block_convert(&source, 1, target, &o, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_close(target), ==, 0);
    blk_unref(target);
}

/* ---- without a source ---- */

static void test_empty(void)
{
    static const struct {
        const char *options;
        int64_t size, required, full;
    } cases[] = {
        { NULL, 64 << 20, 560, 4096 + 32 * 4096 + (64 << 20) },
        { NULL, 1, 560, 4096 + 4096 + 4096 },
        { NULL, (int64_t)512 << 20, 2096, 4096 + 256 * 4096 + ((int64_t)512 << 20) },
        { "cluster_size=64k", 64 << 20, 560, 65536 + 65536 + (64 << 20) },
        { "backing_file=b,backing_fmt=raw", 1 << 20, 64 + 512, 4096 + 32768 + (1 << 20) },
        { "encrypt.format=aes", 64 << 20, 560, 4096 + 32 * 4096 + (64 << 20) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        BlockMeasure m = measure(NULL, cases[i].options, cases[i].size);

        g_assert_cmpint(m.required, ==, cases[i].required);
        g_assert_cmpint(m.fully_allocated, ==, cases[i].full);
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *options, *message;
        int64_t size;
    } cases[] = {
        { NULL, "Image too large", INT64_MAX / 4 },
        { NULL, "cannot be zero length", 0 },
        { "cluster_size=1000", "Cluster size must be", 1 << 20 },
        { "bogus=1", "Invalid parameter 'bogus'", 1 << 20 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(QDict) opts = parse(cases[i].options);
        g_autoptr(GError) error = NULL;
        BlockMeasure m;

        g_assert_false(blk_measure(ctx, "qcow", opts, NULL, cases[i].size, &m, &error));
        g_assert_nonnull(strstr(error->message, cases[i].message));
    }
}

/* ---- against conversion ---- */

static const char *const option_sets[] = {
    NULL, "cluster_size=512", "cluster_size=1k", "cluster_size=16k", "cluster_size=64k",
};

static void test_raw(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(option_sets) * 4; i++) {
        const char *options = option_sets[i % G_N_ELEMENTS(option_sets)];
        g_autoptr(MemDisk) d = mem_disk_new(NULL, SIZE + 512 * (i % 9));
        g_autoptr(BlockBackend) source = open_raw(d);
        BlockMeasure m;

        write_runs(source, i, i % 7 * 10, 4096);
        m = measure(source, options, -1);
        convert(source, options, false);
        g_assert_cmpint(length_of("target.qcow"), ==, m.required);
        g_assert_cmpint(m.required, <=, m.fully_allocated);
    }
}

/* Parts of its clusters are zeros, which only reading would tell. */
static void test_qcow(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(option_sets); i++) {
        g_autoptr(BlockBackend) source = NULL;
        BlockMeasure m;

        create("source", "qcow", "cluster_size=4k", SIZE);
        source = open_image("source", "qcow", BLK_O_RDWR);
        write_runs(source, i, 50, 512);
        m = measure(source, option_sets[i], -1);
        convert(source, option_sets[i], false);
        g_assert_cmpint(length_of("target.qcow"), <=, m.required);
        g_assert_cmpint(length_of("target.qcow"), >=, m.required / 2);
    }
}

static void test_full(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(option_sets); i++) {
        g_autoptr(MemDisk) d = mem_disk_new(NULL, SIZE);
        g_autoptr(BlockBackend) source = NULL;
        BlockMeasure m;

        image_fill(d, 0, 1, SIZE);
        source = open_raw(d);
        m = measure(source, option_sets[i], -1);
        g_assert_cmpint(m.required, ==, m.fully_allocated);
        convert(source, option_sets[i], false);
        g_assert_cmpint(length_of("target.qcow"), ==, m.required);
    }
}

/* Only the overlay's own clusters go to a target that has a backing file. */
static void test_overlay(void)
{
    g_autoptr(BlockBackend) base = NULL, source = NULL;
    g_autofree char *base_path = path_of("base");
    g_autofree char *options = g_strdup_printf("backing_file=%s,backing_fmt=raw", base_path);
    BlockMeasure own, all;

    create("base", "raw", NULL, SIZE);
    base = open_image("base", "raw", BLK_O_RDWR);
    write_runs(base, 1, 60, 65536);
    g_assert_cmpint(blk_close(base), ==, 0);
    create("source", "qcow", options, SIZE);
    source = open_image("source", "qcow", BLK_O_RDWR);
    write_runs(source, 2, 20, 4096);
    g_assert_cmpint(blk_flush(source), ==, 0);

    own = measure(source, options, -1);
    convert(source, options, true);
    g_assert_cmpint(length_of("target.qcow"), ==, own.required);
    all = measure(source, NULL, -1);
    convert(source, NULL, false);
    g_assert_cmpint(length_of("target.qcow"), <=, all.required);
    g_assert_cmpint(all.required, >, own.required);
}

int main(int argc, char **argv)
{
    static const char *const files[] = { "source", "target.qcow", "base" };
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    dir = g_dir_make_tmp("cairn-measure-XXXXXX", NULL);
    g_test_add_func("/qcow/measure/no-source/is-the-new-file", test_empty);
    g_test_add_func("/qcow/measure/what-cannot-be/is-refused", test_refusals);
    g_test_add_func("/qcow/measure/raw/is-exact", test_raw);
    g_test_add_func("/qcow/measure/qcow/is-an-upper-bound", test_qcow);
    g_test_add_func("/qcow/measure/full/is-fully-allocated", test_full);
    g_test_add_func("/qcow/measure/backing-file-of-the-target/leaves-out-the-rest", test_overlay);
    ret = g_test_run();
    cairn_context_unref(ctx);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = path_of(files[i]);

        g_unlink(path);
    }
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
