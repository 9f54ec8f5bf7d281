// Calls panic_begin: three times caught (a jump out of it), then for real. With an argument N it is caught N times and the
// program exits well.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static jmp_buf out;
static volatile int deadly, sink;
__attribute__((noinline)) void panic_begin(const char *why) {
    volatile char frame[128];
    frame[0] = why[0];
    sink += frame[0];
    if (deadly) abort();
    longjmp(out, 1);
}
// Begins with an instruction that is not emulated.
__attribute__((naked)) void odd_begin(void) { __asm__("leaq 8(%rdi), %rax\n ret"); }
long odd(long x) { long (*f)(long) = (long (*)(long))odd_begin; return f(x); }
int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 3;
    for (volatile int i = 0; i < n; i++)
        if (!setjmp(out)) panic_begin("caught");
    pid_t pid = fork();
    if (!pid) {
        if (!setjmp(out)) panic_begin("in a child");
        _exit(8);
    }
    int st = 0;
    waitpid(pid, &st, 0);
    pid = vfork();
    if (!pid) _exit(odd(1) == 9 ? 0 : 1);
    int st2 = 0;
    waitpid(pid, &st2, 0);
    printf("child %d %d odd %ld sink %d\n", WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st), st2, odd(34), sink);
    fflush(stdout);
    if (argc > 1) return 0;
    deadly = 1;
    panic_begin("for real");
}
