// fork and exec, fork and fault, vfork and exec, vfork and exit, posix_spawn: prints what became of each child.
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
static void reap(const char *what, pid_t pid) {
    int st = -1;
    waitpid(pid, &st, 0);
    if (WIFEXITED(st)) printf("%s: exit %d\n", what, WEXITSTATUS(st));
    else printf("%s: signal %d\n", what, WTERMSIG(st));
    fflush(stdout);
}
int main(void) {
    pid_t pid;
    if (!(pid = fork())) { execl("/bin/echo", "echo", "from fork and exec", (char *)0); _exit(127); }
    reap("exec", pid);
    if (!(pid = fork())) { execl("/nonexistent/x", "x", (char *)0); _exit(127); }
    reap("no exec", pid);
    if (!(pid = fork())) { *(volatile int *)0 = 1; _exit(0); }
    reap("fault", pid);
    if (!(pid = fork())) { kill(getpid(), SIGTERM); _exit(0); }
    reap("term", pid);
    if (!(pid = vfork())) { execl("/bin/echo", "echo", "from vfork", (char *)0); _exit(127); }
    reap("vfork", pid);
    if (!(pid = vfork())) _exit(5);
    reap("vfork exit", pid);
    char *argv[] = {"sh", "-c", "echo from spawn; exit 6", 0};
    if (posix_spawn(&pid, "/bin/sh", 0, 0, argv, environ)) return 1;
    reap("spawn", pid);
    return 0;
}
