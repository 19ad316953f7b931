/* SPDX-License-Identifier: MIT */
/*
 * cairn-io: what its files share. A shell holds at most one open image; a
 * command is a row of a table (shell.c) and a function.
 */
#ifndef TOOLS_IO_IO_H
#define TOOLS_IO_IO_H

#include <cairn/block.h>

typedef struct IoShell {
    CairnContext *ctx;
    AioContext *aio;            /* the thread's: asynchronous requests complete in it */
    BlockBackend *blk;          /* NULL: none open */
    const char *format;         /* of the open image, whatever filters stand above it */
    bool copy_on_read;          /* -C: a filter is the root node */
    bool misalign;              /* -m: buffers off by 16 bytes */
    bool image_opts;            /* --image-opts: also for "open" */
    bool quit;
    bool at_prompt;             /* a terminal's cursor stands behind the prompt */
    bool line_refused;          /* of standard input */
    bool async_failed;          /* an asynchronous request failed or found a wrong pattern */
    int pending;                /* asynchronous requests not yet completed */
    bool waiting;               /* the running command waits for a request of its own */
    GPtrArray *stopped;         /* debug.c's: what stands at breakpoints */
    bool resume_scheduled;
} IoShell;

enum {
    IO_NEEDS_IMAGE = 1 << 0,
    IO_WRITES      = 1 << 1,    /* refused on a read-only image */
    IO_WAITS       = 1 << 2,    /* makes requests and waits for them */
};

typedef struct IoCommand {
    const char *name;
    const char *alias;          /* NULL: none */
    bool (*run)(IoShell *shell, int argc, char **argv);     /* false: failed, and it has said why */
    int min_args, max_args;     /* max -1: any number */
    int flags;                  /* IO_* */
    const char *args;           /* of the usage line */
    const char *summary;
    const char *details;        /* for "help NAME"; NULL: none */
} IoCommand;

/* shell.c */
extern const IoCommand io_commands[];
const IoCommand *io_command_find(const char *name);
void io_print_usage(const char *name);
bool io_shell_run_line(IoShell *shell, const char *line);
/* Waits for all asynchronous requests; those that stand at a breakpoint are made to go on. */
void io_shell_settle(IoShell *shell);

/* input.c: reads commands from standard input, with a prompt. Returns whether all succeeded. */
bool io_shell_run_stdin(IoShell *shell);
/* To be called before a line is printed that no command waits for: it begins below the prompt. */
void io_input_async_line(IoShell *shell);
/*
 * Waits until there is something to read, serving requests; false: there was an interrupt. @prompt
 * is called when a line that was printed meanwhile has cut the prompt off.
 */
bool io_input_wait(IoShell *shell, void (*prompt)(void *opaque), void *opaque);

/* edit.c: a line at a terminal */
typedef struct IoEdit IoEdit;
/* NULL: lines cannot be edited. */
IoEdit *io_edit_new(IoShell *shell);
void io_edit_free(IoEdit *edit);            /* NULL is allowed */
/* A line without its end, "" after an interrupt; NULL at the end. Free with g_free(). */
char *io_edit_line(IoEdit *edit, bool *interrupted);

/* image.c: opening, as the command line and the command "open" do it */
typedef struct IoOpenOptions {
    bool read_only, force_share;
    bool snapshot;              /* -s: a temporary overlay takes the writes */
    bool copy_on_read;          /* -C */
    bool image_opts;            /* the name is an option string */
    const char *cache, *discard, *aio;  /* NULL: default */
    const char *format;
    QDict *options;             /* NULL: none */
} IoOpenOptions;
/* Says which mode is unknown, if one is. */
bool io_check_modes(const IoOpenOptions *opts);
/* One more -o; later options win. *options starts as NULL. Prints errors. */
bool io_join_options(QDict **options, const char *text);
/* @name may be NULL if the options say all. Prints errors. */
bool io_image_open(IoShell *shell, const char *name, const IoOpenOptions *opts);
/* What -C asks for. */
bool io_insert_copy_on_read(BlockBackend *blk, GError **error);

/*
 * snapshot.c: a temporary overlay on @base, which it goes on to use. @flags: BLK_O_*, of the
 * overlay. NULL with @error.
 */
BlockBackend *io_snapshot_new(IoShell *shell, BlockBackend *base, int flags, GError **error);

/* debug.c: requests that stop at breakpoints */
GPtrArray *io_debug_new(void);
/* A BlockWarnFunc of the shell: prints a notice, and takes note of what has stopped. */
void io_debug_notice(const char *text, void *opaque);
/* To be called when an asynchronous request has ended: all that is left may have stopped. */
void io_debug_check(IoShell *shell);
/* Lets one request go on, if one has stopped, as nothing else can. */
void io_debug_resume_stopped(IoShell *shell);

/* report.c */
typedef struct IoReport {
    const char *verb;           /* "read", "wrote", "discard" */
    int64_t offset, requested, done;
    int64_t start_us;           /* g_get_monotonic_time() */
    bool quiet, machine;
} IoReport;
void io_report_print(const IoReport *report);
/* A hint on stderr, where a request failed because it ends after the image. */
void io_explain_range(IoShell *shell, int ret, int64_t offset, int64_t bytes);
char *io_format_size(double bytes);     /* "1.500 KiB" */
void io_dump(const uint8_t *buf, int64_t bytes, int64_t offset);

/* args.c: each prints what is wrong */
/* "PROG: " and the text, to stderr. */
void io_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
bool io_parse_number(const char *text, int64_t *value);
bool io_parse_length(const char *text, int64_t *value);
/* For requests on sectors: prints which of the two is no multiple of 512, if one is. */
bool io_check_sectors(int64_t offset, int64_t bytes);
bool io_parse_pattern(const char *text, int *pattern);
uint8_t *io_buffer_new(IoShell *shell, int64_t bytes, int fill);
void io_buffer_free(IoShell *shell, uint8_t *buf);
/* Checks that @bytes of @buf are all @pattern; else says so. */
bool io_verify(const uint8_t *buf, int64_t bytes, int pattern, int64_t offset);

/* the commands, by file */
bool io_cmd_read(IoShell *shell, int argc, char **argv);            /* rw.c */
bool io_cmd_write(IoShell *shell, int argc, char **argv);
bool io_cmd_readv(IoShell *shell, int argc, char **argv);           /* vector.c */
bool io_cmd_writev(IoShell *shell, int argc, char **argv);
bool io_cmd_aio_read(IoShell *shell, int argc, char **argv);
bool io_cmd_aio_write(IoShell *shell, int argc, char **argv);
bool io_cmd_aio_flush(IoShell *shell, int argc, char **argv);
bool io_cmd_open(IoShell *shell, int argc, char **argv);            /* image.c */
bool io_cmd_close(IoShell *shell, int argc, char **argv);
bool io_cmd_break(IoShell *shell, int argc, char **argv);           /* debug.c */
bool io_cmd_remove_break(IoShell *shell, int argc, char **argv);
bool io_cmd_resume(IoShell *shell, int argc, char **argv);
bool io_cmd_wait_break(IoShell *shell, int argc, char **argv);
bool io_cmd_reopen(IoShell *shell, int argc, char **argv);          /* reopen.c */
bool io_cmd_flush(IoShell *shell, int argc, char **argv);           /* query.c */
bool io_cmd_discard(IoShell *shell, int argc, char **argv);
bool io_cmd_truncate(IoShell *shell, int argc, char **argv);
bool io_cmd_length(IoShell *shell, int argc, char **argv);
bool io_cmd_info(IoShell *shell, int argc, char **argv);
bool io_cmd_map(IoShell *shell, int argc, char **argv);
bool io_cmd_alloc(IoShell *shell, int argc, char **argv);

#endif
