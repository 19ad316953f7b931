/* SPDX-License-Identifier: MIT */
/* The pipeline by itself: a job whose items wait for whoever the test says. */
#include "block/jobs/pipeline.h"

#include <cairn/aio.h>

#include <errno.h>

#define PL_ITEMS 40
#define PL_BYTES 64
#define PL_PARTS 2              /* of each item */

typedef struct PlJob {
    int taken;
    int64_t begun[PL_ITEMS * PL_PARTS], ended[PL_ITEMS * PL_PARTS];   /* offsets, in the order in which it happened */
    int begun_count, ended_count;
    int open, most_open;                        /* parts begun, not ended */
    int64_t fails_at;                           /* offset; -1: none does */
    bool is_early;                              /* it fails before it waits */
    bool waits;
    int64_t item_bytes;                         /* 0: a whole buffer each */
    GPtrArray *buffers;                         /* all that were ever seen */
} PlJob;

/* As if another thread had worked meanwhile: the others of the pipeline run. */
static void coroutine_fn pl_wait(void)
{
    aio_co_wake(coroutine_self());
    coroutine_yield();
}

static int coroutine_fn pl_next(Pipeline *pipe, PipelineItem *item)
{
    PlJob *job = pipe->opaque;

    g_assert_null(item->buf);
    if (job->taken == PL_ITEMS) {
        return 0;
    }
    item->offset = job->taken++;
    item->bytes = job->item_bytes;
    return 1;
}

/* The even ones take longer, so that ends are out of order. */
static void coroutine_fn pl_write(void *opaque)
{
    PipelineItem *item = opaque;
    PlJob *job = item->pipe->opaque;
    bool fails = item->offset == job->fails_at;

    job->begun[job->begun_count++] = item->offset;
    job->open++;
    job->most_open = MAX(job->most_open, job->open);
    for (int i = 0; job->waits && !(fails && job->is_early) && i < (item->offset % 2 ? 1 : 5); i++) {
        pl_wait();
    }
    job->open--;
    job->ended[job->ended_count++] = item->offset;
    pipeline_end_part(item, fails ? -ENOSPC : 0);
}

static int coroutine_fn pl_work(Pipeline *pipe, PipelineItem *item)
{
    PlJob *job = pipe->opaque;
    void *buf = pipeline_item_buffer(item);
    int ret = 0;

    g_assert_nonnull(buf);
    g_assert_true(pipeline_item_buffer(item) == buf);
    if (!g_ptr_array_find(job->buffers, buf, NULL)) {
        g_ptr_array_add(job->buffers, buf);
    }
    memset(buf, (int)item->offset, PL_BYTES);
    for (int i = 0; job->waits && i < item->offset % 3; i++) {
        pl_wait();              /* reads that end out of order */
    }
    for (int i = 0; i < PL_BYTES; i++) {
        g_assert_cmpint(((uint8_t *)buf)[i], ==, item->offset);
    }
    ret = pipeline_wait_turn(item);
    for (int part = 0; part < PL_PARTS && ret == 0; part++) {
        ret = pipeline_begin_part(item, pl_write, item);
    }
    if (ret == 0) {
        pipeline_end_turn(item);
    }
    return pipeline_wait_parts(item) < 0 ? -ENOSPC : ret;
}

static int pl_run(PlJob *job, int workers)
{
    Pipeline pipe = {
        .workers = workers, .buffer_bytes = PL_BYTES, .next = pl_next, .work = pl_work, .opaque = job,
    };
    int ret;

    aio_context_ensure();
    job->item_bytes = job->item_bytes ? job->item_bytes : PL_BYTES;
    job->buffers = g_ptr_array_new();
    ret = pipeline_run(&pipe);
    g_assert_cmpint(job->open, ==, 0);
    g_assert_cmpint(job->begun_count, ==, job->ended_count);
    g_assert_cmpuint(job->buffers->len, <=, workers);
    return ret;
}

static void assert_begun_in_order(const PlJob *job)
{
    for (int i = 0; i < job->begun_count; i++) {
        g_assert_cmpint(job->begun[i], ==, i / PL_PARTS);
    }
}

static void test_order(void)
{
    bool is_shuffled = false;

    for (int workers = 1; workers <= PIPELINE_WORKERS_MAX; workers++) {
        PlJob job = { .fails_at = -1, .waits = true };

        g_assert_cmpint(pl_run(&job, workers), ==, 0);
        g_assert_cmpint(job.begun_count, ==, PL_ITEMS * PL_PARTS);
        assert_begun_in_order(&job);
        for (int i = 0; i < PL_ITEMS * PL_PARTS; i++) {
            is_shuffled |= job.ended[i] != i / PL_PARTS;
        }
        g_ptr_array_unref(job.buffers);
    }
    g_assert_true(is_shuffled);
}

/* Some overlap, but whoever can read faster than the target writes does not fill memory. */
static void test_limit(void)
{
    PlJob job = { .fails_at = -1, .waits = true };

    g_assert_cmpint(pl_run(&job, PIPELINE_WORKERS_MAX), ==, 0);
    g_assert_cmpint(job.most_open, >, PL_PARTS);
    g_assert_cmpint(job.most_open, <, 8 * PL_PARTS);
    g_ptr_array_unref(job.buffers);

    job = (PlJob) { .fails_at = -1, .waits = true, .item_bytes = 1 };   /* what counts is bytes */
    g_assert_cmpint(pl_run(&job, PIPELINE_WORKERS_MAX), ==, 0);
    g_assert_cmpint(job.most_open, >=, 8 * PL_PARTS);
    g_ptr_array_unref(job.buffers);
}

static void test_one_buffer(void)
{
    PlJob job = { .fails_at = -1 };

    g_assert_cmpint(pl_run(&job, 8), ==, 0);
    g_assert_cmpint(job.begun_count, ==, PL_ITEMS * PL_PARTS);
    g_assert_cmpint(job.most_open, ==, 1);
    g_assert_cmpuint(job.buffers->len, ==, 1);
    g_ptr_array_unref(job.buffers);
}

/* As stream, whose items are copied elsewhere. */
static int coroutine_fn pl_work_without_buffer(Pipeline *pipe, PipelineItem *item)
{
    PlJob *job = pipe->opaque;
    int ret = pipeline_wait_turn(item);

    job->begun[job->begun_count++] = item->offset;
    pl_wait();
    if (ret == 0) {
        pipeline_end_turn(item);
    }
    pl_wait();
    return ret;
}

static void test_no_buffers(void)
{
    PlJob job = { .item_bytes = PL_BYTES };
    Pipeline pipe = { .workers = 8, .next = pl_next, .work = pl_work_without_buffer, .opaque = &job };

    aio_context_ensure();
    g_assert_cmpint(pipeline_run(&pipe), ==, 0);
    g_assert_cmpint(job.begun_count, ==, PL_ITEMS);
    for (int i = 0; i < PL_ITEMS; i++) {
        g_assert_cmpint(job.begun[i], ==, i);
    }
}

static void test_failure(void)
{
    for (int at = 0; at < PL_ITEMS; at++) {
        for (int is_early = 0; is_early < 2; is_early++) {
            PlJob job = { .fails_at = at, .waits = true, .is_early = is_early };

            g_assert_cmpint(pl_run(&job, 8), ==, -ENOSPC);
            assert_begun_in_order(&job);
            g_assert_cmpint(job.begun_count, >, at * PL_PARTS);
            /* Those that begin while it still waits: a few for each of its five waits. */
            g_assert_cmpint(job.begun_count, <=, at * PL_PARTS + (is_early ? 1 : 16 * PL_PARTS));
            g_ptr_array_unref(job.buffers);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pipeline/turns/begin-in-order-whoever-ends-first", test_order);
    g_test_add_func("/pipeline/items-past-their-turn/are-few", test_limit);
    g_test_add_func("/pipeline/without-waits/one-buffer-is-used", test_one_buffer);
    g_test_add_func("/pipeline/without-buffers/nobody-waits-for-room", test_no_buffers);
    g_test_add_func("/pipeline/failure/ends-all-but-what-has-begun", test_failure);
    return g_test_run();
}
