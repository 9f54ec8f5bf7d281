// Prints what it was given by its parent: descriptors, signal state, limits, umask, process group, arguments, environment.
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
    for (int fd = 0; fd < 64; fd++) {
        struct stat st;
        if (!fstat(fd, &st)) printf("fd %d type %o\n", fd, st.st_mode & S_IFMT);
    }
    for (int i = 1; i < 65; i++) {
        struct sigaction sa;
        if (!sigaction(i, 0, &sa) && sa.sa_handler != SIG_DFL) printf("signal %d ignored %d\n", i, sa.sa_handler == SIG_IGN);
    }
    sigset_t set;
    sigprocmask(SIG_SETMASK, 0, &set);
    for (int i = 1; i < 65; i++) if (sigismember(&set, i) == 1) printf("blocked %d\n", i);
    sigpending(&set);
    for (int i = 1; i < 65; i++) if (sigismember(&set, i) == 1) printf("pending %d\n", i);
    for (int r = 0; r < RLIM_NLIMITS; r++) {
        struct rlimit rl;
        if (!getrlimit(r, &rl)) printf("limit %d %ld %ld\n", r, (long)rl.rlim_cur, (long)rl.rlim_max);
    }
    mode_t m = umask(0);
    printf("umask %o\n", m);
    printf("group of its own %d session of its own %d\n", getpgrp() == getpid(), getsid(0) == getpid());
    for (int i = 0; i < argc; i++) printf("arg %s\n", argv[i]);
    for (char **e = environ; *e; e++) printf("env %s\n", *e);
    char cwd[4096];
    printf("cwd %s\n", getcwd(cwd, sizeof cwd));
    return 0;
}
