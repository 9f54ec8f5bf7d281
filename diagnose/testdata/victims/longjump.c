// longjmp to a function that has returned: the stack fills up with frames that nobody can see.
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

static jmp_buf back;

__attribute__((noinline)) void save(void) {
	if (setjmp(back))
		puts("back");
}

__attribute__((noinline)) void dirty(void) {
	volatile char bytes[600];
	memset((void *)bytes, 0x42, sizeof bytes);
	longjmp(back, 1);
}

int main(void) {
	save();
	dirty();
	return 0;
}
