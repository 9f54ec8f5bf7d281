// It waits for a child that waits for it: for the end of the input that the child itself keeps open.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static int finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

int main(void) {
    int ends[2];
    if (pipe(ends) != 0) return 1;
    pid_t child = fork();
    if (child == 0) {
        alarm(20); // should nobody end it
        char c;
        return (int)read(ends[0], &c, 1);
    }
    close(ends[0]);
    return finish(child);
}
