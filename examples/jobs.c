/* SPDX-License-Identifier: MIT */
/*
 * Work on a disk while its guest runs: brings an overlay into its backing file, under a guest that
 * writes all the time on a GLib main loop. A filter counts what the guest does. The first attempt
 * is slow and is cancelled; nothing is lost by that, and the second one ends.
 *
 *   jobs OVERLAY
 *
 * OVERLAY is a qcow image with a backing file. Its first MiB is overwritten.
 */
#include <cairn/driver.h>
#include <cairn/job.h>

#include <stdio.h>
#include <string.h>

#define REQUEST_BYTES 65536
#define GUEST_BYTES (1 << 20)
#define SLOW_BYTES_PER_SECOND (4 << 20)
#define LOOK_MS 20

/* ---- the filter: passes all on, and counts ------------------------------- */

static gint counted_writes;     /* of the one disk of this program */

static bool count_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED, error);
}

static int coroutine_fn count_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    g_atomic_int_inc(&counted_writes);
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
}

/* Slots that a filter leaves out pass the request on. */
static const BlockDriver bdrv_count = {
    .format_name     = "count",
    .is_filter       = true,
    .bdrv_open       = count_open,
    .bdrv_co_pwritev = count_co_pwritev,
};

/* ---- the guest: one write after the other, until it is told to stop ------ */

typedef struct Guest {
    BlockBackend *disk;
    uint8_t data[REQUEST_BYTES];
    struct iovec element;
    IOVector iov;
    int64_t next;               /* offset of the next request */
    bool stop, stopped;
    int failure;                /* the first -errno */
} Guest;

static void guest_write(Guest *guest);

static void guest_on_done(void *opaque, int ret)
{
    Guest *guest = opaque;

    guest->failure = guest->failure ? guest->failure : MIN(ret, 0);
    if (guest->stop || guest->failure) {
        guest->stopped = true;
    } else {
        guest_write(guest);
    }
}

static void guest_write(Guest *guest)
{
    int64_t offset = guest->next;

    guest->next = (offset + REQUEST_BYTES) % GUEST_BYTES;
    blk_aio_pwritev(guest->disk, offset, &guest->iov, 0, guest_on_done, guest);
}

static void guest_start(Guest *guest, BlockBackend *disk)
{
    guest->disk = disk;
    guest->element = (struct iovec){ guest->data, REQUEST_BYTES };
    io_vector_init_external(&guest->iov, &guest->element, 1);
    memset(guest->data, 0x47, REQUEST_BYTES);
    guest_write(guest);
}

/* ---- the job ------------------------------------------------------------- */

typedef struct Attempt {
    GMainLoop *loop;
    BlockJob *job;
    bool give_up;               /* as soon as something has been copied */
    GError *error;              /* how it ended; NULL: well */
} Attempt;

/* In the main loop, when the job is over. */
static void on_job_done(BlockJob *job, const GError *error, void *opaque)
{
    Attempt *attempt = opaque;

    attempt->error = error ? g_error_copy(error) : NULL;
    g_main_loop_quit(attempt->loop);
}

/* A job can be asked at any time, from any thread. */
static gboolean on_look(gpointer opaque)
{
    Attempt *attempt = opaque;
    BlockJobStatus status;

    block_job_get_status(attempt->job, &status);
    if (attempt->give_up && !status.cancelled && status.done > 0) {
        printf("%d%% done: that takes too long\n", (int)(100 * status.done / status.total));
        block_job_cancel(attempt->job);
    }
    return G_SOURCE_CONTINUE;
}

/* Returns: false with @error, how the job ended. */
static bool commit(BlockBackend *disk, int64_t rate_limit, bool give_up, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Attempt attempt = { .loop = loop, .give_up = give_up };
    BlockCommitOptions options = {
        .job = { .rate_limit = rate_limit, .done = on_job_done, .opaque = &attempt },
        .end = BLOCK_COMMIT_EMPTY,
    };
    g_autoptr(BlockJob) job = block_commit_start(disk, &options, error);
    guint timer;

    if (!job) {
        return false;
    }
    attempt.job = job;
    timer = g_timeout_add(LOOK_MS, on_look, &attempt);
    g_main_loop_run(loop);
    g_source_remove(timer);
    if (attempt.error) {
        g_propagate_error(error, attempt.error);
        return false;
    }
    return true;
}

/* ---- all of it ----------------------------------------------------------- */

static bool commit_twice(BlockBackend *disk, GError **error)
{
    g_autoptr(GError) cancelled = NULL;

    if (!commit(disk, SLOW_BYTES_PER_SECOND, true, &cancelled)) {
        printf("first attempt: %s\n", cancelled->message);
    }
    if (!commit(disk, 0, false, error)) {
        return false;
    }
    printf("second attempt: committed\n");
    return true;
}

static bool run(BlockBackend *disk, GError **error)
{
    g_autofree Guest *guest = g_new0(Guest, 1);
    g_autoptr(QDict) filter = qdict_new();
    bool ok;

    guest_start(guest, disk);
    qdict_put_str(filter, "driver", "count");
    ok = blk_insert_filter(disk, filter, error) && commit_twice(disk, error) &&
         blk_remove_filter(disk, error);
    guest->stop = true;
    while (!guest->stopped) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (ok && guest->failure) {
        cairn_set_error_errno(error, -guest->failure, "The guest could not write");
        return false;
    }
    if (ok && g_atomic_int_get(&counted_writes) > 0) {
        printf("the guest wrote meanwhile\n");
    }
    return ok;
}

static BlockBackend *open_disk(CairnContext *ctx, const char *name, GError **error)
{
    g_autoptr(QDict) options = qdict_new();

    if (!bdrv_register(ctx, &bdrv_count, error)) {
        return NULL;
    }
    qdict_put_str(options, "driver", "qcow");
    return blk_open_qdict(ctx, name, options, BLK_O_RDWR, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(AioContext) aio = aio_context_new(&error);
    g_autoptr(BlockBackend) disk = NULL;
    bool ok;

    if (argc != 2) {
        fprintf(stderr, "usage: jobs OVERLAY\n");
        return 1;
    }
    if (!aio) {
        fprintf(stderr, "jobs: %s\n", error->message);
        return 1;
    }
    /* This thread's requests and jobs run when the default main context does. */
    g_source_attach(aio_context_get_source(aio), NULL);
    aio_context_push(aio);

    disk = open_disk(ctx, argv[1], &error);
    ok = disk && run(disk, &error);
    if (!ok) {
        fprintf(stderr, "jobs: %s\n", error->message);
    }
    g_clear_pointer(&disk, blk_unref);
    g_source_destroy(aio_context_get_source(aio));
    aio_context_pop(aio);
    return ok ? 0 : 1;
}
