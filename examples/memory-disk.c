/* SPDX-License-Identifier: MIT */
/*
 * A driver of one's own: "memory", a disk held in memory that grows as it is written. The program
 * registers it, makes a qcow image inside it, and reads back through qcow what it wrote.
 *
 * Invariant: between open and close, the state's array holds exactly the disk's bytes; state->lock guards it,
 * as requests come from several threads at once.
 */
#include <cairn/driver.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct MemoryState {
    GByteArray *bytes;          /* shared by all nodes of the same name */
    GMutex lock;
} MemoryState;

/* The disks by name: this is the example's "hardware". */
static GHashTable *disks;

static const OptionDesc memory_options[] = {
    { .name = "filename", .type = OPTION_STRING, .help = "Name of the disk" },
    { NULL },
};

static const OptionDesc memory_create_options[] = {
    { .name = "size", .type = OPTION_SIZE, .help = "Length of the disk" },
    { NULL },
};

static bool memory_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    MemoryState *s = bs->opaque;
    const char *name = qdict_get_try_str(opts, "filename");
    GByteArray *bytes = name ? g_hash_table_lookup(disks, name) : NULL;

    if (!bytes) {
        cairn_set_error(error, ENOENT, "No memory disk '%s'", name ? name : "");
        return false;
    }
    s->bytes = g_byte_array_ref(bytes);
    g_mutex_init(&s->lock);
    return true;
}

static void memory_close(BlockDriverState *bs)
{
    MemoryState *s = bs->opaque;

    g_mutex_clear(&s->lock);
    g_byte_array_unref(s->bytes);
}

static int64_t coroutine_fn memory_co_getlength(BlockDriverState *bs)
{
    MemoryState *s = bs->opaque;
    g_autoptr(GMutexLocker) guard = g_mutex_locker_new(&s->lock);

    return s->bytes->len;
}

static int coroutine_fn memory_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    MemoryState *s = bs->opaque;
    g_autoptr(GMutexLocker) guard = g_mutex_locker_new(&s->lock);

    io_vector_from_buf(iov, s->bytes->data + offset, (size_t)bytes);
    return 0;
}

static int coroutine_fn memory_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                          const IOVector *iov, int flags)
{
    MemoryState *s = bs->opaque;
    g_autoptr(GMutexLocker) guard = g_mutex_locker_new(&s->lock);
    guint end = (guint)(offset + bytes), before = s->bytes->len;

    if (end > before) {
        g_byte_array_set_size(s->bytes, end);
        memset(s->bytes->data + before, 0, end - before);
    }
    io_vector_to_buf(iov, s->bytes->data + offset, (size_t)bytes);
    return 0;
}

static bool coroutine_fn memory_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                            PreallocMode prealloc, GError **error)
{
    MemoryState *s = bs->opaque;
    g_autoptr(GMutexLocker) guard = g_mutex_locker_new(&s->lock);
    guint before = s->bytes->len;

    if (bytes > INT32_MAX) {
        cairn_set_error(error, EFBIG, "A memory disk holds less than 2 GiB");
        return false;
    }
    g_byte_array_set_size(s->bytes, (guint)bytes);
    if (bytes > before) {
        memset(s->bytes->data + before, 0, (size_t)bytes - before);
    }
    return true;
}

static bool coroutine_fn memory_co_create_opts(const BlockCreateTarget *target, QDict *opts,
                                               GError **error)
{
    const char *name = strchr(target->filename, ':');

    g_hash_table_insert(disks, g_strdup(name ? name + 1 : target->filename), g_byte_array_new());
    return true;
}

static const BlockDriver bdrv_memory = {
    .format_name         = "memory",
    .protocol_name       = "memory",
    .instance_size       = sizeof(MemoryState),
    .runtime_options     = memory_options,
    .create_options      = memory_create_options,
    .bdrv_open           = memory_open,
    .bdrv_close          = memory_close,
    .bdrv_co_create_opts = memory_co_create_opts,
    .bdrv_co_getlength   = memory_co_getlength,
    .bdrv_co_preadv      = memory_co_preadv,
    .bdrv_co_pwritev     = memory_co_pwritev,
    .bdrv_co_truncate    = memory_co_truncate,
};

static bool run(GError **error)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) disk = NULL;
    char text[BDRV_SECTOR_SIZE] = "kept in memory, mapped by qcow", back[BDRV_SECTOR_SIZE];
    int ret;

    if (!bdrv_register(ctx, &bdrv_memory, error) ||
        !blk_create(ctx, "memory:disk0", "qcow", NULL, 16 << 20, error)) {
        return false;
    }
    disk = blk_open_opts(ctx, "driver=qcow,file.driver=memory,file.filename=disk0", BLK_O_RDWR,
                         error);
    if (!disk) {
        return false;
    }
    ret = blk_pwrite(disk, 1 << 20, sizeof(text), text, 0);
    ret = ret < 0 ? ret : blk_flush(disk);
    ret = ret < 0 ? ret : blk_pread(disk, 1 << 20, sizeof(back), back);
    if (ret < 0 || memcmp(text, back, sizeof(text))) {
        cairn_set_error(error, EIO, "the disk does not hold what was written");
        return false;
    }
    printf("%s: a %s image of %" PRId64 " bytes holds \"%s\"\n", blk_get_filename(disk),
           blk_get_format(disk), blk_getlength(disk), back);
    return true;
}

int main(void)
{
    g_autoptr(GError) error = NULL;

    disks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                  (GDestroyNotify)g_byte_array_unref);
    if (!run(&error)) {
        fprintf(stderr, "memory-disk: %s\n", error->message);
        return 1;
    }
    g_hash_table_destroy(disks);
    return 0;
}
