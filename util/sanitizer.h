/* SPDX-License-Identifier: MIT */
/*
 * What AddressSanitizer, ThreadSanitizer and valgrind are told about stacks that
 * they do not know: in builds without them all of this is nothing.
 *
 * A StackNote stands for one stack. Order of a switch: note_leave(), the jump, and on
 * the other side note_arrive(), which learns where the stack it came from lies.
 */
#ifndef UTIL_SANITIZER_H
#define UTIL_SANITIZER_H

#include <glib.h>
#include <stdbool.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#endif

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef WITH_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

typedef struct StackNote {
#ifdef WITH_ASAN
    void *fake_stack;           /* of the suspended stack */
    const void *bottom;
    size_t size;
#endif
#ifdef WITH_TSAN
    void *fiber;
#endif
#ifdef WITH_VALGRIND
    unsigned valgrind_id;
#endif
    char unused;                /* C has no empty structs */
} StackNote;

/* The thread's own stack. */
static inline void stack_note_init_thread(StackNote *note)
{
#ifdef WITH_TSAN
    note->fiber = __tsan_get_current_fiber();
#endif
}

static inline void stack_note_init(StackNote *note, void *bottom, size_t size)
{
#ifdef WITH_ASAN
    note->bottom = bottom;
    note->size = size;
#endif
#ifdef WITH_TSAN
    note->fiber = __tsan_create_fiber(0);
#endif
#ifdef WITH_VALGRIND
    note->valgrind_id = VALGRIND_STACK_REGISTER(bottom, (char *)bottom + size);
#endif
}

static inline void stack_note_destroy(StackNote *note)
{
#ifdef WITH_TSAN
    __tsan_destroy_fiber(note->fiber);
#endif
#ifdef WITH_VALGRIND
    VALGRIND_STACK_DEREGISTER(note->valgrind_id);
#endif
}

/* @ends: no frame of @from will be returned to. Inline: TSan counts function entries by stack. */
static inline __attribute__((always_inline)) void stack_note_leave(StackNote *from, StackNote *to,
                                                                   bool ends)
{
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef WITH_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* @self: the stack now running; @from: the one that was left for it; not evaluated without need. */
#ifdef WITH_ASAN
#define stack_note_arrive(self, from) stack_note_arrive_from(self, from)
static inline __attribute__((always_inline)) void stack_note_arrive_from(StackNote *self,
                                                                         StackNote *from)
{
    __sanitizer_finish_switch_fiber(self->fake_stack, &from->bottom, &from->size);
    self->fake_stack = NULL;
}
#else
#define stack_note_arrive(self, from) ((void)0)
#endif

#endif
