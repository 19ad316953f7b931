/* SPDX-License-Identifier: MIT */
/* Probing: scores, magics of formats that this build does not have, and what a guess leads to. */
#include "mem-driver.h"

#define GUESS "file.driver=mem,file.hex="

/* raw, as far as probing is concerned. */
static int rawlike_probe(const uint8_t *buf, size_t bytes, const char *filename)
{
    return 1;
}

static bool rawlike_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static const BlockDriver bdrv_rawlike = {
    .format_name = "rawlike",
    .is_format = true,
    .bdrv_probe = rawlike_probe,
    .bdrv_open = rawlike_open,
};

static CairnContext *probe_context_new(void)
{
    CairnContext *ctx = test_context_new();

    if (!bdrv_find_format(ctx, "raw")) {
        g_assert_true(bdrv_register(ctx, &bdrv_rawlike, NULL));
    }
    return ctx;
}

/* First bytes that are a format's, whether or not it is here. */
static const struct {
    const char *claim;
    const char *bytes;
    size_t length;
    const char *format;
} magics[] = {
#define CASE(claim, bytes, format) { "/probe/magic/" claim, bytes, sizeof(bytes) - 1, format }
    CASE("qcow-1/is-qcow", "QFI\xfb\0\0\0\1", "qcow"),
    CASE("qcow-2/is-qcow2", "QFI\xfb\0\0\0\2", "qcow2"),
    CASE("qcow-3/is-qcow2", "QFI\xfb\0\0\0\3", "qcow2"),
    CASE("qcow-4294967295/is-qcow2", "QFI\xfb\xff\xff\xff\xff", "qcow2"),
    CASE("qcow-0/is-not-raw", "QFI\xfb\0\0\0\0", "qcow2"),
    CASE("qcow-cut/is-not-raw", "QFI\xfb", "qcow2"),
    CASE("qed/is-known", "QED\0", "qed"),
    CASE("vmdk-sparse/is-known", "KDMV", "vmdk"),
    CASE("vmdk-old/is-known", "COWD", "vmdk"),
    CASE("vmdk-text/is-known", "# Disk DescriptorFile\nversion=1\n", "vmdk"),
    CASE("vhdx/is-known", "vhdxfile", "vhdx"),
    CASE("vpc/is-known", "conectix", "vpc"),
    CASE("parallels/is-known", "WithoutFreeSpace", "parallels"),
    CASE("parallels-new/is-known", "WithouFreSpacExt", "parallels"),
    CASE("bochs/is-known", "Bochs Virtual HD Image", "bochs"),
    CASE("cloop/is-known", "#!/bin/sh\n#V2.0 Format\n", "cloop"),
    CASE("dmg/is-known", "koly", "dmg"),
    CASE("luks/is-known", "LUKS\xba\xbe\0\1", "luks"),
    CASE("qfi-only/is-nothing", "QFI", NULL),
    CASE("cut-vhdx/is-nothing", "vhdxfil", NULL),
    CASE("shell-script/is-nothing", "#!/bin/sh\necho\n", NULL),
    CASE("nothing/is-nothing", "", NULL),
    CASE("one-byte-later/is-nothing", "\0QFI\xfb\0\0\0\1", NULL),
#undef CASE
};

static void test_magic(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);

    g_assert_cmpstr(bdrv_known_magic((const uint8_t *)magics[i].bytes, magics[i].length), ==,
                    magics[i].format);
}

static void test_vdi_magic_stands_at_64(void)
{
    uint8_t buf[68] = { 0 };

    memcpy(buf + 64, "\x7f\x10\xda\xbe", 4);
    g_assert_cmpstr(bdrv_known_magic(buf, 68), ==, "vdi");
    g_assert_null(bdrv_known_magic(buf, 67));
}

/* ---- opening by a guess ---- */

static void test_format_is_guessed(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, GUESS TF_HEX, BLK_O_PROBE);

    g_assert_cmpstr(blk_get_format(blk), ==, "tf");
    g_assert_cmpint(blk_get_probe_score(blk), ==, 90);
    g_assert_true(blk->root->bs->probed);
}

static void test_named_format_has_no_score(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=tf," GUESS TF_HEX, BLK_O_PROBE);

    g_assert_cmpint(blk_get_probe_score(blk), ==, 0);
    g_assert_false(blk->root->bs->probed);
}

static void test_guess_needs_leave(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autofree char *message = test_open_failure(ctx, NULL, GUESS TF_HEX, 0);

    g_assert_cmpstr(message, ==, "no format given: name it, or allow probing");
}

static void test_known_format_is_never_raw(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open_opts(ctx, GUESS "514649fb00000002", BLK_O_PROBE, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
    g_assert_true(g_str_has_prefix(error->message,
                                   "Format 'qcow2' is not supported by this build\n"));
    g_assert_nonnull(strstr(error->message, "-f raw"));
}

static void test_known_format_with_a_driver_is_opened(void)
{
    static const BlockDriver qed = { .format_name = "qed", .bdrv_open = rawlike_open };
    g_autoptr(CairnContext) ctx = probe_context_new();

    g_assert_true(bdrv_register(ctx, &qed, NULL));
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, GUESS "51454400", BLK_O_PROBE);

    g_assert_cmpstr(blk_get_format(blk), ==, "qed");
}

static void test_file_shorter_than_a_sector_is_guessed(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "file.size=3," GUESS "514649",
                                                 BLK_O_PROBE);

    g_assert_cmpint(blk_get_probe_score(blk), ==, 1);
}

static void test_empty_file_is_raw(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "file.driver=mem,file.size=0",
                                                 BLK_O_PROBE);

    g_assert_cmpint(blk_get_probe_score(blk), ==, 1);
}

static void test_cairn_probe_tells_name_and_score(void)
{
    g_autoptr(CairnContext) ctx = probe_context_new();
    int score = 0;

    g_assert_cmpstr(cairn_probe(ctx, "json:{'driver':'mem','hex':'" TF_HEX "'}", &score, NULL),
                    ==, "tf");
    g_assert_cmpint(score, ==, 90);
    g_assert_nonnull(cairn_probe(ctx, "mem:4k", NULL, NULL));
    g_assert_null(cairn_probe(ctx, "json:{'driver':'mem','hex':'514649fb00000002'}", NULL,
                              NULL));
}

/* ---- the warning ---- */

static void keep_text(const char *text, void *opaque)
{
    g_string_append(opaque, text);
}

static const struct {
    const char *claim;
    const char *options;
    int flags;
    bool warns;
} warnings[] = {
    { "/probe/warning/writable-guess-of-raw/is-given", GUESS "00",
      BLK_O_PROBE | BLK_O_WARN_PROBE | BLK_O_RDWR, true },
    { "/probe/warning/read-only/is-not-given", GUESS "00", BLK_O_PROBE | BLK_O_WARN_PROBE,
      false },
    { "/probe/warning/not-asked-for/is-not-given", GUESS "00", BLK_O_PROBE | BLK_O_RDWR, false },
    { "/probe/warning/guess-of-a-format/is-not-given", GUESS TF_HEX,
      BLK_O_PROBE | BLK_O_WARN_PROBE | BLK_O_RDWR, false },
};

static void test_warning(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = probe_context_new();
    g_autoptr(GString) heard = g_string_new(NULL);

    cairn_context_set_warn_func(ctx, keep_text, heard);
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, warnings[i].options, warnings[i].flags);

    if (!warnings[i].warns) {
        g_assert_cmpstr(heard->str, ==, "");
        return;
    }
    g_autofree char *wanted = g_strdup_printf(
        "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
        "         Automatically detecting the format is dangerous for raw images, "
        "write operations on block 0 will be restricted.\n"
        "         Specify the 'raw' format explicitly to remove the restrictions.",
        blk_get_filename(blk));

    g_assert_cmpstr(heard->str, ==, wanted);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++) {
        g_test_add_data_func(magics[i].claim, GSIZE_TO_POINTER(i), test_magic);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(warnings); i++) {
        g_test_add_data_func(warnings[i].claim, GSIZE_TO_POINTER(i), test_warning);
    }
    g_test_add_func("/probe/magic/vdi/stands-at-64", test_vdi_magic_stands_at_64);
    g_test_add_func("/probe/open/format-is-guessed", test_format_is_guessed);
    g_test_add_func("/probe/open/named-format/has-no-score", test_named_format_has_no_score);
    g_test_add_func("/probe/open/without-leave/is-refused", test_guess_needs_leave);
    g_test_add_func("/probe/open/known-format-not-here/is-refused",
                    test_known_format_is_never_raw);
    g_test_add_func("/probe/open/known-format-here/is-opened",
                    test_known_format_with_a_driver_is_opened);
    g_test_add_func("/probe/open/short-file/is-guessed",
                    test_file_shorter_than_a_sector_is_guessed);
    g_test_add_func("/probe/open/empty-file/is-raw", test_empty_file_is_raw);
    g_test_add_func("/probe/cairn-probe/tells-name-and-score",
                    test_cairn_probe_tells_name_and_score);
    return g_test_run();
}
