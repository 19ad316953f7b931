/* SPDX-License-Identifier: MIT */
/* Which errors about unknown names bring the nearest known one, and which do not. */
#include <errno.h>

#include <cairn/cairn.h>

static void assert_last_line(GError **error, const char *wanted)
{
    const char *line = strrchr((*error)->message, '\n');

    g_assert_cmpstr(line ? line + 1 : (*error)->message, ==, wanted);
    g_clear_error(error);
}

static void test_open(void)
{
    static const struct {
        const char *options, *wanted;
    } cases[] = {
        { "driver=rwa", "Did you mean 'raw'?" },
        { "driver=RAW", "Did you mean 'raw'?" },
        { "driver=qcow2", "Unknown driver 'qcow2'" },
        { "driver=frobnicate", "Unknown driver 'frobnicate'" },
        { "driver=raw,file.driver=fiel,file.filename=/dev/zero", "Did you mean 'file'?" },
        { "driver=raw,offfset=1,file.filename=/dev/zero", "Did you mean 'offset'?" },
        { "driver=raw,raed-only=on,file.filename=/dev/zero", "Did you mean 'read-only'?" },
        { "driver=raw,file.driver=file,file.filenam=/dev/zero", "Did you mean 'filename'?" },
        { "filename=/dev/zero", "Did you mean 'file.filename'?" },
        { "driver=raw,filename=/dev/zero", "Did you mean 'file.filename'?" },
        { "drvier=raw", "Did you mean 'driver'?" },
        { "bogus=1", "The option 'bogus' is neither." },
        { "driver=null-co,discard=x", "Accepted values of 'discard': ignore, unmap, off, on" },
        { "driver=null-co,detect-zeroes=x", "Accepted values of 'detect-zeroes': off, on, unmap" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CairnContext) ctx = cairn_context_new();
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].options);
        g_assert_null(blk_open_opts(ctx, cases[i].options, 0, &error));
        assert_last_line(&error, cases[i].wanted);
    }
}

static void test_name(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open(ctx, "fiel:/dev/zero", BLK_O_PROBE, &error));
    assert_last_line(&error, "Did you mean 'file'?");
    g_assert_null(blk_open(ctx, "dev:zero", BLK_O_PROBE, &error));          /* no such file */
    assert_last_line(&error, "Unknown protocol 'dev'");
    g_assert_null(blk_open(ctx, "raw:/dev/zero", BLK_O_PROBE, &error));     /* no protocol */
    assert_last_line(&error, "Unknown protocol 'raw'");
}

static void test_create(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    BlockMeasure measure;

    qdict_put_str(options, "preallocaton", "full");
    g_assert_false(blk_create(ctx, "/nowhere/x", "raw", options, 512, &error));
    assert_last_line(&error, "Did you mean 'preallocation'?");
    g_assert_false(blk_create(ctx, "/nowhere/x", "qcwo", NULL, 512, &error));
    assert_last_line(&error, "Did you mean 'qcow'?");
    g_assert_false(blk_create(ctx, "/nowhere/x", "vmdk", NULL, 512, &error));
    assert_last_line(&error, "Formats of new images: qcow, raw");
    g_assert_false(blk_measure(ctx, "qcwo", NULL, NULL, 512, &measure, &error));
    assert_last_line(&error, "Did you mean 'qcow'?");
    qdict_del(options, "preallocaton");
    qdict_put_str(options, "siez", "1");
    g_assert_false(blk_measure(ctx, "raw", options, NULL, 512, &measure, &error));
    assert_last_line(&error, "Did you mean 'size'?");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/suggest/open/misspelt-name/brings-the-nearest", test_open);
    g_test_add_func("/suggest/prefix/misspelt-name/brings-a-protocol", test_name);
    g_test_add_func("/suggest/create/misspelt-name/brings-the-nearest", test_create);
    return g_test_run();
}
