/* SPDX-License-Identifier: MIT */
/*
 * Images whose file was cut off. Whatever the place of the cut: a sector reads as it was, or reads
 * as zeros and is called lost; and what was never written is not.
 */
#include <cairn/job.h>

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "util/cutils.h"

enum { LOST_SECTOR = 512 };
#define LOST_SIZE (24 * MiB)

typedef struct LostFixture {
    char *dir, *path, *cut;
    uint8_t *was;               /* what the whole image holds */
    CairnContext *ctx;
} LostFixture;

static void lost_fill(LostFixture *f, BlockBackend *blk, int64_t offset, int64_t bytes)
{
    for (int64_t i = offset; i < offset + bytes; i++) {
        f->was[i] = 1 + (i / LOST_SECTOR + i) % 250;
    }
    g_assert_cmpint(blk_pwrite(blk, offset, bytes, f->was + offset, 0), ==, 0);
}

static void lost_open(LostFixture *f, const char *cluster_size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) options = qdict_new();
    g_autofree char *text = NULL;
    g_autoptr(BlockBackend) blk = NULL;

    *f = (LostFixture){ .dir = g_dir_make_tmp("cairn-XXXXXX", NULL), .ctx = cairn_context_new() };
    f->path = g_build_filename(f->dir, "whole.qcow", NULL);
    f->cut = g_build_filename(f->dir, "cut.qcow", NULL);
    f->was = g_malloc0(LOST_SIZE);
    qdict_put_str(options, "cluster_size", cluster_size);
    g_assert_true(blk_create(f->ctx, f->path, "qcow", options, LOST_SIZE, &error));
    text = g_strdup_printf("driver=qcow,file.driver=file,file.filename=%s", f->path);
    blk = blk_open_opts(f->ctx, text, BLK_O_RDWR, &error);
    g_assert_no_error(error);
    for (int i = 0; i < 12; i++) {
        lost_fill(f, blk, i * 2 * MiB + 8192 * i, 12288);
        g_assert_cmpint(blk_flush(blk), ==, 0);
    }
}

static void lost_close(LostFixture *f)
{
    g_remove(f->path);
    g_remove(f->cut);
    g_rmdir(f->dir);
    g_free(f->dir);
    g_free(f->path);
    g_free(f->cut);
    g_free(f->was);
    cairn_context_unref(f->ctx);
}

static BlockBackend *lost_open_cut(LostFixture *f, const char *content, size_t bytes)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = g_strdup_printf("driver=qcow,file.driver=file,file.filename=%s",
                                            f->cut);
    BlockBackend *blk;

    g_assert_true(g_file_set_contents_full(f->cut, content, bytes, G_FILE_SET_CONTENTS_NONE,
                                             0600, NULL));
    blk = blk_open_opts(f->ctx, text, 0, &error);
    g_assert_no_error(error);
    return blk;
}

/* The first sector may be lost in part. */
static void lost_check_sectors(const LostFixture *f, const uint8_t *buf, int64_t pos,
                               int64_t bytes)
{
    int64_t i = 0;

    while (i < LOST_SECTOR && buf[pos + i] == f->was[pos + i]) {
        i++;
    }
    g_assert_true(cairn_buffer_is_zero(buf + pos + i, bytes - i));
}

/* Returns: how many bytes are called lost. */
static int64_t lost_check(const LostFixture *f, BlockBackend *blk)
{
    g_autofree uint8_t *buf = g_malloc(LOST_SIZE);
    int64_t pos = 0, lost = 0;

    g_assert_cmpint(blk_pread(blk, 0, LOST_SIZE, buf), ==, 0);
    while (pos < LOST_SIZE) {
        BlockStatus status;

        g_assert_cmpint(blk_block_status(blk, pos, LOST_SIZE - pos, &status), ==, 0);
        g_assert_cmpint(status.bytes, >, 0);
        if (status.flags & BDRV_BLOCK_LOST) {
            lost += status.bytes;
            lost_check_sectors(f, buf, pos, status.bytes);
        } else {
            g_assert_cmpmem(buf + pos, status.bytes, f->was + pos, status.bytes);
        }
        pos += status.bytes;
    }
    return lost;
}

static void test_every_cut(const void *cluster_size)
{
    g_autofree char *content = NULL;
    int64_t lost, before = INT64_MAX;
    LostFixture f;
    size_t length;

    lost_open(&f, cluster_size);
    g_assert_true(g_file_get_contents(f.path, &content, &length, NULL));
    for (size_t bytes = 48; bytes <= length;
         bytes = (bytes / 512 + 1 + length / 512 / 60) * 512 + (bytes % 3) * 100) {
        BlockBackend *blk = lost_open_cut(&f, content, bytes);

        lost = lost_check(&f, blk);
        g_assert_cmpint(lost, <=, before);
        before = lost;
        blk_unref(blk);
    }
    lost_close(&f);
}

static void test_whole(void)
{
    g_autofree char *content = NULL;
    BlockBackend *blk;
    LostFixture f;
    size_t length;

    lost_open(&f, "4k");
    g_assert_true(g_file_get_contents(f.path, &content, &length, NULL));
    blk = lost_open_cut(&f, content, length);
    g_assert_cmpint(lost_check(&f, blk), ==, 0);
    blk_unref(blk);
    lost_close(&f);
}

static void test_convert(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *content = NULL, *raw = NULL, *text = NULL;
    BlockConvertOptions opts = { .sparse_size = 4096, .target_is_new = true };
    BlockBackend *blk, *target;
    LostFixture f;
    size_t length;

    lost_open(&f, "4k");
    g_assert_true(g_file_get_contents(f.path, &content, &length, NULL));
    raw = g_build_filename(f.dir, "raw", NULL);
    g_assert_true(blk_create(f.ctx, raw, "raw", NULL, LOST_SIZE, &error));
    text = g_strdup_printf("driver=raw,file.driver=file,file.filename=%s", raw);
    target = blk_open_opts(f.ctx, text, BLK_O_RDWR, &error);
    g_assert_no_error(error);
    blk = lost_open_cut(&f, content, length - 4096);
    g_assert_false(block_convert(&blk, 1, target, &opts, &error));
    g_assert_error(error, CAIRN_ERROR, EIO);
    g_assert_nonnull(strstr(error->message, "4096 bytes of guest data lie past the end"));
    g_clear_error(&error);
    opts.salvage = true;
    g_assert_true(block_convert(&blk, 1, target, &opts, &error));
    blk_unref(blk);
    blk_unref(target);
    g_remove(raw);
    lost_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/qcow/lost/cluster-512-every-cut/is-told-or-read", "512",
                         test_every_cut);
    g_test_add_data_func("/qcow/lost/cluster-4k-every-cut/is-told-or-read", "4k", test_every_cut);
    g_test_add_data_func("/qcow/lost/cluster-64k-every-cut/is-told-or-read", "64k",
                         test_every_cut);
    g_test_add_func("/qcow/lost/whole-image/nothing", test_whole);
    g_test_add_func("/qcow/lost/convert/fails-unless-salvaging", test_convert);
    return g_test_run();
}
