/* SPDX-License-Identifier: MIT */
/*
 * Real filters on real images, one above the other: threads write, zero and read a disk of known
 * content, each its own part, while it is drained, reopened and flushed. Then the images are
 * opened without the filters, and hold what they should.
 */
#include "io-driver.h"

#include <glib/gstdio.h>

enum {
    STACK_BYTES = 1 << 20, STACK_THREADS = 4, STACK_PART = STACK_BYTES / STACK_THREADS,
    STACK_ROUNDS = 250,
};

/* $ stands for the folder. */
typedef struct StackCase {
    const char *options;
    const char *images[3];      /* what holds the content afterwards: option strings */
} StackCase;

#define TOP "driver=qcow,file.filename=$/top.qcow"

static const StackCase case_copy = {
    "driver=copy-on-read,file.driver=throttle,file.throttle-group=g,file.file.driver=qcow,"
    "file.file.file.driver=blkverify,file.file.file.raw.driver=file,"
    "file.file.file.raw.filename=$/ref.bin,file.file.file.test.driver=file,"
    "file.file.file.test.filename=$/top.qcow,file.file.backing.driver=raw,"
    "file.file.backing.file.filename=$/base.raw",
    { TOP, "driver=qcow,file.filename=$/ref.bin" },
};
static const StackCase case_compress = {
    "driver=throttle,throttle-group=g,file.driver=compress,file.file.driver=throttle,"
    "file.file.throttle-group=h,file.file.file.driver=qcow,file.file.file.file.driver=preallocate,"
    "file.file.file.file.prealloc-size=256k,file.file.file.file.prealloc-align=4k,"
    "file.file.file.file.file.filename=$/top.qcow",
    { TOP },
};
static const StackCase case_compressed_copy = {
    "driver=copy-on-read,file.driver=compress,file.file.driver=qcow,file.file.file.driver=throttle,"
    "file.file.file.throttle-group=h,file.file.file.file.filename=$/top.qcow",
    { TOP },
};
static const StackCase case_quorum = {
    "driver=throttle,throttle-group=g,file.driver=quorum,file.vote-threshold=2,"
    "file.rewrite-corrupted=on,file.children.0.driver=copy-on-read,"
    "file.children.0.file.driver=qcow,file.children.0.file.file.filename=$/top.qcow,"
    "file.children.1.driver=throttle,file.children.1.throttle-group=h,"
    "file.children.1.file.driver=raw,file.children.1.file.file.filename=$/one.raw,"
    "file.children.2.driver=raw,file.children.2.file.driver=preallocate,"
    "file.children.2.file.file.filename=$/two.raw",
    { TOP, "driver=raw,file.filename=$/one.raw", "driver=raw,file.filename=$/two.raw" },
};

typedef struct StackFixture {
    CairnContext *ctx;
    char *dir;
    uint8_t *wanted;            /* what the disk should hold; each thread changes its part */
    BlockBackend *blk;
    gint running;               /* atomic: threads */
} StackFixture;

static char *stack_options(StackFixture *f, const char *options)
{
    g_auto(GStrv) parts = g_strsplit(options, "$", -1);

    return g_strjoinv(f->dir, parts);
}

static void stack_put_file(StackFixture *f, const char *name, const void *data, gsize bytes)
{
    g_autofree char *path = g_build_filename(f->dir, name, NULL);

    g_assert_true(g_file_set_contents(path, data, (gssize)bytes, NULL));
}

static void stack_warned(const char *text, void *opaque)
{
    g_error("%s", text);        /* no child of a quorum is accused, no copy differs */
}

static void stack_create_overlay(StackFixture *f)
{
    g_autofree char *path = g_build_filename(f->dir, "top.qcow", NULL);
    g_autoptr(QDict) options = qdict_new();
    g_autofree char *content = NULL;
    g_autoptr(GError) error = NULL;
    gsize bytes;

    qdict_put_str(options, "backing_file", "base.raw");
    qdict_put_str(options, "backing_fmt", "raw");
    blk_create(f->ctx, path, "qcow", options, STACK_BYTES, &error);
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &content, &bytes, NULL));
    stack_put_file(f, "ref.bin", content, bytes);
}

static void stack_open(StackFixture *f, const StackCase *c)
{
    g_autofree char *options = NULL;

    *f = (StackFixture){ .ctx = cairn_context_new(), .wanted = g_malloc(STACK_BYTES) };
    f->dir = g_dir_make_tmp("cairn-stack-XXXXXX", NULL);
    cairn_context_set_warn_func(f->ctx, stack_warned, NULL);
    g_assert_true(cairn_object_add(f->ctx, "throttle-group,id=g,x-iops-total=20000", NULL));
    g_assert_true(cairn_object_add(f->ctx, "throttle-group,id=h,x-bps-total=500000000", NULL));
    mem_fill(f->wanted, STACK_BYTES, 1);
    memset(f->wanted + 100000, 0, 300000);
    stack_put_file(f, "base.raw", f->wanted, STACK_BYTES);
    stack_put_file(f, "one.raw", f->wanted, STACK_BYTES);
    stack_put_file(f, "two.raw", f->wanted, STACK_BYTES);
    stack_create_overlay(f);
    options = stack_options(f, c->options);
    f->blk = mem_open_blk(f->ctx, options, BLK_O_RDWR);
}

static void stack_assert_content(StackFixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(STACK_BYTES);

    g_assert_cmpint(blk_getlength(blk), ==, STACK_BYTES);
    g_assert_cmpint(blk_pread(blk, 0, STACK_BYTES, buf), ==, 0);
    for (int i = 0; i < STACK_BYTES; i++) {
        g_assert_cmpint(buf[i], ==, f->wanted[i]);
    }
}

static void stack_assert_image(StackFixture *f, const char *image)
{
    g_autofree char *options = stack_options(f, image);
    BlockBackend *blk = mem_open_blk(f->ctx, options, 0);
    BlockCheckResult result = { 0 };

    stack_assert_content(f, blk);
    if (g_str_has_prefix(image, "driver=qcow")) {
        g_assert_true(blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, NULL));
        g_assert_cmpint(result.corruptions, ==, 0);
    }
    blk_unref(blk);
}

static void stack_close(StackFixture *f, const StackCase *c)
{
    static const char *const names[] = { "base.raw", "one.raw", "two.raw", "top.qcow", "ref.bin" };

    stack_assert_content(f, f->blk);
    g_assert_cmpint(blk_close(f->blk), ==, 0);
    blk_unref(f->blk);
    for (int i = 0; i < 3 && c->images[i]; i++) {
        stack_assert_image(f, c->images[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(f->dir, names[i], NULL);

        g_unlink(path);
    }
    g_rmdir(f->dir);
    g_free(f->dir);
    g_free(f->wanted);
    cairn_context_unref(f->ctx);
}

/* ---- threads ------------------------------------------------------------------------- */

typedef struct StackThread {
    StackFixture *f;
    int index;
} StackThread;

static void stack_one(StackFixture *f, GRand *rand, int64_t start)
{
    int64_t bytes = g_rand_int_range(rand, 1, g_rand_boolean(rand) ? 40000 : 600);
    int64_t offset = start + g_rand_int_range(rand, 0, (gint32)(STACK_PART - bytes));
    g_autofree uint8_t *buf = g_malloc(bytes);
    int ret;

    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
    case 1:
        mem_fill(f->wanted + offset, bytes, g_rand_int(rand));
        ret = blk_pwrite(f->blk, offset, bytes, f->wanted + offset, 0);
        break;
    case 2:
        memset(f->wanted + offset, 0, bytes);
        ret = blk_pwrite_zeroes(f->blk, offset, bytes, 0);
        break;
    case 3:
        ret = blk_flush(f->blk);
        break;
    default:
        ret = blk_pread(f->blk, offset, bytes, buf);
        g_assert_cmpmem(buf, bytes, f->wanted + offset, bytes);
    }
    g_assert_cmpint(ret, ==, 0);
}

static void *stack_main(void *opaque)
{
    StackThread *t = opaque;
    g_autoptr(GRand) rand = g_rand_new_with_seed(t->index + 10);

    for (int i = 0; i < STACK_ROUNDS; i++) {
        stack_one(t->f, rand, (int64_t)t->index * STACK_PART);
    }
    g_atomic_int_add(&t->f->running, -1);
    return NULL;
}

static void stack_disturb(StackFixture *f, int round)
{
    g_autoptr(QDict) options = qdict_new();

    blk_drain(f->blk);
    qdict_put_str(options, "detect-zeroes", round % 2 ? "on" : "off");
    g_assert_true(blk_reopen(f->blk, options, NULL));
    g_usleep(3000);
}

static void test_stack(gconstpointer data)
{
    const StackCase *c = data;
    StackThread states[STACK_THREADS];
    GThread *threads[STACK_THREADS];
    StackFixture f;

    stack_open(&f, c);
    f.running = STACK_THREADS;
    for (int i = 0; i < STACK_THREADS; i++) {
        states[i] = (StackThread){ .f = &f, .index = i };
        threads[i] = g_thread_new("stack", stack_main, &states[i]);
    }
    for (int i = 0; g_atomic_int_get(&f.running) > 0; i++) {
        stack_disturb(&f, i);
    }
    for (int i = 0; i < STACK_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    stack_close(&f, c);
}

/* Filters come and go above the disk while it is used. */
static void test_come_and_go(void)
{
    static const StackCase plain = { TOP, { TOP } };
    static const char *const filters[] = {
        "driver=throttle,throttle-group=g", "driver=copy-on-read", "driver=compress",
        "driver=preallocate",
    };
    StackThread states[STACK_THREADS];
    GThread *threads[STACK_THREADS];
    StackFixture f;

    stack_open(&f, &plain);
    f.running = STACK_THREADS;
    for (int i = 0; i < STACK_THREADS; i++) {
        states[i] = (StackThread){ .f = &f, .index = i };
        threads[i] = g_thread_new("stack", stack_main, &states[i]);
    }
    for (int i = 0; i < 8 || g_atomic_int_get(&f.running) > 0; i++) {
        g_autoptr(QDict) options = qdict_from_keyval(filters[i % 4], NULL, NULL);
        g_autoptr(GError) error = NULL;

        blk_insert_filter(f.blk, options, &error);
        g_assert_no_error(error);
        g_usleep(3000);
        blk_remove_filter(f.blk, &error);
        g_assert_no_error(error);
    }
    for (int i = 0; i < STACK_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    stack_close(&f, &plain);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/filter-stack/copy-on-read-throttle-qcow-blkverify/holds", &case_copy,
                         test_stack);
    g_test_add_data_func("/filter-stack/throttle-compress-throttle-qcow-preallocate/holds",
                         &case_compress, test_stack);
    g_test_add_data_func("/filter-stack/copy-on-read-compress-qcow-throttle/holds",
                         &case_compressed_copy, test_stack);
    g_test_add_data_func("/filter-stack/throttle-quorum-of-three/holds", &case_quorum, test_stack);
    g_test_add_func("/filter-stack/filters-come-and-go/holds", test_come_and_go);
    return g_test_run();
}
