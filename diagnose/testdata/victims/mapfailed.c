// The result of mmap is used though it failed: -1 is no NULL.
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
__attribute__((noinline)) int first(const char *path) {
	int fd = open(path, O_RDONLY);
	char *p = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	return p[0];
}
int main(void) { printf("%d\n", first("/nonexistent/config")); return 0; }
