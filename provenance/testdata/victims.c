// Victims: one small way to die per name in argv[1]. Compiled with several compilers and levels; the tests say where the
// bad value must be traced to. noinline keeps the calls that the traces are about.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, noclone))

volatile int zero;
volatile long sink;
long zero_long, at;
int *global_ptr;
static char text[] = "some text";

struct node {
	struct node *next;
	long value;
};

// returned: find() returns NULL for a missing key; the caller does not look.
NOINLINE char *find(int key) {
	if (key > 3)
		return text;
	sink++;
	return 0;
}
NOINLINE long first_byte(char *s) { return *s; }
NOINLINE long returned(int key) {
	char *s = find(key);
	sink += 2;
	return first_byte(s) + 1;
}

// constant: a literal NULL passed down two levels.
NOINLINE long deep2(long a, long *p) { return a + p[2] + sink; }
NOINLINE long deep1(long *p, long b) { return deep2(b + 1, p) * 2; }
NOINLINE long constant(void) { return deep1(0, sink) + 3; }

// heap: a list that ends too early.
NOINLINE struct node *make_node(long v) {
	struct node *n = calloc(1, sizeof *n);
	n->value = v;
	return n;
}
NOINLINE long second_value(struct node *n) { return n->next->value; }
NOINLINE long heap(void) {
	struct node *n = make_node(5);
	return second_value(n) + 1;
}

// global: a pointer that was never set.
NOINLINE long global(void) { return *global_ptr + sink; }

// out: a callee stores NULL through a pointer to a local.
NOINLINE int lookup(struct node **result, int key) {
	*result = key > 3 ? (struct node *)text : 0;
	return key;
}
NOINLINE long out(int key) {
	struct node *n;
	int found = lookup(&n, key);
	return n->value + found;
}

// saved: the value lives in callee-saved registers over several frames.
NOINLINE long leaf(long a) {
	sink += a;
	return *(volatile long *)0x10;
}
NOINLINE long saver(long a, long b, long c) {
	long x = a * b, y = b * c, z = a * c;
	x += leaf(a);
	return x * y * z + a + b + c;
}
NOINLINE long saved(long *p, long n) {
	long s = saver(n, n + 1, n + 2);
	return s + *p;
}
NOINLINE long holder(struct node *n) {
	long got = second_value(n->next ? n->next : n);
	return got + (long)n;
}

// tail: middle() jumps to last().
NOINLINE long last(struct node *n) { return n->value + sink; }
NOINLINE long middle(struct node *n) {
	sink++;
	return last(n);
}
NOINLINE long tail(struct node *n) { return middle(n) + 1; }

// copy: a bad pointer handed to libc.
NOINLINE void copy(char *to, const char *from, size_t n) {
	memcpy(to, from, n + (size_t)zero);
	sink++;
}

// division by a parameter.
NOINLINE int divide(int a, int b) { return a / b; }
NOINLINE int ratio(int a) { return divide(a, zero) + 1; }

// two: which of two callees returned the NULL is only known at run time.
NOINLINE char *left(int k) { return k > 100 ? text : 0; }
NOINLINE char *right(int k) { return k > 200 ? text : 0; }
NOINLINE long two(int which, int k) {
	char *s;
	if (which)
		s = left(k);
	else
		s = right(k);
	return *s + k;
}

// alias: a store through a pointer sets the slot.
NOINLINE void keep(int ***p) { sink += (long)p; }
NOINLINE long alias(int key) {
	int local = 5;
	int *p = &local;
	int **volatile pp = &p;
	keep((int ***)&pp);
	*pp = (int *)(long)(key * 8);
	return *p;
}

// table: a NULL function in a table.
struct service {
	const char *name;
	long (*handler)(long);
};
static struct service services[] = {{"one", (long (*)(long))first_byte}, {"two", 0}};
NOINLINE long table(int i) {
	struct service *s = &services[i];
	return s->handler(5) + 1;
}

// error: an error code used as a pointer.
NOINLINE long open_thing(int key) { return key > 3 ? (long)text : -2; }
NOINLINE long error(int key) {
	struct node *n = (struct node *)open_thing(key);
	return n->value;
}

// text: string bytes used as a pointer.
NOINLINE long as_pointer(char **p) { return **p; }
NOINLINE long string(void) {
	static char buffer[16] = "hello world";
	return as_pointer((char **)buffer);
}

// byvalue: a struct of three words is returned through a hidden pointer.
struct triple {
	long *a;
	long b, c;
};
NOINLINE struct triple make_triple(long b) {
	struct triple t = {0, b, b + 1};
	return t;
}
NOINLINE long byvalue(long b) {
	struct triple t = make_triple(b);
	sink += t.b;
	return *t.a;
}

// identity: a function that gives back its argument lies in between.
NOINLINE void *identity(void *p) {
	sink++;
	return p;
}
NOINLINE long through(void) {
	long *p = identity(0);
	return *p;
}

// uninitialised: read before it was set.
NOINLINE long checked(int key) {
	char *s = find(key);
	if (s == (char *)1)
		return 4;
	return first_byte(s);
}

// stop: the other arm never returns, so only one definition can reach the use.
NOINLINE void give_up(int k) {
	sink = k;
	abort();
}
NOINLINE long stop(int key) {
	char *s;
	if (key < 5) {
		s = find(key);
	} else {
		give_up(key);
	}
	return *s + sink;
}

// stale: the variable is changed behind the back of the copy that is used.
NOINLINE void change(long **p, long *to) { *p = to; }
NOINLINE long stale(long *from) {
	long *now = from;
	long *volatile kept = now;
	change(&now, &zero_long);
	return *kept + *now;
}

// smash: the return address is overwritten.
NOINLINE long smash(long n) {
	volatile long buffer[2];
	for (at = 0; at < n; at++) // a global, so that the loop does not overwrite its own counter
		buffer[at] = 0x4141414141414141 + zero;
	return buffer[0];
}

// recursion without an end.
NOINLINE long endless(volatile long *p, long n) {
	volatile char pad[200];
	pad[0] = (char)n;
	return endless(p, n + 1) + pad[0];
}

static void on_signal(int s) {
	sink += s;
	sink += first_byte((char *)(long)zero);
}

int main(int argc, char **argv) {
	const char *c = argc > 1 ? argv[1] : "";
	int key = argc - 1; // 1, and unknown to the compiler
	long r = 0;
	struct node *n = make_node(7);
	if (!strcmp(c, "returned")) r = returned(key);
	if (!strcmp(c, "constant")) r = constant();
	if (!strcmp(c, "heap")) r = heap();
	if (!strcmp(c, "global")) r = global();
	if (!strcmp(c, "out")) r = out(key);
	if (!strcmp(c, "saved")) r = saved((long *)n, key);
	if (!strcmp(c, "holder")) r = holder(n);
	if (!strcmp(c, "tail")) r = tail(n->next);
	if (!strcmp(c, "copy")) copy((char *)n, (char *)(long)(zero + 64), 16);
	if (!strcmp(c, "divide")) r = ratio(key);
	if (!strcmp(c, "left")) r = two(1, key);
	if (!strcmp(c, "right")) r = two(zero, key);
	if (!strcmp(c, "alias")) r = alias(key);
	if (!strcmp(c, "table")) r = table(key);
	if (!strcmp(c, "error")) r = error(key);
	if (!strcmp(c, "string")) r = string();
	if (!strcmp(c, "byvalue")) r = byvalue(key);
	if (!strcmp(c, "through")) r = through();
	if (!strcmp(c, "checked")) r = checked(key);
	if (!strcmp(c, "stop")) r = stop(key);
	if (!strcmp(c, "stale")) r = stale((long *)(long)(key * 16));
	if (!strcmp(c, "smash")) r = smash(key * 32);
	if (!strcmp(c, "recursion")) r = endless((volatile long *)n, key);
	if (!strcmp(c, "handler")) {
		signal(SIGUSR1, on_signal);
		raise(SIGUSR1);
	}
	printf("%ld\n", r);
	return 0;
}
