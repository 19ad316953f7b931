/* SPDX-License-Identifier: MIT */
/*
 * Another backing file's name: what it costs, what is found afterwards, what is refused; and that
 * each crash and each failed request leaves the old name or the new one, and all that was flushed.
 */
#include "crash.h"

#include <errno.h>
#include <string.h>

#include "util/cutils.h"

#define SIZE (1 << 20)

static CairnContext *ctx;

static void rebase_ok(BlockBackend *blk, const char *name, const char *format)
{
    g_autoptr(GError) error = NULL;

    blk_change_backing_file(blk, name, format, &error);
    g_assert_no_error(error);
}

static int syncs_of_rebase(BlockBackend *blk, MemDisk *d, const char *name)
{
    d->syncs = 0;
    rebase_ok(blk, name, name ? "raw" : NULL);
    return d->syncs;
}

static void write_byte(BlockBackend *blk, int64_t offset, int64_t bytes, int value)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, value, bytes);
    g_assert_cmpint(blk_pwrite(blk, offset, bytes, buf, 0), ==, 0);
}

/* What the image says, read anew: "name (format)", or "none". */
static char *names(MemDisk *d)
{
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_NO_BACKING);
    g_autoptr(QDict) info = blk_get_image_info(blk, NULL);
    const char *name = qdict_get_try_str(info, "backing-filename");
    const char *format = qdict_get_try_str(info, "backing-filename-format");
    char *text = name ? g_strdup_printf("%s (%s)", name, format ? format : "?")
                      : g_strdup("none");

    mem_close_ok(blk);
    return text;
}

static void assert_names(MemDisk *d, const char *wanted)
{
    g_autofree char *text = names(d);

    g_assert_cmpstr(text, ==, wanted);
}

/* ---- the table of crash-safety.md ---- */

static void test_syncs(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    g_assert_cmpint(syncs_of_rebase(blk, d, "a.raw"), ==, 2 + 1);       /* 1: barrier 0 */
    g_assert_cmpint(syncs_of_rebase(blk, d, NULL), ==, 1);
    write_byte(blk, 0, 65536, 1);
    g_assert_cmpint(syncs_of_rebase(blk, d, "b.raw"), ==, 3);
    write_byte(blk, 0, 512, 1);
    g_assert_cmpint(syncs_of_rebase(blk, d, NULL), ==, 2);
    mem_close_ok(blk);
    assert_names(d, "none");
}

/* ---- names ---- */

static void test_names(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree char *longest = g_strnfill(1023, 'n');
    g_autofree char *with_format = g_strconcat(longest, " (raw)", NULL);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    rebase_ok(blk, "a.raw", "raw");
    assert_names(d, "a.raw (raw)");
    g_assert_cmpuint(image_get64(d, 8) % 512, ==, 8);       /* behind the record */
    rebase_ok(blk, "b", NULL);
    assert_names(d, "b (?)");
    g_assert_cmpuint(image_get64(d, 8) % 512, ==, 0);
    rebase_ok(blk, longest, "raw");
    assert_names(d, with_format);
    rebase_ok(blk, "", NULL);
    assert_names(d, "none");
    mem_close_ok(blk);
}

/* The node tells of it at once. */
static void test_info(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    g_autoptr(QDict) info = NULL;

    rebase_ok(blk, "a.raw", "raw");
    info = blk_get_image_info(blk, NULL);
    g_assert_cmpstr(qdict_get_try_str(info, "backing-filename"), ==, "a.raw");
    g_assert_cmpstr(qdict_get_try_str(info, "backing-filename-format"), ==, "raw");
    mem_close_ok(blk);
}

/* A name that was made with the image goes as well, and nothing leaks. */
static void test_many(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree char *name = g_strnfill(1023, 'n');
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    BlockCheckResult r = { 0 };

    for (int i = 0; i < 20; i++) {
        rebase_ok(blk, name, "raw");
        write_byte(blk, i << 15, 512, i);
    }
    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    g_assert_cmpint(r.corruptions + r.leaks, ==, 0);
    mem_close_ok(blk);
}

static void refused(BlockBackend *blk, const char *name, const char *format, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_change_backing_file(blk, name, format, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
    g_assert_nonnull(strstr(error->message, message));
}

static void test_refusals(void)
{
    g_autoptr(MemDisk) d = image_new(SIZE, 12, 9);
    g_autofree uint8_t *before = g_memdup2(d->data, d->size);
    g_autofree char *name = g_strnfill(1024, 'n');
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);
    int64_t size = d->size;

    refused(blk, name, "raw", "name too long");
    refused(blk, name, NULL, "1023 bytes");
    refused(blk, "a.raw", "file", "unrecognized backing format 'file'");
    refused(blk, "a.raw", "nope", "unrecognized backing format 'nope'");
    mem_close_ok(blk);
    g_assert_cmpmem(d->data, d->size, before, size);
}

/* ---- crashes ---- */

typedef struct RebaseCase {
    const char *from, *to;      /* NULL: none */
    const char *from_text, *to_text;
    int cluster_bits, l2_bits;
} RebaseCase;

static const RebaseCase rebase_cases[] = {
    { NULL, "new.raw", "none", "new.raw (raw)", 12, 9 },
    { "old.raw", "new.raw", "old.raw (raw)", "new.raw (raw)", 9, 12 },
    { "old.raw", NULL, "old.raw (raw)", "none", 9, 6 },
};

typedef struct RebaseCrash {
    const RebaseCase *c;
    uint8_t *before, *after;
    bool is_flushed;
} RebaseCrash;

/* What is left to the backing file reads as zeros here: only the image's own layer counts. */
static uint8_t *read_own(MemDisk *d)
{
    g_autoptr(MemDisk) none = mem_disk_new(NULL, 0);
    int64_t size;
    uint8_t *buf = crash_read_clean(ctx, d, none, &size);

    g_assert_cmpint(size, ==, SIZE);
    return buf;
}

static void rebase_workload(BlockBackend *blk)
{
    write_byte(blk, 512, 4096, 50);
    write_byte(blk, SIZE / 2, 65536, 51);
    write_byte(blk, SIZE - 512, 512, 52);
}

static MemDisk *rebase_start(const RebaseCase *c)
{
    MemDisk *d = image_new(SIZE, c->cluster_bits, c->l2_bits);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR);

    write_byte(blk, 0, 65536, 1);
    write_byte(blk, SIZE - 8192, 8192, 2);
    if (c->from) {
        rebase_ok(blk, c->from, "raw");
    }
    mem_close_ok(blk);
    return d;
}

static void rebase_check_state(MemDisk *d, gpointer opaque)
{
    const RebaseCrash *r = opaque;
    g_autofree char *text = names(d);
    g_autofree uint8_t *now = read_own(d), *later = NULL;
    bool is_new = !strcmp(text, r->c->to_text);
    g_autoptr(MemDisk) none = mem_disk_new(NULL, 0);
    BlockBackend *blk;

    g_assert_true(is_new || !strcmp(text, r->c->from_text));
    for (int64_t at = 0; at < SIZE; at += 512) {
        bool as_before = !memcmp(now + at, r->before + at, 512);

        g_assert_true(!memcmp(now + at, r->after + at, 512) ||
                      (as_before && !is_new && !r->is_flushed));
    }
    blk = mem_open_ok(ctx, d, none, BLK_O_RDWR);
    write_byte(blk, 128 << 10, 65536, 60);
    memset(now + (128 << 10), 60, 65536);
    rebase_ok(blk, "later", "qcow");
    mem_close_ok(blk);
    assert_names(d, "later (qcow)");
    later = read_own(d);
    g_assert_cmpmem(later, SIZE, now, SIZE);
}

static BlockBackend *rebase_open(MemDisk *d)
{
    static MemDisk *none;

    if (!none) {
        none = mem_disk_new(NULL, 0);
    }
    if (!d) {
        g_clear_pointer(&none, mem_disk_free);
        return NULL;
    }
    return mem_open_ok(ctx, d, none, BLK_O_RDWR);
}

static void test_crashes(gconstpointer data)
{
    const RebaseCase *c = data;
    g_autoptr(MemDisk) start = rebase_start(c);
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    g_autofree uint8_t *before = read_own(start), *after = NULL;
    BlockBackend *blk;
    RebaseCrash r = { .c = c, .before = before };

    mem_disk_record(d);
    blk = rebase_open(d);
    rebase_workload(blk);
    rebase_ok(blk, c->to, c->to ? "raw" : NULL);
    mem_close_ok(blk);
    r.after = after = read_own(d);
    crash_replay(start, d->log, 16, 1, rebase_check_state, &r);
    rebase_open(NULL);
}

/* ---- failures ---- */

static bool rebase_with_fault(RebaseCrash *r, const MemDisk *start, int kind, int k)
{
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    int *counters[] = { &d->fail_read_in, &d->fail_write_in, &d->fail_sync_in,
                        &d->fail_truncate_in };
    BlockBackend *blk = rebase_open(d);
    bool ok, happened;

    rebase_workload(blk);
    *counters[kind] = k;
    ok = blk_change_backing_file(blk, r->c->to, r->c->to ? "raw" : NULL, NULL);
    happened = *counters[kind] == 0;
    *counters[kind] = 0;
    g_assert_true(ok || happened);
    r->is_flushed = ok || kind != 2;
    g_assert_true(blk_close(blk) == 0 || !r->is_flushed);
    blk_unref(blk);
    if (kind != 2) {
        assert_names(d, ok ? r->c->to_text : r->c->from_text);
    }
    rebase_check_state(d, r);
    return happened;
}

static void test_faults(gconstpointer data)
{
    const RebaseCase *c = data;
    g_autoptr(MemDisk) start = rebase_start(c);
    g_autoptr(MemDisk) d = mem_disk_copy(start);
    g_autofree uint8_t *before = read_own(start), *after = NULL;
    RebaseCrash r = { .c = c, .before = before };
    BlockBackend *blk = rebase_open(d);

    rebase_workload(blk);
    mem_close_ok(blk);
    r.after = after = read_own(d);
    for (int kind = 0; kind < 4; kind++) {
        for (int k = 1; rebase_with_fault(&r, start, kind, k); k++) {
            g_assert_cmpint(k, <, 1000);
        }
    }
    rebase_open(NULL);
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    g_test_add_func("/qcow/rebase/syncs/are-as-few-as-promised", test_syncs);
    g_test_add_func("/qcow/rebase/name-and-format/are-found-again", test_names);
    g_test_add_func("/qcow/rebase/info/tells-of-it-at-once", test_info);
    g_test_add_func("/qcow/rebase/many-times/leaks-nothing", test_many);
    g_test_add_func("/qcow/rebase/what-cannot-be/is-refused", test_refusals);
    for (size_t i = 0; i < G_N_ELEMENTS(rebase_cases); i++) {
        const RebaseCase *c = &rebase_cases[i];
        g_autofree char *crash = g_strdup_printf("/qcow/rebase/crash-at-every-step/%s-to-%s/"
                                                 "is-old-or-new", c->from ? "name" : "none",
                                                 c->to ? "name" : "none");
        g_autofree char *fault = g_strdup_printf("/qcow/rebase/each-request-fails/%s-to-%s/"
                                                 "is-old-or-new", c->from ? "name" : "none",
                                                 c->to ? "name" : "none");

        g_test_add_data_func(crash, c, test_crashes);
        g_test_add_data_func(fault, c, test_faults);
    }
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
