/* SPDX-License-Identifier: MIT */
/* Permissions: needs by role, conflicts, all or nothing. */
#include "mem-driver.h"

#define R BLK_PERM_CONSISTENT_READ
#define W BLK_PERM_WRITE
#define U BLK_PERM_WRITE_UNCHANGED
#define Z BLK_PERM_RESIZE
#define ALL BLK_PERM_ALL
#define NO_CHANGES (ALL & ~(W | Z))

#define TF "driver=tf,file.driver=mem,file.node-name=store,file.hex=" TF_HEX
#define OVERLAY TF ",backing.driver=raw-like,backing.file.driver=mem,backing.file.node-name=base"

static const struct {
    const char *claim;
    const char *options;
    int flags;
    const char *node;
    uint64_t perm, shared;
} use_cases[] = {
    /* Source: the locks that the peer's users hold on their files. */
    { "/perm/format-writer/takes-write-and-resize-alone", TF, BLK_O_RDWR, "store",
      R | W | Z, NO_CHANGES },
    { "/perm/format-reader/keeps-writers-out", TF, 0, "store", R, NO_CHANGES },
    { "/perm/format-reader-sharing/still-keeps-writers-out", TF, BLK_O_SHARE_WRITE, "store", R,
      NO_CHANGES },
    { "/perm/force-share/shares-everything", TF ",force-share=on", 0, "store", R, ALL },
    { "/perm/filter-writer-sharing/shares-everything",
      "driver=raw-like,file.driver=mem,file.node-name=store", BLK_O_RDWR | BLK_O_SHARE_WRITE,
      "store", R | W, ALL },
    { "/perm/filter-writer/keeps-writers-out",
      "driver=raw-like,file.driver=mem,file.node-name=store", BLK_O_RDWR, "store", R | W,
      NO_CHANGES },
    { "/perm/filter-resizer/takes-resize",
      "driver=raw-like,file.driver=mem,file.node-name=store",
      BLK_O_RDWR | BLK_O_RESIZE | BLK_O_SHARE_WRITE, "store", R | W | Z, ALL },
    { "/perm/backing-of-sharing-user/shares-everything", OVERLAY,
      BLK_O_RDWR | BLK_O_SHARE_WRITE, "base", R, ALL },
    { "/perm/backing-of-strict-user/keeps-writers-out", OVERLAY, BLK_O_RDWR, "base", R,
      NO_CHANGES },
};

/* A stand-in for raw: passes all through. */
static bool rawlike_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static const BlockDriver bdrv_rawlike = {
    .format_name = "raw-like",
    .is_format = true,
    .bdrv_open = rawlike_open,
};

static CairnContext *perm_context_new(void)
{
    CairnContext *ctx = test_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_rawlike, NULL));
    return ctx;
}

static void test_use_case(gconstpointer data)
{
    size_t i = GPOINTER_TO_SIZE(data);
    g_autoptr(CairnContext) ctx = perm_context_new();
    g_autoptr(BlockBackend) blk = test_open_opts(ctx, use_cases[i].options, use_cases[i].flags);
    const MemState *s = test_mem(ctx, use_cases[i].node);

    g_assert_cmphex(s->perm, ==, use_cases[i].perm);
    g_assert_cmphex(s->shared, ==, use_cases[i].shared);
}

static void test_names(void)
{
    g_autofree char *all = bdrv_perm_names(ALL);
    g_autofree char *none = bdrv_perm_names(0);

    g_assert_cmpstr(all, ==, "consistent read, write, write unchanged, resize");
    g_assert_cmpstr(none, ==, "");
}

/* ---- conflicts ---- */

static void test_second_writer_is_refused(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();
    g_autoptr(BlockBackend) format = test_open_opts(ctx, TF ",node-name=fmt", BLK_O_RDWR);
    g_autofree char *message = test_open_failure(ctx, NULL, "store", BLK_O_RDWR);

    g_assert_cmpstr(message, ==,
                    "Conflicts with use by node 'fmt' as 'file', which does not allow 'write' on "
                    "store (wanted by a block device as 'root')");
    g_assert_cmphex(test_mem(ctx, "store")->perm, ==, R | W | Z);
}

static void test_reader_that_shares_nothing_is_refused(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();
    g_autoptr(BlockBackend) writer = test_open_opts(ctx, "driver=mem,node-name=m",
                                                    BLK_O_RDWR | BLK_O_SHARE_WRITE);
    g_autofree char *message = test_open_failure(ctx, NULL, "m", 0);

    g_assert_cmpstr(message, ==,
                    "Conflicts with use by a block device as 'root', which does not allow 'write' "
                    "on m (wanted by a block device as 'root')");
}

static void test_sharing_users_coexist(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();
    g_autoptr(BlockBackend) a = test_open_opts(ctx, "driver=mem,node-name=m",
                                               BLK_O_RDWR | BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) b = test_open_opts(ctx, "m", BLK_O_RDWR | BLK_O_SHARE_WRITE);

    g_assert_cmpstr(blk_get_node_name(b), ==, "m");
}

static void test_detach_gives_back(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();
    g_autoptr(BlockBackend) reader = test_open_opts(ctx, "driver=mem,node-name=m,read-only=off",
                                                    BLK_O_SHARE_WRITE);
    BlockBackend *writer = test_open_opts(ctx, "m", BLK_O_RDWR | BLK_O_SHARE_WRITE);

    g_assert_cmphex(test_mem(ctx, "m")->perm, ==, R | W);
    blk_unref(writer);
    g_assert_cmphex(test_mem(ctx, "m")->perm, ==, R);
}

static void test_writer_of_read_only_node_is_refused(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();
    g_autofree char *message = test_open_failure(ctx, NULL, "driver=mem,read-only=on",
                                                 BLK_O_RDWR);

    g_assert_cmpstr(message, ==, "Block node is read-only");
}

/* ---- all or nothing ---- */

static const BlockDriver bdrv_pair;

static bool pair_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "left", BDRV_CHILD_DATA, error)
        && bdrv_open_child(bs, "right", BDRV_CHILD_DATA, error);
}

static const BlockDriver bdrv_pair = { .format_name = "pair", .bdrv_open = pair_open };

static void test_failed_check_undoes_the_others(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_pair, NULL));
    g_autoptr(BlockBackend) blk = test_open_opts(
        ctx, "driver=pair,read-only=off,left.driver=mem,left.node-name=l,"
        "right.driver=mem,right.node-name=r,right.fail-perm=on", 0);
    g_autoptr(GError) error = NULL;
    MemState *left = test_mem(ctx, "l");
    int sets = left->sets;

    ctl_lock(ctx);
    g_assert_false(bdrv_child_try_set_perm(blk->root, R | W, ALL, &error));
    ctl_unlock(ctx);
    g_assert_error(error, CAIRN_ERROR, EAGAIN);
    g_assert_cmphex(blk->root->perm, ==, R);
    g_assert_cmphex(bdrv_find_child(blk->root->bs, "left")->perm, ==, R);
    g_assert_cmphex(bdrv_find_child(blk->root->bs, "right")->perm, ==, R);
    g_assert_cmphex(left->perm, ==, R);
    g_assert_cmpint(left->sets, ==, sets);
    g_assert_cmpint(left->aborts, ==, 1);
    g_assert_cmpint(test_mem(ctx, "r")->aborts, ==, 0);
}

static void test_diamond_is_set_once(void)
{
    g_autoptr(CairnContext) ctx = perm_context_new();

    g_assert_true(bdrv_register(ctx, &bdrv_pair, NULL));
    g_autoptr(BlockBackend) base = test_open_opts(ctx, "driver=mem,node-name=m", 0);
    g_autoptr(BlockBackend) top = test_open_opts(ctx, "driver=pair,left=m,right=m", 0);
    g_autoptr(GPtrArray) order = bdrv_graph_order(top->root->bs);
    int sets = test_mem(ctx, "m")->sets;

    g_assert_cmpuint(order->len, ==, 2);
    g_assert_true(order->pdata[1] == base->root->bs);
    ctl_lock(ctx);
    g_assert_true(bdrv_refresh_perms(top->root->bs, NULL, NULL));
    ctl_unlock(ctx);
    g_assert_cmpint(test_mem(ctx, "m")->sets, ==, sets + 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(use_cases); i++) {
        g_test_add_data_func(use_cases[i].claim, GSIZE_TO_POINTER(i), test_use_case);
    }
    g_test_add_func("/perm/names/stand-in-order", test_names);
    g_test_add_func("/perm/conflict/second-writer/names-both-users",
                    test_second_writer_is_refused);
    g_test_add_func("/perm/conflict/reader-that-shares-nothing/is-refused",
                    test_reader_that_shares_nothing_is_refused);
    g_test_add_func("/perm/sharing-users/coexist", test_sharing_users_coexist);
    g_test_add_func("/perm/detach/gives-back", test_detach_gives_back);
    g_test_add_func("/perm/writer-of-read-only-node/is-refused",
                    test_writer_of_read_only_node_is_refused);
    g_test_add_func("/perm/failed-check/undoes-the-others", test_failed_check_undoes_the_others);
    g_test_add_func("/perm/diamond/sets-each-node-once", test_diamond_is_set_once);
    return g_test_run();
}
