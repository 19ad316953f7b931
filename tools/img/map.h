/* SPDX-License-Identifier: MIT */
/*
 * cairn-img map: the command and its lists (map.c), and the picture (map-svg.c).
 */
#ifndef TOOLS_IMG_MAP_H
#define TOOLS_IMG_MAP_H

#include "img/img.h"

typedef struct MapArgs {
    ImgCommon common;
    const char *filename;
    int64_t start;              /* bytes */
    int64_t length;             /* bytes; -1: to the end */
    bool is_svg;
} MapArgs;

/* Prints the picture of [args->start, @end) of @blk and of each image of its chain. */
bool map_svg(Img *img, const MapArgs *args, BlockBackend *blk, int64_t end, GError **error);

#endif
