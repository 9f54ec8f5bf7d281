// Allocates and frees all the time, and prints 10,000 lines on the way.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
	enum { N = 4096 };
	static void *slot[N];
	uint64_t x = 88172645463325252ull;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (long i = 0; i < 50000000; i++) {
		x ^= x << 13; x ^= x >> 7; x ^= x << 17;
		unsigned k = x % N;
		free(slot[k]);
		slot[k] = malloc(16 + (x >> 32) % 2000);
		if (i % 5000 == 0) printf("round %ld\n", i / 5000);
	}
}
