/* SPDX-License-Identifier: MIT */
/* Edges: who points to whom, in which order, and changes while requests run. */
#include "mem-driver.h"

#define TF "driver=tf,file.driver=mem,file.node-name=m,file.hex=" TF_HEX
#define SHARED_RDWR (BLK_O_RDWR | BLK_O_SHARE_WRITE)

static void test_pointers_follow_the_edges(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",backing.driver=mem", 0);
    BlockDriverState *bs = blk->root->bs;

    g_assert_true(bs->file == bdrv_find_child(bs, "file"));
    g_assert_true(bs->backing == bdrv_find_child(bs, "backing"));
    g_assert_null(bdrv_find_child(bs, "other"));
    g_assert_true(bs->file->parent_bs == bs && bs->file->bs->priv->inherits_from == bs);
    ctl_lock(ctx);
    bdrv_detach_child(bs->backing);
    ctl_unlock(ctx);
    g_assert_null(bs->backing);
    g_assert_cmpuint(g_hash_table_size(ctx->nodes), ==, 2);
}

static void test_order_has_parents_first(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(
        ctx, TF ",node-name=top,backing.driver=tf,backing.node-name=below,"
        "backing.file.driver=mem,backing.file.node-name=m2,backing.file.hex=" TF_HEX, 0);
    g_autoptr(GPtrArray) order = bdrv_graph_order(blk->root->bs);
    const char *names[] = { "top", "m", "below", "m2" };

    g_assert_cmpuint(order->len, ==, 4);
    for (guint i = 0; i < order->len; i++) {
        const BlockDriverState *bs = order->pdata[i];

        g_assert_cmpstr(bs->node_name, ==, names[i]);
    }
}

static void test_child_outlives_the_parent_that_opened_it(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    BlockBackend *tf = test_open_opts(ctx, TF, BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) mem = test_open_opts(ctx, "m", BLK_O_SHARE_WRITE);

    blk_unref(tf);
    g_assert_null(mem->root->bs->priv->inherits_from);
    g_assert_cmpuint(mem->root->bs->priv->parents->len, ==, 1);
    g_assert_cmphex(test_mem(ctx, "m")->shared, ==, BLK_PERM_ALL);
}

static void test_failed_attach_gives_the_reference_back(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) writer = test_open_opts(ctx, "driver=mem,node-name=m", BLK_O_RDWR);
    int refs = writer->root->bs->priv->refs;
    g_autofree char *message = test_open_failure(ctx, NULL, "m", BLK_O_RDWR);

    g_assert_cmpint(writer->root->bs->priv->refs, ==, refs);
    g_assert_cmpuint(writer->root->bs->priv->parents->len, ==, 1);
    g_assert_cmpuint(ctx->backends->len, ==, 1);
}

/* ---- changes while requests run ---- */

typedef struct Writer {
    BlockBackend *blk;
    gint stop;                  /* atomic */
    gint writes;                /* atomic */
    uint8_t byte;
} Writer;

static void *write_until_stopped(void *opaque)
{
    Writer *w = opaque;
    uint8_t buf[4096];

    memset(buf, w->byte, sizeof(buf));
    while (!g_atomic_int_get(&w->stop)) {
        g_assert_cmpint(blk_pwrite(w->blk, w->byte * 4096, sizeof(buf), buf, 0), ==, 0);
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

static void change_the_graph(CairnContext *ctx, BlockBackend *blk)
{
    g_autoptr(QDict) on = qdict_from_keyval("cache.no-flush=on,file.level=1", NULL, NULL);
    g_autoptr(QDict) off = qdict_from_keyval("cache.no-flush=off,file.level=2", NULL, NULL);
    g_autoptr(BlockBackend) second = test_open_opts(ctx, "top", SHARED_RDWR);

    g_assert_true(blk_reopen(blk, on, NULL));
    g_assert_cmpint(blk_flush(second), ==, 0);
    g_assert_true(blk_reopen(second, off, NULL));
}

static void test_graph_changes_under_requests(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",node-name=top,file.size=1M",
                                                 SHARED_RDWR);
    Writer writers[2] = { { .blk = blk, .byte = 1 }, { .blk = blk, .byte = 2 } };
    GThread *threads[2];

    for (int i = 0; i < 2; i++) {
        threads[i] = g_thread_new("writer", write_until_stopped, &writers[i]);
    }
    for (int i = 0; i < 20; i++) {
        wait_for_more_writes(&writers[i % 2]);
        change_the_graph(ctx, blk);
    }
    for (int i = 0; i < 2; i++) {
        g_atomic_int_set(&writers[i].stop, 1);
        g_thread_join(threads[i]);
    }
    g_assert_cmpint(test_mem(ctx, "m")->level, ==, 2);
    g_assert_cmpint(test_mem(ctx, "m")->committed, ==, 40);
    for (int i = 1; i <= 2; i++) {
        uint8_t byte = 0;

        g_assert_cmpint(blk_pread(blk, i * 4096, 1, &byte), ==, 0);
        g_assert_cmpint(byte, ==, i);
    }
}

static void *open_and_close(void *opaque)
{
    CairnContext *ctx = opaque;

    for (int i = 0; i < 50; i++) {
        g_autoptr(BlockBackend) own = test_open_opts(ctx, "driver=mem,size=4k", BLK_O_RDWR);
        g_autoptr(BlockBackend) shared = test_open_opts(ctx, "top", SHARED_RDWR);
        uint8_t byte = 7;

        g_assert_cmpint(blk_pwrite(shared, 512, 1, &byte, 0), ==, 0);
        g_assert_cmpint(blk_close(shared), ==, 0);
    }
    return NULL;
}

static void test_threads_open_and_close_at_once(void)
{
    g_autoptr(CairnContext) ctx = test_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, TF ",node-name=top", SHARED_RDWR);
    GThread *threads[3];

    for (int i = 0; i < 3; i++) {
        threads[i] = g_thread_new("open-close", open_and_close, ctx);
    }
    for (int i = 0; i < 3; i++) {
        g_thread_join(threads[i]);
    }
    g_assert_cmpuint(ctx->backends->len, ==, 1);
    g_assert_cmpuint(g_hash_table_size(ctx->nodes), ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/graph/pointers/follow-the-edges", test_pointers_follow_the_edges);
    g_test_add_func("/graph/order/has-parents-first", test_order_has_parents_first);
    g_test_add_func("/graph/child/outlives-its-opener",
                    test_child_outlives_the_parent_that_opened_it);
    g_test_add_func("/graph/failed-attach/gives-the-reference-back",
                    test_failed_attach_gives_the_reference_back);
    g_test_add_func("/graph/change/requests-on-other-threads/go-on",
                    test_graph_changes_under_requests);
    g_test_add_func("/graph/open-and-close/on-several-threads/at-once",
                    test_threads_open_and_close_at_once);
    return g_test_run();
}
