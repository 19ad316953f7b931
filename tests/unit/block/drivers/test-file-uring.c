/* SPDX-License-Identifier: MIT */
/*
 * The file driver's engines: which one a node has, what goes by the ring, and that it makes no other
 * difference. All but the counts holds where there is no ring, too.
 */
#include "file-fixture.h"

#define RING_CALLS (1u << FILE_SYS_RING_READ | 1u << FILE_SYS_RING_WRITE)

enum { BLOCK = 4096, BLOCKS = FIXTURE_BYTES / BLOCK, PIECES = 2000 };

/* NULL where the file system has no direct I/O. */
static BlockBackend *open_direct(Fixture *f, int flags)
{
    BlockBackend *blk = fixture_try_open(f, "driver=file,filename=%s", flags | BLK_O_NOCACHE,
                                         NULL);

    if (!blk) {
        g_test_skip("no direct I/O on this file system");
    }
    return blk;
}

/* Whole blocks in memory that suits direct I/O. */
static uint8_t *new_blocks(size_t bytes)
{
    return g_aligned_alloc0(1, bytes, BLOCK);
}

/* ---- which engine ---- */

typedef struct EngineCase {
    const char *options;
    int flags;
    const char *engine;
} EngineCase;

static const EngineCase engine_cases[] = {
    { "", 0, "threads" },
    { "", BLK_O_NOCACHE, "io_uring" },
    { ",aio=threads", BLK_O_NOCACHE, "threads" },
    { ",aio=native", BLK_O_NOCACHE, "io_uring" },
    { ",aio=io_uring", 0, "io_uring" },
    { "", BLK_O_AIO_URING, "io_uring" },
    { "", BLK_O_NOCACHE | BLK_O_AIO_THREADS, "threads" },
    { ",aio=io_uring", BLK_O_NOCACHE | BLK_O_AIO_THREADS, "io_uring" },
    { ",aio=threads", BLK_O_AIO_URING, "threads" },
};

static void test_choice(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) probe = open_direct(f, 0);

    for (size_t i = 0; probe && i < G_N_ELEMENTS(engine_cases); i++) {
        const EngineCase *c = &engine_cases[i];
        g_autofree char *options = g_strconcat("driver=file,filename=%s", c->options, NULL);
        g_autoptr(BlockBackend) blk = fixture_open(f, options, c->flags);

        g_test_message("'%s' %#x", c->options, c->flags);
        g_assert_cmpstr(fixture_state(blk)->engine->name, ==, c->engine);
    }
}

static void test_choice_char(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, "driver=host_device,filename=/dev/zero,"
                                               "aio=io_uring", 0);

    g_assert_cmpstr(fixture_state(blk)->engine->name, ==, "threads");
}

static void test_reopen(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) probe = open_direct(f, 0);
    g_autoptr(BlockBackend) blk = fixture_open(f, "driver=file,filename=%s", 0);

    for (int direct = 1; probe && direct >= 0; direct--) {
        g_autoptr(QDict) options = qdict_new();
        g_autoptr(GError) error = NULL;

        qdict_put_bool(options, "cache.direct", direct);
        g_assert_true(blk_reopen(blk, options, &error));
        g_assert_cmpstr(fixture_state(blk)->engine->name, ==, direct ? "io_uring" : "threads");
    }
}

/* ---- what goes by the ring ---- */

typedef struct WayCase {
    const char *name;
    int open_flags;
    bool is_write;
    int flags;                  /* of the request */
    int ring_calls;
} WayCase;

static const WayCase way_cases[] = {
    { "direct read", BLK_O_NOCACHE, false, 0, 1 },
    { "direct write", BLK_O_NOCACHE, true, 0, 1 },
    { "direct durable write", BLK_O_NOCACHE, true, BDRV_REQ_FUA, 0 },
    { "direct read by threads", BLK_O_NOCACHE | BLK_O_AIO_THREADS, false, 0, 0 },
    { "cached write", BLK_O_AIO_URING, true, 0, 0 },
};

static void test_way(Fixture *f, gconstpointer data)
{
    const WayCase *c = data;
    BlockBackend *blk = fixture_try_open(f, "driver=file,filename=%s", BLK_O_RDWR | c->open_flags,
                                         NULL);
    uint8_t *buf = new_blocks(BLOCK);

    if (blk) {
        fixture_fail(f, blk, RING_CALLS, 0, 0);     /* only counts */
        g_assert_cmpint(c->is_write ? blk_pwrite(blk, BLOCK, BLOCK, buf, c->flags)
                                    : blk_pread(blk, BLOCK, BLOCK, buf), ==, 0);
        g_assert_cmpint(f->fault.calls, ==, c->ring_calls);
        g_assert_cmpmem(buf, BLOCK, c->is_write ? buf : f->content + BLOCK, BLOCK);
    } else {
        g_test_skip("no direct I/O on this file system");
    }
    g_aligned_free(buf);
    blk_unref(blk);
}

/* ---- that it makes no other difference ---- */

/* The ring moves a part, or nothing: the threads make up for it. */
static void test_made_up_for(Fixture *f, gconstpointer data)
{
    static const int errors[] = { 0, EIO, EAGAIN, ECANCELED, EBUSY, ENOSYS };
    g_autoptr(BlockBackend) blk = open_direct(f, BLK_O_RDWR);
    uint8_t *buf = new_blocks(4 * BLOCK);

    for (size_t i = 0; blk && i < G_N_ELEMENTS(errors); i++) {
        fixture_fail(f, blk, 1u << FILE_SYS_RING_READ, 1, errors[i]);
        g_assert_cmpint(blk_pread(blk, BLOCK, 4 * BLOCK, buf), ==, 0);
        g_assert_cmpmem(buf, 4 * BLOCK, f->content + BLOCK, 4 * BLOCK);
        memset(f->content + 2 * BLOCK, (int)i + 1, 4 * BLOCK);
        fixture_fail(f, blk, 1u << FILE_SYS_RING_WRITE, 1, errors[i]);
        g_assert_cmpint(blk_pwrite(blk, 2 * BLOCK, 4 * BLOCK, f->content + 2 * BLOCK, 0), ==, 0);
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
    }
    g_aligned_free(buf);
}

/* The ring is short, as the file has ended; the read that is to find that out fails. */
static void test_error(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_direct(f, 0);
    uint8_t *buf = new_blocks(BLOCK);

    if (blk) {
        g_assert_cmpint(truncate(f->path, BLOCK / 2), ==, 0);
        fixture_fail(f, blk, 1u << FILE_SYS_PREAD, 1, EIO);
        g_assert_cmpint(blk_pread(blk, 0, BLOCK, buf), ==, -EIO);
    }
    g_aligned_free(buf);
}

static void test_pieces(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_try_open(f, "driver=file,filename=%s,aio=io_uring",
                                                   0, NULL);
    g_autofree uint8_t *buf = g_malloc0(FIXTURE_BYTES);
    g_auto(IOVector) iov = { 0 };

    io_vector_init(&iov, PIECES);
    for (int i = 0; i < PIECES; i++) {
        io_vector_add(&iov, buf + i * 32, 32);
    }
    g_atomic_int_set(&fixture_state(blk)->refused, FILE_REFUSES_NOWAIT);   /* all by the ring */
    fixture_fail(f, blk, RING_CALLS, 0, 0);
    g_assert_cmpint(blk_preadv(blk, 64, &iov, 0), ==, 0);
    g_assert_cmpmem(buf, PIECES * 32, f->content + 64, PIECES * 32);
    g_assert_cmpint(f->fault.calls, >, 0);
}

/* ---- many at once ---- */

enum { AT_ONCE = 700 };        /* more than a ring takes */

typedef struct Many {
    int left;
    int ret;                    /* the first error */
} Many;

static void many_done(void *opaque, int ret)
{
    Many *many = opaque;

    many->left--;
    many->ret = many->ret ? many->ret : ret;
}

static void read_many(Fixture *f, BlockBackend *blk)
{
    uint8_t *bufs = new_blocks(AT_ONCE * BLOCK);
    g_autofree IOVector *iovs = g_new0(IOVector, AT_ONCE);
    Many many = { .left = AT_ONCE };

    blk_io_plug(blk);
    for (int i = 0; i < AT_ONCE; i++) {
        io_vector_init(&iovs[i], 1);
        io_vector_add(&iovs[i], bufs + i * BLOCK, BLOCK);
        blk_aio_preadv(blk, i % BLOCKS * BLOCK, &iovs[i], 0, many_done, &many);
    }
    blk_io_unplug(blk);
    while (many.left > 0) {
        aio_context_poll(aio_context_current(), true);
    }
    g_assert_cmpint(many.ret, ==, 0);
    for (int i = 0; i < AT_ONCE; i++) {
        g_assert_cmpmem(bufs + i * BLOCK, BLOCK, f->content + i % BLOCKS * BLOCK, BLOCK);
        io_vector_destroy(&iovs[i]);
    }
    g_aligned_free(bufs);
}

static void test_many(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_direct(f, 0);

    if (blk) {
        read_many(f, blk);
    }
}

typedef struct Reader {
    Fixture *f;
    BlockBackend *blk;
} Reader;

static gpointer reader_main(gpointer opaque)
{
    Reader *reader = opaque;

    aio_context_ensure();
    for (int i = 0; i < 2; i++) {
        read_many(reader->f, reader->blk);
    }
    return NULL;
}

/* Each thread has a ring of its own. */
static void test_threads(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_direct(f, 0);
    Reader reader = { f, blk };
    GThread *threads[2];

    if (!blk) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        threads[i] = g_thread_new("reader", reader_main, &reader);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        g_thread_join(threads[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    aio_context_ensure();
    FIXTURE_ADD("/file-uring/engine/options/choose", test_choice);
    FIXTURE_ADD("/file-uring/engine/character-device/is-threads", test_choice_char);
    FIXTURE_ADD("/file-uring/engine/reopen/chooses-again", test_reopen);
    for (size_t i = 0; i < G_N_ELEMENTS(way_cases); i++) {
        g_autofree char *name = g_strdup_printf("/file-uring/way/%s", way_cases[i].name);

        g_test_add(g_strdelimit(name, " ", '-'), Fixture, &way_cases[i], fixture_setup, test_way,
                   fixture_teardown);
    }
    FIXTURE_ADD("/file-uring/ring-fails/is-made-up-for", test_made_up_for);
    FIXTURE_ADD("/file-uring/disk-fails/is-told", test_error);
    FIXTURE_ADD("/file-uring/many-pieces/are-read", test_pieces);
    FIXTURE_ADD("/file-uring/many-requests/are-read", test_many);
    FIXTURE_ADD("/file-uring/threads/have-their-own", test_threads);
    return g_test_run();
}
