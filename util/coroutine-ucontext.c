/* SPDX-License-Identifier: MIT */
/* The stack switch by ucontext: slower (it saves the signal mask), but there for every machine. */
#include "util/coroutine-switch.h"
#include "util/sanitizer.h"

#include <stdint.h>

/* makecontext() passes ints only: two of them make a pointer. */
static void coroutine_uc_start(unsigned entry_high, unsigned entry_low, unsigned arg_high,
                               unsigned arg_low)
{
    uintptr_t entry = (uintptr_t)((uint64_t)entry_high << 32 | entry_low);
    uintptr_t arg = (uintptr_t)((uint64_t)arg_high << 32 | arg_low);

    ((void (*)(void *))entry)((void *)arg);
}

void coroutine_switch_prepare(CoroutineSwitch *sw, void *stack, size_t size,
                              void (*entry)(void *), void *arg)
{
    uint64_t e = (uintptr_t)entry, a = (uintptr_t)arg;

    if (getcontext(&sw->uc) < 0) {
        g_error("getcontext: no way to make a coroutine");
    }
    sw->uc.uc_link = NULL;
    sw->uc.uc_stack.ss_sp = stack;
    sw->uc.uc_stack.ss_size = size;
    sw->uc.uc_stack.ss_flags = 0;
    makecontext(&sw->uc, (void (*)(void))coroutine_uc_start, 4, (unsigned)(e >> 32), (unsigned)e,
                (unsigned)(a >> 32), (unsigned)a);
}

void coroutine_switch_jump(CoroutineSwitch *from, const CoroutineSwitch *to)
{
    int ret = swapcontext(&from->uc, &to->uc);

    g_assert(ret == 0);
}
