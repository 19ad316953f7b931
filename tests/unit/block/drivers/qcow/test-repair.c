/* SPDX-License-Identifier: MIT */
/*
 * Repairs of images damaged by hand. What could be read before is read after; what could not is
 * gone; a second check is clean. Each crash and each failed request leaves an image that reads the
 * same and can be repaired.
 */
#include "crash.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define CLUSTER 4096
#define SIZE (1 << 20)          /* tables of 256 KiB: 4 */
#define TABLE 4096              /* of the first; 512 bytes long */
#define OTHER 4608              /* of the second */
#define DATA 8192               /* eight clusters of the first table */
#define MORE (DATA + 8 * CLUSTER)       /* two of the second */

static CairnContext *ctx;

static MemDisk *image_with_data(void)
{
    MemDisk *d = image_new(SIZE, 12, 6);

    image_put64(d, 48, TABLE);
    image_put64(d, 56, OTHER);
    for (int i = 0; i < 8; i++) {
        image_put64(d, TABLE + i * 8, DATA + i * CLUSTER);
        image_fill(d, DATA + i * CLUSTER, i + 1, CLUSTER);
    }
    for (int i = 0; i < 2; i++) {
        image_put64(d, OTHER + i * 8, MORE + i * CLUSTER);
        image_fill(d, MORE + i * CLUSTER, i + 20, CLUSTER);
    }
    return d;
}

/* ---- damages ---- */

static void shared_cluster(MemDisk *d)
{
    image_put64(d, TABLE + 20 * 8, DATA + 3 * CLUSTER);
    image_put64(d, OTHER + 5 * 8, DATA + 3 * CLUSTER);
}

static void partial_overlap(MemDisk *d)
{
    image_put64(d, TABLE + 20 * 8, DATA + 3 * CLUSTER + 512);
}

static void onto_table(MemDisk *d)
{
    image_put64(d, TABLE + 20 * 8, TABLE);
    image_put64(d, OTHER + 5 * 8, OTHER);
}

/* Each of two tables lies in a cluster of the other. */
static void crossed_tables(MemDisk *d)
{
    image_put64(d, TABLE + 20 * 8, OTHER);
    image_put64(d, OTHER + 5 * 8, TABLE - 3584);
}

static void onto_l1(MemDisk *d)
{
    image_put64(d, 40, 512);
    image_put64(d, 512, TABLE);
    image_put64(d, 520, OTHER);
    image_put64(d, TABLE + 20 * 8, 512);
}

static void shared_table(MemDisk *d)
{
    image_put64(d, 64, TABLE);
}

static void unaligned_table(MemDisk *d)
{
    memmove(d->data + OTHER + 4, d->data + OTHER, 512);
    image_put64(d, 56, OTHER + 4);
}

static void bad_entry(MemDisk *d)
{
    image_put64(d, TABLE + 3 * 8, DATA + 100);
}

static void past_end(MemDisk *d)
{
    image_put64(d, TABLE + 20 * 8, 1 << 30);
    image_put64(d, TABLE + 21 * 8, (uint64_t)INT64_MAX - 511);
    image_put64(d, 64, 1 << 30);
}

static void cut_cluster(MemDisk *d)
{
    image_resize(d, d->size - 512);
}

static void cut_table(MemDisk *d)
{
    image_put64(d, d->size, MORE);
    image_put64(d, 72, (uint64_t)d->size - 8);
    image_put64(d, OTHER, 0);
}

static void dead_stream(MemDisk *d)
{
    image_put64(d, TABLE + 3 * 8, (uint64_t)1 << 63);
}

static void bad_stream(MemDisk *d)
{
    image_put64(d, TABLE + 20 * 8, (uint64_t)1 << 63 | (uint64_t)100 << 51 | (uint64_t)d->size);
    image_fill(d, d->size, 0xff, 100);
}

/* A stream of 'a's, as deflate makes it, over the end of a plain cluster. */
static void stream_onto_cluster(MemDisk *d)
{
    g_autoptr(MemDisk) other = image_new(SIZE, 12, 6);
    BlockBackend *blk = mem_open_ok(ctx, other, NULL, BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc(CLUSTER);
    uint64_t entry, bytes;

    memset(buf, 'a', CLUSTER);
    g_assert_cmpint(blk_pwrite(blk, 0, CLUSTER, buf, BDRV_REQ_WRITE_COMPRESSED), ==, 0);
    mem_close_ok(blk);
    entry = image_get64(other, 4096);
    bytes = (entry & ~((uint64_t)1 << 63)) >> 51;
    memcpy(d->data + DATA + CLUSTER + 700, other->data + (entry & (((uint64_t)1 << 51) - 1)),
           bytes);
    image_put64(d, TABLE + 20 * 8,
                (uint64_t)1 << 63 | bytes << 51 | (DATA + CLUSTER + 700));
}

static void everything(MemDisk *d)
{
    shared_cluster(d);
    image_put64(d, TABLE + 22 * 8, DATA + 5 * CLUSTER + 512);
    image_put64(d, TABLE + 23 * 8, OTHER);
    image_put64(d, TABLE + 4 * 8, DATA + 100);
    image_put64(d, TABLE + 24 * 8, (uint64_t)1 << 63);
    image_put64(d, OTHER + 9 * 8, 1 << 30);
    shared_table(d);
    stream_onto_cluster(d);
    cut_cluster(d);
    for (int i = 0; i < 8; i++) {               /* where the repair will write */
        image_put64(d, OTHER + (10 + i) * 8, MORE + (2 + i) * CLUSTER);
    }
}

typedef struct Damage {
    const char *name;
    void (*make)(MemDisk *d);
    int dropped;                /* clusters that cannot be read before */
} Damage;

static const Damage damages[] = {
    { "cluster-named-three-times", shared_cluster, 0 },
    { "partial-overlap", partial_overlap, 0 },
    { "cluster-onto-its-table", onto_table, 0 },
    { "tables-in-each-others-clusters", crossed_tables, 0 },
    { "cluster-onto-the-l1-table", onto_l1, 0 },
    { "table-named-twice", shared_table, 0 },
    { "unaligned-table", unaligned_table, 0 },
    { "unaligned-entry", bad_entry, 1 },
    { "past-the-end", past_end, 0 },
    { "cluster-cut-off", cut_cluster, 0 },
    { "table-cut-off", cut_table, 0 },
    { "dead-stream", dead_stream, 1 },
    { "damaged-stream", bad_stream, 1 },
    { "stream-onto-a-cluster", stream_onto_cluster, 0 },
    { "everything", everything, 3 },            /* a bad and a dead entry, in a table named twice */
};

/* ---- reading ---- */

typedef struct Content {
    int64_t size;
    uint8_t *data;
    bool *is_lost;              /* of each sector: EIO */
} Content;

static Content content_read(MemDisk *d, int64_t size)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, 0);
    Content c = { size, g_malloc0(size), g_new0(bool, size / 512) };

    for (int64_t at = 0; at < size; at += 512) {
        c.is_lost[at / 512] = blk_pread(blk, at, 512, c.data + at) < 0;
    }
    mem_close_ok(blk);
    return c;
}

static void content_clear(Content *c)
{
    g_free(c->data);
    g_free(c->is_lost);
}

/*
 * What could be read reads the same. What could not reads as zeros, or not yet: @is_done. A cluster
 * upon the L1 table reads what the table becomes.
 */
static void content_assert_kept(const Content *before, const Content *after, bool is_done,
                                int64_t but)
{
    for (int64_t i = 0; i < before->size / 512; i++) {
        if (before->is_lost[i]) {
            g_assert_true(!is_done || !after->is_lost[i]);
            g_assert_true(cairn_buffer_is_zero(after->data + i * 512, 512));
        } else if (i * 512 / CLUSTER * CLUSTER != but) {
            g_assert_false(after->is_lost[i]);
            g_assert_cmpmem(after->data + i * 512, 512, before->data + i * 512, 512);
        }
    }
}

/* ---- repairing ---- */

static void collect(const char *message, void *opaque)
{
    g_string_append_printf(opaque, "%s\n", message);
}

/* @said: NULL: findings are not wanted. */
static bool repair(MemDisk *d, BlockCheckFix fix, BlockCheckResult *r, GString *said)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    g_autoptr(GError) error = NULL;
    bool ok;

    *r = (BlockCheckResult) { .report = said ? collect : NULL, .opaque = said };
    ok = blk_check(blk, r, fix, &error);
    g_assert_true(blk_close(blk) == 0 || !ok);
    blk_unref(blk);
    return ok;
}

#define FIX_ALL (BLOCK_CHECK_FIX_LEAKS | BLOCK_CHECK_FIX_ERRORS)

/* Returns the number of leaks. */
static int64_t assert_sound(MemDisk *d)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, 0);
    BlockCheckResult r = { 0 };

    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.check_errors, ==, 0);
    mem_close_ok(blk);
    return r.leaks;
}

static void assert_clean(MemDisk *d)
{
    g_assert_cmpint(assert_sound(d), ==, 0);
}

/* Each cluster can be written, and none of the others changes by it. */
static void assert_parted(const MemDisk *repaired)
{
    g_autoptr(MemDisk) d = mem_disk_copy(repaired);
    Content before = content_read(d, SIZE), after;
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    uint8_t buf[512];

    for (int64_t at = 0; at < SIZE; at += CLUSTER) {
        memset(buf, 100 + (int)(at / CLUSTER % 100), sizeof(buf));
        memcpy(before.data + at + 512, buf, sizeof(buf));
        g_assert_cmpint(blk_pwrite(blk, at + 512, 512, buf, 0), ==, 0);
    }
    mem_close_ok(blk);
    after = content_read(d, SIZE);
    g_assert_cmpmem(after.data, SIZE, before.data, SIZE);
    assert_sound(d);
    content_clear(&before);
    content_clear(&after);
}

static int64_t damage_exception(const Damage *damage)
{
    return damage->make == onto_l1 ? 20 * CLUSTER : -1;
}

static void test_damage(gconstpointer data)
{
    const Damage *damage = data;
    g_autoptr(MemDisk) d = image_with_data();
    g_autoptr(GString) said = g_string_new(NULL);
    Content before, after;
    BlockCheckResult r;
    int lost = 0;

    damage->make(d);
    before = content_read(d, SIZE);
    for (int i = 0; i < SIZE / 512; i++) {
        lost += before.is_lost[i];
    }
    g_assert_cmpint(lost * 512 / CLUSTER, >=, damage->dropped);
    g_assert_true(repair(d, FIX_ALL, &r, said));
    g_test_message("%s", said->str);
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.corruptions_fixed, >, 0);
    g_assert_cmpint(r.leaks, ==, 0);
    assert_clean(d);
    after = content_read(d, SIZE);
    content_assert_kept(&before, &after, true, damage_exception(damage));
    assert_parted(d);
    content_clear(&before);
    content_clear(&after);
}

/* Each thing given up has a line. */
static void test_lines(void)
{
    static const struct {
        void (*make)(MemDisk *d);
        const char *line;
    } cases[] = {
        { bad_entry, "guest offset 0x3000 (offset 0x2064) stands at an unaligned offset; it is "
                     "dropped" },
        { dead_stream, "guest offset 0x3000 (offset 0) was lost by a crash; it is dropped" },
        { bad_stream, "does not give the cluster at guest offset 0x14000; it is dropped" },
        { past_end, "guest offset 0x14000 (offset 0x40000000) leads past the end of the file; it "
                    "is dropped" },
        { cut_cluster, "leads past the end of the file; what is missing becomes zeros" },
        { shared_cluster, "overlaps something else; it is copied" },
        { unaligned_table, "L2 table 1 (offset 0x1204) stands at an unaligned offset; it is "
                           "copied" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MemDisk) d = image_with_data();
        g_autoptr(GString) said = g_string_new(NULL);
        BlockCheckResult r;

        cases[i].make(d);
        g_assert_true(repair(d, FIX_ALL, &r, said));
        g_test_message("%s", said->str);
        g_assert_nonnull(strstr(said->str, cases[i].line));
    }
}

/* A node that has written before, with what it learnt of the damage. */
static void test_in_use(void)
{
    g_autoptr(MemDisk) d = image_with_data();
    BlockBackend *blk;
    BlockCheckResult r = { 0 };
    uint8_t buf[CLUSTER];

    shared_cluster(d);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    memset(buf, 77, sizeof(buf));
    g_assert_cmpint(blk_pwrite(blk, 512 << 10, CLUSTER, buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 20 * CLUSTER, CLUSTER, buf, 0), ==, -EIO);
    g_assert_true(blk_check(blk, &r, FIX_ALL, NULL));
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 20 * CLUSTER, CLUSTER, buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 600 << 10, CLUSTER, buf, 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 3 * CLUSTER, CLUSTER, buf), ==, 0);
    g_assert_cmpint(buf[0], ==, 4);
    mem_close_ok(blk);
    assert_clean(d);
}

/* ---- leaks ---- */

static void leak_two(MemDisk *d)
{
    image_put64(d, TABLE + 2 * 8, 0);           /* inside */
    image_put64(d, OTHER + 8, 0);               /* the file's last cluster */
}

static void test_leaks(void)
{
    g_autoptr(MemDisk) d = image_with_data();
    BlockCheckResult r;

    leak_two(d);
    g_assert_true(repair(d, BLOCK_CHECK_FIX_LEAKS, &r, NULL));
    g_assert_cmpint(r.leaks_fixed, ==, 2);
    g_assert_cmpint(r.leaks, ==, 0);
    g_assert_cmpint(d->size, ==, MORE + CLUSTER);
    g_assert_true(cairn_buffer_is_zero(d->data + DATA + 2 * CLUSTER, CLUSTER));
    assert_clean(d);
    assert_parted(d);
}

/* The file is shorter now: what is mapped next in the same session goes to the new end. */
static void test_leaks_in_use(void)
{
    g_autoptr(MemDisk) d = image_with_data();
    BlockBackend *blk;
    BlockCheckResult r = { 0 };
    uint8_t buf[CLUSTER];

    leak_two(d);
    blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);
    memset(buf, 77, sizeof(buf));
    g_assert_cmpint(blk_pwrite(blk, 512 << 10, CLUSTER, buf, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(blk, 512 << 10, CLUSTER), ==, 0);
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_LEAKS, NULL));
    g_assert_cmpint(r.leaks, ==, 0);
    for (int i = 0; i < 8; i++) {
        memset(buf, i + 60, sizeof(buf));
        g_assert_cmpint(blk_pwrite(blk, (600 + i * 8) << 10, CLUSTER, buf, 0), ==, 0);
        g_assert_cmpint(blk_flush(blk), ==, 0);
        if (i % 2) {
            g_assert_cmpint(blk_pdiscard(blk, (600 + i * 8) << 10, CLUSTER), ==, 0);
        }
    }
    mem_close_ok(blk);
    assert_clean(d);
    blk = mem_open_ok(ctx, d, NULL, 0);
    for (int i = 0; i < 8; i += 2) {
        g_assert_cmpint(blk_pread(blk, (600 + i * 8) << 10, CLUSTER, buf), ==, 0);
        g_assert_cmpint(buf[0], ==, i + 60);
    }
    mem_close_ok(blk);
}

/* What looks like a leak may belong to the entry that is damaged. */
static void test_leaks_with_errors(void)
{
    g_autoptr(MemDisk) d = image_with_data();
    g_autofree uint8_t *before = NULL;
    g_autoptr(GString) said = g_string_new(NULL);
    BlockCheckResult r;
    int64_t size;

    bad_entry(d);
    before = g_memdup2(d->data, d->size);
    size = d->size;
    g_assert_true(repair(d, BLOCK_CHECK_FIX_LEAKS, &r, said));
    g_assert_cmpint(r.corruptions, ==, 1);
    g_assert_cmpint(r.leaks, ==, 1);
    g_assert_cmpint(r.leaks_fixed, ==, 0);
    g_assert_nonnull(strstr(said->str, "Leaks are left alone"));
    g_assert_cmpmem(d->data, d->size, before, size);
}

/* ---- limits ---- */

/* 192 KiB of file that name eight gigabytes: copying that would fill the host's disk. */
static void test_bomb(void)
{
    g_autoptr(MemDisk) d = image_new((int64_t)8 << 30, 16, 13);
    g_autoptr(GString) said = g_string_new(NULL);
    BlockCheckResult r;

    for (int i = 0; i < 16; i++) {
        image_put64(d, 48 + i * 8, 65536);
    }
    for (int i = 0; i < 8192; i++) {
        image_put64(d, 65536 + i * 8, 131072);
    }
    image_fill(d, 131072, 1, 65536);
    g_assert_true(repair(d, FIX_ALL, &r, said));
    g_assert_cmpint(r.corruptions, >, 0);
    g_assert_nonnull(strstr(said->str, "more is named twice than the file is long"));
    g_assert_cmpint(d->size, <, 17 << 20);
}

/* Each read of a repair fails once: nothing may be dropped because of it. */
static void test_unreadable(gconstpointer data)
{
    void (*make)(MemDisk *d) = (void (*)(MemDisk *))data;
    int fewest = 0;

    for (int k = 1; fewest == 0; k++) {
        g_autoptr(MemDisk) d = image_with_data();
        Content before, after;
        BlockCheckResult r;

        make(d);
        before = content_read(d, SIZE);
        d->fail_read_in = k + 1;                /* the first is the header's */
        repair(d, FIX_ALL, &r, NULL);
        fewest = d->fail_read_in ? k : 0;
        d->fail_read_in = 0;
        after = content_read(d, SIZE);
        content_assert_kept(&before, &after, false, -1);
        g_assert_true(repair(d, FIX_ALL, &r, NULL));
        assert_clean(d);
        content_clear(&after);
        after = content_read(d, SIZE);
        content_assert_kept(&before, &after, true, -1);
        content_clear(&before);
        content_clear(&after);
    }
    g_assert_cmpint(fewest, >, 3);
}

/* ---- crashes ---- */

typedef struct RepairCrash {
    Content before, after;
    int64_t but;
} RepairCrash;

static void repair_check_state(MemDisk *d, gpointer opaque)
{
    RepairCrash *c = opaque;
    Content now = content_read(d, SIZE), then;
    BlockCheckResult r;

    g_autoptr(GString) said = g_string_new(NULL);

    content_assert_kept(&c->before, &now, false, c->but);
    g_assert_true(repair(d, FIX_ALL, &r, said));
    g_test_message("%s", said->str);
    g_assert_cmpint(r.corruptions, ==, 0);
    assert_clean(d);
    then = content_read(d, SIZE);
    content_assert_kept(&c->after, &then, true, c->but);
    content_clear(&now);
    content_clear(&then);
}

static void test_crashes(gconstpointer data)
{
    const Damage *damage = data;
    g_autoptr(MemDisk) d = image_with_data(), start = NULL;
    RepairCrash c = { .but = damage_exception(damage) };
    BlockCheckResult r;

    damage->make(d);
    image_put64(d, TABLE + 6 * 8, 0);           /* and a leak */
    start = mem_disk_copy(d);
    c.before = content_read(start, SIZE);
    mem_disk_record(d);
    g_assert_true(repair(d, FIX_ALL, &r, NULL));
    c.after = content_read(d, SIZE);
    crash_replay(start, d->log, 12, 1, repair_check_state, &c);
    content_clear(&c.before);
    content_clear(&c.after);
}

static void test_faults(gconstpointer data)
{
    const Damage *damage = data;
    g_autoptr(MemDisk) start = image_with_data(), done = NULL;
    RepairCrash c = { .but = damage_exception(damage) };
    BlockCheckResult r;

    damage->make(start);
    done = mem_disk_copy(start);
    c.before = content_read(start, SIZE);
    g_assert_true(repair(done, FIX_ALL, &r, NULL));
    c.after = content_read(done, SIZE);
    for (int kind = 0; kind < 3; kind++) {
        for (int k = 1, happened = 1; happened; k++) {
            g_autoptr(MemDisk) d = mem_disk_copy(start);
            int *counters[] = { &d->fail_write_in, &d->fail_sync_in, &d->fail_truncate_in };

            *counters[kind] = k;
            repair(d, FIX_ALL, &r, NULL);
            happened = *counters[kind] == 0;
            *counters[kind] = 0;
            repair_check_state(d, &c);
            g_assert_cmpint(k, <, 1000);
        }
    }
    content_clear(&c.before);
    content_clear(&c.after);
}

/* ---- garbage ---- */

static MemDisk *image_of_garbage(GRand *rand)
{
    MemDisk *d = image_with_data();
    int damaged = g_rand_int_range(rand, 1, 60);

    for (int i = 0; i < damaged; i++) {
        uint64_t v = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        int64_t at = g_rand_boolean(rand) ? TABLE + g_rand_int_range(rand, 0, 128) * 8
                                          : 48 + g_rand_int_range(rand, 0, 4) * 8;

        v = g_rand_int_range(rand, 0, 4) ? v % (MORE + 3 * CLUSTER) : v;
        v = g_rand_int_range(rand, 0, 4) ? v & ~511ull : v;
        if (at >= TABLE || g_rand_int_range(rand, 0, 8) == 0) {
            image_put64(d, at, v);
        }
    }
    return d;
}

static void test_garbage(void)
{
    GRand *rand = g_rand_new_with_seed(7);

    for (int round = 0; round < 400; round++) {
        g_autoptr(MemDisk) d = image_of_garbage(rand);
        g_autoptr(GString) said = g_string_new(NULL);
        Content before = content_read(d, SIZE), after;
        BlockCheckResult r;

        g_assert_true(repair(d, FIX_ALL, &r, said));
        after = content_read(d, SIZE);
        content_assert_kept(&before, &after, r.corruptions == 0, -1);
        if (r.corruptions == 0) {
            assert_clean(d);
            assert_parted(d);
        } else {
            g_assert_nonnull(strstr(said->str, "Left alone"));
        }
        content_clear(&before);
        content_clear(&after);
    }
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
        g_autofree char *fixed = g_strdup_printf("/qcow/repair/%s/reads-the-same-and-is-clean",
                                                 damages[i].name);
        g_autofree char *crash = g_strdup_printf("/qcow/repair/crash-at-every-step/%s/"
                                                 "reads-the-same", damages[i].name);
        g_autofree char *fault = g_strdup_printf("/qcow/repair/each-request-fails/%s/"
                                                 "reads-the-same", damages[i].name);

        g_test_add_data_func(fixed, &damages[i], test_damage);
        g_test_add_data_func(crash, &damages[i], test_crashes);
        g_test_add_data_func(fault, &damages[i], test_faults);
    }
    g_test_add_func("/qcow/repair/what-is-given-up/has-a-line", test_lines);
    g_test_add_func("/qcow/repair/node-in-use/writes-again", test_in_use);
    g_test_add_func("/qcow/repair/leaks/are-punched-and-cut-off", test_leaks);
    g_test_add_func("/qcow/repair/leaks-cut-off/space-is-used-again", test_leaks_in_use);
    g_test_add_func("/qcow/repair/leaks-of-a-corrupt-image/are-left", test_leaks_with_errors);
    g_test_add_func("/qcow/repair/a-bomb/does-not-grow", test_bomb);
    g_test_add_data_func("/qcow/repair/failed-reads/drop-nothing-of-two-owners", shared_cluster,
                         test_unreadable);
    g_test_add_data_func("/qcow/repair/failed-reads/drop-nothing-of-all", everything,
                         test_unreadable);
    g_test_add_data_func("/qcow/repair/failed-reads/give-back-nothing-used", leak_two,
                         test_unreadable);
    g_test_add_func("/qcow/repair/garbage/reads-the-same-and-is-clean", test_garbage);
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
