// Some seconds of arithmetic that the compiler cannot skip.
#include <stdint.h>
#include <stdio.h>
int main(void) {
	uint64_t x = 88172645463325252ull, sum = 0;
	for (uint64_t i = 0; i < 2000000000ull; i++) {
		x ^= x << 13; x ^= x >> 7; x ^= x << 17;
		sum += x;
	}
	printf("%lu\n", (unsigned long)sum);
}
