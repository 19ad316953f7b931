/* SPDX-License-Identifier: MIT */
/*
 * cairn-img: makes, describes, checks, converts and compares disk images from the command line. A
 * link to it named qemu-img serves scripts written for that program.
 */
#include "img/img.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct MainCommand {
    const char *name;
    ImgCommandFunc *run;
    bool reads_only;            /* changes no file */
} img_commands[] = {
    { "amend", img_amend },
    { "bench", img_bench },
    { "bitmap", img_bitmap },
    { "check", img_check },
    { "commit", img_commit },
    { "compact", img_compact },
    { "compare", img_compare, true },
    { "convert", img_convert },
    { "create", img_create },
    { "dd", img_dd },
    { "drivers", img_drivers, true },
    { "explain", img_explain, true },
    { "info", img_info, true },
    { "map", img_map, true },
    { "measure", img_measure, true },
    { "rebase", img_rebase },
    { "resize", img_resize },
    { "snapshot", img_snapshot },
};

static const struct MainCommand *main_find_command(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(img_commands); i++) {
        if (!strcmp(name, img_commands[i].name)) {
            return &img_commands[i];
        }
    }
    return NULL;
}

static void main_refuse_command(const char *word, GError **error)
{
    const char *names[G_N_ELEMENTS(img_commands) + 1] = { NULL };

    for (size_t i = 0; i < G_N_ELEMENTS(img_commands); i++) {
        names[i] = img_commands[i].name;
    }
    tool_usage_error(error, "Command not found: %s", word);
    cairn_error_append_nearest(error, word, names);
    if (!strcmp(word, "help") || !strcmp(word, "version")) {
        cairn_error_append_hint(error, "Did you mean '--%s'?", word);
    }
}

/* What is wrong may be only where an option stands. */
static void main_suggest_place(int argc, char **argv, GError **error)
{
    for (int i = 1; i < argc; i++) {
        if (main_find_command(argv[i])) {
            cairn_error_append_hint(error, "Options of '%s' stand after its name.", argv[i]);
            return;
        }
    }
}

/* The options before the command; those that last are set in *strict and *sandbox. */
static ImgStep main_parse(int argc, char **argv, bool *strict, ToolSandboxMode *sandbox,
                          GError **error)
{
    static const struct option options[] = {
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { "trace", required_argument, NULL, 'T' },
        IMG_LONG_OPTIONS_POLICY,
        { "sandbox", required_argument, NULL, IMG_OPTION_SANDBOX },
        { NULL },
    };
    int c;

    while ((c = tool_getopt(argc, argv, "+:hVT:", options, error)) != -1) {
        switch (c) {
        case 'h':
            img_print_help(NULL);
            return IMG_STEP_DONE;
        case 'V':
            img_print_version();
            return IMG_STEP_DONE;
        case IMG_OPTION_ALLOW_BACKING:
            if (!tool_allow_backing(optarg, error)) {
                return IMG_STEP_FAILED;
            }
            *strict = true;
            break;
        case IMG_OPTION_STRICT:
            *strict = true;
            break;
        case IMG_OPTION_SANDBOX:
            if (!tool_sandbox_parse(optarg, sandbox, error)) {
                return IMG_STEP_FAILED;
            }
            break;
        case '?':
            main_suggest_place(argc, argv, error);
            return IMG_STEP_FAILED;
        default:                /* -T: accepted; there are no trace events */
            break;
        }
    }
    if (optind == argc) {
        tool_usage_error(error, "Not enough arguments");
        return IMG_STEP_FAILED;
    }
    return IMG_STEP_RUN;
}

static int main_run(int argc, char **argv, GError **error)
{
    g_autoptr(CairnContext) ctx = NULL;
    Img img = { 0 };
    bool strict = false;
    ImgStep step = main_parse(argc, argv, &strict, &img.sandbox.mode, error);
    const struct MainCommand *command;

    if (step != IMG_STEP_RUN) {
        return step == IMG_STEP_DONE ? 0 : 1;
    }
    command = main_find_command(argv[optind]);
    if (!command) {
        main_refuse_command(argv[optind], error);
        return 1;
    }
    argc -= optind;
    argv += optind;
    optind = 0;                 /* restarts getopt, with the command as word 0 */
    ctx = tool_context_new(strict);
    img.ctx = ctx;
    img.sandbox.reads_only = command->reads_only;
    return command->run(&img, argc, argv, error);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    tool_hold_standard_files();
    /* A pipe that is gone and a file that may not grow are errors of write() like others. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    status = main_run(argc, argv, &error);
    if (error) {
        tool_report(error);
        status = status ? status : 1;
    }
    if (fflush(stdout) || ferror(stdout)) {
        g_autoptr(GError) lost = NULL;

        cairn_set_error_errno(&lost, errno, "Could not write to standard output");
        tool_report(lost);
        status = status ? status : 1;
    }
    return status;
}
