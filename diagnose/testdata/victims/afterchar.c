// strchr found nothing, and the character behind what it found was wanted.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((noinline)) int port(const char *address) {
	char *colon = strchr(address, ':');
	return atoi(colon + 1);
}

int main(int argc, char **argv) {
	printf("%d\n", port(argc > 1 ? argv[1] : "localhost"));
	return 0;
}
