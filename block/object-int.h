/* SPDX-License-Identifier: MIT */
/*
 * Objects that a user makes by text: their types, and descriptions ("secret,id=sec0,data=...")
 * without leaving their secret bytes on the heap.
 */
#ifndef BLOCK_OBJECT_INT_H
#define BLOCK_OBJECT_INT_H

#include <cairn/context.h>

#include "crypto/secmem.h"

/*
 * Splits @text, an option string or a JSON object, into the value of its property "data" (*@data,
 * NULL if it has none) and the text without that value (*@rest; free with g_free()).
 */
bool object_split_data(const char *text, char **rest, SecMem **data, GError **error);

/* JSON objects start so. */
bool object_is_json(const char *text);

/* A description, its type known. */
typedef struct ObjectText {
    CairnContext *ctx;
    const char *id;             /* checked, and new; NULL: none was given */
    QDict *props;               /* as given, "id" among them, without the type */
    SecMem *data;               /* the value of "data", which @props then lacks; NULL: none */
    bool is_json;               /* numbers are numbers, not texts */
} ObjectText;

typedef struct ObjectType {
    const char *name;
    const char *help;           /* lines "  NAME=<type>", sorted */
    bool (*add)(ObjectText *text, GError **error);
} ObjectType;

extern const ObjectType object_throttle_group;

/* ---- what a context has (object.c): under ctl ---- */

/* Takes over @instance; @type: static. The id is new. */
void object_insert(CairnContext *ctx, const char *type, const char *id, void *instance,
                   GDestroyNotify unref);

#endif
