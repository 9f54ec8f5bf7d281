// Crashes in one of ten threads; the others compute, sleep and read.
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static pthread_barrier_t ready;
static int p[2];
static void *work(void *arg) {
    char c;
    long i = (long)arg;
    pthread_setname_np(pthread_self(), i == 7 ? "victim" : "bystander");
    pthread_barrier_wait(&ready);
    if (i == 7) { usleep(20000); *(volatile char **)(0x1234) = 0; }
    if (i % 2) for (;;) __asm__ volatile("");
    if (read(p[0], &c, 1)) pause();
    return 0;
}
int main(void) {
    pthread_t th[10];
    if (pipe(p)) return 1;
    pthread_barrier_init(&ready, 0, 11);
    for (long i = 0; i < 10; i++) pthread_create(&th[i], 0, work, (void *)i);
    pthread_barrier_wait(&ready);
    pause();
}
