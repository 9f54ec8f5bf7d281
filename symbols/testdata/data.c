// Data of both kinds, weak symbols that nobody defines, and calls through the PLT.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char zeroed[300000];
int filled[4] = {1, 2, 3, 4};

extern int nobody_defines(int) __attribute__((weak));

int main(int argc, char **argv) {
  puts("to the PLT");
  char *p = malloc(10);
  strcpy(p, argv[0] + strlen(argv[0]));
  if (nobody_defines)
    nobody_defines(1);
  __asm__ volatile("int3");
  return zeroed[argc];
}
