/* SPDX-License-Identifier: MIT */
/* A creation between its two steps: create.c prepares and describes it, create-run.c does it. */
#ifndef BLOCK_CREATE_INT_H
#define BLOCK_CREATE_INT_H

#include "block/block-int.h"

struct BlockCreate {
    CairnContext *ctx;          /* owned reference */
    char *filename;             /* as given */
    const BlockDriver *drv;
    const BlockDriver *proto;   /* what holds the bytes; equals drv for a protocol driver */
    QDict *opts;                /* flat texts: what the drivers will be given */
    QDict *typed;               /* the same, checked by both tables */
};

/*
 * An empty file of @filename's protocol, open for writing, which grows as it is written. Outside
 * coroutines, under the control lock. Who asked closes it.
 */
BlockBackend *create_storage(CairnContext *ctx, const char *filename, GError **error);

#endif
