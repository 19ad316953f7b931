/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define DBG "driver=blkdebug,image.driver=mem,image.size=1M"
#define DBG_NONE DBG ",inject-error.0.event=none"

/* ---- names ---------------------------------------------------------------------- */

typedef struct DbgFolder {
    char *dir, *image, *config;
    CairnContext *ctx;
} DbgFolder;

static void folder_setup(DbgFolder *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("cairn-blkdebug-XXXXXX", NULL);
    g_assert_nonnull(f->dir);
    f->image = g_build_filename(f->dir, "i.raw", NULL);
    f->config = g_build_filename(f->dir, "c.cfg", NULL);
    g_assert_true(g_file_set_contents(f->image, "0123456789", 10, NULL));
    g_assert_true(g_file_set_contents(f->config, "[inject-error]\nevent = \"none\"\n"
                                      "iotype = \"write\"\nonce = \"on\"\nerrno = \"28\"\n",
                                      -1, NULL));
    f->ctx = cairn_context_new();
}

static void folder_teardown(DbgFolder *f, gconstpointer data)
{
    cairn_context_unref(f->ctx);
    g_unlink(f->image);
    g_unlink(f->config);
    g_assert_cmpint(g_rmdir(f->dir), ==, 0);
    g_free(f->image);
    g_free(f->config);
    g_free(f->dir);
}

/* %i, %c in @format: the paths of the image and the config. */
static char *folder_text(const DbgFolder *f, const char *format)
{
    GString *text = g_string_new(format);

    g_string_replace(text, "%i", f->image, 0);
    g_string_replace(text, "%c", f->config, 0);
    return g_string_free(text, FALSE);
}

static void expect_name(DbgFolder *f, const char *name, const char *options, const char *wanted)
{
    g_autofree char *text = folder_text(f, name ? name : options);
    g_autofree char *expanded = folder_text(f, wanted);
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = name ? blk_open(f->ctx, text, BLK_O_PROBE, &error)
                                       : blk_open_opts(f->ctx, text, 0, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(blk_get_filename(blk), ==, expanded);
}

static void test_names(DbgFolder *f, gconstpointer data)
{
    expect_name(f, "blkdebug::%i", NULL, "blkdebug::%i");
    expect_name(f, "blkdebug:%c:%i", NULL, "blkdebug:%c:%i");
    expect_name(f, "blkdebug::file:%i", NULL, "blkdebug::%i");
    expect_name(f, "blkdebug::null-co://", NULL, "blkdebug::null-co://");
    expect_name(f, "blkdebug::blkdebug:%c:%i", NULL, "blkdebug::blkdebug:%c:%i");
    expect_name(f, NULL, "driver=blkdebug,x-image=%i", "blkdebug::%i");
    expect_name(f, NULL, "driver=blkdebug,image.filename=%i,config=%c", "blkdebug:%c:%i");
    expect_name(f, NULL, "driver=raw,file.driver=blkdebug,file.image.filename=%i",
                "blkdebug::%i");
}

/* What a name cannot say stands in json:. */
static void test_json_names(DbgFolder *f, gconstpointer data)
{
    expect_name(f, NULL, "driver=blkdebug,x-image=%i,align=512",
                "json:{\"driver\": \"blkdebug\", \"align\": \"512\", \"image\": "
                "{\"driver\": \"file\", \"filename\": \"%i\"}}");
    expect_name(f, NULL, "driver=blkdebug,x-image=%i,inject-error.0.event=none",
                "json:{\"driver\": \"blkdebug\", \"inject-error.0.event\": \"none\", \"image\": "
                "{\"driver\": \"file\", \"filename\": \"%i\"}}");
    expect_name(f, NULL, "driver=blkdebug,image.driver=raw,image.file.filename=%i",
                "json:{\"driver\": \"blkdebug\", \"image\": {\"driver\": \"raw\", \"file\": "
                "{\"driver\": \"file\", \"filename\": \"%i\"}}}");
}

static void expect_refusal(CairnContext *ctx, const char *text, int flags, const char *message)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = strchr(text, '=') && !g_str_has_prefix(text, "json:")
        ? blk_open_opts(ctx, text, flags, &error)
        : blk_open(ctx, text, flags | BLK_O_PROBE, &error);

    g_assert_null(blk);
    g_assert_nonnull(error);
    if (!g_str_has_prefix(error->message, message)) {
        g_assert_cmpstr(error->message, ==, message);
    }
}

static void test_bad_names(DbgFolder *f, gconstpointer data)
{
    static const char *const both = "blkdebug requires both config file and image path";

    expect_refusal(f->ctx, "blkdebug:", 0, both);
    expect_refusal(f->ctx, "blkdebug:x", 0, both);
    expect_refusal(f->ctx, "blkdebug::", 0, "The 'file' block driver requires a file name");
    expect_refusal(f->ctx, "blkdebug:::", 0, "Unknown protocol ''");
    expect_refusal(f->ctx, "blkdebug:/nonexistent:x", 0,
                   "Could not read blkdebug config file: No such file or directory");
    expect_refusal(f->ctx, "driver=blkdebug", 0,
                   "A block device must be specified for \"image\"");
    expect_refusal(f->ctx, "driver=blkdebug,x-image=a,image.filename=b", 0,
                   "Can't specify 'file' and 'filename' options at the same time");
    expect_refusal(f->ctx, "driver=blkdebug,file.driver=null-co,image.driver=null-co", 0,
                   "Block protocol 'blkdebug' doesn't support the option 'file.driver'");
}

static void test_config(DbgFolder *f, gconstpointer data)
{
    g_autofree char *text = folder_text(f, "driver=blkdebug,x-image=%i,config=%c,"
                                        "inject-error.0.event=none,inject-error.0.iotype=write,"
                                        "inject-error.0.once=on");
    g_autoptr(BlockBackend) blk = blk_open_opts(f->ctx, text, BLK_O_RDWR, NULL);
    char byte = 'x';

    g_assert_nonnull(blk);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), ==, -ENOSPC);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), ==, -EIO);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), ==, 0);
}

static void test_bad_config(DbgFolder *f, gconstpointer data)
{
    g_autofree char *name = folder_text(f, "blkdebug:%c:%i");
    g_autofree char *message = folder_text(f, "%c:2: invalid parameter value: foo");

    g_assert_true(g_file_set_contents(f->config, "[inject-error]\nevent = \"foo\"\n", -1, NULL));
    expect_refusal(f->ctx, name, 0, message);
}

/* Names found in an image are relative to its folder, whatever stands between. */
static void test_backing_folder(DbgFolder *f, gconstpointer data)
{
    g_autofree char *overlay = g_build_filename(f->dir, "o.qcow", NULL);
    g_autofree char *name = g_strconcat("blkdebug::", overlay, NULL);
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) blk = NULL;
    char buf[10];

    qdict_put_str(options, "backing_file", "i.raw");
    qdict_put_str(options, "backing_fmt", "raw");
    g_assert_true(blk_create(f->ctx, overlay, "qcow", options, 512, &error));
    blk = blk_open(f->ctx, name, BLK_O_PROBE, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_pread(blk, 0, sizeof(buf), buf), ==, 0);
    g_assert_cmpmem(buf, sizeof(buf), "0123456789", 10);
    g_clear_pointer(&blk, blk_unref);
    g_unlink(overlay);
}

/* ---- requests ---------------------------------------------------------------------- */

typedef struct DbgFixture {
    CairnContext *ctx;
    BlockBackend *blk;
    MemState *mem;              /* the image's */
    uint8_t buf[65536];
} DbgFixture;

static void dbg_open_flags(DbgFixture *f, const char *options, int flags)
{
    f->ctx = mem_context();
    f->blk = mem_open_blk(f->ctx, options, flags);
    f->mem = mem_below(f->blk);
}

static void dbg_open(DbgFixture *f, const char *options)
{
    dbg_open_flags(f, options, BLK_O_RDWR | BLK_O_UNMAP);
}

static void dbg_close(DbgFixture *f)
{
    blk_unref(f->blk);
    cairn_context_unref(f->ctx);
}

static int dbg_read(DbgFixture *f)
{
    return blk_pread(f->blk, 0, 512, f->buf);
}

static int dbg_write(DbgFixture *f)
{
    return blk_pwrite(f->blk, 0, 512, f->buf, 0);
}

static int dbg_zeroes(DbgFixture *f)
{
    return blk_pwrite_zeroes(f->blk, 0, 4096, 0);
}

static int dbg_discard(DbgFixture *f)
{
    return blk_pdiscard(f->blk, 0, 4096);
}

static int dbg_flush(DbgFixture *f)
{
    g_atomic_int_inc(&f->blk->root->bs->priv->write_gen);      /* there is something to do */
    return blk_flush(f->blk);
}

static int dbg_status(DbgFixture *f)
{
    BlockStatus status;

    return blk_block_status(f->blk, 0, 4096, &status);
}

static const struct {
    const char *name;
    int (*request)(DbgFixture *f);
} dbg_kinds[] = {
    { "read", dbg_read }, { "write", dbg_write }, { "write-zeroes", dbg_zeroes },
    { "discard", dbg_discard }, { "flush", dbg_flush }, { "block-status", dbg_status },
};

static void test_iotypes(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(dbg_kinds); i++) {
        g_autofree char *options = g_strconcat(DBG_NONE ",inject-error.0.iotype=",
                                               dbg_kinds[i].name, NULL);
        DbgFixture f;

        dbg_open(&f, options);
        for (size_t k = 0; k < G_N_ELEMENTS(dbg_kinds); k++) {
            g_assert_cmpint(dbg_kinds[k].request(&f), ==, i == k ? -EIO : 0);
        }
        g_assert_cmpint(f.mem->reads, ==, i != 0);
        g_assert_cmpint(f.mem->writes, ==, i != 1);
        g_assert_cmpint(f.mem->zeroes, ==, i != 2);
        g_assert_cmpint(f.mem->discards, ==, i != 3);
        g_assert_cmpint(f.mem->flushes, ==, i != 4);
        g_assert_cmpint(f.mem->statuses, ==, i != 5);
        dbg_close(&f);
    }
}

static void test_passes(void)
{
    g_autofree uint8_t *wanted = g_malloc(65536);
    DbgFixture f;

    dbg_open(&f, DBG ",image.fua=on");
    mem_fill(wanted, 65536, 1);
    g_assert_cmpint(blk_pwrite(f.blk, 3, 65533, wanted, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem->last_write_flags, ==, BDRV_REQ_FUA);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    g_assert_cmpmem(f.mem->data + 3, 65533, wanted, 65533);
    g_assert_cmpint(blk_pread(f.blk, 3, 65533, f.buf), ==, 0);
    g_assert_cmpmem(f.buf, 65533, wanted, 65533);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 4096, 4096, BDRV_REQ_MAY_UNMAP
                                      | BDRV_REQ_NO_FALLBACK), ==, 0);
    g_assert_cmpint(f.mem->last_zero_flags, ==, BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK);
    g_assert_true(blk_truncate(f.blk, 4096, PREALLOC_MODE_OFF, NULL));
    g_assert_cmpint(blk_getlength(f.blk), ==, 4096);
    dbg_close(&f);
}

/* FUA that the image does not take is a flush of it. */
static void test_fua(void)
{
    DbgFixture f;

    dbg_open(&f, DBG);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 512, f.buf, BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(f.mem->last_write_flags, ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 1);
    dbg_close(&f);
}

static void test_status(void)
{
    BlockStatus status;
    DbgFixture f;

    dbg_open(&f, DBG);
    f.mem->is_hole[8] = true;
    g_assert_cmpint(blk_block_status(f.blk, 4096, 65536, &status), ==, 0);
    g_assert_cmpint(status.bytes, ==, 512);
    g_assert_cmphex(status.flags, ==, BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED
                    | BDRV_BLOCK_OFFSET_VALID);
    g_assert_cmpint(status.host_offset, ==, 4096);
    dbg_close(&f);
}

static void test_compressed(void)
{
    DbgFixture f;

    dbg_open(&f, "driver=blkdebug,image.driver=memcow,image.file.driver=mem,"
             "inject-error.0.event=none,inject-error.0.iotype=write,inject-error.0.once=on");
    g_assert_cmpint(blk_pwrite(f.blk, 0, 4096, f.buf, BDRV_REQ_WRITE_COMPRESSED), ==, -EIO);
    g_assert_cmpint(blk_pwrite(f.blk, 0, 4096, f.buf, BDRV_REQ_WRITE_COMPRESSED), ==, 0);
    dbg_close(&f);
}

typedef struct DbgCopy {
    BlockBackend *blk;
    int ret;
    bool is_done;
} DbgCopy;

static void coroutine_fn dbg_co_copy(void *opaque)
{
    DbgCopy *c = opaque;

    c->ret = blk_co_copy_range(c->blk, 0, c->blk, 65536, 4096);
    c->is_done = true;
}

/* The host must not make copies behind a rule's back. */
static void test_copy_range(void)
{
    static const char *const options[] = {
        "driver=raw,file.driver=blkdebug,file.image.driver=mem",
        "driver=raw,file.driver=blkverify,file.raw.driver=mem,file.test.driver=mem",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autoptr(CairnContext) ctx = mem_context();
        g_autoptr(BlockBackend) blk = mem_open_blk(ctx, options[i], BLK_O_RDWR);
        DbgCopy copy = { .blk = blk };

        coroutine_enter(coroutine_create(dbg_co_copy, &copy));
        aio_context_poll_until(aio_context_ensure(), &copy.is_done);
        g_assert_cmpint(copy.ret, ==, -ENOTSUP);
    }
}

/* The k-th request fails, and no other, whatever stands above. */
static void test_nth(void)
{
    for (int k = 0; k < 5; k++) {
        g_autofree char *options = g_strdup_printf(
            "driver=raw,file.driver=blkdebug,file.image.driver=mem,"
            "file.inject-error.0.event=none,file.inject-error.0.iotype=write,"
            "file.inject-error.0.once=on,file.inject-error.0.skip=%d", k);
        DbgFixture f;

        dbg_open(&f, options);
        for (int i = 0; i < 8; i++) {
            g_assert_cmpint(dbg_read(&f), ==, 0);
            g_assert_cmpint(dbg_write(&f), ==, i == k ? -EIO : 0);
        }
        dbg_close(&f);
    }
}

static void test_states(void)
{
    DbgFixture f;

    dbg_open(&f, DBG ",set-state.0.event=pwritev,set-state.0.state=1,set-state.0.new_state=2,"
             "set-state.1.event=pwritev,set-state.1.state=2,set-state.1.new_state=3,"
             "inject-error.0.event=pwritev,inject-error.0.state=3,inject-error.0.once=on,"
             "inject-error.0.errno=28");
    for (int i = 1; i <= 5; i++) {
        g_assert_cmpint(dbg_write(&f), ==, i == 3 ? -ENOSPC : 0);
        g_assert_cmpint(dbg_read(&f), ==, 0);
    }
    dbg_close(&f);
}

/* An ignored flush cannot fail. */
static void test_ignored_flush(void)
{
    DbgFixture f;

    dbg_open_flags(&f, DBG_NONE ",inject-error.0.iotype=flush", BLK_O_RDWR | BLK_O_NO_FLUSH);
    g_assert_cmpint(dbg_write(&f), ==, 0);
    g_assert_cmpint(blk_flush(f.blk), ==, 0);
    g_assert_cmpint(f.mem->flushes, ==, 0);
    dbg_close(&f);
}

static void test_failed_close(void)
{
    DbgFixture f;

    dbg_open(&f, DBG_NONE ",inject-error.0.iotype=flush,inject-error.0.errno=28");
    g_assert_cmpint(dbg_write(&f), ==, 0);
    g_assert_cmpint(blk_close(f.blk), ==, -ENOSPC);
    dbg_close(&f);
}

typedef struct DbgRequest {
    DbgFixture *f;
    int ret;
    bool is_done;
} DbgRequest;

static void coroutine_fn dbg_co_read(void *opaque)
{
    DbgRequest *r = opaque;

    r->ret = blk_co_pread(r->f->blk, 0, 512, r->f->buf);
    r->is_done = true;
}

static void expect_failure(const char *options, bool at_once)
{
    AioContext *aio = aio_context_ensure();
    DbgFixture f;
    DbgRequest r = { .f = &f };

    dbg_open(&f, options);
    coroutine_enter(coroutine_create(dbg_co_read, &r));
    g_assert_cmpint(r.is_done, ==, at_once);
    aio_context_poll_until(aio, &r.is_done);
    g_assert_cmpint(r.ret, ==, -EIO);
    dbg_close(&f);
}

static void test_immediately(void)
{
    expect_failure(DBG_NONE, false);
    expect_failure(DBG_NONE ",inject-error.0.immediately=on", true);
}

/* ---- limits -------------------------------------------------------------------------- */

static void test_max_transfer(void)
{
    DbgFixture f;

    dbg_open(&f, DBG ",max-transfer=4k");
    g_assert_cmpint(blk_pwrite(f.blk, 0, 65536, f.buf, 0), ==, 0);
    g_assert_cmpint(f.mem->writes, ==, 16);
    g_assert_cmpint(blk_pread(f.blk, 0, 65536, f.buf), ==, 0);
    g_assert_cmpint(f.mem->reads, ==, 16);
    dbg_close(&f);
}

static void test_zero_unit(void)
{
    DbgFixture f;

    dbg_open(&f, DBG ",opt-write-zero=64k,max-write-zero=128k");
    memset(f.mem->data, 1, 1 * MiB);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 0, 4096, 0), ==, 0);
    g_assert_cmpint(f.mem->zeroes, ==, 0);
    g_assert_cmpint(f.mem->writes, ==, 1);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 65536, 256 * KiB, 0), ==, 0);
    g_assert_cmpint(f.mem->zeroes, ==, 2);
    g_assert_true(f.mem->data[4095] == 0 && f.mem->data[4096] == 1);
    g_assert_true(f.mem->data[65535] == 1 && f.mem->data[65536] == 0);
    dbg_close(&f);
}

static void test_discard_unit(void)
{
    DbgFixture f;

    dbg_open(&f, DBG ",opt-discard=64k,max-discard=64k");
    g_assert_cmpint(blk_pdiscard(f.blk, 4096, 4096), ==, 0);
    g_assert_cmpint(f.mem->discards, ==, 0);
    g_assert_cmpint(blk_pdiscard(f.blk, 4096, 256 * KiB), ==, 0);
    g_assert_cmpint(f.mem->discards, ==, 3);
    dbg_close(&f);
}

static void test_align(void)
{
    DbgFixture f;

    dbg_open(&f, DBG ",align=4096");
    g_assert_cmpint(blk_get_request_alignment(f.blk), ==, 4096);
    memset(f.buf, 7, sizeof(f.buf));
    g_assert_cmpint(blk_pwrite(f.blk, 100, 5000, f.buf, 0), ==, 0);
    g_assert_cmpint(f.mem->writes, ==, 1);
    g_assert_cmpint(f.mem->reads, ==, 2);
    g_assert_true(f.mem->data[99] == 0 && f.mem->data[100] == 7);
    g_assert_true(f.mem->data[5099] == 7 && f.mem->data[5100] == 0);
    dbg_close(&f);
}

/* Blocks that pass the image's end: what is there is read and written, and it gets no longer. */
static void test_align_past_the_end(void)
{
    DbgFixture f;

    dbg_open(&f, "driver=blkdebug,image.driver=mem,image.size=5000,align=4096");
    g_assert_cmpint(blk_getlength(f.blk), ==, 5120);
    mem_fill(f.mem->data, 5000, 1);
    memset(f.buf, 1, sizeof(f.buf));
    g_assert_cmpint(blk_pread(f.blk, 0, 5120, f.buf), ==, 0);
    g_assert_cmpmem(f.buf, 5120, f.mem->data, 5120);
    memset(f.buf, 7, sizeof(f.buf));
    g_assert_cmpint(blk_pwrite(f.blk, 4990, 10, f.buf, 0), ==, 0);
    g_assert_cmpint(f.mem->data[4999], ==, 7);
    g_assert_cmpint(f.mem->length, <=, 5120);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 4096, 1024, 0), ==, 0);
    g_assert_cmpint(f.mem->data[4999], ==, 0);
    g_assert_cmpint(blk_pdiscard(f.blk, 0, 5120), ==, 0);
    g_assert_cmpint(dbg_status(&f), ==, 0);
    g_assert_cmpint(blk_getlength(f.blk), ==, 5120);
    g_assert_cmpint(blk_pwrite(f.blk, 5120, 1, f.buf, 0), ==, -EIO);
    dbg_close(&f);
}

static void test_bad_limits(void)
{
    static const struct {
        const char *options, *message;
    } cases[] = {
        { "align=3", "Cannot meet constraints with align 3" },
        { "align=2M", "Cannot meet constraints with align 2097152" },
        { "align=16E", "Value '16E' is out of range for parameter 'align'" },
        { "align=-1", "Parameter 'align' expects a non-negative number below 2^64" },
        { "align=18446744073709551615", "Cannot meet constraints with align 184467440737095516" },
        { "max-transfer=2147483647", "Cannot meet constraints with max-transfer 2147483647" },
        { "max-transfer=1k,align=4k", "Cannot meet constraints with max-transfer 1024" },
        { "opt-write-zero=3G", "Cannot meet constraints with opt-write-zero 3221225472" },
        { "max-write-zero=64k,opt-write-zero=128k",
          "Cannot meet constraints with max-write-zero 65536" },
        { "opt-discard=513,align=512", "Cannot meet constraints with opt-discard 513" },
        { "max-discard=8E", "Cannot meet constraints with max-discard 9223372036854775808" },
    };
    g_autoptr(CairnContext) ctx = mem_context();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *options = g_strconcat(DBG ",", cases[i].options, NULL);

        expect_refusal(ctx, options, 0, cases[i].message);
    }
}

static void test_odd_limits(void)
{
    DbgFixture f;

    dbg_open(&f, DBG ",align=0,max-transfer=511,opt-write-zero=513,max-write-zero=1539,"
             "opt-discard=513,max-discard=1026");
    g_assert_cmpint(blk_pwrite(f.blk, 0, 65536, f.buf, 0), ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(f.blk, 7, 65536, 0), ==, 0);
    g_assert_cmpint(blk_pdiscard(f.blk, 7, 65536), ==, 0);
    dbg_close(&f);
}

/* ---- options ---------------------------------------------------------------------------- */

static void test_bad_rules(void)
{
    static const struct {
        const char *options, *message;
    } cases[] = {
        { "inject-error.0.event=foo", "invalid parameter value: foo" },
        { "inject-error.0.errno=5", "Parameter 'inject-error.0.event' is missing" },
        { "inject-error.0.event=none,inject-error.0.iotype=foo", "invalid parameter value: foo" },
        { "inject-error.0.event=none,inject-error.0.errno=x",
          "Parameter 'inject-error.0.errno' expects a number" },
        { "inject-error.0.event=none,inject-error.0.errno=-5",
          "Parameter 'errno' must be between 0 and 4095" },
        { "inject-error.0.event=none,inject-error.0.bogus=1",
          "Block protocol 'blkdebug' doesn't support the option 'inject-error.0.bogus'" },
        { "inject-error.1.event=none", "Parameter 'inject-error.1.event' is unexpected" },
        { "inject-error.00.event=none", "Parameter 'inject-error.00.event' is unexpected" },
        { "inject-error.99999999999999999999.event=none",
          "Parameter 'inject-error.99999999999999999999.event' is unexpected" },
        { "inject-error.-1.event=none",
          "Block protocol 'blkdebug' doesn't support the option 'inject-error.-1.event'" },
        { "inject-error=none",
          "Block protocol 'blkdebug' doesn't support the option 'inject-error'" },
        { "set-state.0.event=none,set-state.0.new_state=-1",
          "Parameter 'new_state' must be between 0 and 2147483647" },
        { "set-state.0.new_state=1", "Parameter 'set-state.0.event' is missing" },
        { "take-child-perms.0=foo", "invalid parameter value: foo" },
        { "take-child-perms.1=write", "Parameter 'take-child-perms.1' is unexpected" },
        { "config=", "Could not read blkdebug config file: No such file or directory" },
    };
    g_autoptr(CairnContext) ctx = mem_context();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *options = g_strconcat(DBG ",", cases[i].options, NULL);

        expect_refusal(ctx, options, 0, cases[i].message);
    }
}

static void refuse_rules(int count, const char *message)
{
    g_autoptr(CairnContext) ctx = mem_context();
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    qdict_put_str(options, "driver", "blkdebug");
    qdict_put_str(options, "image.driver", "mem");
    for (int i = 0; i < count; i++) {
        g_autofree char *key = g_strdup_printf("inject-error.%d.event", i);

        qdict_put_str(options, key, "none");
    }
    g_assert_null(blk_open_qdict(ctx, NULL, options, 0, &error));
    g_assert_error(error, CAIRN_ERROR, E2BIG);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_too_many_rules(void)
{
    refuse_rules(4097, "There are more than 4096 rules of one kind");
    refuse_rules(8193, "There are more than 8192 rules");
}

static void test_spellings(void)
{
    static const char *const texts[] = {
        "json:{'driver':'blkdebug','image':{'driver':'mem','size':'1M'},"
        "'inject-error':[{'event':'none','iotype':'read','errno':28,'once':true}]}",
        "json:{'driver':'blkdebug','image.driver':'mem','image.size':1048576,"
        "'inject-error.0.event':'none','inject-error.0.iotype':'read',"
        "'inject-error.0.errno':'28','inject-error.0.once':'on'}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(CairnContext) ctx = mem_context();
        g_autoptr(BlockBackend) blk = blk_open(ctx, texts[i], BLK_O_RDWR, NULL);
        char byte;

        g_assert_nonnull(blk);
        g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, -ENOSPC);
        g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, 0);
    }
}

static void test_perms(void)
{
    g_autoptr(CairnContext) ctx = mem_context();
    g_autoptr(BlockBackend) image = mem_open_blk(ctx, "driver=mem,node-name=m",
                                                 BLK_O_RDWR | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) blk = NULL;

    expect_refusal(ctx, DBG ",take-child-perms.0=write", BLK_O_SHARE_WRITE,
                   "Block node is read-only");
    expect_refusal(ctx, "driver=blkdebug,image=m,unshare-child-perms.0=write", BLK_O_SHARE_WRITE,
                   "Conflicts with use by ");
    blk = mem_open_blk(ctx, "driver=blkdebug,image=m,unshare-child-perms.0=resize",
                       BLK_O_SHARE_WRITE);
    g_assert_false(blk_truncate(image, 4096, PREALLOC_MODE_OFF, NULL));
    g_clear_pointer(&blk, blk_unref);
    g_assert_true(blk_truncate(image, 4096, PREALLOC_MODE_OFF, NULL));
}

static void test_restricted(void)
{
    static const char *const without_file[] = { "blkdebug", "null-co", NULL };
    static const char *const without_blkdebug[] = { "null-co", NULL };
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = NULL;

    cairn_context_set_restricted(ctx, true, without_file);
    blk = blk_open_opts(ctx, "driver=blkdebug,x-image=null-co://", 0, NULL);
    g_assert_nonnull(blk);
    expect_refusal(ctx, "driver=blkdebug,x-image=/dev/null", 0,
                   "Driver 'host_device' is not allowed in this context");
    cairn_context_set_restricted(ctx, true, without_blkdebug);
    expect_refusal(ctx, "driver=blkdebug,x-image=null-co://", 0,
                   "Driver 'blkdebug' is not allowed in this context");
}

/* ---- reopen --------------------------------------------------------------------------------- */

static bool dbg_reopen(DbgFixture *f, const char *key, const char *value, GError **error)
{
    g_autoptr(QDict) options = qdict_new();

    qdict_put_str(options, key, value);
    return blk_reopen(f->blk, options, error);
}

static void test_reopen(void)
{
    g_autoptr(GError) error = NULL;
    DbgFixture f;

    dbg_open_flags(&f, DBG_NONE ",inject-error.0.iotype=write,inject-error.0.skip=1", 0);
    g_assert_cmpint(dbg_write(&f), ==, -EROFS);
    g_assert_true(dbg_reopen(&f, "read-only", "off", &error));
    g_assert_cmpint(dbg_write(&f), ==, 0);
    g_assert_cmpint(dbg_write(&f), ==, -EIO);
    g_assert_true(dbg_reopen(&f, "read-only", "on", &error));
    g_assert_cmpint(dbg_write(&f), ==, -EROFS);
    g_assert_false(dbg_reopen(&f, "align", "512", &error));
    g_assert_cmpstr(error->message, ==, "Cannot change the option 'align'");
    g_clear_error(&error);
    g_assert_false(dbg_reopen(&f, "inject-error.0.skip", "2", &error));
    g_assert_cmpstr(error->message, ==, "Cannot change the option 'inject-error.0.skip'");
    dbg_close(&f);
}

/* ---- in a graph ---- */

static void test_info(void)
{
    g_autoptr(QDict) info = NULL;
    DbgFixture f;

    dbg_open(&f, "driver=blkdebug,image.driver=memcow,image.file.driver=mem");
    info = blk_get_image_info(f.blk, NULL);
    g_assert_false(qdict_haskey(info, "actual-size"));
    g_assert_cmpint(blk_get_cluster_size(f.blk), >, 0);
    dbg_close(&f);
}

/* Faults for a disk that is running already; what is below stays as it is. */
static void test_inserted(void)
{
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    DbgFixture f;

    dbg_open(&f, "driver=mem,size=1M");
    qdict_put_str(options, "driver", "blkdebug");
    qdict_put_str(options, "inject-error.0.event", "none");
    qdict_put_str(options, "inject-error.0.iotype", "write");
    g_assert_cmpint(dbg_write(&f), ==, 0);
    g_assert_true(blk_insert_filter(f.blk, options, &error));
    g_assert_cmpstr(blk_get_format(f.blk), ==, "blkdebug");
    g_assert_cmpint(dbg_write(&f), ==, -EIO);
    g_assert_cmpint(dbg_read(&f), ==, 0);
    g_assert_true(blk_remove_filter(f.blk, &error));
    g_assert_cmpint(dbg_write(&f), ==, 0);
    dbg_close(&f);
}

/* Requests of several threads: as many fail as the rule says, and all others are done. */
enum { DBG_THREADS = 3, DBG_ROUNDS = 500 };

static gpointer dbg_thread(void *opaque)
{
    int failed = 0;
    uint8_t buf[512] = { 0 };

    for (int i = 0; i < DBG_ROUNDS; i++) {
        failed += blk_pwrite(opaque, 0, sizeof(buf), buf, 0) < 0;
    }
    return GINT_TO_POINTER(failed);
}

static void test_threads(void)
{
    GThread *threads[DBG_THREADS];
    int failed = 0;
    DbgFixture f;

    dbg_open(&f, DBG ",inject-error.0.event=pwritev,inject-error.0.skip=1490");
    for (int i = 0; i < DBG_THREADS; i++) {
        threads[i] = g_thread_new("writes", dbg_thread, f.blk);
    }
    for (int i = 0; i < DBG_THREADS; i++) {
        failed += GPOINTER_TO_INT(g_thread_join(threads[i]));
    }
    g_assert_cmpint(failed, ==, 10);
    g_assert_cmpint(f.mem->writes, ==, 1490);
    dbg_close(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD_FOLDER(path, func) \
    g_test_add(path, DbgFolder, NULL, folder_setup, func, folder_teardown)
    ADD_FOLDER("/blkdebug/name/opens-and-is-printed", test_names);
    ADD_FOLDER("/blkdebug/name/is-json-where-options-say-more", test_json_names);
    ADD_FOLDER("/blkdebug/name/bad-ones-are-refused", test_bad_names);
    ADD_FOLDER("/blkdebug/config/comes-before-options", test_config);
    ADD_FOLDER("/blkdebug/config/error-names-file-and-line", test_bad_config);
    ADD_FOLDER("/blkdebug/name/folder-is-that-of-the-image", test_backing_folder);
    g_test_add_func("/blkdebug/iotype/only-its-requests-fail", test_iotypes);
    g_test_add_func("/blkdebug/pass/data-flags-and-length", test_passes);
    g_test_add_func("/blkdebug/pass/fua-is-kept", test_fua);
    g_test_add_func("/blkdebug/pass/status-is-the-images", test_status);
    g_test_add_func("/blkdebug/pass/compressed-writes-are-writes", test_compressed);
    g_test_add_func("/blkdebug/pass/no-copies-by-the-host", test_copy_range);
    g_test_add_func("/blkdebug/skip/just-the-nth-fails", test_nth);
    g_test_add_func("/blkdebug/state/just-the-third-fails", test_states);
    g_test_add_func("/blkdebug/flush/ignored-cannot-fail", test_ignored_flush);
    g_test_add_func("/blkdebug/flush/failure-is-told-by-close", test_failed_close);
    g_test_add_func("/blkdebug/immediately/fails-before-the-loop-turns", test_immediately);
    g_test_add_func("/blkdebug/limit/max-transfer-splits", test_max_transfer);
    g_test_add_func("/blkdebug/limit/less-than-a-unit-is-written", test_zero_unit);
    g_test_add_func("/blkdebug/limit/less-than-a-unit-is-not-discarded", test_discard_unit);
    g_test_add_func("/blkdebug/limit/align-pads", test_align);
    g_test_add_func("/blkdebug/limit/align-keeps-the-length", test_align_past_the_end);
    g_test_add_func("/blkdebug/limit/senseless-ones-are-refused", test_bad_limits);
    g_test_add_func("/blkdebug/limit/odd-ones-are-kept-to", test_odd_limits);
    g_test_add_func("/blkdebug/rule/bad-ones-are-refused", test_bad_rules);
    g_test_add_func("/blkdebug/rule/too-many-are-refused", test_too_many_rules);
    g_test_add_func("/blkdebug/rule/nested-and-dotted-are-alike", test_spellings);
    g_test_add_func("/blkdebug/perms/are-taken-and-withheld", test_perms);
    g_test_add_func("/blkdebug/restricted/list-holds-for-the-image-too", test_restricted);
    g_test_add_func("/blkdebug/reopen/keeps-the-rules", test_reopen);
    g_test_add_func("/blkdebug/info/is-the-images-but-for-its-space", test_info);
    g_test_add_func("/blkdebug/graph/can-be-put-above-a-running-disk", test_inserted);
    g_test_add_func("/blkdebug/threads/count-together", test_threads);
    return g_test_run();
}
