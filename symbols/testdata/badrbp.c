// Overwrites its caller's saved frame pointer with an address further down the stack, then its caller dies.
__attribute__((noinline)) void overwrites(void) {
  void *volatile *frame = __builtin_frame_address(0);
  frame[0] = (void *)((char *)frame - 256);
}

__attribute__((noinline)) void victim(void) {
  overwrites();
  *(volatile int *)0 = 1;
}

int main(void) {
  victim();
  return 0;
}
