// Reserves 8 GiB, touches one page in 64 MiB, and dies: its core is 8 GiB long and holds hardly anything.
#include <stddef.h>
#include <sys/mman.h>
#define SIZE (8UL << 30)
#define STEP (64UL << 20)
__attribute__((noinline)) long lookup(volatile long *table) { return table[7] + 1; }
int main(void) {
	char *all = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return 2;
	madvise(all, SIZE, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < SIZE; at += STEP)
		all[at] = 1;
	return (int)lookup(NULL);
}
