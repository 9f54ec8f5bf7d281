// Fills so many MiB with what does not compress, and dies of NULL in a function with a name.
#include <stdint.h>
#include <stdlib.h>

__attribute__((noinline)) static long area(const long *shape) { return shape[1]; }

int main(int argc, char **argv) {
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	uint64_t *fill = malloc(n + 8), x = 88172645463325252;
	for (size_t i = 0; i < n / 8; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		fill[i] = x;
	}
	return area(argc > 9 ? (long *)fill : NULL);
}
