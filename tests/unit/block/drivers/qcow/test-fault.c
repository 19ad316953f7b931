/* SPDX-License-Identifier: MIT */
/*
 * Each request that an operation makes fails once, one after the other, with each of two errors:
 * those to the image's file, to its backing file, and to a new file. So does each allocation.
 *
 * (1) The operation ends with that error or does all that it was asked for.
 * (2) What it was about is then old or new, sector by sector; all else reads as before, in the node
 *     and when the image is opened again. What was flushed is there.
 * (3) After a failed sync the node takes no more writes.
 * (4) The image checks clean but for leaks, and takes a second session of writes.
 */
#include "alloc-fault.h"
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SIZE (512 << 10)
#define GROWN (SIZE * 5)
#define SHRUNK (SIZE / 2 + 1536)
#define SECTORS (GROWN / 512)
#define MAX_REQUESTS 5000

static CairnContext *ctx;

/* ---- what a sector may hold: a set of bytes that may fill it ---- */

typedef struct Model {
    uint32_t node[SECTORS];     /* bit V: reads of the node may give V */
    uint32_t disk[SECTORS];     /* likewise when the image is opened again */
    int64_t size, other_size;   /* of the node; or perhaps, on disk */
} Model;

enum { BACKING = 11, SECOND_SESSION = 31 };

static void model_written(Model *m, int64_t offset, int64_t bytes, int value, int ret)
{
    for (int64_t i = offset / 512; i < (offset + bytes) / 512; i++) {
        m->node[i] = (ret == 0 ? 0 : m->node[i]) | 1u << value;
        m->disk[i] |= 1u << value;
    }
}

static void model_flushed(Model *m, int64_t offset, int64_t bytes, int ret)
{
    if (ret == 0) {
        memcpy(m->disk + offset / 512, m->node + offset / 512, bytes / 512 * sizeof(m->disk[0]));
    }
}

static void model_all_flushed(Model *m, int ret)
{
    model_flushed(m, 0, GROWN, ret);
    m->other_size = ret == 0 ? m->size : m->other_size;
}

static void assert_sectors(BlockBackend *blk, const uint32_t *may, int64_t size)
{
    g_autofree uint8_t *buf = g_malloc(size);

    g_assert_cmpint(blk_pread(blk, 0, size, buf), ==, 0);
    for (int64_t i = 0; i < size / 512; i++) {
        const uint8_t *sector = buf + i * 512;

        g_assert_cmpuint(sector[0], <, 32);
        g_assert_true(may[i] & 1u << sector[0]);
        g_assert_cmpint(memcmp(sector, sector + 1, 511), ==, 0);
    }
}

/* ---- an image, open ---- */

typedef struct Start {
    const char *name;
    int cluster_bits, l2_bits;
    bool has_backing, is_encrypted;
    bool is_crashed;            /* entries lead past the end of the file */
    bool is_damaged;            /* leaks, and two entries that name one cluster */
} Start;

static const Start starts[] = {
    { "4k", .cluster_bits = 12, .l2_bits = 6 },
    { "64k", .cluster_bits = 16, .l2_bits = 6 },
    { "4k-backed", .cluster_bits = 12, .l2_bits = 6, .has_backing = true },
    { "512-backed", .cluster_bits = 9, .l2_bits = 7, .has_backing = true },
    { "4k-encrypted", .cluster_bits = 12, .l2_bits = 6, .has_backing = true,
      .is_encrypted = true },
    { "4k-crashed", .cluster_bits = 12, .l2_bits = 6, .is_crashed = true },
    { "4k-damaged", .cluster_bits = 12, .l2_bits = 6, .is_damaged = true },
};

enum { DISK_IMAGE, DISK_BACKING, DISK_TARGET, DISKS, FAULT_MEMORY = DISKS };

static const char *const fault_names[] = {
    "requests to the image", "requests to the backing file", "requests to the target",
    "allocations",
};

typedef struct Env {
    const Start *start;
    MemDisk *disks[DISKS];      /* BACKING may be NULL */
    BlockBackend *blk;          /* NULL: not open */
    Model *m;
} Env;

static BlockBackend *env_open(const Env *e, int flags, GError **error)
{
    return mem_open(ctx, e->disks[DISK_IMAGE], e->disks[DISK_BACKING],
                    e->start->is_encrypted ? "encrypt.key-secret=s" : NULL,
                    flags | (e->disks[DISK_BACKING] ? 0 : BLK_O_NO_BACKING), error);
}

static BlockBackend *env_open_ok(const Env *e, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = env_open(e, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static int do_write(Env *e, int64_t offset, int64_t bytes, int value, BdrvRequestFlags flags)
{
    g_autofree uint8_t *buf = g_malloc(bytes);
    int ret;

    memset(buf, value, bytes);
    ret = blk_pwrite(e->blk, offset, bytes, buf, flags);
    model_written(e->m, offset, bytes, value, ret);
    if (flags & BDRV_REQ_FUA) {
        model_flushed(e->m, offset, bytes, ret);
    }
    return ret;
}

static int do_flush(Env *e)
{
    int ret = blk_flush(e->blk);

    model_all_flushed(e->m, ret);
    return ret;
}

/* @error: by address, as it may be set only while the arguments are made. */
static int error_of(bool ok, GError *const *error)
{
    g_assert_true(ok == (*error == NULL));
    return ok ? 0 : -(*error)->code;
}

/* ---- operations: each returns 0 or -errno, and tells the model what it may have done ---- */

static int op_read(Env *e)
{
    g_autofree uint8_t *buf = g_malloc(SIZE);

    return blk_pread(e->blk, 0, SIZE, buf);
}

static int op_status(Env *e)
{
    for (int64_t at = 0; at < SIZE;) {
        BlockStatus status;
        int ret = blk_block_status_chain(e->blk, at, SIZE - at, &status);

        if (ret < 0) {
            return ret;
        }
        at += status.bytes;
    }
    return 0;
}

static int op_write_new(Env *e)
{
    return do_write(e, 384 << 10, 131072, 12, 0);
}

static int op_write_mapped(Env *e)
{
    return do_write(e, 32768, 65536, 13, 0);
}

/* Into clusters that are not written yet, pending, and mapped; one request. */
static int op_write_partial(Env *e)
{
    int ret = do_write(e, (384 << 10) + 512, 1024, 14, 0);

    return ret ? ret : do_write(e, 16384 - 512, 33 * 512, 15, 0);
}

static int op_write_onto_stream(Env *e)
{
    return do_write(e, (256 << 10) + 512, 512, 16, 0);
}

static int op_write_compressed(Env *e)
{
    int ret = do_write(e, 320 << 10, 65536, 17, BDRV_REQ_WRITE_COMPRESSED);

    return ret ? ret : do_write(e, 0, 65536, 18, BDRV_REQ_WRITE_COMPRESSED);
}

static int op_zero(Env *e)
{
    int ret = blk_pwrite_zeroes(e->blk, 512, 131072, 0);

    model_written(e->m, 512, 131072, 0, ret);
    return ret;
}

static int op_zero_unmap(Env *e)
{
    int ret = blk_pwrite_zeroes(e->blk, 1024, 262144, BDRV_REQ_MAY_UNMAP | BDRV_REQ_FUA);

    model_written(e->m, 1024, 262144, 0, ret);
    model_flushed(e->m, 1024, 262144, ret);
    return ret;
}

/* A hint: what was there may stay, and it may fail in part. */
static int op_discard(Env *e)
{
    int ret = blk_pdiscard(e->blk, 0, 131072);

    model_written(e->m, 0, 131072, 0, -EIO);
    return ret ? ret : do_flush(e);
}

static int op_flush(Env *e)
{
    return do_flush(e);
}

static int op_flush_twice(Env *e)
{
    int ret = do_flush(e);

    ret = ret ? ret : op_write_mapped(e);
    return ret ? ret : do_flush(e);
}

static int op_fua(Env *e)
{
    int ret = do_write(e, 32768, 512, 19, BDRV_REQ_FUA);

    return ret ? ret : do_write(e, 400 << 10, 1024, 20, BDRV_REQ_FUA);
}

static int do_resize(Env *e, int64_t size)
{
    g_autoptr(GError) error = NULL;
    int ret = error_of(blk_truncate(e->blk, size, PREALLOC_MODE_OFF, &error), &error);

    if (size < e->m->size) {
        model_written(e->m, size, e->m->size - size, 0, -EIO);
        for (int64_t i = size / 512; e->disks[DISK_BACKING] && i < e->m->size / 512; i++) {
            e->m->node[i] |= 1u << BACKING;     /* unmapped, and not yet cut off */
            e->m->disk[i] |= 1u << BACKING;
        }
    }
    e->m->other_size = size;
    if (ret == 0) {
        e->m->other_size = e->m->size = size;
        model_all_flushed(e->m, 0);
    }
    return ret;
}

static int op_grow(Env *e)
{
    return do_resize(e, GROWN);
}

static int op_shrink(Env *e)
{
    return do_resize(e, SHRUNK);
}

static int op_rebase(Env *e)
{
    g_autoptr(GError) error = NULL;
    int ret = error_of(blk_change_backing_file(e->blk, "other.raw", "raw", &error), &error);

    model_all_flushed(e->m, ret);
    return ret;
}

static int op_make_empty(Env *e)
{
    g_autoptr(GError) error = NULL;
    int ret = error_of(blk_make_empty(e->blk, &error), &error);

    model_written(e->m, 0, SIZE, e->disks[DISK_BACKING] ? BACKING : 0, ret);
    model_all_flushed(e->m, ret);
    return ret;
}

static int do_check(Env *e, BlockCheckFix fix)
{
    BlockCheckResult r = { 0 };
    g_autoptr(GError) error = NULL;
    int ret = error_of(blk_check(e->blk, &r, fix, &error), &error);

    /* what could not be read is counted */
    return ret == 0 && r.check_errors ? -e->disks[DISK_IMAGE]->fail_error : ret;
}

static int op_check(Env *e)
{
    return do_check(e, BLOCK_CHECK_FIX_NONE);
}

static int op_repair_leaks(Env *e)
{
    return do_check(e, BLOCK_CHECK_FIX_LEAKS);
}

static int op_repair(Env *e)
{
    return do_check(e, BLOCK_CHECK_FIX_LEAKS | BLOCK_CHECK_FIX_ERRORS);
}

static char *target_name(const Env *e)
{
    return g_strconcat("mem-disk:", e->disks[DISK_TARGET]->id, NULL);
}

static int op_compact(Env *e)
{
    g_autofree char *name = target_name(e);
    g_autoptr(GError) error = NULL;

    int ret = error_of(blk_compact(e->blk, name, NULL, &error), &error);

    /* the check before it counts what could not be read */
    return ret == -EUCLEAN ? -e->disks[DISK_IMAGE]->fail_error : ret;
}

static int op_create(Env *e)
{
    g_autofree char *name = target_name(e);
    g_autoptr(GError) error = NULL;

    return error_of(blk_create(ctx, name, "qcow", NULL, SIZE, &error), &error);
}

static int op_measure(Env *e)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    BlockMeasure measure;

    return error_of(blk_measure(ctx, "qcow", options, e->blk, -1, &measure, &error), &error);
}

static int op_reopen(Env *e)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_bool(options, "read-only", true);
    return error_of(blk_reopen(e->blk, options, &error), &error);
}

static int op_close(Env *e)
{
    int ret = blk_close(e->blk);

    model_all_flushed(e->m, ret);
    g_clear_pointer(&e->blk, blk_unref);
    return ret;
}

static int op_open(Env *e)
{
    g_autoptr(GError) error = NULL;

    e->blk = env_open(e, BLK_O_RDWR | BLK_O_UNMAP, &error);
    return error_of(e->blk != NULL, &error);
}

typedef struct Op {
    const char *name;
    int (*run)(Env *e);
    bool starts_closed;
    bool is_pending;            /* the node has writes that are not flushed yet */
    bool may_stop;              /* a failure may leave a node that takes no more writes */
    bool on_damaged;            /* works on damaged images, too */
    bool not_encrypted;
    bool makes_target;
    bool syncs_below;           /* its syncs may be the core's: only the child knows of a failure */
} Op;

static const Op ops[] = {
    { "open", op_open, .starts_closed = true, .on_damaged = true },
    { "read", op_read, .is_pending = true, .on_damaged = true },
    { "status", op_status, .is_pending = true, .on_damaged = true },
    { "write-new", op_write_new },
    { "write-new-and-pending", op_write_new, .is_pending = true },
    { "write-mapped", op_write_mapped },
    { "write-partial", op_write_partial, .is_pending = true },
    { "write-onto-stream", op_write_onto_stream },
    { "write-compressed", op_write_compressed, .is_pending = true, .not_encrypted = true },
    { "zero", op_zero, .is_pending = true },
    { "zero-unmap", op_zero_unmap, .is_pending = true },
    { "discard", op_discard, .is_pending = true },
    { "flush", op_flush, .is_pending = true },
    { "flush-twice", op_flush_twice, .is_pending = true },
    { "fua", op_fua, .is_pending = true },
    { "grow", op_grow, .is_pending = true, .may_stop = true },
    { "shrink", op_shrink, .is_pending = true, .may_stop = true },
    { "rebase", op_rebase, .is_pending = true, .may_stop = true },
    { "make-empty", op_make_empty, .is_pending = true, .may_stop = true },
    { "check", op_check, .is_pending = true, .on_damaged = true },
    { "repair-leaks", op_repair_leaks, .on_damaged = true, .may_stop = true },
    { "repair", op_repair, .on_damaged = true, .may_stop = true },
    { "compact", op_compact, .is_pending = true, .makes_target = true },
    { "create", op_create, .makes_target = true },
    { "measure", op_measure, .is_pending = true },
    { "reopen", op_reopen, .is_pending = true, .syncs_below = true },
    { "close", op_close, .is_pending = true },
};

/* ---- what is left afterwards ---- */

/* @dangling: entries past the end of the file that may be there. */
static void assert_clean(BlockBackend *blk, int dangling)
{
    BlockCheckResult r = { 0 };
    g_autoptr(GError) error = NULL;

    blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error);
    g_assert_no_error(error);
    g_assert_cmpint(r.corruptions, <=, dangling);
    g_assert_cmpint(r.check_errors, ==, 0);
}

/* New clusters, and some that were mapped: nothing else changes by it. */
static void second_session(Env *e)
{
    static const int64_t places[] = { 8192, 100 << 10, 200 << 10 };

    e->blk = env_open_ok(e, BLK_O_RDWR);
    memcpy(e->m->node, e->m->disk, sizeof(e->m->node));
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_assert_cmpint(do_write(e, places[i], 4096, SECOND_SESSION, 0), ==, 0);
    }
    g_assert_cmpint(op_close(e), ==, 0);
    e->blk = env_open_ok(e, 0);
    assert_sectors(e->blk, e->m->disk, blk_getlength(e->blk));
    assert_clean(e->blk, 0);
    g_assert_cmpint(op_close(e), ==, 0);
}

/* A new image is whole, or no image. */
static void assert_target(const Env *e, const Op *op, int ret)
{
    MemDisk *d = e->disks[DISK_TARGET];
    Env t = *e;
    int64_t size;

    if (d->size < 48 || memcmp(d->data, "QFI\xfb", 4)) {
        g_assert_cmpint(ret, <, 0);
        return;
    }
    t.disks[DISK_IMAGE] = d;
    if (op->run == op_create) {
        t.disks[DISK_BACKING] = NULL;
        t.start = &starts[0];
    }
    t.blk = env_open_ok(&t, 0);
    assert_clean(t.blk, 0);
    size = blk_getlength(t.blk);
    if (op->run == op_create) {
        g_autofree uint8_t *buf = g_malloc(size);

        g_assert_cmpint(blk_pread(t.blk, 0, size, buf), ==, 0);
        g_assert_true(cairn_buffer_is_zero(buf, size));
    } else {
        assert_sectors(t.blk, e->m->node, size);
    }
    mem_close_ok(t.blk);
}

/* The node goes on, unless a sync has failed; then it is closed. */
static void assert_node(Env *e, const Op *op)
{
    bool sync_failed = e->disks[DISK_IMAGE]->sync_failed;
    g_autofree uint8_t *one = g_malloc0(512);
    int ret;

    g_assert_cmpint(blk_getlength(e->blk), ==, e->m->size);
    assert_sectors(e->blk, e->m->node, e->m->size);
    if (sync_failed && !op->syncs_below) {
        g_assert_cmpint(blk_pwrite(e->blk, 0, 512, one, 0), <, 0);
    }
    ret = op_close(e);
    g_assert_true(ret == 0 || sync_failed || op->may_stop);
}

static void assert_image(Env *e, const Op *op)
{
    if (e->start->is_damaged) {
        e->blk = env_open_ok(e, BLK_O_RDWR);
        g_assert_cmpint(op_repair(e), ==, 0);
        g_assert_cmpint(op_close(e), ==, 0);
    }
    e->blk = env_open_ok(e, 0);
    if (blk_getlength(e->blk) != e->m->size) {
        g_assert_cmpint(blk_getlength(e->blk), ==, e->m->other_size);
    }
    assert_sectors(e->blk, e->m->disk, blk_getlength(e->blk));
    assert_clean(e->blk, e->start->is_crashed ? 2 : 0);
    mem_close_ok(e->blk);
    second_session(e);
}

/* ---- one run ---- */

/* Streams, clusters, tables; and places that hold nothing. */
static void start_fill(Env *e)
{
    e->blk = env_open_ok(e, BLK_O_RDWR);
    do_write(e, 0, 131072, 9, 0);
    if (!e->start->is_encrypted) {
        g_assert_cmpint(do_write(e, 256 << 10, 65536, 10, BDRV_REQ_WRITE_COMPRESSED), ==, 0);
    }
    g_assert_cmpint(op_close(e), ==, 0);
}

/* Small tables of 4 KiB clusters: the first one maps the disk's first 256 KiB. */
static void start_spoil(Env *e)
{
    MemDisk *d = e->disks[DISK_IMAGE];
    int64_t table = (int64_t)image_get64(d, 48);

    if (e->start->is_crashed) {
        image_put64(d, table + 60 * 8, (uint64_t)ROUND_UP_TO(d->size, 512) + 65536);
        image_put64(d, table + 61 * 8, (uint64_t)ROUND_UP_TO(d->size, 512) + (1 << 20));
    }
    if (e->start->is_damaged) {
        image_put64(d, table + 50 * 8, image_get64(d, table));
        model_written(e->m, 50 * 4096, 4096, 9, 0);
        model_flushed(e->m, 50 * 4096, 4096, 0);
        image_fill(d, ROUND_UP_TO(d->size, 4096), 0x77, 12288);
    }
}

static void env_make(Env *e, const Start *start)
{
    *e = (Env) { .start = start, .m = g_new0(Model, 1) };
    e->disks[DISK_IMAGE] = image_new(SIZE, start->cluster_bits, start->l2_bits);
    e->disks[DISK_IMAGE]->data[39] = start->is_encrypted;
    e->disks[DISK_BACKING] = start->has_backing ? mem_disk_new(NULL, SIZE) : NULL;
    e->m->size = e->m->other_size = SIZE;
    for (int i = 0; i < SECTORS; i++) {
        bool is_backed = start->has_backing && i < SIZE / 512;

        e->m->node[i] = e->m->disk[i] = is_backed ? 1u << BACKING : 1;
    }
    if (start->has_backing) {
        image_fill(e->disks[DISK_BACKING], 0, BACKING, SIZE);
    }
    start_fill(e);
    start_spoil(e);
}

static void env_clear(Env *e)
{
    for (int i = 0; i < DISKS; i++) {
        mem_disk_free(e->disks[i]);
    }
    g_free(e->m);
}

static void make_pending(Env *e)
{
    g_assert_cmpint(do_write(e, 160 << 10, 8192, 21, 0), ==, 0);
    g_assert_cmpint(do_write(e, (448 << 10) + 1024, 4096, 22, 0), ==, 0);
    g_assert_cmpint(do_write(e, 65536, 1024, 23, 0), ==, 0);
}

/* Returns: whether the @k-th request to disk @what (or allocation) was made, and failed: @err. */
static bool run_with_fault(const Env *from, const Op *op, int what, int err, int k)
{
    Env e = { .start = from->start, .m = g_memdup2(from->m, sizeof(*from->m)) };
    int *in, ret;
    bool happened;

    for (int i = 0; i < DISKS; i++) {
        e.disks[i] = from->disks[i] ? mem_disk_copy(from->disks[i]) : NULL;
    }
    e.disks[DISK_TARGET] = mem_disk_new(NULL, 0);
    if (!op->starts_closed) {
        e.blk = env_open_ok(&e, BLK_O_RDWR | BLK_O_UNMAP);
    }
    if (op->is_pending && !e.start->is_damaged) {
        make_pending(&e);
    }
    in = what == FAULT_MEMORY ? &alloc_fault_in : &e.disks[what]->fail_any_in;
    e.disks[what == FAULT_MEMORY ? DISK_IMAGE : what]->fail_error = err;
    g_atomic_int_set(in, k);
    ret = op->run(&e);
    happened = g_atomic_int_get(in) == 0;
    g_atomic_int_set(in, 0);
    g_assert_true(ret == 0 || (happened && ret == -err));
    if (op->makes_target) {
        assert_target(&e, op, ret);
    }
    if (e.blk) {
        assert_node(&e, op);
    }
    assert_image(&e, op);
    env_clear(&e);
    return happened;
}

/* Each request or allocation in turn. Returns: how many there were. */
static int sweep(const Env *from, const Op *op, int what)
{
    bool is_memory = what == FAULT_MEMORY;
    int k = 1;

    while (run_with_fault(from, op, what, is_memory ? ENOMEM : k % 2 ? EIO : ENOSPC, k) &&
           (is_memory || run_with_fault(from, op, what, k % 2 ? ENOSPC : EIO, k))) {
        g_assert_cmpint(++k, <, MAX_REQUESTS);
    }
    g_test_message("%s: %d %s", from->start->name, k - 1, fault_names[what]);
    return k - 1;
}

static void test_op(gconstpointer data)
{
    const Op *op = data;
    int most = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
        const Start *s = &starts[i];
        Env from;

        if ((s->is_damaged && !op->on_damaged) || (s->is_encrypted && op->not_encrypted)) {
            continue;
        }
        env_make(&from, s);
        for (int what = 0; what <= FAULT_MEMORY; what++) {
            if (what != DISK_BACKING || from.disks[DISK_BACKING]) {
                int made = sweep(&from, op, what);

                most = MAX(most, made);
            }
        }
        env_clear(&from);
    }
    g_assert_cmpint(most, >, 0);            /* there was something to fail */
}

/* Whether what was written below @end was made durable before the disk grew. */
static bool grows_after_sync(const MemDisk *d, int64_t end)
{
    bool is_cleared = false;

    for (guint i = 0; i < d->log->len; i++) {
        const MemRecord *r = &g_array_index(d->log, MemRecord, i);

        if (r->op == MEM_SYNC) {
            is_cleared = false;
        } else if (r->op == MEM_WRITE && r->offset + r->bytes <= end) {
            is_cleared = true;
        } else if (is_cleared) {
            return false;
        }
    }
    return true;
}

/* The second try may find nothing to clear: what the first one cleared is in the file already. */
static void test_clearing(void)
{
    Env from;

    env_make(&from, &starts[5]);
    g_assert_true(from.start->is_crashed);
    for (int k = 1, happened = 1; happened; k++) {
        MemDisk *d = mem_disk_copy(from.disks[DISK_IMAGE]);
        Env e = { .start = from.start, .m = from.m, .disks = { d } };
        int64_t end = d->size;

        e.blk = env_open_ok(&e, BLK_O_RDWR);
        mem_disk_record(d);
        d->fail_read_in = k;
        op_write_new(&e);
        happened = d->fail_read_in == 0;
        d->fail_read_in = 0;
        g_assert_cmpint(op_write_new(&e), ==, 0);
        g_assert_true(grows_after_sync(d, end));
        mem_close_ok(e.blk);
        mem_disk_free(d);
    }
    env_clear(&from);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_assert_true(cairn_secret_add_bytes(ctx, "s", "123456", 6, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autofree char *name = g_strdup_printf("/qcow/fault/%s/each-request/harms-nothing-else",
                                                ops[i].name);

        g_test_add_data_func(name, &ops[i], test_op);
    }
    g_test_add_func("/qcow/fault/barrier-0-fails-half-way/its-clearing-is-synced", test_clearing);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
