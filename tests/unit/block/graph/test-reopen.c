/* SPDX-License-Identifier: MIT */
/* Reopen: what follows, what may not change, and nothing by halves. */
#include "mem-driver.h"

#define TF "driver=tf,file.driver=mem,file.node-name=m,file.hex=" TF_HEX
#define OVERLAY TF ",backing.driver=tf,backing.node-name=b,backing.file.driver=mem," \
                "backing.file.node-name=bm,backing.file.hex=" TF_HEX

static QDict *changes(const char *text)
{
    return qdict_from_keyval(text, NULL, NULL);
}

static void reopen_ok(BlockBackend *blk, const char *text)
{
    g_autoptr(QDict) options = changes(text);
    g_autoptr(GError) error = NULL;

    bool ok = blk_reopen(blk, options, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void reopen_fails(BlockBackend *blk, const char *text, const char *message)
{
    g_autoptr(QDict) options = changes(text);
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_reopen(blk, options, &error));
    g_assert_nonnull(error);
    g_assert_cmpstr(error->message, ==, message);
}

static void test_writable_and_back(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF, 0);
    BlockDriverState *bs = blk->root->bs;
    uint8_t byte = 9;

    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), <, 0);
    reopen_ok(blk, "read-only=off");
    g_assert_true(blk_is_writable(blk));
    g_assert_false(bs->read_only || bs->file->bs->read_only);
    g_assert_cmphex(test_mem(ctx, "m")->perm & BLK_PERM_WRITE, !=, 0);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), ==, 0);
    reopen_ok(blk, "read-only=on");
    g_assert_false(blk_is_writable(blk));
    g_assert_true(bs->read_only && bs->file->bs->read_only);
    g_assert_cmphex(test_mem(ctx, "m")->perm & BLK_PERM_WRITE, ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), <, 0);
}

static void test_backing_does_not_follow(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, OVERLAY, 0);

    reopen_ok(blk, "read-only=off,cache.direct=on");
    g_assert_true(blk->root->bs->backing->bs->read_only);
    g_assert_true(test_mem(ctx, "bm") != NULL && bdrv_find_node(ctx, "bm")->read_only);
    g_assert_cmpint(bdrv_find_node(ctx, "bm")->open_flags & BLK_O_NOCACHE, !=, 0);
}

static void test_backing_can_be_made_writable(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, OVERLAY, BLK_O_RDWR);

    reopen_ok(blk, "backing.read-only=off");
    g_assert_false(bdrv_find_node(ctx, "bm")->read_only);
    g_assert_cmphex(test_mem(ctx, "bm")->perm & BLK_PERM_WRITE, !=, 0);
    reopen_ok(blk, "cache.no-flush=on");
    g_assert_false(bdrv_find_node(ctx, "bm")->read_only);
    reopen_ok(blk, "backing.read-only=on");
    g_assert_true(bdrv_find_node(ctx, "bm")->read_only);
}

static void test_child_keeps_its_own_option(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",file.cache.direct=off", 0);

    reopen_ok(blk, "cache.direct=on");
    g_assert_cmpint(blk->root->bs->open_flags & BLK_O_NOCACHE, !=, 0);
    g_assert_cmpint(blk->root->bs->file->bs->open_flags & BLK_O_NOCACHE, ==, 0);
}

static void test_driver_option_reaches_the_driver(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",file.level=1", 0);

    reopen_ok(blk, "file.level=5");
    g_assert_cmpint(test_mem(ctx, "m")->level, ==, 5);
    reopen_ok(blk, "cache.direct=on");
    g_assert_cmpint(test_mem(ctx, "m")->level, ==, 5);
}

static const struct {
    const char *claim;
    const char *text;
    const char *message;
} refusals[] = {
    { "/reopen/driver/cannot-change", "driver=mem", "Cannot change the option 'driver'" },
    { "/reopen/node-name/cannot-change", "node-name=x", "Cannot change the option 'node-name'" },
    { "/reopen/fixed-option/cannot-change", "flavour=x", "Cannot change the option 'flavour'" },
    { "/reopen/fixed-option-of-child/cannot-change", "file.size=1M",
      "Cannot change the option 'size'" },
    { "/reopen/force-share/cannot-change", "force-share=on",
      "Cannot change the option 'force-share'" },
    { "/reopen/unknown/is-refused", "bogus=1",
      "Block format 'tf' does not support the option 'bogus'\n"
      "Its own options are: flavour, speed." },
    { "/reopen/unknown-of-child/is-refused", "file.bogus=1",
      "Block protocol 'mem' doesn't support the option 'bogus'\n"
      "Its own options are: size, hex, fail-perm, fail-reopen, level." },
    { "/reopen/bad-value/is-refused", "read-only=x",
      "Parameter 'read-only' expects 'on' or 'off'" },
    { "/reopen/driver-without-prepare/keeps-its-options", "speed=7",
      "Driver 'tf' cannot change its options while open" },
};

static void test_refusal(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF, 0);
    const MemState *s = test_mem(ctx, "m");

    reopen_fails(blk, refusals[i].text, refusals[i].message);
    g_assert_cmpint(s->committed, ==, 0);
    g_assert_cmpint(s->prepared, ==, s->reopen_aborted);
}

static void test_same_value_is_no_change(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",flavour=mint,file.size=64k", 0);

    reopen_ok(blk, "driver=tf,flavour=mint,file.size=65536,file.node-name=m");
}

static void test_default_value_is_no_change(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=mem", 0);

    reopen_ok(blk, "size=64k");
    reopen_fails(blk, "size=128k", "Cannot change the option 'size'");
}

static void test_child_of_its_own_is_not_touched(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) mem = test_open_opts(
        ctx, "driver=mem,node-name=m,read-only=off,hex=" TF_HEX, BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=tf,file=m", 0);

    reopen_ok(blk, "cache.direct=on");
    g_assert_cmpint(test_mem(ctx, "m")->prepared, ==, 0);
    reopen_fails(blk, "file.level=3", "Cannot change the option 'file.level'");
}

/* ---- all or nothing ---- */

static void test_failed_prepare_leaves_all(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, OVERLAY ",file.fail-reopen=on", 0);
    BlockDriverState *bs = blk->root->bs;

    reopen_fails(blk, "read-only=off", "mem refuses to reopen");
    g_assert_true(bs->read_only && bs->file->bs->read_only);
    g_assert_false(blk_is_writable(blk));
    g_assert_cmphex(blk->root->perm & BLK_PERM_WRITE, ==, 0);
    g_assert_cmpint(test_mem(ctx, "bm")->prepared, ==, 1);
    g_assert_cmpint(test_mem(ctx, "bm")->reopen_aborted, ==, 1);
    g_assert_cmpint(test_mem(ctx, "m")->reopen_aborted, ==, 0);
}

static void test_refused_permission_leaves_all(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",file.fail-perm=on", 0);
    const MemState *s = test_mem(ctx, "m");

    reopen_fails(blk, "read-only=off", "mem refuses writers");
    g_assert_true(blk->root->bs->read_only && blk->root->bs->file->bs->read_only);
    g_assert_cmphex(s->perm & BLK_PERM_WRITE, ==, 0);
    g_assert_cmphex(blk->root->bs->file->perm & BLK_PERM_WRITE, ==, 0);
    g_assert_cmpint(s->prepared, ==, 1);
    g_assert_cmpint(s->reopen_aborted, ==, 1);
    g_assert_cmpint(s->committed, ==, 0);
    reopen_ok(blk, "cache.direct=on");
}

static void test_other_users_writer_keeps_it_writable(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, "driver=mem,node-name=m",
                                               BLK_O_RDWR | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) b = test_open_opts(ctx, "m", BLK_O_RDWR | BLK_O_SHARE_WRITE);

    reopen_fails(a, "read-only=on", "Block node is read-only");
    g_assert_true(blk_is_writable(a));
    g_assert_false(a->root->bs->read_only);
}

static void test_reader_stays_reader(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, "driver=mem,read-only=off", 0);

    reopen_ok(blk, "level=2");
    g_assert_false(blk_is_writable(blk));
}

/* ---- children that become other nodes ---- */

static BlockBackend *open_node(CairnContext *ctx, const char *options)
{
    return test_open_opts(ctx, options, BLK_O_SHARE_WRITE);
}

static void test_other_backing(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, OVERLAY, 0);
    g_autoptr(BlockBackend) other = open_node(ctx, "driver=mem,node-name=other");
    g_autoptr(QDict) none = qdict_new();
    BlockDriverState *bs = blk->root->bs;

    reopen_ok(blk, "backing=b");
    g_assert_cmpstr(bs->backing->bs->node_name, ==, "b");
    reopen_ok(blk, "backing=other,cache.no-flush=on");
    g_assert_cmpstr(bs->backing->bs->node_name, ==, "other");
    g_assert_null(bdrv_find_node(ctx, "b"));
    reopen_fails(blk, "backing.level=1", "Cannot change the option 'backing.level'");
    qdict_put_null(none, "backing");
    g_assert_true(blk_reopen(blk, none, NULL));
    g_assert_null(bs->backing);
    g_assert_true(blk_reopen(blk, none, NULL));
    reopen_ok(blk, "backing=other");
    g_assert_cmpuint(other->root->bs->priv->parents->len, ==, 2);
}

static void test_other_file(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(
        ctx, "driver=raw,file.driver=mem,file.node-name=m,file.size=64k", BLK_O_RDWR);
    g_autoptr(BlockBackend) other = test_open_opts(
        ctx, "driver=mem,node-name=other,hex=2a,size=64k,read-only=off", BLK_O_SHARE_WRITE);
    uint8_t byte = 0;

    reopen_ok(blk, "file=other");
    g_assert_null(bdrv_find_node(ctx, "m"));
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, 0);
    g_assert_cmpint(byte, ==, 0x2a);
    g_assert_cmpint(blk_pwrite(blk, 1, 1, &byte, 0), ==, 0);
    g_assert_cmphex(test_mem(ctx, "other")->perm & BLK_PERM_WRITE, !=, 0);
}

static void test_other_child_refused(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, OVERLAY ",node-name=top", BLK_O_RDWR);
    g_autoptr(BlockBackend) writer = test_open_opts(ctx, "driver=mem,node-name=w", BLK_O_RDWR);
    g_autoptr(BlockBackend) fixed = test_open_opts(ctx, "driver=mem,node-name=ro", 0);
    g_autoptr(BlockBackend) shared = open_node(ctx, "driver=mem,node-name=shared");
    g_autoptr(QDict) none = qdict_new();
    BlockDriverState *bs = blk->root->bs;

    reopen_fails(blk, "backing=nope", "Cannot find device='nope' nor node-name='nope'");
    reopen_fails(blk, "backing=top", "Making 'top' a backing child of 'top' would create a cycle");
    reopen_fails(blk, "file=ro,cache.no-flush=on",
                 "Conflicts with use by a block device as 'root', which does not allow 'write, "
                 "resize' on ro (wanted by node 'top' as 'file')");
    reopen_fails(blk, "file=shared", "Block node is read-only");
    reopen_fails(blk, "file.file=w", "Cannot change the option 'file'");
    reopen_fails(blk, "backing=ro,level=1", "Block format 'tf' does not support the option "
                 "'level'\nIts own options are: flavour, speed.");
    qdict_put_null(none, "file");
    g_assert_false(blk_reopen(blk, none, NULL));
    g_assert_cmpstr(bs->backing->bs->node_name, ==, "b");
    g_assert_cmpstr(bs->file->bs->node_name, ==, "m");
    g_assert_cmphex(test_mem(ctx, "m")->perm & BLK_PERM_WRITE, !=, 0);
    g_assert_cmpuint(fixed->root->bs->priv->parents->len, ==, 1);
    bs->backing->frozen++;
    reopen_fails(blk, "backing=ro", "Cannot change 'backing' link from 'top' to 'b': a job uses it");
    bs->backing->frozen--;
    reopen_ok(blk, "backing=ro");
}

/* What was written while flushes were ignored is owed to the first one that is not. */
static void test_flush_after_no_flush(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(
        ctx, "driver=tf,file.driver=mem,file.node-name=file,file.size=64k,file.hex=" TF_HEX
        ",cache.no-flush=on", BLK_O_RDWR);
    g_autoptr(QDict) options = qdict_from_keyval("cache.no-flush=off", NULL, NULL);

    g_assert_cmpint(blk_pwrite(blk, 0, 1, "x", 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(test_mem(ctx, "file")->flushes, ==, 0);
    g_assert_true(blk_reopen(blk, options, NULL));
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(test_mem(ctx, "file")->flushes, ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        g_test_add_data_func(refusals[i].claim, GSIZE_TO_POINTER(i), test_refusal);
    }
    g_test_add_func("/reopen/read-only/goes-and-comes-back", test_writable_and_back);
    g_test_add_func("/reopen/read-only/backing-does-not-follow", test_backing_does_not_follow);
    g_test_add_func("/reopen/backing/can-be-made-writable", test_backing_can_be_made_writable);
    g_test_add_func("/reopen/child/keeps-its-own-option", test_child_keeps_its_own_option);
    g_test_add_func("/reopen/driver-option/reaches-the-driver",
                    test_driver_option_reaches_the_driver);
    g_test_add_func("/reopen/same-value/is-no-change", test_same_value_is_no_change);
    g_test_add_func("/reopen/default-value/is-no-change", test_default_value_is_no_change);
    g_test_add_func("/reopen/child-by-reference/is-not-touched",
                    test_child_of_its_own_is_not_touched);
    g_test_add_func("/reopen/failed-prepare/leaves-all", test_failed_prepare_leaves_all);
    g_test_add_func("/reopen/refused-permission/leaves-all", test_refused_permission_leaves_all);
    g_test_add_func("/reopen/writer-beside/keeps-it-writable",
                    test_other_users_writer_keeps_it_writable);
    g_test_add_func("/reopen/reader/stays-reader", test_reader_stays_reader);
    g_test_add_func("/reopen/no-flush/writes-before-are-flushed-after",
                    test_flush_after_no_flush);
    g_test_add_func("/reopen/backing/becomes-another-node-or-none", test_other_backing);
    g_test_add_func("/reopen/file/becomes-another-node", test_other_file);
    g_test_add_func("/reopen/other-child/refused-leaves-all", test_other_child_refused);
    return g_test_run();
}
