// A structure that is passed by value, cleared and never filled: memset returned nothing that anybody used.
#include <stdio.h>
#include <string.h>

struct big {
	long numbers[6];
	char *name;
};

size_t length(struct big b) { return strlen(b.name); }

int main(void) {
	struct big b;
	memset(&b, 0, sizeof b);
	printf("%zu\n", length(b));
	return 0;
}
