/* SPDX-License-Identifier: MIT */
/* Nodes that take another's place, backing files that change, filters that come and go. */
#include <errno.h>

#include "mem-driver.h"

#define MEM(name) "driver=mem,node-name=" name ",size=64k"
#define TF(name) "driver=tf,node-name=" name ",file.driver=mem,file.size=64k,file.hex=" TF_HEX

/* "pass": a filter with nothing of its own. */
static bool pass_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static const BlockDriver bdrv_pass = {
    .format_name = "pass", .is_filter = true, .bdrv_open = pass_open,
};

static CairnContext *change_context_new(void)
{
    CairnContext *ctx = test_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_pass, NULL));
    return ctx;
}

static uint8_t first_byte(BlockBackend *blk)
{
    uint8_t byte = 0;

    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, 0);
    return byte;
}

static void put_first_byte(BlockBackend *blk, uint8_t byte)
{
    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), ==, 0);
}

static void assert_failed(bool ok, GError *error, int err, const char *part)
{
    g_assert_false(ok);
    g_assert_error(error, CAIRN_ERROR, err);
    g_assert_nonnull(strstr(error->message, part));
    g_error_free(error);
}

/* ---- replacing ---- */

static void test_users_go_on_with_the_other(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), BLK_O_RDWR);
    g_autoptr(BlockBackend) c = test_open_opts(
        ctx, MEM("c") ",hex=07,read-only=off", BLK_O_SHARE_WRITE);
    g_autoptr(GError) error = NULL;

    put_first_byte(a, 1);
    g_assert_true(cairn_node_replace(ctx, "a", "c", &error));
    g_assert_no_error(error);
    g_assert_cmpint(first_byte(a), ==, 7);
    g_assert_null(bdrv_find_node(ctx, "a"));
    put_first_byte(a, 9);
    g_assert_cmpint(first_byte(c), ==, 9);
}

static void test_refused_change_leaves_all_as_it_was(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), BLK_O_RDWR);
    g_autoptr(BlockBackend) b = test_open_opts(ctx, MEM("b"), BLK_O_RDWR);
    GError *error = NULL;
    bool ok;

    put_first_byte(a, 1);
    ok = cairn_node_replace(ctx, "a", "b", &error);
    assert_failed(ok, error, EPERM, "does not allow 'write' on b");
    g_assert_cmpint(first_byte(a), ==, 1);
    g_assert_cmphex(test_mem(ctx, "a")->perm, ==, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE);
    g_assert_cmpuint(bdrv_find_node(ctx, "b")->priv->parents->len, ==, 1);
    put_first_byte(a, 3);
}

static void test_unknown_names(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), 0);
    GError *error = NULL;
    bool ok = cairn_node_replace(ctx, "a", "x", &error);

    assert_failed(ok, error, ENOENT, "node-name='x'");
    error = NULL;
    ok = cairn_node_replace(ctx, "x", "a", &error);
    assert_failed(ok, error, ENOENT, "node-name='x'");
}

static void test_frozen_edge_stays(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) top = test_open_opts(ctx, TF("top") ",backing.driver=mem,"
                                                 "backing.node-name=base", 0);
    g_autoptr(BlockBackend) other = test_open_opts(ctx, MEM("other"), 0);
    GError *error = NULL;
    bool ok;

    top->root->bs->backing->frozen++;
    ok = cairn_node_set_backing(ctx, "top", "other", &error);
    assert_failed(ok, error, EBUSY, "a job uses it");
    error = NULL;
    ok = cairn_node_replace(ctx, "base", "other", &error);
    assert_failed(ok, error, EBUSY, "Cannot change 'backing' link from 'top' to 'base'");
    top->root->bs->backing->frozen--;
    g_assert_true(cairn_node_replace(ctx, "base", "other", NULL));
    g_assert_cmpstr(top->root->bs->backing->bs->node_name, ==, "other");
}

/* ---- backing files ---- */

static void test_backing_comes_changes_and_goes(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) top = test_open_opts(ctx, TF("top"), 0);
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), 0);
    g_autoptr(BlockBackend) b = test_open_opts(ctx, MEM("b"), 0);
    BlockDriverState *bs = top->root->bs;

    g_assert_true(cairn_node_set_backing(ctx, "top", "a", NULL));
    g_assert_cmpstr(bs->backing->bs->node_name, ==, "a");
    g_assert_true(cairn_node_set_backing(ctx, "top", "b", NULL));
    g_assert_cmpstr(bs->backing->bs->node_name, ==, "b");
    g_assert_cmpuint(a->root->bs->priv->parents->len, ==, 1);
    g_assert_true(cairn_node_set_backing(ctx, "top", NULL, NULL));
    g_assert_null(bs->backing);
    g_assert_cmpuint(b->root->bs->priv->parents->len, ==, 1);
}

static void test_backing_loop(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) top = test_open_opts(ctx, TF("top"), 0);
    g_autoptr(BlockBackend) low = test_open_opts(ctx, TF("low"), 0);
    GError *error = NULL;
    bool ok;

    g_assert_true(cairn_node_set_backing(ctx, "top", "low", NULL));
    ok = cairn_node_set_backing(ctx, "low", "top", &error);
    assert_failed(ok, error, ELOOP, "would create a cycle");
    error = NULL;
    ok = cairn_node_set_backing(ctx, "low", "low", &error);
    assert_failed(ok, error, ELOOP, "would create a cycle");
}

static void test_backing_of_what_has_none(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), 0);
    g_autoptr(BlockBackend) b = test_open_opts(ctx, MEM("b"), 0);
    GError *error = NULL;
    bool ok = cairn_node_set_backing(ctx, "a", "b", &error);

    assert_failed(ok, error, ENOTSUP, "does not support backing files");
}

/* ---- filters ---- */

static QDict *pass_options(void)
{
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", "pass");
    qdict_put_str(options, "node-name", "f");
    return options;
}

static void test_filter_comes_and_goes(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), BLK_O_RDWR);
    g_autoptr(QDict) options = pass_options();
    g_autoptr(GError) error = NULL;

    put_first_byte(a, 5);
    g_assert_true(blk_insert_filter(a, options, &error));
    g_assert_cmpstr(blk_get_format(a), ==, "pass");
    g_assert_cmpint(first_byte(a), ==, 5);
    put_first_byte(a, 6);
    g_assert_cmphex(test_mem(ctx, "a")->perm, ==, BLK_PERM_CONSISTENT_READ | BLK_PERM_WRITE);
    g_assert_true(blk_remove_filter(a, &error));
    g_assert_cmpstr(blk_get_node_name(a), ==, "a");
    g_assert_cmpint(first_byte(a), ==, 6);
    g_assert_null(bdrv_find_node(ctx, "f"));
}

static void test_reopen_reaches_below_a_filter(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), BLK_O_RDWR);
    g_autoptr(QDict) options = pass_options();
    g_autoptr(QDict) read_only = qdict_from_keyval("read-only=on", NULL, NULL);

    g_assert_true(blk_insert_filter(a, options, NULL));
    g_assert_true(blk_reopen(a, read_only, NULL));
    g_assert_true(bdrv_find_node(ctx, "a")->read_only);
    g_assert_cmphex(test_mem(ctx, "a")->perm, ==, BLK_PERM_CONSISTENT_READ);
}

/* What was written before the filter came has not passed through it. */
static void test_flush_reaches_below_a_new_filter(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), BLK_O_RDWR);
    g_autoptr(QDict) options = pass_options();

    put_first_byte(a, 1);
    g_assert_true(blk_insert_filter(a, options, NULL));
    g_assert_cmpint(blk_flush(a), ==, 0);
    g_assert_cmpint(test_mem(ctx, "a")->flushes, ==, 1);
    g_assert_cmpint(blk_flush(a), ==, 0);
    g_assert_cmpint(test_mem(ctx, "a")->flushes, ==, 1);
}

static void test_what_is_no_filter(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), 0);
    g_autoptr(QDict) raw = qdict_from_keyval("driver=raw", NULL, NULL);
    g_autoptr(QDict) none = qdict_from_keyval("driver=nope", NULL, NULL);
    g_autoptr(QDict) unnamed = qdict_from_keyval("bps=3", NULL, NULL);
    GError *error = NULL;
    bool ok = blk_insert_filter(a, raw, &error);

    assert_failed(ok, error, EINVAL, "Driver 'raw' is not a filter");
    error = NULL;
    ok = blk_insert_filter(a, none, &error);
    assert_failed(ok, error, ENOENT, "Unknown driver 'nope'");
    error = NULL;
    ok = blk_remove_filter(a, &error);
    assert_failed(ok, error, EINVAL, "Node 'a' is not a filter");
    error = NULL;
    ok = blk_insert_filter(a, unnamed, &error);
    assert_failed(ok, error, EINVAL, "Which filter? Its options have no 'driver'");
    g_assert_cmpuint(g_hash_table_size(ctx->nodes), ==, 1);
}

/* A person knows the file, not the name that the core gave its node. */
static void test_messages_name_the_file(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, "driver=mem,size=64k", 0);
    GError *error = NULL;
    bool ok = blk_remove_filter(a, &error);

    g_assert_cmpstr(blk_get_filename(a), !=, "");
    g_assert_nonnull(strstr(error->message, blk_get_filename(a)));
    g_assert_null(strstr(error->message, "#block"));
    assert_failed(ok, error, EINVAL, "is not a filter");
}

static void test_closed(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, MEM("a"), 0);
    g_autoptr(QDict) options = pass_options();
    GError *error = NULL;
    bool ok;

    blk_close(a);
    ok = blk_insert_filter(a, options, &error);
    assert_failed(ok, error, ENOMEDIUM, "closed");
    error = NULL;
    ok = blk_remove_filter(a, &error);
    assert_failed(ok, error, ENOMEDIUM, "closed");
}

/* ---- while requests run ---- */

typedef struct Writer {
    BlockBackend *blk;
    gint stop;                  /* atomic */
    gint writes;                /* atomic */
    uint8_t byte;
} Writer;

static void *write_until_stopped(void *opaque)
{
    Writer *w = opaque;
    uint8_t buf[4096], back[4096];

    memset(buf, w->byte, sizeof(buf));
    while (!g_atomic_int_get(&w->stop)) {
        g_assert_cmpint(blk_pwrite(w->blk, w->byte * 4096, sizeof(buf), buf, 0), ==, 0);
        g_assert_cmpint(blk_pread(w->blk, w->byte * 4096, sizeof(back), back), ==, 0);
        g_assert_cmpmem(buf, sizeof(buf), back, sizeof(back));
        g_atomic_int_inc(&w->writes);
    }
    return NULL;
}

static void wait_for_more_writes(Writer *w)
{
    gint before = g_atomic_int_get(&w->writes);

    while (g_atomic_int_get(&w->writes) == before) {
        g_thread_yield();
    }
}

static void test_filters_under_requests(void)
{
    g_autoptr(CairnContext) ctx = change_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF("top") ",file.size=1M", BLK_O_RDWR);
    Writer writers[2] = { { .blk = blk, .byte = 1 }, { .blk = blk, .byte = 2 } };
    GThread *threads[2];
    g_autoptr(QDict) options = pass_options();

    for (int i = 0; i < 2; i++) {
        threads[i] = g_thread_new("writer", write_until_stopped, &writers[i]);
    }
    for (int i = 0; i < 20; i++) {
        wait_for_more_writes(&writers[i % 2]);
        g_assert_true(blk_insert_filter(blk, options, NULL));
        wait_for_more_writes(&writers[i % 2]);
        g_assert_true(blk_remove_filter(blk, NULL));
    }
    for (int i = 0; i < 2; i++) {
        g_atomic_int_set(&writers[i].stop, 1);
        g_thread_join(threads[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/graph-change/replace/users-go-on-with-the-other-node",
                    test_users_go_on_with_the_other);
    g_test_add_func("/graph-change/replace/refused-leaves-all-as-it-was",
                    test_refused_change_leaves_all_as_it_was);
    g_test_add_func("/graph-change/replace/unknown-names-are-named", test_unknown_names);
    g_test_add_func("/graph-change/frozen-edge/stays", test_frozen_edge_stays);
    g_test_add_func("/graph-change/backing/comes-changes-and-goes",
                    test_backing_comes_changes_and_goes);
    g_test_add_func("/graph-change/backing/loop-is-refused", test_backing_loop);
    g_test_add_func("/graph-change/backing/of-a-driver-without-is-refused",
                    test_backing_of_what_has_none);
    g_test_add_func("/graph-change/filter/comes-and-goes", test_filter_comes_and_goes);
    g_test_add_func("/graph-change/filter/reopen-reaches-below-it",
                    test_reopen_reaches_below_a_filter);
    g_test_add_func("/graph-change/filter/flush-covers-writes-before-it",
                    test_flush_reaches_below_a_new_filter);
    g_test_add_func("/graph-change/filter/what-is-none-is-refused", test_what_is_no_filter);
    g_test_add_func("/graph-change/messages/name-the-file-of-an-unnamed-node",
                    test_messages_name_the_file);
    g_test_add_func("/graph-change/closed-image/is-refused", test_closed);
    g_test_add_func("/graph-change/filter/comes-and-goes-under-requests",
                    test_filters_under_requests);
    return g_test_run();
}
