// Starts 999 threads, waits until all of them sleep four calls deep, and dies: a core of 1,000 threads.
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>
#define THREADS 999
static pthread_barrier_t ready;
__attribute__((noinline)) static int doze(int n) { return pause() + n; }
__attribute__((noinline)) static int nap(int n) { return doze(n + 1) + 1; }
__attribute__((noinline)) static int rest(int n) { return nap(n + 1) + 1; }
static void *worker(void *unused) {
	pthread_barrier_wait(&ready);
	return (void *)(long)rest(unused == NULL);
}
__attribute__((noinline)) long lookup(volatile long *table) { return table[7] + 1; }
int main(void) {
	pthread_barrier_init(&ready, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++) {
		pthread_t t;
		if (pthread_create(&t, NULL, worker, NULL) != 0)
			return 2;
	}
	pthread_barrier_wait(&ready);
	usleep(200000);
	return (int)lookup(NULL);
}
