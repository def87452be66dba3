/* SPDX-License-Identifier: Apache-2.0
 *
 * vfork(), which cannot be a function of C: parent and child return from it on one stack. So it does what is to be done
 * before, and jumps to libc's own, which returns to our caller.
 */
#if defined(__x86_64__)
  .text
  .globl vfork, __vfork
  .type vfork, @function
  .type __vfork, @function
vfork:
__vfork:
  .cfi_startproc
  endbr64
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call netchannel_before_vfork
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  jmp *%rax
  .cfi_endproc
  .size vfork, . - vfork
  .size __vfork, . - __vfork
#elif defined(__aarch64__)
  .text
  .globl vfork, __vfork
  .type vfork, %function
  .type __vfork, %function
vfork:
__vfork:
  .cfi_startproc
  hint #34 /* bti c */
  stp x29, x30, [sp, #-16]!
  .cfi_def_cfa_offset 16
  .cfi_offset x29, -16
  .cfi_offset x30, -8
  bl netchannel_before_vfork
  ldp x29, x30, [sp], #16
  .cfi_restore x29
  .cfi_restore x30
  .cfi_def_cfa_offset 0
  mov x16, x0
  br x16
  .cfi_endproc
  .size vfork, . - vfork
  .size __vfork, . - __vfork
#else
#error "this architecture's calls are not known"
#endif

  .section .note.GNU-stack, "", %progbits
