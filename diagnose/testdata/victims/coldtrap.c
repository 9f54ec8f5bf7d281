// The trap lies in the part of the function that the compiler moved away.
#include <stdio.h>
enum k { A, B, C };
__attribute__((noinline)) int f(enum k k) { switch (k) { case A: return 1; case B: return 2; case C: return 3; } __builtin_trap(); }
int main(int argc, char **argv) { (void)argv; printf("%d\n", f(argc + 6)); return 0; }
