/* SPDX-License-Identifier: MIT */
/* Creation: the rules of its options, its messages, and that nothing is touched too early. */
#include <errno.h>
#include <string.h>

#include "vault.h"

static QDict *options_of(const char *text)
{
    return text ? qdict_from_keyval(text, NULL, NULL) : NULL;
}

static BlockCreate *prepare(CairnContext *ctx, const char *name, const char *format,
                            const char *options, int64_t size, GError **error)
{
    g_autoptr(QDict) dict = options_of(options);

    return blk_create_prepare(ctx, name, format, NULL, NULL, dict, size, true, error);
}

static void assert_first_line(const GError *error, const char *message)
{
    g_autofree char *line = g_strndup(error->message, strcspn(error->message, "\n"));

    g_assert_cmpstr(line, ==, message);
}

static void make(CairnContext *ctx, const char *name, const char *format, int64_t size)
{
    g_autoptr(GError) error = NULL;

    blk_create(ctx, name, format, NULL, size, &error);
    g_assert_no_error(error);
}

/* ---- what is said --------------------------------------------------------- */

static void test_describe(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) options = options_of("hint=64k,shade=yes,box.colour=red,,blue,size=1k");
    g_autoptr(BlockCreate) create = NULL;
    g_autofree char *text = NULL;

    create = blk_create_prepare(ctx, "vault:it's", "toy", "a,b", "toy", options, -1, false,
                                &error);
    g_assert_no_error(error);
    text = blk_create_describe(create);
    g_assert_cmpstr(text, ==, "Formatting 'vault:it's', fmt=toy size=1024 backing_file=a,,b "
                    "backing_fmt=toy box.colour=red,,blue shade=yes hint=65536");
    g_assert_null(vault_file("it's"));
}

static void test_typed_options(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(QDict) options = qdict_new();
    QDict *box = qdict_new();
    g_autoptr(BlockCreate) create = NULL;
    g_autofree char *text = NULL;

    qdict_put_bool(options, "shade", true);
    qdict_put_int(options, "hint", 4096);
    qdict_put_str(box, "colour", "green");
    qdict_put(options, "box", box);
    create = blk_create_prepare(ctx, "vault:x", "toy", NULL, NULL, options, 512, true, NULL);
    text = blk_create_describe(create);
    g_assert_cmpstr(text, ==,
                    "Formatting 'vault:x', fmt=toy size=512 box.colour=green shade=on hint=4096");
}

static void test_help(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autofree char *with = blk_create_help(ctx, "careful", "vault:x", NULL);
    g_autofree char *without = blk_create_help(ctx, "careful", NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(with, ==, "Supported options:\n"
                    "  hint=<size>            - Piece size\n"
                    "  shade=<bool (on/off)>  - Keep out of the sun\n"
                    "  size=<size>            - Virtual disk size\n");
    g_assert_cmpstr(without, ==, "Supported careful options:\n"
                    "  size=<size>            - Virtual disk size\n"
                    "\nThe protocol level may support further options.\n"
                    "Specify the target filename to include those options.\n");
    g_assert_null(blk_create_help(ctx, "foo", NULL, &error));
    assert_first_line(error, "Unknown file format 'foo'");
}

/* ---- refusals of prepare ---------------------------------------------------- */

static void test_messages(void)
{
    const struct {
        const char *name, *format, *backing, *backing_format, *options;
        int64_t size;
        const char *message;
    } cases[] = {
        { "vault:x", "foo", NULL, NULL, NULL, 1, "Unknown file format 'foo'" },
        { "nix:x", "toy", NULL, NULL, NULL, 1, "Unknown protocol 'nix'" },
        { "sealed:x", "toy", NULL, NULL, NULL, 1,
          "Protocol driver 'sealed' does not support image creation" },
        { "vault:x", "sealed", NULL, NULL, NULL, 1,
          "Format driver 'sealed' does not support image creation" },
        { "vault:x", "toy", NULL, NULL, NULL, -1, "Image creation needs a size parameter" },
        { "vault:x", "toy", NULL, NULL, "size=1k", 1,
          "The image size must be specified only once" },
        { "vault:x", "toy", NULL, NULL, "bogus=1", 1, "Invalid parameter 'bogus'" },
        { "vault:x", "toy", NULL, NULL, "shade=1", 1, "Parameter 'shade' expects 'on' or 'off'" },
        { "vault:x", "toy", NULL, NULL, "size=1x", -1,
          "Parameter 'size' expects a non-negative number below 2^64" },
        { "vault:x", "toy", NULL, NULL, "size=9223372036854775808", -1,
          "The image size is too large for file format 'toy'" },
        { "vault:x", "careful", "b", NULL, NULL, 1,
          "Backing file not supported for file format 'careful'" },
        { "vault:x", "careful", NULL, "toy", NULL, 1,
          "Backing file format not supported for file format 'careful'" },
        { "vault:x", "careful", NULL, NULL, "backing_file=b", 1,
          "Invalid parameter 'backing_file'" },
        { "vault:x", "toy", "", NULL, NULL, 1, "Expected backing file name, got empty string" },
        { "vault:x", "toy", "vault:x", "toy", NULL, 1,
          "Error: Trying to create an image with the same filename as the backing file" },
        { "vault:x", "toy", "x", "toy", NULL, 1,
          "Error: Trying to create an image with the same filename as the backing file" },
        { "vault:x", "toy", "vault:nope", "toy", NULL, 1,
          "Could not open 'nope': No such file or directory" },
        { "vault:x", "toy", "vault:base", "foo", NULL, 1, "Unknown driver 'foo'" },
        { "vault:x", "toy", "vault:base", "careful", NULL, -1, NULL },
        { "vault:x", "toy", "vault:junk", "toy", NULL, 1, "Image not in toy format" },
        { "vault:x", "toy", "vault:base", NULL, NULL, 1,
          "Backing file specified without backing format" },
    };
    g_autoptr(CairnContext) ctx = vault_context_new();

    make(ctx, "vault:base", "toy", 4096);
    vault_put("junk", "junk", 4);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(QDict) options = options_of(cases[i].options);
        g_autoptr(GError) error = NULL;
        g_autoptr(BlockCreate) create = blk_create_prepare(
            ctx, cases[i].name, cases[i].format, cases[i].backing, cases[i].backing_format,
            options, cases[i].size, true, &error);

        g_test_message("case %zu", i);
        g_assert_cmpint(create == NULL, ==, cases[i].message != NULL);
        if (cases[i].message) {
            g_assert_cmpint(cairn_error_errno(error), >, 0);
            assert_first_line(error, cases[i].message);
        }
        g_assert_null(vault_file("x"));
    }
}

static void test_hints(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(GError) error = NULL;

    make(ctx, "vault:base", "toy", 4096);
    g_assert_null(blk_create_prepare(ctx, "vault:x", "toy", "vault:base", NULL, NULL, -1, true,
                                     &error));
    g_assert_cmpstr(error->message, ==,
                    "Backing file specified without backing format\nDetected format of toy.\n"
                    "If that is right, name it: -F toy (backing_fmt=toy).");
    g_clear_error(&error);
    g_assert_null(blk_create_prepare(ctx, "vault:x", "toy", "vault:base", NULL, NULL, -1, false,
                                     &error));
    g_assert_cmpstr(error->message, ==, "Backing file specified without backing format\n"
                    "Name it: -F FORMAT (backing_fmt=FORMAT).");
    g_clear_error(&error);
    g_assert_null(blk_create_prepare(ctx, "vault:x", "toy", "vault:nope", "toy", NULL, 1, true,
                                     &error));
    g_assert_true(g_str_has_suffix(error->message, "\nCould not open backing image."));
    g_clear_error(&error);
    g_assert_null(prepare(ctx, "vault:x", "toy", "bogus=1", 1, &error));
    g_assert_cmpstr(error->message, ==, "Invalid parameter 'bogus'\nOptions of 'toy' here: "
                    "size, backing_file, backing_fmt, box.colour, shade, hint");
}

/* ---- the backing file --------------------------------------------------------- */

static void test_backing_size(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockCreate) create = NULL;
    g_autoptr(BlockCreate) sized = NULL;
    g_autofree char *text = NULL;
    g_autofree char *sized_text = NULL;

    make(ctx, "vault:base", "toy", 12345 * 512);
    create = blk_create_prepare(ctx, "vault:x", "toy", "base", "toy", NULL, -1, true, NULL);
    text = blk_create_describe(create);
    g_assert_cmpstr(text, ==,
                    "Formatting 'vault:x', fmt=toy size=6320640 backing_file=base backing_fmt=toy");
    sized = blk_create_prepare(ctx, "vault:x", "toy", "base", "toy", NULL, 512, true, NULL);
    sized_text = blk_create_describe(sized);
    g_assert_nonnull(strstr(sized_text, " size=512 "));
}

static void count_warning(const char *text, void *opaque)
{
    *(int *)opaque += g_str_has_prefix(text, "The backing file name 'vault:base' is no plain path");
}

/* An image names plain paths only: a name that it could not follow is told when it is written. */
static void test_backing_protocol(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockCreate) with_protocol = NULL;
    g_autoptr(BlockCreate) plain = NULL;
    int warnings = 0;

    cairn_context_set_warn_func(ctx, count_warning, &warnings);
    make(ctx, "vault:base", "toy", 512);
    plain = blk_create_prepare(ctx, "vault:x", "toy", "base", "toy", NULL, -1, true, NULL);
    g_assert_nonnull(plain);
    g_assert_cmpint(warnings, ==, 0);
    with_protocol = blk_create_prepare(ctx, "vault:x", "toy", "vault:base", "toy", NULL, -1, true,
                                       NULL);
    g_assert_nonnull(with_protocol);
    g_assert_cmpint(warnings, ==, 1);
}

/* ---- running -------------------------------------------------------------------- */

static void test_run(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockBackend) blk = NULL;
    g_autoptr(GError) error = NULL;

    vault_put("x", "old", 3);
    make(ctx, "vault:x", "toy", 77824);
    g_assert_cmpint(vault_flushes(), >=, 1);
    blk = blk_open_opts(ctx, "driver=toy,file.driver=vault,file.filename=x", 0, &error);
    g_assert_no_error(error);
    g_assert_cmpint(blk_getlength(blk), ==, 77824);
}

static void test_run_protocol(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();

    make(ctx, "vault:x", "vault", 100);
    g_assert_cmpuint(vault_file("x")->len, ==, 100);
}

static void test_run_twice_is_independent(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockCreate) create = prepare(ctx, "vault:x", "careful", "hint=1k", 512, NULL);

    g_assert_true(blk_create_run(create, NULL));
    g_assert_true(blk_create_run(create, NULL));
    g_assert_cmpuint(vault_file("x")->len, ==, 64);
}

static void test_run_elsewhere(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    g_autoptr(BlockCreate) create = prepare(ctx, "vault:x", "careful", "hint=1k", 512, NULL);
    g_autofree char *text = NULL;

    g_assert_true(blk_create_run_at(create, "vault:y", NULL));
    g_assert_cmpuint(vault_file("y")->len, ==, 64);
    g_assert_null(vault_file("x"));
    text = blk_create_describe(create);
    g_assert_true(g_str_has_prefix(text, "Formatting 'vault:x'"));
}

static void assert_run_fails(CairnContext *ctx, const char *format, const char *options,
                             const char *message)
{
    g_autoptr(BlockCreate) create = prepare(ctx, "vault:x", format, options, -1, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_create_run(create, &error));
    g_assert_cmpstr(error->message, ==, message);
}

static void test_early_failure(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();

    vault_put("x", "precious", 8);
    assert_run_fails(ctx, "careful", "size=0", "Image size is too small, cannot be zero length");
    assert_run_fails(ctx, "toy", "size=1k,backing_fmt=garbage",
                     "unrecognized backing format 'garbage'");
    vault_fail_create(EACCES);
    assert_run_fails(ctx, "toy", "size=1k", "Could not create 'x': Permission denied");
    g_assert_cmpmem(vault_file("x")->data, vault_file("x")->len, "precious", 8);
}

static void test_late_failure(void)
{
    g_autoptr(CairnContext) ctx = vault_context_new();
    char **nodes;

    toy_fail_create(ENOSPC);
    assert_run_fails(ctx, "toy", "size=1k", "Could not make a toy: No space left on device");
    toy_fail_create(0);
    vault_fail_flush(EIO);
    assert_run_fails(ctx, "toy", "size=1k", "Could not write 'vault:x': Input/output error");
    vault_fail_flush(0);
    nodes = cairn_context_list_nodes(ctx);
    g_assert_null(nodes[0]);            /* nothing is left open */
    g_strfreev(nodes);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/create/describe/keeps-the-tables-order-and-the-users-words", test_describe);
    g_test_add_func("/create/typed-and-nested-options/are-texts-and-flat", test_typed_options);
    g_test_add_func("/create/help/lists-both-tables", test_help);
    g_test_add_func("/create/each-mistake/has-its-message", test_messages);
    g_test_add_func("/create/hints/say-what-would-work", test_hints);
    g_test_add_func("/create/backing-file/gives-the-size", test_backing_size);
    g_test_add_func("/create/backing-name-with-protocol/is-warned-of", test_backing_protocol);
    g_test_add_func("/create/run/makes-an-image-that-opens", test_run);
    g_test_add_func("/create/protocol-driver/is-created-directly", test_run_protocol);
    g_test_add_func("/create/second-run/works-alike", test_run_twice_is_independent);
    g_test_add_func("/create/run-at-another-name/leaves-the-own-alone", test_run_elsewhere);
    g_test_add_func("/create/early-failure/leaves-the-old-file", test_early_failure);
    g_test_add_func("/create/late-failure/is-reported-and-closed", test_late_failure);
    return g_test_run();
}
