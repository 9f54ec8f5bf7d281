// Overflows its stack with a handler installed that has no stack to run on.
#include <signal.h>
static void on_fault(int sig) { (void)sig; }
__attribute__((noinline)) static int deep(int n) {
    volatile char room[4096];
    room[0] = (char)n;
    return deep(n + 1) + room[0];
}
int main(void) {
    signal(SIGSEGV, on_fault);
    return deep(0);
}
