/* SPDX-License-Identifier: MIT */
/* quorum: children with the same content, and what is done about one that has other. */
#include "io-driver.h"

#define MEM(n) ",children." n ".driver=mem,children." n ".node-name=c" n
#define THREE "driver=quorum,vote-threshold=2" MEM("0") MEM("1") MEM("2")
#define TWO "driver=quorum,vote-threshold=2" MEM("0") MEM("1")

typedef struct QmFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem[3];
    GString *warnings;
    GMutex lock;                /* guards warnings */
} QmFixture;

static void qm_warn(const char *text, void *opaque)
{
    QmFixture *f = opaque;

    g_mutex_lock(&f->lock);
    g_string_append_printf(f->warnings, "%s\n", text);
    g_mutex_unlock(&f->lock);
}

static void qm_open(QmFixture *f, const char *options, int flags)
{
    *f = (QmFixture){ .ctx = mem_context(), .warnings = g_string_new(NULL) };
    g_mutex_init(&f->lock);
    cairn_context_set_warn_func(f->ctx, qm_warn, f);
    f->blk = mem_open_blk(f->ctx, options, flags);
    for (int i = 0; i < 3; i++) {
        char name[] = { 'c', (char)('0' + i), '\0' };
        BlockDriverState *bs = bdrv_find_node(f->ctx, name);

        f->mem[i] = bs ? bs->opaque : NULL;
    }
}

static void qm_close(QmFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
    g_string_free(f->warnings, TRUE);
    g_mutex_clear(&f->lock);
}

static void qm_fill(QmFixture *f, int64_t offset, int byte, int64_t bytes)
{
    for (int i = 0; i < 3 && f->mem[i]; i++) {
        memset(f->mem[i]->data + offset, byte, (size_t)bytes);
    }
}

/* What is read of 4096 bytes: one byte value, or -errno. */
static int qm_read(QmFixture *f, int64_t offset)
{
    uint8_t buf[4096];
    int ret = blk_pread(f->blk, offset, sizeof(buf), buf);

    for (size_t i = 1; i < sizeof(buf) && ret >= 0; i++) {
        g_assert_cmpint(buf[i], ==, buf[0]);
    }
    return ret < 0 ? ret : buf[0];
}

static int qm_write(QmFixture *f, int64_t offset, int byte, int flags)
{
    uint8_t buf[4096];

    memset(buf, byte, sizeof(buf));
    return blk_pwrite(f->blk, offset, sizeof(buf), buf, flags);
}

static int qm_warned(QmFixture *f, const char *part)
{
    int count = 0;

    for (const char *p = f->warnings->str; (p = strstr(p, part)); p++) {
        count++;
    }
    return count;
}

/* ---- voting -------------------------------------------------------------------------- */

static void test_agree(void)
{
    QmFixture f;

    qm_open(&f, THREE, BLK_O_RDWR);
    g_assert_cmpint(qm_write(&f, 5000, 7, 0), ==, 0);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(f.mem[i]->data[4999], ==, 0);
        g_assert_cmpint(f.mem[i]->data[5000], ==, 7);
        g_assert_cmpint(f.mem[i]->data[9095], ==, 7);
    }
    g_assert_cmpint(qm_read(&f, 5000), ==, 7);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 16384, 0), ==, 0);
    for (int i = 0; i < 3; i++) {
        g_assert_true(cairn_buffer_is_zero(f.mem[i]->data, 16384));
        g_assert_cmpint(f.mem[i]->zeroes, ==, 1);
    }
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem[0]->flushes + f.mem[1]->flushes + f.mem[2]->flushes, ==, 3);
    g_assert_cmpint(qm_write(&f, 0, 1, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem[0]->flushes + f.mem[1]->flushes + f.mem[2]->flushes, ==, 6);
    g_assert_cmpstr(f.warnings->str, ==, "");
    qm_close(&f);
}

static void test_loser(void)
{
    QmFixture f;

    for (int loser = 0; loser < 3; loser++) {
        qm_open(&f, THREE, BLK_O_RDWR);
        qm_fill(&f, 0, 1, 8192);
        f.mem[loser]->data[100] = 9;
        g_assert_cmpint(qm_read(&f, 0), ==, 1);
        g_assert_cmpint(f.mem[loser]->data[100], ==, 9);
        g_assert_cmpint(qm_warned(&f, "contents differ from the others' at offset 0, 4096 bytes"),
                        ==, 1);
        g_assert_nonnull(strstr(f.warnings->str, loser == 0 ? "child 0" : loser == 1 ? "child 1"
                                                                                     : "child 2"));
        g_assert_cmpint(qm_read(&f, 0), ==, 1);
        g_assert_cmpint(qm_warned(&f, "\n"), ==, 1);    /* once is enough */
        qm_close(&f);
    }
}

static void test_no_majority(void)
{
    QmFixture f;

    qm_open(&f, THREE ",rewrite-corrupted=on", BLK_O_RDWR);
    for (int i = 0; i < 3; i++) {
        f.mem[i]->data[0] = (uint8_t)i;
    }
    g_assert_cmpint(qm_read(&f, 0), ==, -EIO);
    g_assert_cmpint(qm_read(&f, 4096), ==, 0);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(f.mem[i]->data[0], ==, i);      /* nobody's data was put over another's */
    }
    qm_close(&f);
}

static void test_rewrite(void)
{
    QmFixture f;

    qm_open(&f, THREE ",rewrite-corrupted=on", BLK_O_RDWR);
    qm_fill(&f, 0, 1, 8192);
    memset(f.mem[1]->data + 1000, 9, 10);
    g_assert_cmpint(qm_read(&f, 0), ==, 1);
    g_assert_cmpmem(f.mem[1]->data, 4096, f.mem[0]->data, 4096);
    g_assert_cmpint(qm_read(&f, 0), ==, 1);
    g_assert_cmpint(f.mem[1]->writes, ==, 1);
    g_assert_cmpint(f.mem[0]->writes + f.mem[2]->writes, ==, 0);
    f.mem[0]->data[2000] = 9;
    f.mem[0]->fail = 0;
    g_assert_cmpint(qm_read(&f, 0), ==, 1);
    g_assert_cmpint(f.mem[0]->data[2000], ==, 1);
    qm_close(&f);
}

/* A read larger than one request votes piece by piece. */
static void test_pieces(void)
{
    g_autofree uint8_t *buf = g_malloc(3 * MiB);
    QmFixture f;

    qm_open(&f, "driver=quorum,vote-threshold=2,rewrite-corrupted=on,children.0.size=4M,"
            "children.1.size=4M,children.2.size=4M" MEM("0") MEM("1") MEM("2"), BLK_O_RDWR);
    qm_fill(&f, 0, 1, 4 * MiB);
    f.mem[0]->data[100] = 2;
    f.mem[1]->data[2 * MiB] = 2;
    f.mem[2]->data[3 * MiB - 1] = 2;
    g_assert_cmpint(blk_pread(f.blk, 50, 3 * MiB, buf), ==, 0);
    for (int64_t i = 0; i < 3 * MiB; i++) {
        g_assert_cmpint(buf[i], ==, 1);
    }
    for (int i = 1; i < 3; i++) {
        g_assert_cmpmem(f.mem[i]->data, 4 * MiB, f.mem[0]->data, 4 * MiB);
    }
    qm_close(&f);
}

static void test_blkverify(void)
{
    QmFixture f;

    qm_open(&f, TWO ",blkverify=on", BLK_O_RDWR);
    qm_fill(&f, 0, 1, 8192);
    g_assert_cmpint(qm_read(&f, 0), ==, 1);
    f.mem[1]->data[1000] = 2;
    g_assert_cmpint(qm_read(&f, 0), ==, -EIO);
    g_assert_cmpstr(f.warnings->str, ==,
                    "quorum: offset=0 bytes=4096 contents mismatch at offset 1000\n");
    g_assert_cmpint(qm_read(&f, 4096), ==, 1);
    f.mem[0]->fail = ENOSPC;
    g_assert_cmpint(qm_read(&f, 4096), ==, -ENOSPC);
    qm_close(&f);
}

static void test_fifo(void)
{
    QmFixture f;

    qm_open(&f, THREE ",read-pattern=fifo,rewrite-corrupted=on", BLK_O_RDWR);
    for (int i = 0; i < 3; i++) {
        memset(f.mem[i]->data, 1 + i, 4096);
    }
    g_assert_cmpint(qm_read(&f, 0), ==, 1);
    g_assert_cmpint(f.mem[1]->reads, ==, 0);
    f.mem[0]->fail = EIO;
    g_assert_cmpint(qm_read(&f, 0), ==, 2);
    g_assert_cmpint(qm_warned(&f, "child 0"), ==, 1);
    f.mem[1]->fail = EIO;
    f.mem[2]->fail = ENOSPC;
    g_assert_cmpint(qm_read(&f, 0), ==, -ENOSPC);
    qm_close(&f);
}

/* ---- failures -------------------------------------------------------------------------- */

typedef int QmOperation(QmFixture *f);

static int qm_do_read(QmFixture *f)
{
    int ret = qm_read(f, 0);

    return MIN(ret, 0);
}

static int qm_do_write(QmFixture *f)
{
    return qm_write(f, 0, 0, 0);
}

static int qm_do_zeroes(QmFixture *f)
{
    return blk_pwrite_zeroes(f->blk, 0, 4096, 0);
}

/* Only what has been written is flushed, so each time something is. */
static int qm_do_flush(QmFixture *f)
{
    int fails[3], ret;

    for (int i = 0; i < 3; i++) {
        fails[i] = f->mem[i]->fail;
        f->mem[i]->fail = 0;
    }
    g_assert_cmpint(qm_write(f, 8192, 0, 0), ==, 0);
    for (int i = 0; i < 3; i++) {
        f->mem[i]->fail = fails[i];
    }
    ret = blk_flush(f->blk);
    return ret;
}

/* The error of the most, of several the last one's: as the peer's. */
static void test_failures(void)
{
    static const struct {
        int fail[3], ret;
    } cases[] = {
        { { 0, 0, 0 }, 0 }, { { EIO, 0, 0 }, 0 }, { { 0, 0, ENOSPC }, 0 },
        { { EIO, ENOSPC, 0 }, -ENOSPC }, { { ENOSPC, EIO, 0 }, -EIO },
        { { EIO, ENOSPC, EIO }, -EIO }, { { ENOSPC, ENOSPC, ENOSPC }, -ENOSPC },
    };
    QmOperation *const operations[] = { qm_do_read, qm_do_write, qm_do_zeroes, qm_do_flush };
    static const char *const texts[] = { "reading failed", "writing failed", "writing failed",
                                         "flushing failed" };

    for (size_t op = 0; op < G_N_ELEMENTS(operations); op++) {
        QmFixture f;

        qm_open(&f, THREE, BLK_O_RDWR);
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
            for (int j = 0; j < 3; j++) {
                f.mem[j]->fail = cases[i].fail[j];
            }
            g_assert_cmpint(operations[op](&f), ==, cases[i].ret);
        }
        for (int j = 0; j < 3; j++) {
            f.mem[j]->fail = 0;
        }
        g_assert_cmpint(qm_warned(&f, texts[op]), ==, 3);       /* each child, once */
        g_assert_cmpint(qm_warned(&f, "\n"), ==, 3);
        qm_close(&f);
    }
}

/* A write that one child missed is found by the next read. */
static void test_missed_write(void)
{
    QmFixture f;

    qm_open(&f, THREE ",rewrite-corrupted=on", BLK_O_RDWR);
    qm_fill(&f, 0, 1, 4096);
    f.mem[2]->fail = EIO;
    g_assert_cmpint(qm_write(&f, 0, 5, 0), ==, 0);
    f.mem[2]->fail = 0;
    g_assert_cmpint(f.mem[2]->data[0], ==, 1);
    g_assert_cmpint(qm_read(&f, 0), ==, 5);
    g_assert_cmpint(f.mem[2]->data[0], ==, 5);
    qm_close(&f);
}

/* ---- open ----------------------------------------------------------------------------------- */

static void test_refusals(void)
{
    static const struct {
        const char *options;
        int flags;
        const char *message;
    } cases[] = {
        { "driver=quorum,vote-threshold=1", 0, "Number of provided children must be 1 or more" },
        { "driver=quorum,vote-threshold=1,file.driver=mem", 0,
          "Number of provided children must be 1 or more" },
        { "driver=quorum,vote-threshold=1,children.1.driver=mem", 0,
          "Option children is not a valid array" },
        { "driver=quorum,vote-threshold=1,children.x.driver=mem", 0,
          "Option children is not a valid array" },
        { "driver=quorum,vote-threshold=1,children.0.driver=mem,children.-1.driver=mem", 0,
          "Option children is not a valid array" },
        { "driver=quorum,vote-threshold=1,children.0.driver=mem,children.0x.driver=mem", 0,
          "Option children is not a valid array" },
        { "driver=quorum,vote-threshold=1,children.0.driver=mem,children.4294967297.driver=mem", 0,
          "Option children is not a valid array" },
        { "driver=quorum" MEM("0"), 0, "Parameter 'vote-threshold' expects a value >= 1" },
        { TWO ",vote-threshold=0", 0, "Parameter 'vote-threshold' expects a value >= 1" },
        { TWO ",vote-threshold=-1", 0, "Parameter 'vote-threshold' expects a value >= 1" },
        { TWO ",vote-threshold=x", 0, "Parameter 'vote-threshold' expects a number" },
        { TWO ",vote-threshold=3", 0, "threshold may not exceed children count" },
        { TWO ",vote-threshold=4294967298", 0, "threshold may not exceed children count" },
        { TWO ",read-pattern=bad", 0, "Please set read-pattern as fifo or quorum" },
        { THREE ",blkverify=on", 0, "blkverify=on can only be set if there are exactly two files "
          "and vote-threshold is 2" },
        { TWO ",blkverify=on,vote-threshold=1", 0, "blkverify=on can only be set if there are "
          "exactly two files and vote-threshold is 2" },
        { TWO ",blkverify=on,rewrite-corrupted=on", 0, "rewrite-corrupted=on cannot be used with "
          "blkverify=on" },
        { TWO ",rewrite-corrupted=on", 0, "Block node is read-only" },
        { TWO ",rewrite-corrupted=on,children.1.read-only=on", BLK_O_RDWR,
          "Block node is read-only" },
        { TWO ",children.1.size=512", 0,
          "Could not refresh total sector count: Input/output error" },
        { TWO ",children.0.filename=x", 0, "Block protocol 'mem' doesn't support the option "
          "'filename'" },
        { "driver=quorum,vote-threshold=1,children.0.filename=x", 0,
          "Must specify either driver or file" },
        { "driver=quorum,vote-threshold=1,children.0=nope", 0,
          "Cannot find device='nope' nor node-name='nope'" },
        { TWO ",bogus=1", 0, "Block format 'quorum' does not support the option 'bogus'" },
    };
    CairnContext *ctx = mem_context();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) lines = NULL;

        g_assert_null(blk_open_opts(ctx, cases[i].options, cases[i].flags, &error));
        lines = g_strsplit(error->message, "\n", 2);
        g_assert_cmpstr(lines[0], ==, cases[i].message);
    }
    cairn_context_unref(ctx);
}

static void test_json(void)
{
    static const char *const name = "json:{\"driver\": \"quorum\", \"vote-threshold\": 2, "
        "\"children\": [{\"driver\": \"mem\", \"size\": \"64k\", \"node-name\": \"a\"}, "
        "{\"driver\": \"mem\", \"size\": 65536}]}";
    CairnContext *ctx = mem_context();
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open(ctx, name, BLK_O_RDWR, &error), *again;
    g_autofree char *shown = NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(blk_get_filename(blk), ==, "json:{\"driver\": \"quorum\", "
                    "\"vote-threshold\": 2, \"children\": [{\"driver\": \"mem\", \"size\": "
                    "\"64k\"}, {\"driver\": \"mem\", \"size\": 65536}]}");
    g_assert_cmpint(blk_getlength(blk), ==, 65536);
    shown = g_strdup(blk_get_filename(blk));
    again = blk_open(ctx, shown, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(blk_get_filename(again), ==, shown);
    blk_unref(again);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* Nobody else writes to a child; and one node is not two children of a quorum that writes. */
static void test_permissions(void)
{
    g_autoptr(GError) error = NULL;
    QmFixture f;

    qm_open(&f, TWO, BLK_O_RDWR | BLK_O_SHARE_WRITE);
    g_assert_null(blk_open_opts(f.ctx, "c1", BLK_O_RDWR | BLK_O_SHARE_WRITE, &error));
    g_assert_error(error, CAIRN_ERROR, EPERM);
    g_clear_error(&error);
    g_assert_null(blk_open_opts(f.ctx, "driver=quorum,vote-threshold=2,children.0.driver=mem,"
                                "children.0.node-name=twice,children.1=twice", BLK_O_RDWR,
                                &error));
    g_assert_error(error, CAIRN_ERROR, EPERM);
    g_assert_null(bdrv_find_node(f.ctx, "twice"));
    qm_close(&f);
}

static void test_status(void)
{
    BlockStatus status;
    QmFixture f;

    qm_open(&f, TWO, 0);
    for (int i = 0; i < 2; i++) {
        memset(f.mem[i]->is_hole, true, 64 * sizeof(bool));
    }
    memset(f.mem[1]->is_hole + 16, false, 16 * sizeof(bool));
    g_assert_cmpint(blk_block_status(f.blk, 0, MiB, &status), ==, 0);
    g_assert_cmphex(status.flags, ==, BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED);
    g_assert_cmpint(status.bytes, ==, 8192);
    g_assert_cmpint(blk_block_status(f.blk, 8192, MiB, &status), ==, 0);
    g_assert_cmphex(status.flags, ==, BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED);
    g_assert_cmpint(status.bytes, ==, 8192);
    f.mem[0]->fail = EIO;
    g_assert_cmpint(blk_block_status(f.blk, 0, 4096, &status), ==, 0);
    g_assert_cmphex(status.flags & BDRV_BLOCK_DATA, !=, 0);
    f.mem[0]->fail = 0;
    qm_close(&f);
}

/* ---- at the same time -------------------------------------------------------------------- */

static void qm_done(void *opaque, int ret)
{
    g_assert_cmpint(ret, ==, 0);
    g_atomic_int_inc((gint *)opaque);
}

static void qm_poll_until(const gint *value, gint wanted)
{
    while (g_atomic_int_get(value) < wanted) {
        aio_context_poll(aio_context_ensure(), true);
    }
}

/* The guest changes its memory while the write is under way: slower children get the same. */
static void test_changing_memory(void)
{
    uint8_t buf[4096];
    IOVector iov;
    gint done = 0;
    QmFixture f;

    qm_open(&f, THREE, BLK_O_RDWR);
    f.mem[1]->yields = 3;
    f.mem[2]->yields = 7;
    memset(buf, 1, sizeof(buf));
    io_vector_init_buf(&iov, buf, sizeof(buf));
    blk_aio_pwritev(f.blk, 0, &iov, 0, qm_done, &done);
    memset(buf, 2, sizeof(buf));
    qm_poll_until(&done, 1);
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(f.mem[i]->data[0], ==, 1);
        g_assert_cmpint(f.mem[i]->data[4095], ==, 1);
    }
    qm_close(&f);
}

/* Overlapping writes reach all children in the same order, though these differ in speed. */
static void test_overlapping_writes(void)
{
    uint8_t bufs[8][1024];
    IOVector iovs[8];
    gint done = 0;
    QmFixture f;

    qm_open(&f, THREE, BLK_O_RDWR);
    f.mem[0]->yields = 2;
    f.mem[2]->yields = 5;
    f.mem[2]->yield_below = 600;        /* only some are slow */
    for (int i = 0; i < 8; i++) {
        memset(bufs[i], i + 1, sizeof(bufs[i]));
        io_vector_init_buf(&iovs[i], bufs[i], sizeof(bufs[i]));
        blk_aio_pwritev(f.blk, i * 200, &iovs[i], 0, qm_done, &done);
    }
    qm_poll_until(&done, 8);
    for (int i = 1; i < 3; i++) {
        g_assert_cmpmem(f.mem[i]->data, 4096, f.mem[0]->data, 4096);
    }
    qm_close(&f);
}

/*
 * Threads write and read the same few blocks. No read fails, no child is accused, all children
 * stay the same; what is read is what some write has written.
 */
enum { QM_THREADS = 4, QM_ROUNDS = 250 };

static void *qm_thread(void *opaque)
{
    QmFixture *f = opaque;

    for (int i = 0; i < QM_ROUNDS; i++) {
        int64_t offset = (i * 7 % 5) * 4096;

        g_assert_cmpint(qm_write(f, offset, 1 + i % 200, 0), ==, 0);
        g_assert_cmpint(qm_read(f, (i % 5) * 4096), >=, 0);
    }
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[QM_THREADS];
    QmFixture f;

    qm_open(&f, THREE ",rewrite-corrupted=on", BLK_O_RDWR);
    f.mem[0]->yields = 1;
    f.mem[2]->yields = 3;
    for (int i = 0; i < QM_THREADS; i++) {
        threads[i] = g_thread_new("quorum", qm_thread, &f);
    }
    for (int i = 0; i < QM_THREADS; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpstr(f.warnings->str, ==, "");
    for (int i = 1; i < 3; i++) {
        g_assert_cmpmem(f.mem[i]->data, 5 * 4096, f.mem[0]->data, 5 * 4096);
    }
    qm_close(&f);
}

/* A child that is wrong is put right while others write: nothing newer is lost to it. */
static void *qm_counter(void *opaque)
{
    QmFixture *f = opaque;

    for (int i = 1; i <= 200; i++) {
        g_assert_cmpint(qm_write(f, 0, i, 0), ==, 0);
        g_assert_cmpint(qm_read(f, 0), ==, i);
    }
    return NULL;
}

static void *qm_spoiler(void *opaque)
{
    QmFixture *f = opaque;

    for (int i = 0; i < 200; i++) {
        MemState *mem = f->mem[i % 3];

        g_mutex_lock(&mem->lock);
        mem->data[100] ^= 0xff;
        g_mutex_unlock(&mem->lock);
        g_assert_cmpint(qm_read(f, 0), >=, 0);
    }
    return NULL;
}

static void test_rewrite_race(void)
{
    GThread *counter, *spoiler;
    QmFixture f;

    qm_open(&f, THREE ",rewrite-corrupted=on", BLK_O_RDWR);
    f.mem[1]->yields = 1;
    f.mem[2]->yields = 2;
    counter = g_thread_new("counter", qm_counter, &f);
    spoiler = g_thread_new("spoiler", qm_spoiler, &f);
    g_thread_join(counter);
    g_thread_join(spoiler);
    g_assert_cmpint(qm_read(&f, 0), ==, 200);
    for (int i = 1; i < 3; i++) {
        g_assert_cmpmem(f.mem[i]->data, 4096, f.mem[0]->data, 4096);
    }
    qm_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/quorum/writes/go-to-all", test_agree);
    g_test_add_func("/quorum/loser/is-outvoted-and-reported-once", test_loser);
    g_test_add_func("/quorum/no-majority/is-an-error", test_no_majority);
    g_test_add_func("/quorum/rewrite/puts-the-loser-right", test_rewrite);
    g_test_add_func("/quorum/long-read/votes-in-pieces", test_pieces);
    g_test_add_func("/quorum/blkverify/difference-is-an-error", test_blkverify);
    g_test_add_func("/quorum/fifo/first-that-can-answers", test_fifo);
    g_test_add_func("/quorum/failures/are-outvoted-or-voted-on", test_failures);
    g_test_add_func("/quorum/missed-write/is-found", test_missed_write);
    g_test_add_func("/quorum/each-mistake/has-its-message", test_refusals);
    g_test_add_func("/quorum/json/names-it-again", test_json);
    g_test_add_func("/quorum/children/are-written-by-nobody-else", test_permissions);
    g_test_add_func("/quorum/status/zero-where-all-say-so", test_status);
    g_test_add_func("/quorum/changing-memory/children-get-the-same", test_changing_memory);
    g_test_add_func("/quorum/overlapping-writes/children-stay-the-same", test_overlapping_writes);
    g_test_add_func("/quorum/threads/no-child-is-accused", test_threads);
    g_test_add_func("/quorum/rewrite/race/nothing-newer-is-lost", test_rewrite_race);
    return g_test_run();
}
