/* SPDX-License-Identifier: MIT */
/*
 * qcow: the version 1 format. Opening, closing, what a node says of itself, and the vtable. The
 * format is described in docs/formats/qcow.md; the order of writes stands on top of flush.c.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "block/drivers.h"
#include "qapi/block-options.h"

#define QCOW_RESERVED_IOV 16            /* elements that a write adds to the guest's */

/* ---- open: a list of steps ---- */

static bool qcow_open_header(BlockDriverState *bs, GError **error)
{
    QcowState *s = bs->opaque;
    uint8_t raw[QCOW_HEADER_BYTES];
    int64_t length = bdrv_getlength(bs->file);
    int ret;

    if (length < 0) {
        cairn_set_error_errno(error, (int)-length, "Could not get the length of the image");
        return false;
    }
    if (length < (int64_t)sizeof(raw)) {
        cairn_set_error(error, EINVAL, "Image not in qcow format");
        return false;
    }
    ret = bdrv_pread(bs->file, 0, sizeof(raw), raw);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not read qcow header");
        return false;
    }
    s->file_end = s->end_at_open = length;
    if (!qcow_header_parse(raw, &s->header, error)) {
        return false;
    }
    qcow_geometry_init(&s->g, &s->header);
    return true;
}

/* An entry that straddles sectors could be torn by a crash. */
static void qcow_open_check_alignment(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;

    if (s->g.l1_offset % 8 && !bs->read_only) {
        bdrv_warn(bs, "The L1 table of '%s' is not aligned: opening the image read-only",
                  bs->filename);
        bs->read_only = true;
    }
}

static bool qcow_open_check_format_option(const QcowState *s, const char *format, GError **error)
{
    if (format && s->header.crypt == QCOW_CRYPT_NONE) {
        cairn_set_error(error, EINVAL, "No encryption in image header, but options specified "
                        "format '%s'", format);
        return false;
    }
    if (format && strcmp(format, "aes")) {
        cairn_set_error(error, EINVAL, "Header reported 'aes' encryption format but options "
                        "specify '%s'", format);
        return false;
    }
    return true;
}

/* Without I/O no key is needed, but one that could not serve would be found out only later. */
static void qcow_warn_unfit_key(BlockDriverState *bs, const char *key)
{
    g_autoptr(GError) unfit = NULL;
    QCryptoBlock *trial = key ? qcrypto_block_open("aes", bdrv_get_secrets(bs), key, NULL, 0,
                                                   &unfit) : NULL;

    if (unfit) {
        bdrv_warn(bs, "'%s': %s", bs->filename, unfit->message);
    }
    g_clear_pointer(&trial, qcrypto_block_free);
}

static bool qcow_open_crypto(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    QcowState *s = bs->opaque;
    const char *key = qdict_get_try_str(opts, "encrypt.key-secret");

    if (!qcow_open_check_format_option(s, qdict_get_try_str(opts, "encrypt.format"), error)) {
        return false;
    }
    if (s->header.crypt == QCOW_CRYPT_NONE) {
        if (key) {
            bdrv_warn(bs, "'%s' is not encrypted: the secret '%s' is not used", bs->filename, key);
        }
        return true;
    }
    bs->encrypted = true;
    if (bdrv_is_restricted(bs)) {
        cairn_set_error(error, ENOSYS, "Use of AES-CBC encrypted qcow images is no longer "
                        "supported in system emulators");
        cairn_error_append_hint(error, "You can use 'cairn-img convert' to convert your image to "
                                "an unencrypted qcow or raw image.");
        return false;
    }
    if (!(flags & BLK_O_NO_IO)) {
        s->crypto = qcrypto_block_open("aes", bdrv_get_secrets(bs), key, NULL, 0, error);
        return s->crypto != NULL;
    }
    qcow_warn_unfit_key(bs, key);
    s->crypto = qcrypto_block_open("aes", bdrv_get_secrets(bs), key, NULL,
                                   QCRYPTO_BLOCK_OPEN_NO_IO, error);
    return s->crypto != NULL;
}

static int qcow_open_record(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    uint8_t before[QCOW_RECORD_MAX_BYTES];
    uint64_t name_offset = s->header.backing_offset;
    size_t bytes = MIN(name_offset, sizeof(before));
    g_autofree char *format = NULL;
    int ret = bdrv_pread(bs->file, (int64_t)(name_offset - bytes), bytes, before);

    if (ret < 0) {
        return ret;
    }
    s->record_offset = (int64_t)name_offset;
    format = qcow_record_parse(before, bytes, name_offset);
    /* A protocol or filter there would let the image name what it likes. */
    if (format && bdrv_is_probed_format(bs, format)) {
        s->record_offset -= 5 + strlen(format);
        bs->backing_format = g_steal_pointer(&format);
    }
    return 0;
}

static bool qcow_open_backing_name(BlockDriverState *bs, GError **error)
{
    QcowState *s = bs->opaque;
    char name[QCOW_MAX_BACKING_NAME + 1] = { 0 };
    int ret;

    if (s->header.backing_bytes == 0) {
        return true;
    }
    /* No crash leaves such a name; what is left of it may be that of another file. */
    if (!range_fits((int64_t)s->header.backing_offset, s->header.backing_bytes, s->file_end)) {
        cairn_set_error(error, EINVAL, "The name of the backing file leads past the end of the "
                        "image");
        return false;
    }
    ret = bdrv_pread(bs->file, (int64_t)s->header.backing_offset, s->header.backing_bytes, name);
    if (ret == 0) {
        ret = qcow_open_record(bs);
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not read the name of the backing file");
        return false;
    }
    s->names_backing = true;
    bs->backing_file = g_strdup(name);
    return true;
}

static void qcow_init_state(BlockDriverState *bs, QDict *opts)
{
    QcowState *s = bs->opaque;

    g_mutex_init(&s->lock);
    g_mutex_init(&s->codec_lock);
    co_queue_init(&s->tasks);
    co_queue_init(&s->claim_waiters);
    co_queue_init(&s->placed);
    co_queue_init(&s->flush.waiters);
    g_queue_init(&s->claims);
    s->tables_at = g_array_new(FALSE, FALSE, sizeof(int64_t));
    s->suspects = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    s->gaps = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    s->avoided = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    s->space_end = QCOW_MAX_SPACE;
    qcow_epochs_init(s);
    qcow_cache_init(s, qdict_get_try_int(opts, "l2-cache-size", QCOW_DEFAULT_CACHE));
}

static bool qcow_open_buffers(BlockDriverState *bs, GError **error)
{
    QcowState *s = bs->opaque;

    /* good for O_DIRECT, should it come by reopen */
    s->zeroes = aligned_alloc(4096, QCOW_ZERO_BYTES);
    s->stream_data = g_try_malloc(s->g.cluster_size);
    if (!s->zeroes || !s->stream_data) {
        cairn_set_error(error, ENOMEM, "Could not allocate memory for '%s'", bs->filename);
        return false;
    }
    memset(s->zeroes, 0, QCOW_ZERO_BYTES);
    return true;
}

static void qcow_close(BlockDriverState *bs);

static bool qcow_open_steps(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    if (!bdrv_open_child(bs, "file", BDRV_CHILD_IMAGE, error) || !qcow_open_header(bs, error)) {
        return false;
    }
    qcow_open_check_alignment(bs);
    return qcow_open_crypto(bs, opts, flags, error) && qcow_open_backing_name(bs, error) &&
           qcow_open_buffers(bs, error);
}

static bool qcow_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    qcow_init_state(bs, opts);
    if (!qcow_open_steps(bs, opts, flags, error)) {
        qcow_close(bs);
        return false;
    }
    bs->supported_write_flags = BDRV_REQ_FUA;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK;
    bdrv_add_blocker(bs, "migration", "The qcow format used by node '%s' does not support live "
                     "migration", bs->node_name);
    return true;
}

/* ---- close, reopen ---- */

typedef struct QcowFlushRun {
    BlockDriverState *bs;
    int ret;
} QcowFlushRun;

static void coroutine_fn qcow_flush_entry(void *opaque)
{
    QcowFlushRun *run = opaque;

    run->ret = qcow_co_flush(run->bs);
}

/* Everything pending to disk; the node is drained. */
static int qcow_flush_drained(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    QcowFlushRun run = { .bs = bs };

    if (s->cache.dirty->len == 0 && s->oldest == s->current && s->current->freed->len == 0) {
        return 0;
    }
    bdrv_run_co(qcow_flush_entry, &run);
    return run.ret;
}

static void qcow_close(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;

    if (bs->file && !bs->read_only && !g_atomic_int_get(&s->failed)) {
        /* the core has flushed and told of errors: this is what came after */
        qcow_flush_drained(bs);
    }
    qcow_cache_free(s);
    qcow_epochs_free(s);
    qcow_codecs_free(s);
    qcow_punch_forget(s);
    g_clear_pointer(&s->tables_at, g_array_unref);
    g_clear_pointer(&s->suspects, g_array_unref);
    g_clear_pointer(&s->gaps, g_array_unref);
    g_clear_pointer(&s->avoided, g_array_unref);
    g_clear_pointer(&s->crypto, qcrypto_block_free);
    g_clear_pointer(&s->zeroes, free);
    g_clear_pointer(&s->stream_data, g_free);
    g_mutex_clear(&s->lock);
    g_mutex_clear(&s->codec_lock);
}

/* Who becomes read-only has written everything before. */
static bool qcow_reopen_prepare(BlockReopenState *state, GError **error)
{
    BlockDriverState *bs = state->bs;
    int ret;

    if (bs->read_only || (state->flags & BLK_O_RDWR)) {
        return true;
    }
    ret = qcow_flush_drained(bs);
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not flush '%s'", bs->filename);
        return false;
    }
    return true;
}

static void qcow_reopen_commit(BlockReopenState *state)
{
    QcowState *s = state->bs->opaque;
    int64_t limit = qdict_get_try_int(state->opts, "l2-cache-size", QCOW_DEFAULT_CACHE);

    g_mutex_lock(&s->lock);
    qcow_cache_set_limit_locked(s, limit);
    g_mutex_unlock(&s->lock);
}

/* ---- what a node says of itself ---- */

static int qcow_probe(const uint8_t *buf, size_t bytes, const char *filename)
{
    return qcow_header_probe(buf, bytes);
}

static bool qcow_refresh_limits(BlockDriverState *bs, GError **error)
{
    QcowState *s = bs->opaque;

    bs->bl.request_alignment = BDRV_SECTOR_SIZE;
    bs->bl.max_iov = MAX(bs->bl.max_iov - QCOW_RESERVED_IOV, 1);
    bs->bl.pdiscard_alignment = (uint32_t)s->g.cluster_size;
    return true;
}

static bool qcow_get_info(BlockDriverState *bs, BlockDriverInfo *info, GError **error)
{
    QcowState *s = bs->opaque;

    info->cluster_size = s->g.cluster_size;
    return true;
}

static bool qcow_has_zero_init(BlockDriverState *bs)
{
    return true;
}

static int64_t coroutine_fn qcow_co_getlength(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;

    return s->g.size;
}

/* ---- the vtable ---- */

static const char *const qcow_strong_options[] = { "encrypt.key-secret", NULL };

const BlockDriver bdrv_qcow = {
    .format_name = "qcow",
    .instance_size = sizeof(QcowState),
    .is_format = true,
    .supports_backing = true,
    .runtime_options = qapi_options_BlockdevOptionsQcow,
    .create_options = qapi_options_BlockdevCreateOptionsQcow,
    .strong_runtime_opts = qcow_strong_options,
    .bdrv_probe = qcow_probe,
    .bdrv_open = qcow_open,
    .bdrv_close = qcow_close,
    .bdrv_reopen_prepare = qcow_reopen_prepare,
    .bdrv_reopen_commit = qcow_reopen_commit,
    .bdrv_refresh_limits = qcow_refresh_limits,
    .bdrv_get_info = qcow_get_info,
    .bdrv_make_empty = qcow_make_empty,
    .bdrv_change_backing_file = qcow_change_backing_file,
    .bdrv_child_perm = bdrv_default_perms,
    .bdrv_has_zero_init = qcow_has_zero_init,
    .bdrv_co_create = qcow_co_create,
    .bdrv_co_create_opts = qcow_co_create_opts,
    .bdrv_measure = qcow_measure,
    .bdrv_co_compact = qcow_co_compact,
    .bdrv_co_getlength = qcow_co_getlength,
    .bdrv_co_preadv = qcow_co_preadv,
    .bdrv_co_pwritev = qcow_co_pwritev,
    .bdrv_co_pwritev_compressed = qcow_co_pwritev_compressed,
    .bdrv_co_pwrite_zeroes = qcow_co_pwrite_zeroes,
    .bdrv_co_pdiscard = qcow_co_pdiscard,
    .bdrv_co_flush = qcow_co_flush,
    .bdrv_co_truncate = qcow_co_truncate,
    .bdrv_co_block_status = qcow_co_block_status,
    .bdrv_co_check = qcow_co_check,
};
