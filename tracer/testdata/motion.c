// The main thread waits for a flag in a loop; the other one counts in memory, with the same registers at the end of each round.
#include <pthread.h>

static volatile int flag;
static volatile unsigned long count;

static void *counts(void *arg) {
    while (count < ~0ul) count++;
    return arg;
}

int main(void) {
    pthread_t other;
    pthread_create(&other, 0, counts, 0);
    while (!flag) {}
}
