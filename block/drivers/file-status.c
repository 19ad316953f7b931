/* SPDX-License-Identifier: MIT */
/*
 * Where a file has holes, by SEEK_DATA and SEEK_HOLE. What cannot be found out is called data:
 * that is always true enough to copy.
 */
#include "block/drivers/file.h"

#include <errno.h>
#include <unistd.h>

#include "util/cutils.h"

/*
 * The run that starts at @start: its kind and end (INT64_MAX: to the end of the file).
 * Returns: BDRV_BLOCK_DATA or BDRV_BLOCK_ZERO, or -errno.
 */
static int status_find_run(FileState *s, int64_t start, int64_t *end)
{
    int64_t data = file_sys_lseek(&s->sys, s->fd, start, SEEK_DATA);

    *end = INT64_MAX;
    if (data == -ENXIO) {
        return BDRV_BLOCK_ZERO;         /* no data from here to the end */
    }
    if (data < 0) {
        return data;
    }
    if (data > start) {
        *end = data;
        return BDRV_BLOCK_ZERO;
    }
    *end = file_sys_lseek(&s->sys, s->fd, start, SEEK_HOLE);
    if (*end == -ENXIO) {
        return -EIO;                    /* cut off by somebody in between */
    }
    return *end < 0 ? *end : BDRV_BLOCK_DATA;
}

int coroutine_fn file_co_block_status(BlockDriverState *bs, bool want_zero, int64_t offset,
                                      int64_t bytes, int64_t *pnum, int64_t *map,
                                      BlockDriverState **file)
{
    FileState *s = bs->opaque;
    int64_t align = bs->bl.request_alignment, end, run;
    int ret;

    *pnum = bytes;
    *map = offset;
    *file = bs;
    if (!want_zero || s->kind != FILE_KIND_REGULAR ||
        (g_atomic_int_get(&s->refused) & FILE_REFUSES_SEEK_DATA)) {
        return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
    }
    ret = status_find_run(s, offset, &end);
    if (ret == -EINVAL || ret == -EOPNOTSUPP) {
        g_atomic_int_or((guint *)&s->refused, FILE_REFUSES_SEEK_DATA);
    }
    if (ret < 0 || end <= offset) {
        return BDRV_BLOCK_DATA | BDRV_BLOCK_OFFSET_VALID;
    }
    run = end - offset;
    if (run < bytes) {
        /* Runs may end inside a block of direct I/O: one that holds any data is data. */
        run = ret == BDRV_BLOCK_ZERO ? ROUND_DOWN_TO(run, align) : ROUND_UP_TO(run, align);
        ret = run ? ret : BDRV_BLOCK_DATA;
        *pnum = MIN(bytes, MAX(run, align));
    }
    return ret | BDRV_BLOCK_OFFSET_VALID;
}
