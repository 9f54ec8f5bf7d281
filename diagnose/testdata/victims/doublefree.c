// Two owners of one buffer.
#include <stdlib.h>
#include <string.h>
struct owner { char *buf; };
__attribute__((noinline)) void drop(struct owner *o) { free(o->buf); }
int main(void) {
	struct owner a = {malloc(2000)}, b;
	char *hold = malloc(64);
	b = a;
	strcpy(hold, "x");
	drop(&a);
	drop(&b);
	return hold[0] == 0;
}
