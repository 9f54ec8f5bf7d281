// A copy that is longer than its buffer, without a canary: the return address is overwritten.
#include <stdio.h>
#include <string.h>
__attribute__((noinline)) int parse(const char *in, int n) {
	char buf[16];
	volatile char *p = buf;
	for (int i = 0; i < n; i++) p[i] = in[i];
	return p[3];
}
int main(void) {
	char line[200];
	memset(line, 'A', sizeof line);
	printf("%d\n", parse(line, 120));
}
