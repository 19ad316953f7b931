/* SPDX-License-Identifier: MIT */
/* What is told of an image and of its chain, on real files. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include <cairn/cairn.h>

/* A folder of its own for each test; names are relative to nothing else. */
typedef struct Fixture {
    CairnContext *ctx;
    char *dir;
} Fixture;

static void fixture_set_up(Fixture *f, gconstpointer data)
{
    f->ctx = cairn_context_new();
    f->dir = g_dir_make_tmp("cairn-info-XXXXXX", NULL);
    cairn_context_set_image_policy(f->ctx, CAIRN_IMAGE_POLICY_ALLOW_ALL);
}

static void remove_tree(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_clear_pointer(&dir, g_dir_close);
    g_remove(path);
}

static void fixture_tear_down(Fixture *f, gconstpointer data)
{
    remove_tree(f->dir);
    g_free(f->dir);
    cairn_context_unref(f->ctx);
}

static char *path_of(Fixture *f, const char *name)
{
    return g_build_filename(f->dir, name, NULL);
}

/* @options: creation options as text; @backing is written without being looked at. */
static void make(Fixture *f, const char *name, const char *format, const char *backing,
                 const char *backing_format, const char *options)
{
    g_autofree char *path = path_of(f, name);
    g_autoptr(QDict) dict = options ? qdict_from_keyval(options, NULL, NULL) : NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockCreate) create = blk_create_prepare(f->ctx, path, format, backing,
                                                       backing_format, dict, 1 << 20, false,
                                                       &error);

    g_assert_no_error(error);
    blk_create_run(create, &error);
    g_assert_no_error(error);
}

static QList *info(Fixture *f, const char *name, const char *options, bool chain, GError **error)
{
    g_autofree char *path = path_of(f, name);
    g_autoptr(QDict) dict = options ? qdict_from_keyval(options, NULL, NULL) : NULL;

    return cairn_image_info(f->ctx, path, dict, BLK_O_PROBE, chain, error);
}

static const QDict *entry(const QList *list, size_t index)
{
    return qobject_to_qdict(qlist_at(list, index));
}

static void assert_fails(Fixture *f, const char *name, bool chain, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static void assert_fails(Fixture *f, const char *name, bool chain, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *message = NULL;
    va_list ap;

    va_start(ap, format);
    message = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_assert_null(info(f, name, NULL, chain, &error));
    g_assert_cmpstr(error->message, ==, message);
}

/* ---- one image -------------------------------------------------------------- */

static void test_keys(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QList) list = NULL;
    g_autoptr(QDict) expect = qdict_new();
    g_autofree char *path = path_of(f, "top.qcow");
    g_autofree char *base = path_of(f, "base.raw");

    make(f, "top.qcow", "qcow", "base.raw", "raw", NULL);
    list = info(f, "top.qcow", NULL, false, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(qlist_size(list), ==, 1);
    qdict_put_int(expect, "virtual-size", 1 << 20);
    qdict_put_str(expect, "filename", path);
    qdict_put_int(expect, "cluster-size", 512);
    qdict_put_str(expect, "format", "qcow");
    qdict_put_int(expect, "actual-size", qdict_get_try_int(entry(list, 0), "actual-size", -1));
    qdict_put_str(expect, "full-backing-filename", base);
    qdict_put_str(expect, "backing-filename", "base.raw");
    qdict_put_str(expect, "backing-filename-format", "raw");
    qdict_put_bool(expect, "dirty-flag", false);
    g_assert_true(qobject_is_equal(QOBJECT(expect), qlist_at(list, 0)));
    g_assert_cmpstr(qdict_key_at(entry(list, 0), 3), ==, "format");
}

static void test_encrypted(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QList) list = NULL;
    bool is_encrypted = false;

    g_assert_true(cairn_secret_add_bytes(f->ctx, "s", "123456", 6, NULL));
    make(f, "e.qcow", "qcow", NULL, NULL, "encrypt.format=aes,encrypt.key-secret=s");
    list = info(f, "e.qcow", NULL, false, &error);
    g_assert_no_error(error);
    qobject_get_bool(qdict_get(entry(list, 0), "encrypted"), &is_encrypted);
    g_assert_true(is_encrypted);
}

static void test_open_errors(Fixture *f, gconstpointer data)
{
    g_autofree char *path = path_of(f, "nope");
    g_autoptr(QDict) options = qdict_from_keyval("driver=qcow,file.filename=/no,,pe", NULL, NULL);
    g_autoptr(GError) error = NULL;

    assert_fails(f, "nope", false, "Could not open '%s': Could not open '%s': "
                 "No such file or directory", path, path);
    g_assert_null(cairn_image_info(f->ctx, NULL, options, 0, false, &error));
    g_assert_cmpstr(error->message, ==, "Could not open 'driver=qcow,file.filename=/no,,pe': "
                    "Could not open '/no,pe': No such file or directory");
}

static void test_open_image(Fixture *f, gconstpointer data)
{
    g_autofree char *path = path_of(f, "a.raw");
    g_autoptr(BlockBackend) blk = NULL;
    g_autoptr(QDict) tree = NULL;
    g_autoptr(GError) error = NULL;

    make(f, "a.raw", "raw", NULL, NULL, NULL);
    blk = blk_open(f->ctx, path, BLK_O_PROBE | BLK_O_RDWR, NULL);
    tree = blk_get_image_info(blk, &error);
    g_assert_no_error(error);
    g_assert_cmpint(qdict_get_try_int(tree, "virtual-size", 0), ==, 1 << 20);
    g_assert_false(qdict_haskey(tree, "cluster-size"));
    g_assert_false(qdict_haskey(tree, "backing-filename"));
    blk_close(blk);
    g_assert_null(blk_get_image_info(blk, &error));
    g_assert_error(error, CAIRN_ERROR, ENOMEDIUM);
}

/* ---- chains ------------------------------------------------------------------- */

static void test_chain(Fixture *f, gconstpointer data)
{
    g_autofree char *sub = path_of(f, "sub");
    g_autofree char *base = path_of(f, "sub/../base.raw");
    g_autoptr(GError) error = NULL;
    g_autoptr(QList) list = NULL;

    g_mkdir(sub, 0700);
    make(f, "base.raw", "raw", NULL, NULL, NULL);
    make(f, "sub/mid.qcow", "qcow", "../base.raw", "raw", NULL);
    make(f, "top.qcow", "qcow", "sub/mid.qcow", "qcow", NULL);
    list = info(f, "top.qcow", NULL, true, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(qlist_size(list), ==, 3);
    g_assert_cmpstr(qdict_get_try_str(entry(list, 2), "filename"), ==, base);
    g_assert_cmpstr(qdict_get_try_str(entry(list, 2), "format"), ==, "raw");
}

static void test_chain_missing(Fixture *f, gconstpointer data)
{
    g_autofree char *nope = path_of(f, "nope.raw");
    g_autoptr(QList) list = NULL;

    make(f, "top.qcow", "qcow", "nope.raw", "raw", NULL);
    assert_fails(f, "top.qcow", true, "Could not open '%s': Could not open '%s': "
                 "No such file or directory", nope, nope);
    list = info(f, "top.qcow", NULL, false, NULL);
    g_assert_nonnull(list);
}

static void assert_loop(Fixture *f, const char *start, const char *at)
{
    g_autofree char *path = path_of(f, at);

    assert_fails(f, start, true, "Backing file '%s' creates an infinite loop.", path);
}

static void test_chain_loops(Fixture *f, gconstpointer data)
{
    g_autofree char *d = path_of(f, "d.qcow");
    g_autofree char *link_name = path_of(f, "link.qcow");
    g_autofree char *hard_name = path_of(f, "hard.qcow");

    make(f, "self.qcow", "qcow", "./self.qcow", "qcow", NULL);
    make(f, "a.qcow", "qcow", "b.qcow", "qcow", NULL);
    make(f, "b.qcow", "qcow", "a.qcow", "qcow", NULL);
    make(f, "c.qcow", "qcow", "link.qcow", "qcow", NULL);
    make(f, "d.qcow", "qcow", "hard.qcow", "qcow", NULL);
    g_assert_cmpint(symlink("c.qcow", link_name), ==, 0);
    g_assert_cmpint(link(d, hard_name), ==, 0);
    assert_loop(f, "self.qcow", "./self.qcow");
    assert_loop(f, "a.qcow", "a.qcow");
    assert_loop(f, "c.qcow", "link.qcow");
    assert_loop(f, "d.qcow", "hard.qcow");
}

static void test_chain_bad_name(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QList) list = NULL;

    make(f, "top.qcow", "qcow", "json:{\"driver\":\"file\",\"filename\":\"/etc/passwd\"}", "raw",
         NULL);
    list = info(f, "top.qcow", NULL, false, &error);
    g_assert_no_error(error);
    g_assert_null(info(f, "top.qcow", NULL, true, &error));
    g_assert_nonnull(error);
}

static void test_chain_policy(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    make(f, "base.raw", "raw", NULL, NULL, NULL);
    make(f, "top.qcow", "qcow", "base.raw", "raw", NULL);
    cairn_context_set_image_policy(f->ctx, CAIRN_IMAGE_POLICY_NONE);
    g_assert_null(info(f, "top.qcow", NULL, true, &error));
    g_assert_nonnull(error);
}

/* The owner's word on the backing file counts also where only the chain is looked at. */
static void test_chain_options(Fixture *f, gconstpointer data)
{
    g_autofree char *other = path_of(f, "other.raw");
    g_autofree char *options = g_strdup_printf("backing.file.filename=%s,backing.driver=raw",
                                               other);
    g_autoptr(GError) error = NULL;
    g_autoptr(QList) list = NULL;
    g_autoptr(QList) single = NULL;

    make(f, "other.raw", "raw", NULL, NULL, NULL);
    make(f, "top.qcow", "qcow", "nope.raw", "raw", NULL);
    list = info(f, "top.qcow", options, true, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(qlist_size(list), ==, 2);
    g_assert_cmpstr(qdict_get_try_str(entry(list, 1), "filename"), ==, other);
    single = info(f, "top.qcow", options, false, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(qlist_size(single), ==, 1);
}

#define ADD(path, func) \
    g_test_add(path, Fixture, NULL, fixture_set_up, func, fixture_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/info/image/has-the-schemas-keys", test_keys);
    ADD("/info/encrypted-image/needs-no-key", test_encrypted);
    ADD("/info/missing-image/is-named-twice", test_open_errors);
    ADD("/info/open-image/is-described", test_open_image);
    ADD("/info/chain/follows-relative-names", test_chain);
    ADD("/info/chain/missing-backing-file/is-an-error-of-the-chain-only", test_chain_missing);
    ADD("/info/chain/loop/is-found-by-name-and-inode", test_chain_loops);
    ADD("/info/chain/name-that-is-no-path/is-refused", test_chain_bad_name);
    ADD("/info/chain/policy/is-obeyed", test_chain_policy);
    ADD("/info/chain/owners-options/replace-the-stored-name", test_chain_options);
    return g_test_run();
}
