/* SPDX-License-Identifier: MIT */
/*
 * Requests on a fresh or a hostile image, beside a plain array that says what it must hold: a sector
 * that could be read once can always be read, and changes only by what is written to it, whatever
 * the tables of the image lay on top of each other.
 *
 * An input is the number of requests, five bytes for each, and the image (nothing: a fresh one).
 */
#include "tests/fuzz/fuzz.h"

#include <cairn/block.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cutils.h"

#define SECTOR ((int64_t)512)
#define WINDOW_SECTORS 64               /* of the disk, from its start, that requests touch */
#define REQUEST_BYTES 5
#define MAX_SECTORS 40                  /* of one request */

typedef struct Shadow {
    CairnContext *ctx;
    BlockBackend *blk;
    char *options;
    int64_t sectors;                    /* of the window */
    bool known[WINDOW_SECTORS];         /* could be read, or was written */
    uint8_t bytes[WINDOW_SECTORS * SECTOR];
    uint8_t buf[WINDOW_SECTORS * SECTOR];
} Shadow;

static bool shadow_open(Shadow *s)
{
    s->blk = blk_open_opts(s->ctx, s->options, BLK_O_RDWR | BLK_O_RESIZE | BLK_O_NO_BACKING
                           | BLK_O_UNMAP, NULL);
    return s->blk != NULL;
}

/* What is unknown between the two is what it reads as now. */
static void shadow_learn(Shadow *s, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++) {
        if (!s->known[i]) {
            s->known[i] = blk_pread(s->blk, i * SECTOR, SECTOR, s->bytes + i * SECTOR) == 0;
        }
    }
}

static void shadow_check(Shadow *s)
{
    bool at_once = blk_pread(s->blk, 0, s->sectors * SECTOR, s->buf) == 0;

    for (int64_t i = 0; i < s->sectors; i++) {
        uint8_t *is = s->buf + i * SECTOR;

        if (s->known[i]) {
            g_assert_true(at_once || blk_pread(s->blk, i * SECTOR, SECTOR, is) == 0);
            g_assert_cmpmem(is, SECTOR, s->bytes + i * SECTOR, SECTOR);
        }
    }
}

/* @ret: how a request that makes all of it @byte has ended. */
static void shadow_note(Shadow *s, int64_t first, int64_t count, int byte, int ret)
{
    for (int64_t i = first; i < first + count; i++) {
        s->known[i] = ret == 0;
        memset(s->bytes + i * SECTOR, byte, SECTOR);
    }
    if (ret < 0) {
        shadow_learn(s, first, count);
    }
}

static void shadow_write(Shadow *s, int64_t first, int64_t count, int byte, int flags)
{
    int ret;

    memset(s->buf, byte, (size_t)(count * SECTOR));
    ret = blk_pwrite(s->blk, first * SECTOR, count * SECTOR, s->buf, flags);
    shadow_note(s, first, count, byte, ret);
}

/* Only whole clusters can be, and the last one of the disk. */
static void shadow_write_compressed(Shadow *s, int64_t first, int byte)
{
    int64_t cluster = blk_get_cluster_size(s->blk) / SECTOR;

    first = first / cluster * cluster;
    if (first + cluster <= s->sectors) {
        shadow_write(s, first, cluster, byte, BDRV_REQ_WRITE_COMPRESSED);
    }
}

static void shadow_discard(Shadow *s, int64_t first, int64_t count)
{
    blk_pdiscard(s->blk, first * SECTOR, count * SECTOR);
    memset(s->known + first, 0, (size_t)count);
    shadow_learn(s, first, count);
}

/* Closing flushes; what it could not write (a disk that is full) may be gone. */
static void shadow_reopen(Shadow *s)
{
    int ret = blk_close(s->blk);

    g_clear_pointer(&s->blk, blk_unref);
    g_assert_true(shadow_open(s));
    if (ret < 0) {
        memset(s->known, 0, sizeof(s->known));
        shadow_learn(s, 0, s->sectors);
    }
}

static void shadow_check_image(Shadow *s, bool repair)
{
    BlockCheckResult result = { 0 };

    blk_check(s->blk, &result, repair ? BLOCK_CHECK_FIX_LEAKS : BLOCK_CHECK_FIX_NONE, NULL);
}

static void shadow_request(Shadow *s, const uint8_t *r)
{
    int64_t first = r[1] % s->sectors;
    int64_t count = MIN(1 + r[2] % MAX_SECTORS, s->sectors - first);

    switch (r[0] % 10) {
    case 0: case 1: shadow_write(s, first, count, r[3], 0); break;
    case 2: shadow_write(s, first, count, r[3], BDRV_REQ_FUA); break;
    case 3: shadow_write_compressed(s, first, r[3]); break;
    case 4:
        shadow_note(s, first, count, 0, blk_pwrite_zeroes(s->blk, first * SECTOR, count * SECTOR,
                                                          r[4] & 1 ? BDRV_REQ_MAY_UNMAP : 0));
        break;
    case 5: shadow_discard(s, first, count); break;
    case 6: blk_flush(s->blk); break;
    case 7: shadow_reopen(s); break;
    case 8: shadow_check_image(s, r[4] & 1); break;
    case 9: blk_truncate(s->blk, blk_getlength(s->blk) + r[3] * SECTOR, PREALLOC_MODE_OFF, NULL);
    }
}

static void shadow_run(Shadow *s, const uint8_t *requests, int count)
{
    s->sectors = MIN(blk_getlength(s->blk) / SECTOR, WINDOW_SECTORS);
    if (s->sectors == 0) {
        return;
    }
    shadow_learn(s, 0, s->sectors);
    for (int i = 0; i < count; i++) {
        shadow_request(s, requests + i * REQUEST_BYTES);
        shadow_check(s);
    }
    shadow_reopen(s);
    shadow_check(s);
}

static void write_all(int fd, const uint8_t *data, size_t bytes)
{
    g_assert_cmpint(pwrite(fd, data, bytes, 0), ==, (ssize_t)bytes);
}

/* An image of 100 KiB with clusters of 512 bytes or 4 KiB, its L1 table right behind the header. */
static void write_fresh(int fd, bool small)
{
    uint8_t header[48] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 1 };

    header[29] = 0x01;                  /* size: 0x19000 */
    header[30] = 0x90;
    header[32] = small ? 9 : 12;
    header[33] = small ? 6 : 9;
    header[47] = sizeof(header);
    write_all(fd, header, sizeof(header));
    g_assert_cmpint(ftruncate(fd, 256), ==, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static CairnContext *ctx;           /* one for all inputs: its worker threads are dear */
    size_t count = bytes ? data[0] & 0x3f : 0, used = 1 + count * REQUEST_BYTES;
    Shadow *s;
    int fd;

    if (bytes < used) {
        return 0;
    }
    if (!ctx) {
        ctx = cairn_context_new();
        cairn_context_set_image_policy(ctx, CAIRN_IMAGE_POLICY_NONE);
    }
    s = g_new0(Shadow, 1);
    s->ctx = ctx;
    fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (bytes > used) {
        write_all(fd, data + used, bytes - used);
    } else {
        write_fresh(fd, data[0] & 0x40);
    }
    s->options = g_strdup_printf("driver=qcow,file.driver=file,file.locking=off,"
                                 "file.filename=/proc/self/fd/%d", fd);
    g_assert_true(shadow_open(s) || bytes > used);
    if (s->blk) {
        shadow_run(s, data + 1, (int)count);
        blk_close(s->blk);
        blk_unref(s->blk);
    }
    g_free(s->options);
    g_free(s);
    close(fd);
    return 0;
}
