/* SPDX-License-Identifier: MIT */
/* Scattered memory: see include/cairn/iov.h. v->size is always the sum of the lengths. */
#include <cairn/iov.h>

#include <string.h>

#define IOV_BORROWED (-1)

/* ---- making ---------------------------------------------------------------- */

static void iov_reserve(IOVector *v, int count)
{
    int capacity = MAX(v->capacity, 4);

    g_assert(v->capacity != IOV_BORROWED && count >= 0);
    if (count <= v->capacity) {
        return;
    }
    while (capacity < count) {
        capacity *= 2;
    }
    v->iov = g_renew(struct iovec, v->iov, capacity);
    v->capacity = capacity;
}

void io_vector_init(IOVector *v, int capacity_hint)
{
    *v = (IOVector) { .iov = NULL };
    if (capacity_hint > 0) {
        v->iov = g_new(struct iovec, capacity_hint);
        v->capacity = capacity_hint;
    }
}

void io_vector_init_external(IOVector *v, struct iovec *iov, int niov)
{
    *v = (IOVector) { .iov = iov, .niov = niov, .capacity = IOV_BORROWED };
    for (int i = 0; i < niov; i++) {
        v->size += iov[i].iov_len;
    }
}

void io_vector_init_buf(IOVector *v, void *buf, size_t bytes)
{
    *v = (IOVector) {
        .iov = &v->local, .niov = 1, .size = bytes, .capacity = IOV_BORROWED,
        .local = { .iov_base = buf, .iov_len = bytes },
    };
}

void io_vector_add(IOVector *v, void *base, size_t bytes)
{
    iov_reserve(v, v->niov + 1);
    v->iov[v->niov++] = (struct iovec) { .iov_base = base, .iov_len = bytes };
    v->size += bytes;
}

void io_vector_reset(IOVector *v)
{
    g_assert(v->capacity != IOV_BORROWED);
    v->niov = 0;
    v->size = 0;
}

void io_vector_destroy(IOVector *v)
{
    if (v->capacity != IOV_BORROWED) {
        g_free(v->iov);
    }
    *v = (IOVector) { .iov = NULL };
}

/* ---- walking --------------------------------------------------------------- */

/* The stretches of one part of a vector, one by one. */
typedef struct IovWalk {
    const struct iovec *next;
    size_t skip;                /* bytes of *next before the part */
    size_t left;                /* bytes of the part not yet given out */
    char *base;                 /* the stretch: never empty */
    size_t bytes;
} IovWalk;

static IovWalk iov_walk(const IOVector *v, size_t offset, size_t bytes)
{
    IovWalk walk = { .next = v->iov, .skip = offset, .left = bytes };

    g_assert(offset <= v->size && bytes <= v->size - offset);
    return walk;
}

static bool iov_walk_next(IovWalk *walk)
{
    if (walk->left == 0) {
        return false;
    }
    while (walk->skip >= walk->next->iov_len) {
        walk->skip -= walk->next->iov_len;
        walk->next++;
    }
    walk->base = (char *)walk->next->iov_base + walk->skip;
    walk->bytes = MIN(walk->next->iov_len - walk->skip, walk->left);
    walk->left -= walk->bytes;
    walk->skip = 0;
    walk->next++;
    return true;
}

static int iov_count(const IOVector *v, size_t offset, size_t bytes)
{
    IovWalk walk = iov_walk(v, offset, bytes);
    int count = 0;

    while (iov_walk_next(&walk)) {
        count++;
    }
    return count;
}

void io_vector_concat(IOVector *v, const IOVector *src, size_t offset, size_t bytes)
{
    IovWalk walk = iov_walk(src, offset, bytes);

    iov_reserve(v, v->niov + iov_count(src, offset, bytes));
    while (iov_walk_next(&walk)) {
        io_vector_add(v, walk.base, walk.bytes);
    }
}

void io_vector_slice(IOVector *v, const IOVector *src, size_t offset, size_t bytes)
{
    IovWalk walk = iov_walk(src, offset, bytes);

    if (!iov_walk_next(&walk)) {
        io_vector_init(v, 0);
    } else if (walk.left == 0) {
        io_vector_init_buf(v, walk.base, walk.bytes);
    } else {
        io_vector_init(v, iov_count(src, offset, bytes));
        io_vector_concat(v, src, offset, bytes);
    }
}

/* ---- contents -------------------------------------------------------------- */

void io_vector_from_buf_at(const IOVector *v, size_t offset, const void *buf, size_t bytes)
{
    IovWalk walk = iov_walk(v, offset, bytes);
    const char *from = buf;

    while (iov_walk_next(&walk)) {
        memcpy(walk.base, from, walk.bytes);
        from += walk.bytes;
    }
}

void io_vector_from_buf(const IOVector *v, const void *buf, size_t bytes)
{
    io_vector_from_buf_at(v, 0, buf, bytes);
}

void io_vector_to_buf_at(const IOVector *v, size_t offset, void *buf, size_t bytes)
{
    IovWalk walk = iov_walk(v, offset, bytes);
    char *to = buf;

    while (iov_walk_next(&walk)) {
        memcpy(to, walk.base, walk.bytes);
        to += walk.bytes;
    }
}

void io_vector_to_buf(const IOVector *v, void *buf, size_t bytes)
{
    io_vector_to_buf_at(v, 0, buf, bytes);
}

void io_vector_memset(const IOVector *v, size_t offset, int byte, size_t bytes)
{
    IovWalk walk = iov_walk(v, offset, bytes);

    while (iov_walk_next(&walk)) {
        memset(walk.base, byte, walk.bytes);
    }
}

bool io_vector_is_zero(const IOVector *v, size_t offset, size_t bytes)
{
    IovWalk walk = iov_walk(v, offset, bytes);

    while (iov_walk_next(&walk)) {
        if (!cairn_buffer_is_zero(walk.base, walk.bytes)) {
            return false;
        }
    }
    return true;
}

bool io_vector_is_aligned(const IOVector *v, size_t align)
{
    uintptr_t bits = 0;

    for (int i = 0; i < v->niov; i++) {
        bits |= (uintptr_t)v->iov[i].iov_base | v->iov[i].iov_len;
    }
    return (bits & (align - 1)) == 0;
}

/* ---- zeros ------------------------------------------------------------------ */

/* 16 bytes: what every 64-bit machine loads at once. More was no faster: memory is the limit. */
typedef uint64_t ZeroLane __attribute__((vector_size(16), aligned(1), may_alias));

static inline uint64_t zero_load64(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static bool zero_check_short(const char *p, size_t bytes)
{
    char bits = 0;

    for (size_t i = 0; i < bytes; i++) {
        bits |= p[i];
    }
    return bits == 0;
}

static inline bool zero_check_64(const char *p)
{
    const ZeroLane *lane = (const ZeroLane *)p;
    ZeroLane bits = (lane[0] | lane[1]) | (lane[2] | lane[3]);

    return (bits[0] | bits[1]) == 0;
}

bool cairn_buffer_is_zero(const void *buf, size_t bytes)
{
    const char *p = buf, *end = p + bytes;

    if (bytes < 64) {
        return zero_check_short(p, bytes);
    }
    /* Data mostly shows itself at the ends or in the middle. */
    if (zero_load64(p) | zero_load64(p + bytes / 2) | zero_load64(end - 8)) {
        return false;
    }
    for (; p + 64 <= end; p += 64) {
        if (!zero_check_64(p)) {
            return false;
        }
    }
    return zero_check_64(end - 64);
}
