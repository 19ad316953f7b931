/* SPDX-License-Identifier: MIT */
/* cairn-io: opening and closing the image. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/tool.h"

static bool discard_is_unmap(const char *mode)
{
    return !strcmp(mode, "unmap") || !strcmp(mode, "on");
}

static bool discard_is_known(const char *mode)
{
    return discard_is_unmap(mode) || !strcmp(mode, "ignore") || !strcmp(mode, "off");
}

bool io_check_modes(const IoOpenOptions *opts)
{
    int unused = 0;

    if (opts->cache && !tool_parse_cache(opts->cache, &unused)) {
        io_error("Invalid cache option: %s", opts->cache);
    } else if (opts->discard && !discard_is_known(opts->discard)) {
        io_error("Invalid discard option: %s", opts->discard);
    } else if (opts->aio && !tool_parse_aio(opts->aio, &unused)) {
        io_error("Invalid aio option: %s", opts->aio);
    } else {
        return true;
    }
    return false;
}

/* The modes have been checked. */
static int open_flags(const IoOpenOptions *opts)
{
    int flags = BLK_O_SHARE_WRITE | BLK_O_WARN_PROBE | BLK_O_PROBE;

    flags |= opts->read_only ? 0 : BLK_O_RDWR;
    flags |= opts->force_share ? BLK_O_FORCE_SHARE : 0;
    flags |= opts->discard && discard_is_unmap(opts->discard) ? BLK_O_UNMAP : 0;
    if (opts->aio) {
        tool_parse_aio(opts->aio, &flags);
    }
    tool_parse_cache(opts->cache ? opts->cache : "writeback", &flags);
    return flags;
}

static BlockBackend *open_image(IoShell *shell, const char *name, const IoOpenOptions *opts,
                                int flags, GError **error)
{
    if (name && opts->image_opts) {
        ToolImage image = { .name = name, .image_opts = true, .flags = flags };

        return tool_open_image(shell->ctx, &image, error);
    }

    g_autoptr(QDict) options = opts->options ? qdict_clone_shallow(opts->options) : qdict_new();

    if (opts->format) {
        qdict_put_str(options, "driver", opts->format);
    }
    return blk_open_qdict(shell->ctx, name, options, flags, error);
}

/* The image, or an overlay on it. */
static BlockBackend *open_image_or_overlay(IoShell *shell, const char *name,
                                           const IoOpenOptions *opts, GError **error)
{
    int flags = open_flags(opts);
    g_autoptr(BlockBackend) base = NULL;

    if (!opts->snapshot) {
        return open_image(shell, name, opts, flags, error);
    }
    base = open_image(shell, name, opts, flags & ~BLK_O_RDWR, error);
    return base ? io_snapshot_new(shell, base, flags & ~BLK_O_FORCE_SHARE, error) : NULL;
}

bool io_insert_copy_on_read(BlockBackend *blk, GError **error)
{
    g_autoptr(QDict) options = qdict_new();

    if (!blk_is_writable(blk)) {
        cairn_set_error(error, EROFS, "Can't use copy-on-read on read-only device");
        return false;
    }
    qdict_put_str(options, "driver", "copy-on-read");
    return blk_insert_filter(blk, options, error);
}

static bool image_open(IoShell *shell, const char *name, const IoOpenOptions *opts, GError **error)
{
    g_autoptr(BlockBackend) blk = open_image_or_overlay(shell, name, opts, error);
    const char *format = blk ? blk_get_format(blk) : NULL;

    if (!blk || (opts->copy_on_read && !io_insert_copy_on_read(blk, error))) {
        return false;
    }
    shell->blk = g_steal_pointer(&blk);
    shell->format = format;
    shell->copy_on_read = opts->copy_on_read;
    return true;
}

bool io_image_open(IoShell *shell, const char *name, const IoOpenOptions *opts)
{
    bool has_name = name && !opts->image_opts;
    GError *error = NULL;

    if (shell->blk) {
        io_error("file open already, try 'help close'");
        return false;
    }
    if (!image_open(shell, name, opts, &error)) {
        g_prefix_error(&error, "can't open%s%s: ", has_name ? " device " : "",
                       has_name ? name : "");
        tool_report(error);
        g_error_free(error);
        return false;
    }
    return true;
}

bool io_join_options(QDict **options, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) more = tool_keyval_parse(text, NULL, &error);

    if (!more) {
        tool_report(error);
        return false;
    }
    if (!*options) {
        *options = qdict_new();
    }
    qdict_join(*options, more, true);
    return true;
}

/* Returns 0, or the letter that made it fail; it has said why, or getopt() has ('?'). */
static int open_getopt(IoOpenOptions *opts, QDict **options, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "rsCnkUi:t:d:o:")) != -1) {
        switch (c) {
        case 'r': opts->read_only = true; break;
        case 's': opts->snapshot = true; break;
        case 'C': opts->copy_on_read = true; break;
        case 'n': opts->cache = "none"; break;
        case 'k': opts->aio = "native"; break;
        case 'U': opts->force_share = true; break;
        case 'i': opts->aio = optarg; break;
        case 't': opts->cache = optarg; break;
        case 'd': opts->discard = optarg; break;
        case 'o':
            if (!io_join_options(options, optarg)) {
                return c;
            }
            break;
        default:
            return '?';
        }
        if (!io_check_modes(opts)) {
            return c;
        }
    }
    return 0;
}

bool io_cmd_open(IoShell *shell, int argc, char **argv)
{
    IoOpenOptions opts = { 0 };
    g_autoptr(QDict) options = NULL;
    int c = open_getopt(&opts, &options, argc, argv);

    if (c == '?' || (!c && optind < argc - 1)) {
        io_print_usage("open");
        return false;
    }
    if (c) {
        return false;
    }
    if (shell->image_opts && options) {
        printf("--image-opts and 'open -o' are mutually exclusive\n");
        return false;
    }
    opts.image_opts = shell->image_opts;
    opts.options = options;
    return io_image_open(shell, argv[optind], &opts);
}

bool io_cmd_close(IoShell *shell, int argc, char **argv)
{
    int ret;

    io_shell_settle(shell);
    ret = blk_close(shell->blk);
    g_clear_pointer(&shell->blk, blk_unref);
    if (ret < 0) {
        io_error("closing failed: %s", g_strerror(-ret));
    }
    return ret == 0;
}
