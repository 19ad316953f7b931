/* SPDX-License-Identifier: MIT */
/*
 * Scattered memory of one request: an array of iovec and the sum of their
 * lengths. An IOVector never owns the memory that its elements point to.
 */
#ifndef CAIRN_IOV_H
#define CAIRN_IOV_H

#include <cairn/macros.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef struct IOVector {
    struct iovec *iov;
    int niov;
    size_t size;                /* bytes: the sum of all iov_len */
    /*< private >*/
    int capacity;               /* elements of an owned array; -1: borrowed */
    struct iovec local;         /* the array of a vector with one element */
} IOVector;

/** io_vector_init: empty, growing; free with io_vector_destroy(). */
CAIRN_API void io_vector_init(IOVector *v, int capacity_hint);

/** io_vector_init_external: over the caller's array, which must outlive @v; not to be added to. */
CAIRN_API void io_vector_init_external(IOVector *v, struct iovec *iov, int niov);

/** io_vector_init_buf: one element; nothing to free. @v must not be copied by value. */
CAIRN_API void io_vector_init_buf(IOVector *v, void *buf, size_t bytes);

CAIRN_API void io_vector_add(IOVector *v, void *base, size_t bytes);

/** io_vector_concat: appends @bytes of @src from @offset, sharing the memory. */
CAIRN_API void io_vector_concat(IOVector *v, const IOVector *src, size_t offset,
                                size_t bytes);

/** io_vector_slice: initializes @v as that part of @src (destroy it afterwards). */
CAIRN_API void io_vector_slice(IOVector *v, const IOVector *src, size_t offset,
                               size_t bytes);

/** io_vector_reset: drops all elements, keeps the array. */
CAIRN_API void io_vector_reset(IOVector *v);
CAIRN_API void io_vector_destroy(IOVector *v);

/** io_vector_from_buf: copies @bytes of @buf into the vector's start. */
CAIRN_API void io_vector_from_buf(const IOVector *v, const void *buf, size_t bytes);
CAIRN_API void io_vector_from_buf_at(const IOVector *v, size_t offset,
                                     const void *buf, size_t bytes);

/** io_vector_to_buf: copies @bytes of the vector's start into @buf. */
CAIRN_API void io_vector_to_buf(const IOVector *v, void *buf, size_t bytes);
CAIRN_API void io_vector_to_buf_at(const IOVector *v, size_t offset, void *buf,
                                   size_t bytes);

CAIRN_API void io_vector_memset(const IOVector *v, size_t offset, int byte,
                                size_t bytes);
CAIRN_API bool io_vector_is_zero(const IOVector *v, size_t offset, size_t bytes);

/** io_vector_is_aligned: every address and length is a multiple of @align (a power of two). */
CAIRN_API bool io_vector_is_aligned(const IOVector *v, size_t align);

/** cairn_buffer_is_zero: as fast as the CPU allows; true for 0 bytes. */
CAIRN_API bool cairn_buffer_is_zero(const void *buf, size_t bytes);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IOVector, io_vector_destroy)

G_END_DECLS

#endif
