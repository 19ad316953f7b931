/* SPDX-License-Identifier: MIT */
/*
 * cairn-img create: a new image. All that can be known to be wrong is reported before the file is
 * touched.
 */
#include "img/img.h"

#include <errno.h>
#include <stdio.h>

#include "img/stage.h"

typedef struct CreateArgs {
    ImgCommon common;
    const char *filename;
    const char *backing, *backing_format;
    char *options;              /* of all -o; NULL: none */
    int64_t size;               /* bytes; -1: not given */
    bool unsafe;                /* do not open the backing file */
} CreateArgs;

static void create_args_clear(CreateArgs *args)
{
    g_free(args->options);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CreateArgs, create_args_clear)

static ImgStep create_parse_options(Img *img, CreateArgs *args, int argc, char **argv,
                                    GError **error)
{
    static const struct option options[] = { IMG_LONG_OPTIONS_ALL, { NULL } };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":F:b:f:ho:qu", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        switch (known ? 0 : c) {
        case 'F':
            args->backing_format = optarg;
            break;
        case 'b':
            args->backing = optarg;
            break;
        case 'u':
            args->unsafe = true;
            break;
        case 'o':
            if (!tool_options_append(&args->options, optarg, error)) {
                return IMG_STEP_FAILED;
            }
            break;
        }
    }
    return IMG_STEP_RUN;
}

/* The file name may be missing where only help is wanted. */
static bool create_parse_positionals(CreateArgs *args, int argc, char **argv, GError **error)
{
    args->filename = optind < argc ? argv[optind++] : NULL;
    if (tool_options_ask_help(args->options)) {
        return true;
    }
    if (!args->filename) {
        tool_usage_error(error, "Expecting image file name");
        return false;
    }
    if (optind < argc && !tool_parse_size("image size", argv[optind++], 0, INT64_MAX,
                                          &args->size, error)) {
        img_suggest_order(args->filename, argv[optind - 1], error);
        return false;
    }
    if (optind < argc) {
        tool_usage_error(error, "Unexpected argument: %s", argv[optind]);
        return false;
    }
    return true;
}

static bool create_print_help(Img *img, const CreateArgs *args, GError **error)
{
    g_autofree char *text = blk_create_help(img->ctx, args->common.format, args->filename,
                                            error);

    if (text) {
        fputs(text, stdout);
    }
    return text != NULL;
}

static void create_warn_hex_size(const QDict *options)
{
    const char *text = qdict_get_try_str(options, "size");
    uint64_t ignored;

    if (text) {
        tool_parse_size_option("size", text, &ignored, NULL);
    }
}

/* The file that is there stays as it is until the new one is whole. */
static bool create_make(Img *img, const CreateArgs *args, BlockCreate *create, GError **error)
{
    g_auto(ImgStage) stage = { .fd = -1 };

    return img_stage_begin(&stage, img, args->filename, error) &&
           img_stage_create(&stage, create, error) && img_stage_commit(&stage, true, error);
}

static bool create_run(Img *img, const CreateArgs *args, GError **error)
{
    g_autoptr(BlockCreate) create = NULL;
    g_autoptr(QDict) options = tool_options_parse(args->options, error);

    if (!options) {
        return false;
    }
    create_warn_hex_size(options);
    if (!img_sandbox_begin(img, error)) {
        return false;
    }
    create = blk_create_prepare(img->ctx, args->filename, args->common.format, args->backing,
                                args->backing_format, options, args->size, !args->unsafe,
                                error);
    if (!create) {
        return false;
    }
    if (!args->common.quiet) {
        g_autofree char *text = blk_create_describe(create);

        printf("%s\n", text);
        fflush(stdout);
    }
    return create_make(img, args, create, error);
}

int img_create(Img *img, int argc, char **argv, GError **error)
{
    g_auto(CreateArgs) args = { .common.format = "raw", .size = -1 };
    ImgStep step = create_parse_options(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    if (!create_parse_positionals(&args, argc, argv, error)) {
        return 1;
    }
    if (tool_options_ask_help(args.options)) {
        return create_print_help(img, &args, error) ? 0 : 1;
    }
    if (!create_run(img, &args, error)) {
        g_prefix_error(error, "%s: ", args.filename);
        return 1;
    }
    return 0;
}
