/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

/* The disk is "d", also open in a backend of its own; its log is "l", which nobody else may use. */
typedef struct LogFixture {
    CairnContext *ctx;
    BlockBackend *disk_blk, *blk;
    BlockDriverState *log_node;
    MemState *disk, *log;
    uint8_t buf[65536];
} LogFixture;

static BlockBackend *log_side(LogFixture *f, const char *options)
{
    return mem_open_blk(f->ctx, options, BLK_O_RDWR | BLK_O_SHARE_WRITE | BLK_O_UNMAP);
}

#define LOG_OPTIONS "driver=blklogwrites,file=d,log=l"

static void log_setup_closed(LogFixture *f, gconstpointer data)
{
    BlockBackend *log_blk;

    f->ctx = mem_context();
    f->disk_blk = log_side(f, "driver=mem,node-name=d,size=1M");
    log_blk = log_side(f, "driver=mem,node-name=l,size=0");
    f->disk = mem_below(f->disk_blk);
    f->log = mem_below(log_blk);
    f->log_node = log_blk->root->bs;
    bdrv_ref(f->log_node);
    blk_unref(log_blk);
}

static void log_setup(LogFixture *f, gconstpointer options)
{
    log_setup_closed(f, NULL);
    f->blk = log_side(f, options ? options : LOG_OPTIONS);
}

static void log_teardown(LogFixture *f, gconstpointer data)
{
    g_clear_pointer(&f->blk, blk_unref);
    bdrv_unref(f->log_node);
    blk_unref(f->disk_blk);
    cairn_context_unref(f->ctx);
}

static uint64_t log_get(const LogFixture *f, int64_t offset)
{
    return le64_load(f->log->data + offset);
}

static void log_put(LogFixture *f, int64_t offset, uint64_t value)
{
    le64_store(f->log->data + offset, value);
}

static void expect_super(const LogFixture *f, uint64_t entries, uint32_t sector)
{
    g_assert_cmphex(log_get(f, 0), ==, 0x6a736677736872);
    g_assert_cmpuint(log_get(f, 8), ==, 1);
    g_assert_cmpuint(log_get(f, 16), ==, entries);
    g_assert_cmpuint(le32_load(f->log->data + 24), ==, sector);
}

static void expect_entry(const LogFixture *f, int64_t at, uint64_t sector, uint64_t sectors,
                         uint64_t flags, const char *text)
{
    g_assert_cmpuint(log_get(f, at), ==, sector);
    g_assert_cmpuint(log_get(f, at + 8), ==, sectors);
    g_assert_cmpuint(log_get(f, at + 16), ==, flags);
    g_assert_cmpuint(log_get(f, at + 24), ==, strlen(text));
    g_assert_cmpmem(f->log->data + at + 32, strlen(text), text, strlen(text));
}

/* ---- what stands in it ---------------------------------------------------------------- */

static void test_entries(LogFixture *f, gconstpointer data)
{
    uint8_t zeroes[4096] = { 0 };

    mem_fill(f->buf, sizeof(f->buf), 1);
    g_assert_cmpint(blk_pwrite(f->blk, 1024, 1024, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f->blk, 8192, 4096, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(f->blk, 4096, 2048), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    expect_super(f, 4, 512);
    expect_entry(f, 512, 2, 2, 0, "");
    g_assert_cmpmem(f->log->data + 1024, 1024, f->buf, 1024);
    expect_entry(f, 2048, 16, 8, 0, "");
    g_assert_cmpmem(f->log->data + 2560, 4096, zeroes, 4096);
    expect_entry(f, 6656, 8, 4, 4, "");
    expect_entry(f, 7168, 0, 0, 1, "");
    g_assert_cmpint(f->log->length, ==, 7680);
    g_assert_cmpmem(f->disk->data + 1024, 1024, f->buf, 1024);
    g_assert_cmpint(f->disk->zeroes, ==, 1);
    g_assert_cmpint(f->disk->discards, ==, 1);
    g_assert_cmpint(f->disk->flushes, ==, 1);
}

static void test_reads(LogFixture *f, gconstpointer data)
{
    mem_fill(f->disk->data, 4096, 5);
    g_assert_cmpint(blk_pread(f->blk, 700, 2000, f->buf), ==, 0);
    g_assert_cmpmem(f->buf, 2000, f->disk->data + 700, 2000);
    g_assert_cmpint(f->log->length, ==, 0);
}

static void test_part_of_a_sector(LogFixture *f, gconstpointer data)
{
    memset(f->buf, 1, 3);
    g_assert_cmpint(blk_pwrite(f->blk, 700, 3, f->buf, 0), ==, 0);
    expect_entry(f, 512, 1, 1, 0, "");
    g_assert_cmpmem(f->log->data + 1024, 512, f->disk->data + 512, 512);
    g_assert_cmpint(f->log->data[1024 + 188], ==, 1);
}

static void test_fua(LogFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, BDRV_REQ_FUA), ==, 0);
    expect_super(f, 2, 512);
    expect_entry(f, 512, 0, 1, 0, "");
    expect_entry(f, 1536, 0, 0, 1, "");
}

static void test_truncate(LogFixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(blk_truncate(f->blk, 2 * MiB, PREALLOC_MODE_OFF, &error));
    g_assert_cmpint(f->disk->length, ==, 2 * MiB);
    expect_entry(f, 512, 0, 0, 8, "truncate 2097152");
    g_assert_cmpint(f->log->length, ==, 1024);
}

static void test_sector_size(LogFixture *f, gconstpointer data)
{
    memset(f->buf, 7, 512);
    g_assert_cmpint(blk_pwrite(f->blk, 4096 + 512, 512, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    expect_super(f, 2, 4096);
    expect_entry(f, 4096, 1, 1, 0, "");
    g_assert_cmpmem(f->log->data + 8192, 4096, f->disk->data + 4096, 4096);
    expect_entry(f, 12288, 0, 0, 1, "");
}

static void test_interval(LogFixture *f, gconstpointer data)
{
    for (uint64_t i = 1; i <= 7; i++) {
        g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
        expect_super(f, i / 3 * 3, 512);
    }
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    expect_super(f, 9, 512);
}

/* ---- order ------------------------------------------------------------------------------ */

typedef struct LogRace {
    BlockBackend *blk;
    MemState *disk;
    uint8_t *buf;
    int running;
} LogRace;

static void coroutine_fn race_flush(void *opaque)
{
    LogRace *race = opaque;

    g_assert_cmpint(blk_co_flush(race->blk), ==, 0);
    race->running--;
}

/* Begins after the flush, and ends before it. */
static void coroutine_fn race_write(void *opaque)
{
    LogRace *race = opaque;

    g_atomic_int_set(&race->disk->yields, 0);
    g_assert_cmpint(blk_co_pwrite(race->blk, 4096, 512, race->buf, 0), ==, 0);
    race->running--;
}

static void test_flush_race(LogFixture *f, gconstpointer data)
{
    LogRace race = { .blk = f->blk, .disk = f->disk, .buf = f->buf, .running = 2 };

    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
    g_atomic_int_set(&f->disk->yields, 20);
    coroutine_enter(coroutine_create(race_flush, &race));
    coroutine_enter(coroutine_create(race_write, &race));
    while (race.running) {
        aio_context_poll(aio_context_ensure(), true);
    }
    expect_entry(f, 512, 0, 1, 0, "");
    expect_entry(f, 1536, 0, 0, 1, "");
    expect_entry(f, 2048, 8, 1, 0, "");
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    expect_super(f, 4, 512);
}

/* ---- failures ---------------------------------------------------------------------------- */

static void test_disk_fails(LogFixture *f, gconstpointer data)
{
    f->disk->fail = ENOSPC;
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, -ENOSPC);
    f->disk->fail = 0;
    g_assert_cmpint(blk_pwrite(f->blk, 512, 512, f->buf, 0), ==, 0);
    f->disk->fail = EIO;
    g_assert_cmpint(blk_flush(f->blk), ==, -EIO);
    f->disk->fail = 0;
    expect_entry(f, 512, 1, 1, 0, "");
    expect_entry(f, 1536, 0, 0, 0, "");             /* of the flush that was none */
}

static void test_log_fails(LogFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    f->log->fail = ENOSPC;
    g_assert_cmpint(blk_pwrite(f->blk, 512, 512, f->buf, 0), ==, -ENOSPC);
    f->log->fail = 0;
    f->disk->writes = 0;
    g_assert_cmpint(blk_pwrite(f->blk, 1024, 512, f->buf, 0), ==, -ENOSPC);
    g_assert_cmpint(blk_pwrite_zeroes(f->blk, 1024, 512, 0), ==, -ENOSPC);
    g_assert_cmpint(blk_pdiscard(f->blk, 1024, 512), ==, -ENOSPC);
    g_assert_cmpint(blk_flush(f->blk), ==, -ENOSPC);
    g_assert_cmpint(f->disk->writes, ==, 0);
    g_assert_cmpint(blk_pread(f->blk, 0, 512, f->buf), ==, 0);
    expect_super(f, 2, 512);
}

static void test_compressed(LogFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 65536, f->buf, BDRV_REQ_WRITE_COMPRESSED), ==,
                    -ENOTSUP);
    g_assert_cmpint(f->log->length, ==, 0);
}

/* ---- another session ----------------------------------------------------------------------- */

static void log_reopen(LogFixture *f, const char *options)
{
    g_clear_pointer(&f->blk, blk_unref);
    f->blk = log_side(f, options);
}

static void test_append(LogFixture *f, gconstpointer data)
{
    log_reopen(f, LOG_OPTIONS ",log-append=on");    /* an empty log */
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(f->blk, 0, 4096), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    log_reopen(f, LOG_OPTIONS ",log-append=on");
    expect_super(f, 3, 512);
    g_assert_cmpint(blk_pwrite(f->blk, 512, 512, f->buf, 0), ==, 0);
    expect_entry(f, 2560, 1, 1, 0, "");
    expect_super(f, 3, 512);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    expect_super(f, 5, 512);
}

static void test_anew(LogFixture *f, gconstpointer data)
{
    g_assert_cmpint(blk_pwrite(f->blk, 0, 512, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    log_reopen(f, LOG_OPTIONS);
    expect_super(f, 2, 512);
    g_assert_cmpint(blk_pwrite(f->blk, 1024, 1024, f->buf, 0), ==, 0);
    expect_super(f, 0, 512);            /* what the old one counted is overwritten */
    expect_entry(f, 512, 2, 2, 0, "");
}

static void test_read_only(LogFixture *f, gconstpointer data)
{
    f->blk = mem_open_blk(f->ctx, LOG_OPTIONS, BLK_O_SHARE_WRITE);
    g_assert_cmpint(blk_pread(f->blk, 0, 512, f->buf), ==, 0);
    g_assert_cmpint(f->log->length, ==, 0);
}

static void log_refuse(LogFixture *f, const char *options, const char *message)
{
    g_autoptr(QDict) dict = qdict_from_keyval(options, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open_qdict(f->ctx, NULL, dict, BLK_O_RDWR | BLK_O_SHARE_WRITE, &error));
    g_assert_cmpstr(error->message, ==, message);
}

static void test_bad_options(LogFixture *f, gconstpointer data)
{
    log_refuse(f, "driver=blklogwrites", "A block device must be specified for \"file\"");
    log_refuse(f, "driver=blklogwrites,file=d", "A block device must be specified for \"log\"");
    log_refuse(f, LOG_OPTIONS ",log-sector-size=256", "Invalid log sector size 256");
    log_refuse(f, LOG_OPTIONS ",log-sector-size=513", "Invalid log sector size 513");
    log_refuse(f, LOG_OPTIONS ",log-sector-size=16M", "Invalid log sector size 16777216");
    log_refuse(f, LOG_OPTIONS ",log-super-update-interval=0",
               "Invalid log superblock update interval 0");
    log_refuse(f, LOG_OPTIONS ",log-append=on,log-sector-size=512",
               "log-append and log-sector-size are mutually exclusive");
}

/* A log that cannot be gone on with: one field of a good one is changed at a time. */
static void test_bad_logs(LogFixture *f, gconstpointer data)
{
    static const struct { int64_t at; uint64_t good, bad; const char *message; } cases[] = {
        { 0, 0x6a736677736872, 1, "Invalid log superblock magic" },
        { 8, 1, 2, "Unsupported log version 2" },
        { 24, 512, 256, "Invalid log sector size 256" },
        { 16, 2, 3, "The log ends before entry 2" },
        { 16, 2, UINT64_MAX, "The log ends before entry 2" },
        { 520, 2, 4, "The log ends in entry 0" },
        { 520, 2, UINT64_MAX, "The log ends in entry 0" },
        { 528, 0, 32, "Invalid flags 0x20 in log entry 0" },
    };

    g_assert_cmpint(blk_pwrite(f->blk, 0, 1024, f->buf, 0), ==, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    g_clear_pointer(&f->blk, blk_unref);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpuint(log_get(f, cases[i].at), ==, cases[i].good);
        log_put(f, cases[i].at, cases[i].bad);
        log_refuse(f, LOG_OPTIONS ",log-append=on", cases[i].message);
        log_put(f, cases[i].at, cases[i].good);
    }
    log_reopen(f, LOG_OPTIONS ",log-append=on");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD_WITH(path, options, func) \
    g_test_add(path, LogFixture, options, log_setup, func, log_teardown)
#define ADD(path, func) ADD_WITH(path, NULL, func)
#define ADD_CLOSED(path, func) \
    g_test_add(path, LogFixture, NULL, log_setup_closed, func, log_teardown)
    ADD("/blklogwrites/entry/says-what-was-done", test_entries);
    ADD("/blklogwrites/read/leaves-none", test_reads);
    ADD("/blklogwrites/write/of-a-part-logs-the-whole-sector", test_part_of_a_sector);
    ADD("/blklogwrites/fua/is-a-write-and-a-flush", test_fua);
    ADD("/blklogwrites/truncate/is-a-mark", test_truncate);
    ADD_WITH("/blklogwrites/sector-size/is-the-unit-of-requests",
             LOG_OPTIONS ",log-sector-size=4k", test_sector_size);
    ADD_WITH("/blklogwrites/super/is-written-each-interval",
             LOG_OPTIONS ",log-super-update-interval=3", test_interval);
    ADD("/blklogwrites/flush/stands-before-what-it-may-have-missed", test_flush_race);
    ADD("/blklogwrites/failure/of-the-disk-is-not-logged", test_disk_fails);
    ADD("/blklogwrites/failure/of-the-log-ends-writing", test_log_fails);
    ADD("/blklogwrites/compressed/is-refused", test_compressed);
    ADD("/blklogwrites/append/goes-on-where-it-ends", test_append);
    ADD("/blklogwrites/append/bad-logs-are-refused", test_bad_logs);
    ADD("/blklogwrites/anew/forgets-the-old-one", test_anew);
    ADD_CLOSED("/blklogwrites/read-only/writes-no-log", test_read_only);
    ADD_CLOSED("/blklogwrites/option/bad-ones-are-refused", test_bad_options);
    return g_test_run();
}
