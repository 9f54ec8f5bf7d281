// Takes 500 faults of four kinds in a handler and recovers from each with siglongjmp.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
static sigjmp_buf back;
static volatile int count[65];
static void on_fault(int sig, siginfo_t *si, void *uc) {
    (void)uc;
    count[sig]++;
    if (sig == SIGSEGV && si->si_addr != (void *)0x20) count[0]++;
    siglongjmp(back, 1);
}
int main(void) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_fault;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &sa, 0);
    sigaction(SIGFPE, &sa, 0);
    sigaction(SIGILL, &sa, 0);
    sigaction(SIGTRAP, &sa, 0);
    for (volatile int i = 0; i < 500; i++) {
        if (sigsetjmp(back, 1)) continue;
        switch (i % 4) {
        case 0: *(volatile int *)0x20 = 1; break;
        case 1: __asm__ volatile("xorl %%ecx, %%ecx; movl $1, %%eax; cltd; idivl %%ecx" ::: "eax", "ecx", "edx"); break;
        case 2: __asm__ volatile("ud2"); break;
        case 3: __asm__ volatile("int3"); siglongjmp(back, 1);
        }
    }
    printf("segv %d fpe %d ill %d trap %d wrong %d\n", count[SIGSEGV], count[SIGFPE], count[SIGILL], count[SIGTRAP], count[0]);
    return 0;
}
