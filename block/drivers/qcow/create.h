/* SPDX-License-Identifier: MIT */
/* Where the parts of a new image stand; for those that make one, and for those that only reckon. */
#ifndef QCOW_CREATE_H
#define QCOW_CREATE_H

#include "block/drivers/qcow/qcow.h"

typedef struct QcowPlan {
    QcowHeader header;
    const char *name;           /* of the backing file; NULL: none */
    uint8_t record[QCOW_RECORD_MAX_BYTES];
    size_t record_bytes;        /* 0: the backing format is not known */
    uint32_t l1_entries;
    int64_t file_bytes;         /* of an image that maps nothing */
} QcowPlan;

/* All but encryption. @opts: creation options, flat and typed; texts stay the caller's. */
bool qcow_plan_options(const QDict *opts, QcowPlan *plan, GError **error);
/* The record of @format, if one is known, and @name; NULL: none. */
void qcow_plan_backing(QcowPlan *plan, const char *name, const char *format);
/* Where name and L1 table stand, from the header's size and geometry and what backing there is. */
bool qcow_plan_places(QcowPlan *plan, GError **error);
/* The first byte that a writer takes for tables and clusters. */
int64_t qcow_plan_data_start(const QcowPlan *plan);

/* Everything but the header; the file has its length then. */
int coroutine_fn qcow_plan_write_rest(BlockBackend *file, const QcowPlan *plan);
/* Syncs what was written, then writes the header, and syncs that. */
int coroutine_fn qcow_plan_write_header(BlockBackend *file, const QcowPlan *plan);

#endif
