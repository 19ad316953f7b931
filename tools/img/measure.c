/* SPDX-License-Identifier: MIT */
/*
 * cairn-img measure: how large a file would be that holds a new image, or a copy of one that there
 * is.
 */
#include "img/img.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

typedef struct MeasureArgs {
    ImgCommon common;
    const char *filename;       /* NULL: size is given */
    const char *target_format;
    const char *snapshot;
    char *options;              /* of all -o; NULL: none */
    int64_t size;               /* bytes; -1: filename is given */
} MeasureArgs;

static void measure_args_clear(MeasureArgs *args)
{
    g_free(args->options);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MeasureArgs, measure_args_clear)

enum { MEASURE_OPTION_SIZE = IMG_OPTION_FIRST_FREE };

static bool measure_parse_value(MeasureArgs *args, int c, GError **error)
{
    switch (c) {
    case 'O':
        args->target_format = optarg;
        return true;
    case 'l':
        args->snapshot = optarg;
        return img_check_snapshot_param(optarg, error);
    case 'o':
        return tool_options_append(&args->options, optarg, error);
    case MEASURE_OPTION_SIZE:
        return tool_parse_size("image size", optarg, 0, INT64_MAX, &args->size, error);
    }
    return true;
}

static ImgStep measure_parse_options(Img *img, MeasureArgs *args, int argc, char **argv,
                                     GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "output", required_argument, NULL, IMG_OPTION_OUTPUT },
        { "size", required_argument, NULL, MEASURE_OPTION_SIZE },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":O:Uf:hl:o:", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (!img_check_output(&args->common, error) ||
            (!known && !measure_parse_value(args, c, error))) {
            return IMG_STEP_FAILED;
        }
    }
    return IMG_STEP_RUN;
}

/*
 * What is wrong with the arguments together, or NULL. The order is that in which scripts see the
 * messages.
 */
static const char *measure_conflict(const MeasureArgs *args, int names)
{
    const ImgCommon *common = &args->common;

    if (names > 1) {
        return "At most one filename argument is allowed.";
    }
    if (names == 0 && (common->image_opts || common->format || args->snapshot)) {
        return "--image-opts, -f, and -l require a filename argument.";
    }
    if (names == 0 && args->size < 0) {
        return "Either --size N or one filename must be specified.";
    }
    if (names == 1 && args->size >= 0) {
        return "--size N cannot be used together with a filename.";
    }
    return NULL;
}

static ImgStep measure_print_help(Img *img, const MeasureArgs *args, GError **error)
{
    g_autofree char *text = blk_create_help(img->ctx, args->target_format, NULL, error);

    if (!text) {
        return IMG_STEP_FAILED;
    }
    fputs(text, stdout);
    return IMG_STEP_DONE;
}

static ImgStep measure_parse(Img *img, MeasureArgs *args, int argc, char **argv, GError **error)
{
    ImgStep step = measure_parse_options(img, args, argc, argv, error);
    const char *conflict;

    if (step != IMG_STEP_RUN) {
        return step;
    }
    if (tool_options_ask_help(args->options)) {
        return measure_print_help(img, args, error);
    }
    conflict = measure_conflict(args, argc - optind);
    if (conflict) {
        cairn_set_error(error, EINVAL, "%s", conflict);
        return IMG_STEP_FAILED;
    }
    args->filename = argv[optind];      /* NULL behind the last word */
    return img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

static void measure_print(const MeasureArgs *args, const BlockMeasure *measure)
{
    g_autoptr(QDict) dict = NULL;
    g_autofree char *text = NULL;

    if (!args->common.is_json) {
        printf("required size: %" PRId64 "\nfully allocated size: %" PRId64 "\n",
               measure->required, measure->fully_allocated);
        return;
    }
    dict = qdict_new();
    qdict_put_int(dict, "required", measure->required);
    qdict_put_int(dict, "fully-allocated", measure->fully_allocated);
    text = qobject_to_json(QOBJECT(dict), true);
    puts(text);
}

static BlockBackend *measure_open(Img *img, const MeasureArgs *args, GError **error)
{
    ToolImage image = img_image(&args->common, args->filename, BLK_O_SHARE_WRITE);
    g_autoptr(BlockBackend) blk = img_open(img, &image, error);

    if (blk && args->snapshot) {
        img_refuse_snapshot(blk, error);
        return NULL;
    }
    return blk && img_sandbox_narrow(img, NULL, error) ? g_steal_pointer(&blk) : NULL;
}

/* A size among the options does not count, but it must be one. */
static QDict *measure_options(const MeasureArgs *args, GError **error)
{
    g_autoptr(QDict) options = tool_options_parse(args->options, error);
    const char *size = options ? qdict_get_try_str(options, "size") : NULL;
    uint64_t ignored;

    if (size && !tool_parse_size_option("size", size, &ignored, error)) {
        return NULL;
    }
    if (size) {
        tool_warn("-o size= has no effect: --size or the file tells the size");
        qdict_del(options, "size");
    }
    return g_steal_pointer(&options);
}

/* Scripts know a second line, with the program's name, after a mistake in the options. */
static void measure_fail(const MeasureArgs *args, GError **error)
{
    int err = cairn_error_errno(*error);

    if (args->options && (err == EINVAL || err == ERANGE)) {
        cairn_error_append_hint(error, "%s: Invalid options for file format '%s'", tool_prog(),
                                args->target_format);
    }
}

static bool measure_run(Img *img, const MeasureArgs *args, GError **error)
{
    g_autoptr(BlockBackend) blk = NULL;
    g_autoptr(QDict) options = NULL;
    g_autoptr(GError) local = NULL;
    BlockMeasure measure = { 0 };

    if (args->filename) {
        blk = measure_open(img, args, error);
        if (!blk) {
            return false;
        }
    }
    options = measure_options(args, &local);
    if (!options || !blk_measure(img->ctx, args->target_format, options, blk, args->size, &measure,
                                 &local)) {
        measure_fail(args, &local);
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    measure_print(args, &measure);
    return true;
}

int img_measure(Img *img, int argc, char **argv, GError **error)
{
    g_auto(MeasureArgs) args = { .target_format = "raw", .size = -1 };
    ImgStep step = measure_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    return measure_run(img, &args, error) ? 0 : 1;
}
