/* SPDX-License-Identifier: MIT */
/*
 * Another size for the disk. The node is drained: no request runs meanwhile.
 *
 * Growing:
 * 1. What becomes visible reads as zeros, durably, before the header says that it is there: entries
 *    past the old end are dropped, the rest of the last cluster and what a longer backing file
 *    would show are zeroed.
 * 2. An L1 table that cannot grow where it stands gets a new place. Until the header names that,
 *    the L1 entries of the old disk are written to both places (flush.c), so whichever one the
 *    header names is complete, in a crash and when a later step fails.
 * 3. One write of the header, after a flush, makes the step; only then the old table's space is
 *    free.
 * 4. If something fails before, the node goes back to the old size: what was mapped past it is
 *    dropped again.
 *
 * Shrinking:
 * 5. What stands past the new end is dropped, and the rest of the last cluster zeroed, durably,
 *    before the header. A crash between leaves the old size; what lies below the new end is never
 *    touched.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define RESIZE_STEP ((int64_t)16 << 20) /* bytes zeroed before a checkpoint is thought of */

typedef struct Resize {
    QcowHeader header;          /* the new one */
    QcowGeometry from, to;
    int64_t old_room;           /* l1_room before */
    int64_t l1_bytes;           /* reserved for a new L1 table; 0: it stays where it is */
} Resize;

/* ---- what is asked for ---- */

static bool resize_check_prealloc(const QcowState *s, int64_t bytes, PreallocMode prealloc,
                                  GError **error)
{
    if (prealloc == PREALLOC_MODE_METADATA) {
        cairn_set_error(error, ENOTSUP, "Unsupported preallocation mode: metadata");
        return false;
    }
    if (prealloc != PREALLOC_MODE_OFF && bytes < s->g.size) {
        cairn_set_error(error, EINVAL, "Cannot use preallocation for shrinking files");
        return false;
    }
    return true;
}

static bool resize_check_node(BlockDriverState *bs, int64_t bytes, GError **error)
{
    QcowState *s = bs->opaque;

    if (g_atomic_int_get(&s->failed)) {
        cairn_set_error_errno(error, g_atomic_int_get(&s->failed),
                              "'%s' takes no writes after an earlier error", bs->filename);
        return false;
    }
    if (bytes > s->g.size && s->names_backing && !bs->backing) {
        cairn_set_error(error, EINVAL, "Cannot make '%s' longer without its backing file",
                        bs->filename);
        cairn_error_append_hint(error, "Its length decides what has to be zeroed.");
        return false;
    }
    return true;
}

static bool resize_plan(QcowState *s, int64_t bytes, Resize *r, GError **error)
{
    *r = (Resize) { .header = s->header, .from = s->g };
    if (bytes == 0) {
        cairn_set_error(error, EINVAL, "Image size is too small, cannot be zero length");
        return false;
    }
    r->header.size = (uint64_t)bytes;
    if (!qcow_header_check_size(&r->header, error)) {
        return false;
    }
    qcow_geometry_init(&r->to, &r->header);
    return true;
}

/* ---- dropping what stands past a size ---- */

/* Of the table that holds the last cluster. */
static int coroutine_fn resize_drop_entries(BlockDriverState *bs, int64_t size)
{
    QcowState *s = bs->opaque;
    int64_t guest = ROUND_UP_TO(size, s->g.cluster_size);
    QcowTable *t = NULL;
    uint32_t i = qcow_l2_index(&s->g, guest);
    int ret;

    if (guest % s->g.l2_span == 0) {
        return 0;
    }
    g_mutex_lock(&s->lock);
    ret = qcow_l2_get_locked(bs, qcow_l1_index(&s->g, guest), &t);
    while (ret == 0 && t && i < t->count && t->entries[i] == 0) {
        i++;
    }
    if (ret == 0 && t && i < t->count) {
        ret = !qcow_table_may_change_locked(s, t) ? -EIO
            : qcow_l2_reserve_pending_locked(s, t) ? 0 : -ENOMEM;
    }
    if (ret == 0 && t) {
        qcow_table_ref_locked(s, t);
        for (guest = ROUND_DOWN_TO(guest, s->g.l2_span); i < t->count; i++) {
            if (t->entries[i]) {
                qcow_publish_locked(s, t, guest + i * s->g.cluster_size, 0);
            }
        }
        qcow_table_unref_locked(s, t);
    }
    g_mutex_unlock(&s->lock);
    return ret;
}

/* A whole table, with what it maps; its L1 entry is the caller's. */
static void resize_drop_table_locked(QcowState *s, QcowTable *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->entries[i]) {
            qcow_free_locked(s, t->entries[i]);
        }
    }
    if (t->offset) {
        qcow_free_range_locked(s, t->offset, s->g.l2_bytes);
    }
    qcow_l2_forget_locked(s, t);
}

/*
 * The next table at or after *@index, below @end, is dropped, and *@index set to it; to @end if
 * there is none.
 */
static int coroutine_fn resize_drop_next(BlockDriverState *bs, uint32_t *index, uint32_t end)
{
    QcowState *s = bs->opaque;
    QcowTable *t = NULL;
    int64_t n;
    int ret = 0;

    g_mutex_lock(&s->lock);
    n = qcow_l1_empty_run_locked(bs, *index, end - *index);
    if (n >= 0) {
        *index += (uint32_t)n;
    }
    if (n >= 0 && *index < end) {
        ret = qcow_l2_get_locked(bs, *index, &t);
    }
    if (ret == 0 && t) {
        resize_drop_table_locked(s, t);
    }
    g_mutex_unlock(&s->lock);
    return n < 0 ? (int)n : ret;
}

/*
 * From *@index on: the next table, and those that follow it within a piece of L1; their L1 entries
 * are cleared with @on_disk. *@index: where to go on.
 */
static int coroutine_fn resize_drop_piece(BlockDriverState *bs, uint32_t *index, uint32_t end,
                                          bool on_disk)
{
    QcowState *s = bs->opaque;
    uint32_t first = end, next = end;
    int ret, cleared = 0;

    while ((ret = resize_drop_next(bs, index, end)) == 0 && *index < end) {
        if (first == next) {
            first = *index;
            end = MIN(end, first + QCOW_L1_PIECE);
        }
        next = ++*index;
    }
    if (on_disk && first < next) {
        cleared = qcow_l1_clear(bs, first, next);
    }
    if (cleared < 0) {
        /* what is on disk and what is here may differ now */
        g_atomic_int_set(&s->failed, -cleared);
    }
    return ret < 0 ? ret : cleared;
}

static int coroutine_fn resize_drop_tables(BlockDriverState *bs, uint32_t first, uint32_t end,
                                           bool on_disk)
{
    QcowState *s = bs->opaque;
    int ret = 0;

    while (first < end && ret == 0) {
        ret = resize_drop_piece(bs, &first, end, on_disk);
    }
    g_mutex_lock(&s->lock);
    qcow_cache_drop_l1_locked(s);
    g_mutex_unlock(&s->lock);
    return ret;
}

/* All that an image of geometry @g could map past @size. */
static int coroutine_fn resize_drop(BlockDriverState *bs, int64_t size, const QcowGeometry *g,
                                    bool on_disk)
{
    uint32_t tables = (uint32_t)DIV_ROUND_UP(size, g->l2_span);
    int ret = resize_drop_entries(bs, size);

    return ret == 0 ? resize_drop_tables(bs, tables, g->l1_entries, on_disk) : ret;
}

/* ---- the L1 table ---- */

/* The file reaches to the table's end: what is missing would count as lost. */
static int coroutine_fn resize_extend(BlockDriverState *bs, int64_t length, int64_t end)
{
    g_autoptr(GError) error = NULL;

    if (length < end && !bdrv_co_truncate(bs->file, end, false, PREALLOC_MODE_OFF, &error)) {
        return -cairn_error_errno(error);
    }
    return 0;
}

/* The bytes that the table grows into, where it stands: mostly zeros already. */
static int coroutine_fn resize_clear_room(BlockDriverState *bs, const Resize *r)
{
    int64_t at = r->from.l1_offset + (int64_t)r->from.l1_entries * 8;
    int64_t end = r->to.l1_offset + (int64_t)r->to.l1_entries * 8;
    int64_t length = bdrv_co_getlength(bs->file);
    g_autofree uint8_t *buf = g_try_malloc(QCOW_L1_PIECE * 8);
    int ret = length < 0 ? (int)length : buf ? 0 : -ENOMEM;

    while (ret == 0 && at < MIN(end, length)) {
        int64_t n = MIN(MIN(end, length) - at, (int64_t)QCOW_L1_PIECE * 8);

        ret = bdrv_co_pread(bs->file, at, n, buf);
        if (ret == 0 && !cairn_buffer_is_zero(buf, n)) {
            ret = bdrv_co_pwrite_zeroes(bs->file, at, n, 0);
        }
        at += n;
    }
    return ret == 0 ? resize_extend(bs, length, end) : ret;
}

/* A new table of zeros. */
static int coroutine_fn resize_clear_l1(BlockDriverState *bs, int64_t offset, int64_t bytes)
{
    int64_t length = bdrv_co_getlength(bs->file);
    int64_t there = MIN(length - offset, bytes);
    int ret = length < 0 ? (int)length : 0;

    if (ret == 0 && there > 0) {
        ret = bdrv_co_pwrite_zeroes(bs->file, offset, there, BDRV_REQ_MAY_UNMAP);
    }
    return ret == 0 ? resize_extend(bs, length, offset + bytes) : ret;
}

/* A piece of the new table being filled. */
typedef struct ResizeL1 {
    int64_t offset;             /* of the new table */
    uint32_t first;             /* L1 entries; of the piece */
    uint32_t count;             /* up to the last one that is not 0 */
    uint8_t *raw;               /* QCOW_L1_PIECE entries */
} ResizeL1;

static int coroutine_fn resize_l1_write(BlockDriverState *bs, ResizeL1 *l1)
{
    int ret = 0;

    if (l1->count > 0) {
        qcow_event(bs, "l1_grow_write_table");
        ret = bdrv_co_pwrite(bs->file, l1->offset + (int64_t)l1->first * 8,
                             (int64_t)l1->count * 8, l1->raw, 0);
    }
    memset(l1->raw, 0, QCOW_L1_PIECE * 8);
    l1->count = 0;
    return ret;
}

static int coroutine_fn resize_l1_entry(BlockDriverState *bs, uint32_t l1_index, uint64_t raw,
                                        void *opaque)
{
    ResizeL1 *l1 = opaque;
    int ret = 0;

    if (l1_index - l1->first >= QCOW_L1_PIECE) {
        ret = resize_l1_write(bs, l1);
        l1->first = ROUND_DOWN_TO(l1_index, QCOW_L1_PIECE);
    }
    be64_store(l1->raw + (size_t)(l1_index - l1->first) * 8, raw);
    l1->count = l1_index - l1->first + 1;
    return ret;
}

/* What is on disk of the old table goes to the new place; what is pending comes with the flush. */
static int coroutine_fn resize_copy_l1(BlockDriverState *bs, const Resize *r)
{
    g_autofree uint8_t *raw = g_try_malloc0(QCOW_L1_PIECE * 8);
    ResizeL1 l1 = { .offset = r->to.l1_offset, .raw = raw };
    int ret = raw ? resize_clear_l1(bs, l1.offset, r->l1_bytes) : -ENOMEM;

    if (ret == 0 && !QCOW_MUTANT(L1_NOT_COPIED)) {
        ret = qcow_l1_foreach(bs, INT64_MAX, resize_l1_entry, &l1);
    }
    return ret == 0 ? resize_l1_write(bs, &l1) : ret;
}

static int coroutine_fn resize_prepare_l1(BlockDriverState *bs, Resize *r)
{
    QcowState *s = bs->opaque;
    int64_t bytes = (int64_t)r->to.l1_entries * 8;

    r->old_room = s->l1_room;
    if (r->to.l1_offset + bytes <= s->l1_room) {
        return resize_clear_room(bs, r);
    }
    r->l1_bytes = ROUND_UP_TO(bytes, QCOW_HOST_BLOCK);
    qcow_event(bs, "l1_grow_alloc_table");
    g_mutex_lock(&s->lock);
    if (!qcow_cursor_clear_locked(s, QCOW_HOST_BLOCK + r->l1_bytes)) {
        r->l1_bytes = 0;
        g_mutex_unlock(&s->lock);
        return -EFBIG;
    }
    r->to.l1_offset = ROUND_UP_TO(s->cursor, QCOW_HOST_BLOCK);
    qcow_add_gap_locked(s, s->cursor, r->to.l1_offset);
    s->cursor = r->to.l1_offset + r->l1_bytes;
    g_mutex_unlock(&s->lock);
    r->header.l1_offset = (uint64_t)r->to.l1_offset;
    return resize_copy_l1(bs, r);
}

/* ---- growing ---- */

/* Look-ups and flushes now go by the new size and table; the header does not yet. */
static void resize_switch(QcowState *s, const Resize *r)
{
    g_mutex_lock(&s->lock);
    s->g = r->to;
    if (r->l1_bytes) {
        s->old_l1 = (QcowL1Place) { r->from.l1_offset, r->from.l1_entries };
        s->l1_room = r->to.l1_offset + r->l1_bytes;
        s->file_end = MAX(s->file_end, s->l1_room);
    }
    qcow_cache_drop_l1_locked(s);
    g_mutex_unlock(&s->lock);
}

/* Up to where something else than zeros could show past the old end. */
static int64_t coroutine_fn resize_visible_end(BlockDriverState *bs, const Resize *r)
{
    int64_t end = ROUND_UP_TO(r->from.size, r->from.cluster_size);
    int64_t length = bs->backing ? bdrv_co_getlength(bs->backing) : 0;

    if (length < 0) {
        return length;
    }
    return MIN(MAX(end, ROUND_UP_TO(length, 512)), r->to.size);
}

static int coroutine_fn resize_zero(BlockDriverState *bs, const Resize *r, PreallocMode prealloc)
{
    int64_t at = r->from.size;
    int64_t end = resize_visible_end(bs, r);
    bool needs_flush = false;
    int ret = MIN(end, 0);

    if (prealloc != PREALLOC_MODE_OFF && end >= 0) {
        end = r->to.size;
    }
    while (ret == 0 && at < end) {
        int64_t n = MIN(end, ROUND_DOWN_TO(at + RESIZE_STEP, RESIZE_STEP)) - at;

        if (prealloc == PREALLOC_MODE_OFF) {
            ret = qcow_co_pwrite_zeroes(bs, at, n, 0);
        } else {
            ret = qcow_write(bs, at, n, NULL, 0, 0, &needs_flush);
            ret = qcow_write_end(bs, ret, false);
        }
        at += n;
    }
    return ret;
}

/* Invariant 4. What cannot be dropped is a leak. */
static void coroutine_fn resize_revert(BlockDriverState *bs, const Resize *r)
{
    QcowState *s = bs->opaque;

    resize_drop(bs, r->from.size, &r->to, false);
    g_mutex_lock(&s->lock);
    s->g = r->from;
    s->old_l1.entries = 0;
    s->l1_room = r->old_room;
    qcow_cache_drop_l1_locked(s);
    g_mutex_unlock(&s->lock);
}

static int coroutine_fn resize_grow_switched(BlockDriverState *bs, const Resize *r,
                                             PreallocMode prealloc)
{
    int ret = QCOW_MUTANT(GROWS_WITHOUT_ZEROING) ? 0 : resize_zero(bs, r, prealloc);

    if (ret == 0 && QCOW_MUTANT(HEADER_BEFORE_L1)) {
        ret = qcow_update_header(bs, &r->header);
    }
    if (ret == 0) {
        ret = qcow_co_flush(bs);
    }
    if (ret == 0 && r->l1_bytes) {
        qcow_event(bs, "l1_grow_activate_table");
    }
    if (ret == 0) {
        ret = qcow_update_header(bs, &r->header);
    }
    return ret;
}

static int coroutine_fn resize_grow(BlockDriverState *bs, Resize *r, PreallocMode prealloc)
{
    QcowState *s = bs->opaque;
    int ret = resize_drop(bs, r->from.size, &r->from, true);

    if (ret == 0) {
        ret = resize_prepare_l1(bs, r);
    }
    if (ret == 0) {
        resize_switch(s, r);
        ret = resize_grow_switched(bs, r, prealloc);
        if (ret < 0) {
            resize_revert(bs, r);
        }
    }
    if (r->l1_bytes && ret == 0) {
        qcow_give_back(bs, r->from.l1_offset, (int64_t)r->from.l1_entries * 8, r->old_room);
    } else if (r->l1_bytes) {
        qcow_give_back(bs, r->to.l1_offset, r->l1_bytes, 0);
    }
    return ret;
}

/* ---- shrinking ---- */

/* What is left of the last cluster. Unmapped, it shows nothing: growing sees to backing data. */
static int coroutine_fn resize_zero_tail(BlockDriverState *bs, const Resize *r)
{
    QcowState *s = bs->opaque;
    int64_t bytes = ROUND_UP_TO(r->to.size, r->to.cluster_size) - r->to.size;
    bool needs_flush = false;
    QcowRun run;
    int ret = 0;

    if (bytes == 0) {
        return 0;
    }
    g_mutex_lock(&s->lock);
    ret = qcow_map_locked(bs, r->to.size, bytes, &run);
    g_mutex_unlock(&s->lock);
    if (ret < 0 || run.kind == QCOW_NONE) {
        return ret;
    }
    return qcow_write(bs, r->to.size, bytes, NULL, 0, 0, &needs_flush);
}

static int coroutine_fn resize_shrink(BlockDriverState *bs, const Resize *r)
{
    QcowState *s = bs->opaque;
    int ret = resize_zero_tail(bs, r);

    if (ret == 0) {
        ret = resize_drop(bs, r->to.size, &r->from, true);
    }
    if (ret == 0) {
        ret = qcow_co_flush(bs);
    }
    if (ret == 0) {
        ret = qcow_update_header(bs, &r->header);
    }
    if (ret == 0) {
        g_mutex_lock(&s->lock);
        s->g = r->to;
        qcow_cache_drop_l1_locked(s);
        g_mutex_unlock(&s->lock);
    }
    return ret;
}

/* ---- the call ---- */

static void resize_set_error(BlockDriverState *bs, int ret, GError **error)
{
    cairn_set_error_errno(error, -ret, "Could not resize '%s'", bs->filename);
    if (ret == -EIO) {
        cairn_error_append_hint(error, "If the image has errors, 'cairn-img check -r all' helps.");
    }
}

bool coroutine_fn qcow_co_truncate(BlockDriverState *bs, int64_t bytes, bool exact,
                                   PreallocMode prealloc, GError **error)
{
    QcowState *s = bs->opaque;
    Resize r;
    int ret;

    bytes = ROUND_UP_TO(bytes, BDRV_SECTOR_SIZE);
    if (!resize_check_prealloc(s, bytes, prealloc, error) || !resize_plan(s, bytes, &r, error) ||
        !resize_check_node(bs, bytes, error)) {
        return false;
    }
    if (bytes == s->g.size) {
        return true;
    }
    ret = qcow_barrier0(bs);
    if (ret == 0) {
        ret = bytes > s->g.size ? resize_grow(bs, &r, prealloc) : resize_shrink(bs, &r);
    }
    if (ret < 0) {
        resize_set_error(bs, ret, error);
        return false;
    }
    s->header = r.header;
    s->old_l1.entries = 0;
    return true;
}
