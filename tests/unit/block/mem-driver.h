/* SPDX-License-Identifier: MIT */
/*
 * Two small drivers for the tests of the core: "mem", a protocol that keeps its bytes in the node and counts what the
 * core asks of it, and "tf", a format on any file, with backing files.
 *
 * mem: size=, hex= (first bytes), fail-perm= (check_perm refuses writers), fail-reopen=, level= (reopenable).
 * tf: bytes "TFMT", then at 16 the backing name and at 272 the backing format, each ended by NUL; guest data at 512.
 */
#ifndef TESTS_MEM_DRIVER_H
#define TESTS_MEM_DRIVER_H

#include "block/block-int.h"

#include <string.h>

enum { TF_HEADER_BYTES = 512, TF_NAME_AT = 16, TF_FORMAT_AT = 272, TF_FORMAT_BYTES = 16 };

typedef struct MemState {
    uint8_t *data;
    int64_t size;               /* bytes */
    uint64_t perm, shared;      /* as last set */
    int checks, sets, aborts;
    int prepared, committed, reopen_aborted;
    gint writes;                /* atomic: requests */
    int flushes;
    int zeroes;                 /* likewise of zeros */
    int zero_flags;             /* of the last of zeros */
    bool fail_perm, fail_reopen;
    int64_t level;
} MemState;

static void mem_fill(MemState *s, const char *hex)
{
    for (int64_t i = 0; hex && hex[0] && hex[1] && i < s->size; i++, hex += 2) {
        s->data[i] = (uint8_t)(g_ascii_xdigit_value(hex[0]) * 16 + g_ascii_xdigit_value(hex[1]));
    }
}

static bool mem_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    MemState *s = bs->opaque;

    s->size = qdict_get_try_int(opts, "size", 65536);
    s->data = g_malloc0((gsize)s->size);
    s->fail_perm = qdict_get_try_bool(opts, "fail-perm", false);
    s->fail_reopen = qdict_get_try_bool(opts, "fail-reopen", false);
    s->level = qdict_get_try_int(opts, "level", 0);
    mem_fill(s, qdict_get_try_str(opts, "hex"));
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP;
    return true;
}

static void mem_close(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    g_free(s->data);
}

static int64_t coroutine_fn mem_co_getlength(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    return s->size;
}

static int coroutine_fn mem_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    MemState *s = bs->opaque;

    io_vector_from_buf(iov, s->data + offset, (size_t)bytes);
    return 0;
}

static int coroutine_fn mem_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    MemState *s = bs->opaque;

    io_vector_to_buf(iov, s->data + offset, (size_t)bytes);
    g_atomic_int_inc(&s->writes);
    return 0;
}

static int coroutine_fn mem_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                             int flags)
{
    MemState *s = bs->opaque;

    memset(s->data + offset, 0, (size_t)bytes);
    s->zeroes++;
    s->zero_flags = flags;
    return 0;
}

static int coroutine_fn mem_co_flush(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    s->flushes++;
    return 0;
}

static bool mem_check_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared, GError **error)
{
    MemState *s = bs->opaque;

    if (s->fail_perm && (perm & BLK_PERM_WRITE)) {
        cairn_set_error(error, EAGAIN, "mem refuses writers");
        return false;
    }
    s->checks++;
    return true;
}

static void mem_set_perm(BlockDriverState *bs, uint64_t perm, uint64_t shared)
{
    MemState *s = bs->opaque;

    s->perm = perm;
    s->shared = shared;
    s->sets++;
}

static void mem_abort_perm(BlockDriverState *bs)
{
    MemState *s = bs->opaque;

    s->aborts++;
}

static bool mem_reopen_prepare(BlockReopenState *state, GError **error)
{
    MemState *s = state->bs->opaque;

    if (s->fail_reopen) {
        cairn_set_error(error, EIO, "mem refuses to reopen");
        return false;
    }
    s->prepared++;
    return true;
}

static void mem_reopen_commit(BlockReopenState *state)
{
    MemState *s = state->bs->opaque;

    s->level = qdict_get_try_int(state->opts, "level", 0);
    s->committed++;
}

static void mem_reopen_abort(BlockReopenState *state)
{
    MemState *s = state->bs->opaque;

    s->reopen_aborted++;
}

static const OptionDesc mem_options[] = {
    { "size", OPTION_SIZE, "Bytes", "64k" },
    { "hex", OPTION_STRING, "First bytes" },
    { "fail-perm", OPTION_BOOL, "Refuse writers" },
    { "fail-reopen", OPTION_BOOL, "Refuse to reopen" },
    { "level", OPTION_NUMBER, "Something that can change", NULL, true },
    { NULL },
};

static bool mem_parse_filename(const char *filename, QDict *options, GError **error)
{
    qdict_put_str(options, "size", filename + strlen("mem:"));
    return true;
}

static const char *const mem_strong[] = { "size", "hex", NULL };

static const BlockDriver bdrv_mem = {
    .format_name = "mem",
    .protocol_name = "mem",
    .instance_size = sizeof(MemState),
    .runtime_options = mem_options,
    .strong_runtime_opts = mem_strong,
    .bdrv_parse_filename = mem_parse_filename,
    .bdrv_open = mem_open,
    .bdrv_close = mem_close,
    .bdrv_reopen_prepare = mem_reopen_prepare,
    .bdrv_reopen_commit = mem_reopen_commit,
    .bdrv_reopen_abort = mem_reopen_abort,
    .bdrv_check_perm = mem_check_perm,
    .bdrv_set_perm = mem_set_perm,
    .bdrv_abort_perm = mem_abort_perm,
    .bdrv_co_getlength = mem_co_getlength,
    .bdrv_co_preadv = mem_co_preadv,
    .bdrv_co_pwritev = mem_co_pwritev,
    .bdrv_co_pwrite_zeroes = mem_co_pwrite_zeroes,
    .bdrv_co_flush = mem_co_flush,
};

/* ---- tf ---- */

static int tf_probe(const uint8_t *buf, size_t bytes, const char *filename)
{
    return bytes >= 4 && !memcmp(buf, "TFMT", 4) ? 90 : 0;
}

static bool tf_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    char header[TF_HEADER_BYTES];

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_IMAGE, error)) {
        return false;
    }
    int ret = bdrv_pread(bs->file, 0, sizeof(header), header);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not read the header");
        return false;
    }
    if (memcmp(header, "TFMT", 4)) {
        cairn_set_error(error, EINVAL, "Image not in tf format");
        return false;
    }
    if (header[TF_NAME_AT]) {
        bs->backing_file = g_strndup(header + TF_NAME_AT, TF_FORMAT_AT - TF_NAME_AT);
    }
    if (header[TF_FORMAT_AT]) {
        bs->backing_format = g_strndup(header + TF_FORMAT_AT, TF_FORMAT_BYTES);
    }
    return true;
}

static int64_t coroutine_fn tf_co_getlength(BlockDriverState *bs)
{
    return 65536;
}

static int coroutine_fn tf_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                     const IOVector *iov, int flags)
{
    return bdrv_co_preadv(bs->file, offset + TF_HEADER_BYTES, bytes, iov, flags);
}

static int coroutine_fn tf_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    return bdrv_co_pwritev(bs->file, offset + TF_HEADER_BYTES, bytes, iov, flags);
}

static const OptionDesc tf_options[] = {
    { "flavour", OPTION_STRING, "Changes what is read" },
    { "speed", OPTION_NUMBER, "Changes nothing that is read", NULL, true },
    { NULL },
};

static const char *const tf_strong[] = { "flavour", NULL };

static const BlockDriver bdrv_tf = {
    .format_name = "tf",
    .is_format = true,
    .supports_backing = true,
    .runtime_options = tf_options,
    .strong_runtime_opts = tf_strong,
    .bdrv_probe = tf_probe,
    .bdrv_open = tf_open,
    .bdrv_co_getlength = tf_co_getlength,
    .bdrv_co_preadv = tf_co_preadv,
    .bdrv_co_pwritev = tf_co_pwritev,
};

/* ---- help for tests ---- */

#define TF_HEX "54464d54"

static G_GNUC_UNUSED CairnContext *test_context_new(void)
{
    CairnContext *ctx = cairn_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_mem, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_tf, NULL));
    return ctx;
}

static G_GNUC_UNUSED BlockBackend *test_open_opts(CairnContext *ctx, const char *options,
                                                  int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open_opts(ctx, options, flags, &error);

    g_assert_no_error(error);
    g_assert_nonnull(blk);
    return blk;
}

/* The first line of the message that opening ends with. */
static G_GNUC_UNUSED char *test_open_failure(CairnContext *ctx, const char *filename,
                                             const char *options, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = options ? blk_open_opts(ctx, options, flags, &error)
                                : blk_open(ctx, filename, flags, &error);

    g_assert_null(blk);
    g_assert_nonnull(error);
    return g_strndup(error->message, strcspn(error->message, "\n"));
}

static G_GNUC_UNUSED MemState *test_mem(CairnContext *ctx, const char *node_name)
{
    BlockDriverState *bs = bdrv_find_node(ctx, node_name);

    g_assert_nonnull(bs);
    g_assert_true(bs->drv == &bdrv_mem);
    return bs->opaque;
}

/* Writes a tf image named @name into @dir. */
static G_GNUC_UNUSED char *test_write_tf(const char *dir, const char *name, const char *backing,
                                         const char *format)
{
    char image[2 * TF_HEADER_BYTES] = "TFMT";
    char *path = g_build_filename(dir, name, NULL);

    g_strlcpy(image + TF_NAME_AT, backing ? backing : "", TF_FORMAT_AT - TF_NAME_AT);
    g_strlcpy(image + TF_FORMAT_AT, format ? format : "", TF_FORMAT_BYTES);
    g_assert_true(g_file_set_contents(path, image, sizeof(image), NULL));
    return path;
}

#endif
