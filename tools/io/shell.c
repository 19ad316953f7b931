/* SPDX-License-Identifier: MIT */
/* cairn-io: the table of commands, and how a line becomes a call. */
#include "io/io.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/tool.h"

static bool io_cmd_abort(IoShell *shell, int argc, char **argv)
{
    abort();
}

static bool io_cmd_quit(IoShell *shell, int argc, char **argv)
{
    shell->quit = true;
    return true;
}

static bool io_cmd_sigraise(IoShell *shell, int argc, char **argv)
{
    int64_t number;

    if (!io_parse_number(argv[1], &number)) {
        return false;
    }
    if (number >= NSIG) {
        printf("signal argument '%s' is too large to be a valid signal\n", argv[1]);
        return false;
    }
    /* Whatever was printed must be seen even if this ends the program. */
    fflush(stdout);
    return raise((int)number) == 0;
}

static bool io_cmd_sleep(IoShell *shell, int argc, char **argv)
{
    char *end = NULL;
    long ms;
    int64_t until;

    errno = 0;
    ms = strtol(argv[1], &end, 0);
    if (errno || end == argv[1] || *end || ms < 0) {
        printf("%s is not a valid number\n", argv[1]);
        return false;
    }
    until = g_get_monotonic_time() + ms * 1000;
    while (g_get_monotonic_time() < until) {
        int64_t left_ms = (until - g_get_monotonic_time() + 999) / 1000;
        struct pollfd fd = { .fd = aio_context_get_fd(shell->aio), .events = POLLIN };

        poll(&fd, 1, (int)CLAMP(left_ms, 0, INT_MAX));
        while (aio_context_poll(shell->aio, false)) {
            /* until nothing is ready */
        }
    }
    return true;
}

static bool io_cmd_help(IoShell *shell, int argc, char **argv);

static const char read_details[] =
    " Reads bytes into one buffer.\n"
    "\n"
    " -a, -p  ignored\n"
    " -b  read the VM state (no format here has one)\n"
    " -C  print the result for machines\n"
    " -P  check that all bytes read are this pattern\n"
    " -s  with -P: where the checked part starts in what was read\n"
    " -l  with -P: length of the checked part\n"
    " -q  print no result\n"
    " -v  dump the bytes\n"
    "\n"
    " Example: read -v 512 1k\n";
static const char write_details[] =
    " Writes bytes from one buffer, filled with 0xcd.\n"
    "\n"
    " -b  write the VM state (no format here has one)\n"
    " -c  compressed: one whole cluster, or the shorter one at the end\n"
    " -C  print the result for machines\n"
    " -f  durable when it returns (FUA)\n"
    " -n  with -z: fail rather than write bytes; the range may be longer than a request\n"
    " -p  ignored\n"
    " -P  fill with this pattern\n"
    " -q  print no result\n"
    " -s  fill with this file's content\n"
    " -u  with -z: may unmap\n"
    " -z  write zeroes\n"
    "\n"
    " Example: write -P 7 512 1k\n";
static const char vector_details[] =
    " Like read and write, with a buffer for each length.\n"
    "\n"
    " -C  print the result for machines\n"
    " -f  durable when it returns (writes)\n"
    " -P  the pattern to fill with, or to check\n"
    " -q  print no result\n"
    " -v  dump the bytes (reads)\n";
static const char aio_details[] =
    " Starts a request and returns; its result is printed when it completes.\n"
    " aio_flush waits for all of them.\n"
    "\n"
    " -C  print the result for machines\n"
    " -f  durable when it completes (writes)\n"
    " -i  say that an invalid request is injected, and make none\n"
    " -P  the pattern to fill with, or to check\n"
    " -q  print no result\n"
    " -u  with -z: may unmap\n"
    " -v  dump the bytes (reads)\n"
    " -z  write zeroes\n";
static const char discard_details[] =
    " Tells the image that a range is no longer needed (needs discard=unmap).\n"
    "\n"
    " -C  print the result for machines\n"
    " -q  print no result\n";
static const char truncate_details[] =
    " Makes the image longer or shorter.\n"
    "\n"
    " -m  what a longer file is given: off, falloc, full\n";
static const char open_details[] =
    " Opens an image for the other commands.\n"
    "\n"
    " -r  read-only\n"
    " -s  write to a temporary overlay, which is dropped at the end\n"
    " -C  copy what is read from a backing file into the image\n"
    " -n  bypass the page cache, as -t none\n"
    " -k  as aio=native\n"
    " -i  how requests are made: threads, native, io_uring\n"
    " -U  share the image: take no locks (with -r)\n"
    " -t  cache mode: none, writeback, writethrough, directsync, unsafe\n"
    " -d  discard requests: ignore, unmap\n"
    " -o  options: driver=raw,file.filename=x\n"
    "\n"
    " Example: open -o driver=qcow disk.qcow\n";
static const char reopen_details[] =
    " Changes the options of the open image. What is not named stays as it is, and so does\n"
    " everything where that fails.\n"
    "\n"
    " -r  read-only\n"
    " -w  writable\n"
    " -c  cache mode: none, writeback, writethrough, directsync, unsafe\n"
    " -o  options: backing.read-only=off\n"
    "\n"
    " Example: reopen -r -c none\n";

/* Sorted by name. */
const IoCommand io_commands[] = {
    { "abort", NULL, io_cmd_abort, 0, 0, 0, "", "end by abort(3), as a crash would" },
    { "aio_flush", NULL, io_cmd_aio_flush, 0, 0, IO_NEEDS_IMAGE, "",
      "waits for all asynchronous requests" },
    { "aio_read", NULL, io_cmd_aio_read, 2, -1, IO_NEEDS_IMAGE,
      "[-Ciqv] [-P pattern] off len [len..]", "starts a read", aio_details },
    { "aio_write", NULL, io_cmd_aio_write, 2, -1, IO_NEEDS_IMAGE | IO_WRITES,
      "[-Cfiquz] [-P pattern] off len [len..]", "starts a write", aio_details },
    { "alloc", "a", io_cmd_alloc, 1, 2, IO_NEEDS_IMAGE | IO_WAITS, "offset [count]",
      "tells how much of a range the image itself holds" },
    { "break", NULL, io_cmd_break, 2, 2, IO_NEEDS_IMAGE, "event tag",
      "stops the next request that comes to an event" },
    { "close", "c", io_cmd_close, 0, 0, IO_NEEDS_IMAGE, "", "closes the image" },
    { "discard", "d", io_cmd_discard, 2, -1, IO_NEEDS_IMAGE | IO_WAITS | IO_WRITES, "[-Cq] off len",
      "discards a range", discard_details },
    { "flush", "f", io_cmd_flush, 0, 0, IO_NEEDS_IMAGE | IO_WAITS, "",
      "makes what was written durable" },
    { "help", "?", io_cmd_help, 0, 1, 0, "[command]", "help for one or all commands" },
    { "info", "i", io_cmd_info, 0, 0, IO_NEEDS_IMAGE, "", "tells about the image" },
    { "length", "l", io_cmd_length, 0, 0, IO_NEEDS_IMAGE | IO_WAITS, "", "length of the image" },
    { "map", NULL, io_cmd_map, 0, 0, IO_NEEDS_IMAGE | IO_WAITS, "",
      "lists what the image itself holds" },
    { "open", "o", io_cmd_open, 1, -1, 0,
      "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]", "opens an image",
      open_details },
    { "quit", "q", io_cmd_quit, 0, -1, 0, "", "ends the program" },
    { "read", "r", io_cmd_read, 2, -1, IO_NEEDS_IMAGE | IO_WAITS,
      "[-abCqv] [-P pattern [-s off] [-l len]] off len", "reads a range", read_details },
    { "readv", NULL, io_cmd_readv, 2, -1, IO_NEEDS_IMAGE | IO_WAITS,
      "[-Cqv] [-P pattern] off len [len..]", "reads into several buffers", vector_details },
    { "remove_break", NULL, io_cmd_remove_break, 1, 1, IO_NEEDS_IMAGE, "tag",
      "removes a breakpoint" },
    { "reopen", NULL, io_cmd_reopen, 0, -1, IO_NEEDS_IMAGE, "[(-r|-w)] [-c cache] [-o options]",
      "changes the options of the open image", reopen_details },
    { "resume", NULL, io_cmd_resume, 1, 1, IO_NEEDS_IMAGE, "tag",
      "lets a stopped request go on" },
    { "sigraise", NULL, io_cmd_sigraise, 1, 1, 0, "signal", "raises a signal" },
    { "sleep", NULL, io_cmd_sleep, 1, 1, 0, "ms", "waits that many milliseconds" },
    { "truncate", "t", io_cmd_truncate, 1, 3, IO_NEEDS_IMAGE | IO_WAITS | IO_WRITES,
      "[-m prealloc_mode] off", "sets the length", truncate_details },
    { "wait_break", NULL, io_cmd_wait_break, 1, 1, IO_NEEDS_IMAGE, "tag",
      "waits until a request has stopped" },
    { "write", "w", io_cmd_write, 2, -1, IO_NEEDS_IMAGE | IO_WAITS | IO_WRITES,
      "[-bcCfnquz] [-P pattern | -s source_file] off len", "writes a range", write_details },
    { "writev", NULL, io_cmd_writev, 2, -1, IO_NEEDS_IMAGE | IO_WAITS | IO_WRITES,
      "[-Cfq] [-P pattern] off len [len..]", "writes from several buffers", vector_details },
    { NULL },
};

const IoCommand *io_command_find(const char *name)
{
    for (const IoCommand *c = io_commands; c->name; c++) {
        if (!strcmp(c->name, name) || (c->alias && !strcmp(c->alias, name))) {
            return c;
        }
    }
    return NULL;
}

/* On stderr, whichever stream it follows: scripts know what stands on the other. */
static void suggest_command(const char *word)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *nearest;

    for (const IoCommand *c = io_commands; c->name; c++) {
        g_ptr_array_add(names, (gpointer)c->name);
    }
    g_ptr_array_add(names, NULL);
    nearest = cairn_nearest_name(word, (const char *const *)names->pdata);
    if (nearest) {
        fprintf(stderr, "Did you mean '%s'?\n", nearest);
    }
}

/* @name: the command's own, or its alias. */
static void print_command(const IoCommand *c, const char *name)
{
    printf("%s%s%s -- %s\n", name, *c->args ? " " : "", c->args, c->summary);
}

void io_print_usage(const char *name)
{
    const IoCommand *c = io_command_find(name);

    g_assert(c);
    print_command(c, c->name);
}

static bool io_cmd_help(IoShell *shell, int argc, char **argv)
{
    const IoCommand *c;

    if (argc == 1) {
        for (c = io_commands; c->name; c++) {
            io_print_usage(c->name);
        }
        printf("\nUse 'help commandname' for extended help.\n");
        return true;
    }
    c = io_command_find(argv[1]);
    if (!c) {
        printf("command %s not found\n", argv[1]);
        fflush(stdout);
        suggest_command(argv[1]);
        return false;
    }
    print_command(c, argv[1]);
    if (c->details) {
        printf("\n%s\n", c->details);
    }
    return true;
}

/* Says what is wrong with the number of arguments; true if nothing is. */
static bool check_arg_count(const IoCommand *c, const char *name, int count)
{
    if (count >= c->min_args && (c->max_args < 0 || count <= c->max_args)) {
        return true;
    }
    fprintf(stderr, "bad argument count %d to %s, expected ", count, name);
    if (c->max_args < 0) {
        fprintf(stderr, "at least %d arguments\n", c->min_args);
    } else if (c->min_args == c->max_args) {
        fprintf(stderr, "%d arguments\n", c->min_args);
    } else {
        fprintf(stderr, "between %d and %d arguments\n", c->min_args, c->max_args);
    }
    return false;
}

static bool run_words(IoShell *shell, int argc, char **argv)
{
    const IoCommand *c = io_command_find(argv[0]);
    bool ok;

    if (!c) {
        fprintf(stderr, "command \"%s\" not found\n", argv[0]);
        suggest_command(argv[0]);
        return false;
    }
    if ((c->flags & IO_NEEDS_IMAGE) && !shell->blk) {
        fprintf(stderr, "no file open, try 'help open'\n");
        return false;
    }
    if (!check_arg_count(c, argv[0], argc - 1)) {
        return false;
    }
    if ((c->flags & IO_WRITES) && !blk_is_writable(shell->blk)) {
        io_error("Block node is read-only");
        return false;
    }
    optind = 0;
    shell->waiting = c->flags & IO_WAITS;
    ok = c->run(shell, argc, argv);
    shell->waiting = false;
    return ok;
}

bool io_shell_run_line(IoShell *shell, const char *line)
{
    g_autofree char *text = g_strdup(line);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    char *rest = NULL;
    bool ok;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        g_ptr_array_add(words, word);
    }
    if (words->len == 0) {
        return true;
    }
    g_ptr_array_add(words, NULL);
    ok = run_words(shell, (int)words->len - 1, (char **)words->pdata);
    /* Results and errors stand in the order in which they came about. */
    fflush(stdout);
    return ok;
}

void io_shell_settle(IoShell *shell)
{
    while (shell->pending > 0) {
        io_debug_resume_stopped(shell);
        aio_context_poll(shell->aio, true);
    }
}
