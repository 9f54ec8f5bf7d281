// Ways to die whose stacks the unwinder must get right. The first argument chooses one.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEEP __attribute__((noinline))

volatile int sink;
int *volatile nowhere;
void (*volatile null_function)(int);

KEEP void leaf(int n) { sink = n; *nowhere = n; sink++; }
KEEP void middle(int n) { leaf(n + 1); sink++; }
KEEP void outer(int n) { middle(n + 1); sink++; }

KEEP int compare(const void *a, const void *b) { leaf(1); return *(const int *)a - *(const int *)b; }
KEEP void sorts(void) { int v[4] = {3, 1, 2, 0}; qsort(v, 4, sizeof *v, compare); sink++; }

KEEP void calls_null(void) { null_function(7); sink++; }
KEEP void jumps_null(void) { null_function(8); }
KEEP void calls_jumper(void) { jumps_null(); sink++; }

KEEP void on_signal(int s) { leaf(s); sink++; }
KEEP void faults(void) { *nowhere = 1; sink++; }
KEEP void with_handler(int alt) {
  struct sigaction sa = {.sa_handler = on_signal, .sa_flags = alt ? SA_ONSTACK : 0};
  if (alt) {
    stack_t ss = {.ss_sp = malloc(65536), .ss_size = 65536};
    sigaltstack(&ss, 0);
  }
  sigaction(SIGUSR1, &sa, 0);
  raise(SIGUSR1);
  sink++;
}

KEEP void smash(int n) {
  char room[16];
  memset(room, 'A', n);
  sink = room[0];
}
KEEP void smashes(int n) { smash(n); sink++; }

KEEP int recurse(int n) { if (n == 0) leaf(n); return recurse(n - 1) + 1; }

KEEP void big_alloca(int n) {
  char *p = __builtin_alloca(n);
  memset(p, 1, n);
  sink = p[n - 1];
  leaf(n);
}

KEEP void *in_thread(void *arg) { outer(5); return arg; }
KEEP void threads(void) { pthread_t t; pthread_create(&t, 0, in_thread, 0); pthread_join(t, 0); }

KEEP void aborts(void) { abort(); }

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  if (!strcmp(how, "null")) outer(1);
  if (!strcmp(how, "qsort")) sorts();
  if (!strcmp(how, "callnull")) calls_null();
  if (!strcmp(how, "jumpnull")) calls_jumper();
  if (!strcmp(how, "handler")) with_handler(0);
  if (!strcmp(how, "altstack")) with_handler(1);
  if (!strcmp(how, "smash")) smashes(64);
  if (!strcmp(how, "smashzero")) smashes(24);
  if (!strcmp(how, "recurse")) recurse(argc > 2 ? atoi(argv[2]) : 1000000000);
  if (!strcmp(how, "alloca")) big_alloca(5000);
  if (!strcmp(how, "thread")) threads();
  if (!strcmp(how, "abort")) aborts();
  sink++;
  return 0;
}
