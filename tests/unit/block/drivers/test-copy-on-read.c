/* SPDX-License-Identifier: MIT */
/* copy-on-read: what is read becomes the image's own, and no write is lost to it. */
#include "io-driver.h"

#include "overlay-driver.h"

/* "stop": a filter that lets a copy wait at the event cor_write, between its read and its write. */
typedef struct StopState {
    gint armed, stopped;        /* atomic */
} StopState;

static bool stop_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static void coroutine_fn stop_co_debug_event(BlockDriverState *bs, const char *event)
{
    StopState *s = bs->opaque;

    if (strcmp(event, "cor_write") != 0) {
        return;
    }
    g_atomic_int_inc(&s->stopped);
    while (g_atomic_int_get(&s->armed)) {
        co_sleep_ns(10000);
    }
}

static const BlockDriver bdrv_stop = {
    .format_name = "stop", .instance_size = sizeof(StopState), .is_filter = true,
    .bdrv_open = stop_open, .bdrv_co_debug_event = stop_co_debug_event,
};

static CairnContext *cor_context(void)
{
    CairnContext *ctx = mem_context();

    g_assert_true(bdrv_register(ctx, &bdrv_ov, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_stop, NULL));
    return ctx;
}

#define THREE "driver=copy-on-read,node-name=cor,file.driver=ov,file.node-name=top,file.size=1M," \
    "file.backing.driver=ov,file.backing.node-name=mid,file.backing.size=1M," \
    "file.backing.backing.driver=ov,file.backing.backing.node-name=base," \
    "file.backing.backing.size=1M"
#define STOPPED "driver=copy-on-read,file.driver=stop,file.node-name=stop,file.file.driver=ov," \
    "file.file.node-name=top,file.file.size=1M,file.file.backing.driver=ov," \
    "file.file.backing.node-name=base,file.file.backing.size=1M"

static int cor_read(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    return blk_pread(blk, offset, bytes, buf);
}

/* Units @first.. of the image are its own, the others are not. */
static void assert_own(CairnContext *ctx, int first, int count)
{
    OvState *s = ov_state(ctx, "top");

    for (int i = 0; i < 256; i++) {
        g_assert_cmpint(s->is_own[i], ==, i >= first && i < first + count);
    }
}

static char *cor_refused(CairnContext *ctx, const char *options, int flags)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open_opts(ctx, options, flags, &error));
    return g_strndup(error->message, strcspn(error->message, "\n"));
}

/* ---- what is copied ------------------------------------------------------------- */

static void test_copies(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE, BLK_O_RDWR);
    BlockStatus status;

    ov_put(ctx, "base", 0, 100, 1);
    ov_put(ctx, "mid", 10, 10, 2);
    g_assert_cmpint(cor_read(blk, 9 * OV_UNIT + 100, 2 * OV_UNIT), ==, 0);
    assert_own(ctx, 9, 3);
    for (int i = 0; i < 30; i++) {
        g_assert_cmpint(ov_state(ctx, "top")->data[i * OV_UNIT], ==,
                        i == 9 ? 1 : i == 10 || i == 11 ? 2 : 0);
    }
    g_assert_cmpint(ov_get(blk, 9), ==, 1);
    g_assert_cmpint(ov_get(blk, 11), ==, 2);
    g_assert_cmpint(blk_block_status_chain(blk, 9 * OV_UNIT, 10 * OV_UNIT, &status), ==, 0);
    g_assert_cmpint(status.depth, ==, 0);
    g_assert_cmpint(status.bytes, ==, 3 * OV_UNIT);
}

static void test_copies_once(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE, BLK_O_RDWR);
    OvState *top = ov_state(ctx, "top");
    int writes;

    ov_put(ctx, "base", 0, 100, 1);
    g_assert_cmpint(cor_read(blk, 0, 10 * OV_UNIT), ==, 0);
    writes = top->writes;
    g_assert_cmpint(writes, >, 0);
    g_assert_cmpint(cor_read(blk, 0, 10 * OV_UNIT), ==, 0);
    g_assert_cmpint(top->writes, ==, writes);
    assert_own(ctx, 0, 10);
}

static void test_zeros(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE, BLK_O_RDWR);

    ov_put(ctx, "mid", 3, 1, 0);
    ov_put(ctx, "base", 3, 1, 9);
    g_assert_cmpint(ov_get(blk, 3), ==, 0);
    assert_own(ctx, 3, 1);
    g_assert_cmpint(ov_state(ctx, "top")->data[3 * OV_UNIT], ==, 0);
}

static void test_beyond_backing(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(
        ctx, "driver=copy-on-read,file.driver=ov,file.node-name=top,file.size=1M,"
        "file.backing.driver=ov,file.backing.node-name=base,file.backing.size=16k", BLK_O_RDWR);
    g_autoptr(BlockBackend) single = ov_open_blk(
        ctx, "driver=copy-on-read,file.driver=ov,file.node-name=single", BLK_O_RDWR);

    g_assert_cmpint(cor_read(blk, 3 * OV_UNIT, 10 * OV_UNIT), ==, 0);
    assert_own(ctx, 3, 1);
    g_assert_cmpint(cor_read(single, 0, 1 * MiB), ==, 0);
    g_assert_cmpint(ov_state(ctx, "single")->writes, ==, 0);
}

/* memcow has clusters of 4096 bytes, and is allocated by 512. */
static void test_clusters(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = mem_open_blk(
        ctx, "driver=copy-on-read,file.driver=memcow,file.node-name=cow,file.file.driver=mem,"
        "file.file.size=1000k,file.backing.driver=mem,file.backing.size=1M", BLK_O_RDWR);
    MemCowState *cow = bdrv_find_node(ctx, "cow")->opaque;

    g_assert_cmpint(cor_read(blk, 5000, 10), ==, 0);
    for (int i = 0; i < 2000; i++) {
        g_assert_cmpint(cow->is_allocated[i], ==, i >= 8 && i < 16);
    }
    /* The last cluster is short. */
    g_assert_cmpint(cor_read(blk, 1023999, 1), ==, 0);
    g_assert_true(cow->is_allocated[1999]);
    g_assert_false(cow->is_allocated[2000]);
}

/* Larger than one copy. */
static void test_long_read(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(
        ctx, "driver=copy-on-read,file.driver=ov,file.node-name=top,file.size=5M,"
        "file.backing.driver=ov,file.backing.node-name=base,file.backing.size=5M", BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc(4 * MiB);
    OvState *base = ov_state(ctx, "base"), *top = ov_state(ctx, "top");

    mem_fill(base->data, 5 * MiB, 3);
    memset(base->is_own, true, 5 * MiB / OV_UNIT);
    top->is_own[300] = true;
    memset(base->data + 300 * OV_UNIT, 0, OV_UNIT);
    g_assert_cmpint(blk_pread(blk, 512 * 1024 + 7, 4 * MiB, buf), ==, 0);
    g_assert_cmpmem(buf, 4 * MiB, base->data + 512 * 1024 + 7, 4 * MiB);
    for (int i = 0; i < 1280; i++) {
        g_assert_cmpint(top->is_own[i], ==, i >= 128 && i <= 1152);
    }
    g_assert_cmpmem(top->data + 128 * OV_UNIT, 1025 * OV_UNIT, base->data + 128 * OV_UNIT,
                    1025 * OV_UNIT);
}

static void test_bottom(void)
{
    static const struct {
        const char *bottom;
        int own;                /* mask: what of mid is copied, what of base */
    } cases[] = { { "top", 0 }, { "mid", 1 }, { "base", 3 } };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CairnContext) ctx = cor_context();
        g_autofree char *options = g_strdup_printf(THREE ",bottom=%s", cases[i].bottom);
        g_autoptr(BlockBackend) blk = ov_open_blk(ctx, options, BLK_O_RDWR);
        OvState *top = ov_state(ctx, "top");

        ov_put(ctx, "base", 0, 8, 1);
        ov_put(ctx, "mid", 2, 2, 2);
        g_assert_cmpint(cor_read(blk, 0, 8 * OV_UNIT), ==, 0);
        for (int unit = 0; unit < 8; unit++) {
            bool is_mids = unit == 2 || unit == 3;

            g_assert_cmpint(top->is_own[unit], ==, (cases[i].own & (is_mids ? 1 : 2)) != 0);
            g_assert_cmpint(ov_get(blk, unit), ==, is_mids ? 2 : 1);
        }
    }
}

/* As a job may change the chain. */
static void test_bottom_leaves(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE ",bottom=mid", BLK_O_RDWR);
    g_autoptr(GError) error = NULL;

    ov_put(ctx, "base", 0, 8, 1);
    g_assert_true(cairn_node_set_backing(ctx, "top", "base", &error));
    g_assert_null(bdrv_find_node(ctx, "mid"));
    g_assert_cmpint(ov_get(blk, 3), ==, 1);
    assert_own(ctx, 0, 0);
}

/* ---- refusals and failures -------------------------------------------------------------- */

static void test_refusals(void)
{
    static const struct {
        const char *options;
        int flags;
        const char *message;
    } cases[] = {
        { THREE, 0, "Block node is read-only" },
        { THREE ",file.read-only=on", BLK_O_RDWR, "Block node is read-only" },
        { THREE ",bottom=nope", BLK_O_RDWR, "Bottom node 'nope' not found" },
        { THREE ",bottom=", BLK_O_RDWR, "Bottom node '' not found" },
        { THREE ",bottom=cor", BLK_O_RDWR, "Bottom node 'cor' is a filter" },
        { STOPPED ",bottom=stop", BLK_O_RDWR, "Bottom node 'stop' is a filter" },
        { THREE ",file.file.driver=mem", BLK_O_RDWR, "Block format 'ov' does not support the "
          "option 'file.driver'" },
        { THREE ",bogus=1", BLK_O_RDWR, "Block format 'copy-on-read' does not support the option "
          "'bogus'" },
        { "driver=copy-on-read", BLK_O_RDWR, "A block device must be specified for \"file\"" },
        { "driver=copy-on-read,file=nope", BLK_O_RDWR, "Cannot find device='nope' nor "
          "node-name='nope'" },
    };
    g_autoptr(CairnContext) ctx = cor_context();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *message = cor_refused(ctx, cases[i].options, cases[i].flags);

        g_assert_cmpstr(message, ==, cases[i].message);
    }
}

static void test_failed_copy(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE, BLK_O_RDWR);
    OvState *top = ov_state(ctx, "top");

    ov_put(ctx, "base", 0, 100, 1);
    top->fail_writes = ENOSPC;
    g_assert_cmpint(cor_read(blk, 0, OV_UNIT), ==, -ENOSPC);
    assert_own(ctx, 0, 0);
    top->fail_writes = 0;
    ov_state(ctx, "base")->fail_reads = EIO;
    g_assert_cmpint(cor_read(blk, 0, OV_UNIT), ==, -EIO);
    assert_own(ctx, 0, 0);
    ov_state(ctx, "base")->fail_reads = 0;
    g_assert_cmpint(ov_get(blk, 0), ==, 1);
    assert_own(ctx, 0, 1);
}

static void test_reopen(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE, BLK_O_RDWR);
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(options, "read-only", "on");
    g_assert_false(blk_reopen(blk, options, &error));
    g_assert_cmpstr(error->message, ==, "Block node is read-only");
    ov_put(ctx, "base", 0, 100, 1);
    g_assert_cmpint(ov_get(blk, 7), ==, 1);
    assert_own(ctx, 7, 1);
}

/* ---- writes meanwhile ----------------------------------------------------------------------- */

static void cor_done(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    g_atomic_int_inc((gint *)opaque);
}

static void cor_poll_until(const gint *value, gint wanted)
{
    while (g_atomic_int_get(value) < wanted) {
        aio_context_poll(aio_context_ensure(), true);
    }
}

/* The copy has read the old bytes, and waits. A write of new ones comes then. */
static void test_write_during_copy(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, STOPPED, BLK_O_RDWR);
    StopState *stop = bdrv_find_node(ctx, "stop")->opaque;
    uint8_t old[OV_UNIT], fresh[OV_UNIT];
    IOVector to, from;
    gint reads = 0, writes = 0;

    ov_put(ctx, "base", 0, 100, 1);
    memset(fresh, 2, sizeof(fresh));
    io_vector_init_buf(&to, old, sizeof(old));
    io_vector_init_buf(&from, fresh, sizeof(fresh));
    g_atomic_int_set(&stop->armed, 1);
    blk_aio_preadv(blk, 4 * OV_UNIT, &to, 0, cor_done, &reads);
    cor_poll_until(&stop->stopped, 1);
    blk_aio_pwritev(blk, 4 * OV_UNIT, &from, 0, cor_done, &writes);
    for (int i = 0; i < 50; i++) {
        aio_context_poll(aio_context_ensure(), true);
    }
    g_assert_cmpint(writes, ==, 0);             /* the range is the copy's */
    g_atomic_int_set(&stop->armed, 0);
    cor_poll_until(&reads, 1);
    cor_poll_until(&writes, 1);
    g_assert_cmpint(ov_get(blk, 4), ==, 2);
    assert_own(ctx, 4, 1);
}

/* A write elsewhere does not wait. */
static void test_write_elsewhere(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, STOPPED, BLK_O_RDWR);
    StopState *stop = bdrv_find_node(ctx, "stop")->opaque;
    uint8_t old[OV_UNIT], fresh[OV_UNIT] = { 0 };
    IOVector to;
    gint reads = 0;

    io_vector_init_buf(&to, old, sizeof(old));
    g_atomic_int_set(&stop->armed, 1);
    blk_aio_preadv(blk, 4 * OV_UNIT, &to, 0, cor_done, &reads);
    cor_poll_until(&stop->stopped, 1);
    g_assert_cmpint(blk_pwrite(blk, 5 * OV_UNIT, OV_UNIT, fresh, 0), ==, 0);
    g_assert_cmpint(reads, ==, 0);
    g_atomic_int_set(&stop->armed, 0);
    cor_poll_until(&reads, 1);
}

/*
 * Threads that read everything, again and again, while each writer counts up in bytes of its own:
 * what it has written must never go back to what the backing file holds.
 */
enum { COR_UNITS = 48, COR_WRITERS = 3, COR_READERS = 2 };

typedef struct CorThread {
    BlockBackend *blk;
    int index;                  /* of a writer; -1: a reader */
} CorThread;

static void *cor_thread(void *opaque)
{
    CorThread *t = opaque;

    for (int unit = 0; unit < COR_UNITS; unit++) {
        int64_t offset = (int64_t)unit * OV_UNIT + t->index * 200;
        uint8_t buf[200], back[200];

        if (t->index < 0) {
            g_assert_cmpint(cor_read(t->blk, (int64_t)unit * OV_UNIT, 2 * OV_UNIT), ==, 0);
            continue;
        }
        for (int value = 2; value < 5; value++) {
            memset(buf, value, sizeof(buf));
            g_assert_cmpint(blk_pwrite(t->blk, offset, sizeof(buf), buf, 0), ==, 0);
            g_assert_cmpint(blk_pread(t->blk, offset, sizeof(back), back), ==, 0);
            g_assert_cmpmem(back, sizeof(back), buf, sizeof(buf));
        }
    }
    return NULL;
}

static void test_threads(void)
{
    g_autoptr(CairnContext) ctx = cor_context();
    g_autoptr(BlockBackend) blk = ov_open_blk(ctx, THREE, BLK_O_RDWR);
    CorThread states[COR_WRITERS + COR_READERS];
    GThread *threads[COR_WRITERS + COR_READERS];

    ov_put(ctx, "base", 0, COR_UNITS + 1, 1);
    for (int i = 0; i < COR_WRITERS + COR_READERS; i++) {
        states[i] = (CorThread){ .blk = blk, .index = i < COR_WRITERS ? i : -1 };
        threads[i] = g_thread_new("cor", cor_thread, &states[i]);
    }
    for (int i = 0; i < COR_WRITERS + COR_READERS; i++) {
        g_thread_join(threads[i]);
    }
    for (int unit = 0; unit < COR_UNITS; unit++) {
        uint8_t buf[OV_UNIT];

        g_assert_cmpint(blk_pread(blk, (int64_t)unit * OV_UNIT, OV_UNIT, buf), ==, 0);
        for (int i = 0; i < OV_UNIT; i++) {
            g_assert_cmpint(buf[i], ==, i < COR_WRITERS * 200 ? 4 : 1);
        }
    }
    assert_own(ctx, 0, COR_UNITS + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/copy-on-read/read/becomes-the-images-own", test_copies);
    g_test_add_func("/copy-on-read/second-read/copies-nothing", test_copies_once);
    g_test_add_func("/copy-on-read/zeros/are-copied-as-zeros", test_zeros);
    g_test_add_func("/copy-on-read/beyond-the-backing-file/nothing-is-copied",
                    test_beyond_backing);
    g_test_add_func("/copy-on-read/clusters/are-copied-whole", test_clusters);
    g_test_add_func("/copy-on-read/long-read/is-copied-in-pieces", test_long_read);
    g_test_add_func("/copy-on-read/bottom/is-the-last-that-is-copied-from", test_bottom);
    g_test_add_func("/copy-on-read/bottom/leaves-the-chain/nothing-is-copied", test_bottom_leaves);
    g_test_add_func("/copy-on-read/each-mistake/has-its-message", test_refusals);
    g_test_add_func("/copy-on-read/failed-copy/fails-the-read", test_failed_copy);
    g_test_add_func("/copy-on-read/reopen/read-only/is-refused", test_reopen);
    g_test_add_func("/copy-on-read/write-during-copy/is-not-overwritten", test_write_during_copy);
    g_test_add_func("/copy-on-read/write-elsewhere/does-not-wait", test_write_elsewhere);
    g_test_add_func("/copy-on-read/threads/no-write-goes-back", test_threads);
    return g_test_run();
}
