/* SPDX-License-Identifier: MIT */
/*
 * A file on its way: what create, convert and dd make is made under another name beside the target,
 * and gets its name when it is whole. So whatever goes wrong, at any moment, there is the old file,
 * or none, or the new one; never a part that looks whole.
 *
 * 1. Under the target's own name work: devices and other protocols, where nothing is undone, and
 *    files that must stay the same file: with several links, mounted by itself, in use by another
 *    process, or with owner or attributes that cannot be given to a new one. Such a file is emptied
 *    if the work fails.
 * 2. "NAME.cairn-part" is left behind only by a process that was killed (SIGKILL) or a crash of the
 *    machine; the next work on the same target removes it. A lock tells whether somebody is still
 *    at work.
 */
#ifndef TOOLS_IMG_STAGE_H
#define TOOLS_IMG_STAGE_H

#include "img/img.h"

typedef enum ImgStageKind {
    IMG_STAGE_DIRECT,           /* under its own name; nothing is undone */
    IMG_STAGE_BESIDE,           /* under another name; then renamed */
    IMG_STAGE_NEW,              /* a new file under its own name; else removed */
    IMG_STAGE_IN_PLACE,         /* an old file is overwritten; else emptied */
} ImgStageKind;

typedef struct ImgStage {
    ImgStageKind kind;
    char *shown;                /* the target as the user calls it, without "file:" */
    char *target;               /* its last links resolved; NULL: not a file's name */
    char *path;                 /* what to create and to open */
    int fd;                     /* BESIDE: holds the lock; IN_PLACE: the old file; else -1 */
    BlockBackend *held;         /* BESIDE: the locks of the old file; NULL: there is none */
    bool is_begun;              /* what is at path is ours to undo */
} ImgStage;

/* Chooses. Touches nothing but a new "NAME.cairn-part". False: somebody else uses the target. */
bool img_stage_begin(ImgStage *stage, Img *img, const char *filename, GError **error);

/*
 * For formats with tables of their own: the old file must have no other users that write. Whoever
 * opens the new image would find that out, but then the old one is gone.
 */
bool img_stage_claim(ImgStage *stage, Img *img, GError **error);

/* Makes the image at stage->path. */
bool img_stage_create(ImgStage *stage, BlockCreate *create, GError **error);
/* Or the caller does, and tells that it has begun. */
void img_stage_created(ImgStage *stage);

/* For who reads the old file while the new one is made: its own locks keep others out from here on. */
void img_stage_release(ImgStage *stage);

/* The sandbox, when the images are open: what is left to do is in the folder of the new one. */
bool img_stage_narrow(const ImgStage *stage, Img *img, GError **error);

/* Whether the image is made in another folder than the one in which the user sees it. */
bool img_stage_is_elsewhere(const ImgStage *stage);

/*
 * The image is whole and closed: gives it its name. @durable: the name, too, must survive a crash.
 */
bool img_stage_commit(ImgStage *stage, bool durable, GError **error);

/*
 * *error, if set, then speaks of the target, not of the other name; and tells what can be done for
 * space.
 */
void img_stage_explain(const ImgStage *stage, GError **error);

/*
 * Undoes what was not committed. To be called in any case, with nothing of the image open any more.
 */
void img_stage_clear(ImgStage *stage);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImgStage, img_stage_clear)

#endif
