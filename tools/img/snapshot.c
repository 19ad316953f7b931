/* SPDX-License-Identifier: MIT */
/*
 * cairn-img snapshot: snapshots inside an image. No format that is built in keeps any, so the list
 * is empty and every other action is refused; the image is opened all the same, so that its own
 * faults come first.
 */
#include "img/img.h"

#include <errno.h>

typedef struct SnapshotArgs {
    ImgCommon common;
    char action;                /* 'l', 'a', 'c', 'd'; 0: none given, which lists */
    const char *snapshot;
    const char *filename;
} SnapshotArgs;

static bool snapshot_take_action(SnapshotArgs *args, int c, GError **error)
{
    if (args->action) {
        tool_usage_error(error, "Cannot mix '-l', '-a', '-c', '-d'");
        return false;
    }
    args->action = c;
    args->snapshot = optarg;
    return true;
}

static ImgStep snapshot_parse(Img *img, SnapshotArgs *args, int argc, char **argv,
                              GError **error)
{
    static const struct option options[] = {
        IMG_LONG_OPTIONS_ALL,
        { "force-share", no_argument, NULL, 'U' },
        { "image-opts", no_argument, NULL, IMG_OPTION_IMAGE_OPTS },
        { NULL },
    };
    ImgStep step;
    bool known;
    int c;

    while ((c = tool_getopt(argc, argv, ":Ua:c:d:hlq", options, error)) != -1) {
        step = img_common_option(img, &args->common, c, &known, error);
        if (step != IMG_STEP_RUN) {
            return step;
        }
        if (!known && !snapshot_take_action(args, c, error)) {
            return IMG_STEP_FAILED;
        }
    }
    args->filename = img_one_filename(argc, argv, error);
    return args->filename ? IMG_STEP_RUN : IMG_STEP_FAILED;
}

/* What an action ends with; a list has nothing to say. */
static bool snapshot_act(const SnapshotArgs *args, const char *format, GError **error)
{
    switch (args->action) {
    case 'c':
        cairn_set_error(error, ENOTSUP, "Could not create snapshot '%s': -%d (%s)\n"
                        "An overlay that takes the writes keeps an image as it is: "
                        "%s create -f qcow -b FILE -F %s NEWFILE", args->snapshot, EOPNOTSUPP,
                        g_strerror(EOPNOTSUPP), tool_prog(), format);
        return false;
    case 'a':
        cairn_set_error(error, ENOTSUP, "Could not apply snapshot '%s': Block driver does not"
                        " support snapshots", args->snapshot);
        return false;
    case 'd':
        cairn_set_error(error, ENOENT, "Could not delete snapshot '%s': snapshot not found",
                        args->snapshot);
        return false;
    }
    return true;
}

int img_snapshot(Img *img, int argc, char **argv, GError **error)
{
    SnapshotArgs args = { 0 };
    ImgStep step = snapshot_parse(img, &args, argc, argv, error);
    g_autoptr(BlockBackend) blk = NULL;
    ToolImage image;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    image = img_image(&args.common, args.filename,
                      BLK_O_SHARE_WRITE | (args.action == 'l' ? 0 : BLK_O_RDWR));
    blk = img_open(img, &image, error);
    return blk && snapshot_act(&args, blk_get_format(blk), error) ? 0 : 1;
}
