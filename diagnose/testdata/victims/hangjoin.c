// main waits for a worker that waits for the end of a pipe that nobody closes.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

__attribute__((noinline)) static void receive(void) {
    char c;
    while (read(ends[0], &c, 1) > 0) {}
}

static void *work(void *arg) { receive(); return arg; }

int main(void) {
    pthread_t worker;
    if (pipe(ends) != 0) return 1;
    pthread_create(&worker, NULL, work, NULL);
    pthread_join(worker, NULL);
    puts("done");
}
