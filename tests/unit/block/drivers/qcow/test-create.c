/* SPDX-License-Identifier: MIT */
/* New images: their bytes, and that what is wrong is found before a file is touched. */
#include <cairn/block.h>

#include <glib/gstdio.h>
#include <string.h>

#include "block/drivers.h"
#include "block/drivers/qcow/header.h"
#include "mem-disk.h"
#include "util/cutils.h"

static CairnContext *ctx;
static char *dir;

static char *path_of(const char *name)
{
    return g_build_filename(dir, name, NULL);
}

static QDict *parse(const char *options)
{
    g_autoptr(GError) error = NULL;
    QDict *dict = options ? qdict_from_keyval(options, NULL, &error) : qdict_new();

    g_assert_no_error(error);
    return dict;
}

static bool create(const char *name, const char *options, int64_t size, GError **error)
{
    g_autofree char *path = path_of(name);
    g_autoptr(QDict) opts = parse(options);
    g_autoptr(BlockCreate) c = blk_create_prepare(ctx, path, "qcow", NULL, NULL, opts, size, false,
                                                  error);

    return c && blk_create_run(c, error);
}

static uint8_t *read_image(const char *name, gsize *bytes)
{
    g_autofree char *path = path_of(name);
    g_autoptr(GError) error = NULL;
    char *data = NULL;

    g_file_get_contents(path, &data, bytes, &error);
    g_assert_no_error(error);
    g_remove(path);
    return (uint8_t *)data;
}

/* ---- layout ---- */

/* The peer's bytes: header, zeros, and the length. */
static void test_plain_layout(void)
{
    static const struct {
        int64_t size;
        gsize file;
        uint64_t stored;
    } cases[] = {
        { 64 << 20, 560, 64 << 20 }, { 512ll << 20, 2096, 512ll << 20 }, { 1 << 20, 560, 1 << 20 },
        { 1, 560, 512 }, { 513, 560, 1024 }, { 3ll << 40, 12582960, 3ll << 40 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree uint8_t *data = NULL;
        static const uint8_t start[24] = "QFI\xfb\0\0\0\1";
        static const uint8_t end[16] = { 12, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 48 };
        gsize bytes;

        create("plain.qcow", NULL, cases[i].size, &error);
        g_assert_no_error(error);
        data = read_image("plain.qcow", &bytes);
        g_assert_cmpuint(bytes, ==, cases[i].file);
        g_assert_cmpmem(data, 24, start, 24);
        g_assert_cmpuint(be64_load(data + 24), ==, cases[i].stored);
        g_assert_cmpmem(data + 32, 16, end, 16);
        g_assert_true(cairn_buffer_is_zero(data + 48, bytes - 48));
    }
}

static void test_backed_layout(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *data = NULL;
    QcowHeader h;
    gsize bytes;

    create("over.qcow", "backing_file=base.raw,backing_fmt=raw", 1 << 20, &error);
    g_assert_no_error(error);
    data = read_image("over.qcow", &bytes);
    g_assert_true(qcow_header_parse(data, &h, &error));
    g_assert_cmpint(h.cluster_bits, ==, 9);
    g_assert_cmpint(h.l2_bits, ==, 12);
    g_assert_cmpmem(data + 48, 8, "CBF1\3raw", 8);
    g_assert_cmpuint(h.backing_offset, ==, 56);
    g_assert_cmpuint(h.backing_bytes, ==, 8);
    g_assert_cmpmem(data + 56, 8, "base.raw", 8);
    g_assert_cmpuint(h.l1_offset, ==, 64);
    g_assert_cmpuint(bytes, ==, 64 + 512);
    g_assert_true(cairn_buffer_is_zero(data + 64, 512));
}

static void test_cluster_sizes(void)
{
    for (int bits = 9; bits <= 16; bits++) {
        g_autofree char *options = g_strdup_printf("cluster_size=%d", 1 << bits);
        g_autoptr(GError) error = NULL;
        g_autofree uint8_t *data = NULL;
        QcowHeader h;
        gsize bytes;

        create("c.qcow", options, 10 << 20, &error);
        g_assert_no_error(error);
        data = read_image("c.qcow", &bytes);
        g_assert_true(qcow_header_parse(data, &h, &error));
        g_assert_cmpint(h.cluster_bits, ==, bits);
        g_assert_cmpint(h.l2_bits, ==, bits - 3);
    }
}

static void test_backed_cluster_size(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *data = NULL;
    QcowHeader h;
    gsize bytes;

    create("c.qcow", "cluster_size=4k,backing_file=b,backing_fmt=raw", 10 << 20, &error);
    g_assert_no_error(error);
    data = read_image("c.qcow", &bytes);
    g_assert_true(qcow_header_parse(data, &h, &error));
    g_assert_cmpint(h.cluster_bits, ==, 12);
    g_assert_cmpint(h.l2_bits, ==, 9);
}

static void test_encrypted_layout(void)
{
    g_autoptr(GError) error = NULL;

    for (int i = 0; i < 2; i++) {
        g_autofree uint8_t *data = NULL;
        QcowHeader h;
        gsize bytes;

        create("e.qcow", i ? "encryption=on,encrypt.key-secret=s"
                           : "encrypt.format=aes,encrypt.key-secret=s", 1 << 20, &error);
        g_assert_no_error(error);
        data = read_image("e.qcow", &bytes);
        g_assert_true(qcow_header_parse(data, &h, &error));
        g_assert_cmpint(h.crypt, ==, QCOW_CRYPT_AES);
    }
}

/* ---- refusals: the file that stands there stays as it was ---- */

static void test_refused(void)
{
    static const struct {
        const char *options;
        int64_t size;
        const char *message;
    } cases[] = {
        { NULL, 0, "Image size is too small, cannot be zero length" },
        { NULL, (int64_t)1 << 60, "Image too large" },
        { "cluster_size=1k1", 1 << 20, NULL },
        { "cluster_size=256", 1 << 20, "Cluster size must be a power of two between 512 and 64k" },
        { "cluster_size=128k", 1 << 20, "Cluster size must be a power of two between 512 and 64k" },
        { "cluster_size=3000", 1 << 20, "Cluster size must be a power of two between 512 and 64k" },
        { "encrypt.format=luks,encrypt.key-secret=s", 1 << 20, "Unsupported encryption format" },
        { "encrypt.format=aes", 1 << 20, "Parameter 'encrypt.key-secret' is required for cipher" },
        { "encryption=on", 1 << 20, "Parameter 'encrypt.key-secret' is required for cipher" },
        { "encrypt.format=aes,encrypt.key-secret=nope", 1 << 20, "No secret with id 'nope'" },
        { "encrypt.key-secret=s", 1 << 20, "Parameter 'encrypt.format' is missing" },
        { "encryption=off,encrypt.key-secret=s", 1 << 20, "Parameter 'encrypt.format' is missing" },
        { "encryption=on,encrypt.format=aes,encrypt.key-secret=s", 1 << 20,
          "'encrypt.format' and its alias 'encryption' can't be used at the same time" },
    };
    g_autofree char *path = path_of("old.qcow");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *data = NULL;

        g_assert_true(g_file_set_contents(path, "precious", -1, NULL));
        g_assert_false(create("old.qcow", cases[i].options, cases[i].size, &error));
        g_assert_nonnull(error);
        if (cases[i].message) {
            g_assert_true(g_str_has_prefix(error->message, cases[i].message));
        }
        g_assert_true(g_file_get_contents(path, &data, NULL, NULL));
        g_assert_cmpstr(data, ==, "precious");
    }
    g_remove(path);
}

static void test_long_name(void)
{
    g_autofree char *name = g_strnfill(1023, 'n');
    g_autofree char *fits = g_strdup_printf("backing_fmt=raw,backing_file=%s", name);
    g_autofree char *longer = g_strdup_printf("backing_fmt=raw,backing_file=%sn", name);
    g_autoptr(GError) error = NULL;
    g_autofree uint8_t *data = NULL;
    QcowHeader h;
    gsize bytes;

    g_assert_false(create("n.qcow", longer, 1 << 20, &error));
    g_assert_cmpstr(error->message, ==, "Backing file name too long");
    g_clear_error(&error);
    create("n.qcow", fits, 1 << 20, &error);
    g_assert_no_error(error);
    data = read_image("n.qcow", &bytes);
    g_assert_true(qcow_header_parse(data, &h, &error));
    g_assert_cmpuint(h.backing_bytes, ==, 1023);
    g_assert_cmpmem(data + h.backing_offset, 1023, name, 1023);
    g_assert_cmpuint(h.l1_offset, ==, ROUND_UP_TO(48 + 8 + 1023, 8));
}

/* ---- what is recorded is found again ---- */

static void test_backing_format_is_used(void)
{
    g_autofree char *base = path_of("base.img"), *over = path_of("over.qcow");
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) opts = qdict_new();
    g_autofree char *bytes = g_strnfill(65536, 'b');
    g_autoptr(BlockBackend) blk = NULL;
    char buf[512];

    memcpy(bytes, "QFI\xfb\0\0\0\1", 8);        /* raw, whatever its guest has written */
    g_assert_true(g_file_set_contents(base, bytes, 65536, NULL));
    create("over.qcow", "backing_file=base.img,backing_fmt=raw", 65536, &error);
    g_assert_no_error(error);
    qdict_put_str(opts, "driver", "qcow");
    blk = blk_open_qdict(ctx, over, opts, BLK_O_RDWR, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_pread(blk, 0, 512, buf), ==, 0);
    g_assert_cmpmem(buf, 512, bytes, 512);
    g_clear_pointer(&blk, blk_unref);
    g_remove(base);
    g_remove(over);
}

/* ---- by typed options, on storage that is open ---- */

typedef struct Typed {
    BlockCreateTarget target;
    BlockBackend *file;
    const QDict *options;
    GError **error;
    bool ok;
} Typed;

static void coroutine_fn typed_entry(void *opaque)
{
    Typed *t = opaque;

    t->ok = bdrv_qcow.bdrv_co_create(&t->target, t->file, t->options, t->error);
}

/* @options: JSON */
static bool create_typed(MemDisk *d, const char *options, GError **error)
{
    g_autoptr(CairnContext) mem = mem_context_new();
    g_autofree char *name = g_strdup_printf("driver=mem-disk,disk=%s", d->id);
    g_autoptr(BlockBackend) file = blk_open_opts(mem, name, BLK_O_RDWR | BLK_O_RESIZE, error);
    g_autoptr(QObject) opts = qobject_from_json(options, NULL);
    Typed t = { { .context = mem, .filename = "new" }, file, qobject_to_qdict(opts), error, false };

    g_assert_nonnull(file);
    bdrv_run_co(typed_entry, &t);
    return t.ok;
}

static void test_typed(void)
{
    g_autoptr(MemDisk) d = mem_disk_new(NULL, 65536);
    g_autoptr(GError) error = NULL;

    g_assert_true(create_typed(d, "{\"size\": 1048576, \"cluster_size\": 65536}", &error));
    g_assert_no_error(error);
    g_assert_cmpmem(d->data, 8, "QFI\xfb\0\0\0\1", 8);
    g_assert_cmpuint(image_get64(d, 24), ==, 1 << 20);
    g_assert_cmpint(d->data[32], ==, 16);
}

static void test_typed_refused(void)
{
    static const char *const cases[] = {
        "{\"size\": 1048576, \"cluster_size\": 1000}",
        "{\"size\": 1048576, \"encrypt\": {\"format\": \"aes\", \"key-secret\": \"none\"}}",
        "{\"size\": 9223372036854775807, \"cluster_size\": 512}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(MemDisk) d = mem_disk_new(NULL, 65536);
        g_autoptr(GError) error = NULL;

        g_assert_false(create_typed(d, cases[i], &error));
        g_assert_nonnull(error);
        g_assert_cmpint(d->writes, ==, 0);
        g_assert_true(cairn_buffer_is_zero(d->data, d->size));
    }
}

static void test_typed_write_error(void)
{
    g_autoptr(MemDisk) d = mem_disk_new(NULL, 65536);
    g_autoptr(GError) error = NULL;

    d->fail_write_in = 1;
    g_assert_false(create_typed(d, "{\"size\": 1048576}", &error));
    g_assert_true(g_str_has_prefix(error->message, "Could not write the new image"));
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = cairn_context_new();
    dir = g_dir_make_tmp("cairn-test-XXXXXX", NULL);
    g_assert_true(cairn_secret_add_bytes(ctx, "s", "123456", 6, NULL));
    g_test_add_func("/qcow/create/plain/has-the-peers-bytes", test_plain_layout);
    g_test_add_func("/qcow/create/backed/records-format-and-name", test_backed_layout);
    g_test_add_func("/qcow/create/cluster-size/sets-both-bits", test_cluster_sizes);
    g_test_add_func("/qcow/create/backed-cluster-size/sets-both-bits", test_backed_cluster_size);
    g_test_add_func("/qcow/create/encrypted/is-marked", test_encrypted_layout);
    g_test_add_func("/qcow/create/bad-options/leave-the-old-file", test_refused);
    g_test_add_func("/qcow/create/name-of-1024/is-refused", test_long_name);
    g_test_add_func("/qcow/create/backing-format/is-not-probed", test_backing_format_is_used);
    g_test_add_func("/qcow/create/typed/writes-the-image", test_typed);
    g_test_add_func("/qcow/create/typed/bad-options-write-nothing", test_typed_refused);
    g_test_add_func("/qcow/create/typed/write-error-is-told", test_typed_write_error);
    ret = g_test_run();
    cairn_context_unref(ctx);
    g_rmdir(dir);
    g_free(dir);
    return ret;
}
