// A local array larger than the stack, in a program without unwind tables: no frame can be measured.
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
__attribute__((noinline)) long work(size_t n) { char buf[n]; memset(buf, 1, n); long s = 0; for (size_t i = 0; i < n; i += 4096) s += buf[i]; return s; }
int main(int argc, char **argv) { size_t n = argc > 1 ? strtoul(argv[1], 0, 0) : 64u << 20; printf("%ld\n", work(n)); return 0; }
