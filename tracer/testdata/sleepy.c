// Says its PID and that of a child, then both sleep.
#include <stdio.h>
#include <unistd.h>
int main(void) {
    pid_t pid = fork();
    if (!pid) { for (;;) pause(); }
    printf("%d %d\n", getpid(), pid);
    fflush(stdout);
    for (;;) pause();
}
