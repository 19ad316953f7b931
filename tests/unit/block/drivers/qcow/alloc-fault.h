/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out once: the calls with which the library allocates what images and requests
 * ask for, all of which it must survive. A program that links this needs alloc_fault_args as well
 * (meson.build): the linker leads the library's calls here.
 */
#ifndef TEST_ALLOC_FAULT_H
#define TEST_ALLOC_FAULT_H

/* Allocations until one fails; 0: none does. Atomic, as worker threads allocate, too. */
extern int alloc_fault_in;

#endif
