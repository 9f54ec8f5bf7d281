// The first thread ends, then another one faults.
#include <pthread.h>
#include <unistd.h>
static void *work(void *arg) {
    usleep(20000);
    *(volatile int *)(arg) = 1;
    return 0;
}
int main(void) {
    pthread_t th;
    pthread_create(&th, 0, work, (void *)0x30);
    pthread_exit(0);
}
