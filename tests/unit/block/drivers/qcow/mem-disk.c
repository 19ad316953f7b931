/* SPDX-License-Identifier: MIT */
/* See mem-disk.h. */
#include "mem-disk.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define MEM_SLOW_PAUSES 100

static GMutex disks_lock;
static GHashTable *disks;       /* id -> MemDisk, not owned */

/* ---- disks ---- */

static void record_clear(gpointer data)
{
    g_free(((MemRecord *)data)->data);
}

static void disk_grow(MemDisk *d, int64_t size)
{
    if (size > d->room) {
        d->room = MAX(size, d->room * 2);
        d->data = g_realloc(d->data, d->room);
    }
    if (size > d->size) {
        memset(d->data + d->size, 0, size - d->size);
        d->size = size;
    }
}

MemDisk *mem_disk_new(const void *data, int64_t size)
{
    static gint next;
    MemDisk *d = g_new0(MemDisk, 1);

    g_mutex_init(&d->lock);
    d->id = g_strdup_printf("disk%d", g_atomic_int_add(&next, 1));
    disk_grow(d, size);
    if (data && size) {
        memcpy(d->data, data, size);
    }
    g_mutex_lock(&disks_lock);
    if (!disks) {
        disks = g_hash_table_new(g_str_hash, g_str_equal);
    }
    g_hash_table_insert(disks, d->id, d);
    g_mutex_unlock(&disks_lock);
    return d;
}

MemDisk *mem_disk_copy(const MemDisk *disk)
{
    return mem_disk_new(disk->data, disk->size);
}

void mem_disk_free(MemDisk *d)
{
    if (!d) {
        return;
    }
    g_mutex_lock(&disks_lock);
    g_hash_table_remove(disks, d->id);
    if (g_hash_table_size(disks) == 0) {
        g_clear_pointer(&disks, g_hash_table_destroy);
    }
    g_mutex_unlock(&disks_lock);
    if (d->log) {
        g_array_unref(d->log);
    }
    g_clear_pointer(&d->blocks, g_hash_table_unref);
    g_mutex_clear(&d->lock);
    g_free(d->id);
    g_free(d->data);
    g_free(d);
}

void mem_disk_record(MemDisk *d)
{
    d->log = g_array_new(FALSE, FALSE, sizeof(MemRecord));
    g_array_set_clear_func(d->log, record_clear);
}

void mem_disk_reset_counts(MemDisk *d)
{
    d->reads = d->writes = d->syncs = d->punches = 0;
}

/* ---- space ---- */

#define MEM_BLOCK 4096

static guint blocks_missing(const MemDisk *d, int64_t offset, int64_t bytes)
{
    guint missing = 0;

    for (int64_t i = offset / MEM_BLOCK; d->blocks && i * MEM_BLOCK < offset + bytes; i++) {
        missing += !g_hash_table_contains(d->blocks, GINT_TO_POINTER(i));
    }
    return missing;
}

static void blocks_add(MemDisk *d, int64_t offset, int64_t bytes)
{
    for (int64_t i = offset / MEM_BLOCK; d->blocks && i * MEM_BLOCK < offset + bytes; i++) {
        g_hash_table_add(d->blocks, GINT_TO_POINTER(i));
    }
}

void mem_disk_limit(MemDisk *d, guint more)
{
    g_clear_pointer(&d->blocks, g_hash_table_unref);
    d->blocks = g_hash_table_new(NULL, NULL);
    for (int64_t at = 0; at < d->size; at += MEM_BLOCK) {
        if (!cairn_buffer_is_zero(d->data + at, MIN(d->size - at, MEM_BLOCK))) {
            blocks_add(d, at, 1);
        }
    }
    d->blocks_max = g_hash_table_size(d->blocks) + more;
}

static bool blocks_lack(const MemDisk *d, int64_t offset, int64_t bytes)
{
    return d->blocks &&
           g_hash_table_size(d->blocks) + blocks_missing(d, offset, bytes) > d->blocks_max;
}

static void disk_apply(MemDisk *d, const MemRecord *r)
{
    switch (r->op) {
    case MEM_WRITE:
        disk_grow(d, r->offset + r->bytes);
        blocks_add(d, r->offset, r->bytes);
        memcpy(d->data + r->offset, r->data, r->bytes);
        break;
    case MEM_TRUNCATE:
        disk_grow(d, r->bytes);
        d->size = r->bytes;
        break;
    case MEM_PUNCH:
        memset(d->data + r->offset, 0, CLAMP(d->size - r->offset, 0, r->bytes));
        break;
    case MEM_SYNC:
        break;
    }
}

void mem_disk_play(MemDisk *d, const MemRecord *r)
{
    disk_apply(d, r);
}

/* Applies and records; takes over nothing. */
static void disk_do(MemDisk *d, const MemRecord *r)
{
    g_mutex_lock(&d->lock);
    disk_apply(d, r);
    if (d->log) {
        MemRecord copy = *r;

        copy.data = r->op == MEM_WRITE ? g_memdup2(r->data, r->bytes) : NULL;
        g_array_append_val(d->log, copy);
    }
    g_mutex_unlock(&d->lock);
}

/* ---- the driver ---- */

typedef struct MemState {
    MemDisk *disk;
} MemState;

static MemDisk *state_disk(BlockDriverState *bs)
{
    return ((MemState *)bs->opaque)->disk;
}

static MemDisk *disk_find(const char *id, GError **error)
{
    MemDisk *d;

    g_mutex_lock(&disks_lock);
    d = id && disks ? g_hash_table_lookup(disks, id) : NULL;
    g_mutex_unlock(&disks_lock);
    if (!d) {
        cairn_set_error(error, ENOENT, "no such disk");
    }
    return d;
}

static bool mem_disk_parse_filename(const char *filename, QDict *options, GError **error)
{
    qdict_put_str(options, "disk", filename + strlen("mem-disk:"));
    return true;
}

static bool mem_disk_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    MemState *s = bs->opaque;

    s->disk = disk_find(qdict_get_try_str(opts, "disk"), error);
    bs->supported_zero_flags = 0;
    return s->disk != NULL;
}

static void coroutine_fn mem_pause(MemDisk *d)
{
    if (d->yields) {
        co_sleep_ns(0);
    }
}

static bool mem_count_down(int *in)
{
    return in && *in > 0 && --*in == 0;
}

/* Returns: 0, or the errno that the request fails with. The lock is held. */
static int mem_fault(MemDisk *d, int *in, int err)
{
    bool any = mem_count_down(&d->fail_any_in);

    if (!mem_count_down(in) && !any) {
        return 0;
    }
    return d->fail_error ? d->fail_error : err;
}

static int64_t coroutine_fn mem_disk_co_getlength(BlockDriverState *bs)
{
    MemDisk *d = state_disk(bs);
    int64_t size;

    g_mutex_lock(&d->lock);
    size = -mem_fault(d, NULL, EIO);
    size = size ? size : d->size;
    g_mutex_unlock(&d->lock);
    return size;
}

static int coroutine_fn mem_disk_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                           const IOVector *iov, int flags)
{
    MemDisk *d = state_disk(bs);
    int64_t there;
    int err;

    mem_pause(d);
    g_mutex_lock(&d->lock);
    d->reads++;
    err = mem_fault(d, &d->fail_read_in, EIO);
    if (err) {
        g_mutex_unlock(&d->lock);
        return -err;
    }
    there = CLAMP(d->size - offset, 0, bytes);
    io_vector_from_buf(iov, d->data + MIN(offset, d->size), there);
    g_mutex_unlock(&d->lock);
    io_vector_memset(iov, there, 0, bytes - there);
    return 0;
}

static int coroutine_fn mem_disk_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                            const IOVector *iov, int flags)
{
    MemDisk *d = state_disk(bs);
    g_autofree uint8_t *data = g_malloc(bytes);
    MemRecord r = { .op = MEM_WRITE, .offset = offset, .bytes = bytes, .data = data };
    int err;

    mem_pause(d);
    for (int i = d->yields && mem_count_down(&d->slow_write_in) ? MEM_SLOW_PAUSES : 0; i > 0; i--) {
        mem_pause(d);
    }
    g_mutex_lock(&d->lock);
    d->writes++;
    err = blocks_lack(d, offset, bytes) ? ENOSPC : mem_fault(d, &d->fail_write_in, ENOSPC);
    g_mutex_unlock(&d->lock);
    if (err) {
        return -err;
    }
    io_vector_to_buf(iov, data, bytes);
    disk_do(d, &r);
    mem_pause(d);
    return 0;
}

static int coroutine_fn mem_disk_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    MemDisk *d = state_disk(bs);
    MemRecord r = { .op = MEM_PUNCH, .offset = offset, .bytes = bytes };
    int err;

    g_mutex_lock(&d->lock);
    d->punches++;
    err = mem_fault(d, NULL, EIO);
    g_mutex_unlock(&d->lock);
    if (err) {
        return -err;
    }
    disk_do(d, &r);
    return 0;
}

static int coroutine_fn mem_disk_co_flush(BlockDriverState *bs)
{
    MemDisk *d = state_disk(bs);
    MemRecord r = { .op = MEM_SYNC };
    int err;

    mem_pause(d);
    g_mutex_lock(&d->lock);
    d->syncs++;
    err = mem_fault(d, &d->fail_sync_in, EIO);
    d->sync_failed |= err != 0;
    g_mutex_unlock(&d->lock);
    if (err) {
        return -err;
    }
    disk_do(d, &r);
    mem_pause(d);
    return 0;
}

static bool coroutine_fn mem_disk_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                              PreallocMode prealloc, GError **error)
{
    MemDisk *d = state_disk(bs);
    MemRecord r = { .op = MEM_TRUNCATE, .bytes = bytes };
    int err;

    g_mutex_lock(&d->lock);
    err = mem_fault(d, &d->fail_truncate_in, ENOSPC);
    g_mutex_unlock(&d->lock);
    if (err) {
        cairn_set_error(error, err, "no room");
        return false;
    }
    disk_do(d, &r);
    return true;
}

static void coroutine_fn mem_disk_co_debug_event(BlockDriverState *bs, const char *event)
{
    MemDisk *d = state_disk(bs);

    mem_pause(d);
    g_mutex_lock(&d->lock);
    if (d->events) {
        g_string_append_printf(d->events, "%s\n", event);
    }
    g_mutex_unlock(&d->lock);
}

/* Pages of zeros are holes. */
static int coroutine_fn mem_disk_co_block_status(BlockDriverState *bs, bool want_zero,
                                                 int64_t offset, int64_t bytes, int64_t *pnum,
                                                 int64_t *map, BlockDriverState **file)
{
    MemDisk *d = state_disk(bs);
    int64_t at = offset, end = offset + bytes;
    bool is_zero = true;
    int err;

    g_mutex_lock(&d->lock);
    err = mem_fault(d, NULL, EIO);
    if (err) {
        g_mutex_unlock(&d->lock);
        return -err;
    }
    while (at < end) {
        int64_t n = MIN(end, (at / 4096 + 1) * 4096) - at;
        int64_t there = CLAMP(d->size - at, 0, n);
        bool zero = cairn_buffer_is_zero(d->data + MIN(at, d->size), there);

        if (at > offset && zero != is_zero) {
            break;
        }
        is_zero = zero;
        at += n;
    }
    g_mutex_unlock(&d->lock);
    *pnum = at - offset;
    *map = offset;
    *file = bs;
    return BDRV_BLOCK_OFFSET_VALID | (is_zero ? BDRV_BLOCK_ZERO : BDRV_BLOCK_DATA);
}

static bool coroutine_fn mem_disk_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                                 GError **error)
{
    MemDisk *d = disk_find(target->filename + strlen("mem-disk:"), error);
    const MemRecord empty = { .op = MEM_TRUNCATE };

    if (d) {
        disk_do(d, &empty);
    }
    return d != NULL;
}

static const OptionDesc mem_disk_create_options[] = {
    { .name = "size", .type = OPTION_SIZE, .help = "Bytes" },
    { .name = NULL },
};

static const OptionDesc mem_disk_options[] = {
    { .name = "disk", .type = OPTION_STRING, .help = "Which disk" },
    { .name = NULL },
};

static const BlockDriver bdrv_mem_disk = {
    .format_name = "mem-disk",
    .protocol_name = "mem-disk",
    .instance_size = sizeof(MemState),
    .runtime_options = mem_disk_options,
    .create_options = mem_disk_create_options,
    .bdrv_parse_filename = mem_disk_parse_filename,
    .bdrv_co_create_opts = mem_disk_co_create_opts,
    .bdrv_open = mem_disk_open,
    .bdrv_co_getlength = mem_disk_co_getlength,
    .bdrv_co_preadv = mem_disk_co_preadv,
    .bdrv_co_pwritev = mem_disk_co_pwritev,
    .bdrv_co_pdiscard = mem_disk_co_pdiscard,
    .bdrv_co_flush = mem_disk_co_flush,
    .bdrv_co_truncate = mem_disk_co_truncate,
    .bdrv_co_block_status = mem_disk_co_block_status,
    .bdrv_co_debug_event = mem_disk_co_debug_event,
};

/* ---- opening ---- */

CairnContext *mem_context_new(void)
{
    CairnContext *ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;

    bdrv_register(ctx, &bdrv_mem_disk, &error);
    g_assert_no_error(error);
    return ctx;
}

BlockBackend *mem_open(CairnContext *ctx, MemDisk *disk, MemDisk *backing, const char *more,
                       int flags, GError **error)
{
    g_autoptr(QDict) opts = qdict_new();
    g_autoptr(QDict) extra = NULL;

    qdict_put_str(opts, "driver", "qcow");
    qdict_put_str(opts, "file.driver", "mem-disk");
    qdict_put_str(opts, "file.disk", disk->id);
    if (backing) {
        qdict_put_str(opts, "backing.driver", "mem-disk");
        qdict_put_str(opts, "backing.disk", backing->id);
    }
    if (more) {
        extra = qdict_from_keyval(more, NULL, error);
        g_assert_nonnull(extra);
        qdict_join(opts, extra, true);
    }
    return blk_open_qdict(ctx, NULL, opts, flags, error);
}

BlockBackend *mem_open_ok(CairnContext *ctx, MemDisk *disk, MemDisk *backing, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = mem_open(ctx, disk, backing, NULL, flags, &error);

    g_assert_no_error(error);
    return blk;
}

void mem_close_ok(BlockBackend *blk)
{
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
}

/* ---- images ---- */

void image_resize(MemDisk *disk, int64_t size)
{
    MemRecord r = { .op = MEM_TRUNCATE, .bytes = size };

    disk_apply(disk, &r);
}

void image_put64(MemDisk *disk, int64_t at, uint64_t value)
{
    disk_grow(disk, at + 8);
    be64_store(disk->data + at, value);
}

uint64_t image_get64(const MemDisk *disk, int64_t at)
{
    return at + 8 <= disk->size ? be64_load(disk->data + at) : 0;
}

void image_fill(MemDisk *disk, int64_t at, int byte, int64_t bytes)
{
    disk_grow(disk, at + bytes);
    memset(disk->data + at, byte, bytes);
}

MemDisk *image_new(int64_t size, int cluster_bits, int l2_bits)
{
    int64_t span = (int64_t)1 << (cluster_bits + l2_bits);
    int64_t entries = (size + span - 1) / span;
    MemDisk *d = mem_disk_new(NULL, 48 + ROUND_UP_TO(entries * 8, 512));

    memcpy(d->data, "QFI\xfb\0\0\0\1", 8);
    image_put64(d, 24, (uint64_t)size);
    d->data[32] = (uint8_t)cluster_bits;
    d->data[33] = (uint8_t)l2_bits;
    image_put64(d, 40, 48);
    return d;
}
