/* SPDX-License-Identifier: MIT */
/* Names: protocols, folders, and what a node is called. */
#include "mem-driver.h"

static const struct {
    const char *claim;
    const char *path;
    bool has_protocol;
} protocols[] = {
    { "/filename/protocol/x:y/has-one", "x:y", true },
    { "/filename/protocol/json/has-one", "json:{}", true },
    { "/filename/protocol/empty-prefix/has-one", ":x", true },
    { "/filename/protocol/plain/has-none", "a.img", false },
    { "/filename/protocol/colon-after-slash/has-none", "./a:b", false },
    { "/filename/protocol/absolute/has-none", "/a:b", false },
    { "/filename/protocol/empty/has-none", "", false },
};

static void test_protocol(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);

    g_assert_cmpint(path_has_protocol(protocols[i].path), ==, protocols[i].has_protocol);
}

static const struct {
    const char *claim;
    const char *dir, *name, *path;
} combinations[] = {
    { "/filename/combine/relative/goes-into-the-folder", "d", "n", "d/n" },
    { "/filename/combine/slash/is-not-doubled", "d/", "n", "d/n" },
    { "/filename/combine/absolute/replaces", "d", "/n", "/n" },
    { "/filename/combine/no-folder/leaves-the-name", "", "n", "n" },
    { "/filename/combine/up/is-kept", "d/", "../n", "d/../n" },
};

static void test_combine(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *path = path_combine(combinations[i].dir, combinations[i].name);

    g_assert_cmpstr(path, ==, combinations[i].path);
}

static const struct {
    const char *claim;
    const char *name, *stripped;
} strips[] = {
    { "/filename/strip/own-prefix/goes", "file:b.raw", "b.raw" },
    { "/filename/strip/colon-behind/is-shielded", "file:a:b", "./a:b" },
    { "/filename/strip/colon-after-slash/stays", "file:/a:b", "/a:b" },
    { "/filename/strip/other-prefix/stays", "files:x", "files:x" },
    { "/filename/strip/none/stays", "x", "x" },
};

static void test_strip(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autofree char *path = path_strip_protocol(strips[i].name, "file");

    g_assert_cmpstr(path, ==, strips[i].stripped);
}

/* ---- what a node is called ---- */

/* A protocol whose names are paths. */
static const OptionDesc path_options[] = {
    { "filename", OPTION_STRING, "Path" },
    { "locking", OPTION_STRING, "Does not change what is read" },
    { NULL },
};

static const char *const path_strong[] = { "filename", NULL };

static bool path_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    MemState *s = bs->opaque;

    s->size = 65536;
    s->data = g_malloc0((gsize)s->size);
    memcpy(s->data, "TFMT", 4);
    return true;
}

static const BlockDriver bdrv_path = {
    .format_name = "path",
    .protocol_name = "path",
    .instance_size = sizeof(MemState),
    .runtime_options = path_options,
    .strong_runtime_opts = path_strong,
    .bdrv_open = path_open,
    .bdrv_close = mem_close,
    .bdrv_co_getlength = mem_co_getlength,
    .bdrv_co_preadv = mem_co_preadv,
};

#define ON_PATH "driver=tf,file.driver=path,file.filename=d/x"

static const struct {
    const char *claim;
    const char *options;
    const char *name;
} names[] = {
    { "/filename/of/protocol/is-its-own", "driver=path,filename=d/x", "path:d/x" },
    { "/filename/of/protocol-weak-option/is-its-own", "driver=path,filename=x,locking=off",
      "path:x" },
    { "/filename/of/format/is-its-file", ON_PATH, "path:d/x" },
    { "/filename/of/format-weak-options/is-its-file",
      ON_PATH ",speed=3,file.locking=off,cache.direct=off,node-name=n", "path:d/x" },
    { "/filename/of/format-strong-option/is-json", ON_PATH ",flavour=mint",
      "json:{\"driver\": \"tf\", \"flavour\": \"mint\", "
      "\"file\": {\"driver\": \"path\", \"filename\": \"d/x\"}}" },
    { "/filename/of/format-on-format/is-json",
      "driver=tf,file.driver=raw-like,file.file.driver=path,file.file.filename=x",
      "json:{\"driver\": \"tf\", \"file\": {\"driver\": \"raw-like\", "
      "\"file\": {\"driver\": \"path\", \"filename\": \"x\"}}}" },
    { "/filename/of/size-text/is-kept-as-given", "driver=mem,size=4k",
      "json:{\"driver\": \"mem\", \"size\": \"4k\"}" },
    { "/filename/of/backing-of-the-owner/is-json",
      ON_PATH ",backing.driver=path,backing.filename=y",
      "json:{\"driver\": \"tf\", \"file\": {\"driver\": \"path\", \"filename\": \"d/x\"}, "
      "\"backing\": {\"driver\": \"path\", \"filename\": \"y\"}}" },
    { "/filename/of/quote/is-escaped", "driver=path,filename=a\"b,locking=on", "path:a\"b" },
};

static bool rawlike_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED, error);
}

static const BlockDriver bdrv_rawlike = {
    .format_name = "raw-like", .is_filter = true, .bdrv_open = rawlike_open,
};

static CairnContext *name_context_new(void)
{
    CairnContext *ctx = test_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_path, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_rawlike, NULL));
    return ctx;
}

static void test_name(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = name_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, names[i].options, 0);

    g_assert_cmpstr(blk_get_filename(blk), ==, names[i].name);
}

/* A name opens the same thing again. */
static void test_name_reopens(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = name_context_new();
    g_autoptr(GError) error = NULL;

    g_autoptr(BlockBackend) blk = blk_open(ctx, names[i].name, 0, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(blk_get_filename(blk), ==, names[i].name);
}

static void test_folder_of_no_file_is_unknown(void)
{
    g_autoptr(CairnContext) ctx = name_context_new();
    g_autoptr(BlockBackend) mem = test_open_opts(ctx, "driver=mem", 0);

    g_assert_null(bdrv_image_dir(mem->root->bs));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(protocols); i++) {
        g_test_add_data_func(protocols[i].claim, GSIZE_TO_POINTER(i), test_protocol);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(combinations); i++) {
        g_test_add_data_func(combinations[i].claim, GSIZE_TO_POINTER(i), test_combine);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(strips); i++) {
        g_test_add_data_func(strips[i].claim, GSIZE_TO_POINTER(i), test_strip);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *again = g_strconcat(names[i].claim, "/opens-again", NULL);

        g_test_add_data_func(names[i].claim, GSIZE_TO_POINTER(i), test_name);
        if (g_str_has_prefix(names[i].name, "json:")) {
            g_test_add_data_func(again, GSIZE_TO_POINTER(i), test_name_reopens);
        }
    }
    g_test_add_func("/filename/folder/of-no-file/is-unknown", test_folder_of_no_file_is_unknown);
    return g_test_run();
}
