/* SPDX-License-Identifier: MIT */
/*
 * The stack switch for x86-64 (System V). Kept: rbx, rbp, r12-r15, and the control
 * words of SSE and x87. The frame's layout is known to coroutine-asm.c.
 *
 * There is no property note on purpose: a program that links this is then not
 * marked as fit for shadow stacks, which a change of stacks would break.
 */
    .text

/* void coroutine_switch_stacks(void **from_sp, void *to_sp) */
    .globl coroutine_switch_stacks
    .hidden coroutine_switch_stacks
    .type coroutine_switch_stacks, @function
    .p2align 4
coroutine_switch_stacks:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movl (%rsp), %eax
    movzwl 4(%rsp), %edx

    movq %rsp, (%rdi)
    movq %rsi, %rsp

    /* Loading the control words is slow, and hardly anybody changes them. */
    cmpl %eax, (%rsp)
    jne 2f
    cmpw %dx, 4(%rsp)
    jne 2f
1:
    .cfi_remember_state
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    /* Not "ret": its prediction would always be of the other stack. */
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
    .cfi_restore_state
2:
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    jmp 1b
    .cfi_endproc
    .size coroutine_switch_stacks, . - coroutine_switch_stacks

/* Where a new stack begins: entry is in r13, its argument in r12. */
    .globl coroutine_switch_start
    .hidden coroutine_switch_start
    .type coroutine_switch_start, @function
    .p2align 4
coroutine_switch_start:
    .cfi_startproc
    .cfi_undefined %rip
    movq %r12, %rdi
    callq *%r13
    ud2
    .cfi_endproc
    .size coroutine_switch_start, . - coroutine_switch_start

    .section .note.GNU-stack, "", @progbits
