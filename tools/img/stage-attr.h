/* SPDX-License-Identifier: MIT */
/*
 * Whether a file may be replaced by another one of the same name, and making the other one like it.
 */
#ifndef TOOLS_IMG_STAGE_ATTR_H
#define TOOLS_IMG_STAGE_ATTR_H

#include <stdbool.h>
#include <sys/stat.h>

/* @fd: the file at @path, the only descriptor of it that this process has. */
bool stage_may_replace(int fd, const char *path, const struct stat *st);

/*
 * Gives the file at @fd the owner, mode and extended attributes of that at @old. False: not
 * possible.
 */
bool stage_copy_attributes(int old, const struct stat *st, int fd);

#endif
