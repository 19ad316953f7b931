/* SPDX-License-Identifier: MIT */
/*
 * cairn-img info: what an image is, read from its header alone: neither its backing file nor a key
 * is needed.
 */
#include "img/img.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct InfoArgs {
    ImgCommon common;
    const char *filename;
    bool chain;
} InfoArgs;

static ImgStep info_parse(Img *img, InfoArgs *args, int argc, char **argv, GError **error)
{
    enum { INFO_OPTION_CHAIN = IMG_OPTION_FIRST_FREE };
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "backing-chain", no_argument, NULL, INFO_OPTION_CHAIN },
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { "output", required_argument, NULL, IMG_OPTION_OUTPUT },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":f:hU", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (c == INFO_OPTION_CHAIN) {
            args->chain = true;
        }
    }
    args->filename = img_one_filename(argc, argv, error);
    return args->filename && img_check_output(&args->common, error) &&
           img_check_format_option(args->common.image_opts, args->common.format, error)
           ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

static void info_print_backing(const QDict *info)
{
    const char *name = qdict_get_try_str(info, "backing-filename");
    const char *full = qdict_get_try_str(info, "full-backing-filename");
    const char *format = qdict_get_try_str(info, "backing-filename-format");
    g_autofree char *shown = tool_printable(name ? name : ""), *path = NULL;

    if (!name) {
        return;
    }
    printf("backing file: %s", shown);
    if (!full) {
        printf(" (cannot determine actual path)");
    } else if (strcmp(name, full)) {
        path = tool_printable(full);
        printf(" (actual path: %s)", path);
    }
    putchar('\n');
    if (format) {
        printf("backing file format: %s\n", format);
    }
}

static void info_print_sizes(const QDict *info)
{
    int64_t virtual_size = qdict_get_try_int(info, "virtual-size", 0);
    g_autofree char *size = cairn_format_size(virtual_size);

    printf("virtual size: %s (%" PRId64 " bytes)\n", size, virtual_size);
    if (qdict_haskey(info, "actual-size")) {
        g_autofree char *disk = cairn_format_size(qdict_get_try_int(info, "actual-size", 0));

        printf("disk size: %s\n", disk);
    } else {
        printf("disk size: unavailable\n");
    }
}

static void info_print_human(const QDict *info)
{
    printf("image: %s\nfile format: %s\n", qdict_get_try_str(info, "filename"),
           qdict_get_try_str(info, "format"));
    info_print_sizes(info);
    if (qdict_get_try_bool(info, "encrypted", false)) {
        printf("encrypted: yes\n");
    }
    if (qdict_haskey(info, "cluster-size")) {
        printf("cluster_size: %" PRId64 "\n", qdict_get_try_int(info, "cluster-size", 0));
    }
    if (qdict_get_try_bool(info, "dirty-flag", false)) {
        printf("cleanly shut down: no\n");
    }
    info_print_backing(info);
}

static void info_print_list(QList *list, const InfoArgs *args)
{
    if (args->common.is_json) {
        QObject *top = args->chain ? QOBJECT(list) : qlist_at(list, 0);
        g_autofree char *text = qobject_to_json(top, true);

        puts(text);
        return;
    }
    for (size_t i = 0; i < qlist_size(list); i++) {
        if (i > 0) {
            putchar('\n');
        }
        info_print_human(qobject_to_qdict(qlist_at(list, i)));
    }
}

/*
 * An option string is repeated whole in the message; the library would name only what it has taken
 * from it.
 */
static bool info_check_options(Img *img, const ToolImage *image, const QDict *options,
                               GError **error)
{
    g_autoptr(BlockBackend) blk = NULL;

    if (!image->image_opts) {
        return true;
    }
    blk = blk_open_qdict(img->ctx, NULL, options, tool_open_flags(image), error);
    if (!blk) {
        g_prefix_error(error, "Could not open '%s': ", image->name);
    }
    return blk != NULL;
}

static bool info_run(Img *img, const InfoArgs *args, GError **error)
{
    ToolImage image = img_image(&args->common, args->filename,
                                BLK_O_NO_IO | BLK_O_NO_BACKING | BLK_O_SHARE_WRITE);
    const char *filename;
    g_autoptr(QDict) options = tool_image_options(&image, &filename, error);
    g_autoptr(QList) list = NULL;

    if (!options || !img_sandbox_begin(img, error) ||
        !info_check_options(img, &image, options, error)) {
        return false;
    }
    list = cairn_image_info(img->ctx, filename, options, tool_open_flags(&image), args->chain,
                            error);
    if (!list) {
        return false;
    }
    info_print_list(list, args);
    return true;
}

int img_info(Img *img, int argc, char **argv, GError **error)
{
    InfoArgs args = { 0 };
    ImgStep step = info_parse(img, &args, argc, argv, error);

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    return info_run(img, &args, error) ? 0 : 1;
}
