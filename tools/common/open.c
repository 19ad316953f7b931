/* SPDX-License-Identifier: MIT */
/*
 * From the words of a command line to an open image.
 */
#include "common/tool.h"

#include <string.h>
#include <unistd.h>

int tool_open_flags(const ToolImage *image)
{
    return image->flags | BLK_O_WARN_PROBE | (image->format ? 0 : BLK_O_PROBE);
}

QDict *tool_image_options(const ToolImage *image, const char **filename, GError **error)
{
    QDict *options;

    *filename = image->image_opts ? NULL : image->name;
    if (image->image_opts) {
        return tool_keyval_parse(image->name, "file", error);
    }
    options = qdict_new();
    if (image->format) {
        qdict_put_str(options, "driver", image->format);
    }
    return options;
}

BlockBackend *tool_open_image(CairnContext *ctx, const ToolImage *image, GError **error)
{
    int flags = tool_open_flags(image);
    const char *filename;

    /* A bare word is a node's name. */
    if (image->image_opts && image->name[0] && !strpbrk(image->name, "=,")) {
        BlockBackend *blk = blk_open_opts(ctx, image->name, flags, error);

        if (!blk && access(image->name, F_OK) == 0) {
            cairn_error_append_hint(error, "A word alone names a node; the file is "
                                    "file.filename=%s", image->name);
        }
        return blk;
    }

    g_autoptr(QDict) options = tool_image_options(image, &filename, error);

    return options ? blk_open_qdict(ctx, filename, options, flags, error) : NULL;
}

bool tool_parse_cache(const char *mode, int *flags)
{
    static const struct {
        const char *name;
        int flags;
    } modes[] = {
        { "none", BLK_O_NOCACHE },
        { "off", BLK_O_NOCACHE },
        { "directsync", BLK_O_NOCACHE | BLK_O_WRITETHROUGH },
        { "writeback", 0 },
        { "unsafe", BLK_O_NO_FLUSH },
        { "writethrough", BLK_O_WRITETHROUGH },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!strcmp(mode, modes[i].name)) {
            *flags |= modes[i].flags;
            return true;
        }
    }
    return false;
}

bool tool_parse_aio(const char *mode, int *flags)
{
    static const struct {
        const char *name;
        int flag;
    } modes[] = {
        { "threads", BLK_O_AIO_THREADS },
        { "native", BLK_O_AIO_NATIVE },
        { "io_uring", BLK_O_AIO_URING },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!strcmp(mode, modes[i].name)) {
            *flags &= ~(BLK_O_AIO_THREADS | BLK_O_AIO_NATIVE | BLK_O_AIO_URING);
            *flags |= modes[i].flag;
            return true;
        }
    }
    return false;
}
