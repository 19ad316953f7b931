/* SPDX-License-Identifier: MIT */
/*
 * Ciphering of guest sectors. Where the processor has instructions for it, it takes no longer than
 * the copy from the page cache before it, and is done at once: another processor would have to fetch
 * the data from this one's cache. Elsewhere larger pieces go to a worker thread.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>

/* Below these a switch of threads costs more than the work. */
#define CRYPT_INLINE_ENCRYPT (32 << 10)
#define CRYPT_INLINE_DECRYPT (128 << 10)

typedef struct QcowCryptJob {
    const QCryptoBlock *block;
    bool decrypt;
    int64_t guest;
    const uint8_t *in;          /* one buffer ... */
    const IOVector *iov;        /* ... or a vector of whole sectors */
    uint8_t *out;               /* NULL: a vector, in place */
    int64_t bytes;
} QcowCryptJob;

static int crypt_buffer(const QcowCryptJob *job, int64_t guest, const uint8_t *in, uint8_t *out,
                        size_t bytes)
{
    return job->decrypt ? qcrypto_block_decrypt(job->block, guest, in, out, bytes)
                        : qcrypto_block_encrypt(job->block, guest, in, out, bytes);
}

static int crypt_work(void *opaque)
{
    const QcowCryptJob *job = opaque;
    int64_t done = 0;
    int ret = 0;

    if (!job->iov) {
        return crypt_buffer(job, job->guest, job->in, job->out, job->bytes);
    }
    for (int i = 0; i < job->iov->niov && ret == 0; i++) {
        const struct iovec *v = &job->iov->iov[i];
        uint8_t *out = job->out ? job->out + done : v->iov_base;

        ret = crypt_buffer(job, job->guest + done, v->iov_base, out, v->iov_len);
        done += v->iov_len;
    }
    return ret;
}

static int coroutine_fn crypt_run(BlockDriverState *bs, QcowCryptJob *job)
{
    int64_t limit = job->decrypt ? CRYPT_INLINE_DECRYPT : CRYPT_INLINE_ENCRYPT;

    if (job->bytes <= limit || qcrypto_block_is_fast(job->block)) {
        return crypt_work(job);
    }
    return bdrv_co_run_work(bs, BDRV_WORK_CPU, crypt_work, job);
}

/* Elements of other lengths than whole sectors cannot be ciphered one by one. */
static bool crypt_vector_is_whole_sectors(const IOVector *v)
{
    for (int i = 0; i < v->niov; i++) {
        if (v->iov[i].iov_len % BDRV_SECTOR_SIZE) {
            return false;
        }
    }
    return true;
}

int coroutine_fn qcow_encrypt(BlockDriverState *bs, int64_t guest, const IOVector *iov,
                              uint8_t *out)
{
    QcowState *s = bs->opaque;
    QcowCryptJob job = {
        .block = s->crypto, .guest = guest, .iov = iov, .out = out, .bytes = (int64_t)iov->size,
    };

    if (!crypt_vector_is_whole_sectors(iov)) {
        io_vector_to_buf(iov, out, iov->size);
        job.iov = NULL;
        job.in = out;
    }
    return crypt_run(bs, &job);
}

static int coroutine_fn crypt_bounced(BlockDriverState *bs, QcowCryptJob *job,
                                      const IOVector *v)
{
    uint8_t *buf = g_try_malloc(job->bytes);
    int ret;

    if (!buf) {
        return -ENOMEM;
    }
    io_vector_to_buf(v, buf, job->bytes);
    job->in = job->out = buf;
    job->iov = NULL;
    ret = crypt_run(bs, job);
    if (ret == 0) {
        io_vector_from_buf(v, buf, job->bytes);
    }
    g_free(buf);
    return ret;
}

int coroutine_fn qcow_decrypt_vector(BlockDriverState *bs, int64_t guest, const IOVector *iov,
                                     size_t iov_offset, int64_t bytes)
{
    QcowState *s = bs->opaque;
    g_auto(IOVector) slice = { 0 };
    QcowCryptJob job = {
        .block = s->crypto, .decrypt = true, .guest = guest, .iov = &slice, .bytes = bytes,
    };

    io_vector_slice(&slice, iov, iov_offset, bytes);
    if (crypt_vector_is_whole_sectors(&slice)) {
        return crypt_run(bs, &job);
    }
    return crypt_bounced(bs, &job, &slice);
}
