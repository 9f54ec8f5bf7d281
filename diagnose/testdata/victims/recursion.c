// A tree walk over a list that is a ring never ends.
#include <stdio.h>
struct node { struct node *next; long v; };
__attribute__((noinline)) long sum(struct node *n, long depth) {
	char pad[64];
	snprintf(pad, sizeof pad, "%ld", depth);
	if (!n) return 0;
	return n->v + sum(n->next, depth + 1) + pad[0];
}
int main(void) {
	struct node a = {0, 1}, b = {&a, 2};
	a.next = &b;
	printf("%ld\n", sum(&a, 0));
}
