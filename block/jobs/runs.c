/* SPDX-License-Identifier: MIT */
/*
 * Runs of equal block status over one or several images.
 *
 * An answer is kept until its end, so the jobs may go forward in pieces of any size; they never go
 * back.
 */
#include "block/jobs/runs.h"

#include <errno.h>

#define RUNS_GUESS_BYTES (64 * 1024)    /* taken for data where there is no status */

int runs_init(Runs *runs, BlockBackend *const *blks, int count, RunsScope scope)
{
    *runs = (Runs){
        .sources = g_new0(RunSource, count), .source_count = count, .scope = scope,
        .cover = INT64_MAX,
    };
    for (int i = 0; i < count; i++) {
        int64_t length = blk_getlength(blks[i]);

        if (length < 0 || length > INT64_MAX / 2 - runs->length) {
            runs_destroy(runs);
            return length < 0 ? length : -EFBIG;
        }
        runs->sources[i] = (RunSource){
            .blk = blks[i], .start = runs->length, .length = length,
        };
        runs->length += length;
    }
    return 0;
}

void runs_destroy(Runs *runs)
{
    g_clear_pointer(&runs->sources, g_free);
}

const RunSource *runs_source_at(const Runs *runs, int64_t offset)
{
    for (int i = 0; i < runs->source_count; i++) {
        const RunSource *source = &runs->sources[i];

        if (offset < source->start + source->length) {
            return source;
        }
    }
    g_assert_not_reached();
}

bool runs_check_lost(const Runs *runs, GError **error)
{
    if (runs->lost) {
        cairn_set_error(error, EIO, "%" G_GINT64_FORMAT " bytes of guest data lie past the end of "
                        "the source's file, the first at byte %" G_GINT64_FORMAT
                        "; they were copied as if never written", runs->lost, runs->first_lost);
    }
    return !runs->lost;
}

void runs_rewind(Runs *runs)
{
    runs->end = 0;
}

/*
 * Zeros that no layer holds (all that lie above what might show end before) are meant whatever their
 * depth. Of the whole chain, what is not known is data.
 */
static RunKind runs_kind_of(const BlockStatus *status, const Runs *runs)
{
    bool is_zero = status->flags & BDRV_BLOCK_ZERO;
    RunsScope scope = runs->scope;

    if (is_zero && !(status->flags & BDRV_BLOCK_ALLOCATED) && status->depth < scope.end) {
        return RUN_ZERO;
    }
    if (status->depth < scope.first || status->depth >= scope.end) {
        return RUN_BACKING;
    }
    if (is_zero) {
        return RUN_ZERO;
    }
    return status->flags & (BDRV_BLOCK_DATA | BDRV_BLOCK_ALLOCATED) || scope.end == INT_MAX
        ? RUN_DATA : RUN_BACKING;
}

static bool runs_is_held(const BlockStatus *status)
{
    return !(status->flags & BDRV_BLOCK_ZERO) || status->flags & BDRV_BLOCK_ALLOCATED;
}

/* A single layer is asked alone: what stands below may be slow to tell, or broken. */
static int coroutine_fn runs_ask(const Runs *runs, const RunSource *source, int64_t local,
                                 BlockStatus *status)
{
    int64_t bytes = source->length - local;

    *status = (BlockStatus){ .bytes = 0 };
    return runs->scope.end == 1
        ? blk_co_block_status(source->blk, local, bytes, status)
        : blk_co_block_status_chain(source->blk, local, bytes, status);
}

int coroutine_fn runs_find(Runs *runs, int64_t offset)
{
    const RunSource *source;
    BlockStatus status;
    int64_t local;
    int ret;

    if (offset < runs->end) {
        return 0;
    }
    source = runs_source_at(runs, offset);
    local = offset - source->start;
    ret = runs_ask(runs, source, local, &status);
    if (ret < 0 && runs->guess_data) {
        status.flags = BDRV_BLOCK_DATA;
        status.bytes = MIN(source->length - local, RUNS_GUESS_BYTES);
    } else if (ret < 0) {
        return ret;
    }
    if (!status.bytes) {
        return -EIO;            /* the image became shorter */
    }
    runs->end = offset + status.bytes;
    runs->kind = runs_kind_of(&status, runs);
    if (!runs_is_held(&status) && offset >= runs->cover) {
        runs->kind = RUN_BACKING;
    } else if (!runs_is_held(&status)) {
        runs->end = MIN(runs->end, runs->cover);
    }
    runs->flags = status.flags;
    runs->depth = status.depth;
    if (status.flags & BDRV_BLOCK_LOST && status.lost_depth < runs->scope.end) {
        runs->first_lost = runs->lost ? runs->first_lost : offset;
        runs->lost += status.bytes;
    }
    return 0;
}

int coroutine_fn runs_read(const Runs *runs, int64_t offset, int64_t bytes, void *buf)
{
    uint8_t *p = buf;

    while (bytes > 0) {
        const RunSource *source = runs_source_at(runs, offset);
        int64_t n = MIN(bytes, source->start + source->length - offset);
        int ret = blk_co_pread(source->blk, offset - source->start, n, p);

        if (ret < 0) {
            return ret;
        }
        offset += n;
        bytes -= n;
        p += n;
    }
    return 0;
}

int64_t coroutine_fn runs_find_unreadable(const Runs *runs, int64_t offset, int64_t bytes,
                                          void *buf)
{
    for (int64_t pos = 0; pos < bytes; pos += BDRV_SECTOR_SIZE) {
        int64_t n = MIN(BDRV_SECTOR_SIZE, bytes - pos);

        if (runs_read(runs, offset + pos, n, buf) < 0) {
            return offset + pos;
        }
    }
    return offset;
}
