// Dies with text in its stdout buffer that was never written.
#include <stdio.h>

int main(int argc, char **argv) {
	printf("first line\nsecond line\nhalf");
	return *(int *)(long)(argc * 8 - 8);
}
