// An index where a pointer belongs: 0x800 is small, but nobody added it to NULL.
#include <stdint.h>
#include <stdio.h>
struct slot { uintptr_t where; };
__attribute__((noinline)) char first(struct slot *s) { return *(char *)s->where; }
int main(int argc, char **argv) {
	(void)argv;
	struct slot s = {2047 + argc};
	printf("%c\n", first(&s));
}
