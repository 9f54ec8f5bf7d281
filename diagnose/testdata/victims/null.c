// A lookup that misses returns NULL and its caller reads through it.
#include <stdio.h>
#include <string.h>
struct user { long id; const char *name; };
static struct user users[] = {{1, "ada"}, {2, "grace"}};
__attribute__((noinline)) struct user *find_user(const char *name) {
	for (unsigned i = 0; i < 2; i++)
		if (strcmp(users[i].name, name) == 0)
			return &users[i];
	return NULL;
}
__attribute__((noinline)) long greet(const char *name) {
	struct user *u = find_user(name);
	printf("hello %s\n", u->name);
	return u->id;
}
int main(int argc, char **argv) { return (int)greet(argc > 1 ? argv[1] : "nobody"); }
