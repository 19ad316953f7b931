/* SPDX-License-Identifier: MIT */
/* cairn-io: reopen, which changes the options of an open image. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>

#include "common/tool.h"

typedef struct ReopenArgs {
    char access;                /* 'r', 'w', or 0: as it is */
    const char *cache;          /* NULL: as it is */
    QDict *options;             /* -o; NULL: none */
} ReopenArgs;

/* Returns 0; '?' for what the usage line tells; another letter: it has said what is wrong. */
static int reopen_getopt(ReopenArgs *args, int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "c:o:rw")) != -1) {
        switch (c) {
        case 'c':
            args->cache = optarg;
            if (!io_check_modes(&(IoOpenOptions) { .cache = optarg })) {
                return c;
            }
            break;
        case 'o':
            if (!io_join_options(&args->options, optarg)) {
                return c;
            }
            break;
        case 'r': case 'w':
            if (args->access) {
                io_error("Only one -r/-w option may be given");
                return c;
            }
            args->access = (char)c;
            break;
        default: return '?';
        }
    }
    return optind == argc ? 0 : '?';
}

/* The letters say in short what options say; both at once would leave open who wins. */
static bool reopen_check_options(const ReopenArgs *args)
{
    if (args->access && qdict_haskey(args->options, "read-only")) {
        io_error("Cannot set both -r/-w and 'read-only'");
        return false;
    }
    if (args->cache && (qdict_haskey(args->options, "cache.direct") ||
                        qdict_haskey(args->options, "cache.no-flush"))) {
        io_error("Cannot set both -c and the cache options");
        return false;
    }
    return true;
}

static void reopen_add_letters(const ReopenArgs *args, int cache_flags)
{
    if (args->access) {
        qdict_put_bool(args->options, "read-only", args->access == 'r');
    }
    if (args->cache) {
        qdict_put_bool(args->options, "cache.direct", cache_flags & BLK_O_NOCACHE);
        qdict_put_bool(args->options, "cache.no-flush", cache_flags & BLK_O_NO_FLUSH);
    }
}

/* Copying what is read needs an image that can be written. */
static bool reopen_check_copy_on_read(const QDict *options, GError **error)
{
    static const OptionDesc table[] = { { "read-only", OPTION_BOOL }, { NULL } };
    g_autoptr(QDict) rest = qdict_clone_shallow(options);
    g_autoptr(QDict) typed = options_absorb(table, rest, error);

    if (!typed) {
        return false;
    }
    if (qdict_get_try_bool(typed, "read-only", false)) {
        cairn_set_error(error, EROFS, "Can't use copy-on-read on read-only device");
        return false;
    }
    return true;
}

/* The options are the image's, not those of the filter that -C has put above it. */
static bool reopen_below_filter(BlockBackend *blk, const QDict *options, GError **error)
{
    bool ok;

    if (!reopen_check_copy_on_read(options, error) || !blk_remove_filter(blk, error)) {
        return false;
    }
    ok = blk_reopen(blk, options, error);
    return io_insert_copy_on_read(blk, ok ? error : NULL) && ok;
}

static bool reopen_run(IoShell *shell, const ReopenArgs *args)
{
    g_autoptr(GError) error = NULL;
    int cache_flags = 0;
    bool ok;

    if (args->cache) {
        tool_parse_cache(args->cache, &cache_flags);
    }
    reopen_add_letters(args, cache_flags);
    io_shell_settle(shell);     /* reopening would wait for stopped requests, too */
    ok = shell->copy_on_read ? reopen_below_filter(shell->blk, args->options, &error)
                             : blk_reopen(shell->blk, args->options, &error);
    if (!ok) {
        tool_report(error);
        return false;
    }
    if (args->cache) {
        blk_set_write_cache(shell->blk, !(cache_flags & BLK_O_WRITETHROUGH));
    }
    return true;
}

bool io_cmd_reopen(IoShell *shell, int argc, char **argv)
{
    ReopenArgs args = { 0 };
    int c = reopen_getopt(&args, argc, argv);
    g_autoptr(QDict) options = args.options ? args.options : qdict_new();

    args.options = options;
    if (c == '?') {
        io_print_usage("reopen");
    }
    return !c && reopen_check_options(&args) && reopen_run(shell, &args);
}
