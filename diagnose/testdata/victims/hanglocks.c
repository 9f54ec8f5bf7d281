// Two threads in a ring, with robust recursive mutexes (-DROBUST), ones with priority inheritance (-DINHERIT), or the lock of a stream
// (-DSTREAM) in it.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t table, journal;
static pthread_barrier_t both;

__attribute__((noinline)) static void update(void) {
    pthread_mutex_lock(&table);
    pthread_barrier_wait(&both);
#ifdef INHERIT // the kernel refuses the one that comes last: wait until the other one's mark is in the futex word
    while (!(*(volatile unsigned *)&table & 0x80000000u)) usleep(1000);
#endif
#ifdef STREAM
    printf("updated\n");
#else
    pthread_mutex_lock(&journal);
#endif
}

__attribute__((noinline)) static void flush(void) {
#ifdef STREAM
    flockfile(stdout);
#else
    pthread_mutex_lock(&journal);
#endif
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&table);
}

static void *run(void *arg) { update(); return arg; }

int main(void) {
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
#ifdef ROBUST
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
#endif
#ifdef INHERIT
    pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
#endif
    pthread_mutex_init(&table, &kind);
    pthread_mutex_init(&journal, &kind);
    pthread_barrier_init(&both, NULL, 2);
    pthread_t other;
    pthread_create(&other, NULL, run, NULL);
    flush();
}
