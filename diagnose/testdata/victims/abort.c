// The program gives up by itself: nothing was overrun.
#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) void load_config(const char *path) {
	FILE *f = fopen(path, "r");
	if (!f) {
		fprintf(stderr, "cannot open %s\n", path);
		abort();
	}
	fclose(f);
}
int main(void) { load_config("/nonexistent/config"); }
