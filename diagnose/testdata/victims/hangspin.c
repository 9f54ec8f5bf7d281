// A worker spins on a flag that nobody sets.
#include <pthread.h>
#include <stdio.h>

static volatile int ready;

__attribute__((noinline)) static void wait_ready(void) {
    while (!ready) {}
}

static void *work(void *arg) { wait_ready(); return arg; }

int main(void) {
    pthread_t worker;
    pthread_create(&worker, NULL, work, NULL);
    pthread_join(worker, NULL);
    puts("done");
}
