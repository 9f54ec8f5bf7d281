// A comparison that is entered through a tail call to strcmp: its own frame is gone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int cmp(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
int main(void) { char *w[] = {"pear", "apple", 0, "fig"}; qsort(w, 4, sizeof *w, cmp); puts(w[0]); return 0; }
