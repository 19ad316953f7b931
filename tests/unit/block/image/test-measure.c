/* SPDX-License-Identifier: MIT */
/* measure: what is asked of a driver, and what is refused before. The figures are the drivers' tests'. */
#include <errno.h>

#include "mem-driver.h"

static void test_raw(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;
    BlockMeasure measure = { 0 };

    g_assert_true(blk_measure(ctx, "raw", NULL, NULL, 1000, &measure, &error));
    g_assert_no_error(error);
    g_assert_cmpint(measure.required, ==, 1024);
    g_assert_cmpint(measure.fully_allocated, ==, 1024);
}

static void test_size_of_source(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    BlockMeasure measure = { 0 };

    g_assert_true(bdrv_register(ctx, &bdrv_mem, NULL));
    g_autoptr(BlockBackend) source = blk_open_opts(ctx, "driver=mem,size=4096", 0, NULL);

    g_assert_true(blk_measure(ctx, "raw", NULL, source, 7, &measure, NULL));
    g_assert_cmpint(measure.required, ==, 4096);
}

/* How the file is made does not change its size; but it must be an option of files. */
static void test_storage_options(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;
    BlockMeasure measure = { 0 };

    qdict_put_str(options, "preallocation", "full");
    g_assert_true(blk_measure(ctx, "raw", options, NULL, 4096, &measure, &error));
    g_assert_no_error(error);
    g_assert_cmpint(measure.required, ==, 4096);
    qdict_put_str(options, "nocow", "perhaps");
    g_assert_false(blk_measure(ctx, "raw", options, NULL, 4096, &measure, &error));
    g_assert_error(error, CAIRN_ERROR, EINVAL);
}

static void test_refusals(void)
{
    static const struct {
        const char *format, *option;
        int64_t size;
        int err;
        const char *message;
    } cases[] = {
        { "nope", NULL, 0, ENOENT, "Unknown file format 'nope'\n"
          "Formats of new images: qcow, raw" },
        { "mem", NULL, 0, ENOTSUP, "Block driver 'mem' does not support size measurement" },
        { "raw", "bogus", 0, EINVAL, "Invalid parameter 'bogus'" },
        { "raw", NULL, INT64_MAX, EFBIG, "The image size is too large for file format 'raw'" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CairnContext) ctx = cairn_context_new();
        g_autoptr(QDict) options = qdict_new();
        g_autoptr(GError) error = NULL;
        BlockMeasure measure;

        g_assert_true(bdrv_register(ctx, &bdrv_mem, NULL));
        if (cases[i].option) {
            qdict_put_str(options, cases[i].option, "1");
        }
        g_assert_false(blk_measure(ctx, cases[i].format, options, NULL, cases[i].size, &measure,
                                   &error));
        g_assert_error(error, CAIRN_ERROR, cases[i].err);
        g_assert_cmpstr(error->message, ==, cases[i].message);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/measure/raw/is-the-size-in-whole-sectors", test_raw);
    g_test_add_func("/measure/source/gives-the-size", test_size_of_source);
    g_test_add_func("/measure/options-of-storage/are-taken", test_storage_options);
    g_test_add_func("/measure/what-cannot-be/is-refused", test_refusals);
    return g_test_run();
}
