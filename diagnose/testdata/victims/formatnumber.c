// A number is printed as a string; where glibc got it from cannot be seen in its own code.
#include <stdio.h>

__attribute__((noinline)) void report(const char *format, long n) {
	char line[100];
	snprintf(line, sizeof line, format, n);
	puts(line);
}

int main(int argc, char **argv) {
	(void)argv;
	report("count %s\n", 41 + argc);
	return 0;
}
