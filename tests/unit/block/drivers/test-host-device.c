/* SPDX-License-Identifier: MIT */
/* The driver of devices, on a loop device over the fixture's file; skipped where there can be none. */
#include "file-fixture.h"

#define SECTOR 512

typedef struct Device {
    Fixture file;
    char *path;                 /* NULL: no loop device is to be had */
} Device;

static char *run_losetup(const char *first, const char *second, const char *third)
{
    const char *argv[] = { "losetup", first, second, third, NULL };
    g_autofree char *output = NULL;
    int status = -1;

    if (!g_spawn_sync(NULL, (char **)argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL,
                      &status, NULL) || status != 0) {
        return NULL;
    }
    return g_strdup(g_strchomp(output));
}

static void setup(Device *d, gconstpointer data)
{
    fixture_setup(&d->file, data);
    d->path = run_losetup("-f", "--show", d->file.path);
}

static void teardown(Device *d, gconstpointer data)
{
    if (d->path) {
        g_free(run_losetup("-d", d->path, NULL));
    }
    g_free(d->path);
    fixture_teardown(&d->file, data);
}

static BlockBackend *open_device(Device *d, const char *options, int flags)
{
    g_autofree char *text = NULL;

    if (!d->path) {
        g_test_skip("no loop device");
        return NULL;
    }
    text = g_strdup_printf("driver=raw,discard=unmap,file.filename=%s%s", d->path, options);
    return fixture_open(&d->file, text, flags);
}

static void assert_device(Device *d, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(FIXTURE_BYTES);

    g_assert_cmpint(blk_pread(blk, 0, FIXTURE_BYTES, buf), ==, 0);
    g_assert_cmpmem(buf, FIXTURE_BYTES, d->file.content, FIXTURE_BYTES);
}

static void test_open(Device *d, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_device(d, "", 0);
    BlockStatus status;

    if (!blk) {
        return;
    }
    g_assert_cmpstr(fixture_node(blk)->drv->format_name, ==, "host_device");
    g_assert_cmpint(blk_getlength(blk), ==, FIXTURE_BYTES);
    g_assert_false(blk_has_zero_init(blk));
    g_assert_cmpint(blk_block_status(blk, 0, FIXTURE_BYTES, &status), ==, 0);
    g_assert_cmpint(status.flags & BDRV_BLOCK_DATA, !=, 0);
    g_assert_cmpint(status.bytes, ==, FIXTURE_BYTES);
    assert_device(d, blk);
}

/* Zeros and discards of every alignment, through the page cache or past it. */
static void check_requests(Device *d, const char *options)
{
    g_autoptr(BlockBackend) blk = open_device(d, options, BLK_O_RDWR);
    uint8_t *content = d->file.content;

    if (!blk) {
        return;
    }
    memset(content + 777, 0xa5, 3333);
    g_assert_cmpint(blk_pwrite(blk, 777, 3333, content + 777, BDRV_REQ_FUA), ==, 0);
    memset(content + 5001, 0, 3000);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 5001, 3000, 0), ==, 0);
    memset(content + 8192, 0, 8192);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 8192, 8192, BDRV_REQ_MAY_UNMAP), ==, 0);
    memset(content + 20480, 0, 8192);
    g_assert_cmpint(blk_pdiscard(blk, 20480, 8192), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    assert_device(d, blk);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
    g_assert_cmpint(blk_pwrite(blk, FIXTURE_BYTES - 1, 2, "xy", 0), ==, -EIO);
    assert_device(d, blk);
}

static void test_cached(Device *d, gconstpointer data)
{
    check_requests(d, "");
}

static void test_direct(Device *d, gconstpointer data)
{
    check_requests(d, ",cache.direct=on");
}

static void test_create(Device *d, gconstpointer data)
{
    FileCreateOptions options = { .size = FIXTURE_BYTES };
    FileSys sys = { 0 };
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = NULL;

    if (!d->path) {
        g_test_skip("no loop device");
        return;
    }
    g_assert_true(file_create_on_device(&sys, d->path, &options, &error));
    g_assert_no_error(error);
    options.size++;
    g_assert_false(file_create_on_device(&sys, d->path, &options, &error));
    g_assert_cmpstr(error->message, ==, "Cannot grow device files");
    memset(d->file.content, 0, SECTOR);
    blk = open_device(d, "", 0);
    assert_device(d, blk);
}

static void test_create_preallocated(Device *d, gconstpointer data)
{
    const FileCreateOptions options = { .size = SECTOR, .prealloc = PREALLOC_MODE_FULL };
    FileSys sys = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_false(file_create_on_device(&sys, "/dev/null", &options, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
}

/* The same driver by the name that people know for CDs. */
static void test_other_name(Device *d, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = fixture_open(&d->file, "driver=raw,file.driver=host_cdrom,"
                                               "file.filename=/dev/zero", 0);
    g_autofree char *options = g_strdup_printf("driver=host_cdrom,filename=%s", d->file.path);
    g_autofree char *wanted = g_strdup_printf("'host_cdrom' driver requires '%s' to be either a "
                                              "character or block device", d->file.path);

    g_assert_cmpstr(fixture_node(blk)->drv->format_name, ==, "host_cdrom");
    g_assert_null(blk_open_opts(NULL, options, 0, &error));
    g_assert_cmpstr(error->message, ==, wanted);
}

#define ADD(path, func) g_test_add("/host_device/" path, Device, NULL, setup, func, teardown)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("open/plain-name/has-the-devices-length", test_open);
    ADD("requests/cached/any-range-works", test_cached);
    ADD("requests/direct/any-range-works", test_direct);
    ADD("host_cdrom/regular-file/is-refused-by-that-name", test_other_name);
    ADD("create/clears-the-first-sector-only", test_create);
    ADD("create/preallocation/is-refused", test_create_preallocated);
    return g_test_run();
}
