// One thread waits for a lock for ever, one spins, after a line without end of line.
#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long turns;
static void *spin(void *arg) {
    for (;;) turns++;
    return arg;
}
int main(void) {
    pthread_t th;
    pthread_create(&th, 0, spin, 0);
    printf("starting\nwaiting for");
    fflush(stdout);
    pthread_mutex_lock(&mu);
    pthread_mutex_lock(&mu);
}
