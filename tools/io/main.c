/* SPDX-License-Identifier: MIT */
/* cairn-io: requests on an image, from the command line, a pipe or a terminal. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sandbox.h"
#include "common/tool.h"

enum { OPT_OBJECT = 256, OPT_ALLOW_BACKING, OPT_IMAGE_OPTS, OPT_SANDBOX, OPT_STRICT };

typedef struct IoArgs {
    GPtrArray *commands;        /* char *, not owned: -c */
    GPtrArray *objects;         /* char *, not owned: --object */
    IoOpenOptions open;
    bool misalign, strict;
    ToolSandbox sandbox;
    const char *name;           /* NULL: no image named */
} IoArgs;

static void print_help(void)
{
    printf("Usage: %s [OPTION]... [-c COMMAND]... [FILE]\n"
           "Makes requests on a disk image.\n"
           "\n"
           "  --object OBJECTDEF   define an object such as 'secret'\n"
           "  --image-opts         FILE is an option string: driver=qcow,file.filename=x\n"
           "  -c, --cmd COMMAND    run COMMAND; may be repeated; without it lines are read\n"
           "                       from standard input\n"
           "  -f, --format FMT     driver of the image; without it the format is guessed\n"
           "  -r, --read-only      open for reading only\n"
           "  -s, --snapshot       write to a temporary overlay, which is dropped at the end\n"
           "  -n, --nocache        bypass the page cache, as -t none\n"
           "  -C, --copy-on-read   copy what is read from a backing file into the image\n"
           "  -m, --misalign       use misaligned buffers\n"
           "  -k, --native-aio     as -i native\n"
           "  -i, --aio MODE       threads, native or io_uring\n"
           "  -t, --cache MODE     none, writeback (default), writethrough, directsync, unsafe\n"
           "  -d, --discard MODE   ignore (default) or unmap\n"
           "  -T, --trace SPEC     accepted, ignored\n"
           "  -U, --force-share    share the image: take no locks (with -r)\n"
           "  --strict             follow names in images only within the image's folder,\n"
           "                       and do not guess the format of backing files\n"
           "  --sandbox MODE       on, off (default), require: start no program, reach no\n"
           "                       network, open no other file once FILE is open\n"
           "  --allow-backing DIR  as --strict, but names in images may lead below DIR,\n"
           "                       too; may be repeated\n"
           "  -h, --help           this text\n"
           "  -V, --version        the version\n"
           "\n"
           "'%s -c help' lists the commands.\n", tool_prog(), tool_prog());
}

static bool parse_sandbox(IoArgs *args)
{
    g_autoptr(GError) error = NULL;

    if (!tool_sandbox_parse(optarg, &args->sandbox.mode, &error)) {
        tool_report(error);
    }
    return !error;
}

static int parse_allow_backing(IoArgs *args, const char *folder)
{
    g_autoptr(GError) error = NULL;

    args->strict = true;
    if (!tool_allow_backing(folder, &error)) {
        tool_report(error);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int parse_option(IoArgs *args, int c)
{
    switch (c) {
    case 'c': g_ptr_array_add(args->commands, optarg); break;
    case 'C': args->open.copy_on_read = true; break;
    case 'd': args->open.discard = optarg; break;
    case 'f': args->open.format = optarg; break;
    case 'i': args->open.aio = optarg; break;
    case 'k': args->open.aio = "native"; break;
    case 'm': args->misalign = true; break;
    case 'n': args->open.cache = "none"; break;
    case 'r': args->open.read_only = true; break;
    case 's': args->open.snapshot = true; break;
    case 't': args->open.cache = optarg; break;
    case 'T': break;
    case 'U': args->open.force_share = true; break;
    case OPT_OBJECT: g_ptr_array_add(args->objects, optarg); break;
    case OPT_IMAGE_OPTS: args->open.image_opts = true; break;
    case OPT_STRICT: args->strict = true; break;
    case OPT_SANDBOX: return parse_sandbox(args) ? EXIT_SUCCESS : EXIT_FAILURE;
    case OPT_ALLOW_BACKING: return parse_allow_backing(args, optarg);
    case 'V':
        printf("%s version %s\nCairn: disk images, as a library and tools\n", tool_prog(),
               TOOL_VERSION);
        exit(EXIT_SUCCESS);
    case 'h':
        print_help();
        exit(EXIT_SUCCESS);
    default:
        print_help();
        return EXIT_FAILURE;
    }
    return io_check_modes(&args->open) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void refuse_argument(const char *word)
{
    g_autofree char *command = g_strndup(word, strcspn(word, " "));
    bool is_command = io_command_find(command) != NULL;

    io_error("Unexpected argument: %s%s", word,
             is_command ? "\nA command is given by -c 'COMMAND'." : "");
}

/* Returns whether the words make sense; else it has said why. */
static bool parse_args(IoArgs *args, int argc, char **argv)
{
    static const struct option longs[] = {
        { "aio", required_argument, NULL, 'i' },
        { "allow-backing", required_argument, NULL, OPT_ALLOW_BACKING },
        { "cache", required_argument, NULL, 't' },
        { "cmd", required_argument, NULL, 'c' },
        { "copy-on-read", no_argument, NULL, 'C' },
        { "discard", required_argument, NULL, 'd' },
        { "force-share", no_argument, NULL, 'U' },
        { "format", required_argument, NULL, 'f' },
        { "help", no_argument, NULL, 'h' },
        { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
        { "misalign", no_argument, NULL, 'm' },
        { "native-aio", no_argument, NULL, 'k' },
        { "nocache", no_argument, NULL, 'n' },
        { "object", required_argument, NULL, OPT_OBJECT },
        { "read-only", no_argument, NULL, 'r' },
        { "sandbox", required_argument, NULL, OPT_SANDBOX },
        { "snapshot", no_argument, NULL, 's' },
        { "strict", no_argument, NULL, OPT_STRICT },
        { "trace", required_argument, NULL, 'T' },
        { "version", no_argument, NULL, 'V' },
        { NULL },
    };
    int c;

    argv[0] = program_invocation_short_name;    /* how getopt_long() begins its messages */
    while ((c = getopt_long(argc, argv, "hVc:d:f:rsnCmki:t:T:U", longs, NULL)) != -1) {
        if (parse_option(args, c) != EXIT_SUCCESS) {
            return false;
        }
    }
    if (argc - optind > 1) {
        print_help();
        refuse_argument(argv[optind + 1]);
        return false;
    }
    if (args->open.image_opts && args->open.format) {
        io_error("--image-opts and -f are mutually exclusive");
        return false;
    }
    args->name = argv[optind];
    return true;
}

/* Without an image there is nothing to narrow the sandbox to. */
static bool open_named_image(IoShell *shell, IoArgs *args)
{
    g_autoptr(GError) error = NULL;

    if (!tool_sandbox_begin(&args->sandbox, &error)) {
        tool_report(error);
        return false;
    }
    if (args->name && !io_image_open(shell, args->name, &args->open)) {
        return false;
    }
    if (args->name && !tool_sandbox_narrow(&args->sandbox, shell->ctx, NULL, &error)) {
        tool_report(error);
        return false;
    }
    return true;
}

/* Stops at a question for help, which it answers. */
static bool add_objects(CairnContext *ctx, const GPtrArray *objects, bool *is_help)
{
    g_autoptr(GError) error = NULL;

    *is_help = false;
    for (guint i = 0; i < objects->len && !*is_help; i++) {
        if (!tool_object_add(ctx, g_ptr_array_index(objects, i), is_help, &error)) {
            tool_report(error);
            return false;
        }
    }
    return true;
}

static bool run_commands(IoShell *shell, const IoArgs *args)
{
    bool ok = true;

    if (args->commands->len == 0) {
        ok = io_shell_run_stdin(shell);
    }
    for (guint i = 0; i < args->commands->len && !shell->quit; i++) {
        ok &= io_shell_run_line(shell, g_ptr_array_index(args->commands, i));
    }
    io_shell_settle(shell);
    return ok && !shell->async_failed;
}

static bool flush_output(void)
{
    if (fflush(stdout) || ferror(stdout)) {
        io_error("Could not write to standard output: %s", g_strerror(errno));
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    g_autoptr(CairnContext) ctx = NULL;
    g_autoptr(GPtrArray) commands = g_ptr_array_new();
    g_autoptr(GPtrArray) objects = g_ptr_array_new();
    IoArgs args = { .commands = commands, .objects = objects };
    g_autoptr(GPtrArray) stopped = io_debug_new();
    IoShell shell = { .stopped = stopped };
    bool ok, is_help;

    tool_hold_standard_files();
    if (!parse_args(&args, argc, argv)) {
        return EXIT_FAILURE;
    }
    ctx = tool_context_new(args.strict);
    cairn_context_set_notice_func(ctx, io_debug_notice, &shell);
    shell.ctx = ctx;
    shell.aio = aio_context_ensure();
    shell.misalign = args.misalign;
    shell.image_opts = args.open.image_opts;
    if (!add_objects(ctx, objects, &is_help)) {
        return EXIT_FAILURE;
    }
    if (is_help) {
        return EXIT_SUCCESS;
    }
    if (!open_named_image(&shell, &args)) {
        return EXIT_FAILURE;
    }
    ok = run_commands(&shell, &args);
    if (shell.blk) {
        ok &= io_cmd_close(&shell, 0, NULL);
    }
    return flush_output() && ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
