/* SPDX-License-Identifier: MIT */
/*
 * Another backing file's name. The node is drained: no request runs meanwhile.
 *
 * 1. Name and record go to fresh space, so a crash finds the old ones whole; there they always
 *    fit.
 * 2. They are durable before the header names them, and with them all that was written before:
 *    whoever changes the backing file has copied what would look different on the new one.
 * 3. One write of the header makes the step. Only then is the old name's space free.
 */
#include "block/drivers/qcow/qcow.h"

#include <errno.h>
#include <string.h>

typedef struct Rebase {
    BlockDriverState *bs;
    const char *name, *format;  /* NULL: none, unknown */
    uint8_t raw[QCOW_RECORD_MAX_BYTES + QCOW_MAX_BACKING_NAME + BDRV_SECTOR_SIZE];
    size_t record_bytes;        /* 0: no record */
    int64_t offset, bytes;      /* of both, in whole sectors; 0: no name */
    QcowHeader header;          /* the new one */
    int ret;
} Rebase;

static bool rebase_check(BlockDriverState *bs, const char *name, const char *format,
                         GError **error)
{
    QcowState *s = bs->opaque;

    if (name && strlen(name) > QCOW_MAX_BACKING_NAME) {
        cairn_set_error(error, EINVAL, "Backing file name too long");
        cairn_error_append_hint(error, "A qcow image holds at most %d bytes of it.",
                                QCOW_MAX_BACKING_NAME);
        return false;
    }
    if (name && format && !bdrv_is_probed_format(bs, format)) {
        cairn_set_error(error, EINVAL, "unrecognized backing format '%s'", format);
        return false;
    }
    if (g_atomic_int_get(&s->failed)) {
        cairn_set_error_errno(error, g_atomic_int_get(&s->failed),
                              "'%s' takes no writes after an earlier error", bs->filename);
        return false;
    }
    return true;
}

static void rebase_fill(Rebase *r)
{
    size_t length = strlen(r->name);

    if (r->format) {
        r->record_bytes = qcow_record_write(r->format, r->raw);
    }
    memcpy(r->raw + r->record_bytes, r->name, length);
    r->bytes = ROUND_UP_TO((int64_t)(r->record_bytes + length), BDRV_SECTOR_SIZE);
    r->header.backing_bytes = (uint32_t)length;
}

static int coroutine_fn rebase_write_name(Rebase *r)
{
    QcowState *s = r->bs->opaque;
    int ret;

    rebase_fill(r);
    g_mutex_lock(&s->lock);
    if (!qcow_cursor_clear_locked(s, BDRV_SECTOR_SIZE + r->bytes)) {
        g_mutex_unlock(&s->lock);
        return -EFBIG;
    }
    r->offset = ROUND_UP_TO(s->cursor, BDRV_SECTOR_SIZE);
    qcow_add_gap_locked(s, s->cursor, r->offset);
    s->cursor = r->offset + r->bytes;
    g_mutex_unlock(&s->lock);
    r->header.backing_offset = (uint64_t)r->offset + r->record_bytes;
    ret = bdrv_co_pwrite(r->bs->file, r->offset, r->bytes, r->raw, 0);
    if (ret == 0) {
        g_mutex_lock(&s->lock);
        s->file_end = MAX(s->file_end, r->offset + r->bytes);
        g_mutex_unlock(&s->lock);
    }
    return ret;
}

/* The node says what the image says now. */
static void rebase_publish(Rebase *r)
{
    BlockDriverState *bs = r->bs;
    QcowState *s = bs->opaque;

    s->header = r->header;
    s->names_backing = r->name != NULL;
    s->record_offset = r->offset;
    s->name_room = r->offset + r->bytes;
    g_free(bs->backing_file);
    g_free(bs->backing_format);
    bs->backing_file = g_strdup(r->name);
    bs->backing_format = r->record_bytes ? g_strdup(r->format) : NULL;
}

static void coroutine_fn rebase_entry(void *opaque)
{
    Rebase *r = opaque;
    QcowState *s = r->bs->opaque;
    int64_t old = s->record_offset, old_bytes = qcow_name_end(s) - old, old_room;

    r->ret = qcow_barrier0(r->bs);
    old_room = s->name_room;
    if (r->ret == 0 && r->name) {
        r->ret = rebase_write_name(r);
    }
    if (r->ret == 0 && !QCOW_MUTANT(REBASE_WITHOUT_FLUSH)) {
        r->ret = qcow_co_flush(r->bs);
    }
    if (r->ret == 0) {
        r->ret = qcow_update_header(r->bs, &r->header);
    }
    if (r->ret == 0) {
        rebase_publish(r);
    }
    if (r->ret == 0 && old) {
        qcow_give_back(r->bs, old, old_bytes, old_room);
    } else if (r->ret < 0 && r->offset) {
        qcow_give_back(r->bs, r->offset, r->bytes, 0);
    }
}

bool qcow_change_backing_file(BlockDriverState *bs, const char *name, const char *format,
                              GError **error)
{
    QcowState *s = bs->opaque;
    Rebase r = {
        .bs = bs, .name = name && name[0] ? name : NULL, .format = format, .header = s->header,
    };

    if (!rebase_check(bs, name, format, error)) {
        return false;
    }
    r.header.backing_offset = 0;
    r.header.backing_bytes = 0;
    bdrv_run_co(rebase_entry, &r);
    if (r.ret < 0) {
        cairn_set_error_errno(error, -r.ret, "Could not write the backing file's name to '%s'",
                              bs->filename);
    }
    return r.ret == 0;
}
