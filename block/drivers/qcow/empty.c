/* SPDX-License-Identifier: MIT */
/*
 * Dropping all that the image holds, so that its backing file shows again.
 *
 * 1. The L1 table is cleared on disk, durably, before anything is cut off: a crash between leaves
 *    space that nobody names.
 * 2. What was pending is forgotten, not written: its places lie in what is cut off.
 * 3. Name and L1 table may stand high in the file (resize.c, rebase.c): what lies between them and
 *    the header is punched, once nothing names it.
 */
#include "block/drivers/qcow/qcow.h"

typedef struct EmptyRun {
    BlockDriverState *bs;
    GError **error;
    bool ok;
} EmptyRun;

/*
 * Clears exactly the bytes of the L1 table: what stands beside it in its sectors is not ours here.
 */
static int coroutine_fn empty_clear_l1(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    int64_t bytes = MIN((int64_t)s->g.l1_entries * 8, s->file_end - s->g.l1_offset);
    int ret = 0;

    qcow_event(bs, "empty_image_prepare");
    if (QCOW_MUTANT(CUTS_BEFORE_CLEARING)) {
        bdrv_co_truncate(bs->file, qcow_fixed_end(s), true, PREALLOC_MODE_OFF, NULL);
    }
    if (bytes > 0) {
        ret = bdrv_co_pwrite_zeroes(bs->file, s->g.l1_offset, bytes, BDRV_REQ_MAY_UNMAP);
    }
    return ret == 0 && !QCOW_MUTANT(NO_SYNC_OF_EMPTYING) ? qcow_sync(bs) : ret;
}

/* Nothing of the image is named any more, on disk and here. */
static void empty_forget_all(QcowState *s, int64_t end)
{
    g_mutex_lock(&s->lock);
    while (s->cache.dirty->len > 0) {
        QcowTable *t = g_ptr_array_index(s->cache.dirty, s->cache.dirty->len - 1);

        t->is_dirty = false;
        g_ptr_array_set_size(s->cache.dirty, s->cache.dirty->len - 1);
    }
    s->cache.dirty_bytes = 0;
    qcow_cache_drop_locked(s);
    qcow_epochs_forget_locked(s);
    g_array_set_size(s->tables_at, 0);
    g_array_set_size(s->suspects, 0);
    g_array_set_size(s->gaps, 0);
    s->all_suspect = false;
    s->file_end = MAX(s->file_end, end);
    s->end_at_open = INT64_MAX;
    s->cursor = ROUND_UP_TO(end, MAX(s->g.cluster_size, 4096));
    qcow_reset_avoided_locked(s);
    s->l1_room = s->record_offset > s->g.l1_offset ? s->record_offset : s->cursor;
    s->name_room = s->record_offset < s->g.l1_offset ? s->g.l1_offset : s->cursor;
    s->new_data = s->dirty_since = s->stream_at = 0;
    s->index_task = s->scan_task = QCOW_TASK_DONE;
    g_mutex_unlock(&s->lock);
    g_atomic_int_set(&s->indexed, 1);
    g_atomic_int_set(&s->scanned, 1);
}

/* Invariant 3. */
static void coroutine_fn empty_punch(BlockDriverState *bs)
{
    QcowState *s = bs->opaque;
    QcowRange l1 = { s->g.l1_offset, (int64_t)s->g.l1_entries * 8 };
    QcowRange name = {
        s->record_offset, s->record_offset ? qcow_name_end(s) - s->record_offset : 0,
    };
    bool name_is_first = name.offset < l1.offset;
    const QcowRange *parts[] = { name_is_first ? &name : &l1, name_is_first ? &l1 : &name };
    int64_t at = QCOW_HEADER_BYTES;

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (parts[i]->offset > at) {
            qcow_give_back(bs, at, parts[i]->offset - at, 0);
        }
        at = MAX(at, parts[i]->offset + parts[i]->bytes);
    }
}

static void coroutine_fn empty_entry(void *opaque)
{
    EmptyRun *run = opaque;
    QcowState *s = run->bs->opaque;
    int64_t end = qcow_fixed_end(s);
    int ret = -g_atomic_int_get(&s->failed);

    if (ret == 0) {
        ret = empty_clear_l1(run->bs);
    }
    if (ret < 0) {
        /* what is on disk and what is here may differ now */
        g_atomic_int_set(&s->failed, -ret);
        cairn_set_error_errno(run->error, -ret, "Could not clear the tables of '%s'",
                              run->bs->filename);
        return;
    }
    empty_forget_all(s, end);
    qcow_punch_forget(s);
    run->ok = bdrv_co_truncate(run->bs->file, end, true, PREALLOC_MODE_OFF, run->error);
    if (run->ok) {
        s->file_end = end;
    }
    empty_punch(run->bs);
}

bool qcow_make_empty(BlockDriverState *bs, GError **error)
{
    EmptyRun run = { .bs = bs, .error = error };

    bdrv_run_co(empty_entry, &run);
    return run.ok;
}
