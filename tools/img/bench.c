/* SPDX-License-Identifier: MIT */
/*
 * cairn-img bench: how long a number of equal requests takes, so many of them at a time. With -w it
 * overwrites what the image holds.
 */
#include "img/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Each request has a stack of its own, and of mappings a process gets 65530 by default. */
#define BENCH_MAX_IN_FLIGHT 16384

enum {
    BENCH_OPTION_FLUSH_INTERVAL = IMG_OPTION_FIRST_FREE, BENCH_OPTION_NO_DRAIN,
    BENCH_OPTION_PATTERN,
};

/* A number without suffix: decimal, 0x hexadecimal, or octal with a leading 0. */
static bool bench_parse_number(const char *what, int64_t min, int64_t max, int64_t *value,
                               GError **error)
{
    const char *text = optarg + (optarg[0] == '+');
    bool is_hex = g_ascii_strncasecmp(text, "0x", 2) == 0;
    guint base = is_hex ? 16 : text[0] == '0' && text[1] ? 8 : 10;
    guint64 number;

    if (!g_ascii_string_to_unsigned(text + (is_hex ? 2 : 0), base, min, max, &number, NULL)) {
        cairn_set_error(error, EINVAL, "Invalid %s specified", what);
        return false;
    }
    *value = number;
    return true;
}

static bool bench_parse_aio(BenchArgs *args, GError **error)
{
    if (!tool_parse_aio(optarg, &args->flags)) {
        cairn_set_error(error, EINVAL, "Invalid aio option: %s", optarg);
        return false;
    }
    return true;
}

static bool bench_parse_cache(BenchArgs *args, GError **error)
{
    if (!tool_parse_cache(optarg, &args->flags)) {
        cairn_set_error(error, EINVAL, "Invalid cache mode");
        return false;
    }
    return true;
}

static bool bench_parse_value(BenchArgs *args, int c, GError **error)
{
    switch (c) {
    case 'S':
        return tool_parse_size("step_size", optarg, 0, INT_MAX, &args->step, error);
    case 'c':
        return bench_parse_number("request count", 0, INT_MAX, &args->count, error);
    case 'd':
        return bench_parse_number("queue depth", 1, INT_MAX, &args->depth, error);
    case 'i':
        return bench_parse_aio(args, error);
    case 'o':
        return tool_parse_size("offset", optarg, 0, INT64_MAX, &args->offset, error);
    case 's':
        return tool_parse_size("buffer size", optarg, 0, INT_MAX, &args->buffer_bytes, error);
    case 't':
        return bench_parse_cache(args, error);
    case BENCH_OPTION_FLUSH_INTERVAL:
        return bench_parse_number("flush interval", 0, INT_MAX, &args->flush_interval, error);
    case BENCH_OPTION_PATTERN:
        return bench_parse_number("pattern byte", 0, 255, &args->pattern, error);
    }
    return true;
}

static void bench_parse_flag(BenchArgs *args, int c)
{
    if (c == 'n') {
        tool_parse_aio("native", &args->flags);
    } else if (c == 'w') {
        args->is_write = true;
    } else if (c == BENCH_OPTION_NO_DRAIN) {
        args->no_drain = true;
    }
}

static ImgStep bench_parse_options(Img *img, BenchArgs *args, int argc, char **argv,
                                   GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "flush-interval", required_argument, NULL, BENCH_OPTION_FLUSH_INTERVAL },
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "no-drain", no_argument, NULL, BENCH_OPTION_NO_DRAIN },
        { "pattern", required_argument, NULL, BENCH_OPTION_PATTERN },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":S:Uc:d:f:hi:no:qs:t:w", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (!known && !bench_parse_value(args, c, error)) {
            return IMG_STEP_FAILED;
        }
        bench_parse_flag(args, known ? 0 : c);
    }
    return IMG_STEP_RUN;
}

static bool bench_check(const BenchArgs *args, GError **error)
{
    const char *message = NULL;

    if (args->flush_interval && !args->is_write) {
        message = "--flush-interval is only available in write tests";
    } else if (args->flush_interval && args->flush_interval < args->depth) {
        message = "Flush interval can't be smaller than depth";
    }
    if (message) {
        cairn_set_error(error, EINVAL, "%s", message);
        return false;
    }
    if (MIN(args->depth, args->count) > BENCH_MAX_IN_FLIGHT) {
        cairn_set_error(error, EINVAL, "Invalid queue depth specified\nAt most %d requests can be"
                        " in flight.", BENCH_MAX_IN_FLIGHT);
        return false;
    }
    return true;
}

static ImgStep bench_parse(Img *img, BenchArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = bench_parse_options(img, args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step;
    }
    args->filename = img_one_filename(argc, argv, error);
    if (args->step == 0) {
        args->step = args->buffer_bytes;
    }
    return args->filename && bench_check(args, error) &&
           img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

static void bench_print_plan(const BenchArgs *args)
{
    printf("Sending %" PRId64 " %s requests, %" PRId64 " bytes each, %" PRId64 " in parallel"
           " (starting at offset %" PRId64 ", step size %" PRId64 ")\n", args->count,
           args->is_write ? "write" : "read", args->buffer_bytes, args->depth, args->offset,
           args->step);
    if (args->flush_interval) {
        printf("Sending flush every %" PRId64 " requests\n", args->flush_interval);
    }
    fflush(stdout);
}

static bool bench_measure(Img *img, const BenchArgs *args, GError **error)
{
    ToolImage image = img_image(&args->common, args->filename, args->flags | BLK_O_SHARE_WRITE |
                                (args->is_write ? BLK_O_RDWR : 0));
    g_autoptr(BlockBackend) blk = img_open(img, &image, error);
    int64_t start_us;

    if (!blk || !img_sandbox_narrow(img, NULL, error)) {
        return false;
    }
    if (!args->common.quiet) {
        bench_print_plan(args);
    }
    start_us = g_get_monotonic_time();
    if (!bench_run(blk, args, error)) {
        return false;
    }
    if (!args->common.quiet) {
        printf("Run completed in %.3f seconds.\n", (g_get_monotonic_time() - start_us) / 1e6);
    }
    return true;
}

int img_bench(Img *img, int argc, char **argv, GError **error)
{
    BenchArgs args = { .count = 75000, .depth = 64, .buffer_bytes = 4096 };
    ImgStep step = bench_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    return bench_measure(img, &args, error) ? 0 : 1;
}
