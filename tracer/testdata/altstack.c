// Overflows its stack, is told so on an alternate signal stack, recovers, and exits with 7. With an argument the handler
// exits instead of recovering.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static sigjmp_buf back;
static int dies;
static char alt[65536];
static void on_fault(int sig) {
    (void)sig;
    if (dies) _exit(9);
    siglongjmp(back, 1);
}
__attribute__((noinline)) static int deep(int n) {
    volatile char room[4096];
    room[0] = (char)n;
    return deep(n + 1) + room[0];
}
int main(int argc, char **argv) {
    (void)argv;
    dies = argc > 1;
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    sigaltstack(&ss, 0);
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = on_fault;
    sa.sa_flags = SA_ONSTACK;
    sigaction(SIGSEGV, &sa, 0);
    for (volatile int i = 0; i < 3; i++)
        if (!sigsetjmp(back, 1)) deep(0);
    puts("recovered three times");
    return 7;
}
