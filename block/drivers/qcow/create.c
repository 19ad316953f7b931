/* SPDX-License-Identifier: MIT */
/*
 * Creating images: everything that can be wrong is found before the storage is made.
 *
 * The order of writes: name and (empty) L1 table, sync, then the header, sync. Before the header
 * lands the file is no qcow. The L1 table is a hole of the file.
 */
#include "block/drivers/qcow/create.h"

#include <errno.h>
#include <string.h>

#include "qapi/block-options.h"

/* ---- checks ---- */

static bool plan_encryption(CairnSecrets *secrets, const QDict *opts, QcowPlan *plan,
                            GError **error)
{
    const char *format = qdict_get_try_str(opts, "encrypt.format");
    const char *key = qdict_get_try_str(opts, "encrypt.key-secret");
    g_autoptr(QCryptoBlock) block = NULL;

    if (format && qdict_haskey(opts, "encryption")) {
        cairn_set_error(error, EINVAL, "'encrypt.format' and its alias 'encryption' can't be used "
                        "at the same time");
        return false;
    }
    if (!format && qdict_get_try_bool(opts, "encryption", false)) {
        format = "aes";
    }
    if (!format && !key) {
        return true;
    }
    if (!format) {
        cairn_set_error(error, EINVAL, "Parameter 'encrypt.format' is missing");
        return false;
    }
    block = qcrypto_block_create(format, secrets, key, NULL, error);
    plan->header.crypt = QCOW_CRYPT_AES;
    return block != NULL;
}

static bool plan_geometry(const QDict *opts, QcowPlan *plan, GError **error)
{
    int64_t cluster_size = qdict_get_try_int(opts, "cluster_size", plan->name ? 512 : 4096);

    if (cluster_size < 512 || cluster_size > 65536 || !is_power_of_2(cluster_size)) {
        cairn_set_error(error, EINVAL, "Cluster size must be a power of two between 512 and 64k");
        return false;
    }
    plan->header.cluster_bits = __builtin_ctzll(cluster_size);
    plan->header.l2_bits = cluster_size == 512 && plan->name ? 12
                                                             : plan->header.cluster_bits - 3;
    return true;
}

void qcow_plan_backing(QcowPlan *plan, const char *name, const char *format)
{
    plan->name = name;
    plan->record_bytes = name && format ? qcow_record_write(format, plan->record) : 0;
    plan->header.backing_offset = name ? QCOW_HEADER_BYTES + plan->record_bytes : 0;
    plan->header.backing_bytes = name ? (uint32_t)strlen(name) : 0;
}

static bool plan_backing_options(const QDict *opts, QcowPlan *plan, GError **error)
{
    const char *name = qdict_get_try_str(opts, "backing_file");

    if (name && strlen(name) > QCOW_MAX_BACKING_NAME) {
        cairn_set_error(error, EINVAL, "Backing file name too long");
        return false;
    }
    qcow_plan_backing(plan, name && name[0] ? name : NULL,
                      qdict_get_try_str(opts, "backing_fmt"));
    return true;
}

bool qcow_plan_places(QcowPlan *plan, GError **error)
{
    QcowHeader *h = &plan->header;
    uint64_t fixed = QCOW_HEADER_BYTES + plan->record_bytes + h->backing_bytes;

    if (!qcow_header_check_size(h, error) ||
        !qcow_header_l1_entries(h->size, h->cluster_bits, h->l2_bits, &plan->l1_entries)) {
        return false;
    }
    h->l1_offset = ROUND_UP_TO(fixed, 8);
    plan->file_bytes = (int64_t)(h->l1_offset + ROUND_UP_TO((uint64_t)plan->l1_entries * 8, 512));
    return true;
}

int64_t qcow_plan_data_start(const QcowPlan *plan)
{
    int64_t cluster_size = (int64_t)1 << plan->header.cluster_bits;

    return ROUND_UP_TO((int64_t)plan->header.l1_offset + (int64_t)plan->l1_entries * 8,
                       MAX(cluster_size, QCOW_HOST_BLOCK));
}

bool qcow_plan_options(const QDict *opts, QcowPlan *plan, GError **error)
{
    int64_t size = qdict_get_try_int(opts, "size", 0);

    *plan = (QcowPlan) { .name = NULL };
    if (!plan_backing_options(opts, plan, error) || !plan_geometry(opts, plan, error)) {
        return false;
    }
    if (size <= 0) {
        cairn_set_error(error, EINVAL, "Image size is too small, cannot be zero length");
        return false;
    }
    plan->header.size = ROUND_UP_TO((uint64_t)size, 512);
    return qcow_plan_places(plan, error);
}

/* @opts: flat, typed. */
static bool plan_make(CairnSecrets *secrets, const QDict *opts, QcowPlan *plan, GError **error)
{
    return qcow_plan_options(opts, plan, error) && plan_encryption(secrets, opts, plan, error);
}

/* ---- writing ---- */

int coroutine_fn qcow_plan_write_rest(BlockBackend *file, const QcowPlan *plan)
{
    static const uint8_t zeroes[512];
    uint8_t before[QCOW_RECORD_MAX_BYTES + QCOW_MAX_BACKING_NAME];
    size_t bytes = plan->record_bytes + plan->header.backing_bytes;
    int ret = blk_co_pwrite(file, plan->file_bytes - (int64_t)sizeof(zeroes), sizeof(zeroes),
                            zeroes, 0);

    if (ret == 0 && bytes) {
        memcpy(before, plan->record, plan->record_bytes);
        memcpy(before + plan->record_bytes, plan->name, plan->header.backing_bytes);
        ret = blk_co_pwrite(file, QCOW_HEADER_BYTES, bytes, before, 0);
    }
    return ret;
}

int coroutine_fn qcow_plan_write_header(BlockBackend *file, const QcowPlan *plan)
{
    uint8_t raw[QCOW_HEADER_BYTES];
    int ret = blk_co_flush(file);

    if (ret == 0) {
        qcow_header_write(&plan->header, raw);
        ret = blk_co_pwrite(file, 0, sizeof(raw), raw, 0);
    }
    return ret == 0 ? blk_co_flush(file) : ret;
}

static bool coroutine_fn plan_run(BlockBackend *file, const QcowPlan *plan, GError **error)
{
    int ret = qcow_plan_write_rest(file, plan);

    if (ret == 0) {
        ret = qcow_plan_write_header(file, plan);
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not write the new image");
        return false;
    }
    return true;
}

bool coroutine_fn qcow_co_create(const BlockCreateTarget *target, BlockBackend *file,
                                 const QDict *options, GError **error)
{
    g_autoptr(QDict) flat = qdict_clone_shallow(options);
    QcowPlan plan;

    qdict_flatten(flat);
    return plan_make(cairn_context_get_secrets(target->context), flat, &plan, error) &&
           plan_run(file, &plan, error);
}

bool coroutine_fn qcow_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                      GError **error)
{
    g_autoptr(QDict) own = options_absorb(qapi_options_BlockdevCreateOptionsQcow, opts, error);
    g_autoptr(BlockBackend) file = NULL;
    QcowPlan plan;

    if (!own ||
        !plan_make(cairn_context_get_secrets(target->context), own, &plan, error)) {
        return false;
    }
    file = bdrv_co_create_storage(target, opts, error);
    return file && plan_run(file, &plan, error);
}
