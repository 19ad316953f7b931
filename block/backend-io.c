/* SPDX-License-Identifier: MIT */
/*
 * The user's data calls. blk_co_* is the implementation; blk_* runs it and waits; blk_aio_* runs it
 * and calls back from the AioContext's loop, never before the call has returned, never inside a
 * coroutine, and never inside a control call of that thread.
 *
 * 1. blk->root is looked at between blk_request_begin() and blk_request_end() only: closing drains
 *    first.
 */
#include "block/block-int.h"
#include "util/aio-ring.h"
#include "util/cutils.h"

#include <errno.h>

/* ---- in coroutines --------------------------------------------------------- */

static int blk_check_writable(const BlockBackend *blk)
{
    if (blk->root->perm & BLK_PERM_WRITE) {
        return blk->root->bs->read_only ? -EROFS : 0;
    }
    return blk->root->bs->read_only ? -EROFS : -EPERM;
}

static int blk_write_flags(BlockBackend *blk, int flags)
{
    return g_atomic_int_get(&blk->write_cache) ? flags : flags | BDRV_REQ_FUA;
}

int64_t coroutine_fn blk_co_getlength(BlockBackend *blk)
{
    int64_t ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_getlength_bs(blk->root->bs);
    blk_request_end(blk);
    return ret < 0 ? ret : ROUND_UP_TO(ret, BDRV_SECTOR_SIZE);
}

int coroutine_fn blk_co_preadv(BlockBackend *blk, int64_t offset, const IOVector *iov,
                               BdrvRequestFlags flags)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_preadv(blk->root, offset, iov->size, iov, flags);
    blk_request_end(blk);
    return ret;
}

int coroutine_fn blk_co_pwritev(BlockBackend *blk, int64_t offset, const IOVector *iov,
                                BdrvRequestFlags flags)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = blk_check_writable(blk);
    if (ret >= 0) {
        ret = bdrv_co_pwritev(blk->root, offset, iov->size, iov, blk_write_flags(blk, flags));
    }
    blk_request_end(blk);
    return ret;
}

int coroutine_fn blk_co_pread(BlockBackend *blk, int64_t offset, int64_t bytes, void *buf)
{
    IOVector iov;

    if (bytes < 0) {
        return -EIO;
    }
    io_vector_init_buf(&iov, buf, bytes);
    return blk_co_preadv(blk, offset, &iov, 0);
}

int coroutine_fn blk_co_pwrite(BlockBackend *blk, int64_t offset, int64_t bytes,
                               const void *buf, BdrvRequestFlags flags)
{
    IOVector iov;

    if (bytes < 0) {
        return -EIO;
    }
    io_vector_init_buf(&iov, (void *)buf, bytes);
    return blk_co_pwritev(blk, offset, &iov, flags);
}

int coroutine_fn blk_co_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                                      BdrvRequestFlags flags)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = blk_check_writable(blk);
    if (ret >= 0) {
        ret = bdrv_co_pwrite_zeroes(blk->root, offset, bytes, blk_write_flags(blk, flags));
    }
    blk_request_end(blk);
    return ret;
}

int coroutine_fn blk_co_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = blk_check_writable(blk);
    if (ret >= 0) {
        ret = bdrv_co_pdiscard(blk->root, offset, bytes);
    }
    blk_request_end(blk);
    return ret;
}

int coroutine_fn blk_co_flush(BlockBackend *blk)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_flush(blk->root);
    blk_request_end(blk);
    return ret;
}

int coroutine_fn blk_co_block_status(BlockBackend *blk, int64_t offset, int64_t bytes,
                                     BlockStatus *status)
{
    BlockDriverState *file = NULL;
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    *status = (BlockStatus){0};
    ret = bdrv_co_block_status(blk->root, true, offset, bytes, &status->bytes,
                               &status->host_offset, &file);
    if (ret >= 0) {
        status->flags = ret;
        status->filename = file ? file->filename : NULL;
    }
    blk_request_end(blk);
    return MIN(ret, 0);
}

int coroutine_fn blk_co_block_status_chain(BlockBackend *blk, int64_t offset, int64_t bytes,
                                           BlockStatus *status)
{
    int ret = blk_request_begin(blk);

    if (ret < 0) {
        return ret;
    }
    *status = (BlockStatus){0};
    ret = bdrv_co_block_status_chain(blk->root, true, offset, bytes, status);
    blk_request_end(blk);
    return ret;
}

/* ---- one request, for the other two forms ------------------------------------ */

typedef struct BlkRequest BlkRequest;
typedef int64_t coroutine_fn BlkRequestFunc(BlkRequest *r);

struct BlkRequest {
    BlkRequestFunc *func;
    BlockBackend *blk;
    int64_t offset, bytes;
    void *buf;
    const IOVector *iov;
    BlockStatus *status;
    int flags;
    int64_t ret;
    BlockCompletionFunc *cb;    /* blk_aio_* only */
    void *cb_opaque;
    AioContext *aio;
};

static int64_t coroutine_fn blk_do_getlength(BlkRequest *r)
{
    return blk_co_getlength(r->blk);
}

static int64_t coroutine_fn blk_do_pread(BlkRequest *r)
{
    return blk_co_pread(r->blk, r->offset, r->bytes, r->buf);
}

static int64_t coroutine_fn blk_do_pwrite(BlkRequest *r)
{
    return blk_co_pwrite(r->blk, r->offset, r->bytes, r->buf, r->flags);
}

static int64_t coroutine_fn blk_do_preadv(BlkRequest *r)
{
    return blk_co_preadv(r->blk, r->offset, r->iov, r->flags);
}

static int64_t coroutine_fn blk_do_pwritev(BlkRequest *r)
{
    return blk_co_pwritev(r->blk, r->offset, r->iov, r->flags);
}

static int64_t coroutine_fn blk_do_pwrite_zeroes(BlkRequest *r)
{
    return blk_co_pwrite_zeroes(r->blk, r->offset, r->bytes, r->flags);
}

static int64_t coroutine_fn blk_do_pdiscard(BlkRequest *r)
{
    return blk_co_pdiscard(r->blk, r->offset, r->bytes);
}

static int64_t coroutine_fn blk_do_flush(BlkRequest *r)
{
    return blk_co_flush(r->blk);
}

static int64_t coroutine_fn blk_do_block_status(BlkRequest *r)
{
    return blk_co_block_status(r->blk, r->offset, r->bytes, r->status);
}

static int64_t coroutine_fn blk_do_block_status_chain(BlkRequest *r)
{
    return blk_co_block_status_chain(r->blk, r->offset, r->bytes, r->status);
}

/* ---- blocking ------------------------------------------------------------------ */

static void coroutine_fn blk_sync_entry(void *opaque)
{
    BlkRequest *r = opaque;

    r->ret = r->func(r);
}

static int64_t blk_sync(BlkRequest r)
{
    bdrv_run_co(blk_sync_entry, &r);
    return r.ret;
}

int64_t blk_getlength(BlockBackend *blk)
{
    return blk_sync((BlkRequest){ .func = blk_do_getlength, .blk = blk });
}

int blk_pread(BlockBackend *blk, int64_t offset, int64_t bytes, void *buf)
{
    return blk_sync((BlkRequest){
        .func = blk_do_pread, .blk = blk, .offset = offset, .bytes = bytes, .buf = buf,
    });
}

int blk_pwrite(BlockBackend *blk, int64_t offset, int64_t bytes, const void *buf,
               BdrvRequestFlags flags)
{
    return blk_sync((BlkRequest){
        .func = blk_do_pwrite, .blk = blk, .offset = offset, .bytes = bytes, .buf = (void *)buf,
        .flags = flags,
    });
}

int blk_preadv(BlockBackend *blk, int64_t offset, const IOVector *iov, BdrvRequestFlags flags)
{
    return blk_sync((BlkRequest){
        .func = blk_do_preadv, .blk = blk, .offset = offset, .iov = iov, .flags = flags,
    });
}

int blk_pwritev(BlockBackend *blk, int64_t offset, const IOVector *iov, BdrvRequestFlags flags)
{
    return blk_sync((BlkRequest){
        .func = blk_do_pwritev, .blk = blk, .offset = offset, .iov = iov, .flags = flags,
    });
}

int blk_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes, BdrvRequestFlags flags)
{
    return blk_sync((BlkRequest){
        .func = blk_do_pwrite_zeroes, .blk = blk, .offset = offset, .bytes = bytes,
        .flags = flags,
    });
}

int blk_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    return blk_sync((BlkRequest){
        .func = blk_do_pdiscard, .blk = blk, .offset = offset, .bytes = bytes,
    });
}

int blk_flush(BlockBackend *blk)
{
    return blk_sync((BlkRequest){ .func = blk_do_flush, .blk = blk });
}

int blk_block_status(BlockBackend *blk, int64_t offset, int64_t bytes, BlockStatus *status)
{
    return blk_sync((BlkRequest){
        .func = blk_do_block_status, .blk = blk, .offset = offset, .bytes = bytes,
        .status = status,
    });
}

int blk_block_status_chain(BlockBackend *blk, int64_t offset, int64_t bytes, BlockStatus *status)
{
    return blk_sync((BlkRequest){
        .func = blk_do_block_status_chain, .blk = blk, .offset = offset, .bytes = bytes,
        .status = status,
    });
}

/* ---- by callback ----------------------------------------------------------------- */

static void blk_aio_complete(void *opaque)
{
    BlkRequest *r = opaque;

    if (!ctl_defer(r->aio, blk_aio_complete, r)) {
        r->cb(r->cb_opaque, r->ret);
        g_free(r);
    }
}

static void coroutine_fn blk_aio_entry(void *opaque)
{
    BlkRequest *r = opaque;

    r->ret = r->func(r);
    aio_bh_schedule_oneshot(r->aio, blk_aio_complete, r);
}

static void blk_aio(BlkRequest request)
{
    BlkRequest *r = g_new(BlkRequest, 1);
    Coroutine *co = coroutine_try_create(blk_aio_entry, r);

    *r = request;
    r->aio = aio_context_ensure();
    if (co) {
        coroutine_enter(co);
    } else {
        r->ret = -ENOMEM;
        aio_bh_schedule_oneshot(r->aio, blk_aio_complete, r);
    }
}

void blk_aio_preadv(BlockBackend *blk, int64_t offset, const IOVector *iov,
                    BdrvRequestFlags flags, BlockCompletionFunc *cb, void *opaque)
{
    blk_aio((BlkRequest){
        .func = blk_do_preadv, .blk = blk, .offset = offset, .iov = iov, .flags = flags,
        .cb = cb, .cb_opaque = opaque,
    });
}

void blk_aio_pwritev(BlockBackend *blk, int64_t offset, const IOVector *iov,
                     BdrvRequestFlags flags, BlockCompletionFunc *cb, void *opaque)
{
    blk_aio((BlkRequest){
        .func = blk_do_pwritev, .blk = blk, .offset = offset, .iov = iov, .flags = flags,
        .cb = cb, .cb_opaque = opaque,
    });
}

void blk_aio_pwrite_zeroes(BlockBackend *blk, int64_t offset, int64_t bytes,
                           BdrvRequestFlags flags, BlockCompletionFunc *cb, void *opaque)
{
    blk_aio((BlkRequest){
        .func = blk_do_pwrite_zeroes, .blk = blk, .offset = offset, .bytes = bytes,
        .flags = flags, .cb = cb, .cb_opaque = opaque,
    });
}

void blk_aio_pdiscard(BlockBackend *blk, int64_t offset, int64_t bytes, BlockCompletionFunc *cb,
                      void *opaque)
{
    blk_aio((BlkRequest){
        .func = blk_do_pdiscard, .blk = blk, .offset = offset, .bytes = bytes, .cb = cb,
        .cb_opaque = opaque,
    });
}

void blk_aio_flush(BlockBackend *blk, BlockCompletionFunc *cb, void *opaque)
{
    blk_aio((BlkRequest){ .func = blk_do_flush, .blk = blk, .cb = cb, .cb_opaque = opaque });
}

/* ---- length (a control call) -------------------------------------------------------- */

/* The permission is taken for as long as it is needed: who only may resize stops nobody else. */
static bool blk_truncate_drained(BlockBackend *blk, int64_t bytes, PreallocMode prealloc,
                                 GError **error)
{
    BdrvChild *root = blk->root;
    uint64_t perm = root->perm;
    bool ok;

    if (!bdrv_child_try_set_perm(root, perm | BLK_PERM_RESIZE, root->shared_perm, error)) {
        return false;
    }
    ok = bdrv_truncate(root, bytes, true, prealloc, error);
    if (!(perm & BLK_PERM_RESIZE)) {
        /* Less than before is always granted; if not, the image is only better guarded. */
        bdrv_child_try_set_perm(root, perm, root->shared_perm, NULL);
    }
    return ok;
}

bool blk_truncate(BlockBackend *blk, int64_t bytes, PreallocMode prealloc, GError **error)
{
    bool ok = false;

    g_assert(!coroutine_in());
    ctl_lock(blk->ctx);
    drain_all_begin(blk->ctx);
    if (!blk->root) {
        cairn_set_error(error, ENOMEDIUM, "No medium: the image is closed");
    } else if (blk->root->bs->read_only) {
        cairn_set_error(error, EROFS, "Block node is read-only");
    } else if (!(blk->root->perm & BLK_PERM_WRITE)) {
        cairn_set_error(error, EPERM, "The image was not opened for writing");
    } else {
        ok = blk_truncate_drained(blk, bytes, prealloc, error);
    }
    drain_all_end(blk->ctx);
    ctl_unlock(blk->ctx);
    return ok;
}

/* ---- batches ----------------------------------------------------------------- */

/* Requests reach the kernel by the ring of the thread that makes them, whatever they are of. */
void blk_io_plug(BlockBackend *blk)
{
    aio_ring_plug(aio_context_ensure());
}

void blk_io_unplug(BlockBackend *blk)
{
    aio_ring_unplug(aio_context_ensure());
}
