// Three threads call a watched function all the time, the first one prints a number every few milliseconds.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static volatile int calls;
__attribute__((noinline)) void watched(volatile int *p) { __atomic_fetch_add(p, 1, __ATOMIC_RELAXED); }
static void *work(void *arg) {
    for (;;) watched(&calls), usleep(200);
    return arg;
}
int main(void) {
    pthread_t t;
    for (int i = 0; i < 3; i++) pthread_create(&t, 0, work, 0);
    setvbuf(stdout, 0, _IOLBF, 0);
    for (int i = 0; ; i++) {
        if (printf("%d %d\n", i, calls > 0) < 0) return 7;
        usleep(3000);
    }
}
