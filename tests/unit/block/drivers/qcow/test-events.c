/* SPDX-License-Identifier: MIT */
/* What the driver announces on its file, in the order in which it happens; a listener may wait. */
#include "mem-disk.h"

#include <string.h>

#include "util/cutils.h"

#define SIZE (8 << 20)

static CairnContext *ctx;

typedef struct Fixture {
    MemDisk *disk, *backing;
    BlockBackend *blk;
} Fixture;

static void listen(Fixture *f)
{
    f->disk->events = g_string_new(NULL);
}

/* What came since, without what the core announces itself. */
static void assert_events(Fixture *f, const char *wanted)
{
    g_auto(GStrv) lines = g_strsplit(f->disk->events->str, "\n", -1);
    g_autoptr(GString) heard = g_string_new(NULL);

    for (int i = 0; lines[i] && lines[i][0]; i++) {
        if (!g_str_has_prefix(lines[i], "pwritev") && !g_str_has_prefix(lines[i], "flush_to")) {
            g_string_append_printf(heard, "%s%s", heard->len ? " " : "", lines[i]);
        }
    }
    g_assert_cmpstr(heard->str, ==, wanted);
    g_string_truncate(f->disk->events, 0);
}

static void open_again(Fixture *f)
{
    g_string_free(g_steal_pointer(&f->disk->events), TRUE);
    mem_close_ok(f->blk);
    f->blk = mem_open_ok(ctx, f->disk, f->backing, BLK_O_RDWR | BLK_O_UNMAP);
    listen(f);
}

static void setup(Fixture *f, gconstpointer data)
{
    f->disk = image_new(SIZE, 12, 9);
    f->backing = mem_disk_new(NULL, 1 << 20);
    image_fill(f->backing, 0, 9, 1 << 20);
    f->blk = mem_open_ok(ctx, f->disk, f->backing, BLK_O_RDWR | BLK_O_UNMAP);
    f->disk->yields = GPOINTER_TO_INT(data);    /* whoever listens takes time */
    listen(f);
}

static void teardown(Fixture *f, gconstpointer data)
{
    g_string_free(g_steal_pointer(&f->disk->events), TRUE);
    mem_close_ok(f->blk);
    mem_disk_free(f->disk);
    mem_disk_free(f->backing);
}

static void write_ok(Fixture *f, int64_t offset, int64_t bytes, int flags)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    memset(buf, 'a', bytes);
    g_assert_cmpint(blk_pwrite(f->blk, offset, bytes, buf, flags), ==, 0);
}

static void read_ok(Fixture *f, int64_t offset, int64_t bytes)
{
    g_autofree uint8_t *buf = g_malloc(bytes);

    g_assert_cmpint(blk_pread(f->blk, offset, bytes, buf), ==, 0);
}

static void test_write(Fixture *f, gconstpointer data)
{
    write_ok(f, 2 << 20, 8192, 0);
    assert_events(f, "cluster_alloc write_aio");
    write_ok(f, 2 << 20, 512, 0);
    assert_events(f, "write_aio");
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    assert_events(f, "l2_alloc_write l1_update");
    write_ok(f, 3 << 20, 4096, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    assert_events(f, "cluster_alloc write_aio l2_update");
}

static void test_copy_on_write(Fixture *f, gconstpointer data)
{
    write_ok(f, 512, 512, 0);
    assert_events(f, "cow_read read_backing_aio read_backing_aio cluster_alloc write_aio");
}

static void test_read(Fixture *f, gconstpointer data)
{
    write_ok(f, 2 << 20, 8192, 0);
    open_again(f);
    read_ok(f, 2 << 20, 512);
    assert_events(f, "l2_load read_aio");
    read_ok(f, 2 << 20, 512);
    assert_events(f, "read_aio");
    read_ok(f, 0, 512);
    assert_events(f, "read_backing_aio");
    read_ok(f, 6 << 20, 512);
    assert_events(f, "");
}

static void test_compressed(Fixture *f, gconstpointer data)
{
    write_ok(f, 0, 8192, BDRV_REQ_WRITE_COMPRESSED);
    assert_events(f, "cluster_alloc_bytes write_compressed");
    read_ok(f, 0, 8192);
    assert_events(f, "read_compressed");
}

static void test_discard(Fixture *f, gconstpointer data)
{
    write_ok(f, 2 << 20, 65536, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    g_string_truncate(f->disk->events, 0);
    g_assert_cmpint(blk_pdiscard(f->blk, 2 << 20, 65536), ==, 0);
    assert_events(f, "");
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    assert_events(f, "l2_update cluster_free");
}

static void test_resize(Fixture *f, gconstpointer data)
{
    write_ok(f, 2 << 20, 4096, 0);
    g_assert_cmpint(blk_flush(f->blk), ==, 0);
    g_string_truncate(f->disk->events, 0);
    g_assert_true(blk_truncate(f->blk, SIZE * 2, PREALLOC_MODE_OFF, NULL));
    assert_events(f, "");
    g_assert_true(blk_truncate(f->blk, (int64_t)SIZE << 10, PREALLOC_MODE_OFF, NULL));
    assert_events(f, "l1_grow_alloc_table l1_grow_write_table l1_grow_activate_table "
                     "cluster_free");
}

static void test_make_empty(Fixture *f, gconstpointer data)
{
    g_assert_true(blk_make_empty(f->blk, NULL));
    assert_events(f, "empty_image_prepare");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*func)(Fixture *f, gconstpointer data);
    } cases[] = {
        { "write/allocates-then-writes", test_write },
        { "copy-on-write/reads-first", test_copy_on_write },
        { "read/loads-a-table-once", test_read },
        { "compressed/has-its-own", test_compressed },
        { "discard/frees-after-the-flush", test_discard },
        { "resize/moves-the-table", test_resize },
        { "make-empty/is-announced", test_make_empty },
    };
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = g_strconcat("/qcow/events/", cases[i].name, NULL);
        g_autofree char *slow = g_strconcat(name, "-while-the-listener-waits", NULL);

        g_test_add(name, Fixture, GINT_TO_POINTER(false), setup, cases[i].func, teardown);
        g_test_add(slow, Fixture, GINT_TO_POINTER(true), setup, cases[i].func, teardown);
    }
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
