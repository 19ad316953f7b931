/* SPDX-License-Identifier: MIT */
/*
 * Freed space, and who may still be using it.
 *
 * 1. A request pins the current epoch when it looks a place up, in the same hold of the lock, and
 *    unpins when its I/O ends.
 * 2. Space is freed in the current epoch, after its entry has been changed: later look-ups cannot
 *    find it. So only pins of this epoch and of older ones can be on it.
 * 3. It is punched (punch.c) when the change is on disk and all those pins are gone; epochs are
 *    taken in order.
 */
#include "block/drivers/qcow/qcow.h"

static QcowEpoch *epoch_new(void)
{
    QcowEpoch *e = g_new0(QcowEpoch, 1);

    e->freed = g_array_new(FALSE, FALSE, sizeof(QcowRange));
    return e;
}

static void epoch_free(QcowEpoch *e)
{
    if (e->freed) {
        g_array_unref(e->freed);
    }
    g_free(e);
}

void qcow_epochs_init(QcowState *s)
{
    s->oldest = s->current = epoch_new();
}

void qcow_epochs_free(QcowState *s)
{
    while (s->oldest) {
        QcowEpoch *e = s->oldest;

        s->oldest = e->next;
        epoch_free(e);
    }
    s->current = NULL;
}

QcowEpoch *qcow_pin_locked(QcowState *s)
{
    g_atomic_int_inc(&s->current->pins);
    return s->current;
}

void qcow_unpin(QcowEpoch *pin)
{
    g_atomic_int_add(&pin->pins, -1);
}

void qcow_free_range_locked(QcowState *s, int64_t offset, int64_t bytes)
{
    QcowRange r = { .offset = offset, .bytes = bytes };

    if (qcow_is_suspect_locked(s, offset, bytes)) {
        return;
    }
    if (QCOW_MUTANT(REUSES_AT_ONCE) && offset + bytes == s->cursor) {
        s->cursor = offset;
    }
    if (s->current->freed->len > 0) {
        QcowRange *last = &g_array_index(s->current->freed, QcowRange,
                                         s->current->freed->len - 1);
        if (last->offset + last->bytes == r.offset) {
            last->bytes += r.bytes;
            return;
        }
    }
    g_array_append_val(s->current->freed, r);
}

void qcow_free_locked(QcowState *s, uint64_t raw)
{
    QcowEntry e = qcow_entry_decode(raw, s->g.cluster_bits);

    if ((e.kind == QCOW_PLAIN || e.kind == QCOW_STREAM) &&
        !qcow_is_metadata_locked(s, e.offset, e.bytes)) {
        qcow_free_range_locked(s, e.offset, e.bytes);
    }
}

QcowEpoch *qcow_epoch_close_locked(QcowState *s)
{
    QcowEpoch *e = s->current;

    if (e->freed->len > 0) {
        s->current = e->next = epoch_new();
    }
    return s->current;
}

void qcow_epoch_durable_locked(QcowState *s, const QcowEpoch *limit)
{
    for (QcowEpoch *e = s->oldest; e != limit; e = e->next) {
        e->is_durable = true;
    }
}

GArray *qcow_epoch_reap_locked(QcowState *s)
{
    GArray *ranges = NULL;

    while (s->oldest != s->current && s->oldest->is_durable &&
           g_atomic_int_get(&s->oldest->pins) == 0) {
        QcowEpoch *e = s->oldest;

        s->oldest = e->next;
        if (!ranges) {
            ranges = g_steal_pointer(&e->freed);
        } else {
            g_array_append_vals(ranges, e->freed->data, e->freed->len);
        }
        epoch_free(e);
    }
    return ranges;
}

void qcow_epochs_forget_locked(QcowState *s)
{
    for (QcowEpoch *e = s->oldest; e; e = e->next) {
        g_array_set_size(e->freed, 0);
    }
}
