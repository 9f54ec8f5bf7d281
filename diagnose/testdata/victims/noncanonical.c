// A name that is longer than its field runs into a pointer. The pointer is then text, no address at all: the kernel reports
// address 0 (SI_KERNEL), which is not NULL.
#include <stdio.h>
#include <string.h>
struct box { char tag[8]; long *value; };
__attribute__((noinline)) long read_box(struct box *b) { return *b->value; }
__attribute__((noinline)) void set_tag(struct box *b, const char *tag) {
	char *to = b->tag;
	while ((*to++ = *tag++)) ;
}
int main(void) {
	long v = 5;
	struct box b = {"", &v};
	set_tag(&b, "sixteen letters.");
	printf("%ld\n", read_box(&b));
}
