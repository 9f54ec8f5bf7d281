// A timer signal every 200 microseconds while it computes and while it sleeps in system calls that must be restarted.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
static volatile long ticks;
static void on_alarm(int sig) { (void)sig; ticks++; }
int main(void) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_alarm;
    sa.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &sa, 0);
    int p[2];
    if (pipe(p)) return 1;
    struct itimerval it = {{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &it, 0);
    if (!fork()) { usleep(50000); if (write(p[1], "x", 1) != 1) return 1; _exit(0); }
    char c;
    ssize_t n = read(p[0], &c, 1);
    volatile unsigned long sum = 0;
    while (ticks < 500) sum += ticks;
    printf("read %zd enough %d\n", n, ticks >= 500);
    errno = 0;
    int r = pause();
    printf("pause %d interrupted %d\n", r, errno == EINTR);
    return 0;
}
