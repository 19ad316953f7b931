/* SPDX-License-Identifier: MIT */
/* Copies that the host makes: what moves, and what is left to be read and written. */
#include "file-fixture.h"

#include <cairn/job.h>

#define RAW "driver=raw,file.driver=file,file.filename=%s"

typedef struct RangeFixture {
    Fixture f;                  /* the source */
    char *target_path;
    BlockBackend *source, *target;
    FileFault fault;            /* of the target */
} RangeFixture;

static BlockBackend *range_open(RangeFixture *r, const char *path, const char *more, int flags)
{
    g_autofree char *options = g_strconcat("driver=raw,file.driver=file,file.filename=", path,
                                           more, NULL);
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open_opts(r->f.ctx, options, flags, &error);

    g_assert_no_error(error);
    return blk;
}

static void setup(RangeFixture *r, const char *source_options, const char *target_options,
                  const char *target_bytes)
{
    static char blank[FIXTURE_BYTES];

    fixture_setup(&r->f, NULL);
    r->target_path = g_build_filename(r->f.dir, "target.raw", NULL);
    g_assert_true(g_file_set_contents(r->target_path, target_bytes ? target_bytes : blank,
                                      sizeof(blank), NULL));
    r->source = range_open(r, r->f.path, source_options, 0);
    r->target = range_open(r, r->target_path, target_options, BLK_O_RDWR);
}

static void teardown(RangeFixture *r)
{
    blk_unref(r->source);
    blk_unref(r->target);
    g_unlink(r->target_path);
    g_free(r->target_path);
    fixture_teardown(&r->f, NULL);
}

typedef struct RangeCall {
    RangeFixture *r;
    int64_t offset, target_offset, bytes;
    int ret;
} RangeCall;

static void coroutine_fn range_entry(void *opaque)
{
    RangeCall *c = opaque;

    c->ret = blk_co_copy_range(c->r->source, c->offset, c->r->target, c->target_offset, c->bytes);
}

static int range_copy(RangeFixture *r, int64_t offset, int64_t target_offset, int64_t bytes)
{
    RangeCall c = { r, offset, target_offset, bytes, 1 };

    bdrv_run_co(range_entry, &c);
    return c.ret;
}

static void assert_target(RangeFixture *r, size_t at, const uint8_t *data, size_t bytes)
{
    g_autofree char *have = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(r->target_path, &have, &length, NULL));
    g_assert_cmpmem(have + at, bytes, data, bytes);
}

static void test_windows_move_the_offsets(void)
{
    RangeFixture r;
    uint8_t zero = 0;

    setup(&r, ",offset=512,size=32k", ",offset=1k", NULL);
    g_assert_cmpint(range_copy(&r, 1024, 4096, 8192), ==, 0);
    assert_target(&r, 4096 + 1024, r.f.content + 1024 + 512, 8192);
    assert_target(&r, 4096 + 1023, &zero, 1);
    assert_target(&r, 4096 + 1024 + 8192, &zero, 1);
    teardown(&r);
}

static void test_bounds(void)
{
    RangeFixture r;

    setup(&r, ",size=32k", "", NULL);
    g_assert_cmpint(range_copy(&r, 32 * 1024 - 512, 0, 1024), ==, -ENOTSUP);
    g_assert_cmpint(range_copy(&r, 0, FIXTURE_BYTES - 512, 1024), ==, -EIO);
    g_assert_cmpint(range_copy(&r, 0, -512, 1024), ==, -EIO);
    blk_close(r.target);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOMEDIUM);
    teardown(&r);
}

static void test_what_must_be_looked_at(void)
{
    RangeFixture r;

    setup(&r, "", ",detect-zeroes=on", NULL);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOTSUP);
    blk_unref(r.target);
    r.target = blk_open(r.f.ctx, r.target_path, BLK_O_RDWR | BLK_O_PROBE, NULL);
    g_assert_cmpint(range_copy(&r, 0, 0, 1024), ==, -ENOTSUP);
    g_assert_cmpint(range_copy(&r, 512, 512, 1024), ==, 0);
    blk_set_write_cache(r.target, false);
    g_assert_cmpint(range_copy(&r, 512, 512, 1024), ==, -ENOTSUP);
    teardown(&r);
}

static void test_system_errors(void)
{
    RangeFixture r;

    setup(&r, "", "", NULL);
    r.fault = (FileFault) { .kinds = 1u << FILE_SYS_COPY_RANGE, .at = 1, .error = ENOSPC };
    fixture_state(r.target)->sys.fault = &r.fault;
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOSPC);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, 0);
    r.fault = (FileFault) { .kinds = 1u << FILE_SYS_COPY_RANGE, .at = 1, .error = EXDEV };
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOTSUP);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOTSUP);
    g_assert_cmpint(r.fault.calls, ==, 1);      /* not asked again */
    teardown(&r);
}

/* Each way in which a system says that it cannot; and what says something else. */
static void test_refusals(void)
{
    static const int refusals[] = { EXDEV, ENOSYS, EINVAL, EOPNOTSUPP, EBADF, EPERM };
    RangeFixture r;

    setup(&r, "", "", NULL);
    fixture_state(r.target)->sys.fault = &r.fault;
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        g_atomic_int_set(&fixture_state(r.target)->refused, 0);
        r.fault = (FileFault) { .kinds = 1u << FILE_SYS_COPY_RANGE, .at = 1,
                                .error = refusals[i] };
        g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOTSUP);
        g_assert_cmpint(fixture_state(r.target)->refused, ==, FILE_REFUSES_COPY_RANGE);
    }
    assert_target(&r, 0, (uint8_t[512]) { 0 }, 512);
    teardown(&r);
}

static void test_lengths_and_flushes_that_failed(void)
{
    RangeFixture r;

    setup(&r, "", "", NULL);
    r.fault = (FileFault) { .kinds = 1u << FILE_SYS_STAT, .at = 1, .error = EIO };
    fixture_state(r.source)->sys.fault = &r.fault;
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -EIO);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, 0);
    r.fault = (FileFault) { .kinds = 1u << FILE_SYS_FDATASYNC, .at = 1, .error = EIO };
    fixture_state(r.target)->sys.fault = &r.fault;
    g_assert_cmpint(blk_flush(r.target), ==, -EIO);
    g_assert_cmpint(range_copy(&r, 512, 512, 512), ==, -EIO);   /* no writes any more */
    assert_target(&r, 512, (uint8_t[512]) { 0 }, 512);
    teardown(&r);
}

/* Opens another source; what it reads is not what the host could copy. */
static void assert_not_from(RangeFixture *r, const char *options, int flags)
{
    g_autoptr(GError) error = NULL;

    blk_unref(r->source);
    r->source = blk_open_opts(r->f.ctx, options, flags, &error);
    g_assert_no_error(error);
    g_assert_cmpint(range_copy(r, 0, 0, 4096), ==, -ENOTSUP);
}

static void test_other_sources(void)
{
    RangeFixture r;
    g_autofree char *filtered = NULL, *verified = NULL;

    setup(&r, "", "", NULL);
    filtered = g_strdup_printf("driver=copy-on-read,file.driver=file,file.filename=%s", r.f.path);
    verified = g_strdup_printf("driver=quorum,vote-threshold=1,children.0.driver=file,"
                               "children.0.filename=%s", r.f.path);
    assert_not_from(&r, "driver=null-co,size=1M", 0);
    assert_not_from(&r, "driver=raw,size=1M,file.driver=null-co,file.size=1M", 0);
    assert_not_from(&r, filtered, BLK_O_RDWR);      /* has reads of its own */
    assert_not_from(&r, verified, 0);
    assert_not_from(&r, "driver=host_device,filename=/dev/zero", 0);
    blk_close(r.source);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOMEDIUM);
    assert_target(&r, 0, (uint8_t[512]) { 0 }, 512);
    teardown(&r);
}

static void test_read_only_target(void)
{
    RangeFixture r;

    setup(&r, "", "", NULL);
    blk_unref(r.target);
    r.target = range_open(&r, r.target_path, "", 0);
    g_assert_cmpint(range_copy(&r, 0, 0, 512), ==, -ENOTSUP);
    teardown(&r);
}

/* convert: by the host, and where that cannot, by itself. */
static void convert_both_ways(int error)
{
    RangeFixture r;
    BlockConvertOptions options = { .sparse_size = 4096, .copy_offload = true };
    BlockBackend *sources[1];

    setup(&r, "", "", NULL);
    r.fault = (FileFault) { .kinds = 1u << FILE_SYS_COPY_RANGE, .at = error ? 1 : 0,
                            .error = error };
    fixture_state(r.target)->sys.fault = &r.fault;
    sources[0] = r.source;
    g_assert_true(block_convert(sources, 1, r.target, &options, NULL));
    g_assert_cmpint(r.fault.calls, ==, 1);
    assert_target(&r, 0, r.f.content, FIXTURE_BYTES);
    teardown(&r);
}

static void test_convert(void)
{
    convert_both_ways(0);
    convert_both_ways(EOPNOTSUPP);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/copy-range/windows/move-the-offsets", test_windows_move_the_offsets);
    g_test_add_func("/copy-range/outside/is-refused", test_bounds);
    g_test_add_func("/copy-range/what-must-be-looked-at/is-left-to-the-caller",
                    test_what_must_be_looked_at);
    g_test_add_func("/copy-range/system/errors-are-told-refusals-remembered",
                    test_system_errors);
    g_test_add_func("/copy-range/system/each-refusal-is-remembered", test_refusals);
    g_test_add_func("/copy-range/length-or-flush-failed/is-told",
                    test_lengths_and_flushes_that_failed);
    g_test_add_func("/copy-range/source-without-file/is-left-to-the-caller", test_other_sources);
    g_test_add_func("/copy-range/read-only-target/is-left-to-the-caller", test_read_only_target);
    g_test_add_func("/copy-range/convert/copies-either-way", test_convert);
    return g_test_run();
}
