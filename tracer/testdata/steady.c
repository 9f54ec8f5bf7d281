// Threads wait in system calls that are not restarted after an interruption (epoll_wait, poll, futex) while the first
// thread faults, recovers, and calls a watched function. Nobody may be interrupted.
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>
static volatile int stray, calls;
static void *in_epoll(void *arg) {
    struct epoll_event ev;
    int fd = epoll_create1(0);
    if (epoll_wait(fd, &ev, 1, 150) != 0) stray++;
    return arg;
}
static void *in_poll(void *arg) {
    if (poll(0, 0, 150) != 0) stray++;
    return arg;
}
static sigjmp_buf back;
static void on_fault(int sig) { (void)sig; siglongjmp(back, 1); }
__attribute__((noinline)) void watched(volatile int *p) { (*p)++; }
__attribute__((noinline)) void watched_too(volatile int *p) { volatile int x[64]; x[0] = *p; *p = x[0] + 1; watched(p); }
int main(void) {
    pthread_t a, b;
    pthread_create(&a, 0, in_epoll, 0);
    pthread_create(&b, 0, in_poll, 0);
    usleep(20000);
    signal(SIGSEGV, on_fault);
    for (volatile int i = 0; i < 20; i++)
        if (!sigsetjmp(back, 1)) *(volatile int *)8 = 1;
    for (volatile int i = 0; i < 20; i++) watched_too(&calls);
    pthread_join(a, 0);
    pthread_join(b, 0);
    printf("stray %d calls %d\n", stray, calls);
    return 0;
}
