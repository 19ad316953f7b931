/* SPDX-License-Identifier: MIT */
/*
 * Compacting: the new file holds the same image, in order and without gaps; what is wrong is found
 * before the new file is touched; and until its header lands it is no image.
 */
#include "crash.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "block/block-int.h"
#include "block/drivers.h"
#include "util/cutils.h"

#define SIZE ((int64_t)16 << 20)

static CairnContext *ctx;
static char *dir;

static char *path_of(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static BlockBackend *open_image(const char *name, const char *more, int flags)
{
    g_autofree char *path = path_of(name);
    g_autoptr(QDict) opts = more ? qdict_from_keyval(more, NULL, NULL) : qdict_new();
    g_autoptr(GError) error = NULL;
    BlockBackend *blk;

    qdict_put_str(opts, "driver", "qcow");
    blk = blk_open_qdict(ctx, path, opts, flags, &error);
    g_assert_no_error(error);
    return blk;
}

static void create(const char *name, const char *format, const char *options)
{
    g_autofree char *path = path_of(name);
    g_autoptr(QDict) opts = options ? qdict_from_keyval(options, NULL, NULL) : qdict_new();
    g_autoptr(GError) error = NULL;

    blk_create(ctx, path, format, opts, SIZE, &error);
    g_assert_no_error(error);
}

static void fill(uint8_t *buf, int64_t bytes, guint32 seed, bool is_text)
{
    GRand *rand = g_rand_new_with_seed(seed);

    for (int64_t i = 0; i < bytes; i++) {
        buf[i] = is_text ? (uint8_t)("lorem ipsum"[i % 11] + i / 4096 % 7)
                         : (uint8_t)g_rand_int(rand);
    }
    g_rand_free(rand);
}

/* Clusters all over the disk, rewritten, some of them given away, out of order. */
static void write_much(BlockBackend *blk, bool compresses)
{
    GRand *rand = g_rand_new_with_seed(5);
    int64_t unit = blk_get_cluster_size(blk);

    for (int i = 0; i < 120; i++) {
        int64_t at = g_rand_int_range(rand, 0, (gint32)(SIZE / unit)) * unit;
        int64_t bytes = g_rand_int_range(rand, 1, 20) * unit;
        g_autofree uint8_t *buf = g_malloc(bytes);

        bytes = MIN(bytes, SIZE - at);
        fill(buf, bytes, (guint32)i, i % 2);
        if (i % 7 == 6) {
            g_assert_cmpint(blk_pdiscard(blk, at, bytes), ==, 0);
        } else {
            g_assert_cmpint(blk_pwrite(blk, at, bytes, buf, compresses && i % 2
                                       ? BDRV_REQ_WRITE_COMPRESSED : 0), ==, 0);
        }
        if (i % 20 == 0) {
            g_assert_cmpint(blk_flush(blk), ==, 0);
        }
    }
    g_rand_free(rand);
}

static void compact_ok(BlockBackend *blk, const char *name)
{
    g_autofree char *path = path_of(name);
    g_autoptr(GError) error = NULL;

    blk_compact(blk, path, NULL, &error);
    g_assert_no_error(error);
}

static void compact_fails(BlockBackend *blk, const char *name, int err, const char *message)
{
    g_autofree char *path = path_of(name);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_compact(blk, path, NULL, &error));
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, message));
}

static void assert_same(const char *a, const char *b, const char *more)
{
    g_autoptr(BlockBackend) x = open_image(a, more, 0), y = open_image(b, more, 0);
    g_autofree uint8_t *left = g_malloc(SIZE), *right = g_malloc(SIZE);

    g_assert_cmpint(blk_getlength(y), ==, blk_getlength(x));
    g_assert_cmpint(blk_get_cluster_size(y), ==, blk_get_cluster_size(x));
    g_assert_cmpint(blk_pread(x, 0, SIZE, left), ==, 0);
    g_assert_cmpint(blk_pread(y, 0, SIZE, right), ==, 0);
    g_assert_cmpmem(left, SIZE, right, SIZE);
}

static BlockCheckResult check(const char *name)
{
    g_autoptr(BlockBackend) blk = open_image(name, NULL, BLK_O_NO_IO | BLK_O_NO_BACKING);
    BlockCheckResult r = { 0 };

    g_assert_true(blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, NULL));
    return r;
}

static int64_t length_of(const char *name)
{
    g_autofree char *path = path_of(name);
    GStatBuf st;

    g_assert_cmpint(g_stat(path, &st), ==, 0);
    return st.st_size;
}

/* ---- what comes out ---- */

static const char *const geometries[] = {
    "cluster_size=512", "cluster_size=4k", "cluster_size=64k",
};

/* No leak, no hole, no cluster out of order; exactly as long as measured. */
static void test_plain(gconstpointer data)
{
    g_autoptr(QDict) opts = qdict_from_keyval(data, NULL, NULL);
    BlockMeasure m;
    BlockCheckResult r;

    create("old", "qcow", data);
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_RDWR | BLK_O_UNMAP);
    write_much(blk, false);
    compact_ok(blk, "new");                 /* with what is pending */
    r = check("new");
    g_assert_cmpint(r.corruptions + r.leaks + r.check_errors + r.fragmented_clusters, ==, 0);
    g_assert_cmpint(length_of("new"), <, length_of("old"));
    g_assert_true(blk_measure(ctx, "qcow", opts, blk, -1, &m, NULL));
    g_assert_cmpint(length_of("new"), <=, m.required);
    g_assert_cmpint(length_of("new"), >, m.required - 65536);
    g_assert_cmpint(blk_close(blk), ==, 0);
    assert_same("old", "new", NULL);
}

static void test_compressed(gconstpointer data)
{
    BlockCheckResult before, after;

    create("old", "qcow", data);
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_RDWR | BLK_O_UNMAP);
    write_much(blk, true);
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
    blk = open_image("old", NULL, BLK_O_NO_IO | BLK_O_NO_BACKING);
    compact_ok(blk, "new");
    before = check("old");
    after = check("new");
    g_assert_cmpint(after.corruptions + after.leaks + after.check_errors, ==, 0);
    g_assert_cmpint(after.compressed_clusters, ==, before.compressed_clusters);
    g_assert_cmpint(after.allocated_clusters, ==, before.allocated_clusters);
    g_assert_cmpint(length_of("new"), <, length_of("old"));
    assert_same("old", "new", NULL);
    compact_ok(blk, "old2");                /* of what is compact: the same bytes again */
    blk_unref(g_steal_pointer(&blk));
    blk = open_image("new", NULL, BLK_O_NO_IO);
    compact_ok(blk, "again");
    {
        g_autofree char *new_path = path_of("new"), *again_path = path_of("again");
        g_autofree char *new = NULL, *again = NULL;
        gsize new_bytes, again_bytes;

        g_assert_true(g_file_get_contents(new_path, &new, &new_bytes, NULL));
        g_assert_true(g_file_get_contents(again_path, &again, &again_bytes, NULL));
        g_assert_cmpmem(new, new_bytes, again, again_bytes);
    }
}

/* Nobody has the key. */
static void test_encrypted(void)
{
    static const char key[] = "encrypt.key-secret=key";

    create("old", "qcow", "encrypt.format=aes,encrypt.key-secret=key");
    g_autoptr(BlockBackend) blk = open_image("old", key, BLK_O_RDWR | BLK_O_UNMAP);
    write_much(blk, false);
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
    blk = open_image("old", NULL, BLK_O_NO_IO | BLK_O_NO_BACKING);
    compact_ok(blk, "new");
    assert_same("old", "new", key);
}

static void test_backing(void)
{
    g_autoptr(QDict) info = NULL;

    create("base", "raw", NULL);
    create("old", "qcow", "backing_file=base,backing_fmt=raw");
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_RDWR);
    write_much(blk, true);
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
    {
        g_autofree char *base = path_of("base");
        g_autofree char *data = g_malloc(SIZE);

        memset(data, 'b', SIZE);
        g_assert_true(g_file_set_contents(base, data, SIZE, NULL));
    }
    blk = open_image("old", NULL, BLK_O_NO_IO | BLK_O_NO_BACKING);
    compact_ok(blk, "new");
    assert_same("old", "new", NULL);
    blk_unref(blk);
    blk = open_image("new", NULL, BLK_O_NO_IO | BLK_O_NO_BACKING);
    info = blk_get_image_info(blk, NULL);
    g_assert_cmpstr(qdict_get_try_str(info, "backing-filename"), ==, "base");
    g_assert_cmpstr(qdict_get_try_str(info, "backing-filename-format"), ==, "raw");
}

static void test_empty(void)
{
    create("old", "qcow", NULL);
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_NO_IO);

    compact_ok(blk, "new");
    g_assert_cmpint(length_of("new"), ==, length_of("old"));
    assert_same("old", "new", NULL);
}

/* ---- refusals ---- */

static void set_text(const char *name, const char *text)
{
    g_autofree char *path = path_of(name);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void assert_text(const char *name, const char *text)
{
    g_autofree char *path = path_of(name), *now = NULL;

    g_assert_true(g_file_get_contents(path, &now, NULL, NULL));
    g_assert_cmpstr(now, ==, text);
}

static void test_corrupt(void)
{
    g_autofree char *path = path_of("old");
    g_autofree char *data = NULL;
    gsize bytes;
    uint64_t table;

    create("old", "qcow", NULL);
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_RDWR);
    write_much(blk, false);
    g_assert_cmpint(blk_close(blk), ==, 0);
    blk_unref(blk);
    g_assert_true(g_file_get_contents(path, &data, &bytes, NULL));
    table = be64_load(data + 48);
    be64_store(data + table, be64_load(data + table + 511 * 8) + 100);
    g_assert_true(g_file_set_contents(path, data, (gssize)bytes, NULL));
    set_text("new", "precious");
    blk = open_image("old", NULL, BLK_O_NO_IO);
    compact_fails(blk, "new", EUCLEAN, "has errors");
    assert_text("new", "precious");
}

static void test_onto_itself(void)
{
    g_autofree char *link = path_of("link"), *old = path_of("old");
    int64_t length;

    create("base", "raw", NULL);
    create("old", "qcow", "backing_file=base,backing_fmt=raw");
    length = length_of("old");
    g_assert_cmpint(symlink(old, link), ==, 0);
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_NO_IO | BLK_O_NO_BACKING);

    compact_fails(blk, "old", EINVAL, "is part of");
    compact_fails(blk, "link", EINVAL, "is part of");
    compact_fails(blk, "base", EINVAL, "is part of");
    g_assert_cmpint(length_of("old"), ==, length);
    g_assert_cmpint(length_of("base"), ==, SIZE);
    g_unlink(link);
}

static void test_raw(void)
{
    g_autofree char *path = path_of("base");
    g_autoptr(QDict) opts = qdict_new();

    create("base", "raw", NULL);
    qdict_put_str(opts, "driver", "raw");
    g_autoptr(BlockBackend) blk = blk_open_qdict(ctx, path, opts, 0, NULL);

    compact_fails(blk, "new", ENOTSUP, "cannot be compacted");
}

/* ---- progress ---- */

typedef struct Progress {
    int calls, stop_after;
    int64_t done, total;
} Progress;

static bool on_progress(int64_t done, int64_t total, void *opaque)
{
    Progress *p = opaque;

    g_assert_cmpint(done, >=, p->done);
    g_assert_cmpint(done, <=, total);
    p->done = done;
    p->total = total;
    return ++p->calls != p->stop_after;
}

static void test_progress(void)
{
    g_autofree char *path = path_of("new");
    g_autoptr(GError) error = NULL;
    Progress p = { 0 };
    BlockCompactProgress progress = { on_progress, &p };

    create("old", "qcow", NULL);
    g_autoptr(BlockBackend) blk = open_image("old", NULL, BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc(SIZE);

    fill(buf, SIZE, 1, false);
    g_assert_cmpint(blk_pwrite(blk, 0, SIZE, buf, 0), ==, 0);
    g_assert_true(blk_compact(blk, path, &progress, &error));
    g_assert_cmpint(p.calls, >, 5);
    g_assert_cmpint(p.done, ==, SIZE);
    g_assert_cmpint(p.total, ==, SIZE);
    p = (Progress) { .stop_after = 3 };
    g_assert_false(blk_compact(blk, path, &progress, &error));
    g_assert_error(error, CAIRN_ERROR, ECANCELED);
    g_assert_cmpint(p.calls, ==, 3);
    g_assert_cmpint(length_of("new"), ==, 0);
}

/* ---- crashes and failures ---- */

typedef struct CompactCall {
    BlockBackend *from, *to;
    bool ok;
} CompactCall;

static void coroutine_fn compact_entry(void *opaque)
{
    CompactCall *c = opaque;

    c->ok = bdrv_qcow.bdrv_co_compact(c->from->root->bs, c->to, NULL, NULL);
}

/* The driver's part alone, onto a disk that records. */
static bool compact_onto(MemDisk *from, MemDisk *to)
{
    g_autofree char *options = g_strdup_printf("driver=mem-disk,disk=%s", to->id);
    g_autoptr(GError) error = NULL;
    CompactCall c = {
        .from = mem_open_ok(ctx, from, NULL, BLK_O_NO_IO),
        .to = blk_open_opts(ctx, options, BLK_O_RDWR | BLK_O_RESIZE, &error),
    };

    g_assert_no_error(error);
    c.to->grows = true;
    bdrv_run_co(compact_entry, &c);
    mem_close_ok(c.from);
    g_assert_true(blk_close(c.to) == 0 || !c.ok);
    blk_unref(c.to);
    return c.ok;
}

static MemDisk *disk_with_much(void)
{
    MemDisk *d = image_new(SIZE, 12, 9);
    BlockBackend *blk = mem_open_ok(ctx, d, NULL, BLK_O_RDWR | BLK_O_UNMAP);

    write_much(blk, true);
    mem_close_ok(blk);
    return d;
}

static void assert_nothing_or_all(MemDisk *d, gpointer opaque)
{
    const uint8_t *content = opaque;
    g_autofree uint8_t *now = NULL;
    int64_t size;

    if (d->size < 48 || memcmp(d->data, "QFI\xfb", 4)) {
        return;
    }
    now = crash_read_clean(ctx, d, NULL, &size);
    g_assert_cmpmem(now, size, content, SIZE);
}

static void test_crashes(void)
{
    g_autoptr(MemDisk) from = disk_with_much(), to = mem_disk_new(NULL, 0);
    g_autoptr(MemDisk) nothing = mem_disk_new(NULL, 0);
    int64_t size;
    g_autofree uint8_t *content = crash_read_clean(ctx, from, NULL, &size);

    mem_disk_record(to);
    g_assert_true(compact_onto(from, to));
    g_assert_cmpmem(to->data, 4, "QFI\xfb", 4);
    crash_replay(nothing, to->log, 8, 1, assert_nothing_or_all, content);
}

static void test_faults(void)
{
    g_autoptr(MemDisk) from = disk_with_much();
    int64_t size;
    g_autofree uint8_t *content = crash_read_clean(ctx, from, NULL, &size);

    for (int kind = 0; kind < 3; kind++) {
        for (int k = 1, happened = 1; happened; k++) {
            g_autoptr(MemDisk) to = mem_disk_new(NULL, 0);
            int *in = kind == 0 ? &from->fail_read_in
                    : kind == 1 ? &to->fail_write_in : &to->fail_sync_in;
            bool ok;

            *in = k + (kind == 0);      /* the first read is of the header, to open it */
            ok = compact_onto(from, to);
            happened = *in == 0;
            *in = 0;
            g_assert_cmpint(ok, ==, !happened);
            assert_nothing_or_all(to, content);
            g_assert_cmpint(k, <, 10000);
        }
    }
}

int main(int argc, char **argv)
{
    static const char *const files[] = { "old", "new", "old2", "again", "base" };
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    cairn_secret_add_bytes(ctx, "key", "cairn", 5, NULL);
    dir = g_dir_make_tmp("cairn-compact-XXXXXX", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(geometries); i++) {
        g_autofree char *plain = g_strdup_printf("/qcow/compact/plain/%s/is-in-order",
                                                 geometries[i]);
        g_autofree char *packed = g_strdup_printf("/qcow/compact/compressed/%s/is-packed",
                                                  geometries[i]);

        g_test_add_data_func(plain, geometries[i], test_plain);
        g_test_add_data_func(packed, geometries[i], test_compressed);
    }
    g_test_add_func("/qcow/compact/encrypted/needs-no-key", test_encrypted);
    g_test_add_func("/qcow/compact/backing/keeps-its-name", test_backing);
    g_test_add_func("/qcow/compact/empty/stays-empty", test_empty);
    g_test_add_func("/qcow/compact/corrupt/is-refused", test_corrupt);
    g_test_add_func("/qcow/compact/onto-its-own-files/is-refused", test_onto_itself);
    g_test_add_func("/qcow/compact/raw/is-refused", test_raw);
    g_test_add_func("/qcow/compact/progress/is-told-and-cancels", test_progress);
    g_test_add_func("/qcow/compact/crash-at-every-step/is-nothing-or-all", test_crashes);
    g_test_add_func("/qcow/compact/each-request-fails/is-nothing-or-all", test_faults);
    ret = g_test_run();
    cairn_context_unref(ctx);
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = path_of(files[i]);

        g_unlink(path);
    }
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
