/* SPDX-License-Identifier: MIT */
/*
 * The stack switch for AArch64 (AAPCS64). Kept: x19-x30 and the low halves of
 * v8-v15. The frame's layout is known to coroutine-asm.c.
 */
    .text

/* void coroutine_switch_stacks(void **from_sp, void *to_sp) */
    .globl coroutine_switch_stacks
    .hidden coroutine_switch_stacks
    .type coroutine_switch_stacks, %function
    .p2align 4
coroutine_switch_stacks:
    .cfi_startproc
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]

    mov x9, sp
    str x9, [x0]
    mov sp, x1

    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size coroutine_switch_stacks, . - coroutine_switch_stacks

/* Where a new stack begins: entry is in x20, its argument in x19. */
    .globl coroutine_switch_start
    .hidden coroutine_switch_start
    .type coroutine_switch_start, %function
    .p2align 4
coroutine_switch_start:
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x19
    blr x20
    brk #1
    .cfi_endproc
    .size coroutine_switch_start, . - coroutine_switch_start

    .section .note.GNU-stack, "", %progbits
