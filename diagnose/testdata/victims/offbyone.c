// A loop that runs one element too far, at the end of a mapping.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
__attribute__((noinline)) long total(const long *v, long n) {
	long t = 0;
	for (long i = 0; i <= n; i++) t += v[i];
	return t;
}
int main(void) {
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(two + 4096, 4096);
	long *v = (long *)two;
	printf("%ld\n", total(v, 512));
}
