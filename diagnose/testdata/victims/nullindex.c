// A large index from a NULL base: the address is far from 0 and the cause is still NULL.
#include <stdlib.h>
__attribute__((noinline)) long at(long *table, long i) { return table[i]; }
int main(int argc, char **argv) {
	(void)argv;
	long *table = argc > 5 ? malloc(argc) : NULL;
	return (int)at(table, 3000000 + argc);
}
