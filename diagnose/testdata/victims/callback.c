// The object was freed and its memory filled anew: the function pointer in it is text.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event {
	char name[24];
	void (*call)(struct event *);
};

static void greet(struct event *e) { puts(e->name); }

static struct event *make(void) {
	struct event *e = malloc(sizeof *e);
	strcpy(e->name, "x");
	e->call = greet;
	return e;
}

__attribute__((noinline)) static void fire(struct event *e) {
	e->call(e);
	puts("fired");
}

int main(void) {
	struct event *e = make();
	fire(e);
	free(e);
	char *s = malloc(sizeof *e);
	memset(s, 'Z', sizeof *e);
	fire(e);
	return 0;
}
