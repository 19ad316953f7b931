/* SPDX-License-Identifier: MIT */
/*
 * Options and steps that several commands of cairn-img share.
 */
#include "img/img.h"

#include <errno.h>
#include <string.h>

static bool common_parse_progress(ImgCommon *common, GError **error)
{
    common->progress = !strcmp(optarg, "json") ? TOOL_PROGRESS_JSON : TOOL_PROGRESS_TEXT;
    if (strcmp(optarg, "json") && strcmp(optarg, "human")) {
        cairn_set_error(error, EINVAL, "--progress must be used with human or json as argument.");
        return false;
    }
    return true;
}

static ImgStep common_add_object(Img *img, GError **error)
{
    bool is_help;

    if (!tool_object_add(img->ctx, optarg, &is_help, error)) {
        return IMG_STEP_FAILED;
    }
    return is_help ? IMG_STEP_DONE : IMG_STEP_RUN;
}

ImgStep img_common_option(Img *img, ImgCommon *common, int c, bool *known, GError **error)
{
    *known = true;
    switch (c) {
    case '?':
        return IMG_STEP_FAILED;
    case 'h':
        img_print_help(img->ctx);
        return IMG_STEP_DONE;
    case 'f':
        common->format = optarg;
        return IMG_STEP_RUN;
    case 'U':
        common->force_share = true;
        return IMG_STEP_RUN;
    case 'q':
        common->quiet = true;
        return IMG_STEP_RUN;
    case 'p':
        common->progress = TOOL_PROGRESS_TEXT;
        return IMG_STEP_RUN;
    case IMG_OPTION_PROGRESS:
        return common_parse_progress(common, error) ? IMG_STEP_RUN : IMG_STEP_FAILED;
    case IMG_OPTION_OBJECT:
        return common_add_object(img, error);
    case IMG_OPTION_IMAGE_OPTS:
        common->image_opts = true;
        return IMG_STEP_RUN;
    case IMG_OPTION_ALLOW_BACKING:
        if (!tool_allow_backing(optarg, error)) {
            return IMG_STEP_FAILED;
        }
        /* fall through */
    case IMG_OPTION_STRICT:
        cairn_context_set_image_policy(img->ctx, CAIRN_IMAGE_POLICY_SAME_FOLDER);
        return IMG_STEP_RUN;
    case IMG_OPTION_SANDBOX:
        return tool_sandbox_parse(optarg, &img->sandbox.mode, error) ? IMG_STEP_RUN
                                                                     : IMG_STEP_FAILED;
    case IMG_OPTION_OUTPUT:
        common->output = optarg;
        common->is_json = !strcmp(optarg, "json");
        return IMG_STEP_RUN;
    default:
        *known = false;
        return IMG_STEP_RUN;
    }
}

bool img_check_output(const ImgCommon *common, GError **error)
{
    if (common->output && !common->is_json && strcmp(common->output, "human")) {
        cairn_set_error(error, EINVAL, "--output must be used with human or json as argument.");
        return false;
    }
    return true;
}

bool img_check_format_option(bool image_opts, const char *format, GError **error)
{
    if (image_opts && format) {
        cairn_set_error(error, EINVAL, "--image-opts and --format are mutually exclusive");
        return false;
    }
    return true;
}

void img_suggest_order(const char *filename, const char *size, GError **error)
{
    uint64_t bytes;

    if (cairn_parse_size(filename, &bytes, NULL) == 0 &&
        cairn_parse_size(size, &bytes, NULL) == -EINVAL) {
        cairn_error_append_hint(error, "The file name stands before the size: %s %s", size,
                                filename);
    }
}

bool img_check_snapshot_param(const char *text, GError **error)
{
    g_autoptr(QDict) keys = NULL;

    if (!g_str_has_prefix(text, "snapshot.")) {
        return true;
    }
    keys = tool_keyval_parse(text, NULL, error);
    for (size_t i = 0; keys && i < qdict_size(keys); i++) {
        const char *key = qdict_key_at(keys, i);

        if (strcmp(key, "snapshot.id") && strcmp(key, "snapshot.name")) {
            cairn_set_error(error, EINVAL, "Invalid parameter '%s'\n%s: Failed in parsing"
                            " snapshot param '%s'", key, tool_prog(), text);
            return false;
        }
    }
    return keys != NULL;
}

void img_refuse_snapshot(BlockBackend *blk, GError **error)
{
    cairn_set_error(error, ENOTSUP, "Failed to load snapshot: Block format '%s' used by device ''"
                    " does not support temporarily loading internal snapshots",
                    blk_get_format(blk));
}

bool img_parse_source_cache(const char *cache, int *flags, GError **error)
{
    if (cache && !tool_parse_cache(cache, flags)) {
        cairn_set_error(error, EINVAL, "Invalid source cache option: %s", cache);
        return false;
    }
    return true;
}

bool img_parse_target_cache(const char *cache, int *flags, GError **error)
{
    if (cache && !tool_parse_cache(cache, flags)) {
        cairn_set_error(error, EINVAL, "Invalid cache option: %s", cache);
        return false;
    }
    return true;
}

ToolImage img_image(const ImgCommon *common, const char *name, int flags)
{
    return (ToolImage) {
        .name = name,
        .format = common->format,
        .image_opts = common->image_opts,
        .flags = flags | (common->force_share ? BLK_O_FORCE_SHARE : 0),
    };
}

bool img_sandbox_begin(Img *img, GError **error)
{
    return tool_sandbox_begin(&img->sandbox, error);
}

bool img_sandbox_narrow(Img *img, const char *folder, GError **error)
{
    return tool_sandbox_narrow(&img->sandbox, img->ctx, folder, error);
}

BlockBackend *img_open(Img *img, const ToolImage *image, GError **error)
{
    BlockBackend *blk;

    if (!img_sandbox_begin(img, error)) {
        return NULL;
    }
    blk = tool_open_image(img->ctx, image, error);
    if (!blk) {
        g_prefix_error(error, "Could not open '%s': ", image->name);
    }
    return blk;
}

const char *img_one_filename(int argc, char **argv, GError **error)
{
    if (optind != argc - 1) {
        tool_usage_error(error, "Expecting one image file name");
        return NULL;
    }
    return argv[optind];
}
