/* SPDX-License-Identifier: MIT */
/* The pieces that are measured one by one: each file has some, micro.c runs them. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <glib.h>

typedef struct MicroCase {
    const char *name;           /* "subject: what" */
    int64_t count;              /* times that take some ten milliseconds */
    size_t bytes;               /* moved each time; 0: it is not about bytes */
    void *(*setup)(void);       /* NULL: the state is NULL */
    void (*run)(void *state, int64_t count);
    void (*teardown)(void *state);
} MicroCase;

/* Each ends with a case that has no name. */
extern const MicroCase micro_coroutine[], micro_request[], micro_cipher[], micro_deflate[], micro_map[];

/* A name in a folder of its own; the file is made by the caller and removed, with the folder, by the other. */
char *micro_temp_name(const char *name);
void micro_temp_remove(char *name);

#endif
