/* SPDX-License-Identifier: MIT */
/*
 * Structs of the schema to and from trees, driven by tables that the generator
 * writes. Generated code wraps these functions with the types' own names.
 */
#ifndef QAPI_VISIT_H
#define QAPI_VISIT_H

#include <cairn/qdict.h>

typedef enum QapiKind {
    QAPI_STR,                   /* char * */
    QAPI_BOOL,                  /* bool */
    QAPI_INT,                   /* int64_t */
    QAPI_SIZE,                  /* uint64_t */
    QAPI_ENUM,                  /* int, or an enum of its size */
    QAPI_STRUCT,                /* pointer to a struct */
} QapiKind;

typedef struct QapiStruct QapiStruct;

typedef struct QapiMember {
    const char *name;
    QapiKind kind;
    bool is_optional;
    bool is_list;               /* an array: of pointers to structs, or of QAPI_ENUM */
    size_t offset;              /* of the value */
    size_t has_offset;          /* of "bool has_x" (optional scalars), of "size_t n_x" (lists) */
    const char *const *values;  /* QAPI_ENUM: NULL-ended, the index is the value */
    const QapiStruct *type;     /* QAPI_STRUCT */
} QapiMember;

struct QapiStruct {
    const char *name;
    size_t size;
    const QapiMember *members;  /* ends with a NULL name */
};

/*
 * @dict: nested, flat, or both; not changed. Values may be spelled as texts.
 * Returns: a new struct, or NULL: "Parameter 'x' is missing", "... is unexpected", or what is wrong
 * with a value.
 */
void *qapi_struct_parse(const QapiStruct *type, const QDict *dict, GError **error);
/* Members in the order of the schema; absent ones left out. */
QDict *qapi_struct_to_qdict(const QapiStruct *type, const void *value);
void qapi_struct_free(const QapiStruct *type, void *value);

/* The index of @text in @values: -1 with "invalid parameter value: TEXT". */
int qapi_enum_parse(const char *const *values, const char *text, GError **error);

#endif
