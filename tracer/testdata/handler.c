// Faults with a handler that ends the process in the way its argument names: return (default action restored), raise,
// unblock (and raise), abort, exit, other (kill from another thread), nested (faults itself), ignore (recovers, and the
// process later aborts elsewhere).
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static const char *way;
static sigjmp_buf back;
static volatile int faulted;
static int on(const char *w) { return !strcmp(way, w); }
static void on_fault(int sig) {
    faulted = 1;
    if (on("ignore")) siglongjmp(back, 1);
    if (on("exit")) _exit(3);
    if (on("abort")) abort();
    if (on("nested")) *(volatile int *)0x80 = 1;
    if (on("other")) for (;;) pause();
    signal(sig, SIG_DFL);
    if (on("unblock")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, sig);
        sigprocmask(SIG_UNBLOCK, &set, 0);
    }
    if (on("raise") || on("unblock")) raise(sig);
}
static void *watcher(void *arg) {
    while (!faulted) usleep(1000);
    exit(5);
    return arg;
}
__attribute__((noinline)) void origin(volatile int *p) { *p = 1; }
__attribute__((noinline)) void elsewhere(void) {
    volatile char room[2000];
    memset((char *)room, 1, sizeof room);
    abort();
}
int main(int argc, char **argv) {
    way = argc > 1 ? argv[1] : "return";
    static char alt[32768];
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_fault;
    if (argc > 2) {
        sigaltstack(&ss, 0);
        sa.sa_flags = SA_ONSTACK;
    }
    sigaction(SIGSEGV, &sa, 0);
    pthread_t th;
    if (on("other")) pthread_create(&th, 0, watcher, 0);
    if (!sigsetjmp(back, 1)) origin((volatile int *)0x48);
    elsewhere();
}
