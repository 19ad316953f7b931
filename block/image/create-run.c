/* SPDX-License-Identifier: MIT */
/*
 * Making an image: runs the driver's creation in a coroutine and gives it storage when it asks.
 *
 * 1. A driver asks for storage (bdrv_co_create_storage()) only when it has checked all else, so
 *    what stood in the file before is lost no earlier than that.
 * 2. Opening is control work: it is done by a bottom half, outside the driver's coroutine, in the
 *    same thread and so under the same control lock.
 * 3. The storage is flushed and closed when the driver is done, also on failure; a flush that fails
 *    is a failure of the creation.
 */
#include <errno.h>

#include "block/image/create-int.h"

typedef struct CreateRun {
    BlockCreateTarget target;   /* first: the driver hands it back */
    const BlockDriver *drv;
    const BlockDriver *proto;
    QDict *opts;
    BlockBackend *storage;      /* NULL until asked for */
    GError **error;
    bool ok;
} CreateRun;

/* For a driver that has no texts to check: its table does it. */
static bool coroutine_fn create_co_default(CreateRun *run)
{
    g_autoptr(QDict) flat = options_absorb(run->drv->create_options, run->opts, run->error);
    g_autoptr(QObject) nested = flat ? qdict_crumple(flat, run->error) : NULL;
    g_autoptr(BlockBackend) file = NULL;

    if (!nested) {
        return false;
    }
    if (!run->drv->protocol_name) {
        file = bdrv_co_create_storage(&run->target, run->opts, run->error);
        if (!file) {
            return false;
        }
    }
    return run->drv->bdrv_co_create(&run->target, file, qobject_to_qdict(nested), run->error);
}

static void coroutine_fn create_co_entry(void *opaque)
{
    CreateRun *run = opaque;
    const BlockDriver *drv = run->drv;

    if (drv->bdrv_co_create_opts) {
        run->ok = drv->bdrv_co_create_opts(&run->target, run->opts, run->error);
    } else if (drv->bdrv_co_create) {
        run->ok = create_co_default(run);
    } else {
        cairn_set_error(run->error, ENOTSUP, "Driver '%s' does not support image creation",
                        drv->format_name);
    }
}

static bool create_close_storage(CreateRun *run)
{
    int ret = run->storage ? blk_close(run->storage) : 0;

    g_clear_pointer(&run->storage, blk_unref);
    if (ret < 0 && run->ok) {
        cairn_set_error_errno(run->error, -ret, "Could not write '%s'", run->target.filename);
        return false;
    }
    return run->ok;
}

/* Outside coroutines, under the control lock. @opts is changed. */
static bool create_run_driver(CairnContext *ctx, const char *filename, const BlockDriver *drv,
                              const BlockDriver *proto, QDict *opts, GError **error)
{
    CreateRun run = {
        .target = { .context = ctx, .filename = filename },
        .drv = drv, .proto = proto, .opts = opts, .error = error,
    };

    bdrv_run_co(create_co_entry, &run);
    return create_close_storage(&run);
}

/* ---- storage ------------------------------------------------------------ */

typedef struct StorageRequest {
    CreateRun *run;
    QDict *opts;
    Coroutine *co;
    GError **error;
} StorageRequest;

/* Outside coroutines, under the control lock. @opts is changed. */
static BlockBackend *create_make_storage(CairnContext *ctx, const char *filename,
                                         const BlockDriver *proto, QDict *opts, GError **error)
{
    g_autoptr(QDict) options = qdict_new();
    BlockBackend *blk;

    if (!create_run_driver(ctx, filename, proto, proto, opts, error)) {
        return NULL;
    }
    qdict_put_str(options, "driver", proto->format_name);
    blk = blk_open_qdict(ctx, filename, options, BLK_O_RDWR | BLK_O_RESIZE | BLK_O_SHARE_WRITE,
                         error);
    if (blk) {
        blk->grows = true;
    }
    return blk;
}

BlockBackend *create_storage(CairnContext *ctx, const char *filename, GError **error)
{
    const BlockDriver *proto = bdrv_find_protocol(ctx, filename, error);
    g_autoptr(QDict) opts = qdict_new();

    if (proto && !proto->create_options) {
        cairn_set_error(error, ENOTSUP, "Protocol driver '%s' does not support image creation",
                        proto->format_name);
        return NULL;
    }
    return proto ? create_make_storage(ctx, filename, proto, opts, error) : NULL;
}

static void create_storage_bh(void *opaque)
{
    StorageRequest *req = opaque;
    CreateRun *run = req->run;

    run->storage = create_make_storage(run->target.context, run->target.filename, run->proto,
                                       req->opts, req->error);
    aio_co_wake(req->co);
}

BlockBackend *coroutine_fn bdrv_co_create_storage(const BlockCreateTarget *target, QDict *opts,
                                                  GError **error)
{
    StorageRequest req = {
        .run = (CreateRun *)target, .opts = opts, .co = coroutine_self(), .error = error,
    };

    g_assert(!req.run->storage && !req.run->drv->protocol_name);
    aio_bh_schedule_oneshot(aio_context_current(), create_storage_bh, &req);
    coroutine_yield();
    return req.run->storage ? blk_ref(req.run->storage) : NULL;
}

/* ---- the public calls --------------------------------------------------- */

/* Drivers record this name; what nobody knows could not be opened again. */
static bool create_check_backing_format(const BlockCreate *create, GError **error)
{
    const char *format = qdict_get_try_str(create->opts, "backing_fmt");

    if (format && !bdrv_find_format(create->ctx, format)) {
        cairn_set_error(error, EINVAL, "unrecognized backing format '%s'", format);
        return false;
    }
    return true;
}

bool blk_create_run_at(BlockCreate *create, const char *filename, GError **error)
{
    g_autoptr(QDict) opts = qdict_clone_shallow(create->opts);

    CTL_LOCK_GUARD(create->ctx);
    return create_check_backing_format(create, error) &&
           create_run_driver(create->ctx, filename, create->drv, create->proto, opts, error);
}

bool blk_create_run(BlockCreate *create, GError **error)
{
    return blk_create_run_at(create, create->filename, error);
}

bool blk_create(CairnContext *ctx, const char *filename, const char *format, const QDict *options,
                int64_t size, GError **error)
{
    g_autoptr(BlockCreate) create = blk_create_prepare(ctx, filename, format, NULL, NULL, options,
                                                       size, true, error);

    return create && blk_create_run(create, error);
}
