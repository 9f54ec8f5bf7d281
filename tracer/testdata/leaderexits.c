// The first thread ends before the others; the last one ends the process with 3, or by its own end with an argument.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int quiet;
static void *work(void *arg) {
    (void)arg;
    usleep(30000);
    puts("the leader is gone");
    fflush(stdout);
    if (!quiet) exit(3);
    return 0;
}
int main(int argc, char **argv) {
    (void)argv;
    quiet = argc > 1;
    pthread_t th;
    pthread_create(&th, 0, work, 0);
    pthread_exit(0);
}
