/* SPDX-License-Identifier: MIT */
/*
 * How the values of a tree are laid out; for the files of qapi/ only.
 *
 * (1) Every value begins with QObject. Scalars never change after they are made, so that copies may
 *     share them.
 * (2) Only a number above INT64_MAX is of kind QNUM_U64: equal integers have equal kinds.
 */
#ifndef QAPI_QOBJECT_INT_H
#define QAPI_QOBJECT_INT_H

#include <cairn/qdict.h>

/* What a text or a tree from outside may ask of us. */
enum {
    QAPI_MAX_DEPTH = 128,           /* nesting; also dots in a key */
    QAPI_MAX_TEXT = 1 << 20,        /* bytes of JSON or of an option string */
    QAPI_MAX_KEYS = 4096,           /* keys and list elements of one text */
    QAPI_MAX_KEY_BYTES = 256,       /* of one JSON key: flattening copies it to each leaf */
};

typedef enum QNumKind { QNUM_I64, QNUM_U64, QNUM_DOUBLE } QNumKind;

struct QObject {
    QType type;
    gint refs;                      /* atomic */
};

typedef struct QBool {
    QObject base;
    bool value;
} QBool;

typedef struct QNum {
    QObject base;
    QNumKind kind;
    union {
        int64_t i64;
        uint64_t u64;
        double dbl;
    } u;
} QNum;

typedef struct QString {
    QObject base;
    char *value;                    /* never NULL */
} QString;

typedef struct QDictEntry {
    char *key;
    QObject *value;                 /* never NULL */
} QDictEntry;

struct QDict {
    QObject base;
    GPtrArray *entries;             /* QDictEntry *, owned, in order of insertion */
    GHashTable *index;              /* key -> QDictEntry *; both belong to entries */
};

struct QList {
    QObject base;
    GPtrArray *items;               /* QObject *, owned */
};

void qobject_init(QObject *obj, QType type);
void qdict_destroy(QDict *dict);
/* Exchanges the contents. */
void qdict_swap(QDict *a, QDict *b);
void qlist_destroy(QList *list);
/* NULL unless @obj is a number. */
const QNum *qobject_to_qnum(const QObject *obj);

#endif
