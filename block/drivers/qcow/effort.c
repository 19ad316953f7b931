/* SPDX-License-Identifier: MIT */
/*
 * What a walk over all tables may cost.
 *
 * An image whose parts stand alone has an entry for each 8 bytes of a table, and streams made of
 * bytes of their own: all of it together is no more than the data that its file holds. A hostile
 * one may lead a thousand times to the same table. So a walk that has seen more than twice the
 * file's data knows what it is in, and ends.
 */
#include "block/drivers/qcow/qcow.h"

#define EFFORT_LEAST ((int64_t)1 << 20) /* bytes that any file may cost */

void coroutine_fn qcow_effort_init(QcowEffort *e, BlockDriverState *bs, int64_t end)
{
    int64_t allocated = bdrv_co_get_allocated_file_size(bs->file->bs);

    *e = (QcowEffort) {
        .bs = bs, .end = end,
        .data = allocated < 0 ? end : MIN(allocated, end), .is_counted = allocated < 0,
    };
}

static bool effort_is_too_much(const QcowEffort *e)
{
    return e->spent > EFFORT_LEAST && (e->spent - EFFORT_LEAST) / 2 > e->data;
}

/* File systems that compress tell less than there is: the answer that counts is that of the map. */
static void coroutine_fn effort_count(QcowEffort *e)
{
    int64_t offset = 0, data = 0;

    while (offset < e->end) {
        int64_t pnum = 0, map;
        BlockDriverState *file;
        int ret = bdrv_co_block_status(e->bs->file, false, offset, e->end - offset, &pnum, &map,
                                       &file);

        if (ret < 0 || pnum <= 0) {
            data += e->end - offset;
            break;
        }
        data += ret & BDRV_BLOCK_ZERO ? 0 : pnum;
        offset += pnum;
    }
    e->data = MAX(e->data, data);
    e->is_counted = true;
}

bool coroutine_fn qcow_effort_spend(QcowEffort *e, int64_t bytes)
{
    e->spent += bytes;
    if (effort_is_too_much(e) && !e->is_counted) {
        effort_count(e);
    }
    return !effort_is_too_much(e);
}
