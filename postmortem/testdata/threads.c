// Dies of a NULL read on its second thread while the first one waits; not before it does, for nobody unwinds out of clone3.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
struct job { long id; const char *name; };
static char filler[3 << 20];
__attribute__((noinline)) static long length(const struct job *j) { return j->id + (long)j->name[0]; }
static void *work(void *arg) { struct timespec t = {0, 50000000}; nanosleep(&t, NULL); return (void *)length(arg); }
int main(int argc, char **argv) {
	pthread_t t;
	char *heap = malloc(5 << 20);
	for (long i = 0; i < (5 << 20); i++) heap[i] = (char)(rand() >> 5);
	for (unsigned i = 0; i < sizeof filler; i++) filler[i] = (char)(rand() >> 7);
	printf("%s has %d arguments %p\n", argv[0], argc, (void *)heap);
	pthread_create(&t, NULL, work, argc > 9 ? heap : NULL);
	pthread_join(t, NULL);
}
