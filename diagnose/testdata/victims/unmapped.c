// Memory that was given back is read: no loop ran anywhere.
#include <stdio.h>
#include <sys/mman.h>

struct header {
	long magic;
};
static struct header *h;

__attribute__((noinline)) long check(void) { return h->magic; }

int main(void) {
	char *all = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(all, 4096);
	h = (struct header *)(all + 4096);
	h->magic = 3;
	printf("%ld\n", check());
	munmap(h, 4096);
	printf("%ld\n", check());
	return 0;
}
