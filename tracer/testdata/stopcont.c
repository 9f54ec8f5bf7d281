// A child stops itself and is continued; then the child stops its parent and continues it.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static volatile int conts;
static void on_cont(int sig) { (void)sig; conts++; }
static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}
int main(void) {
    signal(SIGCONT, on_cont);
    int st;
    pid_t pid = fork();
    if (!pid) { raise(SIGSTOP); usleep(50000); _exit(conts == 1 ? 11 : 12); }
    waitpid(pid, &st, WUNTRACED);
    printf("stopped %d by %d\n", WIFSTOPPED(st), WSTOPSIG(st));
    kill(pid, SIGCONT);
    waitpid(pid, &st, WCONTINUED);
    printf("continued %d\n", WIFCONTINUED(st));
    waitpid(pid, &st, 0);
    printf("exit %d\n", WEXITSTATUS(st));
    fflush(stdout);
    pid_t parent = getpid();
    if (!(pid = fork())) {
        usleep(20000);
        kill(parent, SIGSTOP);
        usleep(100000);
        kill(parent, SIGCONT);
        _exit(0);
    }
    double longest = 0, last = now();
    while (!conts) {
        double t = now();
        if (t - last > longest) longest = t - last;
        last = t;
    }
    double t = now();
    if (t - last > longest) longest = t - last;
    printf("was stopped %d\n", longest > 0.08);
    waitpid(pid, &st, 0);
    printf("conts %d\n", conts);
    return 0;
}
