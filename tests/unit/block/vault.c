/* SPDX-License-Identifier: MIT */
#include "vault.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define TOY_HEADER_BYTES 64
#define TOY_NAME_MAX 40
#define TOY_CLUSTER_BYTES 1024

static struct {
    GHashTable *files;          /* name -> GByteArray * */
    int create_err, flush_err, toy_err;
    int flushes;
} vault;

void vault_fail_create(int err)
{
    vault.create_err = err;
}

void vault_fail_flush(int err)
{
    vault.flush_err = err;
}

void toy_fail_create(int err)
{
    vault.toy_err = err;
}

int vault_flushes(void)
{
    return vault.flushes;
}

const GByteArray *vault_file(const char *name)
{
    return g_hash_table_lookup(vault.files, name);
}

void vault_put(const char *name, const void *data, size_t bytes)
{
    GByteArray *array = g_byte_array_new();

    g_byte_array_append(array, data, bytes);
    g_hash_table_replace(vault.files, g_strdup(name), array);
}

/* ---- the protocol --------------------------------------------------------- */

static bool vault_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    const char *name = qdict_get_try_str(opts, "filename");

    *(GByteArray **)bs->opaque = g_hash_table_lookup(vault.files, name);
    if (!vault_file(name)) {
        cairn_set_error_errno(error, ENOENT, "Could not open '%s'", name);
        return false;
    }
    return true;
}

static GByteArray *vault_bytes(BlockDriverState *bs)
{
    return *(GByteArray **)bs->opaque;
}

static int64_t coroutine_fn vault_co_getlength(BlockDriverState *bs)
{
    return vault_bytes(bs)->len;
}

static int coroutine_fn vault_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        const IOVector *iov, int flags)
{
    GByteArray *array = vault_bytes(bs);
    int64_t n = CLAMP((int64_t)array->len - offset, 0, bytes);

    io_vector_memset(iov, n, 0, bytes - n);
    io_vector_from_buf(iov, array->data + offset, n);
    return 0;
}

static int coroutine_fn vault_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    GByteArray *array = vault_bytes(bs);

    if (array->len < offset + bytes) {
        g_byte_array_set_size(array, offset + bytes);
    }
    io_vector_to_buf(iov, array->data + offset, bytes);
    return 0;
}

static int coroutine_fn vault_co_flush(BlockDriverState *bs)
{
    vault.flushes++;
    return -vault.flush_err;
}

static bool coroutine_fn vault_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                           PreallocMode prealloc, GError **error)
{
    g_byte_array_set_size(vault_bytes(bs), bytes);
    return true;
}

static bool coroutine_fn vault_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                              GError **error)
{
    const char *name = g_str_has_prefix(target->filename, "vault:") ? target->filename + 6
                                                                  : target->filename;
    const char *size = qdict_get_try_str(opts, "size");
    g_autofree uint8_t *zeros = g_malloc0(1 << 20);

    if (vault.create_err) {
        cairn_set_error_errno(error, vault.create_err, "Could not create '%s'", name);
        return false;
    }
    vault_put(name, zeros, size ? g_ascii_strtoull(size, NULL, 10) : 0);
    return true;
}

static const OptionDesc vault_runtime[] = {
    { .name = "filename", .type = OPTION_STRING }, { .name = NULL },
};
static const OptionDesc vault_create[] = {
    { .name = "size", .type = OPTION_SIZE, .help = "Virtual disk size" },
    { .name = "shade", .type = OPTION_BOOL, .help = "Keep out of the sun" },
    { .name = "hint", .type = OPTION_SIZE, .help = "Piece size" }, { .name = NULL },
};

static const BlockDriver bdrv_vault = {
    .format_name            = "vault",
    .protocol_name          = "vault",
    .instance_size          = sizeof(GByteArray *),
    .runtime_options        = vault_runtime,
    .create_options         = vault_create,
    .bdrv_open              = vault_open,
    .bdrv_co_create_opts    = vault_co_create_opts,
    .bdrv_co_getlength      = vault_co_getlength,
    .bdrv_co_preadv         = vault_co_preadv,
    .bdrv_co_pwritev        = vault_co_pwritev,
    .bdrv_co_flush          = vault_co_flush,
    .bdrv_co_truncate       = vault_co_truncate,
};

static const BlockDriver bdrv_sealed = {
    .format_name = "sealed", .protocol_name = "sealed", .bdrv_open = vault_open,
    .runtime_options = vault_runtime,
};

/* ---- the format ------------------------------------------------------------- */

static int toy_probe(const uint8_t *buf, size_t bytes, const char *filename)
{
    return bytes >= 4 && memcmp(buf, "TOY!", 4) == 0 ? 100 : 0;
}

static bool toy_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    uint8_t header[TOY_HEADER_BYTES];

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_IMAGE, error)) {
        return false;
    }
    if (bdrv_getlength(bs->file) < TOY_HEADER_BYTES ||
        bdrv_pread(bs->file, 0, sizeof(header), header) < 0 || memcmp(header, "TOY!", 4) != 0) {
        cairn_set_error(error, EINVAL, "Image not in toy format");
        return false;
    }
    *(int64_t *)bs->opaque = be64_load(header + 8);
    if (header[16]) {
        bs->backing_file = g_strndup((char *)header + 16, TOY_NAME_MAX);
    }
    return true;
}

static int64_t coroutine_fn toy_co_getlength(BlockDriverState *bs)
{
    return *(int64_t *)bs->opaque;
}

static int coroutine_fn toy_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    io_vector_memset(iov, 0, 0, bytes);
    return 0;
}

static bool toy_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error)
{
    info->cluster_size = TOY_CLUSTER_BYTES;
    return true;
}

static bool coroutine_fn toy_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                       const QDict *options, GError **error)
{
    const char *backing = qdict_get_try_str(options, "backing_file");
    uint8_t header[TOY_HEADER_BYTES] = "TOY!";
    int ret;

    if (vault.toy_err) {
        cairn_set_error_errno(error, vault.toy_err, "Could not make a toy");
        return false;
    }
    be64_store(header + 8, qdict_get_try_int(options, "size", -1));
    memcpy(header + 16, backing ? backing : "", backing ? MIN(strlen(backing), TOY_NAME_MAX) : 0);
    ret = blk_co_pwrite(file, 0, sizeof(header), header, 0);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not write '%s'", target->filename);
    }
    return ret == 0;
}

/* As a driver does that has something to check itself. */
static bool coroutine_fn careful_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                                GError **error)
{
    g_autoptr(QDict) own = options_absorb(
        (const OptionDesc[]) { { .name = "size", .type = OPTION_SIZE }, { .name = NULL } }, opts,
        error);
    g_autoptr(BlockBackend) file = NULL;

    if (!own || qdict_get_try_int(own, "size", 0) == 0) {
        cairn_set_error(error, EINVAL, "Image size is too small, cannot be zero length");
        return false;
    }
    file = bdrv_co_create_storage(target, opts, error);
    return file && toy_co_create(target, file, own, error);
}

static bool coroutine_fn toy_co_check(BlockDriverState *bs, BlockCheckResult *result,
                                      BlockCheckFix fix, GError **error)
{
    result->leaks = 3;
    result->leaks_fixed = fix & BLOCK_CHECK_FIX_LEAKS ? 3 : 0;
    return true;
}

static bool toy_make_empty(BlockDriverState *bs, GError **error)
{
    return bdrv_truncate(bs->file, TOY_HEADER_BYTES, true, PREALLOC_MODE_OFF, error);
}

static const OptionDesc toy_create[] = {
    { .name = "size", .type = OPTION_SIZE, .help = "Virtual disk size" },
    { .name = "backing_file", .type = OPTION_STRING, .help = "File name of a base image" },
    { .name = "backing_fmt", .type = OPTION_STRING, .help = "Format of the backing image" },
    { .name = "box.colour", .type = OPTION_STRING, .help = "Colour of the box" },
    { .name = NULL },
};
static const OptionDesc careful_create[] = {
    { .name = "size", .type = OPTION_SIZE, .help = "Virtual disk size" }, { .name = NULL },
};

static const BlockDriver bdrv_toy = {
    .format_name        = "toy",
    .instance_size      = sizeof(int64_t),
    .is_format          = true,
    .supports_backing   = true,
    .create_options     = toy_create,
    .bdrv_probe         = toy_probe,
    .bdrv_open          = toy_open,
    .bdrv_get_info      = toy_get_info,
    .bdrv_make_empty    = toy_make_empty,
    .bdrv_co_create     = toy_co_create,
    .bdrv_co_getlength  = toy_co_getlength,
    .bdrv_co_preadv     = toy_co_preadv,
    .bdrv_co_check      = toy_co_check,
};

static const BlockDriver bdrv_careful = {
    .format_name            = "careful",
    .instance_size          = sizeof(int64_t),
    .is_format              = true,
    .create_options         = careful_create,
    .bdrv_open              = toy_open,
    .bdrv_co_create         = toy_co_create,
    .bdrv_co_create_opts    = careful_co_create_opts,
    .bdrv_co_getlength      = toy_co_getlength,
    .bdrv_co_preadv         = toy_co_preadv,
};

CairnContext *vault_context_new(void)
{
    const BlockDriver *const drivers[] = { &bdrv_vault, &bdrv_sealed, &bdrv_toy, &bdrv_careful };
    CairnContext *ctx = cairn_context_new();

    g_clear_pointer(&vault.files, g_hash_table_unref);
    memset(&vault, 0, sizeof(vault));
    vault.files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                        (GDestroyNotify)g_byte_array_unref);
    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        g_assert_true(bdrv_register(ctx, drivers[i], NULL));
    }
    return ctx;
}
