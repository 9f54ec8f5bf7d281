// Overwrites its own return address with one that is no code.
__attribute__((noinline)) void returns_badly(void) {
  void *volatile *frame = __builtin_frame_address(0);
  frame[1] = (void *)0x123456;
}

__attribute__((noinline)) void caller(void) {
  returns_badly();
  __asm__ volatile("");
}

int main(void) {
  caller();
  __asm__ volatile("");
  return 0;
}
