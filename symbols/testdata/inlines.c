// Inlined calls, blocks and functions that the linker drops, for the line tests.
#include <stdlib.h>
#include <string.h>

volatile int sink;

static inline __attribute__((always_inline)) int innermost(int a) {
  if (a > 3) {
    int twice = a * 2;
    sink = twice;
    return twice;
  }
  return a;
}

static inline __attribute__((always_inline)) int between(int a) { return innermost(a) + innermost(a + 1); }

__attribute__((noinline)) int holder(int a) {
  int sum = 0;
  for (int i = 0; i < a; i++)
    sum += between(i);
  return sum;
}

int never_called(int a) { return between(a) * 3; }

int main(int argc, char **argv) {
  char *p = malloc(16);
  memset(p, argc, 16);
  sink = holder(p[3]);
  free(p);
  return 0;
}
