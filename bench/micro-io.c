/* SPDX-License-Identifier: MIT */
/*
 * What the way of a request through the library costs: cached random reads of 4 KiB by the system
 * call, by the blocking call, and by callbacks with 64 at once. Prints nanoseconds of CPU time per
 * read.
 *
 * micro-io FILE FORMAT [READS]
 */
#include <cairn/block.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BYTES = 4096, DEPTH = 64 };

typedef struct Micro {
    BlockBackend *blk;
    int64_t blocks;
    int left, running;
    uint64_t state;
    uint8_t bufs[DEPTH][BYTES];
    IOVector iovs[DEPTH];
} Micro;

typedef struct MicroSlot {
    Micro *m;
    int index;
} MicroSlot;

static int64_t micro_next(Micro *m)
{
    m->state = m->state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(m->state >> 33) % m->blocks * BYTES;
}

static double micro_cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

static void micro_syscall(Micro *m, const char *filename, int reads)
{
    int fd = open(filename, O_RDONLY | O_CLOEXEC);
    double start = micro_cpu_ns();

    for (int i = 0; i < reads; i++) {
        if (pread(fd, m->bufs[0], BYTES, micro_next(m)) < 0) {
            perror("pread");
            exit(1);
        }
    }
    printf("pread                %6.0f ns\n", (micro_cpu_ns() - start) / reads);
    close(fd);
}

static void micro_blocking(Micro *m, int reads)
{
    double start = micro_cpu_ns();

    for (int i = 0; i < reads; i++) {
        if (blk_pread(m->blk, micro_next(m), BYTES, m->bufs[0]) < 0) {
            exit(1);
        }
    }
    printf("blk_pread            %6.0f ns\n", (micro_cpu_ns() - start) / reads);
}

static void micro_done(void *opaque, int ret)
{
    MicroSlot *slot = opaque;
    Micro *m = slot->m;

    if (ret < 0) {
        exit(1);
    }
    if (m->left-- > 0) {
        blk_aio_preadv(m->blk, micro_next(m), &m->iovs[slot->index], 0, micro_done, slot);
    } else {
        m->running--;
    }
}

static void micro_callbacks(Micro *m, int reads)
{
    MicroSlot slots[DEPTH];
    double start = micro_cpu_ns();

    m->left = reads - DEPTH;
    m->running = DEPTH;
    for (int i = 0; i < DEPTH; i++) {
        slots[i] = (MicroSlot){ .m = m, .index = i };
        io_vector_init_buf(&m->iovs[i], m->bufs[i], BYTES);
        blk_aio_preadv(m->blk, micro_next(m), &m->iovs[i], 0, micro_done, &slots[i]);
    }
    while (m->running) {
        aio_context_poll(aio_context_ensure(), true);
    }
    printf("blk_aio_preadv, 64   %6.0f ns\n", (micro_cpu_ns() - start) / reads);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QDict) options = qdict_new();
    g_autofree Micro *m = g_new0(Micro, 1);
    int reads = argc > 3 ? atoi(argv[3]) : 200000;

    if (argc < 3) {
        fprintf(stderr, "usage: %s FILE FORMAT [READS]\n", argv[0]);
        return 2;
    }
    qdict_put_str(options, "driver", argv[2]);
    qdict_put_str(options, "file.driver", "file");
    qdict_put_str(options, "file.filename", argv[1]);
    m->blk = blk_open_qdict(NULL, NULL, options, 0, &error);
    if (!m->blk) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    m->blocks = blk_getlength(m->blk) / BYTES;
    micro_syscall(m, argv[1], reads);
    micro_blocking(m, reads);
    micro_callbacks(m, reads);
    blk_unref(m->blk);
    return 0;
}
