// Describes its terminal, then waits for Ctrl-C and counts how often it came.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
static volatile int ints, winches;
static void on_int(int sig) { (void)sig; ints++; }
static void on_winch(int sig) { (void)sig; winches++; }
static void nap(int ms) {
    struct timespec ts = {0, ms * 1000000L};
    while (nanosleep(&ts, &ts) && ts.tv_nsec > 0) {}
}
static void size(void) {
    struct winsize ws;
    memset(&ws, 0, sizeof ws);
    ioctl(0, TIOCGWINSZ, &ws);
    printf("size %d x %d\n", ws.ws_col, ws.ws_row);
}
int main(void) {
    struct termios tio;
    signal(SIGINT, on_int);
    signal(SIGWINCH, on_winch);
    printf("tty %d %d %d\n", isatty(0), isatty(1), isatty(2));
    printf("same %d\n", !strcmp(ttyname(0) ? ttyname(0) : "-", ttyname(1) ? ttyname(1) : "+"));
    printf("foreground %d\n", tcgetpgrp(0) == getpgrp());
    tcgetattr(0, &tio);
    printf("canonical %d echo %d\n", !!(tio.c_lflag & ICANON), !!(tio.c_lflag & ECHO));
    size();
    puts("ready for a new size");
    while (!winches) nap(1);
    size();
    puts("ready for a line");
    char line[100];
    if (!fgets(line, sizeof line, stdin)) return 1;
    printf("line %s", line);
    puts("ready for Ctrl-C");
    while (!ints) nap(1);
    nap(150);
    printf("interrupts %d\n", ints);
    return 4;
}
