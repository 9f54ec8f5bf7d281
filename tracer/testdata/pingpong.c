// Two processes exchange 2000 signals, half of them queued with a value.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile long got, values;
static void on(int sig, siginfo_t *si, void *uc) {
    (void)sig; (void)uc;
    got++;
    if (si->si_code == SI_QUEUE) values += si->si_value.sival_int;
}
static void play(pid_t other, int first) {
    sigset_t none;
    sigemptyset(&none);
    for (int i = 0; i < 1000; i++) {
        long before = got;
        if (first) { if (i % 2) sigqueue(other, SIGUSR1, (union sigval){.sival_int = i}); else kill(other, SIGUSR1); }
        while (got == before) sigsuspend(&none);
        if (!first) sigqueue(other, SIGUSR1, (union sigval){.sival_int = i});
    }
}
int main(void) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &sa, 0);
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, 0);
    pid_t parent = getpid(), child = fork();
    if (!child) { play(parent, 0); _exit(got == 1000 && values == 249500 + 500 ? 0 : 1); }
    play(child, 1);
    int st;
    waitpid(child, &st, 0);
    printf("%ld %ld child %d\n", got, values, WEXITSTATUS(st));
    return 0;
}
