/* SPDX-License-Identifier: MIT */
/* The file driver: what it opens and refuses, reads, writes, zeros, lengths, holes, locks, reopen. */
#include "file-fixture.h"

#define R  BLK_PERM_CONSISTENT_READ
#define W  BLK_PERM_WRITE
#define RS BLK_PERM_RESIZE

#define PLAIN "driver=file,filename=%s"

/* ---- open ---------------------------------------------------------------------- */

static void test_open_missing(Fixture *f, gconstpointer data)
{
    fixture_open_fails(f, PLAIN ".none", 0,
                       "Could not open '%s.none': No such file or directory");
}

static void test_open_folder(Fixture *f, gconstpointer data)
{
    fixture_open_fails(f, "driver=file,filename=/tmp", 0,
                       "'file' driver requires '/tmp' to be a regular file");
    fixture_open_fails(f, "driver=file,filename=/tmp", BLK_O_RDWR,
                       "Could not open '/tmp': Is a directory");
}

static void test_open_fifo(Fixture *f, gconstpointer data)
{
    g_unlink(f->path);
    g_assert_cmpint(mkfifo(f->path, 0600), ==, 0);
    fixture_open_fails(f, PLAIN, 0, "'file' driver requires '%s' to be a regular file");
    fixture_open_fails(f, PLAIN, BLK_O_RDWR, "'file' driver requires '%s' to be a regular file");
}

static void test_open_device(Fixture *f, gconstpointer data)
{
    fixture_open_fails(f, "driver=file,filename=/dev/null", 0,
                       "'file' driver requires '/dev/null' to be a regular file");
}

static void test_open_no_device(Fixture *f, gconstpointer data)
{
    fixture_open_fails(f, "driver=host_device,filename=%s", 0, "'host_device' driver requires "
                       "'%s' to be either a character or block device");
}

static void test_open_null_device(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, "driver=raw,file.filename=/dev/null", 0);

    g_assert_cmpstr(fixture_node(blk)->drv->format_name, ==, "host_device");
    g_assert_cmpint(blk_getlength(blk), ==, 0);
}

static void test_open_empty_name(Fixture *f, gconstpointer data)
{
    fixture_open_fails(f, "driver=file,filename=", 0,
                       "The 'file' block driver requires a file name");
}

static void test_open_native(Fixture *f, gconstpointer data)
{
    fixture_open_fails(f, PLAIN ",aio=native", 0, "aio=native was specified, but it requires "
                       "cache.direct=on, which was not specified.");
}

static void test_open_native_flag(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = NULL;

    fixture_open_fails(f, "driver=raw,file.driver=file,file.filename=%s", BLK_O_AIO_NATIVE,
                       "aio=native was specified, but it requires cache.direct=on, which was not "
                       "specified.");
    blk = fixture_open(f, PLAIN ",aio=threads", BLK_O_AIO_NATIVE);
}

static void test_open_uring(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",aio=io_uring", 0);
    uint8_t buf[512];

    g_assert_cmpint(blk_pread(blk, 512, sizeof(buf), buf), ==, 0);
    g_assert_cmpmem(buf, sizeof(buf), f->content + 512, sizeof(buf));
}

static void test_name_with_colon(Fixture *f, gconstpointer data)
{
    FileState s = { .filename = (char *)"a:b" };
    BlockDriverState bs = { .opaque = &s };

    bdrv_file.bdrv_refresh_filename(&bs);
    g_assert_cmpstr(bs.exact_filename, ==, "./a:b");
    s.filename = (char *)"d/a:b";
    bdrv_file.bdrv_refresh_filename(&bs);
    g_assert_cmpstr(bs.exact_filename, ==, "d/a:b");
    g_free(bs.exact_filename);
}

static void test_prefix(Fixture *f, gconstpointer data)
{
    g_autoptr(QDict) options = qdict_new();

    g_assert_true(bdrv_file.bdrv_parse_filename("file:a:b", options, NULL));
    g_assert_cmpstr(qdict_get_try_str(options, "filename"), ==, "./a:b");
    g_assert_true(bdrv_file.bdrv_parse_filename("file:a/b", options, NULL));
    g_assert_cmpstr(qdict_get_try_str(options, "filename"), ==, "a/b");
}

/* ---- reads and writes ------------------------------------------------------------ */

static void test_read(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    uint8_t buf[5000];

    g_assert_cmpint(blk_getlength(blk), ==, FIXTURE_BYTES);
    g_assert_cmpint(blk_pread(blk, 1, 5000, buf), ==, 0);
    g_assert_cmpmem(buf, 5000, f->content + 1, 5000);
    g_assert_cmpint(blk_pread(blk, FIXTURE_BYTES - 1, 2, buf), ==, -EIO);
}

static void test_read_cold(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    FileState *s = fixture_state(blk);
    g_autofree uint8_t *buf = g_malloc(FIXTURE_BYTES);

    g_assert_cmpint(file_sys_fdatasync(&s->sys, s->fd), ==, 0);
    g_assert_cmpint(file_sys_drop_cache(&s->sys, s->fd), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, FIXTURE_BYTES, buf), ==, 0);
    g_assert_cmpmem(buf, FIXTURE_BYTES, f->content, FIXTURE_BYTES);
}

static void test_write(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR);

    memset(f->content + 777, 0xa5, 3333);
    g_assert_cmpint(blk_pwrite(blk, 777, 3333, f->content + 777, 0), ==, 0);
    memset(f->content + 100, 0x5a, 10);
    g_assert_cmpint(blk_pwrite(blk, 100, 10, f->content + 100, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

enum { THREADS = 4, ROUNDS = 50, SLICE = FIXTURE_BYTES / THREADS };

typedef struct Worker {
    BlockBackend *blk;
    int64_t offset;
    int seed;
} Worker;

/* Each thread has a slice of its own; all flush, ask for the length and read their neighbours'. */
static gpointer worker_run(gpointer opaque)
{
    Worker *w = opaque;
    uint8_t wrote[3000], back[3000];

    for (int i = 0; i < ROUNDS; i++) {
        int64_t offset = w->offset + i * 131 % (SLICE - (int)sizeof(wrote));

        memset(wrote, w->seed + i, sizeof(wrote));
        g_assert_cmpint(blk_pwrite(w->blk, offset, sizeof(wrote), wrote,
                                   i % 16 ? 0 : BDRV_REQ_FUA), ==, 0);
        g_assert_cmpint(blk_pread(w->blk, offset, sizeof(back), back), ==, 0);
        g_assert_cmpmem(back, sizeof(back), wrote, sizeof(wrote));
        g_assert_cmpint(blk_pwrite_zeroes(w->blk, offset, 100, BDRV_REQ_MAY_UNMAP), ==, 0);
        g_assert_cmpint(blk_pread(w->blk, i * 1000, sizeof(back), back), ==, 0);
        g_assert_cmpint(blk_flush(w->blk), ==, 0);
    }
    return NULL;
}

static void test_threads(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",discard=unmap", BLK_O_RDWR);
    GThread *threads[THREADS];
    Worker workers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (Worker) { .blk = blk, .offset = i * SLICE, .seed = i * 64 };
        threads[i] = g_thread_new("worker", worker_run, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
}

static void test_write_read_only(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);

    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), <, 0);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static BlockBackend *open_direct(Fixture *f, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = fixture_try_open(f, PLAIN ",cache.direct=on", flags, &error);

    if (!blk) {
        g_assert_error(error, CAIRN_ERROR, EINVAL);
        g_assert_true(strstr(error->message, "cache.direct=on") != NULL);
        g_test_skip("no direct I/O on this file system");
    }
    return blk;
}

static void test_direct(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_direct(f, BLK_O_RDWR);
    uint8_t buf[3000];

    if (!blk) {
        return;
    }
    g_assert_cmpuint(blk_get_request_alignment(blk), >=, 512);
    g_assert_cmpuint(fixture_node(blk)->bl.mem_alignment, >=, 1);
    memset(f->content + 1234, 0xc3, 2345);
    g_assert_cmpint(blk_pwrite(blk, 1234, 2345, f->content + 1234, 0), ==, 0);
    memset(f->content + 4000, 0x3c, 600);
    g_assert_cmpint(blk_pwrite(blk, 4000, 600, f->content + 4000, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(blk_pread(blk, 1111, sizeof(buf), buf), ==, 0);
    g_assert_cmpmem(buf, sizeof(buf), f->content + 1111, sizeof(buf));
    g_assert_cmpint(blk_flush(blk), ==, 0);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_direct_tail(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = NULL;
    uint8_t buf[1024], zeros[324] = { 0 };

    fixture_write(f, 10300);
    blk = open_direct(f, 0);
    if (!blk) {
        return;
    }
    g_assert_cmpint(blk_getlength(blk), ==, 10752);
    g_assert_cmpint(blk_pread(blk, 9600, 1024 - 256, buf), ==, 0);
    g_assert_cmpmem(buf, 700, f->content + 9600, 700);
    g_assert_cmpmem(buf + 700, 68, zeros, 68);
}

static void test_native(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) direct = open_direct(f, 0);
    uint8_t buf[512];

    if (!direct) {
        return;
    }
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",cache.direct=on,aio=native", 0);

    g_assert_cmpint(blk_pread(blk, 512, sizeof(buf), buf), ==, 0);
    g_assert_cmpmem(buf, sizeof(buf), f->content + 512, sizeof(buf));
}

/* ---- zeroes, discard, holes ---------------------------------------------------------- */

static int64_t allocated(const char *path)
{
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return (int64_t)st.st_blocks * 512;
}

static bool has_holes(Fixture *f)
{
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    bool ok = fallocate(fd, 3 /* punch, keep size */, 0, 4096) == 0;

    close(fd);
    fixture_write(f, FIXTURE_BYTES);
    if (!ok) {
        g_test_skip("this file system cannot punch holes");
    }
    return ok;
}

static void test_zeroes_keep(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",discard=unmap", BLK_O_RDWR);
    int64_t before = allocated(f->path);

    g_assert_cmpint(blk_pwrite_zeroes(blk, 5000, 40000, 0), ==, 0);
    memset(f->content + 5000, 0, 40000);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
    g_assert_cmpint(allocated(f->path), >=, before);
}

static void test_zeroes_unmap(Fixture *f, gconstpointer data)
{
    if (!has_holes(f)) {
        return;
    }
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",discard=unmap", BLK_O_RDWR);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    int64_t before = allocated(f->path);

    g_assert_cmpint(blk_pwrite_zeroes(blk, 5000, 40000, BDRV_REQ_MAY_UNMAP), ==, 0);
    memset(f->content + 5000, 0, 40000);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
    g_assert_cmpint(allocated(f->path), <, before);
}

static void test_zeroes_past_end(Fixture *f, gconstpointer data)
{
    static const int flags[] = { 0, BDRV_REQ_MAY_UNMAP };

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        g_autoptr(BlockBackend) blk = NULL;
        uint8_t expected[1024] = { 0 };

        fixture_write(f, 700);
        memcpy(expected, f->content, 600);
        blk = fixture_open(f, PLAIN ",discard=unmap", BLK_O_RDWR);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 600, 424, flags[i]), ==, 0);
        fixture_assert_file(f, expected, 1024);
    }
}

static void test_discard(Fixture *f, gconstpointer data)
{
    if (!has_holes(f)) {
        return;
    }
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",discard=unmap", BLK_O_RDWR);
    int64_t before;

    g_assert_cmpint(blk_flush(blk), ==, 0);
    before = allocated(f->path);
    g_assert_cmpint(blk_pdiscard(blk, 8192, 32768), ==, 0);
    memset(f->content + 8192, 0, 32768);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
    g_assert_cmpint(allocated(f->path), <, before);
}

static void test_status(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = NULL;
    BlockStatus status;

    if (!has_holes(f)) {
        return;
    }
    g_assert_cmpint(truncate(f->path, 0), ==, 0);
    g_assert_cmpint(truncate(f->path, 1 << 20), ==, 0);
    blk = fixture_open(f, PLAIN, BLK_O_RDWR);
    g_assert_cmpint(blk_pwrite(blk, 65536, 65536, f->content, 0), ==, 0);
    g_assert_cmpint(blk_block_status(blk, 0, 1 << 20, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_ZERO, !=, 0);
    g_assert_cmpint(status.bytes, ==, 65536);
    g_assert_cmpint(blk_block_status(blk, 65536, 1 << 20, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_DATA, !=, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_OFFSET_VALID, !=, 0);
    g_assert_cmpint(status.host_offset, ==, 65536);
    g_assert_cmpint(status.bytes, ==, 65536);
    g_assert_cmpint(blk_block_status(blk, 131072, 1 << 20, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_ZERO, !=, 0);
    g_assert_cmpint(status.bytes, ==, (1 << 20) - 131072);
}

/* Direct I/O may work in larger blocks than the file system does. */
static void test_status_of_a_mixed_block(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = NULL;
    BlockStatus status;
    int fd;

    if (!has_holes(f)) {
        return;
    }
    fd = open(f->path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(fallocate(fd, 3 /* punch, keep size */, 16384, 20480), ==, 0);
    close(fd);
    blk = fixture_open(f, PLAIN, 0);
    blk->root->bs->bl.request_alignment = 16384;
    g_assert_cmpint(blk_block_status(blk, 16384, 49152, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_ZERO, !=, 0);
    g_assert_cmpint(status.bytes, ==, 16384);
    g_assert_cmpint(blk_block_status(blk, 32768, 32768, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_ZERO, ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_DATA, !=, 0);
}

/* ---- lengths -------------------------------------------------------------------------- */

static void assert_truncates(BlockBackend *blk, int64_t bytes, PreallocMode prealloc)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_truncate(blk, bytes, prealloc, &error));
    g_assert_no_error(error);
    g_assert_cmpint(blk_getlength(blk), ==, (bytes + 511) / 512 * 512);
}

static void test_truncate(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR | BLK_O_RESIZE);

    assert_truncates(blk, 1000, PREALLOC_MODE_OFF);
    fixture_assert_file(f, f->content, 1000);
    memset(f->content + 1000, 0, FIXTURE_BYTES - 1000);
    assert_truncates(blk, 5000, PREALLOC_MODE_OFF);
    fixture_assert_file(f, f->content, 5000);
    assert_truncates(blk, 20000, PREALLOC_MODE_FALLOC);
    fixture_assert_file(f, f->content, 20000);
    g_assert_cmpint(allocated(f->path), >=, 15000);
    assert_truncates(blk, FIXTURE_BYTES, PREALLOC_MODE_FULL);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
    g_assert_cmpint(allocated(f->path), >=, 60000);
}

static void assert_truncate_fails(BlockBackend *blk, int64_t bytes, PreallocMode prealloc,
                                  const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_truncate(blk, bytes, prealloc, &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_truncate_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR | BLK_O_RESIZE);

    assert_truncate_fails(blk, 512, PREALLOC_MODE_FULL,
                          "Cannot use preallocation for shrinking files");
    assert_truncate_fails(blk, 1 << 20, PREALLOC_MODE_METADATA,
                          "Unsupported preallocation mode: metadata");
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_truncate_device(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, "driver=host_device,filename=/dev/null",
                                               BLK_O_RDWR | BLK_O_RESIZE);

    assert_truncate_fails(blk, 1 << 20, PREALLOC_MODE_OFF, "Cannot grow device files");
    assert_truncate_fails(blk, 1 << 20, PREALLOC_MODE_FULL,
                          "Preallocation mode 'full' unsupported for this non-regular file");
}

/* ---- locks and reopen -------------------------------------------------------------------- */

static void test_locks(Fixture *f, gconstpointer data)
{
    BlockBackend *blk = fixture_open(f, PLAIN, BLK_O_RDWR);

    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, W | RS));
    fixture_open_fails(f, PLAIN, BLK_O_RDWR, "Failed to get \"write\" lock\n"
                       "Is another process using the image [%s]?\n"
                       "This process itself has it open already.");
    blk_unref(blk);
    g_assert_cmphex(fixture_locks(f), ==, 0);
}

static void test_locks_shared(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) one = fixture_open(f, PLAIN, BLK_O_RDWR | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) two = fixture_open(f, PLAIN, BLK_O_RDWR | BLK_O_SHARE_WRITE);

    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, 0));
}

static void test_locks_off(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) one = fixture_open(f, PLAIN ",locking=off", BLK_O_RDWR);
    g_autoptr(BlockBackend) two = fixture_open(f, PLAIN ",locking=on", BLK_O_RDWR);

    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, W | RS));
}

static void test_locks_forced(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) one = fixture_open(f, PLAIN, BLK_O_RDWR);
    g_autoptr(BlockBackend) two = fixture_open(f, PLAIN ",force-share=on", 0);
    uint8_t byte;

    g_assert_cmpint(blk_pread(two, 0, 1, &byte), ==, 0);
    g_assert_cmpint(byte, ==, f->content[0]);
}

static void test_locks_truncate(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR | BLK_O_SHARE_WRITE);

    assert_truncates(blk, 4096, PREALLOC_MODE_OFF);
    fixture_assert_file(f, f->content, 4096);
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, 0));
}

static void test_locks_truncate_conflict(Fixture *f, gconstpointer data)
{
    g_autofree char *message = g_strdup_printf(
        "Failed to get \"resize\" lock\nIs another process using the image [%s]?\n"
        "This process itself has it open already.", f->path);
    struct flock unshared = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 203, .l_len = 1,
    };
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR | BLK_O_SHARE_WRITE);
    int fd = open(f->path, O_RDWR | O_CLOEXEC);

    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &unshared), ==, 0);
    assert_truncate_fails(blk, 4096, PREALLOC_MODE_OFF, message);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, RS));
    close(fd);
    assert_truncates(blk, 4096, PREALLOC_MODE_OFF);
}

static void assert_reopens(BlockBackend *blk, const char *key, bool value)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_bool(options, key, value);
    g_assert_true(blk_reopen(blk, options, &error));
    g_assert_no_error(error);
}

static void test_reopen(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    int descriptors = fixture_open_descriptors();

    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R, W | RS));
    assert_reopens(blk, "read-only", false);
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, W | RS));
    g_assert_cmpint(blk_pwrite(blk, 3, 1, "x", 0), ==, 0);
    assert_reopens(blk, "read-only", true);
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R, W | RS));
    g_assert_cmpint(blk_pwrite(blk, 4, 1, "x", 0), <, 0);
    g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
    f->content[3] = 'x';
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_reopen_direct(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) probe = open_direct(f, 0);
    g_autoptr(BlockBackend) blk = NULL;

    if (!probe) {
        return;
    }
    g_clear_pointer(&probe, blk_unref);
    blk = fixture_open(f, PLAIN, BLK_O_RDWR);
    g_assert_cmpuint(blk_get_request_alignment(blk), ==, 1);
    assert_reopens(blk, "cache.direct", true);
    g_assert_cmpuint(blk_get_request_alignment(blk), >=, 512);
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R | W, W | RS));
    g_assert_cmpint(blk_pwrite(blk, 3, 1, "x", 0), ==, 0);
    assert_reopens(blk, "cache.direct", false);
    g_assert_cmpuint(blk_get_request_alignment(blk), ==, 1);
    f->content[3] = 'x';
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_reopen_deleted(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, 0);
    uint8_t byte;

    g_unlink(f->path);
    memset(f->content, 0xff, FIXTURE_BYTES);
    fixture_write(f, FIXTURE_BYTES);
    assert_reopens(blk, "read-only", false);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, 0);
    g_assert_cmpint(byte, ==, 'x');
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_reopen_conflict(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) one = fixture_open(f, PLAIN, 0);
    g_autoptr(BlockBackend) two = fixture_open(f, PLAIN, 0);
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    int descriptors = fixture_open_descriptors();

    qdict_put_bool(options, "read-only", false);
    g_assert_false(blk_reopen(one, options, &error));
    g_assert_true(g_str_has_prefix(error->message, "Failed to get \"write\" lock"));
    g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
    g_assert_cmphex(fixture_locks(f), ==, LOCKS(R, W | RS));
    g_assert_false(blk_is_writable(one));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_ADD("/file/open/missing/is-refused", test_open_missing);
    FIXTURE_ADD("/file/open/folder/is-refused", test_open_folder);
    FIXTURE_ADD("/file/open/fifo/is-refused-at-once", test_open_fifo);
    FIXTURE_ADD("/file/open/device/is-refused", test_open_device);
    FIXTURE_ADD("/host_device/open/file/is-refused", test_open_no_device);
    FIXTURE_ADD("/host_device/open/plain-name/is-chosen", test_open_null_device);
    FIXTURE_ADD("/file/open/empty-name/is-refused", test_open_empty_name);
    FIXTURE_ADD("/file/open/native-without-direct/is-refused", test_open_native);
    FIXTURE_ADD("/file/open/native-flag/holds-where-no-option-says", test_open_native_flag);
    FIXTURE_ADD("/file/open/io_uring/is-accepted", test_open_uring);
    FIXTURE_ADD("/file/name/with-colon/opens-again", test_name_with_colon);
    FIXTURE_ADD("/file/name/prefix/is-taken-off", test_prefix);
    FIXTURE_ADD("/file/read/gives-the-bytes", test_read);
    FIXTURE_ADD("/file/read/not-cached/gives-the-bytes", test_read_cold);
    FIXTURE_ADD("/file/write/changes-the-range-only", test_write);
    FIXTURE_ADD("/file/write/read-only/is-refused", test_write_read_only);
    FIXTURE_ADD("/file/threads/several/keep-their-bytes", test_threads);
    FIXTURE_ADD("/file/direct/any-range/works", test_direct);
    FIXTURE_ADD("/file/direct/tail/reads-as-zeros", test_direct_tail);
    FIXTURE_ADD("/file/direct/native/is-accepted", test_native);
    FIXTURE_ADD("/file/zeroes/keep-their-space", test_zeroes_keep);
    FIXTURE_ADD("/file/zeroes/may-unmap/frees-space", test_zeroes_unmap);
    FIXTURE_ADD("/file/zeroes/past-the-end/extend", test_zeroes_past_end);
    FIXTURE_ADD("/file/discard/frees-space", test_discard);
    FIXTURE_ADD("/file/status/tells-holes-from-data", test_status);
    FIXTURE_ADD("/file/status/block-with-some-data/is-no-hole", test_status_of_a_mixed_block);
    FIXTURE_ADD("/file/truncate/sets-the-length", test_truncate);
    FIXTURE_ADD("/file/truncate/bad-preallocation/is-refused", test_truncate_refused);
    FIXTURE_ADD("/host_device/truncate/growing/is-refused", test_truncate_device);
    FIXTURE_ADD("/file/locks/writer/excludes-a-second", test_locks);
    FIXTURE_ADD("/file/locks/sharing-writers/coexist", test_locks_shared);
    FIXTURE_ADD("/file/locks/off/takes-none", test_locks_off);
    FIXTURE_ADD("/file/locks/forced/reads-beside-a-writer", test_locks_forced);
    FIXTURE_ADD("/file/locks/truncate/holds-resize-for-the-call-only", test_locks_truncate);
    FIXTURE_ADD("/file/locks/truncate/another-forbids-resize/is-refused",
                test_locks_truncate_conflict);
    FIXTURE_ADD("/file/reopen/read-write-and-back/keeps-locks", test_reopen);
    FIXTURE_ADD("/file/reopen/cache-direct/changes-alignment", test_reopen_direct);
    FIXTURE_ADD("/file/reopen/deleted-file/stays-the-same", test_reopen_deleted);
    FIXTURE_ADD("/file/reopen/conflict/changes-nothing", test_reopen_conflict);
    return g_test_run();
}
