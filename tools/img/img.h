/* SPDX-License-Identifier: MIT */
/*
 * cairn-img: what its commands share. A command is parse -> check -> run; it returns the exit
 * status, and sets the error that main() prints. Commands print results only.
 */
#ifndef TOOLS_IMG_IMG_H
#define TOOLS_IMG_IMG_H

#include "common/progress.h"
#include "common/sandbox.h"
#include "common/tool.h"

/* What all steps of a command share. */
typedef struct Img {
    CairnContext *ctx;          /* its policy and objects may come from the command line */
    ToolSandbox sandbox;
} Img;

/* Returns: the exit status; with @error set, main prints it (a status of 0 then becomes 1). */
typedef int ImgCommandFunc(Img *img, int argc, char **argv, GError **error);

ImgCommandFunc img_amend, img_bench, img_bitmap, img_check, img_commit, img_compact, img_compare,
               img_convert, img_create, img_dd, img_drivers, img_explain, img_info, img_map,
               img_measure, img_rebase, img_resize, img_snapshot;

/* What is printed by --help (help.c). */
void img_print_help(CairnContext *ctx);
void img_print_version(void);

/* ---- options that all commands know (common-options.c) ---- */

enum {
    IMG_OPTION_OBJECT = 256, IMG_OPTION_IMAGE_OPTS, IMG_OPTION_OUTPUT, IMG_OPTION_STRICT,
    IMG_OPTION_ALLOW_BACKING, IMG_OPTION_PROGRESS, IMG_OPTION_SANDBOX, IMG_OPTION_FIRST_FREE,
};

/* Also before the command. */
#define IMG_LONG_OPTIONS_POLICY \
    { "strict", no_argument, NULL, IMG_OPTION_STRICT }, \
    { "allow-backing", required_argument, NULL, IMG_OPTION_ALLOW_BACKING }

/* To be listed in a command's table. */
#define IMG_LONG_OPTIONS_ALL \
    { "help", no_argument, NULL, 'h' }, \
    { "format", required_argument, NULL, 'f' }, \
    { "object", required_argument, NULL, IMG_OPTION_OBJECT }, \
    { "sandbox", required_argument, NULL, IMG_OPTION_SANDBOX }, \
    IMG_LONG_OPTIONS_POLICY

/* How a command goes on after a step. */
typedef enum ImgStep {
    IMG_STEP_RUN,               /* go on */
    IMG_STEP_DONE,              /* what was asked for is printed: exit 0 */
    IMG_STEP_FAILED,            /* the error is set */
} ImgStep;

typedef struct ImgCommon {
    bool image_opts, force_share, quiet, is_json;
    const char *format;
    const char *output;         /* of --output, for img_check_output(); NULL: not given */
    ToolProgressMode progress;
} ImgCommon;

/* Handles option @c if it is a shared one; else nothing happens, with *known false. */
ImgStep img_common_option(Img *img, ImgCommon *common, int c, bool *known, GError **error);

/* "--output must be used with human or json as argument." */
bool img_check_output(const ImgCommon *common, GError **error);

/* "--image-opts and --format are mutually exclusive" */
bool img_check_format_option(bool image_opts, const char *format, GError **error);

/* The hint where @filename is a size and @size is none. */
void img_suggest_order(const char *filename, const char *size, GError **error);

/* -l: "snapshot.id=X,snapshot.name=Y" may use no other key; any other text is an id or a name. */
bool img_check_snapshot_param(const char *text, GError **error);
/* That @blk has no snapshot to read: no format that is built in has. */
void img_refuse_snapshot(BlockBackend *blk, GError **error);

/* -T CACHE: BLK_O_* into *flags; @cache NULL: nothing to do. */
bool img_parse_source_cache(const char *cache, int *flags, GError **error);
/* -t CACHE of an image that is written to, likewise. */
bool img_parse_target_cache(const char *cache, int *flags, GError **error);

/* Before an image is opened by other means than img_open(). */
bool img_sandbox_begin(Img *img, GError **error);
/* All is open: what else the command makes, renames or removes stands in @folder (NULL: nothing). */
bool img_sandbox_narrow(Img *img, const char *folder, GError **error);

/* Opens with the tool's prefix: "Could not open 'NAME': REASON". */
BlockBackend *img_open(Img *img, const ToolImage *image, GError **error);

#define IMG_NAME_BACKING_FORMAT "Name it: -F FORMAT."

/* Follows the words of a lock that a target is refused in. */
#define IMG_TARGET_IS_SOURCE "The target is the source itself, or a backing file of it."

/*
 * A raw file that ends inside a sector is read with zeros behind it, and so becomes longer.
 * (padding.c)
 */
void img_warn_of_padding(BlockBackend *source, const char *name);

/* The one image that @common and the positional @name stand for. */
ToolImage img_image(const ImgCommon *common, const char *name, int flags);

/* The single positional argument of most commands; NULL with @error. */
const char *img_one_filename(int argc, char **argv, GError **error);

#endif
