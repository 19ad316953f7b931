/* SPDX-License-Identifier: MIT */
/*
 * Each system call of each operation on an open file fails once, in each of the ways that calls
 * fail. An interruption and a short transfer are not seen; an error is told, or made up for by
 * other means. The file holds the new bytes then, or in the operation's range old and new ones, and
 * its length is one of the two; no descriptor and no lock stays. Opening, reopening and creating
 * stand in test-file-fault.c.
 */
#include "file-fixture.h"

enum {
    CALLS_MAX = 200,
    FROM = 3000, BYTES = 20000,         /* what requests are about */
    PAST = FIXTURE_BYTES + 50000,       /* where longer files end */
};

/* What the file holds: at most PAST bytes. */
typedef struct Content {
    uint8_t data[PAST];
    size_t bytes;
} Content;

typedef struct SweepOp {
    const char *name;
    /* Returns: 0 or -errno. */
    int (*run)(Fixture *f, BlockBackend *blk);
    /* What it makes of the content; NULL: nothing. */
    void (*apply)(Content *c);
    bool only_reads;
    bool closes;
    bool is_direct;             /* past the page cache, by io_uring where there is one */
} SweepOp;

/* ---- requests ---- */

static int op_read(Fixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc0(FIXTURE_BYTES);
    int ret = blk_pread(blk, 0, FIXTURE_BYTES, buf);

    g_assert_true(ret < 0 || !memcmp(buf, f->content, FIXTURE_BYTES));
    return ret;
}

/* As where the page cache cannot be asked. */
static int op_read_in_worker(Fixture *f, BlockBackend *blk)
{
    g_atomic_int_set(&fixture_state(blk)->refused, FILE_REFUSES_NOWAIT);
    return op_read(f, blk);
}

static int op_write(Fixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(BYTES);

    memset(buf, 0xaa, BYTES);
    return blk_pwrite(blk, FROM, BYTES, buf, 0);
}

static int op_write_vector(Fixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(BYTES);
    g_auto(IOVector) iov = { 0 };

    memset(buf, 0xaa, BYTES);
    io_vector_init(&iov, 3);
    io_vector_add(&iov, buf, 1);
    io_vector_add(&iov, buf + 1, 7000);
    io_vector_add(&iov, buf + 7001, BYTES - 7001);
    return blk_pwritev(blk, FROM, &iov, 0);
}

static int op_write_fua(Fixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(BYTES);

    memset(buf, 0xaa, BYTES);
    return blk_pwrite(blk, FROM, BYTES, buf, BDRV_REQ_FUA);
}

static void apply_write(Content *c)
{
    memset(c->data + FROM, 0xaa, BYTES);
}

static int op_write_flush(Fixture *f, BlockBackend *blk)
{
    int ret = op_write(f, blk);

    return ret ? ret : blk_flush(blk);
}

static int op_zero(Fixture *f, BlockBackend *blk)
{
    return blk_pwrite_zeroes(blk, FROM, BYTES, 0);
}

static int op_zero_unmap(Fixture *f, BlockBackend *blk)
{
    return blk_pwrite_zeroes(blk, FROM, BYTES, BDRV_REQ_MAY_UNMAP);
}

static void apply_zero(Content *c)
{
    memset(c->data + FROM, 0, BYTES);
}

static int op_discard(Fixture *f, BlockBackend *blk)
{
    return blk_pdiscard(blk, 4096, 16384);
}

static int op_status(Fixture *f, BlockBackend *blk)
{
    BlockStatus status;

    return MIN(blk_block_status(blk, 0, FIXTURE_BYTES, &status), 0);
}

static int op_length(Fixture *f, BlockBackend *blk)
{
    int64_t length = blk_getlength(blk);

    g_assert_true(length < 0 || length == FIXTURE_BYTES);
    return (int)MIN(length, 0);
}

/* ---- control ---- */

static int truncate_to(BlockBackend *blk, int64_t bytes, PreallocMode mode)
{
    g_autoptr(GError) error = NULL;

    return blk_truncate(blk, bytes, mode, &error) ? 0 : -error->code;
}

static int op_grow(Fixture *f, BlockBackend *blk)
{
    return truncate_to(blk, PAST, PREALLOC_MODE_OFF);
}

static int op_grow_falloc(Fixture *f, BlockBackend *blk)
{
    return truncate_to(blk, PAST, PREALLOC_MODE_FALLOC);
}

static int op_grow_full(Fixture *f, BlockBackend *blk)
{
    return truncate_to(blk, PAST, PREALLOC_MODE_FULL);
}

static void apply_grow(Content *c)
{
    memset(c->data + c->bytes, 0, PAST - c->bytes);
    c->bytes = PAST;
}

static int op_shrink(Fixture *f, BlockBackend *blk)
{
    return truncate_to(blk, FROM, PREALLOC_MODE_OFF);
}

static void apply_shrink(Content *c)
{
    c->bytes = FROM;
}

static int op_close(Fixture *f, BlockBackend *blk)
{
    int ret = op_write(f, blk);

    return ret ? ret : blk_close(blk);
}

static const SweepOp ops[] = {
    { "read", op_read, .only_reads = true },
    { "read-in-worker", op_read_in_worker, .only_reads = true },
    { "status", op_status, .only_reads = true },
    { "length", op_length, .only_reads = true },
    { "write", op_write, apply_write },
    { "write-vector", op_write_vector, apply_write },
    { "write-fua", op_write_fua, apply_write },
    { "write-and-flush", op_write_flush, apply_write },
    { "zero", op_zero, apply_zero },
    { "zero-unmap", op_zero_unmap, apply_zero },
    { "discard", op_discard },
    { "grow", op_grow, apply_grow },
    { "grow-falloc", op_grow_falloc, apply_grow },
    { "grow-full", op_grow_full, apply_grow },
    { "shrink", op_shrink, apply_shrink },
    { "write-and-close", op_close, apply_write, .closes = true },
    { "direct-read", op_read, .only_reads = true, .is_direct = true },
    { "direct-write", op_write, apply_write, .is_direct = true },
    { "direct-write-vector", op_write_vector, apply_write, .is_direct = true },
    { "direct-write-fua", op_write_fua, apply_write, .is_direct = true },
    { "direct-write-and-flush", op_write_flush, apply_write, .is_direct = true },
};

/* ---- the sweep ---- */

static void assert_content(Fixture *f, const SweepOp *op, int ret)
{
    g_autofree Content *before = g_new0(Content, 1), *after = g_new0(Content, 1);
    g_autofree char *text = NULL;
    const uint8_t *now;
    gsize bytes;

    memcpy(before->data, f->content, FIXTURE_BYTES);
    before->bytes = FIXTURE_BYTES;
    *after = *before;
    if (op->apply) {
        op->apply(after);
    }
    g_assert_true(g_file_get_contents(f->path, &text, &bytes, NULL));
    now = (uint8_t *)text;
    g_assert_true(bytes == after->bytes || (ret < 0 && bytes == before->bytes));
    if (op->run == op_discard) {        /* what is there may stay, in part */
        memset(after->data + 4096, 0, 16384);
        ret = -1;
    }
    for (gsize i = 0; i < bytes; i++) {
        g_assert_true(now[i] == after->data[i] || (ret < 0 && now[i] == before->data[i]));
    }
}

/* Whether nobody but the caller should have noticed. */
static bool is_made_up_for(int fail_with)
{
    return fail_with == EINTR || fail_with == 0;
}

static BlockBackend *sweep_open(Fixture *f, const SweepOp *op)
{
    int flags = op->only_reads ? 0 : BLK_O_RDWR | BLK_O_RESIZE;

    fixture_write(f, FIXTURE_BYTES);
    return fixture_open(f, "driver=file,filename=%s,discard=unmap",
                        flags | (op->is_direct ? BLK_O_NOCACHE : 0));
}

/* Returns: whether the operation made so many calls. */
static bool sweep_once(Fixture *f, const SweepOp *op, int fail_with, int at)
{
    int descriptors = fixture_open_descriptors(), ret;
    BlockBackend *blk;
    bool happened;

    blk = sweep_open(f, op);
    fixture_fail(f, blk, FILE_FAULT_ALL, at, fail_with);
    f->fault.unit = op->is_direct ? BDRV_SECTOR_SIZE : 1;
    ret = op->run(f, blk);
    happened = f->fault.calls >= at;
    f->fault.at = 0;
    g_assert_true(ret == 0 || (happened && ret == -fail_with));
    g_assert_true(ret == 0 || !is_made_up_for(fail_with));
    assert_content(f, op, ret);
    if (!op->closes) {
        int closed = blk_close(blk);

        g_assert_true(closed == 0 || ret < 0);      /* a sync that failed is told again */
    }
    blk_unref(blk);
    g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
    g_assert_cmphex(fixture_locks(f), ==, 0);
    return happened;
}

/* The thread's ring stays, as does its descriptor. Returns: false where direct I/O is refused. */
static bool fixture_make_ring(Fixture *f)
{
    g_autoptr(BlockBackend) blk = fixture_try_open(f, "driver=file,filename=%s", BLK_O_NOCACHE,
                                                   NULL);

    return blk && op_read(f, blk) == 0;
}

static void test_sweep(Fixture *f, gconstpointer data)
{
    static const int errors[] = { EIO, ENOSPC, EINTR, EAGAIN, ENOMEM, 0 };
    const SweepOp *op = data;
    int most = 0;

    if (op->is_direct && !fixture_make_ring(f)) {
        g_test_skip("no direct I/O on this file system");
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        int at = 1;

        while (sweep_once(f, op, errors[i], at)) {
            g_assert_cmpint(++at, <, CALLS_MAX);
        }
        most = MAX(most, at - 1);
    }
    g_test_message("up to %d calls", most);
    g_assert_cmpint(most, >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    aio_context_ensure();               /* its descriptors stay */
    for (size_t i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autofree char *name = g_strdup_printf("/file/sweep/%s/each-call/is-told-or-made-up-for",
                                                ops[i].name);

        g_test_add(name, Fixture, &ops[i], fixture_setup, test_sweep, fixture_teardown);
    }
    return g_test_run();
}
