/* SPDX-License-Identifier: MIT */
/*
 * The file driver when the system fails it: each call of each operation in turn. Nothing crashes, nothing leaks, an
 * interruption is not seen, an error is told, and after a failed sync nothing more is written.
 */
#include "file-fixture.h"

#define PLAIN "driver=file,filename=%s"

enum { FAULT_MAX_CALLS = 100 };

/* ---- open, on a node without a graph: its fault is set before it is opened ---------- */

static void bare_init(Fixture *f, BlockDriverState *bs, int flags)
{
    static BdrvNodePrivate priv;        /* of the one node at a time */
    FileState *s = g_malloc0(bdrv_file.instance_size);

    priv = (BdrvNodePrivate) { .ctx = f->ctx };
    *bs = (BlockDriverState) {
        .drv = &bdrv_file, .opaque = s, .open_flags = flags, .read_only = !(flags & BLK_O_RDWR),
        .priv = &priv,
    };
    s->sys.fault = &f->fault;
}

static bool bare_open(Fixture *f, BlockDriverState *bs, GError **error)
{
    g_autoptr(QDict) opts = qdict_new();

    qdict_put_str(opts, "filename", f->path);
    return bdrv_file.bdrv_open(bs, opts, bs->open_flags, error) &&
           bdrv_file.bdrv_refresh_limits(bs, error);
}

static void bare_close(BlockDriverState *bs)
{
    bdrv_file.bdrv_close(bs);
    g_clear_pointer(&bs->opaque, g_free);
}

/* Opens once for each call that opening makes, with that call failing. Returns: how many failed. */
static int sweep_open(Fixture *f, int flags, int fail_with)
{
    int descriptors = fixture_open_descriptors(), failed = 0;

    for (int at = 1; at < FAULT_MAX_CALLS; at++) {
        g_autoptr(GError) error = NULL;
        BlockDriverState bs;
        bool ok;

        f->fault = (FileFault) { .kinds = FILE_FAULT_ALL, .at = at, .error = fail_with };
        bare_init(f, &bs, flags);
        ok = bare_open(f, &bs, &error);
        g_assert_true(ok == (error == NULL));
        failed += !ok;
        if (ok) {
            bare_close(&bs);
        } else {
            g_free(bs.opaque);
        }
        g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
        if (f->fault.calls < at) {
            return failed;
        }
    }
    g_assert_not_reached();
}

static void test_open_each(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(sweep_open(f, BLK_O_RDWR, EIO), >=, 3);
    g_assert_cmpint(sweep_open(f, BLK_O_RDWR, EINTR), ==, 0);
}

static void test_auto_read_only(Fixture *f, gconstpointer data)
{
    static const int errors[] = { EACCES, EPERM, EROFS };

    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_autoptr(GError) error = NULL;
        BlockDriverState bs;

        f->fault = (FileFault) {
            .kinds = 1u << FILE_SYS_OPEN, .at = 1, .error = errors[i],
        };
        bare_init(f, &bs, BLK_O_RDWR | BLK_O_AUTO_RDONLY);
        g_assert_true(bare_open(f, &bs, &error));
        g_assert_true(bs.read_only);
        g_assert_false(bs.open_flags & BLK_O_RDWR);
        bare_close(&bs);
    }
}

static void test_not_auto_read_only(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = g_strdup_printf("Could not open '%s': Permission denied", f->path);
    BlockDriverState bs;

    f->fault = (FileFault) { .kinds = 1u << FILE_SYS_OPEN, .at = 1, .error = EACCES };
    bare_init(f, &bs, BLK_O_RDWR);
    g_assert_false(bare_open(f, &bs, &error));
    g_assert_error(error, CAIRN_ERROR, EACCES);
    g_assert_cmpstr(error->message, ==, expected);
    g_free(bs.opaque);
}

static void test_cannot_lock(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) opts = qdict_new();
    BlockDriverState bs;

    f->fault = (FileFault) { .kinds = 1u << FILE_SYS_LOCK, .at = 1, .error = EINVAL };
    bare_init(f, &bs, 0);
    g_assert_true(bare_open(f, &bs, NULL));
    g_assert_true(bdrv_file.bdrv_check_perm(&bs, BLK_PERM_CONSISTENT_READ, 0, NULL));
    bdrv_file.bdrv_set_perm(&bs, BLK_PERM_CONSISTENT_READ, 0);
    g_assert_cmphex(fixture_locks(f), ==, 0);
    bare_close(&bs);

    f->fault.calls = 0;
    bare_init(f, &bs, 0);
    qdict_put_str(opts, "filename", f->path);
    qdict_put_str(opts, "locking", "on");
    g_assert_false(bdrv_file.bdrv_open(&bs, opts, 0, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
    g_free(bs.opaque);
}

/* ---- reads ------------------------------------------------------------------------------ */

static void assert_reads(Fixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc0(FIXTURE_BYTES);

    g_assert_cmpint(blk_pread(blk, 0, FIXTURE_BYTES, buf), ==, 0);
    g_assert_cmpmem(buf, FIXTURE_BYTES, f->content, FIXTURE_BYTES);
}

static void test_read_nowait(Fixture *f, gconstpointer data)
{
    static const int errors[] = { EAGAIN, EOPNOTSUPP, EIO, EINTR, 0 };
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);

    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        g_atomic_int_set(&fixture_state(blk)->refused, 0);
        fixture_fail(f, blk, 1u << FILE_SYS_PREAD_NOWAIT, 1, errors[i]);
        assert_reads(f, blk);
        g_assert_cmpint(f->fault.calls, >=, 1);
    }
}

static void test_read_nowait_remembered(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);

    fixture_fail(f, blk, 1u << FILE_SYS_PREAD_NOWAIT, 1, EOPNOTSUPP);
    assert_reads(f, blk);
    assert_reads(f, blk);
    g_assert_cmpint(f->fault.calls, ==, 1);
}

static void test_read_error(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    uint8_t byte;

    g_atomic_int_set(&fixture_state(blk)->refused, FILE_REFUSES_NOWAIT);
    fixture_fail(f, blk, 1u << FILE_SYS_PREAD, 1, EIO);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, 0);
    fixture_fail(f, blk, 1u << FILE_SYS_PREAD, 1, EINTR);
    assert_reads(f, blk);
    fixture_fail(f, blk, 1u << FILE_SYS_PREAD, 1, 0);
    assert_reads(f, blk);
    g_assert_cmpint(f->fault.calls, ==, 2);
}

/* ---- writes ------------------------------------------------------------------------------ */

static void test_write_error(Fixture *f, gconstpointer data)
{
    static const int errors[] = { EIO, ENOSPC, EDQUOT };
    static const int flags[] = { 0, BDRV_REQ_FUA };
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR);

    for (size_t i = 0; i < G_N_ELEMENTS(errors) * G_N_ELEMENTS(flags); i++) {
        int error = errors[i / 2];

        fixture_fail(f, blk, 1u << FILE_SYS_PWRITE, 1, error);
        g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", flags[i % 2]), ==, -error);
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
    }
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", BDRV_REQ_FUA), ==, 0);
    f->content[0] = 'x';
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_write_short(Fixture *f, gconstpointer data)
{
    static const int errors[] = { 0, EINTR, EAGAIN };
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR);

    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        memset(f->content + 1000, 0x10 + i, 9000);
        fixture_fail(f, blk, 1u << FILE_SYS_PWRITE, 1, errors[i]);
        g_assert_cmpint(blk_pwrite(blk, 1000, 9000, f->content + 1000, 0), ==, 0);
        g_assert_cmpint(f->fault.calls, ==, 2);
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
    }
}

/* ---- sync ---------------------------------------------------------------------------------- */

static void assert_refuses_writes(Fixture *f, BlockBackend *blk)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(blk_pwrite(blk, 0, 1, "y", 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_MAY_UNMAP), ==, -EIO);
    g_assert_cmpint(blk_pdiscard(blk, 0, 4096), ==, -EIO);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    g_assert_false(blk_truncate(blk, 100, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, EIO);
    assert_reads(f, blk);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static BlockBackend *open_for_sync(Fixture *f)
{
    return fixture_open(f, PLAIN ",discard=unmap", BLK_O_RDWR | BLK_O_RESIZE);
}

static void test_flush_error(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    f->content[0] = 'x';
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
    fixture_fail(f, blk, 1u << FILE_SYS_FDATASYNC, 1, EIO);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    assert_refuses_writes(f, blk);
    g_assert_cmpint(f->fault.calls, ==, 1);
}

static void test_fua_error(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    f->content[0] = 'x';
    fixture_fail(f, blk, 1u << FILE_SYS_FDATASYNC, 1, ENOSPC);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", BDRV_REQ_FUA), ==, -ENOSPC);
    assert_refuses_writes(f, blk);
}

static void test_flush_interrupted(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
    fixture_fail(f, blk, 1u << FILE_SYS_FDATASYNC, 1, EINTR);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(f->fault.calls, ==, 2);
}

static void test_reopen_heals(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
    fixture_fail(f, blk, 1u << FILE_SYS_FDATASYNC, 1, EIO);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
    qdict_put_bool(options, "read-only", false);
    g_assert_true(blk_reopen(blk, options, &error));
    g_assert_no_error(error);
    g_assert_cmpint(blk_pwrite(blk, 1, 1, "z", 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    f->content[0] = 'x';
    f->content[1] = 'z';
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_no_flush(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",cache.no-flush=on", BLK_O_RDWR);

    fixture_fail(f, blk, 1u << FILE_SYS_FDATASYNC, 1, EIO);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(f->fault.calls, ==, 0);
}

static void test_folder_sync(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
        if (i == 0) {
            fixture_fail(f, blk, 1u << FILE_SYS_FSYNC, 1, EIO);
        }
        g_assert_cmpint(blk_flush(blk), ==, 0);
    }
    g_assert_cmpint(f->fault.calls, ==, 1);
}

/* ---- zeroes, discard, status, length ---------------------------------------------------------- */

static void test_zeroes_unsupported(Fixture *f, gconstpointer data)
{
    static const int flags[] = { 0, BDRV_REQ_MAY_UNMAP };
    g_autoptr(BlockBackend) blk = open_for_sync(f);
    FileState *s = fixture_state(blk);
    const int all = FILE_REFUSES_PUNCH | FILE_REFUSES_ZERO_RANGE | FILE_REFUSES_ALLOCATE;

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        g_atomic_int_set(&s->refused, all);
        fixture_fail(f, blk, 1u << FILE_SYS_FALLOCATE, 1, EIO);
        memset(f->content + 5000 + i, 0, 3000);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 5000 + i, 3000, flags[i]), ==, 0);
        g_assert_cmpint(f->fault.calls, ==, 0);
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 9000, 4096, flags[i] | BDRV_REQ_NO_FALLBACK), ==,
                        -ENOTSUP);
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
    }
}

static void test_zeroes_each(Fixture *f, gconstpointer data)
{
    static const int flags[] = { 0, BDRV_REQ_MAY_UNMAP };
    static const int errors[] = { EOPNOTSUPP, EINVAL, ENOSYS, EINTR };

    for (size_t i = 0; i < G_N_ELEMENTS(flags) * G_N_ELEMENTS(errors); i++) {
        g_autoptr(BlockBackend) blk = open_for_sync(f);

        fixture_fail(f, blk, 1u << FILE_SYS_FALLOCATE, 1, errors[i / 2]);
        memset(f->content + 4096 * i, 0, 4096);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 4096 * i, 4096, flags[i % 2]), ==, 0);
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
    }
}

static void test_zeroes_error(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    fixture_fail(f, blk, 1u << FILE_SYS_FALLOCATE, 1, ENOSPC);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, 0), ==, -ENOSPC);
    fixture_fail(f, blk, 1u << FILE_SYS_FALLOCATE, 1, EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_MAY_UNMAP), ==, -EIO);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_discard_unsupported(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    fixture_fail(f, blk, 1u << FILE_SYS_FALLOCATE, 1, EOPNOTSUPP);
    g_assert_cmpint(blk_pdiscard(blk, 0, 8192), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 0, 8192), ==, 0);
    g_assert_cmpint(f->fault.calls, ==, 1);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_status_error(Fixture *f, gconstpointer data)
{
    static const int errors[] = { EINVAL, EIO };
    g_autoptr(BlockBackend) blk = open_for_sync(f);
    BlockStatus status;

    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        fixture_fail(f, blk, 1u << FILE_SYS_LSEEK, 1, errors[i]);
        g_atomic_int_set(&fixture_state(blk)->refused, 0);
        g_assert_cmpint(blk_block_status(blk, 0, FIXTURE_BYTES, &status), ==, 0);
        g_assert_cmpint(status.flags & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO), ==, BDRV_BLOCK_DATA);
        g_assert_cmpint(status.bytes, ==, FIXTURE_BYTES);
    }
}

static void test_length_error(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_for_sync(f);

    fixture_fail(f, blk, 1u << FILE_SYS_STAT, 1, EIO);
    g_assert_cmpint(blk_getlength(blk), ==, -EIO);
    g_assert_cmpint(blk_getlength(blk), ==, FIXTURE_BYTES);
}

static void test_truncate_each(Fixture *f, gconstpointer data)
{
    static const PreallocMode modes[] = {
        PREALLOC_MODE_OFF, PREALLOC_MODE_FALLOC, PREALLOC_MODE_FULL,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autoptr(BlockBackend) blk = open_for_sync(f);
        bool ok = false;

        for (int at = 1; !ok && at < FAULT_MAX_CALLS; at++) {
            g_autoptr(GError) error = NULL;

            fixture_fail(f, blk, FILE_FAULT_ALL, at, ENOSPC);
            ok = blk_truncate(blk, FIXTURE_BYTES + 70000, modes[i], &error);
            g_assert_true(ok == (error == NULL));
            if (!ok) {
                fixture_assert_file(f, f->content, FIXTURE_BYTES);
            }
        }
        g_assert_true(ok);
        fixture_fail(f, blk, 0, 0, 0);
        g_assert_true(blk_truncate(blk, FIXTURE_BYTES, PREALLOC_MODE_OFF, NULL));
    }
}

/* ---- reopen ------------------------------------------------------------------------------------ */

static void test_reopen_each(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    unsigned locks = fixture_locks(f);
    int descriptors = fixture_open_descriptors();
    bool ok = false;

    for (int at = 1; !ok && at < FAULT_MAX_CALLS; at++) {
        g_autoptr(QDict) options = qdict_new();
        g_autoptr(GError) error = NULL;

        fixture_fail(f, blk, FILE_FAULT_ALL & ~(1u << FILE_SYS_CLOSE), at, EIO);
        qdict_put_bool(options, "read-only", false);
        ok = blk_reopen(blk, options, &error);
        g_assert_true(ok == (error == NULL));
        if (!ok) {
            g_assert_cmphex(fixture_locks(f), ==, locks);
            g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
            assert_reads(f, blk);
            g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), <, 0);
        }
    }
    g_assert_true(ok);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
}

/* The locks cannot move to the new descriptor: the old one keeps them until a later reopen. */
static void test_reopen_locks_stay(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    FileState *s = fixture_state(blk);
    FileFault fault = { 0 };
    int descriptors = fixture_open_descriptors();
    BlockReopenState state = { .bs = fixture_node(blk), .flags = BLK_O_NOCACHE };
    g_autoptr(GError) error = NULL;

    if (!bdrv_file.bdrv_reopen_prepare(&state, &error)) {
        g_test_skip("no direct I/O on this file system");
        return;
    }
    fault = (FileFault) { .kinds = 1u << FILE_SYS_LOCK, .at = 2, .error = ENOLCK };
    s->sys.fault = &fault;
    bdrv_file.bdrv_reopen_commit(&state);
    fixture_node(blk)->open_flags |= BLK_O_NOCACHE;
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(1, 2 | 8));
    g_assert_cmpint(fixture_open_descriptors(), ==, descriptors + 1);
    state.flags = 0;
    g_assert_true(bdrv_file.bdrv_reopen_prepare(&state, &error));
    bdrv_file.bdrv_reopen_commit(&state);
    fixture_node(blk)->open_flags &= ~BLK_O_NOCACHE;
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(1, 2 | 8));
    g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
    s->sys.fault = NULL;
}

/* ---- creation ------------------------------------------------------------------------------------ */

static void sweep_create(Fixture *f, bool exists, PreallocMode mode, int fail_with)
{
    const FileCreateOptions options = {
        .size = 200000, .prealloc = mode, .is_nocow = true, .extent_size_hint = 65536,
    };
    FileSys sys = { .fault = &f->fault };
    int descriptors = fixture_open_descriptors();

    for (int at = 1; at < FAULT_MAX_CALLS; at++) {
        g_autoptr(GError) error = NULL;
        struct stat st;
        bool ok;

        g_unlink(f->path);
        if (exists) {
            fixture_write(f, FIXTURE_BYTES);
        }
        f->fault = (FileFault) { .kinds = FILE_FAULT_ALL, .at = at, .error = fail_with };
        ok = file_create(&sys, f->path, &options, &error);
        g_assert_true(ok == (error == NULL));
        g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
        if (ok) {
            g_assert_cmpint(stat(f->path, &st), ==, 0);
            g_assert_cmpint(st.st_size, ==, options.size);
        } else {
            g_assert_cmpint(fail_with, !=, EINTR);
            g_assert_true(g_file_test(f->path, G_FILE_TEST_EXISTS) == exists);
        }
        if (f->fault.calls < at) {
            g_assert_true(ok);
            return;
        }
    }
    g_assert_not_reached();
}

static void test_create_each(Fixture *f, gconstpointer data)
{
    static const int errors[] = { EIO, ENOSPC, EINTR };

    for (size_t i = 0; i < G_N_ELEMENTS(errors); i++) {
        sweep_create(f, false, PREALLOC_MODE_OFF, errors[i]);
        sweep_create(f, false, PREALLOC_MODE_FALLOC, errors[i]);
        sweep_create(f, false, PREALLOC_MODE_FULL, errors[i]);
        sweep_create(f, true, PREALLOC_MODE_OFF, errors[i]);
    }
}

static bool try_create(Fixture *f, int64_t size, GError **error)
{
    const FileCreateOptions options = { .size = size };
    FileSys sys = { 0 };

    return file_create(&sys, f->path, &options, error);
}

static void test_create_busy(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = g_strdup_printf("Failed to get \"write\" lock\n"
        "Is another process using the image [%s]?\n"
        "This process itself has it open already.", f->path);

    g_assert_false(try_create(f, 0, &error));
    g_assert_cmpstr(error->message, ==, expected);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_create_too_large(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(try_create(f, INT64_MAX - 4096, &error));
    g_assert_true(g_str_has_prefix(error->message, "Could not resize file: "));
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_create_places(Fixture *f, gconstpointer data)
{
    const FileCreateOptions options = { .size = 512 };
    FileSys sys = { 0 };
    g_autofree char *missing = g_build_filename(f->dir, "none", "x", NULL);
    g_autofree char *first = g_strdup_printf("Could not create '%s': No such file or directory",
                                             missing);
    g_autofree char *second = g_strdup_printf("Could not create '%s': Is a directory", f->dir);
    g_autoptr(GError) error = NULL;

    g_assert_false(file_create(&sys, missing, &options, &error));
    g_assert_cmpstr(error->message, ==, first);
    g_clear_error(&error);
    g_assert_false(file_create(&sys, f->dir, &options, &error));
    g_assert_cmpstr(error->message, ==, second);
    g_clear_error(&error);
    g_assert_false(file_create_on_device(&sys, "/dev/null", &options, &error));
    g_assert_cmpstr(error->message, ==, "Cannot grow device files");
}

static void test_create_options(Fixture *f, gconstpointer data)
{
    static const char *const bad[][3] = {
        { "preallocation", "metadata", "Unsupported preallocation mode: metadata" },
        { "preallocation", "bad", "invalid parameter value: bad\n"
          "Accepted values of 'preallocation': off, falloc, full" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(QDict) options = qdict_new();
        g_autoptr(GError) error = NULL;
        FileCreateOptions parsed;

        qdict_put_str(options, bad[i][0], bad[i][1]);
        g_assert_false(file_create_parse(options, &parsed, &error));
        g_assert_cmpstr(error->message, ==, bad[i][2]);
    }
}

static void test_create_options_text(Fixture *f, gconstpointer data)
{
    const BlockCreateTarget target = { .context = f->ctx, .filename = f->path };
    g_autoptr(QDict) opts = qdict_new();
    g_autoptr(GError) error = NULL;
    struct stat st;

    qdict_put_str(opts, "size", "9223372036854775807");
    g_assert_false(bdrv_file.bdrv_co_create_opts(&target, opts, &error));
    g_assert_cmpstr(error->message, ==, "Could not resize file: Invalid argument");
    g_clear_error(&error);
    qdict_put_str(opts, "size", "511");
    qdict_put_str(opts, "bogus", "1");
    g_assert_false(bdrv_file.bdrv_co_create_opts(&target, opts, &error));
    g_assert_cmpstr(error->message, ==, "Invalid parameter 'bogus'");
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
    g_clear_error(&error);
    g_clear_pointer(&opts, qobject_unref);
    opts = qdict_new();
    qdict_put_str(opts, "size", "511");
    g_assert_true(bdrv_file.bdrv_co_create_opts(&target, opts, &error));
    g_assert_cmpint(stat(f->path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 512);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_ADD("/file/fault/open/each-call/is-told", test_open_each);
    FIXTURE_ADD("/file/fault/open/not-allowed/auto-read-only/reads", test_auto_read_only);
    FIXTURE_ADD("/file/fault/open/not-allowed/is-told", test_not_auto_read_only);
    FIXTURE_ADD("/file/fault/open/no-locks/matters-for-locking-on-only", test_cannot_lock);
    FIXTURE_ADD("/file/fault/read/nowait-fails/is-not-seen", test_read_nowait);
    FIXTURE_ADD("/file/fault/read/nowait-unknown/is-remembered", test_read_nowait_remembered);
    FIXTURE_ADD("/file/fault/read/error/is-told", test_read_error);
    FIXTURE_ADD("/file/fault/write/error/is-told-and-past", test_write_error);
    FIXTURE_ADD("/file/fault/write/short/is-continued", test_write_short);
    FIXTURE_ADD("/file/fault/flush/error/stops-writes", test_flush_error);
    FIXTURE_ADD("/file/fault/fua/sync-error/stops-writes", test_fua_error);
    FIXTURE_ADD("/file/fault/flush/interrupted/is-repeated", test_flush_interrupted);
    FIXTURE_ADD("/file/fault/flush/error/reopen-heals", test_reopen_heals);
    FIXTURE_ADD("/file/flush/no-flush/makes-no-call", test_no_flush);
    FIXTURE_ADD("/file/flush/first/syncs-the-folder-once", test_folder_sync);
    FIXTURE_ADD("/file/fault/zeroes/all-refused/are-written", test_zeroes_unsupported);
    FIXTURE_ADD("/file/fault/zeroes/each-means-refused/are-written", test_zeroes_each);
    FIXTURE_ADD("/file/fault/zeroes/error/is-told", test_zeroes_error);
    FIXTURE_ADD("/file/fault/discard/refused/is-remembered", test_discard_unsupported);
    FIXTURE_ADD("/file/fault/status/error/is-data", test_status_error);
    FIXTURE_ADD("/file/fault/length/error/is-told", test_length_error);
    FIXTURE_ADD("/file/fault/truncate/each-call/keeps-the-length", test_truncate_each);
    FIXTURE_ADD("/file/fault/reopen/each-call/changes-nothing", test_reopen_each);
    FIXTURE_ADD("/file/fault/reopen/locks-cannot-move/stay", test_reopen_locks_stay);
    FIXTURE_ADD("/file/create/each-call-fails/leaves-no-new-file", test_create_each);
    FIXTURE_ADD("/file/create/busy/is-refused-and-intact", test_create_busy);
    FIXTURE_ADD("/file/create/too-large/keeps-the-old-file", test_create_too_large);
    FIXTURE_ADD("/file/create/bad-place/is-refused", test_create_places);
    FIXTURE_ADD("/file/create/bad-option/is-refused", test_create_options);
    FIXTURE_ADD("/file/create/texts/are-checked-first", test_create_options_text);
    return g_test_run();
}
