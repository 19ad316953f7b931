/* SPDX-License-Identifier: MIT */
/*
 * blklogwrites: keeps a log of what changes a disk, for replaying crashes. The format of the log is
 * that of the kernel's dm-log-writes target: a super block, then entries of one sector, each
 * followed by the data that was written; all little-endian.
 *
 * 1. An entry stands in the log when its request has completed, in the order of completion. What a
 *    flush's entry stands for is what stands before it: a flush takes its place in the log as it
 *    begins, and requests that end while it runs come after it.
 * 2. The super block counts entries that are whole, and only those with no unfinished one before.
 * 3. A log that lacks an entry proves nothing: once writing it has failed, requests that change the
 *    disk fail too.
 * 4. The format has no entry for a change of length: it is a mark whose text is "truncate BYTES".
 */
#include <cairn/driver.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "qapi/block-options.h"
#include "util/cutils.h"

#define LOG_MAGIC UINT64_C(0x6a736677736872)
#define LOG_VERSION 1
#define LOG_SUPER_BYTES 28
#define LOG_ENTRY_BYTES 32
#define LOG_MIN_SECTOR 512
#define LOG_MAX_SECTOR (8 * MiB)

enum {
    LOG_FLUSH = 1 << 0,
    LOG_FUA = 1 << 1,           /* found in logs of others only */
    LOG_DISCARD = 1 << 2,
    LOG_MARK = 1 << 3,
    LOG_METADATA = 1 << 4,      /* likewise */
    LOG_ALL = (1 << 5) - 1,
};

typedef struct LogState {
    BdrvChild *log;             /* never NULL while open */
    int64_t sector;             /* bytes, a power of two */
    int64_t interval;           /* entries after which the super block is written */
    GMutex lock;                /* guards what follows; a leaf */
    int64_t next;               /* bytes: where the next entry goes */
    uint64_t entries;           /* that have a place */
    GQueue unfinished;          /* LogEntry *, on coroutines' stacks, in order of their places */
    uint64_t super_entries;     /* as the super block says */
    bool is_begun;              /* the super block is ours */
    int failed;                 /* errno that ended the log; 0: none did */
    CoMutex super_lock;         /* one writes the super block; taken before lock */
} LogState;

typedef struct LogEntry {
    int64_t offset, bytes;      /* of the disk; 0: the entry is about no range */
    unsigned flags;             /* LOG_* */
    const IOVector *data;       /* NULL: zeros, where data follows */
    const char *text;           /* of a mark */
    int64_t place;              /* bytes: in the log */
    uint64_t number;
    GList link;
} LogEntry;

static bool log_has_data(const LogEntry *e)
{
    return e->bytes > 0 && !(e->flags & LOG_DISCARD);
}

/* ---- the super block ------------------------------------------------------------------ */

/* With the lock held. */
static uint64_t log_whole_entries(LogState *s)
{
    const LogEntry *first = g_queue_peek_head(&s->unfinished);

    return first ? MIN(first->number, s->entries) : s->entries;
}

static void log_fail(LogState *s, int ret)
{
    g_mutex_lock(&s->lock);
    s->failed = s->failed ? s->failed : -ret;
    g_mutex_unlock(&s->lock);
}

/* Counts @entries, durably. */
static int coroutine_fn log_write_super(BlockDriverState *bs, uint64_t entries)
{
    LogState *s = bs->opaque;
    g_autofree uint8_t *raw = g_malloc0((size_t)s->sector);
    int ret;

    le64_store(raw, LOG_MAGIC);
    le64_store(raw + 8, LOG_VERSION);
    le64_store(raw + 16, entries);
    le32_store(raw + 24, (uint32_t)s->sector);
    ret = bdrv_co_pwrite(s->log, 0, s->sector, raw, 0);
    if (ret == 0) {
        ret = bdrv_co_flush(s->log);
    }
    if (ret < 0) {
        log_fail(s, ret);
    }
    return ret;
}

/* The super block says what is there now. */
static int coroutine_fn log_update_super(BlockDriverState *bs)
{
    LogState *s = bs->opaque;
    uint64_t entries;
    int ret = 0;

    co_mutex_lock(&s->super_lock);
    g_mutex_lock(&s->lock);
    entries = log_whole_entries(s);
    g_mutex_unlock(&s->lock);
    if (entries > s->super_entries) {
        ret = log_write_super(bs, entries);
        s->super_entries = entries;
    }
    co_mutex_unlock(&s->super_lock);
    return ret;
}

/* An old log's super block must not count entries of this one. */
static int coroutine_fn log_begin(BlockDriverState *bs)
{
    LogState *s = bs->opaque;
    int ret = 0;

    co_mutex_lock(&s->super_lock);
    if (!s->is_begun) {
        ret = log_write_super(bs, 0);
        s->is_begun = ret == 0;
    }
    co_mutex_unlock(&s->super_lock);
    return ret;
}

/* ---- entries --------------------------------------------------------------------------- */

/* What a request asks before it changes the disk. */
static int coroutine_fn log_check(BlockDriverState *bs)
{
    LogState *s = bs->opaque;
    int ret;

    g_mutex_lock(&s->lock);
    ret = -s->failed;
    g_mutex_unlock(&s->lock);
    return ret < 0 ? ret : log_begin(bs);
}

static int log_reserve(LogState *s, LogEntry *e)
{
    int ret;

    g_mutex_lock(&s->lock);
    ret = -s->failed;
    if (ret == 0) {
        e->number = s->entries++;
        e->place = s->next;
        s->next += s->sector + (log_has_data(e) ? e->bytes : 0);
        e->link.data = e;
        g_queue_push_tail_link(&s->unfinished, &e->link);
    }
    g_mutex_unlock(&s->lock);
    return ret;
}

/* Returns: whether the super block has fallen behind. */
static bool log_finish(LogState *s, LogEntry *e)
{
    bool is_due;

    g_mutex_lock(&s->lock);
    g_queue_unlink(&s->unfinished, &e->link);
    is_due = s->entries % (uint64_t)s->interval == 0;
    g_mutex_unlock(&s->lock);
    return is_due || e->flags & LOG_FLUSH;
}

static void log_entry_store(const LogState *s, const LogEntry *e, uint8_t *raw)
{
    size_t text_bytes = e->text ? strlen(e->text) : 0;

    memset(raw, 0, (size_t)s->sector);
    le64_store(raw, (uint64_t)(e->offset / s->sector));
    le64_store(raw + 8, (uint64_t)(e->bytes / s->sector));
    le64_store(raw + 16, e->flags);
    le64_store(raw + 24, text_bytes);
    if (text_bytes) {
        memcpy(raw + LOG_ENTRY_BYTES, e->text, text_bytes);
    }
}

static int coroutine_fn log_store(BlockDriverState *bs, const LogEntry *e)
{
    LogState *s = bs->opaque;
    g_autofree uint8_t *raw = g_malloc((size_t)s->sector);
    g_auto(IOVector) iov = { 0 };
    int ret;

    log_entry_store(s, e, raw);
    io_vector_init(&iov, e->data ? e->data->niov + 1 : 1);
    io_vector_add(&iov, raw, (size_t)s->sector);
    if (e->data) {
        io_vector_concat(&iov, e->data, 0, (size_t)e->bytes);
    }
    ret = bdrv_co_pwritev(s->log, e->place, (int64_t)iov.size, &iov, 0);
    if (ret == 0 && log_has_data(e) && !e->data) {
        ret = bdrv_co_pwrite_zeroes(s->log, e->place + s->sector, e->bytes, BDRV_REQ_MAY_UNMAP);
    }
    return ret;
}

/* Of an entry that has its place. After a failure neither it nor one behind it counts. */
static int coroutine_fn log_add_reserved(BlockDriverState *bs, LogEntry *e)
{
    LogState *s = bs->opaque;
    int ret = log_store(bs, e);

    if (ret < 0) {
        log_fail(s, ret);
        g_mutex_lock(&s->lock);
        s->entries = MIN(s->entries, e->number);
        g_mutex_unlock(&s->lock);
    }
    return log_finish(s, e) && ret == 0 ? log_update_super(bs) : ret;
}

static int coroutine_fn log_add(BlockDriverState *bs, LogEntry *e)
{
    int ret = log_reserve(bs->opaque, e);

    return ret == 0 ? log_add_reserved(bs, e) : ret;
}

/* ---- open and close --------------------------------------------------------------------- */

static bool log_check_sector(int64_t bytes, GError **error)
{
    if (bytes < LOG_MIN_SECTOR || bytes > LOG_MAX_SECTOR || !is_power_of_2(bytes)) {
        cairn_set_error(error, EINVAL, "Invalid log sector size %" PRId64, bytes);
        return false;
    }
    return true;
}

static bool log_read(LogState *s, int64_t offset, int64_t bytes, void *buf, GError **error)
{
    int ret = bdrv_pread(s->log, offset, bytes, buf);

    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not read the log");
    }
    return ret == 0;
}

static bool log_parse_super(LogState *s, GError **error)
{
    uint8_t raw[LOG_SUPER_BYTES];

    if (!log_read(s, 0, sizeof(raw), raw, error)) {
        return false;
    }
    if (le64_load(raw) != LOG_MAGIC) {
        cairn_set_error(error, EINVAL, "Invalid log superblock magic");
        return false;
    }
    if (le64_load(raw + 8) != LOG_VERSION) {
        cairn_set_error(error, ENOTSUP, "Unsupported log version %" PRIu64, le64_load(raw + 8));
        return false;
    }
    s->entries = s->super_entries = le64_load(raw + 16);
    s->sector = le32_load(raw + 24);
    return log_check_sector(s->sector, error);
}

/* Moves s->next past entry @number of a log of @length bytes. */
static bool log_skip_entry(LogState *s, uint64_t number, int64_t length, GError **error)
{
    uint8_t raw[LOG_ENTRY_BYTES];
    uint64_t sectors, flags, room;

    if (length - s->next < s->sector) {
        cairn_set_error(error, EINVAL, "The log ends before entry %" PRIu64, number);
        return false;
    }
    if (!log_read(s, s->next, sizeof(raw), raw, error)) {
        return false;
    }
    s->next += s->sector;
    sectors = le64_load(raw + 8);
    flags = le64_load(raw + 16);
    room = (uint64_t)((length - s->next) / s->sector);
    if (flags & ~(uint64_t)LOG_ALL) {
        cairn_set_error(error, EINVAL, "Invalid flags 0x%" PRIx64 " in log entry %" PRIu64, flags,
                        number);
        return false;
    }
    if (flags & LOG_DISCARD) {
        return true;
    }
    if (sectors > room) {
        cairn_set_error(error, EINVAL, "The log ends in entry %" PRIu64, number);
        return false;
    }
    s->next += (int64_t)sectors * s->sector;
    return true;
}

/* To go on where a log ends; an empty file is a log that has not begun. */
static bool log_open_append(LogState *s, GError **error)
{
    int64_t length = bdrv_getlength(s->log);

    if (length <= 0) {
        if (length < 0) {
            cairn_set_error_errno(error, (int)-length, "Could not get the length of the log");
        }
        return length == 0;
    }
    if (!log_parse_super(s, error)) {
        return false;
    }
    s->next = s->sector;
    for (uint64_t i = 0; i < s->entries; i++) {
        if (!log_skip_entry(s, i, length, error)) {
            return false;
        }
    }
    s->is_begun = true;
    return true;
}

static bool log_open_options(LogState *s, QDict *opts, GError **error)
{
    bool appends = qdict_get_try_bool(opts, "log-append", false);

    if (appends && qdict_haskey(opts, "log-sector-size")) {
        cairn_set_error(error, EINVAL, "log-append and log-sector-size are mutually exclusive");
        return false;
    }
    s->sector = qdict_get_try_int(opts, "log-sector-size", BDRV_SECTOR_SIZE);
    s->interval = qdict_get_try_int(opts, "log-super-update-interval", 4096);
    if (!log_check_sector(s->sector, error)) {
        return false;
    }
    if (s->interval <= 0) {
        cairn_set_error(error, EINVAL, "Invalid log superblock update interval %" PRId64,
                        s->interval);
        return false;
    }
    return !appends || log_open_append(s, error);
}

static bool log_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    LogState *s = bs->opaque;

    if (!bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error)
        || !bdrv_open_child_named(bs, "log", NULL, BDRV_CHILD_METADATA, &s->log, error)
        || !log_open_options(s, opts, error)) {
        return false;
    }
    if (s->next == 0) {
        s->next = s->sector;
    }
    g_mutex_init(&s->lock);
    g_queue_init(&s->unfinished);
    co_mutex_init(&s->super_lock);
    bs->supported_zero_flags = BDRV_REQ_MAY_UNMAP;
    return true;
}

static void log_close(BlockDriverState *bs)
{
    LogState *s = bs->opaque;

    g_assert(g_queue_is_empty(&s->unfinished));
    co_mutex_destroy(&s->super_lock);
    g_mutex_clear(&s->lock);
}

static bool log_refresh_limits(BlockDriverState *bs, GError **error)
{
    const LogState *s = bs->opaque;

    bs->bl.request_alignment = MAX(bs->bl.request_alignment, (uint32_t)s->sector);
    bs->bl.pdiscard_alignment = MAX(bs->bl.pdiscard_alignment, (uint32_t)s->sector);
    bs->bl.max_iov = MAX(bs->bl.max_iov - 1, 1);        /* an entry goes with its data */
    return true;
}

/* ---- data ---------------------------------------------------------------------------------- */

static int coroutine_fn log_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                      const IOVector *iov, int flags)
{
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn log_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                       const IOVector *iov, int flags)
{
    LogEntry e = { .offset = offset, .bytes = bytes, .data = iov };
    int ret = log_check(bs);

    if (ret == 0) {
        ret = bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
    }
    return ret == 0 ? log_add(bs, &e) : ret;
}

/* What would stand in the log is not what was written. */
static int coroutine_fn log_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                  int64_t bytes, const IOVector *iov)
{
    return -ENOTSUP;
}

static int coroutine_fn log_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                             int flags)
{
    LogEntry e = { .offset = offset, .bytes = bytes };
    int ret = log_check(bs);

    if (ret == 0) {
        ret = bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
    }
    return ret == 0 ? log_add(bs, &e) : ret;
}

static int coroutine_fn log_co_pdiscard(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    LogEntry e = { .offset = offset, .bytes = bytes, .flags = LOG_DISCARD };
    int ret = log_check(bs);

    if (ret == 0) {
        ret = bdrv_co_pdiscard(bs->file, offset, bytes);
    }
    return ret == 0 ? log_add(bs, &e) : ret;
}

/* The bytes have to come by here. */
static int coroutine_fn log_co_copy_range_from(BlockDriverState *bs, int64_t offset,
                                               BdrvChild *target, int64_t target_offset,
                                               int64_t bytes)
{
    return -ENOTSUP;
}

/* One that fails leaves an entry that says nothing. */
static int coroutine_fn log_co_flush(BlockDriverState *bs)
{
    LogEntry e = { .flags = LOG_FLUSH };
    int ret = log_check(bs), logged;

    if (ret == 0) {
        ret = log_reserve(bs->opaque, &e);
    }
    if (ret < 0) {
        return ret;
    }
    ret = bdrv_co_flush(bs->file);
    e.flags = ret < 0 ? 0 : LOG_FLUSH;
    logged = log_add_reserved(bs, &e);
    return ret < 0 ? ret : logged;
}

/* Not raced by requests: the node is drained. */
static bool coroutine_fn log_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                         PreallocMode prealloc, GError **error)
{
    g_autofree char *text = g_strdup_printf("truncate %" PRId64, bytes);
    LogEntry e = { .flags = LOG_MARK, .text = text };
    int ret = log_check(bs);

    if (ret == 0 && !bdrv_co_truncate(bs->file, bytes, exact, prealloc, error)) {
        return false;
    }
    if (ret == 0) {
        ret = log_add(bs, &e);
    }
    if (ret < 0) {
        cairn_set_error_errno(error, -ret, "Could not write the log");
    }
    return ret == 0;
}

/* Without them, opening it again would overwrite the log. */
static const char *const log_strong_options[] = { "log-append", "log-sector-size", NULL };

const BlockDriver bdrv_blklogwrites = {
    .format_name                = "blklogwrites",
    .instance_size              = sizeof(LogState),
    .is_filter                  = true,
    .runtime_options            = qapi_options_BlockdevOptionsBlklogwrites,
    .strong_runtime_opts        = log_strong_options,
    .bdrv_open                  = log_open,
    .bdrv_close                 = log_close,
    .bdrv_refresh_limits        = log_refresh_limits,
    .bdrv_co_preadv             = log_co_preadv,
    .bdrv_co_pwritev            = log_co_pwritev,
    .bdrv_co_pwritev_compressed = log_co_pwritev_compressed,
    .bdrv_co_pwrite_zeroes      = log_co_pwrite_zeroes,
    .bdrv_co_pdiscard           = log_co_pdiscard,
    .bdrv_co_copy_range_from    = log_co_copy_range_from,
    .bdrv_co_flush              = log_co_flush,
    .bdrv_co_truncate           = log_co_truncate,
};
