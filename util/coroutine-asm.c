/* SPDX-License-Identifier: MIT */
/*
 * The first frame of a new stack, laid out as coroutine_switch_stacks() of
 * coroutine-switch-*.S would have left it. The two must agree.
 */
#include "util/coroutine-switch.h"

#include <stdint.h>
#include <string.h>

void coroutine_switch_start(void);

#if defined(__x86_64__)

enum { FRAME_CONTROL, FRAME_R15, FRAME_R14, FRAME_R13, FRAME_R12, FRAME_RBX, FRAME_RBP,
       FRAME_RETURN, FRAME_PAD0, FRAME_PAD1, FRAME_WORDS };

static void coroutine_frame_fill(uint64_t *frame, void (*entry)(void *), void *arg)
{
    const uint64_t mxcsr = 0x1f80, x87_control = 0x037f;    /* as a process starts with */

    frame[FRAME_CONTROL] = mxcsr | x87_control << 32;
    frame[FRAME_R12] = (uintptr_t)arg;
    frame[FRAME_R13] = (uintptr_t)entry;
    frame[FRAME_RETURN] = (uintptr_t)coroutine_switch_start;
}

#elif defined(__aarch64__)

enum { FRAME_X19, FRAME_X20, FRAME_X30 = 11, FRAME_WORDS = 20 };

static void coroutine_frame_fill(uint64_t *frame, void (*entry)(void *), void *arg)
{
    frame[FRAME_X19] = (uintptr_t)arg;
    frame[FRAME_X20] = (uintptr_t)entry;
    frame[FRAME_X30] = (uintptr_t)coroutine_switch_start;
}

#endif

void coroutine_switch_prepare(CoroutineSwitch *sw, void *stack, size_t size,
                              void (*entry)(void *), void *arg)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    uint64_t *frame = (uint64_t *)top - FRAME_WORDS;

    _Static_assert(FRAME_WORDS % 2 == 0, "the stack pointer is a multiple of 16");
    memset(frame, 0, FRAME_WORDS * sizeof(*frame));
    coroutine_frame_fill(frame, entry, arg);
    sw->sp = frame;
}
