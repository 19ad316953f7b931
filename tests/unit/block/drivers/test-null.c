/* SPDX-License-Identifier: MIT */
#include <cairn/cairn.h>

#include <errno.h>
#include <string.h>

#define GIB ((int64_t)1 << 30)

static BlockBackend *null_open(CairnContext *ctx, const char *options)
{
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = blk_open_opts(ctx, options, BLK_O_RDWR | BLK_O_UNMAP, &error);

    g_assert_no_error(error);
    g_assert_nonnull(blk);
    return blk;
}

static void null_refuse(const char *name, const char *options, const char *message)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;
    BlockBackend *blk = options ? blk_open_opts(ctx, options, 0, &error)
                                : blk_open(ctx, name, BLK_O_PROBE, &error);

    g_assert_null(blk);
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, message));
}

/* ---- names -------------------------------------------------------------------- */

static void test_name(void)
{
    static const char *const names[] = { "null-co://", "null-aio://" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(CairnContext) ctx = cairn_context_new();
        g_autoptr(BlockBackend) blk = blk_open(ctx, names[i], BLK_O_PROBE, NULL);

        g_assert_nonnull(blk);
        g_assert_cmpstr(blk_get_format(blk), ==, "raw");
        g_assert_cmpstr(blk_get_filename(blk), ==, names[i]);
        g_assert_cmpint(blk_getlength(blk), ==, GIB);
    }
}

static void test_wrong_names(void)
{
    static const char *const wanted = "The only allowed filename for this driver is '";

    null_refuse("null-co:", NULL, wanted);
    null_refuse("null-co:/", NULL, wanted);
    null_refuse("null-co://512", NULL, wanted);
    null_refuse("null-aio:x", NULL, wanted);
}

static void test_name_of_options(void)
{
    static const char *const texts[][2] = {
        { "driver=null-co", "null-co://" },
        { "driver=null-aio,latency-ns=5", "null-aio://" },
        { "driver=null-co,size=1M", "json:{\"driver\": \"null-co\", \"size\": \"1M\"}" },
        { "driver=null-co,read-zeroes=off",
          "json:{\"driver\": \"null-co\", \"read-zeroes\": \"off\"}" },
    };
    g_autoptr(CairnContext) ctx = cairn_context_new();

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(BlockBackend) blk = null_open(ctx, texts[i][0]);

        g_assert_cmpstr(blk_get_filename(blk), ==, texts[i][1]);
    }
}

/* ---- options ------------------------------------------------------------------ */

static void test_bad_options(void)
{
    null_refuse(NULL, "driver=null-co,size=-1", "Parameter 'size' expects a non-negative number");
    null_refuse(NULL, "driver=null-co,size=9223372036854775807",
                "Parameter 'size' must be at most 9223372036853727231");
    null_refuse(NULL, "driver=null-co,size=8E", "Parameter 'size' must be at most");
    null_refuse(NULL, "driver=null-co,size=16E", "Value '16E' is out of range");
    null_refuse(NULL, "driver=null-co,latency-ns=-1", "latency-ns is invalid");
    null_refuse(NULL, "driver=null-co,latency-ns=9223372036854775808", "Value '92233720368547758");
    null_refuse(NULL, "driver=null-co,filename=null-co://",
                "Block protocol 'null-co' doesn't support the option 'filename'");
    null_refuse("json:{'driver':'null-co','size':-5}", NULL, "Parameter 'size' expects");
}

static void test_largest(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, "driver=null-co,size=9223372036853727231");
    uint8_t byte = 0;

    g_assert_cmpint(blk_getlength(blk), ==, 9223372036853727232);
    g_assert_cmpint(blk_pwrite(blk, 9223372036853727230, 1, &byte, 0), ==, 0);
    g_assert_cmpint(blk_pwrite(blk, 9223372036853727232, 1, &byte, 0), ==, -EIO);
}

static void test_empty(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, "driver=null-co,size=0");
    uint8_t byte = 0;

    g_assert_cmpint(blk_getlength(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, -EIO);
}

/* ---- data --------------------------------------------------------------------- */

static void null_expect_read(CairnContext *ctx, const char *options, uint8_t wanted)
{
    g_autoptr(BlockBackend) blk = null_open(ctx, options);
    uint8_t buf[1024];

    memset(buf, 0x5a, sizeof(buf));
    g_assert_cmpint(blk_pread(blk, 512, sizeof(buf), buf), ==, 0);
    for (size_t i = 0; i < sizeof(buf); i++) {
        g_assert_cmpint(buf[i], ==, wanted);
    }
}

static void test_reads(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    null_expect_read(ctx, "driver=null-co", 0x5a);
    null_expect_read(ctx, "driver=null-aio", 0x5a);
    null_expect_read(ctx, "driver=null-co,read-zeroes=on", 0);
    null_expect_read(ctx, "driver=null-aio,read-zeroes=on", 0);
}

static void test_restricted_reads(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();

    cairn_context_set_restricted(ctx, true, NULL);
    null_expect_read(ctx, "driver=null-co", 0);
    null_expect_read(ctx, "driver=null-aio,read-zeroes=off", 0);
}

static void test_writes(void)
{
    static const char *const drivers[] = { "driver=null-co,read-zeroes=on",
                                           "driver=null-aio,read-zeroes=on" };
    g_autoptr(CairnContext) ctx = cairn_context_new();
    uint8_t buf[512];

    for (size_t i = 0; i < G_N_ELEMENTS(drivers); i++) {
        g_autoptr(BlockBackend) blk = null_open(ctx, drivers[i]);

        memset(buf, 0x5a, sizeof(buf));
        g_assert_cmpint(blk_pwrite(blk, 0, sizeof(buf), buf, 0), ==, 0);
        g_assert_cmpint(blk_pwrite(blk, 0, sizeof(buf), buf, BDRV_REQ_FUA), ==, 0);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 0, GIB, 0), ==, 0);
        g_assert_cmpint(blk_pdiscard(blk, 0, GIB), ==, 0);
        g_assert_cmpint(blk_flush(blk), ==, 0);
        g_assert_cmpint(blk_pread(blk, 0, sizeof(buf), buf), ==, 0);
        g_assert_cmpint(buf[0], ==, 0);
        g_assert_cmpint(blk_pwrite_zeroes(blk, 0, 512, BDRV_REQ_NO_FALLBACK), ==, -ENOTSUP);
        g_assert_cmpint(blk_pwrite(blk, GIB, 1, buf, 0), ==, -EIO);
    }
}

static void null_expect_status(const char *options, int flags)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, options);
    BlockStatus status;

    g_assert_cmpint(blk_block_status_chain(blk, 4096, 8192, &status), ==, 0);
    g_assert_cmpint(status.bytes, ==, 8192);
    g_assert_cmphex(status.flags, ==, flags);
}

static void test_status(void)
{
    const int zero = BDRV_BLOCK_ZERO | BDRV_BLOCK_ALLOCATED | BDRV_BLOCK_OFFSET_VALID;

    null_expect_status("driver=null-co", 0);
    null_expect_status("driver=null-aio", 0);
    null_expect_status("driver=raw,file.driver=null-co", 0);
    null_expect_status("driver=null-co,read-zeroes=on", zero);
    null_expect_status("driver=raw,file.driver=null-aio,file.read-zeroes=on", zero);
}

static void test_info(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, "driver=raw,file.driver=null-co");
    g_autoptr(QDict) info = blk_get_image_info(blk, NULL);

    g_assert_cmpint(qdict_get_try_int(info, "actual-size", -1), ==, 0);
    g_assert_false(qdict_haskey(info, "dirty-flag"));
    g_assert_false(blk_has_zero_init(blk));
}

static void test_resize(void)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, "driver=null-co");
    g_autoptr(GError) error = NULL;

    g_assert_false(blk_truncate(blk, 4096, PREALLOC_MODE_OFF, &error));
    g_assert_error(error, CAIRN_ERROR, ENOTSUP);
    g_assert_cmpint(blk_getlength(blk), ==, GIB);
}

/* ---- when it answers ----------------------------------------------------------- */

typedef struct NullRequest {
    BlockBackend *blk;
    int ret;
    bool is_done;
} NullRequest;

static void coroutine_fn null_request(void *opaque)
{
    NullRequest *r = opaque;
    uint8_t buf[512];

    r->ret = blk_co_pread(r->blk, 0, sizeof(buf), buf);
    r->is_done = true;
}

/* Returns: whether the request ended before its starter went on. */
static bool null_is_immediate(const char *options)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, options);
    AioContext *aio = aio_context_ensure();
    NullRequest r = { .blk = blk };
    bool was_done;

    coroutine_enter(coroutine_create(null_request, &r));
    was_done = r.is_done;
    aio_context_poll_until(aio, &r.is_done);
    g_assert_cmpint(r.ret, ==, 0);
    return was_done;
}

static void test_immediate(void)
{
    g_assert_true(null_is_immediate("driver=null-co"));
    g_assert_false(null_is_immediate("driver=null-aio"));
    g_assert_false(null_is_immediate("driver=null-co,latency-ns=1"));
    g_assert_false(null_is_immediate("driver=null-aio,latency-ns=1"));
}

static void null_expect_latency(const char *options)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(BlockBackend) blk = null_open(ctx, options);
    int64_t start = g_get_monotonic_time();
    uint8_t byte = 0;

    g_assert_cmpint(blk_pwrite(blk, 0, 1, &byte, 0), ==, 0);
    g_assert_cmpint(blk_flush(blk), ==, 0);
    g_assert_cmpint(blk_pread(blk, 0, 1, &byte), ==, 0);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 3 * 2000);
}

/* Never less than asked for; more is the machine's affair. */
static void test_latency(void)
{
    null_expect_latency("driver=null-co,latency-ns=2000000");
    null_expect_latency("driver=null-aio,latency-ns=2000000");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/null/name/is-a-gibibyte", test_name);
    g_test_add_func("/null/name/anything-else-is-refused", test_wrong_names);
    g_test_add_func("/null/options/what-changes-reads-stands-in-the-name", test_name_of_options);
    g_test_add_func("/null/options/senseless-ones-are-refused", test_bad_options);
    g_test_add_func("/null/size/largest-is-reached-to-its-end", test_largest);
    g_test_add_func("/null/size/zero-has-no-bytes", test_empty);
    g_test_add_func("/null/read/leaves-the-buffer-or-gives-zeros", test_reads);
    g_test_add_func("/null/read/gives-zeros-where-guests-run", test_restricted_reads);
    g_test_add_func("/null/write/succeeds-and-is-dropped", test_writes);
    g_test_add_func("/null/status/is-neither-data-nor-zero-unless-promised", test_status);
    g_test_add_func("/null/info/takes-no-space", test_info);
    g_test_add_func("/null/resize/is-refused", test_resize);
    g_test_add_func("/null/aio/answers-after-a-turn-of-the-loop", test_immediate);
    g_test_add_func("/null/latency/is-waited-for", test_latency);
    return g_test_run();
}
