// Ends in the way its argument names.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
static void *sleeper(void *arg) { pause(); return arg; }
int main(int argc, char **argv) {
    if (argc < 3) return 1;
    int n = atoi(argv[2]);
    printf("about to %s %d\n", argv[1], n);
    fflush(stdout);
    if (!strcmp(argv[1], "exit")) return n;
    if (!strcmp(argv[1], "abort")) abort();
    if (!strcmp(argv[1], "kill")) { kill(getpid(), n); pause(); }
    if (!strcmp(argv[1], "raise")) raise(n);
    if (!strcmp(argv[1], "threads")) {
        pthread_t th;
        for (int i = 0; i < 5; i++) pthread_create(&th, 0, sleeper, 0);
        usleep(20000);
        exit(n);
    }
    if (!strcmp(argv[1], "cpu")) {
        struct rlimit rl = {1, 2};
        setrlimit(RLIMIT_CPU, &rl);
        for (;;) {}
    }
    return 0;
}
