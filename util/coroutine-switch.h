/* SPDX-License-Identifier: MIT */
/*
 * Changing from one stack to another: the one part of coroutines that depends on
 * the machine. Two implementations, chosen at build time: assembly, which keeps
 * the registers that a called function must keep, and ucontext elsewhere.
 */
#ifndef UTIL_COROUTINE_SWITCH_H
#define UTIL_COROUTINE_SWITCH_H

#include <stddef.h>

#ifdef COROUTINE_ASM

typedef struct CoroutineSwitch {
    void *sp;                   /* of the suspended stack, all kept registers above it */
} CoroutineSwitch;

void coroutine_switch_stacks(void **from_sp, void *to_sp);

static inline void coroutine_switch_jump(CoroutineSwitch *from, const CoroutineSwitch *to)
{
    coroutine_switch_stacks(&from->sp, to->sp);
}

#else

#include <ucontext.h>

typedef struct CoroutineSwitch {
    ucontext_t uc;
} CoroutineSwitch;

void coroutine_switch_jump(CoroutineSwitch *from, const CoroutineSwitch *to);

#endif

/* The first jump to @sw calls @entry(@arg), which must not return, on the stack. */
void coroutine_switch_prepare(CoroutineSwitch *sw, void *stack, size_t size,
                              void (*entry)(void *), void *arg);

#endif
