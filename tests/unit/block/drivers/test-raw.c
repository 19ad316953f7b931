/* SPDX-License-Identifier: MIT */
/* raw: a window on a file. */
#include "file-fixture.h"

#define R  BLK_PERM_CONSISTENT_READ
#define W  BLK_PERM_WRITE
#define RS BLK_PERM_RESIZE

#define PLAIN "driver=raw,file.driver=file,file.filename=%s"

static void test_probe(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(bdrv_raw.bdrv_probe(f->content, 512, "x"), ==, 1);
    g_assert_cmpint(bdrv_raw.bdrv_probe(NULL, 0, NULL), ==, 1);
}

static void test_bad_windows(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *options, *message;
    } cases[] = {
        { ",offset=2M", "Offset (2097152) cannot be greater than size of the containing file "
          "(65536)" },
        { ",size=128k", "The sum of offset (0) and size (131072) has to be smaller or equal to "
          "the  actual size of the containing file (65536)" },
        { ",offset=512,size=64k", "The sum of offset (512) and size (65536) has to be smaller or "
          "equal to the  actual size of the containing file (65536)" },
        { ",size=1000", "Specified size is not multiple of 512" },
        { ",offset=8E", "Parameter 'offset' must be at most 9223372036854775807" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *options = g_strconcat(PLAIN, cases[i].options, NULL);

        fixture_open_fails(f, options, 0, cases[i].message);
    }
}

static void test_lengths(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *options;
        int64_t bytes;
    } cases[] = {
        { "", 65536 }, { ",offset=64k", 0 }, { ",offset=100", 65536 }, { ",offset=512", 65024 },
        { ",size=0", 0 }, { ",size=512", 512 }, { ",offset=1k,size=63k", 64512 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *options = g_strconcat(PLAIN, cases[i].options, NULL);
        g_autoptr(BlockBackend) blk = fixture_open(f, options, 0);

        g_assert_cmpint(blk_getlength(blk), ==, cases[i].bytes);
    }
}

static void test_window(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",offset=4100,size=8k", BLK_O_RDWR);
    uint8_t buf[8192];

    g_assert_cmpint(blk_pread(blk, 0, 8192, buf), ==, 0);
    g_assert_cmpmem(buf, 8192, f->content + 4100, 8192);
    memset(f->content + 4100, 0x77, 8192);
    g_assert_cmpint(blk_pwrite(blk, 0, 8192, f->content + 4100, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 8000, 193, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pread(blk, 8191, 2, buf), ==, -EIO);
    memset(f->content + 5000, 0, 3000);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 900, 3000, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 8191, 2, 0), ==, -EIO);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

static void test_last_sector(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = NULL;
    uint8_t buf[324], zeros[324] = { 0 };

    fixture_write(f, 700);
    blk = fixture_open(f, PLAIN, BLK_O_RDWR);
    g_assert_cmpint(blk_getlength(blk), ==, 1024);
    g_assert_cmpint(blk_pread(blk, 700, 324, buf), ==, 0);
    g_assert_cmpmem(buf, 324, zeros, 324);
    memset(f->content + 690, 0x42, 30);
    g_assert_cmpint(blk_pwrite(blk, 690, 30, f->content + 690, 0), ==, 0);
    fixture_assert_file(f, f->content, 720);
    g_assert_cmpint(blk_pwrite(blk, 1000, 25, f->content, 0), ==, -EIO);
    fixture_assert_file(f, f->content, 720);
}

static void test_status(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",offset=4096", 0);
    BlockStatus status;

    g_assert_cmpint(blk_block_status(blk, 512, 1024, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_DATA, !=, 0);
    g_assert_cmpint(status.bytes, ==, 1024);
    g_assert_cmpint(status.host_offset, ==, 4608);
    g_assert_cmpstr(status.filename, ==, f->path);
}

static void test_truncate(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",offset=1000",
                                               BLK_O_RDWR | BLK_O_RESIZE);
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_truncate(blk, 777, PREALLOC_MODE_OFF, &error));
    g_assert_no_error(error);
    fixture_assert_file(f, f->content, 1777);
    g_assert_cmpint(blk_getlength(blk), ==, 1024);
}

static void test_truncate_fixed(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN ",size=4k", BLK_O_RDWR | BLK_O_RESIZE);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_truncate(blk, 512, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
    g_assert_cmpstr(error->message, ==, "Cannot resize fixed-size raw disks");
}

static void test_locks(Fixture *f, gconstpointer data)
{
    static const struct {
        int flags;
        unsigned locks;
    } cases[] = {
        { 0, LOCKS(R, W | RS) },
        { BLK_O_RDWR, LOCKS(R | W, W | RS) },
        { BLK_O_SHARE_WRITE, LOCKS(R, 0) },
        { BLK_O_RDWR | BLK_O_SHARE_WRITE, LOCKS(R | W, 0) },
        { BLK_O_FORCE_SHARE, LOCKS(R, 0) },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, cases[i].flags);

        g_assert_cmphex(fixture_locks(f), ==, cases[i].locks);
    }
}

static void test_durable(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, PLAIN, BLK_O_RDWR);

    fixture_fail(f, blk, 1u << FILE_SYS_FDATASYNC, 2, EIO);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f->fault.calls, ==, 1);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
    g_assert_cmpint(f->fault.calls, ==, 1);
    g_assert_cmpint(blk_flush(blk), ==, -EIO);
}

static void test_zero_init(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) file = fixture_open(f, PLAIN, 0);
    g_autoptr(BlockBackend) device = fixture_open(f, "driver=raw,file.filename=/dev/null", 0);

    g_assert_true(blk_has_zero_init(file));
    g_assert_false(blk_has_zero_init(device));
}

static void test_create(Fixture *f, gconstpointer data)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    struct stat st;

    qdict_put_str(options, "preallocation", "falloc");
    g_assert_true(blk_create(f->ctx, f->path, "raw", options, 100001, &error));
    g_assert_no_error(error);
    g_assert_cmpint(stat(f->path, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, 100352);
    g_assert_cmpint(st.st_blocks * 512, >=, 100352);
}

static void test_create_bad(Fixture *f, gconstpointer data)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(options, "preallocation", "metadata");
    g_assert_false(blk_create(f->ctx, f->path, "raw", options, 512, &error));
    g_assert_cmpstr(error->message, ==, "Unsupported preallocation mode: metadata");
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

/* ---- what the file says, and what no file could hold ---- */

static void test_length_unknown(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(f, "driver=raw,file.driver=file,file.filename=%s",
                                               BLK_O_RDWR);
    g_autoptr(BlockBackend) fixed = NULL;

    fixture_fail(f, blk, 1u << FILE_SYS_STAT, 1, EIO);
    g_assert_cmpint(blk_getlength(blk), ==, -EIO);
    g_assert_cmpint(blk_getlength(blk), ==, FIXTURE_BYTES);
    blk_close(blk);
    fixed = fixture_open(f, "driver=raw,size=512,file.driver=file,file.filename=%s", 0);
    fixture_fail(f, fixed, 1u << FILE_SYS_STAT, 1, EIO);
    g_assert_cmpint(blk_getlength(fixed), ==, 512);
    g_assert_cmpint(f->fault.calls, ==, 0);     /* nobody had to be asked */
}

/* The last offsets that there are: nothing wraps round, and nothing is written. */
static void test_end_of_numbers(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(
        f, "driver=raw,offset=32k,file.driver=file,file.filename=%s", BLK_O_RDWR | BLK_O_RESIZE);
    g_autoptr(GError) error = NULL;
    uint8_t buf[512] = { 0 };

    g_assert_false(blk_truncate(blk, INT64_MAX - 32768 + 1, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, EFBIG);
    g_assert_cmpint(blk_pread(blk, INT64_MAX - 511, 511, buf), ==, -EIO);
    g_assert_cmpint(blk_pwrite(blk, INT64_MAX - 511, 511, buf, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite_zeroes(blk, INT64_MAX - 511, 511, 0), ==, -EIO);
    g_assert_cmpint(blk_pdiscard(blk, INT64_MAX - 511, 511), ==, -EIO);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

/* A parent that writes past the end, as formats do that grow: the window's end holds. */
static void test_writes_past_the_window(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = fixture_open(
        f, "driver=raw,size=8k,file.driver=file,file.filename=%s", BLK_O_RDWR | BLK_O_RESIZE);
    BdrvChild *root = blk->root;
    uint8_t buf[1024] = { 0 };

    g_assert_cmpint(bdrv_pwrite(root, 8192 - 512, 1024, buf, 0), <, 0);
    g_assert_cmpint(bdrv_pwrite(root, 8192, 512, buf, 0), <, 0);
    fixture_assert_file(f, f->content, FIXTURE_BYTES);
}

typedef struct RawCreate {
    const BlockCreateTarget *target;
    BlockBackend *file;
    const QDict *options;
    GError **error;
    bool ok;
} RawCreate;

static void coroutine_fn raw_create_entry(void *opaque)
{
    RawCreate *c = opaque;

    c->ok = bdrv_raw.bdrv_co_create(c->target, c->file, c->options, c->error);
}

/* "raw" on storage that is there already: it must hold the image, and is not changed. */
static void test_create_on_storage(Fixture *f, gconstpointer data)
{
    static const struct { int64_t size; int code; } cases[] = {
        { FIXTURE_BYTES, 0 }, { 512, 0 }, { FIXTURE_BYTES + 512, EINVAL },
    };
    const BlockCreateTarget target = { .context = f->ctx, .filename = f->path };

    for (size_t i = 0; i < G_N_ELEMENTS(cases) + 1; i++) {
        g_autoptr(BlockBackend) file = fixture_open(f, "driver=file,filename=%s", BLK_O_RDWR);
        g_autoptr(QDict) options = qdict_new();
        g_autoptr(GError) error = NULL;
        int code = i < G_N_ELEMENTS(cases) ? cases[i].code : EIO;
        RawCreate c = { &target, file, options, &error };

        qdict_put_int(options, "size", i < G_N_ELEMENTS(cases) ? cases[i].size : 512);
        if (i == G_N_ELEMENTS(cases)) {
            fixture_fail(f, file, 1u << FILE_SYS_STAT, 1, EIO);
        }
        bdrv_run_co(raw_create_entry, &c);
        g_assert_true(c.ok == (code == 0));
        if (code) {
            g_assert_error(error, CAIRN_ERROR, code);
        }
        fixture_assert_file(f, f->content, FIXTURE_BYTES);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    FIXTURE_ADD("/raw/probe/anything/scores-one", test_probe);
    FIXTURE_ADD("/raw/window/outside-the-file/is-refused", test_bad_windows);
    FIXTURE_ADD("/raw/length/is-rounded-up", test_lengths);
    FIXTURE_ADD("/raw/window/bounds-reads-and-writes", test_window);
    FIXTURE_ADD("/raw/last-sector/zeros-and-extends", test_last_sector);
    FIXTURE_ADD("/raw/status/is-the-files-moved", test_status);
    FIXTURE_ADD("/raw/truncate/keeps-the-offset", test_truncate);
    FIXTURE_ADD("/raw/truncate/fixed-size/is-refused", test_truncate_fixed);
    FIXTURE_ADD("/raw/locks/are-the-users", test_locks);
    FIXTURE_ADD("/raw/fua/is-passed-on", test_durable);
    FIXTURE_ADD("/raw/zero-init/is-the-files", test_zero_init);
    FIXTURE_ADD("/raw/create/makes-the-file", test_create);
    FIXTURE_ADD("/raw/create/bad-option/touches-nothing", test_create_bad);
    FIXTURE_ADD("/raw/length/unknown-to-the-file/is-told", test_length_unknown);
    FIXTURE_ADD("/raw/offset/at-the-end-of-numbers/is-refused", test_end_of_numbers);
    FIXTURE_ADD("/raw/window/parent-that-grows/stays-inside", test_writes_past_the_window);
    FIXTURE_ADD("/raw/create/on-storage/must-be-long-enough", test_create_on_storage);
    return g_test_run();
}
