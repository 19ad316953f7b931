/* SPDX-License-Identifier: MIT */
/*
 * Each request that a job makes fails once: those to the overlay's file, to its base's, and to the
 * file of the job's other image; and each allocation. The job ends with that error, or does all of
 * its work; the overlay reads as before, then and when it is opened again, and all images check
 * clean.
 */
#include <cairn/job.h>

#include <errno.h>
#include <string.h>

#include "alloc-fault.h"
#include "mem-disk.h"
#include "util/cutils.h"

#define SIZE (1 << 20)
#define MAX_REQUESTS 5000

enum { OVERLAY, BASE, OTHER, DISKS, FAULT_MEMORY = DISKS };

static const char *const fault_names[] = {
    "requests to the overlay", "requests to the base", "requests to the other image",
    "allocations",
};

static CairnContext *ctx;

typedef struct Env {
    MemDisk *disks[DISKS];              /* qcow images, all of them */
    BlockBackend *blk;                  /* the overlay on its base, to write */
    const uint8_t *content;             /* what that reads */
    bool has_copy;                      /* the other image holds it, too */
} Env;

/* ---- images ---- */

static BlockBackend *open_image(const MemDisk *d, const MemDisk *backing, int flags,
                                GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text, "driver=qcow,file.driver=mem-disk,file.disk=%s", d->id);
    if (backing) {
        g_string_append_printf(text, ",backing.driver=qcow,backing.file.driver=mem-disk,"
                               "backing.file.disk=%s", backing->id);
    }
    return blk_open_opts(ctx, text->str, flags | (backing ? 0 : BLK_O_NO_BACKING), error);
}

static BlockBackend *open_ok(const MemDisk *d, const MemDisk *backing, int flags)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = open_image(d, backing, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static MemDisk *make_image(int value, int64_t step, int64_t bytes)
{
    MemDisk *d = image_new(SIZE, 12, 6);
    BlockBackend *blk = open_ok(d, NULL, BLK_O_RDWR);
    g_autofree uint8_t *buf = g_malloc(bytes);

    for (int64_t at = 0; at + bytes <= SIZE; at += step) {
        memset(buf, value++, bytes);
        g_assert_cmpint(blk_pwrite(blk, at, bytes, buf, 0), ==, 0);
    }
    mem_close_ok(blk);
    return d;
}

static uint8_t *read_all(BlockBackend *blk)
{
    uint8_t *buf = g_malloc(SIZE);

    g_assert_cmpint(blk_getlength(blk), ==, SIZE);
    g_assert_cmpint(blk_pread(blk, 0, SIZE, buf), ==, 0);
    return buf;
}

static void assert_reads(BlockBackend *blk, const uint8_t *content)
{
    g_autofree uint8_t *now = read_all(blk);

    g_assert_cmpint(memcmp(now, content, SIZE), ==, 0);
}

static void assert_clean(const MemDisk *d)
{
    BlockBackend *blk = open_ok(d, NULL, 0);
    BlockCheckResult r = { 0 };
    g_autoptr(GError) error = NULL;

    blk_check(blk, &r, BLOCK_CHECK_FIX_NONE, &error);
    g_assert_no_error(error);
    g_assert_cmpint(r.corruptions, ==, 0);
    g_assert_cmpint(r.check_errors, ==, 0);
    mem_close_ok(blk);
}

/*
 * Whether the overlay's header names the other image, and not its base. The name, which is not that
 * of a file, is then taken out.
 */
static bool take_name(MemDisk *overlay)
{
    BlockBackend *blk = open_ok(overlay, NULL, 0);
    g_autoptr(QDict) info = blk_get_image_info(blk, NULL);
    bool is_other = !g_strcmp0(qdict_get_try_str(info, "backing-filename"), "other");

    mem_close_ok(blk);
    if (is_other) {
        image_put64(overlay, 8, 0);
        memset(overlay->data + 16, 0, 4);
    }
    return is_other;
}

/* ---- jobs: each returns 0 or -errno; @job is given up ---- */

static int wait_for(BlockJob *job, GError **error)
{
    bool ok = job && block_job_wait(job, error);
    int ret = ok ? 0 : -(*error)->code;

    block_job_unref(job);
    return ret;
}

static int job_commit(Env *e)
{
    const BlockCommitOptions options = { .end = BLOCK_COMMIT_EMPTY };
    g_autoptr(GError) error = NULL;

    return wait_for(block_commit_start(e->blk, &options, &error), &error);
}

static int job_stream(Env *e)
{
    const BlockStreamOptions options = { 0 };
    g_autoptr(GError) error = NULL;

    return wait_for(block_stream_start(e->blk, &options, &error), &error);
}

/* Opens the other image for a job that fills it. 0, or the error of opening. */
static int open_target(Env *e, BlockBackend **target)
{
    g_autoptr(GError) error = NULL;

    *target = open_image(e->disks[OTHER], NULL, BLK_O_RDWR, &error);
    return *target ? 0 : -error->code;
}

/* @ret: of the job. What the target holds then counts only if it could be closed, too. */
static int close_target(Env *e, BlockBackend *target, int ret)
{
    int closed = blk_close(target);

    blk_unref(target);
    e->has_copy = ret == 0 && closed == 0;
    return ret ? ret : closed;
}

static int job_mirror(Env *e)
{
    const BlockMirrorOptions options = { 0 };
    g_autoptr(GError) error = NULL;
    BlockBackend *target;
    int ret = open_target(e, &target);

    return ret ? ret : close_target(e, target, wait_for(
        block_mirror_start(e->blk, target, &options, &error), &error));
}

static int convert(Env *e, const BlockConvertOptions *options)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *target;
    int ret = open_target(e, &target);

    if (ret == 0) {
        ret = block_convert(&e->blk, 1, target, options, &error) ? 0 : -error->code;
        ret = close_target(e, target, ret);
    }
    return ret;
}

static int job_convert(Env *e)
{
    return convert(e, &(BlockConvertOptions) { .sparse_size = 4096 });
}

static int job_convert_compressed(Env *e)
{
    return convert(e, &(BlockConvertOptions) { .compressed = true, .out_of_order = true });
}

static int job_rebase(Env *e)
{
    const BlockRebaseOptions options = { .backing_name = "other", .backing_format = "qcow" };
    g_autoptr(GError) error = NULL;
    g_autoptr(BlockBackend) other = open_image(e->disks[OTHER], NULL, 0, &error);

    return other && block_rebase(e->blk, other, &options, &error) ? 0 : -error->code;
}

typedef struct Job {
    const char *name;
    int (*run)(Env *e);
    bool leaves_base;                   /* the base is only read */
} Job;

static const Job jobs[] = {
    { "commit", job_commit },
    { "stream", job_stream, .leaves_base = true },
    { "mirror", job_mirror, .leaves_base = true },
    { "convert", job_convert, .leaves_base = true },
    { "convert-compressed", job_convert_compressed, .leaves_base = true },
    { "rebase", job_rebase, .leaves_base = true },
};

/* ---- runs ---- */

/* @base: its bytes before. */
static void assert_images(const Env *e, const Job *job, const MemDisk *base)
{
    bool is_other = take_name(e->disks[OVERLAY]);
    BlockBackend *blk = open_ok(e->disks[OVERLAY], e->disks[is_other ? OTHER : BASE], 0);

    assert_reads(blk, e->content);
    mem_close_ok(blk);
    if (e->has_copy) {
        blk = open_ok(e->disks[OTHER], NULL, 0);
        assert_reads(blk, e->content);
        mem_close_ok(blk);
    }
    for (int i = 0; i < DISKS; i++) {
        assert_clean(e->disks[i]);
    }
    if (job->leaves_base) {
        g_assert_cmpmem(e->disks[BASE]->data, e->disks[BASE]->size, base->data, base->size);
    }
}

/* Returns: whether the @k-th request to disk (or allocation) @what was made, and so failed. */
static bool run_with_fault(MemDisk *const from[DISKS], const uint8_t *content, const Job *job,
                           int what, int err, int k)
{
    Env e = { .content = content };
    int *in, ret, closed;
    bool happened;

    for (int i = 0; i < DISKS; i++) {
        e.disks[i] = mem_disk_copy(from[i]);
    }
    e.blk = open_ok(e.disks[OVERLAY], e.disks[BASE], BLK_O_RDWR);
    in = what == FAULT_MEMORY ? &alloc_fault_in : &e.disks[what]->fail_any_in;
    e.disks[what == FAULT_MEMORY ? OVERLAY : what]->fail_error = err;
    g_atomic_int_set(in, k);
    ret = job->run(&e);
    happened = g_atomic_int_get(in) == 0;
    g_atomic_int_set(in, 0);
    g_assert_true(ret == 0 || (happened && ret == -err));
    assert_reads(e.blk, content);
    closed = blk_close(e.blk);
    blk_unref(e.blk);
    g_assert_true(closed == 0 || ret < 0);
    assert_images(&e, job, from[BASE]);
    for (int i = 0; i < DISKS; i++) {
        mem_disk_free(e.disks[i]);
    }
    return happened;
}

/* Each request or allocation in turn. Returns: how many there were. */
static int sweep(MemDisk *const from[DISKS], const uint8_t *content, const Job *job, int what)
{
    bool is_memory = what == FAULT_MEMORY;
    int k = 1;

    while (run_with_fault(from, content, job, what, is_memory ? ENOMEM : EIO, k) &&
           (is_memory || run_with_fault(from, content, job, what, ENOSPC, k))) {
        g_assert_cmpint(++k, <, MAX_REQUESTS);
    }
    g_test_message("%d %s", k - 1, fault_names[what]);
    return k - 1;
}

static void test_job(gconstpointer data)
{
    const Job *job = data;
    MemDisk *const from[DISKS] = {
        make_image(1, 65536, 20480), make_image(101, 40960, 30720), make_image(201, 81920, 40960),
    };
    BlockBackend *blk = open_ok(from[OVERLAY], from[BASE], 0);
    g_autofree uint8_t *content = read_all(blk);
    int total = 0;

    mem_close_ok(blk);
    for (int what = 0; what <= FAULT_MEMORY; what++) {
        total += sweep(from, content, job, what);
    }
    g_assert_cmpint(total, >, 10);          /* there was something to fail */
    for (int i = 0; i < DISKS; i++) {
        mem_disk_free(from[i]);
    }
}

int main(int argc, char **argv)
{
    int ret;

    g_test_init(&argc, &argv, NULL);
    ctx = mem_context_new();
    for (size_t i = 0; i < G_N_ELEMENTS(jobs); i++) {
        g_autofree char *name = g_strdup_printf("/qcow/fault/job/%s/each-request/harms-nothing",
                                                jobs[i].name);

        g_test_add_data_func(name, &jobs[i], test_job);
    }
    ret = g_test_run();
    cairn_context_unref(ctx);
    return ret;
}
