/* SPDX-License-Identifier: MIT */
/*
 * Filters in the core: "thin" has no callbacks, "thick" has all of a filter that looks at what
 * passes, "wide" rewrites whole blocks of 16 KiB.
 */
#include "io-driver.h"

#include "overlay-driver.h"

typedef struct ThickState {
    gint reads, writes, zeroes, compressed;
    gint events;                /* cor_write so far */
    int write_flags;            /* of the last write */
} ThickState;

static bool filter_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    return bdrv_open_child(bs, "file", BDRV_CHILD_FILTERED | BDRV_CHILD_PRIMARY, error);
}

static bool thick_open(BlockDriverState *bs, QDict *opts, int flags, GError **error)
{
    bs->supported_write_flags = BDRV_REQ_FUA | BDRV_REQ_WRITE_UNCHANGED;
    bs->supported_zero_flags = BDRV_REQ_FUA | BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK;
    return filter_open(bs, opts, flags, error);
}

static int coroutine_fn thick_co_preadv(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        const IOVector *iov, int flags)
{
    g_atomic_int_inc(&((ThickState *)bs->opaque)->reads);
    return bdrv_co_preadv(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn thick_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                         const IOVector *iov, int flags)
{
    ThickState *s = bs->opaque;

    g_atomic_int_inc(&s->writes);
    g_atomic_int_set(&s->write_flags, flags);
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, flags);
}

static int coroutine_fn thick_co_pwritev_compressed(BlockDriverState *bs, int64_t offset,
                                                    int64_t bytes, const IOVector *iov)
{
    g_atomic_int_inc(&((ThickState *)bs->opaque)->compressed);
    return bdrv_co_pwritev(bs->file, offset, bytes, iov, BDRV_REQ_WRITE_COMPRESSED);
}

static int coroutine_fn thick_co_pwrite_zeroes(BlockDriverState *bs, int64_t offset,
                                               int64_t bytes, int flags)
{
    g_atomic_int_inc(&((ThickState *)bs->opaque)->zeroes);
    return bdrv_co_pwrite_zeroes(bs->file, offset, bytes, flags);
}

static void coroutine_fn thick_co_debug_event(BlockDriverState *bs, const char *event)
{
    g_atomic_int_add(&((ThickState *)bs->opaque)->events, !strcmp(event, "cor_write"));
}

/* The last block may reach past the end. */
static int coroutine_fn wide_co_pwritev(BlockDriverState *bs, int64_t offset, int64_t bytes,
                                        const IOVector *iov, int flags)
{
    g_auto(IOVector) part = {0};
    int64_t left = bdrv_co_getlength(bs->file) - offset;

    bytes = MIN(bytes, left);
    io_vector_slice(&part, iov, 0, bytes);
    return thick_co_pwritev(bs, offset, bytes, &part, flags);
}

static bool wide_refresh_limits(BlockDriverState *bs, GError **error)
{
    bs->bl.request_alignment = 16384;
    return true;
}

static const BlockDriver bdrv_thin = {
    .format_name = "thin", .is_filter = true, .bdrv_open = filter_open,
};
static const BlockDriver bdrv_thick = {
    .format_name = "thick", .instance_size = sizeof(ThickState), .is_filter = true,
    .bdrv_open = thick_open, .bdrv_co_preadv = thick_co_preadv,
    .bdrv_co_pwritev = thick_co_pwritev, .bdrv_co_pwrite_zeroes = thick_co_pwrite_zeroes,
    .bdrv_co_pwritev_compressed = thick_co_pwritev_compressed,
    .bdrv_co_debug_event = thick_co_debug_event,
};
/* Knows no flags. */
static const BlockDriver bdrv_deaf = {
    .format_name = "deaf", .instance_size = sizeof(ThickState), .is_filter = true,
    .bdrv_open = filter_open, .bdrv_co_pwritev = thick_co_pwritev,
};
static const BlockDriver bdrv_wide = {
    .format_name = "wide", .instance_size = sizeof(ThickState), .is_filter = true,
    .bdrv_open = thick_open, .bdrv_refresh_limits = wide_refresh_limits,
    .bdrv_co_pwritev = wide_co_pwritev,
};

static CairnContext *filter_context(void)
{
    CairnContext *ctx = mem_context();

    g_assert_true(bdrv_register(ctx, &bdrv_ov, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_thin, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_thick, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_deaf, NULL));
    g_assert_true(bdrv_register(ctx, &bdrv_wide, NULL));
    return ctx;
}

static void *filter_node_state(CairnContext *ctx, const char *name)
{
    return bdrv_find_node(ctx, name)->opaque;
}

/* ---- requests ------------------------------------------------------------------ */

/* 700 bytes on blocks of 4096: every stack reads them, and zeros to the end of the sector. */
static void test_short_file(void)
{
    static const char *const stacks[] = {
        "driver=thin,file.driver=mem,file.size=700,file.align=4096",
        "driver=thick,file.driver=mem,file.size=700,file.align=4096",
        "driver=raw,file.driver=mem,file.size=700,file.align=4096",
        "driver=raw,file.driver=thin,file.file.driver=mem,file.file.size=700,file.file.align=4096",
        ("driver=thin,file.driver=thick,file.file.driver=raw,file.file.file.driver=mem,"
         "file.file.file.size=700,file.file.file.align=4096"),
    };

    for (size_t i = 0; i < G_N_ELEMENTS(stacks); i++) {
        CairnContext *ctx = filter_context();
        BlockBackend *blk = mem_open_blk(ctx, stacks[i], 0);
        uint8_t buf[1024], zeros[324] = { 0 };
        BlockDriverState *bs = blk->root->bs;

        while (bs->file) {
            bs = bs->file->bs;
        }
        mem_fill(((MemState *)bs->opaque)->data, 700, i);
        memset(buf, 1, sizeof(buf));
        g_assert_cmpint(blk_pread(blk, 0, 1024, buf), ==, 0);
        g_assert_cmpmem(buf, 700, ((MemState *)bs->opaque)->data, 700);
        g_assert_cmpmem(buf + 700, 324, zeros, 324);
        g_assert_cmpint(blk_pread(blk, 690, 100, buf), ==, 0);
        g_assert_cmpmem(buf, 10, ((MemState *)bs->opaque)->data + 690, 10);
        g_assert_cmpint(blk_pread(blk, 1000, 25, buf), ==, -EIO);
        blk_unref(blk);
        cairn_context_unref(ctx);
    }
}

/* What a filter passes on is aligned below; who asks for the alignment hears what suits there. */
static void test_alignment(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = mem_open_blk(ctx, "driver=thin,file.driver=thick,file.file.driver=mem,"
                                     "file.file.align=4096", 0);

    g_assert_cmpuint(blk->root->bs->bl.request_alignment, ==, 1);
    g_assert_cmpuint(blk_get_request_alignment(blk), ==, 4096);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* What the driver below is asked for is the same with a filter above it. */
static void test_flags(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = mem_open_blk(
        ctx, "driver=thin,file.driver=thick,file.node-name=thick,file.file.driver=mem,"
        "file.file.fua=on,file.file.node-name=mem", BLK_O_RDWR | BLK_O_UNMAP);
    ThickState *thick = filter_node_state(ctx, "thick");
    MemState *mem = filter_node_state(ctx, "mem");

    g_assert_cmpint(blk_pwrite(blk, 0, 3, "abc", BDRV_REQ_FUA), ==, 0);
    g_assert_cmpint(mem->last_write_flags, ==, BDRV_REQ_FUA);
    g_assert_cmpint(mem->flushes, ==, 0);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 4096, BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK),
                    ==, 0);
    g_assert_cmpint(mem->last_zero_flags, ==, BDRV_REQ_MAY_UNMAP | BDRV_REQ_NO_FALLBACK);
    g_assert_cmpint(mem->zeroes, ==, 1);
    g_assert_cmpint(blk_pdiscard(blk, 0, 4096), ==, 0);
    g_assert_cmpint(mem->discards, ==, 1);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(mem->flushes, ==, 1);
    g_assert_cmpint(thick->writes, ==, 1);
    g_assert_cmpint(thick->zeroes, ==, 1);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* A filter that rewrites blocks, and has no callback for zeros, sees those as bytes. */
static void test_wide_zeroes(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = mem_open_blk(ctx, "driver=wide,file.driver=mem,file.node-name=mem",
                                     BLK_O_RDWR);
    MemState *mem = filter_node_state(ctx, "mem");

    memset(mem->data, 0x55, 32768);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 100, 16384, 0), ==, 0);
    g_assert_cmpint(mem->zeroes, ==, 0);
    g_assert_cmpint(mem->writes, ==, 2);
    g_assert_true(cairn_buffer_is_zero(mem->data + 100, 16384));
    g_assert_cmpint(mem->data[99], ==, 0x55);
    g_assert_cmpint(mem->data[16484], ==, 0x55);
    g_assert_cmpint(blk_pwrite_zeroes(blk, 100, 16384, BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/*
 * Neighbours in one block, of one and the same node: data through the filter, zeros through it.
 * If the filter did one of the two's read-modify-write and the node below the other's, one would
 * put back what the other has changed.
 */
enum { FI_WRITERS = 4, FI_ROUNDS = 300, FI_STRIPE = 100 };

typedef struct FiWriter {
    BlockBackend *blk;
    int index;
} FiWriter;

static void *fi_writer(void *opaque)
{
    FiWriter *w = opaque;
    uint8_t buf[FI_STRIPE], back[FI_STRIPE];
    int64_t offset = w->index * FI_STRIPE;

    for (int i = 0; i < FI_ROUNDS; i++) {
        int ret;

        memset(buf, i % 2 ? w->index + 1 : 0, sizeof(buf));
        ret = i % 2 ? blk_pwrite(w->blk, offset, FI_STRIPE, buf, 0)
                    : blk_pwrite_zeroes(w->blk, offset, FI_STRIPE, 0);
        g_assert_cmpint(ret, ==, 0);
        g_assert_cmpint(blk_pread(w->blk, offset, FI_STRIPE, back), ==, 0);
        g_assert_cmpmem(back, FI_STRIPE, buf, FI_STRIPE);
    }
    return NULL;
}

static void test_neighbours(gconstpointer stack)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = mem_open_blk(ctx, stack, BLK_O_RDWR);
    FiWriter writers[FI_WRITERS];
    GThread *threads[FI_WRITERS];

    ((MemState *)filter_node_state(ctx, "mem"))->yields = 1;
    for (int i = 0; i < FI_WRITERS; i++) {
        writers[i] = (FiWriter){ .blk = blk, .index = i };
        threads[i] = g_thread_new("writer", fi_writer, &writers[i]);
    }
    for (int i = 0; i < FI_WRITERS; i++) {
        g_thread_join(threads[i]);
    }
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* ---- what is above and below ------------------------------------------------------ */

static void test_questions(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = mem_open_blk(
        ctx, "driver=thick,file.driver=thin,file.file.driver=memcow,file.file.file.driver=mem,"
        "file.file.backing.driver=mem", 0);
    BlockStatus status;

    g_assert_cmpint(blk_get_cluster_size(blk), ==, 4096);
    g_assert_true(blk_has_zero_init(blk));
    g_assert_true(blk_has_backing(blk));
    g_assert_cmpint(blk_block_status(blk, 0, 8192, &status), ==, 0);
    g_assert_cmphex(status.flags & BDRV_BLOCK_ALLOCATED, ==, 0);
    g_assert_cmpint(blk_block_status_chain(blk, 0, 8192, &status), ==, 0);
    g_assert_cmphex(status.flags & BDRV_BLOCK_DATA, !=, 0);
    g_assert_cmpint(status.depth, ==, 1);       /* filters are no layers */
    blk_unref(blk);
    cairn_context_unref(ctx);
}

static void test_names(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = mem_open_blk(ctx, "driver=thin,file.filename=/dev/null", 0);

    g_assert_cmpstr(blk_get_filename(blk), ==, "json:{\"driver\": \"thin\", \"file\": "
                    "{\"driver\": \"host_device\", \"filename\": \"/dev/null\"}}");
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* Who only wants to know what an image is needs no backing file of it, filter or not. */
static void test_info_without_backing(void)
{
    static const char *const options = "driver=thin,file.driver=ov,file.backing.driver=file,"
        "file.backing.filename=/nonexistent/base";
    CairnContext *ctx = filter_context();
    g_autoptr(QDict) dict = qdict_from_keyval(options, NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(QList) info = cairn_image_info(ctx, NULL, dict, 0, false, &error);

    g_assert_no_error(error);
    g_assert_cmpint(qlist_size(info), ==, 1);
    g_assert_null(blk_open_qdict(ctx, NULL, dict, 0, &error));
    g_assert_nonnull(strstr(error->message, "Could not open backing file"));
    cairn_context_unref(ctx);
}

/* ---- copying up ----------------------------------------------------------------------- */

typedef struct FiCopy {
    BdrvChild *child;
    int64_t offset, bytes;
    int ret;
} FiCopy;

static void coroutine_fn fi_copy_entry(void *opaque)
{
    FiCopy *c = opaque;

    c->ret = bdrv_co_copy_up(c->child, c->offset, c->bytes);
}

static int fi_copy_up(BlockBackend *blk, int64_t offset, int64_t bytes)
{
    FiCopy copy = { .child = blk->root, .offset = offset, .bytes = bytes };

    bdrv_run_co(fi_copy_entry, &copy);
    return copy.ret;
}

static BlockBackend *fi_open_chain(CairnContext *ctx, const char *options)
{
    BlockBackend *blk = mem_open_blk(ctx, options, BLK_O_RDWR);

    ov_put(ctx, "base", 0, 200, 7);
    return blk;
}

static void test_copy_up_is_seen(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = fi_open_chain(ctx, "driver=thick,node-name=thick,file.driver=ov,"
                                      "file.node-name=top,file.size=1M,file.backing.driver=ov,"
                                      "file.backing.node-name=base,file.backing.size=1M");
    ThickState *thick = filter_node_state(ctx, "thick");
    OvState *top = ov_state(ctx, "top");

    top->is_own[5] = true;
    g_assert_cmpint(fi_copy_up(blk, 3 * OV_UNIT + 5, 4 * OV_UNIT), ==, 0);
    g_assert_cmpint(thick->writes, ==, 2);      /* 3..4 and 6..7 */
    g_assert_cmpint(thick->write_flags, ==, BDRV_REQ_WRITE_UNCHANGED);
    g_assert_cmpint(thick->events, ==, 2);
    for (int i = 0; i < 10; i++) {
        g_assert_cmpint(top->is_own[i], ==, i >= 3 && i <= 7);
        g_assert_cmpint(ov_get(blk, i), ==, i == 5 ? 0 : 7);
    }
    g_assert_cmpint(fi_copy_up(blk, 3 * OV_UNIT, OV_UNIT), ==, 0);
    g_assert_cmpint(thick->writes, ==, 2);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* A filter's larger blocks are whole in what is copied; the image's end is no error. */
static void test_copy_up_wide(void)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = fi_open_chain(ctx, "driver=wide,file.driver=ov,file.node-name=top,"
                                      "file.size=1000k,file.backing.driver=ov,"
                                      "file.backing.node-name=base,file.backing.size=1M");
    OvState *top = ov_state(ctx, "top");

    ov_put(ctx, "base", 240, 10, 9);
    g_assert_cmpint(fi_copy_up(blk, 5 * OV_UNIT, 1), ==, 0);
    g_assert_cmpint(fi_copy_up(blk, 249 * OV_UNIT, 1), ==, 0);
    for (int i = 0; i < 250; i++) {
        g_assert_cmpint(top->is_own[i], ==, (i >= 4 && i < 8) || i >= 248);
    }
    g_assert_cmpint(ov_get(blk, 249), ==, 9);
    g_assert_cmpint(fi_copy_up(blk, 1000 * 1024 - 1, 2), ==, -EIO);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

/* Who may only write what changes nothing copies through a filter that knows no such writes. */
static void test_copy_up_unchanged(void)
{
    static const char *const filters[] = { "thick", "deaf" };

    for (size_t i = 0; i < G_N_ELEMENTS(filters); i++) {
        CairnContext *ctx = filter_context();
        g_autofree char *options = g_strdup_printf(
            "driver=copy-on-read,file.driver=%s,file.read-only=off,file.node-name=filter,"
            "file.file.driver=ov,file.file.node-name=top,file.file.backing.driver=ov,"
            "file.file.backing.node-name=base", filters[i]);
        BlockBackend *blk = mem_open_blk(ctx, options, 0);

        ov_put(ctx, "base", 0, 10, 7);
        g_assert_cmpint(ov_get(blk, 3), ==, 7);
        g_assert_true(ov_state(ctx, "top")->is_own[3]);
        g_assert_cmphex(bdrv_find_node(ctx, "filter")->file->perm & BLK_PERM_WRITE, ==,
                        i ? BLK_PERM_WRITE : 0);
        blk_unref(blk);
        cairn_context_unref(ctx);
    }
}

/*
 * Copies and writes of the same blocks, on several threads; a filter between that rewrites them
 * whole.
 */
enum { FI_COPY_UNITS = 64 };

typedef struct FiRace {
    BlockBackend *blk;
    int byte;                   /* to be written; 0: copies */
} FiRace;

static void *fi_racer(void *opaque)
{
    FiRace *r = opaque;
    uint8_t buf[100];

    memset(buf, r->byte, sizeof(buf));
    for (int i = 0; i < FI_COPY_UNITS; i++) {
        int64_t offset = (int64_t)i * OV_UNIT;
        int ret = r->byte ? blk_pwrite(r->blk, offset + r->byte * 1000, sizeof(buf), buf, 0)
                          : fi_copy_up(r->blk, offset, OV_UNIT);

        g_assert_cmpint(ret, ==, 0);
    }
    return NULL;
}

static void test_copy_up_race(gconstpointer stack)
{
    CairnContext *ctx = filter_context();
    BlockBackend *blk = fi_open_chain(ctx, stack);
    FiRace races[] = { { blk, 0 }, { blk, 0 }, { blk, 1 }, { blk, 2 }, { blk, 3 } };
    GThread *threads[G_N_ELEMENTS(races)];

    for (size_t i = 0; i < G_N_ELEMENTS(races); i++) {
        threads[i] = g_thread_new("racer", fi_racer, &races[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(races); i++) {
        g_thread_join(threads[i]);
    }
    for (int i = 0; i < FI_COPY_UNITS; i++) {
        uint8_t buf[OV_UNIT];

        g_assert_cmpint(blk_pread(blk, (int64_t)i * OV_UNIT, OV_UNIT, buf), ==, 0);
        for (int j = 0; j < OV_UNIT; j++) {
            g_assert_cmpint(buf[j], ==, j >= 1000 && j % 1000 < 100 && j < 4000 ? j / 1000 : 7);
        }
    }
    blk_unref(blk);
    cairn_context_unref(ctx);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/filter/short-file/reads-through-every-stack", test_short_file);
    g_test_add_func("/filter/alignment/is-that-of-what-it-filters", test_alignment);
    g_test_add_func("/filter/flags/arrive-below", test_flags);
    g_test_add_func("/filter/zeroes/no-callback/come-as-bytes", test_wide_zeroes);
    g_test_add_data_func("/filter/neighbours/thin/none-is-lost", "driver=thin,"
                         "file.driver=mem,file.node-name=mem,file.align=512", test_neighbours);
    g_test_add_data_func("/filter/neighbours/thick/none-is-lost", "driver=thick,"
                         "file.driver=mem,file.node-name=mem,file.align=512", test_neighbours);
    g_test_add_data_func("/filter/neighbours/wide/none-is-lost", "driver=wide,"
                         "file.driver=mem,file.node-name=mem,file.align=512", test_neighbours);
    g_test_add_func("/filter/questions/are-answered-below", test_questions);
    g_test_add_func("/filter/name/is-not-the-files", test_names);
    g_test_add_func("/filter/info/needs-no-backing-file", test_info_without_backing);
    g_test_add_func("/filter/copy-up/is-seen-by-filters", test_copy_up_is_seen);
    g_test_add_func("/filter/copy-up/larger-blocks/are-whole", test_copy_up_wide);
    g_test_add_func("/filter/copy-up/deaf-filter/gets-the-permission", test_copy_up_unchanged);
    g_test_add_data_func("/filter/copy-up/race/thick", "driver=thick,file.driver=ov,"
                         "file.node-name=top,file.size=1M,file.backing.driver=ov,"
                         "file.backing.node-name=base,file.backing.size=1M", test_copy_up_race);
    g_test_add_data_func("/filter/copy-up/race/wide-over-thick",
                         "driver=wide,file.driver=thick,file.file.driver=ov,"
                         "file.file.node-name=top,file.file.size=1M,file.file.backing.driver=ov,"
                         "file.file.backing.node-name=base,file.file.backing.size=1M",
                         test_copy_up_race);
    return g_test_run();
}
