/* SPDX-License-Identifier: MIT */
/* Opening: names, options, messages. */
#include "mem-driver.h"

#define TF "driver=tf,file.driver=mem,file.hex=" TF_HEX

/* Opening ends with just this message. */
static const struct {
    const char *claim;
    const char *filename;       /* or options */
    const char *options;
    int flags;
    const char *message;
} failures[] = {
    { "/open/driver-unknown/is-refused", NULL, "driver=foo", 0, "Unknown driver 'foo'" },
    { "/open/child-driver-unknown/is-refused", NULL, "driver=tf,file.driver=foo", 0,
      "Unknown driver 'foo'" },
    { "/open/protocol-unknown/is-refused", "x:y", NULL, BLK_O_PROBE, "Unknown protocol 'x'" },
    { "/open/no-format/is-refused", "nope", NULL, 0,
      "no format given: name it, or allow probing" },
    { "/open/format-without-file/is-refused", NULL, "driver=tf", 0,
      "A block device must be specified for \"file\"" },
    { "/open/nothing-usable/is-refused", NULL, "read-only=on", BLK_O_PROBE,
      "Must specify either driver or file" },
    { "/open/filename-without-driver/is-refused", NULL, "filename=x", BLK_O_PROBE,
      "Must specify either driver or file" },
    { "/open/child-without-driver-or-name/is-refused", NULL, "driver=tf,file.size=1", 0,
      "Must specify either driver or file" },
    { "/open/node-unknown/is-refused", NULL, "X", 0,
      "Cannot find device='X' nor node-name='X'" },
    { "/open/file-node-unknown/is-refused", NULL, "driver=tf,file=X", 0,
      "Cannot find device='X' nor node-name='X'" },
    { "/open/option-unknown/format-names-it", NULL, TF ",bogus=1", 0,
      "Block format 'tf' does not support the option 'bogus'" },
    { "/open/option-unknown/protocol-names-it", NULL, TF ",file.bogus=1", 0,
      "Block protocol 'mem' doesn't support the option 'bogus'" },
    { "/open/option-nested-unknown/names-it-whole", NULL, TF ",a.b=1", 0,
      "Block format 'tf' does not support the option 'a.b'" },
    { "/open/backing-options-without-backing/are-refused", NULL, "driver=mem,backing.driver=mem",
      0, "Block protocol 'mem' doesn't support the option 'backing.driver'" },
    { "/open/node-name-invalid/is-refused", NULL, "driver=mem,node-name=0bad", 0,
      "Invalid node-name: '0bad'" },
    { "/open/node-name-made-up/is-refused", NULL, "driver=mem,node-name=#block7", 0,
      "Invalid node-name: '#block7'" },
    { "/open/node-name-empty/is-refused", NULL, "driver=mem,node-name=", 0,
      "Invalid node-name: ''" },
    { "/open/node-name-of-32/is-refused", NULL,
      "driver=mem,node-name=a1234567890123456789012345678901", 0, "Node name too long" },
    { "/open/node-name-twice/is-refused", NULL, TF ",node-name=a,file.node-name=a", 0,
      "Duplicate nodes with node-name='a'" },
    { "/open/bool-invalid/is-refused", NULL, "driver=mem,cache.direct=x", 0,
      "Parameter 'cache.direct' expects 'on' or 'off'" },
    { "/open/discard-invalid/is-refused", NULL, "driver=mem,discard=x", 0,
      "Invalid discard option" },
    { "/open/detect-zeroes-invalid/is-refused", NULL, "driver=mem,detect-zeroes=foo", 0,
      "invalid parameter value: foo" },
    { "/open/detect-zeroes-unmap-alone/is-refused", NULL, "driver=mem,detect-zeroes=unmap", 0,
      "setting detect-zeroes to unmap is not allowed without setting discard operation to unmap" },
    { "/open/force-share-writable/is-refused", NULL, "driver=mem,force-share=on", BLK_O_RDWR,
      "force-share=on can only be used with read-only images" },
    { "/open/json-cut/is-refused", "json:{\"driver\":\"mem\"", NULL, 0,
      "Could not parse the JSON options: JSON parse error, premature EOI" },
    { "/open/json-no-object/is-refused", "json:[1]", NULL, 0, "Invalid JSON object given" },
    { "/open/json-empty/is-refused", "json:{}", NULL, BLK_O_PROBE,
      "Must specify either driver or file" },
    { "/open/file-neither-name-nor-object/is-refused",
      "json:{\"driver\":\"tf\",\"file\":7}", NULL, 0,
      "Invalid parameter type for 'file', expected: string or object" },
    { "/open/driver-open-fails/gives-its-message", NULL, "driver=tf,file.driver=mem", 0,
      "Image not in tf format" },
};

static void test_failure(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autofree char *message = test_open_failure(ctx, failures[i].filename, failures[i].options,
                                                 failures[i].flags);
    g_auto(GStrv) nodes = cairn_context_list_nodes(ctx);

    g_assert_cmpstr(message, ==, failures[i].message);
    g_assert_null(nodes[0]);    /* nothing is left behind */
    g_assert_cmpuint(ctx->backends->len, ==, 0);
}

static void test_unknown_option_hints_at_the_known(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(blk_open_opts(ctx, TF ",bogus=1", 0, &error));
    g_assert_nonnull(strstr(error->message, "\nIts own options are: flavour, speed."));
}

/* ---- spellings ---- */

static void assert_is_tf_on_mem(BlockBackend *blk)
{
    g_assert_cmpstr(blk_get_format(blk), ==, "tf");
    g_assert_cmpstr(blk->root->bs->file->bs->drv->format_name, ==, "mem");
}

static void test_json_nested_and_dotted_agree(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) nested = blk_open(
        ctx, "json:{\"driver\":\"tf\",\"file\":{\"driver\":\"mem\",\"hex\":\"" TF_HEX "\"}}", 0,
        NULL);
    g_autoptr(BlockBackend) dotted = blk_open(
        ctx, "json:{'driver':'tf','file.driver':'mem','file.hex':'" TF_HEX "'}", 0, NULL);

    assert_is_tf_on_mem(nested);
    assert_is_tf_on_mem(dotted);
}

static void test_options_win_over_json(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(QDict) options = qdict_new();

    qdict_put_str(options, "node-name", "given");
    g_autoptr(BlockBackend) blk = blk_open_qdict(
        ctx, "json:{'driver':'mem','node-name':'json','size':4096}", options, 0, NULL);

    g_assert_cmpstr(blk_get_node_name(blk), ==, "given");
    g_assert_cmpint(blk_getlength(blk), ==, 4096);
    g_assert_cmpuint(qdict_size(options), ==, 1);
}

static void test_nested_qdict_is_not_changed(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(QDict) options = qdict_new();
    QDict *file = qdict_new();

    qdict_put_str(file, "driver", "mem");
    qdict_put_str(file, "hex", TF_HEX);
    qdict_put_str(options, "driver", "tf");
    qdict_put(options, "file", file);
    g_autoptr(BlockBackend) blk = blk_open_qdict(ctx, NULL, options, 0, NULL);

    assert_is_tf_on_mem(blk);
    g_assert_true(qdict_get_qdict(options, "file") == file);
    g_assert_cmpuint(qdict_size(file), ==, 2);
}

static void test_protocol_name_is_parsed_by_the_driver(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(QDict) options = qdict_new();

    qdict_put_str(options, "driver", "mem");
    g_autoptr(BlockBackend) blk = blk_open_qdict(ctx, "mem:8k", options, 0, NULL);

    g_assert_cmpint(blk_getlength(blk), ==, 8192);
}

static void test_node_is_shared_by_reference(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) mem = test_open_opts(ctx, "driver=mem,node-name=m,hex=" TF_HEX, 0);
    g_autoptr(BlockBackend) tf = test_open_opts(ctx, "driver=tf,file=m", 0);

    g_assert_true(tf->root->bs->file->bs == mem->root->bs);
    blk_close(mem);
    g_assert_nonnull(bdrv_find_node(ctx, "m"));
}

static void test_made_up_names_differ(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, "driver=mem", 0);
    g_autoptr(BlockBackend) b = test_open_opts(ctx, "driver=mem", 0);

    g_assert_true(g_str_has_prefix(blk_get_node_name(a), "#block"));
    g_assert_cmpstr(blk_get_node_name(a), !=, blk_get_node_name(b));
}

static bool empty_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return true;
}

static void test_name_that_nobody_takes_is_refused(void)
{
    static const BlockDriver empty = {
        .format_name = "empty", .is_format = true, .bdrv_open = empty_open,
    };
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(bdrv_register(ctx, &empty, NULL));
    qdict_put_str(options, "driver", "empty");
    g_assert_null(blk_open_qdict(ctx, "mem:4k", options, 0, &error));
    g_assert_cmpstr(error->message, ==, "Driver 'empty' takes no file name ('mem:4k')");
}

/* ---- flags ---- */

#define CHILD_FLAGS (BLK_O_RDWR | BLK_O_NOCACHE | BLK_O_NO_FLUSH | BLK_O_UNMAP \
                     | BLK_O_FORCE_SHARE | BLK_O_AUTO_RDONLY)

static const struct {
    const char *claim;
    const char *options;
    int flags;
    int root, file;             /* of CHILD_FLAGS */
} inherited[] = {
    { "/open/flags/none/format-file-may-discard", "", 0, 0, BLK_O_UNMAP },
    { "/open/flags/writable/child-follows", "", BLK_O_RDWR, BLK_O_RDWR,
      BLK_O_RDWR | BLK_O_UNMAP },
    { "/open/flags/direct/child-follows", ",cache.direct=on", 0, BLK_O_NOCACHE,
      BLK_O_NOCACHE | BLK_O_UNMAP },
    { "/open/flags/direct-off/overrides", ",cache.direct=off", BLK_O_NOCACHE, 0, BLK_O_UNMAP },
    { "/open/flags/no-flush/child-may-differ", ",cache.no-flush=on,file.cache.no-flush=off", 0,
      BLK_O_NO_FLUSH, BLK_O_UNMAP },
    { "/open/flags/discard/overrides", ",discard=unmap", 0, BLK_O_UNMAP, BLK_O_UNMAP },
    { "/open/flags/force-share/child-follows", ",force-share=on", 0, BLK_O_FORCE_SHARE,
      BLK_O_FORCE_SHARE | BLK_O_UNMAP },
    { "/open/flags/read-only-off/overrides", ",read-only=off", 0, BLK_O_RDWR,
      BLK_O_RDWR | BLK_O_UNMAP },
};

static void test_flags(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autofree char *options = g_strconcat(TF, inherited[i].options, NULL);
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, options, inherited[i].flags);
    BlockDriverState *bs = blk->root->bs;

    g_assert_cmphex(bs->open_flags & CHILD_FLAGS, ==, inherited[i].root);
    g_assert_cmphex(bs->file->bs->open_flags & CHILD_FLAGS, ==, inherited[i].file);
    g_assert_cmpint(bs->read_only, ==, !(inherited[i].root & BLK_O_RDWR));
}

/* A protocol that finds itself unable to write. */
static bool rom_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    bs->read_only = true;
    bs->open_flags &= ~BLK_O_RDWR;
    return mem_open(bs, opts, flags, error);
}

static void test_auto_read_only_rises(void)
{
    BlockDriver rom = bdrv_mem;
    g_autoptr(CairnContext) ctx = test_context_new();

    rom.format_name = rom.protocol_name = "rom";
    rom.bdrv_open = rom_open;
    g_assert_true(bdrv_register(ctx, &rom, NULL));
    BlockBackend *blk = test_open_opts(ctx, "driver=tf,file.driver=rom,file.hex=" TF_HEX,
                                       BLK_O_RDWR | BLK_O_AUTO_RDONLY);

    g_assert_true(blk->root->bs->read_only);
    g_assert_false(blk_is_writable(blk));
    blk_unref(blk);
    g_autofree char *message = test_open_failure(
        ctx, NULL, "driver=tf,file.driver=rom,file.hex=" TF_HEX, BLK_O_RDWR);

    g_assert_cmpstr(message, ==, "Block node is read-only");
}

/* ---- the handle ---- */

static void test_closed_backend_answers(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=mem", BLK_O_RDWR);
    g_autoptr(QDict) none = qdict_new();
    uint8_t byte;

    g_assert_cmpint(blk_close(blk), ==, 0);
    g_assert_cmpint(blk_close(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, -ENOMEDIUM);
    g_assert_cmpstr(blk_get_format(blk), ==, "");
    g_assert_cmpstr(blk_get_filename(blk), ==, "");
    g_assert_false(blk_is_writable(blk));
    g_assert_false(blk_reopen(blk, none, NULL));
}

static void test_data_goes_through(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",file.node-name=m", BLK_O_RDWR);
    uint8_t in[3] = { 1, 2, 3 }, out[3];

    g_assert_cmpint(blk_pwrite(blk, 7, 3, in, 0), ==, 0);
    g_assert_cmpint(blk_pread(blk, 7, 3, out), ==, 0);
    g_assert_cmpmem(in, 3, out, 3);
    g_assert_cmpmem(test_mem(ctx, "m")->data + TF_HEADER_BYTES + 7, 3, in, 3);
}

/* ---- detect-zeroes ---- */

static const struct {
    const char *claim;
    const char *options;
    uint8_t byte;
    int writes, zeroes, zero_flags;
} detections[] = {
    { "/open/detect-zeroes/off/data-is-written", "", 0, 1, 0, 0 },
    { "/open/detect-zeroes/on/zeros-are-zeroed", ",detect-zeroes=on", 0, 0, 1, 0 },
    { "/open/detect-zeroes/on/data-is-written", ",detect-zeroes=on", 1, 1, 0, 0 },
    { "/open/detect-zeroes/unmap/zeros-may-be-unmapped", ",detect-zeroes=unmap,discard=unmap", 0,
      0, 1, BDRV_REQ_MAY_UNMAP },
};

static void test_detect_zeroes(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autofree char *options = g_strconcat("driver=mem,node-name=m", detections[i].options, NULL);
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, options, BLK_O_RDWR);
    uint8_t buf[4096] = { [4095] = detections[i].byte };

    g_assert_cmpint(blk_pwrite(blk, 0, sizeof(buf), buf, 0), ==, 0);
    g_assert_cmpint(test_mem(ctx, "m")->writes, ==, detections[i].writes);
    g_assert_cmpint(test_mem(ctx, "m")->zeroes, ==, detections[i].zeroes);
    g_assert_cmpint(test_mem(ctx, "m")->zero_flags, ==, detections[i].zero_flags);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
        g_test_add_data_func(failures[i].claim, GSIZE_TO_POINTER(i), test_failure);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(inherited); i++) {
        g_test_add_data_func(inherited[i].claim, GSIZE_TO_POINTER(i), test_flags);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(detections); i++) {
        g_test_add_data_func(detections[i].claim, GSIZE_TO_POINTER(i), test_detect_zeroes);
    }
    g_test_add_func("/open/option-unknown/hints-at-the-known",
                    test_unknown_option_hints_at_the_known);
    g_test_add_func("/open/json/nested-and-dotted-agree", test_json_nested_and_dotted_agree);
    g_test_add_func("/open/json/options-win", test_options_win_over_json);
    g_test_add_func("/open/qdict/is-not-changed", test_nested_qdict_is_not_changed);
    g_test_add_func("/open/protocol-name/driver-parses-it",
                    test_protocol_name_is_parsed_by_the_driver);
    g_test_add_func("/open/reference/shares-the-node", test_node_is_shared_by_reference);
    g_test_add_func("/open/no-node-name/made-up-names-differ", test_made_up_names_differ);
    g_test_add_func("/open/name-that-nobody-takes/is-refused",
                    test_name_that_nobody_takes_is_refused);
    g_test_add_func("/open/auto-read-only/rises-to-the-root", test_auto_read_only_rises);
    g_test_add_func("/open/closed/answers-and-refuses", test_closed_backend_answers);
    g_test_add_func("/open/data/goes-through-the-tree", test_data_goes_through);
    return g_test_run();
}
