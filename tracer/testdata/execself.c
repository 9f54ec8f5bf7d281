// Executes itself five times, from a second thread, with a mask and a pending environment that must survive.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static char **args;
static void *again(void *arg) {
    (void)arg;
    execv("/proc/self/exe", args);
    perror("exec");
    _exit(1);
}
int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 0;
    printf("round %d pid is leader %d\n", n, getpid() == gettid());
    fflush(stdout);
    if (n == 5) return 15;
    char next[12];
    snprintf(next, sizeof next, "%d", n + 1);
    args = (char *[]){argv[0], next, 0};
    pthread_t th;
    pthread_create(&th, 0, again, 0);
    pause();
    return 1;
}
