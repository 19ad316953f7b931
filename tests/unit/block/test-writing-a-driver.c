/* SPDX-License-Identifier: MIT */
/* The example of docs/writing-a-driver.md, as it stands on the page, does what the page says. */
#include <cairn/driver.h>

#include <glib/gstdio.h>

extern const BlockDriver bdrv_upper;

typedef struct Fixture {
    CairnContext *ctx;
    char *dir;
    char *path;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    f->ctx = cairn_context_new();
    f->dir = g_dir_make_tmp("cairn-upper-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "a.txt", NULL);
    g_assert_true(g_file_set_contents(f->path, "small Letters", -1, NULL));
    g_assert_true(bdrv_register(f->ctx, &bdrv_upper, NULL));
}

static void tear_down(Fixture *f, gconstpointer data)
{
    g_remove(f->path);
    g_rmdir(f->dir);
    g_free(f->path);
    g_free(f->dir);
    cairn_context_unref(f->ctx);
}

static BlockBackend *open_upper(Fixture *f, const char *more, int flags, GError **error)
{
    g_autofree char *options = g_strdup_printf("driver=upper,file.driver=file,file.filename=%s%s",
                                               f->path, more);

    return blk_open_opts(f->ctx, options, flags, error);
}

static void assert_reads(BlockBackend *blk, const char *text)
{
    char buf[13];

    g_assert_nonnull(blk);
    g_assert_cmpint(blk_pread(blk, 0, sizeof(buf), buf), ==, 0);
    g_assert_cmpmem(buf, sizeof(buf), text, 13);
}

static void test_letters_are_capitals(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_upper(f, "", 0, NULL);

    assert_reads(blk, "SMALL LETTERS");
}

static void test_option_turns_it_off(Fixture *f, gconstpointer data)
{
    g_autoptr(BlockBackend) blk = open_upper(f, ",off=on", 0, NULL);

    assert_reads(blk, "small Letters");
}

static void test_writer_is_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(open_upper(f, "", BLK_O_RDWR, &error));
    g_assert_cmpstr(error->message, ==, "Driver 'upper' cannot write");
}

static void test_unknown_option_names_driver_and_options(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(open_upper(f, ",of=on", 0, &error));
    g_assert_cmpstr(error->message, ==, "Block format 'upper' does not support the option 'of'\n"
                    "Its own options are: off.");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/page/example/letters-are-capitals", Fixture, NULL, set_up,
               test_letters_are_capitals, tear_down);
    g_test_add("/page/example/option-turns-it-off", Fixture, NULL, set_up,
               test_option_turns_it_off, tear_down);
    g_test_add("/page/example/writer-is-refused", Fixture, NULL, set_up, test_writer_is_refused,
               tear_down);
    g_test_add("/page/example/unknown-option/names-driver-and-options", Fixture, NULL, set_up,
               test_unknown_option_names_driver_and_options, tear_down);
    return g_test_run();
}
