/* SPDX-License-Identifier: MIT */
/*
 * Many requests in flight on a GLib main loop: writes an image full of numbered sectors, 64 requests at a time,
 * reads them back the same way and checks them.
 *
 *   main-loop FILE
 *
 * FILE is created as a qcow image of 16 MiB, and replaced if it exists.
 */
#include <cairn/block.h>

#include <stdio.h>
#include <string.h>

#define DISK_BYTES (16 << 20)
#define REQUEST_BYTES 16384
#define DEPTH 64

typedef struct Test {
    GMainLoop *loop;
    BlockBackend *blk;
    bool writing;
    int64_t next;               /* offset of the next request */
    int in_flight;
    int errors;
} Test;

typedef struct Slot {
    Test *test;
    int64_t offset;
    uint64_t data[REQUEST_BYTES / sizeof(uint64_t)];
    struct iovec element;
    IOVector iov;
} Slot;

static void slot_fill(Slot *slot)
{
    for (size_t i = 0; i < G_N_ELEMENTS(slot->data); i++) {
        slot->data[i] = (uint64_t)slot->offset + i;
    }
}

static bool slot_is_right(const Slot *slot)
{
    for (size_t i = 0; i < G_N_ELEMENTS(slot->data); i++) {
        if (slot->data[i] != (uint64_t)slot->offset + i) {
            return false;
        }
    }
    return true;
}

static void on_done(void *opaque, int ret);

/* Starts the slot's next request; returns false when there is no more to do. */
static bool slot_start(Slot *slot)
{
    Test *test = slot->test;

    if (test->next >= DISK_BYTES) {
        return false;
    }
    slot->offset = test->next;
    test->next += REQUEST_BYTES;
    test->in_flight++;
    if (test->writing) {
        slot_fill(slot);
        blk_aio_pwritev(test->blk, slot->offset, &slot->iov, 0, on_done, slot);
    } else {
        memset(slot->data, 0, sizeof(slot->data));
        blk_aio_preadv(test->blk, slot->offset, &slot->iov, 0, on_done, slot);
    }
    return true;
}

static void on_done(void *opaque, int ret)
{
    Slot *slot = opaque;
    Test *test = slot->test;

    test->in_flight--;
    if (ret < 0 || (!test->writing && !slot_is_right(slot))) {
        test->errors++;
    }
    if (!slot_start(slot) && test->in_flight == 0) {
        g_main_loop_quit(test->loop);
    }
}

/* One pass over the disk with DEPTH requests in flight. */
static void run_pass(Test *test, Slot *slots, bool writing)
{
    test->writing = writing;
    test->next = 0;
    blk_io_plug(test->blk);
    for (int i = 0; i < DEPTH; i++) {
        slot_start(&slots[i]);
    }
    blk_io_unplug(test->blk);
    g_main_loop_run(test->loop);
}

static int run_test(BlockBackend *disk)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autofree Slot *slots = g_new0(Slot, DEPTH);
    Test test = { .loop = loop, .blk = disk };

    for (int i = 0; i < DEPTH; i++) {
        slots[i].test = &test;
        slots[i].element = (struct iovec){ slots[i].data, REQUEST_BYTES };
        io_vector_init_external(&slots[i].iov, &slots[i].element, 1);
    }
    run_pass(&test, slots, true);
    run_pass(&test, slots, false);
    printf("%d requests of %d bytes, %d at a time: %d errors\n", 2 * DISK_BYTES / REQUEST_BYTES,
           REQUEST_BYTES, DEPTH, test.errors);
    return test.errors ? 1 : 0;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(AioContext) aio = NULL;
    g_autoptr(CairnContext) ctx = cairn_context_new();
    g_autoptr(QDict) options = qdict_new();
    g_autoptr(BlockBackend) disk = NULL;
    int status;

    if (argc != 2) {
        fprintf(stderr, "usage: main-loop FILE\n");
        return 1;
    }
    aio = aio_context_new(&error);
    if (!aio || !blk_create(ctx, argv[1], "qcow", NULL, DISK_BYTES, &error)) {
        fprintf(stderr, "main-loop: %s\n", error->message);
        return 1;
    }
    /* Requests of this thread complete in the main context that the source is attached to. */
    g_source_attach(aio_context_get_source(aio), NULL);
    aio_context_push(aio);

    qdict_put_str(options, "driver", "qcow");
    disk = blk_open_qdict(ctx, argv[1], options, BLK_O_RDWR, &error);
    if (!disk) {
        fprintf(stderr, "main-loop: %s\n", error->message);
        return 1;
    }
    status = run_test(disk);
    if (blk_close(disk) < 0) {
        status = 1;
    }
    g_clear_pointer(&disk, blk_unref);
    g_source_destroy(aio_context_get_source(aio));
    aio_context_pop(aio);
    return status;
}
