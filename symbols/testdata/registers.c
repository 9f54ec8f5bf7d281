// marked puts known values into callee-saved registers; clobber saves them, overwrites them and dies.
__attribute__((noinline)) void clobber(void) {
  __asm__ volatile("mov $0xdead, %%ebx\n mov %%rbx, %%r12\n mov %%rbx, %%r13\n mov %%rbx, %%r14\n movl $1, 0"
                   ::: "rbx", "r12", "r13", "r14", "memory");
}

__attribute__((noinline)) void marked(void) {
  __asm__ volatile("mov $0x1111, %%ebx\n mov $0x2222, %%r12d\n mov $0x3333, %%r13d\n mov $0x4444, %%r14d\n call clobber"
                   ::: "rbx", "r12", "r13", "r14", "rax", "memory");
}

int main(void) {
  marked();
  return 0;
}
