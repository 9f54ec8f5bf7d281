// Calls of many shapes, stepped through one instruction at a time after the int3.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP __attribute__((noinline))

volatile int sink;

KEEP int add(int a, int b) { return a + b; }
KEEP int tail(int a) { return add(a, 2); }
KEEP int many(int a, int b, int c, int d, int e, int f, int g, int h) { return add(a + b, c + d) + add(e + f, g + h); }
KEEP int room(int n) { char p[n]; memset(p, n, n); return add(p[0], p[n - 1]); }
KEEP double real(double x) { return x * 1.5 + add((int)x, 1); }
KEEP int compare(const void *a, const void *b) { return add(*(const int *)a, -*(const int *)b); }
KEEP int aligned(int n) { __attribute__((aligned(64))) char p[128]; memset(p, n, sizeof p); return p[add(n, 1)]; }
KEEP int depth(int n) { return n ? depth(n - 1) + add(n, 1) : many(1, 2, 3, 4, 5, 6, 7, 8); }
int (*volatile through)(int, int) = add;

int main(int argc, char **argv) {
  __asm__ volatile("int3");
  int v[] = {5, 3, 9, 1, 7};
  sink = tail(argc);
  sink = room(33);
  sink = (int)real(2.5);
  sink = aligned(3);
  sink = depth(6);
  sink = through(1, 2);
  qsort(v, 5, sizeof *v, compare);
  char text[64];
  snprintf(text, sizeof text, "%d %s %5.2f", v[0], "word", 2.5);
  sink = (int)strlen(text);
  return 0;
}
