/* SPDX-License-Identifier: MIT */
/*
 * Makes random requests on an image, some at once, and tells of each on standard output, until it
 * is killed or has made them all.
 *
 *   kill-load OPTIONS FIRST SEED REQUESTS
 *
 * OPTIONS opens the image; FIRST numbers the first request.
 */
#include <cairn/aio.h>
#include <cairn/block.h>
#include <cairn/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

enum { SLOTS = 4, MOST_SECTORS = 400 };

typedef struct Slot {
    struct Load *load;
    bool is_busy;
    LoadMessage message;
    guint8 *buf;
    IOVector iov;
} Slot;

typedef struct Load {
    BlockBackend *blk;
    GRand *rand;
    int64_t cluster;
    bool compresses;
    guint32 number;
    int failed;                         /* the first -errno */
    Slot slots[SLOTS];
} Load;

static void tell(const LoadMessage *m)
{
    if (write(STDOUT_FILENO, m, sizeof(*m)) != sizeof(*m)) {
        exit(3);
    }
}

static void on_done(void *opaque, int ret)
{
    Slot *slot = opaque;

    if (ret == 0) {
        slot->message.is_end = true;
        tell(&slot->message);
    } else if (!slot->load->failed) {
        slot->load->failed = ret;
    }
    slot->is_busy = false;
}

static bool overlaps(const Load *load, const LoadMessage *m)
{
    for (int i = 0; i < SLOTS; i++) {
        const LoadMessage *other = &load->slots[i].message;

        if (load->slots[i].is_busy && m->sector < other->sector + other->count &&
            other->sector < m->sector + m->count) {
            return true;
        }
    }
    return false;
}

/* Sectors, or clusters; short ones and long ones. */
static void choose_range(Load *load, LoadMessage *m, bool whole_clusters)
{
    guint32 unit = whole_clusters ? (guint32)(load->cluster / LOAD_SECTOR) : 1;
    guint32 most = g_rand_boolean(load->rand) ? 12 : MOST_SECTORS;

    do {
        m->count = (guint32)g_rand_int_range(load->rand, 1, (gint32)MAX(most / unit, 1) + 1) * unit;
        m->sector = (guint32)g_rand_int_range(load->rand, 0, LOAD_SECTORS - (gint32)m->count + 1);
        m->sector -= m->sector % unit;
    } while (overlaps(load, m));
}

static void submit_write(Load *load, Slot *slot)
{
    LoadMessage *m = &slot->message;
    bool packs = load->compresses && g_rand_int_range(load->rand, 0, 3);
    BdrvRequestFlags flags = packs ? BDRV_REQ_WRITE_COMPRESSED : 0;

    m->kind = LOAD_WRITE;
    choose_range(load, m, packs);
    m->is_durable = !packs && g_rand_int_range(load->rand, 0, 12) == 0;
    for (guint32 i = 0; i < m->count; i++) {
        load_fill(slot->buf + i * LOAD_SECTOR, m->sector + i, m->number);
    }
    io_vector_destroy(&slot->iov);
    io_vector_init(&slot->iov, 1);
    io_vector_add(&slot->iov, slot->buf, (size_t)m->count * LOAD_SECTOR);
    tell(m);
    blk_aio_pwritev(load->blk, (int64_t)m->sector * LOAD_SECTOR, &slot->iov,
                    flags | (m->is_durable ? BDRV_REQ_FUA : 0), on_done, slot);
}

static void submit_none(Load *load, Slot *slot, LoadKind kind)
{
    LoadMessage *m = &slot->message;
    int64_t offset, bytes;

    m->kind = kind;
    choose_range(load, m, g_rand_boolean(load->rand));
    offset = (int64_t)m->sector * LOAD_SECTOR;
    bytes = (int64_t)m->count * LOAD_SECTOR;
    tell(m);
    if (kind == LOAD_ZERO) {
        blk_aio_pwrite_zeroes(load->blk, offset, bytes,
                              g_rand_boolean(load->rand) ? BDRV_REQ_MAY_UNMAP : 0, on_done, slot);
    } else {
        blk_aio_pdiscard(load->blk, offset, bytes, on_done, slot);
    }
}

static void submit(Load *load, Slot *slot)
{
    int dice = g_rand_int_range(load->rand, 0, 20);

    slot->message = (LoadMessage) { .number = load->number++ };
    slot->is_busy = false;
    if (dice < 13) {
        submit_write(load, slot);
    } else if (dice < 17) {
        submit_none(load, slot, dice < 15 ? LOAD_ZERO : LOAD_DISCARD);
    } else {
        slot->message.kind = LOAD_FLUSH;
        tell(&slot->message);
        blk_aio_flush(load->blk, on_done, slot);
    }
    slot->is_busy = true;
}

static Slot *free_slot(Load *load)
{
    for (int i = 0; i < SLOTS; i++) {
        if (!load->slots[i].is_busy) {
            return &load->slots[i];
        }
    }
    return NULL;
}

static void run(Load *load, guint32 requests)
{
    AioContext *aio = aio_context_ensure();
    LoadMessage last = { .kind = LOAD_FLUSH };

    for (guint32 end = load->number + requests; load->number < end && !load->failed;) {
        Slot *slot = free_slot(load);

        if (slot) {
            submit(load, slot);
        } else {
            aio_context_poll(aio, true);
        }
    }
    blk_drain(load->blk);
    last.number = load->number++;
    tell(&last);
    if (!load->failed) {
        load->failed = blk_close(load->blk);
    }
    if (!load->failed) {
        last.is_end = true;
        tell(&last);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(GError) error = NULL;
    Load load = { 0 };

    if (argc != 5 || !cairn_secret_add_bytes(ctx, "key", "cairn", 5, &error)) {
        return 2;
    }
    load.blk = blk_open_opts(ctx, argv[1], BLK_O_RDWR | BLK_O_UNMAP, &error);
    if (!load.blk) {
        fprintf(stderr, "kill-load: %s\n", error->message);
        return 2;
    }
    load.number = (guint32)strtoul(argv[2], NULL, 10);
    load.rand = g_rand_new_with_seed((guint32)strtoul(argv[3], NULL, 10));
    load.cluster = blk_get_cluster_size(load.blk);
    load.compresses = !blk_is_encrypted(load.blk) && g_rand_boolean(load.rand);
    for (int i = 0; i < SLOTS; i++) {
        load.slots[i].load = &load;
        load.slots[i].buf = g_malloc(MOST_SECTORS * LOAD_SECTOR);
        io_vector_init(&load.slots[i].iov, 1);
    }
    run(&load, (guint32)strtoul(argv[4], NULL, 10));
    for (int i = 0; i < SLOTS; i++) {
        io_vector_destroy(&load.slots[i].iov);
        g_free(load.slots[i].buf);
    }
    g_rand_free(load.rand);
    blk_unref(load.blk);
    if (load.failed) {
        fprintf(stderr, "kill-load: %s\n", g_strerror(-load.failed));
    }
    return load.failed ? 1 : 0;
}
