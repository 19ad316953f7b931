/* SPDX-License-Identifier: MIT */
/* cairn-io: opening and closing the image. */
#include "io/io.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "common/tool.h"

/* The flags of opening; false: it has said which mode is unknown. */
static bool open_flags(const IoOpenOptions *opts, int *flags)
{
    *flags = BLK_O_SHARE_WRITE | BLK_O_WARN_PROBE | (opts->read_only ? 0 : BLK_O_RDWR) |
             (opts->force_share ? BLK_O_FORCE_SHARE : 0);
    if (!tool_parse_cache(opts->nocache ? "none" : opts->cache ? opts->cache : "writeback",
                          flags)) {
        io_error("Invalid cache option: %s", opts->cache);
        return false;
    }
    if (!opts->discard || !strcmp(opts->discard, "ignore") || !strcmp(opts->discard, "off")) {
        return true;
    }
    if (!strcmp(opts->discard, "unmap") || !strcmp(opts->discard, "on")) {
        *flags |= BLK_O_UNMAP;
        return true;
    }
    io_error("Invalid discard option: %s", opts->discard);
    return false;
}

static bool check_aio_mode(const char *mode)
{
    if (!mode || !strcmp(mode, "threads") || !strcmp(mode, "native") ||
        !strcmp(mode, "io_uring")) {
        return true;
    }
    io_error("Invalid aio option: %s", mode);
    return false;
}

/* Takes the error over. */
static void print_open_error(const char *name, GError *error)
{
    g_autofree char *place = name ? g_strdup_printf("can't open device %s: ", name)
                                  : g_strdup("can't open: ");

    g_prefix_error(&error, "%s", place);
    tool_report(error);
    g_error_free(error);
}

bool io_image_open(IoShell *shell, const char *name, const IoOpenOptions *opts)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) options = opts->options ? qdict_clone_shallow(opts->options) : qdict_new();
    int flags;

    if (shell->blk) {
        io_error("file open already, try 'help close'");
        return false;
    }
    if (!open_flags(opts, &flags) || !check_aio_mode(opts->aio)) {
        return false;
    }
    if (opts->format) {
        qdict_put_str(options, "driver", opts->format);
    }
    flags |= BLK_O_PROBE;
    shell->blk = blk_open_qdict(shell->ctx, name, options, flags, &error);
    if (!shell->blk) {
        print_open_error(name, g_steal_pointer(&error));
        return false;
    }
    return true;
}

bool io_image_open_opts(IoShell *shell, const char *text, const IoOpenOptions *opts)
{
    g_autoptr(GError) error = NULL;
    int flags;

    if (!open_flags(opts, &flags) || !check_aio_mode(opts->aio)) {
        return false;
    }
    shell->blk = blk_open_opts(shell->ctx, text, flags | BLK_O_PROBE, &error);
    if (!shell->blk) {
        print_open_error(NULL, g_steal_pointer(&error));
        return false;
    }
    return true;
}

/* -o may be given more than once; later options win. */
static bool join_options(QDict **options, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) more = qdict_from_keyval(text, NULL, &error);

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

bool io_cmd_open(IoShell *shell, int argc, char **argv)
{
    IoOpenOptions opts = { 0 };
    g_autoptr(QDict) options = NULL;
    int c;

    while ((c = getopt(argc, argv, "rsCnkUi:t:d:o:")) != -1) {
        switch (c) {
        case 'r': opts.read_only = true; break;
        case 'n': opts.nocache = true; break;
        case 'k': opts.aio = "native"; break;
        case 'U': opts.force_share = true; break;
        case 'i': opts.aio = optarg; break;
        case 't': opts.cache = optarg; break;
        case 'd': opts.discard = optarg; break;
        case 's': case 'C':
            io_error("open -%c is not supported yet", c);
            return false;
        case 'o':
            if (!join_options(&options, optarg)) {
                return false;
            }
            break;
        default:
            io_print_usage("open");
            return false;
        }
    }
    if (optind < argc - 1 || (optind == argc && !options)) {
        io_print_usage("open");
        return false;
    }
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
