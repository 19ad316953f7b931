/* SPDX-License-Identifier: MIT */
/*
 * What the tools share: messages, size arguments, objects, option strings, opening by
 * the user's words, cache modes. Uses the library's public headers only.
 *
 * 1. A failing step sets a GError and prints nothing; main() prints once, by tool_report().
 * 2. PROG, the program's name in messages, is the last part of argv[0], so that a
 *    link named otherwise speaks under its own name.
 */
#ifndef TOOLS_COMMON_TOOL_H
#define TOOLS_COMMON_TOOL_H

#include <cairn/cairn.h>

#include <getopt.h>

/* ---- messages (message.c) ---- */

/* PROG. */
const char *tool_prog(void);

/* "PROG: " and the first line of the message, then its hints as they are; to stderr. */
void tool_report(const GError *error);
void tool_warn(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* @text, of an image, as one line that a terminal only shows: control characters escaped. Free with g_free(). */
char *tool_printable(const char *text);

/* A wrong command line: the message and the hint "Try 'PROG --help' for more information". */
void tool_usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- a tool's process (context.c) ---- */

/*
 * The context of a tool: names in images are followed and their formats probed, or with @strict
 * the library's own rules; its warnings go to stderr.
 */
CairnContext *tool_context_new(bool strict);

/*
 * --allow-backing: names in images may lead below @folder, too. Of all contexts; it adds up. The caller makes them
 * strict.
 */
bool tool_allow_backing(const char *folder, GError **error);

/*
 * --object: adds it to @ctx and overwrites the secret in the argument, so that a process list does
 * not show it. "help" and "TYPE,help" print the list and set @is_help.
 */
bool tool_object_add(CairnContext *ctx, char *text, bool *is_help, GError **error);

/* First of all: what is closed of the standard files becomes /dev/null, so that no image is opened as one. */
void tool_hold_standard_files(void);

/* ---- numbers (number.c) ---- */

/*
 * A size argument; @what names it in the message ("image size"). Warns of a suffix on a hex number.
 */
bool tool_parse_size(const char *what, const char *text, int64_t min, int64_t max,
                     int64_t *bytes, GError **error);
/*
 * The other style of message, that of option strings; @name is the option's. Any number of 64 bits.
 */
bool tool_parse_size_option(const char *name, const char *text, uint64_t *bytes, GError **error);
/* off, metadata, falloc, full. */
bool tool_parse_prealloc(const char *text, PreallocMode *mode, GError **error);
/* A plain decimal number within limits; false, with no message, if it is not. */
bool tool_parse_int(const char *text, int64_t min, int64_t max, int64_t *value);

/* ---- option strings (options.c) ---- */

/*
 * Adds one -o argument to what was given before; *list starts as NULL and is freed with g_free().
 */
bool tool_options_append(char **list, const char *text, GError **error);
/* Whether "help" or "?" stands anywhere in @list (NULL: no). */
bool tool_options_ask_help(const char *list);
/* qdict_from_keyval() that warns of options without a value. */
QDict *tool_keyval_parse(const char *text, const char *implied_key, GError **error);
/* The flat tree of @list; an empty one for NULL. */
QDict *tool_options_parse(const char *list, GError **error);

/* ---- opening (open.c) ---- */

/* One image as the command line names it. */
typedef struct ToolImage {
    const char *name;           /* a file name, or an option string with image_opts */
    const char *format;         /* NULL: probe */
    bool image_opts;
    int flags;                  /* BLK_O_*, beside those of probing */
} ToolImage;

/* Flags of every tool: probing where no format is named, and its warning. */
int tool_open_flags(const ToolImage *image);
/* The options that @image stands for; *filename is NULL if they hold all. */
QDict *tool_image_options(const ToolImage *image, const char **filename, GError **error);
/* Errors are the library's, without the tool's own prefix. */
BlockBackend *tool_open_image(CairnContext *ctx, const ToolImage *image, GError **error);

/* none, writeback, writethrough, directsync, unsafe: BLK_O_* to add to *flags; false for others. */
bool tool_parse_cache(const char *mode, int *flags);
/* threads, native, io_uring: sets the one BLK_O_AIO_* in *flags; false for others. */
bool tool_parse_aio(const char *mode, int *flags);

/* ---- command lines (getopts.c) ---- */

/*
 * getopt_long() without messages of its own: -1 at the end, '?' with @error set for an unknown
 * option or a missing argument. Options may follow positionals. @shortopts begins with ':'.
 */
int tool_getopt(int argc, char **argv, const char *shortopts, const struct option *longopts,
                GError **error);

#endif
