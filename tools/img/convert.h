/* SPDX-License-Identifier: MIT */
/*
 * cairn-img convert, in three parts: the command line (convert-args.c), the target
 * (convert-target.c) and the run (convert.c).
 */
#ifndef TOOLS_IMG_CONVERT_H
#define TOOLS_IMG_CONVERT_H

#include "img/stage.h"

#define CONVERT_DEFAULT_SPARSE 4096
#define CONVERT_MAX_SPARSE (16 << 20)
/* Said of -B by the command line alone, of -o backing_file= later. */
#define CONVERT_BACKING_OF_MANY "Having a backing file for the target makes no sense when" \
                                " concatenating multiple input images"

typedef struct ConvertArgs {
    ImgCommon common;
    const char *target_format;      /* NULL: raw */
    const char *cache, *source_cache;
    const char *backing, *backing_format;
    const char *snapshot;
    char *options;                  /* of all -o; NULL: none */
    int64_t sparse_size;            /* bytes; -1: not given */
    int64_t rate;                   /* bytes a second; 0: no limit */
    int64_t coroutines;             /* 0: the library's choice */
    bool compressed, copy_range, no_create, out_of_order, salvage, bitmaps, target_is_zero,
         target_image_opts, skip_broken_bitmaps;
    char **sources;                 /* of argv */
    int source_count;
    const char *target;             /* NULL: missing (only for -o help) */
} ConvertArgs;

void convert_args_clear(ConvertArgs *args);
/* Everything that the command line alone can tell to be wrong. */
ImgStep convert_args_parse(Img *img, ConvertArgs *args, int argc, char **argv, GError **error);
const char *convert_target_format(const ConvertArgs *args);

/*
 * The target: prepared (nothing touched), then created and opened, and finished when all is copied;
 * or with -n only opened and closed.
 */
typedef struct ConvertTarget {
    BlockCreate *create;            /* NULL with -n */
    QDict *options;                 /* of -o, flat; "size" taken out */
    const char *backing;            /* of -B or of @options; NULL: none */
    const char *backing_format;
    ImgStage stage;                 /* not with -n */
    BlockBackend *blk;              /* NULL until opened */
} ConvertTarget;

void convert_target_clear(ConvertTarget *target);
bool convert_target_prepare(Img *img, const ConvertArgs *args, int64_t bytes,
                            ConvertTarget *target, GError **error);
bool convert_target_open(Img *img, const ConvertArgs *args, int64_t bytes,
                         ConvertTarget *target, GError **error);
/* Closes the target, which is whole now. */
bool convert_target_finish(const ConvertArgs *args, ConvertTarget *target, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ConvertArgs, convert_args_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ConvertTarget, convert_target_clear)

#endif
