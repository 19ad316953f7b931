/* SPDX-License-Identifier: MIT */
/*
 * How long a file would become. A writer lays tables and clusters down without gaps, one table for
 * each span that maps something (alloc.c), so the number is exact for what is really written; it is
 * an upper bound as a source's status may call zeros data.
 */
#include "block/drivers/qcow/create.h"

#include <errno.h>
#include <inttypes.h>

typedef struct MeasureCount {
    int64_t unit;               /* guest bytes: a cluster, or what a table spans */
    int64_t next;               /* the first one that was not looked at */
    int64_t count;
} MeasureCount;

/* Those that @bytes at @offset touch; ranges come in order. */
static void measure_count(MeasureCount *c, int64_t offset, int64_t bytes)
{
    int64_t first = MAX(offset / c->unit, c->next), end = DIV_ROUND_UP(offset + bytes, c->unit);

    c->count += MAX(end - first, 0);
    c->next = MAX(c->next, end);
}

static int64_t measure_file(const QcowPlan *plan, int64_t tables, int64_t clusters)
{
    int64_t end = qcow_plan_data_start(plan) + tables * ((int64_t)8 << plan->header.l2_bits) +
                  clusters * ((int64_t)1 << plan->header.cluster_bits);

    return clusters ? MAX(end, plan->file_bytes) : plan->file_bytes;
}

/* A target with a backing file of its own leaves out what the source's top layer does not hold. */
static int measure_status(const QcowPlan *plan, BlockBackend *source, int64_t offset,
                          int64_t bytes, BlockStatus *status, bool *is_written)
{
    int ret = plan->name ? blk_block_status(source, offset, bytes, status)
                         : blk_block_status_chain(source, offset, bytes, status);

    *is_written = plan->name ? (status->flags & (BDRV_BLOCK_DATA | BDRV_BLOCK_ZERO)) != 0
                             : !(status->flags & BDRV_BLOCK_ZERO);
    return ret;
}

static bool measure_source(const QcowPlan *plan, BlockBackend *source, MeasureCount *tables,
                           MeasureCount *clusters, GError **error)
{
    int64_t length = blk_getlength(source), offset = 0;

    while (offset < length) {
        BlockStatus status = { 0 };
        bool is_written;
        int ret = measure_status(plan, source, offset, length - offset, &status, &is_written);

        if (ret < 0 || status.bytes <= 0) {
            cairn_set_error_errno(error, ret < 0 ? -ret : EIO, "Could not get the status of "
                                  "'%s' at offset %" PRId64, blk_get_filename(source), offset);
            return false;
        }
        if (is_written) {
            measure_count(tables, offset, status.bytes);
            measure_count(clusters, offset, status.bytes);
        }
        offset += status.bytes;
    }
    return true;
}

bool qcow_measure(const QDict *options, BlockBackend *source, BlockMeasure *measure,
                  GError **error)
{
    MeasureCount tables = { 0 }, clusters = { 0 };
    QcowPlan plan;

    if (!qcow_plan_options(options, &plan, error)) {
        return false;
    }
    clusters.unit = (int64_t)1 << plan.header.cluster_bits;
    tables.unit = clusters.unit << plan.header.l2_bits;
    if (source && !measure_source(&plan, source, &tables, &clusters, error)) {
        return false;
    }
    measure->required = measure_file(&plan, tables.count, clusters.count);
    measure->fully_allocated = measure_file(&plan, plan.l1_entries,
                                            DIV_ROUND_UP((int64_t)plan.header.size,
                                                         clusters.unit));
    return true;
}
