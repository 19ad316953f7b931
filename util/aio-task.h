/* SPDX-License-Identifier: MIT */
/* An entry of an AioContext's queue of things to run: a bottom half, or a coroutine to be entered. */
#ifndef UTIL_AIO_TASK_H
#define UTIL_AIO_TASK_H

typedef struct AioTask AioTask;

struct AioTask {
    AioTask *next;
    void (*run)(AioTask *task); /* owns @task from then on */
    void (*drop)(AioTask *task);    /* instead of run: the context ends */
};

#endif
