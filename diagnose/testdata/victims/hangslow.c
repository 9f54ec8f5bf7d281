// No hang: it computes, calling and returning all the time, and says nothing for a long while.
#include <stdio.h>

__attribute__((noinline)) static long fibonacci(long n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

__attribute__((noinline)) static long table(long rows) {
    long sum = 0;
    for (long i = 0; i < rows; i++) sum += fibonacci(30 + i % 8);
    return sum;
}

int main(void) { printf("%ld\n", table(1000000)); }
