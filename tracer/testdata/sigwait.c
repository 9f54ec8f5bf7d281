// Receives signals without handlers: sigwait in a thread, and a signalfd; ignores SIGINT altogether.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>
static void *sender(void *arg) {
    (void)arg;
    usleep(10000);
    kill(getpid(), SIGINT);
    kill(getpid(), SIGTERM);
    usleep(10000);
    kill(getpid(), SIGUSR1);
    return 0;
}
int main(void) {
    signal(SIGINT, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, 0);
    pthread_t th;
    pthread_create(&th, 0, sender, 0);
    int sig = 0;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigwait(&term, &sig);
    printf("waited for %d\n", sig);
    struct signalfd_siginfo si;
    int fd = signalfd(-1, &set, 0);
    if (read(fd, &si, sizeof si) != sizeof si) return 1;
    printf("read %d\n", (int)si.ssi_signo);
    pthread_join(th, 0);
    return 0;
}
