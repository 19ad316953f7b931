/* SPDX-License-Identifier: MIT */
#include "io-driver.h"

/*
 * Writers of stripes that share blocks but no bytes: each writes bytes of its own, again and again.
 * If two read-modify-writes of a block ran at once, one would write back old bytes of the other.
 */
enum { OV_WRITERS = 6, OV_STRIPE = 100, OV_STRIPES = 60, OV_ROUNDS = 12 };

typedef struct OvState {
    BlockBackend *blk;
    int running;
} OvState;

typedef struct OvWriter {
    OvState *state;
    int index;
    guint32 seed;
    int ret;
} OvWriter;

static int64_t ov_offset(int writer, int stripe)
{
    return ((int64_t)stripe * OV_WRITERS + writer) * OV_STRIPE;
}

static uint8_t ov_byte(const OvWriter *w, int stripe, int round)
{
    return w->index * 40 + stripe + round;
}

static void coroutine_fn ov_writer(void *opaque)
{
    OvWriter *w = opaque;
    uint8_t buf[OV_STRIPE], back[OV_STRIPE];

    for (int round = 0; round < OV_ROUNDS && !w->ret; round++) {
        for (int i = 0; i < OV_STRIPES && !w->ret; i++) {
            memset(buf, ov_byte(w, i, round), sizeof(buf));
            w->ret = blk_co_pwrite(w->state->blk, ov_offset(w->index, i), OV_STRIPE, buf, 0);
            if (!w->ret) {
                w->ret = blk_co_pread(w->state->blk, ov_offset(w->index, i), OV_STRIPE, back);
            }
            g_assert_cmpmem(back, OV_STRIPE, buf, OV_STRIPE);
        }
    }
    __atomic_fetch_sub(&w->state->running, 1, __ATOMIC_ACQ_REL);
}

static void ov_check(const OvWriter *writers, const MemState *mem)
{
    for (int i = 0; i < OV_WRITERS; i++) {
        g_assert_cmpint(writers[i].ret, ==, 0);
        for (int j = 0; j < OV_STRIPES; j++) {
            uint8_t expected = ov_byte(&writers[i], j, OV_ROUNDS - 1);

            for (int k = 0; k < OV_STRIPE; k++) {
                g_assert_cmphex(mem->data[ov_offset(i, j) + k], ==, expected);
            }
        }
    }
}

static void test_stripes(const void *options)
{
    CairnContext *ctx = mem_context();
    OvState state = { .blk = mem_open_blk(ctx, options, BLK_O_RDWR), .running = OV_WRITERS };
    OvWriter writers[OV_WRITERS];
    AioContext *aio = aio_context_ensure();

    mem_state(state.blk)->yields = 2;
    for (int i = 0; i < OV_WRITERS; i++) {
        writers[i] = (OvWriter){ .state = &state, .index = i };
        coroutine_enter(coroutine_create(ov_writer, &writers[i]));
    }
    while (state.running) {
        aio_context_poll(aio, true);
    }
    ov_check(writers, mem_state(state.blk));
    blk_unref(state.blk);
    cairn_context_unref(ctx);
}

static void *ov_thread(void *opaque)
{
    bdrv_run_co(ov_writer, opaque);
    return NULL;
}

static void test_threads(const void *options)
{
    CairnContext *ctx = mem_context();
    OvState state = { .blk = mem_open_blk(ctx, options, BLK_O_RDWR), .running = OV_WRITERS };
    OvWriter writers[OV_WRITERS];
    GThread *threads[OV_WRITERS];

    mem_state(state.blk)->yields = 1;
    for (int i = 0; i < OV_WRITERS; i++) {
        writers[i] = (OvWriter){ .state = &state, .index = i };
        threads[i] = g_thread_new("writer", ov_thread, &writers[i]);
    }
    for (int i = 0; i < OV_WRITERS; i++) {
        g_thread_join(threads[i]);
    }
    ov_check(writers, mem_state(state.blk));
    blk_unref(state.blk);
    cairn_context_unref(ctx);
}

/* ---- what waits for what ------------------------------------------------------ */

typedef struct OvOrder {
    BlockDriverState *bs;
    GString *log;
    int running;
} OvOrder;

typedef struct OvStep {
    OvOrder *order;
    char name;
    int64_t offset, bytes;
    bool is_serialising;
} OvStep;

/* Logs its name in lower case when it has entered, in upper case when it leaves. */
static void coroutine_fn ov_step(void *opaque)
{
    OvStep *step = opaque;
    BdrvTrackedRequest req;

    tracked_request_begin(&req, step->order->bs, step->offset, step->bytes, 512,
                          step->is_serialising);
    g_string_append_c(step->order->log, step->name);
    co_sleep_ns(0);
    co_sleep_ns(0);
    g_string_append_c(step->order->log, g_ascii_toupper(step->name));
    tracked_request_end(&req);
    step->order->running--;
}

static void ov_run_steps(const char *options, OvStep *steps, int count, const char *expected)
{
    CairnContext *ctx = mem_context();
    BlockBackend *blk = mem_open_blk(ctx, options, BLK_O_RDWR);
    OvOrder order = { .bs = blk->root->bs, .log = g_string_new(NULL), .running = count };
    AioContext *aio = aio_context_ensure();

    for (int i = 0; i < count; i++) {
        steps[i].order = &order;
        coroutine_enter(coroutine_create(ov_step, &steps[i]));
    }
    while (order.running) {
        aio_context_poll(aio, true);
    }
    g_assert_cmpstr(order.log->str, ==, expected);
    g_assert_cmpint(blk->root->bs->priv->serialising, ==, 0);
    g_assert_cmpint(blk->root->bs->priv->untracked, ==, 0);
    g_string_free(order.log, true);
    blk_unref(blk);
    cairn_context_unref(ctx);
}

static void test_plain_overlap(const void *options)
{
    OvStep steps[] = {
        { .name = 'a', .offset = 0, .bytes = 1024 },
        { .name = 'b', .offset = 512, .bytes = 1024 },
    };

    ov_run_steps(options, steps, 2, "abAB");
}

static void test_serialising_waits(const void *options)
{
    OvStep steps[] = {
        { .name = 'a', .offset = 0, .bytes = 512 },
        { .name = 'b', .offset = 100, .bytes = 10, .is_serialising = true },
        { .name = 'c', .offset = 300, .bytes = 212 },
    };

    ov_run_steps(options, steps, 3, "aAbBcC");
}

/* Ranges are grown to blocks; those that then do not meet run together. */
static void test_serialising_is_local(const void *options)
{
    OvStep steps[] = {
        { .name = 'a', .offset = 100, .bytes = 10, .is_serialising = true },
        { .name = 'b', .offset = 512, .bytes = 512 },
        { .name = 'c', .offset = 511, .bytes = 1, .is_serialising = true },
        { .name = 'd', .offset = 1030, .bytes = 1, .is_serialising = true },
    };

    ov_run_steps(options, steps, 4, "abdABDcC");
}

/* The order of arrival holds, so none starves and none waits in a circle. */
static void test_first_come(const void *options)
{
    OvStep steps[] = {
        { .name = 'a', .offset = 0, .bytes = 1, .is_serialising = true },
        { .name = 'b', .offset = 1, .bytes = 1, .is_serialising = true },
        { .name = 'c', .offset = 2, .bytes = 1, .is_serialising = true },
        { .name = 'd', .offset = 0, .bytes = 512 },
        { .name = 'e', .offset = 3, .bytes = 1, .is_serialising = true },
    };

    ov_run_steps(options, steps, 5, "aAbBcCdDeE");
}

int main(int argc, char **argv)
{
    const char *blocks = "driver=mem,size=1M,align=512";
    const char *bytes = "driver=mem,size=1M";

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/overlap/stripes/align-512/none-is-lost", blocks, test_stripes);
    g_test_add_data_func("/overlap/stripes/align-4096/none-is-lost",
                         "driver=mem,size=1M,align=4096", test_stripes);
    g_test_add_data_func("/overlap/stripes/align-1/none-is-lost", bytes, test_stripes);
    g_test_add_data_func("/overlap/threads/align-512/none-is-lost", blocks, test_threads);
    g_test_add_data_func("/overlap/threads/align-1/none-is-lost", bytes, test_threads);
    g_test_add_data_func("/overlap/plain/overlapping-writes/run-together", blocks,
                         test_plain_overlap);
    g_test_add_data_func("/overlap/serialising/align-512/excludes-what-overlaps", blocks,
                         test_serialising_waits);
    g_test_add_data_func("/overlap/serialising/align-1/excludes-what-overlaps", bytes,
                         test_serialising_waits);
    g_test_add_data_func("/overlap/serialising/other-blocks/run-together", blocks,
                         test_serialising_is_local);
    g_test_add_data_func("/overlap/serialising/order-of-arrival/holds", blocks,
                         test_first_come);
    g_test_add_data_func("/overlap/serialising/order-of-arrival-align-1/holds", bytes,
                         test_first_come);
    return g_test_run();
}
