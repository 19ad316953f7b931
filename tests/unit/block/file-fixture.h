/* SPDX-License-Identifier: MIT */
/* A folder with one file in it, and a context to open it in: for the tests of the file driver and of raw. */
#ifndef TESTS_FILE_FIXTURE_H
#define TESTS_FILE_FIXTURE_H

#include "block/block-int.h"
#include "block/drivers.h"
#include "block/drivers/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_BYTES 65536

typedef struct Fixture {
    char *dir;
    char *path;
    CairnContext *ctx;
    FileFault fault;
    uint8_t content[FIXTURE_BYTES];
} Fixture;

static inline void fixture_write(Fixture *f, size_t bytes)
{
    g_assert_true(g_file_set_contents(f->path, (char *)f->content, bytes, NULL));
}

static inline void fixture_setup(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("cairn-file-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
    f->path = g_build_filename(f->dir, "disk.raw", NULL);
    f->ctx = cairn_context_new();
    for (size_t i = 0; i < FIXTURE_BYTES; i++) {
        f->content[i] = 1 + (i * 7 + i / 256) % 255;
    }
    fixture_write(f, FIXTURE_BYTES);
}

static inline void fixture_teardown(Fixture *f, gconstpointer data)
{
    cairn_context_unref(f->ctx);
    g_unlink(f->path);
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    g_free(f->path);
    g_free(f->dir);
}

/* Opens with options that follow "driver=DRIVER,"; @format takes the path. */
static inline BlockBackend *fixture_try_open(Fixture *f, const char *format, int flags,
                                             GError **error)
{
    g_autoptr(GString) options = g_string_new(format);

    g_string_replace(options, "%s", f->path, 0);
    return blk_open_opts(f->ctx, options->str, flags, error);
}

static inline BlockBackend *fixture_open(Fixture *f, const char *format, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = fixture_try_open(f, format, flags, &error);

    g_assert_no_error(error);
    g_assert_nonnull(blk);
    return blk;
}

static inline void fixture_open_fails(Fixture *f, const char *format, int flags,
                                      const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) expected = g_string_new(message);

    g_string_replace(expected, "%s", f->path, 0);
    g_assert_null(fixture_try_open(f, format, flags, &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, expected->str);
}

/* The root node, whose driver is file or host_device. */
static inline BlockDriverState *fixture_node(BlockBackend *blk)
{
    BlockDriverState *bs = blk->root->bs;

    return bs->file ? bs->file->bs : bs;
}

static inline FileState *fixture_state(BlockBackend *blk)
{
    return fixture_node(blk)->opaque;
}

/* From now on the @at-th call of that kind fails with @error (0: moves half). */
static inline void fixture_fail(Fixture *f, BlockBackend *blk, uint32_t kinds, int at, int error)
{
    f->fault = (FileFault) { .kinds = kinds, .at = at, .error = error };
    fixture_state(blk)->sys.fault = &f->fault;
}

/* What the file holds, and that it is @bytes long. */
static inline void fixture_assert_file(Fixture *f, const void *data, size_t bytes)
{
    g_autofree char *have = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(f->path, &have, &length, NULL));
    g_assert_cmpuint(length, ==, bytes);
    g_assert_true(memcmp(have, data, bytes) == 0);
}

/* The lock bytes that somebody else than this descriptor holds: perm | unshared << 8. */
static inline unsigned fixture_locks(Fixture *f)
{
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    unsigned seen = 0;

    g_assert_cmpint(fd, >=, 0);
    for (int i = 0; i < 8; i++) {
        struct flock fl = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
            .l_start = i < 4 ? 100 + i : 200 + i - 4,
        };

        g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &fl), ==, 0);
        seen |= fl.l_type == F_UNLCK ? 0 : 1u << (i < 4 ? i : 4 + i);
    }
    close(fd);
    return seen;
}

#define LOCKS(perm, unshared) ((unsigned)(perm) | (unsigned)(unshared) << 8)

static inline int fixture_open_descriptors(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    int count = 0;

    while (dir && g_dir_read_name(dir)) {
        count++;
    }
    return count;
}

#define FIXTURE_ADD(path, func)                                              \
    g_test_add(path, Fixture, NULL, fixture_setup, func, fixture_teardown)

#endif
