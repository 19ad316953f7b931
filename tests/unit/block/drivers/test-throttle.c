/* SPDX-License-Identifier: MIT */
/*
 * throttle: which requests wait, and that no drain does. "slow" is a group that lets one request
 * go and the next after an hour; what it holds up goes on in a drain only. The waits themselves
 * are those of test-throttle.
 */
#include "io-driver.h"

#include <glib/gstdio.h>

#define SLOW "throttle-group,id=slow,x-bps-total=1"
#define DISK(n, group) "driver=throttle,node-name=" n ",throttle-group=" group \
    ",file.driver=mem,file.node-name=" n "-mem"

static CairnContext *th_context(void)
{
    CairnContext *ctx = mem_context();

    g_assert_true(cairn_object_add(ctx, SLOW, NULL));
    g_assert_true(cairn_object_add(ctx, "throttle-group,id=free", NULL));
    return ctx;
}

static MemState *th_mem(CairnContext *ctx, const char *name)
{
    return bdrv_find_node(ctx, name)->opaque;
}

static void th_done(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    g_atomic_int_inc((gint *)opaque);
}

static void th_poll(void)
{
    while (aio_context_poll(aio_context_ensure(), false)) {
        /* all that can run */
    }
}

static void th_poll_until(const gint *value, gint wanted)
{
    while (g_atomic_int_get(value) < wanted) {
        aio_context_poll(aio_context_ensure(), true);
    }
}

/* An hour's worth in one request, which goes. */
static void th_use_up(BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(4096);

    g_assert_cmpint(blk_pread(blk, 0, 4096, buf), ==, 0);
}

typedef enum ThKind { TH_READ, TH_WRITE, TH_ZEROES, TH_DISCARD, TH_FLUSH, TH_KINDS } ThKind;

static uint8_t th_buf[512];
static IOVector th_iov;

static void th_submit(BlockBackend *blk, ThKind kind, gint *done)
{
    io_vector_init_buf(&th_iov, th_buf, sizeof(th_buf));
    switch (kind) {
    case TH_READ:
        blk_aio_preadv(blk, 0, &th_iov, 0, th_done, done);
        break;
    case TH_WRITE:
        blk_aio_pwritev(blk, 0, &th_iov, 0, th_done, done);
        break;
    case TH_ZEROES:
        blk_aio_pwrite_zeroes(blk, 0, 512, 0, th_done, done);
        break;
    case TH_DISCARD:
        blk_aio_pdiscard(blk, 0, 512, th_done, done);
        break;
    default:
        blk_aio_flush(blk, th_done, done);
    }
}

/* ---- who waits -------------------------------------------------------------------- */

static void test_kinds(void)
{
    static const char *const limits[] = { "x-bps-total=1", "x-bps-read=1", "x-bps-write=1",
                                          "x-iops-total=1", "limits.iops-read=1",
                                          "limits.iops-write=1" };

    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        for (int kind = 0; kind < TH_KINDS; kind++) {
            g_autoptr(CairnContext) ctx = th_context();
            g_autofree char *object = g_strconcat("throttle-group,id=g,", limits[i], NULL);
            g_autoptr(BlockBackend) blk = NULL;
            bool waits = kind != TH_FLUSH && (i % 3 == 0 || (i % 3 == 1) == (kind == TH_READ));
            gint done = 0;

            g_assert_true(cairn_object_add(ctx, object, NULL));
            blk = mem_open_blk(ctx, DISK("t", "g"), BLK_O_RDWR | BLK_O_UNMAP);
            for (int j = 0; j < 6; j++) {
                th_submit(blk, kind, &done);
            }
            th_poll();
            g_assert_cmpint(done, ==, waits ? 1 : 6);
            blk_drain(blk);
            th_poll_until(&done, 6);
        }
    }
}

static void test_no_limits(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autoptr(BlockBackend) blk = mem_open_blk(ctx, DISK("t", "free"), BLK_O_RDWR);
    gint done = 0;

    for (int i = 0; i < 1000; i++) {
        th_submit(blk, i % TH_KINDS, &done);
    }
    th_poll();
    g_assert_cmpint(done, ==, 1000);
}

static void test_compressed(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autoptr(BlockBackend) blk = mem_open_blk(
        ctx, "driver=throttle,throttle-group=slow,file.driver=memcow,file.node-name=cow,"
        "file.file.driver=mem", BLK_O_RDWR);
    MemCowState *cow = bdrv_find_node(ctx, "cow")->opaque;
    uint8_t buf[4096] = { 0 };
    IOVector iov;
    gint done = 0;

    io_vector_init_buf(&iov, buf, sizeof(buf));
    for (int i = 0; i < 3; i++) {
        blk_aio_pwritev(blk, i * 4096, &iov, BDRV_REQ_WRITE_COMPRESSED, th_done, &done);
    }
    th_poll();
    g_assert_cmpint(cow->compressed, ==, 1);
    blk_drain(blk);
    th_poll_until(&done, 3);
    g_assert_cmpint(cow->compressed, ==, 3);
}

/* What one disk has used the other does not get; a disk of another group does not mind. */
static void test_shared(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autoptr(BlockBackend) a = mem_open_blk(ctx, DISK("a", "slow"), BLK_O_RDWR);
    g_autoptr(BlockBackend) b = mem_open_blk(ctx, DISK("b", "slow"), BLK_O_RDWR);
    g_autoptr(BlockBackend) c = mem_open_blk(ctx, DISK("c", "free"), BLK_O_RDWR);
    gint done_b = 0, done_c = 0;

    th_use_up(a);
    th_submit(b, TH_READ, &done_b);
    th_submit(c, TH_READ, &done_c);
    th_poll();
    g_assert_cmpint(done_b, ==, 0);
    g_assert_cmpint(done_c, ==, 1);
    blk_drain(a);
    th_poll();
    g_assert_cmpint(done_b, ==, 0);     /* the drain was another disk's */
    blk_drain(b);
    th_poll_until(&done_b, 1);
}

/* ---- drains ------------------------------------------------------------------------- */

static void test_close(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    BlockBackend *blk = mem_open_blk(ctx, DISK("t", "slow"), BLK_O_RDWR);
    gint done = 0;

    th_use_up(blk);
    for (int i = 0; i < 100; i++) {
        th_submit(blk, i % TH_KINDS, &done);
    }
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
    th_poll_until(&done, 100);
    g_assert_null(bdrv_find_node(ctx, "t"));
}

/* Under a format: what its close still writes does not wait either. */
static void test_close_below_format(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autofree char *dir = g_dir_make_tmp("cairn-throttle-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "a.qcow", NULL);
    g_autofree char *options = g_strdup_printf("driver=qcow,file.driver=throttle,"
                                               "file.throttle-group=slow,file.file.driver=file,"
                                               "file.file.filename=%s", path);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) again = NULL;
    BlockBackend *blk;
    uint8_t back[512];
    gint done = 0;

    g_assert_true(blk_create(ctx, path, "qcow", NULL, 1 << 20, &error));
    blk = mem_open_blk(ctx, options, BLK_O_RDWR);
    memset(th_buf, 0x5a, sizeof(th_buf));
    th_submit(blk, TH_WRITE, &done);
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
    th_poll_until(&done, 1);
    g_free(options);
    options = g_strdup_printf("driver=qcow,file.filename=%s", path);
    again = mem_open_blk(ctx, options, 0);
    g_assert_cmpint(blk_pread(again, 0, 512, back), ==, 0);
    g_assert_cmpmem(back, 512, th_buf, 512);
    g_clear_pointer(&again, blk_unref);
    g_unlink(path);
    g_rmdir(dir);
}

static void th_reopen(BlockBackend *blk, const char *key, const char *value, const char *message)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(options, key, value);
    g_assert_cmpint(blk_reopen(blk, options, &error), ==, !message);
    if (message) {
        g_assert_cmpstr(error->message, ==, message);
    }
}

static void test_reopen(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autoptr(BlockBackend) blk = mem_open_blk(ctx, DISK("t", "slow"), BLK_O_RDWR);
    gint done = 0;

    th_use_up(blk);
    th_submit(blk, TH_READ, &done);
    th_submit(blk, TH_WRITE, &done);
    th_poll();
    g_assert_cmpint(done, ==, 0);
    th_reopen(blk, "throttle-group", "nope", "Throttle group 'nope' does not exist");
    th_poll_until(&done, 2);
    th_submit(blk, TH_READ, &done);
    th_poll();
    g_assert_cmpint(done, ==, 2);               /* still slow */
    th_reopen(blk, "throttle-group", "free", NULL);
    for (int i = 0; i < 10; i++) {
        th_submit(blk, TH_READ, &done);
    }
    th_poll();
    g_assert_cmpint(done, ==, 13);
    th_reopen(blk, "throttle-group", "slow", NULL);
    th_submit(blk, TH_READ, &done);
    th_poll();
    g_assert_cmpint(done, ==, 13);              /* a group remembers what was used */
    blk_drain(blk);
    th_poll_until(&done, 14);
}

/* ---- open ----------------------------------------------------------------------------- */

static void test_refusals(void)
{
    static const struct {
        const char *options, *message;
    } cases[] = {
        { "driver=throttle,file.driver=mem", "Please specify a throttle group" },
        { "driver=throttle,file.driver=mem,throttle-group=nope",
          "Throttle group 'nope' does not exist" },
        { "driver=throttle,file.driver=mem,throttle-group=sec",
          "Throttle group 'sec' does not exist" },
        { "driver=throttle,throttle-group=nope",
          "A block device must be specified for \"file\"" },
        { DISK("t", "slow") ",bogus=1",
          "Block format 'throttle' does not support the option 'bogus'" },
        { "driver=throttle,throttle-group=slow,file.file.driver=mem",
          "Must specify either driver or file" },
    };
    g_autoptr(CairnContext) ctx = th_context();

    g_assert_true(cairn_object_add(ctx, "secret,id=sec,data=x", NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_null(blk_open_opts(ctx, cases[i].options, BLK_O_RDWR, &error));
        lines = g_strsplit(error->message, "\n", 2);
        g_assert_cmpstr(lines[0], ==, cases[i].message);
    }
}

static void test_insert(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autoptr(BlockBackend) blk = mem_open_blk(ctx, "driver=mem", BLK_O_RDWR);
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    gint done = 0;

    qdict_put_str(options, "driver", "throttle");
    qdict_put_str(options, "throttle-group", "slow");
    g_assert_true(blk_insert_filter(blk, options, &error));
    th_use_up(blk);
    th_submit(blk, TH_READ, &done);
    th_poll();
    g_assert_cmpint(done, ==, 0);
    g_assert_true(blk_remove_filter(blk, &error));
    th_poll_until(&done, 1);
    for (int i = 0; i < 10; i++) {
        th_submit(blk, TH_READ, &done);
    }
    th_poll();
    g_assert_cmpint(done, ==, 11);
}

/* ---- threads ---------------------------------------------------------------------------- */

enum { TH_THREADS = 4, TH_REQUESTS = 150 };

typedef struct ThThread {
    BlockBackend *blk;
    int index;
    gint *finished;
} ThThread;

static void *th_main(void *opaque)
{
    ThThread *t = opaque;
    uint8_t buf[512], back[512];
    IOVector from, to;
    gint done = 0;

    memset(buf, t->index + 1, sizeof(buf));
    io_vector_init_buf(&from, buf, sizeof(buf));
    io_vector_init_buf(&to, back, sizeof(back));
    for (int i = 0; i < TH_REQUESTS; i++) {
        int64_t offset = (t->index * TH_REQUESTS + i) * 512;

        blk_aio_pwritev(t->blk, offset, &from, 0, th_done, &done);
        blk_aio_preadv(t->blk, offset, &to, 0, th_done, &done);
        th_poll_until(&done, 2 * i - 6);        /* a few at a time */
    }
    th_poll_until(&done, 2 * TH_REQUESTS);
    g_atomic_int_inc(t->finished);
    return NULL;
}

/* Two disks of one group on four threads, with drains, reopens and closes of a third meanwhile. */
static void test_threads(void)
{
    g_autoptr(CairnContext) ctx = th_context();
    g_autoptr(BlockBackend) a = NULL, b = NULL;
    ThThread states[TH_THREADS];
    GThread *threads[TH_THREADS];
    gint finished = 0;

    g_assert_true(cairn_object_add(ctx, "throttle-group,id=one,x-iops-total=3000", NULL));
    g_assert_true(cairn_object_add(ctx, "throttle-group,id=two,x-bps-write=2000000", NULL));
    a = mem_open_blk(ctx, DISK("a", "one"), BLK_O_RDWR);
    b = mem_open_blk(ctx, DISK("b", "one"), BLK_O_RDWR);
    for (int i = 0; i < TH_THREADS; i++) {
        states[i] = (ThThread){ .blk = i % 2 ? a : b, .index = i, .finished = &finished };
        threads[i] = g_thread_new("throttled", th_main, &states[i]);
    }
    for (int i = 0; g_atomic_int_get(&finished) < TH_THREADS; i++) {
        BlockBackend *c = mem_open_blk(ctx, DISK("c", "one"), BLK_O_RDWR);
        gint done = 0;

        th_submit(c, TH_READ, &done);
        th_submit(c, TH_WRITE, &done);
        blk_unref(c);
        th_poll_until(&done, 2);
        blk_drain(i % 2 ? a : b);
        th_reopen(i % 2 ? b : a, "throttle-group", i % 4 < 2 ? "two" : "one", NULL);
        g_usleep(2000);
    }
    for (int i = 0; i < TH_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    for (int i = 0; i < TH_THREADS; i++) {
        MemState *mem = th_mem(ctx, i % 2 ? "a-mem" : "b-mem");

        for (int j = 0; j < TH_REQUESTS * 512; j++) {
            g_assert_cmpint(mem->data[i * TH_REQUESTS * 512 + j], ==, i + 1);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/driver-throttle/limits/hold-up-what-they-name", test_kinds);
    g_test_add_func("/driver-throttle/no-limits/nothing-waits", test_no_limits);
    g_test_add_func("/driver-throttle/compressed-writes/wait-and-stay-so", test_compressed);
    g_test_add_func("/driver-throttle/group/is-shared-by-disks", test_shared);
    g_test_add_func("/driver-throttle/close/does-not-wait", test_close);
    g_test_add_func("/driver-throttle/close/of-a-format-above/does-not-wait",
                    test_close_below_format);
    g_test_add_func("/driver-throttle/reopen/changes-the-group", test_reopen);
    g_test_add_func("/driver-throttle/each-mistake/has-its-message", test_refusals);
    g_test_add_func("/driver-throttle/inserted/holds-up-and-lets-go", test_insert);
    g_test_add_func("/driver-throttle/threads/nobody-is-forgotten", test_threads);
    return g_test_run();
}
