/* SPDX-License-Identifier: MIT */
/* The driver of devices, on a loop device over the fixture's file; skipped where there can be none. */
#include "file-fixture.h"

#include "util/cutils.h"

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

/* Each call of the creation fails once: it does without (locks), or says so and changes nothing. */
static void test_create_each(Device *d, gconstpointer data)
{
    const FileCreateOptions options = { .size = FIXTURE_BYTES };
    int descriptors = fixture_open_descriptors(), failed = 0;
    bool happened = d->path;

    for (int at = 1; happened; at++) {
        FileFault fault = { .kinds = FILE_FAULT_ALL & ~(1u << FILE_SYS_CLOSE), .at = at,
                            .error = EIO };
        FileSys sys = { .fault = &fault };
        g_autoptr(GError) error = NULL;
        g_autoptr(BlockBackend) blk = NULL;
        bool ok;

        ok = file_create_on_device(&sys, d->path, &options, &error);
        g_assert_true(ok == (error == NULL));
        g_assert_cmpint(fixture_open_descriptors(), ==, descriptors);
        happened = fault.calls >= at;
        failed += !ok;
        g_assert_true(ok || happened);
        if (ok) {
            memset(d->file.content, 0, SECTOR);
        } else {
            g_assert_error(error, CAIRN_ERROR, EIO);
        }
        blk = open_device(d, "", 0);
        assert_device(d, blk);
    }
    g_assert_true(!d->path || failed >= 4);     /* open, fstat, ioctl, write */
}

/* There is nothing to clear, and nothing to write to. */
static void test_create_no_length(Device *d, gconstpointer data)
{
    FileCreateOptions options = { .size = 0 };
    FileSys sys = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(file_create_on_device(&sys, "/dev/null", &options, &error));
    g_assert_no_error(error);
    options.size = SECTOR;
    g_assert_false(file_create_on_device(&sys, "/dev/null", &options, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_clear_error(&error);
    g_assert_false(file_create_on_device(&sys, d->file.path, &options, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_nonnull(strstr(error->message, "'host_device' driver requires"));
    fixture_assert_file(&d->file, d->file.content, FIXTURE_BYTES);
}

/* ---- lengths ---- */

static void assert_not_resized(BlockBackend *blk, int64_t bytes, bool exact, PreallocMode mode,
                               int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(bdrv_truncate(blk->root->bs->file, bytes, exact, mode, &error));
    g_assert_error(error, CAIRN_ERROR, code);
    g_assert_true(g_str_has_prefix(error->message, message));
    g_assert_cmpint(blk_getlength(blk), ==, FIXTURE_BYTES);
}

static void test_truncate(Device *d, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_device(d, "", BLK_O_RDWR | BLK_O_RESIZE);
    g_autoptr(GError) error = NULL;

    if (!blk) {
        return;
    }
    assert_not_resized(blk, FIXTURE_BYTES + SECTOR, false, PREALLOC_MODE_OFF, EINVAL,
                       "Cannot grow device files");
    assert_not_resized(blk, FIXTURE_BYTES - SECTOR, true, PREALLOC_MODE_OFF, ENOTSUP,
                       "Cannot resize device files");
    assert_not_resized(blk, FIXTURE_BYTES, true, PREALLOC_MODE_FALLOC, ENOTSUP,
                       "Preallocation mode 'falloc' unsupported");
    fixture_fail(&d->file, blk, 1u << FILE_SYS_IOCTL, 1, EIO);
    assert_not_resized(blk, FIXTURE_BYTES, true, PREALLOC_MODE_OFF, EIO,
                       "Could not get the length of '");
    g_assert_true(bdrv_truncate(blk->root->bs->file, FIXTURE_BYTES, true, PREALLOC_MODE_OFF,
                                &error));
    g_assert_true(bdrv_truncate(blk->root->bs->file, SECTOR, false, PREALLOC_MODE_OFF, &error));
    g_assert_no_error(error);
    assert_device(d, blk);
}

/* ---- what the device refuses ---- */

typedef struct Refusal {
    bool is_discard;
    int refused;                /* FILE_REFUSES_*: the ways that are closed before */
    int next;                   /* and the one that then closes */
} Refusal;

static const Refusal refusals[] = {
    { .refused = 0, .next = FILE_REFUSES_PUNCH },
    { .refused = FILE_REFUSES_PUNCH, .next = FILE_REFUSES_ZERO_RANGE },
    { .refused = FILE_REFUSES_PUNCH | FILE_REFUSES_ZERO_RANGE, .next = FILE_REFUSES_ZEROOUT },
    { .is_discard = true, .next = FILE_REFUSES_DISCARD },
};

enum { REFUSAL_AT = 8192, REFUSAL_BYTES = 4096 };

/* What was asked for is done, or not, or not told to be. */
static void assert_cleared(BlockBackend *blk, const Refusal *r, int ret, int error)
{
    uint8_t buf[REFUSAL_BYTES];
    bool is_old, is_zero;

    g_assert_cmpint(blk_pread(blk, REFUSAL_AT, REFUSAL_BYTES, buf), ==, 0);
    is_old = buf[0] == 0x5c && !memcmp(buf, buf + 1, REFUSAL_BYTES - 1);
    is_zero = cairn_buffer_is_zero(buf, REFUSAL_BYTES);
    g_assert_true(ret == 0 || ret == -error);
    g_assert_true(is_zero || (is_old && (ret < 0 || r->is_discard)));
}

/* Returns: which ways were found closed, when each call in turn failed with @error. */
static int sweep_refusal(Device *d, BlockBackend *blk, const Refusal *r, int error)
{
    FileState *s = fixture_state(blk);
    uint8_t buf[REFUSAL_BYTES];
    bool happened = true;
    int found = 0;

    memset(buf, 0x5c, sizeof(buf));
    for (int at = 1; happened; at++) {
        int ret;

        fixture_fail(&d->file, blk, 0, 0, 0);
        g_assert_cmpint(blk_pwrite(blk, REFUSAL_AT, REFUSAL_BYTES, buf, 0), ==, 0);
        g_atomic_int_set(&s->refused, r->refused);
        fixture_fail(&d->file, blk, 1u << FILE_SYS_FALLOCATE | 1u << FILE_SYS_IOCTL, at, error);
        ret = r->is_discard ? blk_pdiscard(blk, REFUSAL_AT, REFUSAL_BYTES)
            : blk_pwrite_zeroes(blk, REFUSAL_AT, REFUSAL_BYTES, BDRV_REQ_MAY_UNMAP);
        happened = d->file.fault.calls >= at;
        found |= g_atomic_int_get(&s->refused) & ~r->refused;
        fixture_fail(&d->file, blk, 0, 0, 0);
        assert_cleared(blk, r, ret, error);
    }
    return found;
}

/* Zeros that the device refuses are written, discards left out; only a refusal is remembered. */
static void test_refusals(Device *d, gconstpointer data)
{
    static const int lasting[] = { EOPNOTSUPP, ENOSYS, ENOTTY, ENODEV };
    g_autoptr(BlockBackend) blk = open_device(d, "", BLK_O_RDWR);

    for (size_t i = 0; blk && i < G_N_ELEMENTS(refusals); i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(lasting); k++) {
            g_assert_cmpint(sweep_refusal(d, blk, &refusals[i], lasting[k]), ==,
                            refusals[i].next);
        }
        g_assert_cmpint(sweep_refusal(d, blk, &refusals[i], EINVAL), ==, 0);
        g_assert_cmpint(sweep_refusal(d, blk, &refusals[i], EIO), ==, 0);
    }
}

/* ---- alignment, where the kernel does not tell what direct I/O needs ---- */

static void test_alignment(Device *d, gconstpointer data)
{
    uint32_t memory, offset;
    FileSys sys = { .fault = &d->file.fault };
    int fd = d->path ? open(d->path, O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;

    if (fd < 0) {
        g_test_skip("no loop device, or no direct I/O on it");
        return;
    }
    /* the device's own answer */
    d->file.fault = (FileFault) { .kinds = 1u << FILE_SYS_STAT, .at = 1, .error = ENOSYS };
    file_probe_alignment(&sys, fd, FILE_KIND_BLOCK, &memory, &offset);
    g_assert_cmpint(offset, >=, SECTOR);
    g_assert_cmpint(memory, >=, SECTOR);
    g_assert_true(is_power_of_2(offset) && is_power_of_2(memory));
    close(fd);
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
    ADD("create/each-call-fails/is-told", test_create_each);
    ADD("create/no-length/has-nothing-to-clear", test_create_no_length);
    ADD("truncate/other-length/is-refused", test_truncate);
    ADD("zeros/refused/are-written-or-left-out", test_refusals);
    ADD("direct/kernel-does-not-tell/alignment-is-asked-for", test_alignment);
    return g_test_run();
}
