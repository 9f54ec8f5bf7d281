// An average over no values.
#include <stdio.h>
__attribute__((noinline)) int average(int sum, int n) { return sum / n; }
int main(int argc, char **argv) { (void)argv; printf("%d\n", average(10, argc - 1)); }
