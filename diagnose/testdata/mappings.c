// Has one mapping of each kind that /proc/PID/coredump_filter tells apart, two of some: touched and not. Then it dies of
// NULL. Its argument is the filter.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SIZE (64 << 10)

static volatile long sum;

static char *map(int prot, int flags, int fd) {
	char *p = mmap(NULL, SIZE, prot, flags, fd, 0);
	if (p == MAP_FAILED) { perror("mmap"); exit(2); }
	mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // keeps neighbours apart
	return p;
}

static void write_to(char *p) { memset(p, 'w', SIZE); }
static void read_from(char *p) { for (int i = 0; i < SIZE; i += 4096) sum += p[i]; }

__attribute__((noinline)) static long first(const long *p) { return *p; }

int main(int argc, char **argv) {
	const int rw = PROT_READ | PROT_WRITE;
	FILE *filter = fopen("/proc/self/coredump_filter", "w");
	if (argc < 2 || !filter || fprintf(filter, "%s", argv[1]) < 0 || fclose(filter)) return 2;
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	if (setrlimit(RLIMIT_CORE, &unlimited)) return 2;
	int file = open("mapped-file", O_RDWR | O_CREAT, 0600), memory = memfd_create("memory", 0);
	int gone = open("gone-file", O_RDWR | O_CREAT, 0600);
	char *text = malloc(SIZE);
	memset(text, 'f', SIZE);
	if (write(file, text, SIZE) != SIZE || write(memory, text, SIZE) != SIZE || write(gone, text, SIZE) != SIZE) return 2;
	unlink("gone-file");

	write_to(map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1));
	map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *secret = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	write_to(secret);
	madvise(secret, SIZE, MADV_DONTDUMP);
	char *sealed = map(rw, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	write_to(sealed);
	mprotect(sealed, SIZE, PROT_READ);
	write_to(map(rw, MAP_SHARED | MAP_ANONYMOUS, -1));
	read_from(map(PROT_READ, MAP_SHARED, memory));
	read_from(map(rw, MAP_SHARED, file));
	read_from(map(PROT_READ, MAP_SHARED, gone));
	read_from(map(rw, MAP_PRIVATE, file));
	write_to(map(rw, MAP_PRIVATE, file));
	read_from(map(PROT_READ, MAP_PRIVATE, file));
	char *self = mmap(NULL, 2 * 4096, PROT_READ, MAP_PRIVATE, open("/proc/self/exe", O_RDONLY), 0); // an ELF header
	sum += self[4096];
	return first(argc > 9 ? (long *)text : NULL);
}
