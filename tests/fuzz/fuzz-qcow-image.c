/* SPDX-License-Identifier: MIT */
/*
 * A whole image from hostile bytes: opened, checked, read, written, flushed and read again, and for
 * half of the inputs repaired and resized before. Whatever it says, what is written through it must
 * be read back, a repair must leave what it says it leaves, new space must read as zeros, and
 * nothing may crash.
 */
#include "tests/fuzz/fuzz.h"

#include <cairn/block.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cutils.h"

#define MAX_READ (1 << 16)      /* bytes: an input is about 4 KiB */

static void read_all(BlockBackend *blk, uint8_t *buf)
{
    int64_t length = blk_getlength(blk);
    BlockStatus status;

    for (int64_t at = 0; at < MIN(length, MAX_READ); at += 4096) {
        blk_pread(blk, at, MIN(4096, length - at), buf);
        g_assert_true(blk_block_status(blk, at, MIN(4096, length - at), &status) < 0 ||
                      status.bytes > 0);
    }
}

static void write_some(BlockBackend *blk, uint8_t *buf)
{
    int64_t length = blk_getlength(blk);
    uint8_t back[512];

    for (int64_t at = 0; at + 1024 <= MIN(length, MAX_READ); at += 8192) {
        memset(buf, 0x5a, 512);
        if (blk_pwrite(blk, at, 512, buf, 0) == 0) {
            g_assert_cmpint(blk_pread(blk, at, 512, back), ==, 0);
            g_assert_cmpmem(back, 512, buf, 512);
        }
    }
    blk_flush(blk);
}

static void repair(BlockBackend *blk)
{
    BlockCheckResult first = { 0 }, second = { 0 };
    BlockCheckFix fix = BLOCK_CHECK_FIX_LEAKS | BLOCK_CHECK_FIX_ERRORS;

    if (blk_check(blk, &first, fix, NULL) && blk_check(blk, &second, BLOCK_CHECK_FIX_NONE, NULL)) {
        g_assert_cmpint(second.corruptions, ==, first.corruptions);
    }
}

static void resize(BlockBackend *blk, uint8_t *buf)
{
    int64_t length = blk_getlength(blk);

    if (length > INT64_MAX / 2 || !blk_truncate(blk, length + 65536, PREALLOC_MODE_OFF, NULL)) {
        return;
    }
    for (int64_t at = length; at < length + 65536; at += 4096) {
        g_assert_cmpint(blk_pread(blk, at, 4096, buf), ==, 0);
        g_assert_true(cairn_buffer_is_zero(buf, 4096));
    }
    blk_truncate(blk, length / 2, PREALLOC_MODE_OFF, NULL);
    blk_change_backing_file(blk, "backing", "raw", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static CairnContext *ctx;       /* one for all inputs: its worker threads are dear */
    g_autoptr(BlockBackend) blk = NULL;
    g_autofree uint8_t *buf = g_malloc(4096);
    g_autofree char *opts = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    BlockCheckResult result = { 0 };

    g_assert_cmpint(write(fd, data, bytes), ==, (ssize_t)bytes);
    if (!ctx) {
        ctx = cairn_context_new();
    }
    cairn_context_set_image_policy(ctx, CAIRN_IMAGE_POLICY_NONE);
    opts = g_strdup_printf("driver=qcow,file.driver=file,file.locking=off,"
                           "file.filename=/proc/self/fd/%d", fd);
    blk = blk_open_opts(ctx, opts, BLK_O_RDWR | BLK_O_NO_BACKING, NULL);
    if (blk) {
        blk_check(blk, &result, BLOCK_CHECK_FIX_NONE, NULL);
        read_all(blk, buf);
        if (data[bytes - 1] & 1) {         /* an image has a header at least */
            repair(blk);
            resize(blk, buf);
        }
        write_some(blk, buf);
        blk_close(blk);
    }
    close(fd);
    return 0;
}
